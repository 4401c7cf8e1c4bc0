"""Where things are. STIGMER_BUILD names the build directory under test (default: build)."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("STIGMER_BUILD", ROOT / "build")).resolve()
SERVER = BUILD / "stigmer-server"
CLI = BUILD / "stigmer"
PROTO = ROOT / "proto"


def _sanitizer():
    try:
        options = json.loads((BUILD / "meson-info" / "intro-buildoptions.json").read_text())
    except FileNotFoundError:
        return "none"
    return next((o["value"] for o in options if o["name"] == "b_sanitize"), "none")


SANITIZER = _sanitizer()
SANITIZED = SANITIZER != "none"
# Sanitized programs take several times as long, and so may the tests.
PATIENCE = 5 if SANITIZED else 1


def scratch(prefix):
    """A private directory that the caller removes with discard()."""
    return Path(tempfile.mkdtemp(prefix=f"stigmer-{prefix}-"))


def discard(directory):
    shutil.rmtree(directory, ignore_errors=True)


def run(*command, timeout=120, **options):
    """Runs a program to its end; its output as text."""
    return subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          timeout=timeout * PATIENCE, check=False, **options)
