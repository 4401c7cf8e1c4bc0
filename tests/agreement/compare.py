"""Do all readers see the same? Everything that is overlooked is a row of one of three tables.

    disagreements(data, seen) -> {what: [readers]}      empty: all agree

A test sees to it that no row can go.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Callable

from model import STREAM, UTF8, archive_of

# --- what is overlooked, and why ---------------------------------------------------------------------

FAT, HPFS, NTFS = 0, 6, 11
PKZIP_FOR_UNIX = (25, 26, 40)  # made by FAT and such a version: unzip.h

# Code page 850 to ISO 8859-1 for the bytes from 0x80 on, as Info-ZIP's unzip has it.
OEM_TO_ISO = bytes.fromhex(
    "c7fce9e2e4e0e5e7eaebe8efeeecc4c5c9e6c6f4f6f2fbf9ffd6dcf8a3d8d783e1edf3faf1d1aababfaeacbdbca1abbb"
    "a6a6a6a6a6c1c2c0a9a6a62b2ba2a52b2b2d2d2b2d2be3c32b2b2d2da62d2ba4f0d0cacbc869cdcecf2b2ba65fa6ccaf"
    "d3dfd4d2f5d5b5fededadbd9fdddafb4adb13dbeb6a7f7b8b0a8b7b9b3b2a6a0")


def oem_to_iso(raw):
    """It leaves out what becomes the last character, a y with diaeresis."""
    return bytes(b if b < 128 else OEM_TO_ISO[b - 128] for b in raw).replace(b"\xff", b"")


def unflagged(entry):
    return not entry.cdh["flags"] & UTF8


def made_on_dos(entry):
    return entry.cdh["made"] >> 8 in (FAT, HPFS, NTFS)


@dataclass(frozen=True)
class Decoding:
    """Names that some readers decode in their own way: one file under another name. What a name
    becomes must still be another one for each name, or else it is a disagreement."""

    readers: tuple
    applies: Callable  # to an entry
    decode: Callable  # the name's bytes -> text
    why: str


DECODINGS = [
    Decoding(("python", "yauzl"), unflagged, lambda raw: raw.decode("cp437"),
             "APPNOTE D.1: a name without flag bit 11 is in code page 437. Info-ZIP, Perl and macOS "
             "write UTF-8 without the flag, and command-line tools read it so. The rule "
             "name-encoding keeps such names apart in both readings"),
    Decoding(("fflate",), unflagged, lambda raw: raw.decode("latin-1"),
             "fflate takes a name without flag bit 11 for ISO 8859-1: another character for each "
             "byte, so that names stay apart"),
    Decoding(("unzip",), made_on_dos,
             lambda raw: oem_to_iso(raw).decode("utf-8", "surrogateescape"),
             "unzip 6.0 heeds flag bit 11 only where the entry has extra fields, and translates "
             "other names made on DOS from code page 850 to ISO 8859-1. Java, jar and fflate make "
             "such archives. The rule name-encoding keeps such names apart in this reading, too"),
    Decoding(("bsdtar", "bsdtar-pipe"), lambda entry: not unflagged(entry),
             lambda raw: unicodedata.normalize("NFC", raw.decode("utf-8", "surrogateescape")),
             "libarchive composes the names that it converts from UTF-8 to the locale's encoding. "
             "macOS writes decomposed ones. The rule name-unique keeps names apart in both forms"),
]


@dataclass(frozen=True)
class Complaint:
    """What a reader says of what honest tools write."""

    reader: str
    says: str  # a regular expression, for all of it
    applies: Callable  # to the archive
    why: str
    extracts: bool  # a warning: what it sees is compared; else it refuses the archive


def any_entry(is_so):
    return lambda archive: any(map(is_so, archive.entries))


COMPLAINTS = [
    Complaint("java-stream", ".*only DEFLATED entries can have EXT descriptor",
            any_entry(lambda e: e.lfh["flags"] & STREAM and e.lfh["method"] == 0),
            "ZipInputStream cannot read a stored entry whose size follows it; `zip` and bsdtar to a "
            "pipe, jszip, zip.js, archiver and client-zip write such", extracts=False),
    Complaint("java-stream", ".*invalid entry (size|CRC|compressed size).*",
            any_entry(lambda e: e.descriptor and len(e.descriptor) == 24),
            "ZipInputStream before Java 21 expects 4-byte sizes in every descriptor of a small "
            "entry (JDK-8303866); Python writes 8-byte ones with force_zip64 to a pipe",
            extracts=False),
    Complaint("unzip", r"exit code 1: (\S.*mismatching \"local\" filename \(.*\),\s+"
              r"continuing with \"central\" filename version\s*)+",
              any_entry(lambda e: made_on_dos(e) and not e.cname.isascii() and
                        (bool(e.extra) != bool(e.cextra) or e.cdh["made"] & 255 in PKZIP_FOR_UNIX)),
              "unzip 6.0 translates a name in one header and not in the other, when only one of "
              "them has extra fields, as 7-Zip on Windows writes; or when PKZIP for Unix made it, to "
              "go by its version. It warns, and the directory's name is compared", extracts=True),
    Complaint("busybox", "exit code 1: unzip: short read",
              lambda archive: len(archive.comment) > 65514,
              "busybox looks for the end record in the last 64 KiB, so it does not find the one before "
              "a comment of more than 65,514 bytes; it unpacks nothing", extracts=False),
]

# --- the comparison -----------------------------------------------------------------------------------


def _prefixes(raw):
    """The path and its parents."""
    path = raw.rstrip(b"/")
    while path:
        yield path
        path = path.rpartition(b"/")[0]


def _text(raw):
    return raw.decode("utf-8", "surrogateescape")


def renamings(entries, reader, without):
    """{path as this reader has it: path}; a path that stands for two is left out."""
    found, twice = {}, set()
    for row in DECODINGS:
        if reader not in row.readers or row is without:
            continue
        for entry in filter(row.applies, entries):
            for raw in _prefixes(entry.cname):
                path = _text(raw)
                if found.setdefault(row.decode(raw), path) != path:
                    twice.add(row.decode(raw))
    return {read: path for read, path in found.items() if read not in twice}


def normal(tree, names):
    """The tree with its names told apart, and with all parents: a directory that no entry names is
    there when a file is in it, though readers that list entries do not list it."""
    found = {}
    for path, what in tree.items():
        path = names.get(path, path)
        if found.get(path, ("d", "")) != ("d", "") or path in found and what != ("d", ""):
            what = ("twice", "")
        found[path] = what
    for path in list(found):
        while "/" in path:
            path = path.rpartition("/")[0]
            found.setdefault(path, ("d", ""))
    return found


def complaint(archive, reader, error, without):
    """The row that foresees what the reader says, or None."""
    return archive and next(
        (row for row in COMPLAINTS if row.reader == reader and row is not without
         and re.fullmatch(row.says, error, re.DOTALL) and row.applies(archive)), None)


def disagreements(data, seen, without=None):
    """seen: {reader: Seen}. The groups of readers, when there is more than one: what each group
    sees, as an error or as the items of its tree. without: a row of the tables to leave out."""
    archive = archive_of(data)
    entries = archive.entries if archive else []
    groups = {}
    for reader, one in seen.items():
        known = one.error is not None and complaint(archive, reader, one.error, without)
        if one.error is not None and not known:
            groups.setdefault(f"error: {one.error}", []).append(reader)
        if one.error is not None and not (known and known.extracts):
            continue
        tree = normal(one.tree, renamings(entries, reader, without))
        groups.setdefault(tuple(sorted(tree.items())), []).append(reader)
    failed = any(isinstance(what, str) for what in groups)
    return groups if failed or len(groups) != 1 else {}


def tell(groups):
    """Lines about a disagreement: the largest group's view, and how the others differ from it."""
    trees = [what for what in groups if not isinstance(what, str)]
    main = set(max(trees, key=lambda t: len(groups[t]), default=()))
    lines = []
    for what, readers in sorted(groups.items(), key=lambda g: -len(g[1])):
        lines.append(f"  {', '.join(readers)}:")
        if isinstance(what, str):
            lines.append(f"    {what}")
        elif set(what) == main:
            lines.append(f"    {len(main)} paths")
        else:
            lines += [f"    + {item}" for item in sorted(set(what) - main)]
            lines += [f"    - {item}" for item in sorted(main - set(what))]
    return lines
