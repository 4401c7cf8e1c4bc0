#!/usr/bin/python3
"""Writes corpus/zip: the smaller golden archives, those that are accepted first of all."""

import subprocess
import sys
import tempfile
from pathlib import Path

here = Path(__file__).resolve().parent
corpus = here / "corpus" / "zip"
corpus.mkdir(parents=True, exist_ok=True)
wanted = ("ok-comment", "ok-order", "ok-eocd-sig-in-data", "ok-flags", "ok-stream-with-values",
          "ok-descriptor", "ok-descriptor-zip64", "ok-descriptor-zip64-sentinels", "ok-stored-scan",
          "ok-lfh-zip64", "ok-lfh-zip64-sentinels", "ok-extra-several", "ok-unicode-path",
          "ok-inflate-sync-flush", "ok-expansion-1024", "ok-directory", "ok-directory-deflated",
          "ok-unicode-1", "ok-encoding-no-twin", "ok-prefix", "ok-skill-twin-3", "tiling-overlap",
          "ratio", "inflate-distance", "eocd-in-comment", "skill-twin-4", "unique-nfc")
with tempfile.TemporaryDirectory() as tmp:
    make = here.parent / "golden" / "zip" / "make.py"
    subprocess.run([sys.executable, make, tmp], check=True)
    for name in wanted:
        (corpus / name).write_bytes((Path(tmp) / (name + ".zip")).read_bytes())
