#!/usr/bin/python3
"""Writes stigmer_skills/_descriptors.py from the .proto files: run it when they change.

Needs protoc. A test compares what is there with what protoc makes.
"""

import base64
import subprocess
import tempfile
import textwrap
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROTO = HERE.parents[1] / "proto"
ROOT = "ai/stigmer/agentic/skill/v1/query.proto"


def descriptor_set() -> bytes:
    """query.proto and all that it imports, as a FileDescriptorSet."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "set.bin")
        subprocess.run(["protoc", f"-I{PROTO}", "--include_imports", f"--descriptor_set_out={out}",
                        ROOT], check=True)
        return out.read_bytes()


def main():
    text = textwrap.fill(base64.b64encode(descriptor_set()).decode(), 96)
    (HERE / "stigmer_skills" / "_descriptors.py").write_text(
        '"""The wire contract: a FileDescriptorSet. Made by make_descriptors.py; do not edit."""\n\n'
        f'DESCRIPTORS = """\n{text}\n"""\n')


if __name__ == "__main__":
    main()
