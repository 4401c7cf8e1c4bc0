"""A skill's archive, read under the ZIP profile (docs/ZIP_PROFILE.md): refuse, never repair.

The headers are read twice, from the directory at the end and forwards from the start, and must agree
in every field; every byte belongs to exactly one record. Contents are inflated by zlib within the
sizes that the headers say, to the last byte, and their CRC is compared.

Not judged here, but by the server's audit, is what only makes other readers differ: names made on DOS
that unzip translates, files that are a tar archive or an ISO image as well, names that look like
SKILL.md in other scripts, two oddities of empty zip64 entries and of distance codes; and the budget on
deflate blocks, which bounds the time of an audit.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from . import names
from .errors import ArchiveError

__all__ = ["Archive", "Entry", "MAX_ENTRIES", "MAX_SIZE", "MAX_UNCOMPRESSED"]

MAX_SIZE = 104857600
MAX_UNCOMPRESSED = 524288000
MAX_ENTRIES = 10000
MAX_RATIO = 100
PIECE = 1 << 17

_EOCD = struct.Struct("<4s4H2LH")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_STORE, _DEFLATE = 0, 8
_DESCRIPTOR, _UTF8 = 1 << 3, 1 << 11
_FLAGS = 1 << 1 | 1 << 2 | _DESCRIPTOR | _UTF8
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_TAIL = _EOCD.size + 65535
_ENDS = (b"PK\5\6", b"PK\6\6", b"PK\6\7")
_SIGNATURES = (*_ENDS, b"PK\1\2", b"PK\3\4", b"PK\7\x08", b"PK\5\5", b"PK\6\x08", b"PK00")
# Extra fields that change nothing that is extracted: id -> (least, most) bytes.
_EXTRAS = {0x0001: (0, _FULL16), 0x000A: (0, _FULL16), 0x000D: (0, 12), 0x5455: (1, _FULL16),
           0x5855: (0, _FULL16), 0x7855: (0, _FULL16), 0x7875: (0, _FULL16), 0x7075: (0, _FULL16),
           0x6375: (5, _FULL16), 0xCAFE: (0, _FULL16), 0xA11E: (0, _FULL16), 0xD935: (0, _FULL16),
           0x6C78: (0, _FULL16)}
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075
_SCRIPTS = (".sh", ".py", ".js", ".ts", ".rb", ".pl")


@dataclass(frozen=True)
class Entry:
    """A file or directory of an archive whose headers were checked."""

    path: str
    directory: bool
    #: What extraction leaves out: resource forks of macOS.
    left_out: bool
    #: Bytes when inflated; content that has others is refused while it is read.
    size: int
    #: By its name, or by the mode in its header; a file that starts with "#!" is one, too.
    executable: bool
    method: int
    compressed: int
    crc: int
    #: Where its data starts.
    data_at: int


@dataclass(frozen=True)
class _Header:
    """A central header."""

    raw: bytes
    path: str
    flags: int
    method: int
    stamp: tuple[int, int]
    crc: int
    compressed: int
    size: int
    attributes: int
    host: int
    at: int

    @property
    def directory(self) -> bool:
        return self.raw.endswith(b"/")


def _need(condition: bool, rule: str, message: str) -> None:
    if not condition:
        raise ArchiveError(rule, f"invalid ZIP file: {message}")


class Archive:
    """The archive in a seekable binary file, which must not change meanwhile.

    Raises ArchiveError, here for what the headers say and in `read` for contents.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        self.entries: list[Entry] = self._read_all()

    def read(self, entry: Entry) -> Iterator[bytes]:
        """The content in pieces of at most 128 KiB; the last one comes once all was checked."""
        pieces = self._inflate(entry) if entry.method == _DEFLATE else self._stored(entry)
        crc = done = 0
        for piece in pieces:
            done += len(piece)
            _need(done <= entry.size, "inflate", f"{entry.path!r} is larger than it says")
            crc = zlib.crc32(piece, crc)
            if done < entry.size:
                yield piece
            else:
                last = piece
        _need(done == entry.size, "inflate", f"{entry.path!r} is smaller than it says")
        _need(crc == entry.crc, "inflate", f"{entry.path!r} has another CRC than it says")
        if entry.size:
            yield last

    # --- contents ---

    def _at(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        data = self._file.read(size)
        _need(len(data) == size, "tiling", "it ends too early")
        return data

    def _raw(self, entry: Entry) -> Iterator[bytes]:
        for at in range(0, entry.compressed, PIECE):
            yield self._at(entry.data_at + at, min(PIECE, entry.compressed - at))

    def _stored(self, entry: Entry) -> Iterator[bytes]:
        _need(entry.compressed == entry.size, "inflate", f"{entry.path!r} is stored in two sizes")
        return self._raw(entry)

    def _inflate(self, entry: Entry) -> Iterator[bytes]:
        stream = zlib.decompressobj(-15)
        try:
            for data in self._raw(entry):
                _need(not stream.eof, "inflate", f"{entry.path!r} has bytes behind its end")
                while data and not stream.eof:
                    piece = stream.decompress(data, PIECE)
                    data = stream.unconsumed_tail
                    if piece:
                        yield piece
                _need(not stream.unused_data, "inflate", f"{entry.path!r} has bytes behind its end")
            while not stream.eof:
                piece = stream.decompress(b"", PIECE)
                _need(bool(piece) or stream.eof, "inflate", f"{entry.path!r} is cut off")
                if piece:
                    yield piece
        except zlib.error as error:
            raise ArchiveError("inflate", f"{entry.path!r} does not inflate: {error}") from None

    # --- headers ---

    def _read_all(self) -> list[Entry]:
        _need(self._size >= _EOCD.size, "size", "it is too short")
        if self._size > MAX_SIZE:
            raise ArchiveError("size", f"ZIP file too large: {self._size} bytes (max: {MAX_SIZE})")
        count, directory_at, end = self._read_end()
        headers = self._read_directory(count, directory_at, end)
        names.check_together((h.raw, h.path, h.directory, bool(h.flags & _UTF8)) for h in headers)
        entries = self._walk(sorted(headers, key=lambda h: h.at), directory_at)
        _check_contents(entries)
        return entries

    def _read_end(self) -> tuple[int, int, int]:
        """Entries, where the directory starts, and where it ends."""
        tail_at = max(0, self._size - _TAIL)
        tail = self._at(tail_at, self._size - tail_at)
        at = tail.rfind(_ENDS[0])
        _need(at >= 0 and len(tail) - at >= _EOCD.size, "one-eocd", "it has no end record")
        _, disk, cd_disk, here, total, size, offset, comment = _EOCD.unpack_from(tail, at)
        _need(at + _EOCD.size + comment == len(tail), "one-eocd", "its end record is not its end")
        _need(not self._another_end(tail, at), "one-eocd", "it has two end records")
        _need(not any(s in tail[at + _EOCD.size:] for s in _SIGNATURES)
              and not any(s in tail[at + 4:] for s in _ENDS),
              "no-stray-signature", "it has a signature in its end record")
        _need(tail[max(0, at - 20):at][:4] != b"PK\6\7" and _FULL16 not in (disk, cd_disk, here, total)
              and _FULL32 not in (size, offset), "no-zip64", "it has zip64 records")
        _need(disk == cd_disk == 0 and here == total, "counts", "it is one part of several")
        _need(1 <= total <= MAX_ENTRIES, "counts", f"it has {total} entries, not 1 to {MAX_ENTRIES}")
        end = tail_at + at
        _need(offset + size == end, "directory-extent", "its directory does not end at its end record")
        return total, offset, end

    @staticmethod
    def _another_end(tail: bytes, last: int) -> bool:
        at = tail.find(_ENDS[0])
        while at < last:
            if len(tail) - at - _EOCD.size == int.from_bytes(tail[at + 20:at + 22], "little"):
                return True
            at = tail.find(_ENDS[0], at + 1)
        return False

    def _read_directory(self, count: int, at: int, end: int) -> list[_Header]:
        data = self._at(at, end - at)
        _need(not any(s in data for s in _ENDS), "no-stray-signature",
              "it has a signature in its directory")
        headers, used = [], 0
        for _ in range(count):
            header, used = _central(data, used)
            headers.append(header)
        _need(used == len(data), "directory-extent", "its directory has bytes beyond its entries")
        return headers

    def _walk(self, headers: list[_Header], end: int) -> list[Entry]:
        """Forwards through the file: each record begins where the one before ended."""
        entries, at = [], 0
        for h in headers:
            _need(h.at == at, "tiling", f"{h.path!r} does not begin where the one before ends")
            entry, at = self._local(h, end)
            entries.append(entry)
        _need(at == end, "tiling", "there are bytes before its directory")
        return entries

    def _local(self, h: _Header, end: int) -> tuple[Entry, int]:
        _need(h.at + _LOCAL.size <= end, "tiling", f"{h.path!r} runs into the directory")
        (signature, version, flags, method, time, date, crc, compressed, size, name_len,
         extra_len) = _LOCAL.unpack(self._at(h.at, _LOCAL.size))
        _need(signature == b"PK\3\4", "tiling" if h.at else "starts-with-lfh",
              f"{h.path!r} has no local header")
        _need(h.at + _LOCAL.size + name_len + extra_len <= end, "tiling",
              f"{h.path!r} runs into the directory")
        rest = self._at(h.at + _LOCAL.size, name_len + extra_len)
        wide = _check_extras(rest[name_len:], h, local=True)
        _check_version(version, h.path)
        _need(rest[:name_len] == h.raw, "lfh-name", f"{h.path!r} has two names")
        _need(method == h.method, "method", f"{h.path!r} has two methods")
        _need(flags == h.flags, "flags", f"{h.path!r} has two sets of flags")
        _check_pair(h, (time, date), (crc, compressed, size), wide)
        data_at = h.at + _LOCAL.size + name_len + extra_len
        after = self._descriptor(h, data_at + h.compressed, end, wide is not None)
        return _entry(h, data_at), after

    def _descriptor(self, h: _Header, at: int, end: int, wide: bool) -> int:
        _need(at <= end, "tiling", f"{h.path!r} runs into the directory")
        if not h.flags & _DESCRIPTOR:
            return at
        form = struct.Struct("<4sLQQ" if wide else "<4sLLL")
        _need(at + form.size <= end, "descriptor", f"{h.path!r} has no data descriptor")
        _need(form.unpack(self._at(at, form.size)) == (b"PK\7\x08", h.crc, h.compressed, h.size),
              "descriptor", f"{h.path!r} has a data descriptor that says something else")
        if h.method == _STORE:
            self._scan(h, at)
        return at + form.size

    def _scan(self, h: _Header, data_end: int) -> None:
        """Readers of streams find the end of such data by these signatures."""
        before = b""
        for at in range(data_end - h.compressed, data_end, PIECE):
            data = before + self._at(at, min(PIECE, data_end - at))
            _need(not any(s in data for s in (b"PK\7\x08", b"PK\3\4", b"PK\1\2")),
                  "stored-descriptor-scan", f"{h.path!r} holds a ZIP signature")
            before = data[-3:]


# --- one header ---------------------------------------------------------------------------------


def _central(data: bytes, at: int) -> tuple[_Header, int]:
    _need(len(data) - at >= _CENTRAL.size, "counts", "its directory has too few entries")
    (signature, made_by, version, flags, method, time, date, crc, compressed, size, name_len,
     extra_len, comment_len, disk, _, attributes, offset) = _CENTRAL.unpack_from(data, at)
    _need(signature == b"PK\1\2", "directory-extent", "its directory holds something else")
    after = at + _CENTRAL.size + name_len + extra_len + comment_len
    _need(after <= len(data), "directory-extent", "a central header runs into the end record")
    raw = data[at + _CENTRAL.size:at + _CENTRAL.size + name_len]
    path = names.check(raw)
    h = _Header(raw, path, flags, method, (time, date), crc, compressed, size, attributes,
                made_by >> 8, offset)
    _need(comment_len == 0, "no-entry-comment", f"{path!r} has a comment")
    _need(_FULL32 not in (compressed, size, offset) and disk != _FULL16, "no-zip64",
          f"{path!r} has zip64 values")
    _need(disk == 0, "counts", f"{path!r} is on another part")
    _check_version(version, path)
    _check_kind(h)
    _need(_check_extras(data[at + _CENTRAL.size + name_len:after], h, local=False) is None,
          "no-zip64", f"{path!r} has a zip64 field")
    return h, after


def _check_version(version: int, path: str) -> None:
    _need(version & 0xFF <= 45 and version >> 8 in (0, 3), "version",
          f"{path!r} needs version {version:#06x} to extract")


def _check_kind(h: _Header) -> None:
    kind, mode = h.attributes >> 28, h.attributes >> 16
    _need(h.method in (_STORE, _DEFLATE), "method", f"{h.path!r} uses method {h.method}")
    _need(not h.flags & ~_FLAGS, "flags", f"{h.path!r} has flags {h.flags:#06x}")
    _need(bool(h.flags & _UTF8) or h.raw.isascii() or h.host in (3, 19), "name-encoding",
          f"{h.path!r} does not say that it is UTF-8")
    _need(kind in (0, 4, 8) and not h.attributes & 0x400, "special-file",
          f"{h.path!r} is a link or another special file")
    _need(not h.attributes & 8, "type-contradiction", f"{h.path!r} is a volume label")
    if h.directory:
        _need(kind != 8, "type-contradiction", f"{h.path!r} is a directory and a file")
        _need(h.size == h.crc == 0 and h.compressed in (0, 2 if h.method == _DEFLATE else 0),
              "directory", f"{h.path!r} is a directory with data")
    else:
        _need(kind != 4 and not h.attributes & 0x10, "type-contradiction",
              f"{h.path!r} is a file and a directory")
        _need(not mode & 0o7000, "setid", f"{h.path!r} has mode {mode & 0o7777:04o}")


def _check_extras(data: bytes, h: _Header, local: bool) -> bytes | None:
    """The zip64 field, if there is one."""
    seen: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        _need(len(data) - at >= 4, "extra-form", f"{h.path!r} has half an extra field")
        id_, size = struct.unpack_from("<HH", data, at)
        field = data[at + 4:at + 4 + size]
        _need(len(field) == size and id_ not in seen, "extra-form",
              f"{h.path!r} has half an extra field, or one twice")
        least, most = _EXTRAS.get(id_, (1, 0))
        _need(least <= size <= most, "extra-allowed", f"{h.path!r} has an extra field {id_:#06x}")
        seen[id_] = field
        at += 4 + size
    path = seen.get(_UNICODE_PATH)
    if path is not None:
        _need(bool(h.flags & _UTF8) and path == struct.pack("<BL", 1, zlib.crc32(h.raw)) + h.raw,
              "unicode-path", f"{h.path!r} has a second name")
    _check_attributes(seen.get(0x6C78, b""), h)
    zip64 = seen.get(_ZIP64)
    if zip64 is not None and local:
        _need(len(zip64) == 16, "lfh-zip64", f"{h.path!r} has a wrong zip64 field")
    return zip64


def _check_attributes(field: bytes, h: _Header) -> None:
    """libarchive's field: a bitmap of seven bits a byte, then what it announces, in its order."""
    if not field or not field[0] & 4:
        return
    at = 1
    while at < len(field) and field[at - 1] & 0x80:
        at += 1
    at += 2 * bool(field[0] & 1) + 2 * bool(field[0] & 2)
    _need(len(field) < at + 4 or int.from_bytes(field[at:at + 4], "little") == h.attributes,
          "extra-allowed", f"{h.path!r} has two sets of attributes")


def _check_pair(h: _Header, stamp: tuple[int, int], sizes: tuple[int, int, int],
                wide: bytes | None) -> None:
    central = (h.crc, h.compressed, h.size)
    late = bool(h.flags & _DESCRIPTOR)
    crc, compressed, size = sizes
    if wide is not None:
        whole, packed = struct.unpack("<QQ", wide)
        _need((compressed == _FULL32) == (size == _FULL32), "lfh-zip64",
              f"{h.path!r} has one zip64 value of two")
        _need(all(x == y or (x == 0 and late) for x, y in zip((packed, whole), central[1:])),
              "lfh-zip64", f"{h.path!r} has other sizes in its zip64 field")
        if compressed == _FULL32:
            compressed, size = packed, whole
    _need(all(x == y or (x == 0 and late) for x, y in zip((crc, compressed, size), central))
          and stamp == h.stamp, "lfh-fields", f"{h.path!r} has two headers that disagree")


def _entry(h: _Header, data_at: int) -> Entry:
    base = h.path.rsplit("/", 1)[-1]
    left_out = h.path.split("/", 1)[0] == "__MACOSX" or base == ".DS_Store"
    executable = not h.directory and (bool(h.attributes >> 16 & 0o111) or h.path.endswith(_SCRIPTS))
    return Entry(h.path, h.directory, left_out, h.size, executable, h.method, h.compressed, h.crc,
                 data_at)


def _check_contents(entries: list[Entry]) -> None:
    """What the sizes say, which `read` holds the contents to."""
    total = sum(e.size for e in entries)
    if total > MAX_UNCOMPRESSED:
        raise ArchiveError("total", f"total uncompressed size too large: {total} bytes "
                                    f"(max: {MAX_UNCOMPRESSED} bytes)")
    for e in entries:
        if e.size > e.compressed * MAX_RATIO:
            raise ArchiveError("ratio", f"suspicious compression ratio in {e.path!r} "
                                        f"(max: {MAX_RATIO}:1)")
        _need(e.method == _STORE or e.compressed <= e.size + (e.size >> 6) + 1024, "expansion",
              f"{e.path!r} is compressed into more than it has")
    lookalikes = [e.path for e in entries if names.fold(e.path) == "skill.md"]
    if "SKILL.md" not in lookalikes:
        raise ArchiveError("skill-md", "SKILL.md not found in ZIP archive")
    _need(len(lookalikes) == 1, "skill-md", "a second name is taken for SKILL.md")
