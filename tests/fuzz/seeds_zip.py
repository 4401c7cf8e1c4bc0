#!/usr/bin/python3
"""Writes corpus/zip: the smaller golden archives, those that are accepted first of all."""

import subprocess
import sys
import tempfile
from pathlib import Path

here = Path(__file__).resolve().parent
corpus = here / "corpus" / "zip"
corpus.mkdir(parents=True, exist_ok=True)
wanted = (
    "one-eocd.near-comment", "directory-extent.near-order", "one-eocd.near-in-data", "flags.near-all",
    "lfh-fields.near-stream-values", "descriptor.near-narrow", "descriptor.near-zip64",
    "descriptor.near-zip64-sentinels", "stored-descriptor-scan.near-eocd", "lfh-zip64.near-values",
    "lfh-zip64.near-sentinels", "extra-form.near-both", "extra-allowed.near-both-6c78-7",
    "unicode-path.near-both", "inflate.near-flushed-each-byte", "inflate.near-every-block-type",
    "expansion.near-0", "directory.near-stored", "directory.near-deflated", "name-hidden.near-accent",
    "name-encoding.near-twin-flagged", "name-prefix.near-directory", "skill-md.near-name-7",
    "honest.finder", "honest.infozip-3-piped", "honest.minizip-ng-stream", "tiling.overlap-quoted",
    "ratio.csize-0", "inflate.distance-too-far", "one-eocd.in-comment", "skill-md.look-4",
    "name-unique.normal-form")
with tempfile.TemporaryDirectory() as tmp:
    make = here.parent / "golden" / "zip" / "make.py"
    subprocess.run([sys.executable, make, tmp], check=True)
    for name in wanted:
        (corpus / name).write_bytes((Path(tmp) / (name + ".zip")).read_bytes())
