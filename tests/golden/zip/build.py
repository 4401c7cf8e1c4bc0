"""Writes ZIP archives byte by byte: what it is told, right or wrong."""

import struct
import zlib
from dataclasses import dataclass, field, replace

FIFO, CHR, DIR, BLK, REG, LNK, SOCK = (n << 12 for n in (1, 2, 4, 6, 8, 10, 12))
FAT, AMIGA, UNIX, MACINTOSH, NTFS, MVS, VFAT, BEOS, DARWIN = 0, 1, 3, 7, 10, 11, 14, 16, 19

LFH, CDH, EOCD, DESCRIPTOR = b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\7\x08"
ZIP64_EOCD, ZIP64_LOCATOR = b"PK\6\6", b"PK\6\7"
MAX32 = 2**32 - 1


def deflate(data, level=6):
    c = zlib.compressobj(level, zlib.DEFLATED, -15)
    return c.compress(data) + c.flush()


def empty_blocks(n):
    """n bytes of deflate that give nothing: empty stored blocks, some behind an empty fixed one."""
    sixes = n % 5
    return b"\0\0\0\xff\xff" * ((n - 6 * sixes) // 5) + b"\2\0\0\0\xff\xff" * sixes


def zeros_in(csize, size):
    """size zero bytes in exactly csize bytes of deflate."""
    raw = deflate(bytes(size), 9)
    return empty_blocks(csize - len(raw)) + raw


def bits(*fields):
    """Bits as deflate packs them, lowest first: (value, how many) each."""
    value = n = 0
    for v, width in fields:
        value |= v << n
        n += width
    return value.to_bytes((n + 7) // 8, "little")


def with_crc(data, crc):
    """data and four bytes more, so that the whole has that CRC-32."""
    table = [zlib.crc32(bytes([i])) ^ zlib.crc32(b"\0") for i in range(256)]
    rows = {t >> 24: i for i, t in enumerate(table)}
    want, order = crc ^ MAX32, []
    for _ in range(4):  # backwards: which table rows give these four bytes
        order.append(rows[want >> 24])
        want = (want ^ table[order[-1]]) << 8 & MAX32
    state, tail = zlib.crc32(data) ^ MAX32, b""
    for row in reversed(order):
        tail += bytes([(state ^ row) & 255])
        state = state >> 8 ^ table[row]
    assert zlib.crc32(data + tail) == crc
    return data + tail


def extra(tag, data):
    return struct.pack("<HH", tag, len(data)) + data


def zip64(*sizes):
    return extra(1, b"".join(struct.pack("<Q", s) for s in sizes))


def unicode_path(name, version=1, crc=None, raw=None):
    """Info-ZIP's 7075 field: `name` is its name, `raw` the header's."""
    raw = name if raw is None else raw
    crc = zlib.crc32(raw) if crc is None else crc
    return extra(0x7075, struct.pack("<BI", version, crc) + name)


@dataclass
class Entry:
    """One entry; what is None is computed from the rest. lfh/cdh override single header fields."""

    name: bytes
    data: bytes = b"data\n"
    method: int = 8
    raw: bytes = None  # the compressed bytes
    flags: int = 0
    mode: int = REG | 0o644
    dos: int = 0
    host: int = UNIX
    made: int = 30
    version: int = 20
    extra: bytes = b""  # in both headers
    comment: bytes = b""
    crc: int = None
    usize: int = None
    lfh: dict = field(default_factory=dict)
    cdh: dict = field(default_factory=dict)
    descriptor: bytes = None  # with flag 8; None: the right one
    before: bytes = b""  # in front of the local header
    after: bytes = b""  # behind the data and the descriptor

    def compressed(self):
        if self.raw is not None:
            return self.raw
        return deflate(self.data) if self.method == 8 else self.data

    def fields(self):
        return dict(
            need=self.version, flags=self.flags, method=self.method, time=0x6000, date=0x5A21,
            crc=zlib.crc32(self.data) if self.crc is None else self.crc,
            csize=len(self.compressed()),
            usize=len(self.data) if self.usize is None else self.usize,
            name=self.name, extra=self.extra)

    def local(self):
        f = dict(self.fields(), sig=LFH)
        if self.flags & 8:
            f.update(crc=0, csize=0, usize=0)
        f.update(self.lfh)
        return (f["sig"] + struct.pack(
            "<HHHHHIIIHH", f["need"], f["flags"], f["method"], f["time"], f["date"], f["crc"],
            f["csize"], f["usize"], f.get("name_len", len(f["name"])),
            f.get("extra_len", len(f["extra"]))) + f["name"] + f["extra"])

    def tail(self):
        if self.descriptor is not None:
            return self.descriptor
        if not self.flags & 8:
            return b""
        f = self.fields()
        return DESCRIPTOR + struct.pack("<III", f["crc"], f["csize"], f["usize"])

    def record(self):
        return self.local() + self.compressed() + self.tail()

    def central(self, offset):
        f = dict(self.fields(), sig=CDH, made=self.host << 8 | self.made, disk=0, internal=0,
                 external=self.mode << 16 | self.dos, comment=self.comment, offset=offset)
        f.update(self.cdh)
        return (f["sig"] + struct.pack(
            "<HHHHHHIIIHHHHHII", f["made"], f["need"], f["flags"], f["method"], f["time"],
            f["date"], f["crc"], f["csize"], f["usize"], f.get("name_len", len(f["name"])),
            f.get("extra_len", len(f["extra"])), f.get("comment_len", len(f["comment"])),
            f["disk"], f["internal"], f["external"], f["offset"])
            + f["name"] + f["extra"] + f["comment"])


def directory(name, **fields):
    return Entry(name, b"", **dict(dict(method=0, mode=DIR | 0o755, dos=0x10), **fields))


def utf8(name, data=b"data\n", **fields):
    """An entry whose name, a text, is marked as UTF-8 when it needs to be."""
    fields.setdefault("flags", 0 if name.isascii() else 0x800)
    return Entry(name.encode(), data, **fields)


def local(e, **fields):
    """e with fields of its local header changed."""
    return replace(e, lfh=dict(e.lfh, **fields))


def central(e, **fields):
    """e with fields of its central header changed."""
    return replace(e, cdh=dict(e.cdh, **fields))


SKILL = Entry(b"SKILL.md", b"# A skill\n\nIt does things.\n")


def end_record(n, cd_size, cd_offset, comment=b"", **f):
    """The end record; the keywords override its fields."""
    return EOCD + struct.pack(
        "<HHHHIIH", f.get("disk", 0), f.get("cd_disk", 0), f.get("n_disk", n),
        f.get("n_total", n), f.get("cd_size", cd_size), f.get("cd_offset", cd_offset),
        f.get("comment_len", len(comment))) + comment


def archive(*entries, skill=SKILL, prefix=b"", before_cd=b"", in_cd=b"", before_eocd=b"",
            suffix=b"", order=None, **eocd):
    """An archive of SKILL.md and the entries; eocd overrides fields of the end record."""
    entries = ([skill] if skill else []) + list(entries)
    parts, offsets, at = [prefix], [], len(prefix)
    for e in entries:
        offsets.append(at + len(e.before))
        parts += [e.before, e.record(), e.after]
        at += sum(map(len, parts[-3:]))
    cd_offset = at + len(before_cd)
    cd = b"".join(entries[i].central(offsets[i]) for i in order or range(len(entries))) + in_cd
    size, offset = eocd.pop("size", len(cd)), eocd.pop("offset", cd_offset)
    end = end_record(len(entries), size, offset, **eocd)
    return b"".join(parts + [before_cd, cd, before_eocd, end, suffix])
