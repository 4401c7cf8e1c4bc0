#!/usr/bin/env python3
"""Writes the seeds of corpus/frontmatter beside this script."""
import pathlib

OUT = pathlib.Path(__file__).parent / "corpus" / "frontmatter"
WHOLE = "name: pdf-tools\ndescription: \"Reads: PDFs.\"\n"
SEEDS = {
    "none": "# Title\n",
    "empty": "---\n---\n",
    "unclosed": "---\nname: x\n",
    "whole": "---\n" + WHOLE + "license: MIT\ncompatibility: python3\nmetadata:\n  a: b\n"
             "allowed-tools: Bash(git:*) Read\n---\n# Body\n",
    "crlf_bom": "\ufeff---\r\nname: x\r\ndescription: d\r\n---\r\n",
    "alias": "---\n" + WHOLE + "a: &a [x]\nb: [*a, *a]\n---\n",
    "merge": "---\n" + WHOLE + "metadata:\n  <<: *x\n---\n",
    "deep": "---\nx: " + "[" * 40 + "]" * 40 + "\n---\n",
    "open_flow": "---\nx: " + "[" * 3000 + "\n---\n",
    "open_maps": "---\n" + "".join("? " for _ in range(500)) + "\n---\n",
    "indented": "---\n" + "".join(" " * i + "a:\n" for i in range(60)) + "---\n",
    "list_value": "---\n" + WHOLE + "allowed-tools:\n  - a\n  - b\n---\n",
    "complex_key": "---\n? {a: b}\n: [c]\n---\n",
    "literal": "---\nname: x\ndescription: |\n  two\n  lines\n---\n",
    "folded": "---\nname: x\ndescription: >-\n  two\n  lines\n---\n",
    "tag": "---\nname: !!python/object x\ndescription: !<tag:x> d\n---\n",
    "directive": "---\n%YAML 1.1\n---\n",
    "two_documents": "---\nname: x\n...\nname: y\n---\n",
    "escapes": "---\nname: x\ndescription: \"\\u00e9\\x41\\N\\P\\L\\U0010ffff\\0\"\n---\n",
    "twice": "---\nname: a\nname: b\ndescription: d\n---\n",
    "utf16": "---\nname: \ufffe\n---\n",
}

for name, text in SEEDS.items():
    (OUT / name).write_bytes(text.encode())
(OUT / "not_utf8").write_bytes(b"---\nname: \xff\xfe\n---\n")
(OUT / "nul").write_bytes(b"---\nname: a\0b\n---\n")
