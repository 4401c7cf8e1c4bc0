#!/usr/bin/python3
"""Archives by Python's zipfile. usage: write.py TREE OUT_DIR"""

import io
import shutil
import sys
import zipfile
from pathlib import Path

tree, out_dir = Path(sys.argv[1]), Path(sys.argv[2])
paths = sorted(tree.rglob("*"))
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


class Pipe(io.RawIOBase):
    """A file that cannot seek."""

    def __init__(self, file):
        super().__init__()
        self.file = file

    def writable(self):
        return True

    def write(self, data):
        return self.file.write(data)


def plain(z):
    for path in paths:
        z.write(path, path.relative_to(tree))


def texts(z):
    for path in paths:
        if path.is_file():
            z.writestr(zipfile.ZipInfo(str(path.relative_to(tree)), (2024, 1, 2, 3, 4, 6)),
                       path.read_bytes())


def zip64(z):
    """What force_zip64 of 3.6 to 3.10 writes; 3.11.4 made the sizes sentinels, as APPNOTE says."""
    for path in paths:
        if path.is_file() and path.stat().st_size:  # an empty one to a pipe: see honest.REFUSED
            info = zipfile.ZipInfo.from_file(path, path.relative_to(tree))
            info.compress_type = DEFLATED
            with z.open(info, "w", force_zip64=True) as f:
                f.write(path.read_bytes())


def macos(z):
    """Decomposed names, and the entries that Finder adds."""
    plain(z)
    z.writestr(zipfile.ZipInfo("cafe\u0301.txt"), "e and an accent\n")
    z.writestr(zipfile.ZipInfo("__MACOSX/"), "")
    z.writestr(zipfile.ZipInfo("__MACOSX/._SKILL.md"), b"\0\5\x16\7\0\2\0\0")
    z.writestr(zipfile.ZipInfo(".DS_Store"), b"\0\0\0\1Bud1")


def archive(name, method, fill, wrap=lambda f: f):
    with open(out_dir / f"{name}.zip", "wb") as f, zipfile.ZipFile(wrap(f), "w", method) as z:
        fill(z)


archive("python", DEFLATED, plain)
archive("python-stored", STORED, plain)
archive("python-texts", DEFLATED, texts)
archive("python-unseekable", DEFLATED, plain, Pipe)
archive("python-unseekable-stored", STORED, plain, Pipe)
archive("python-zip64", DEFLATED, zip64)
archive("python-zip64-unseekable", DEFLATED, zip64, Pipe)
archive("python-macos", DEFLATED, macos)
shutil.make_archive(str(out_dir / "python-shutil"), "zip", tree)

_header = zipfile.ZipInfo.FileHeader


def _sentinels(self, zip64=None):
    header = bytearray(_header(self, zip64))
    if zip64:
        header[18:26] = b"\xff" * 8
    return bytes(header)


zipfile.ZipInfo.FileHeader = _sentinels
archive("python-zip64-sentinels", DEFLATED, zip64)
