#!/usr/bin/python3
"""Makes the golden archives: for every rule of the profile archives that fail it, and near misses.

    make.py DIR     writes DIR/<case>.zip and DIR/expected.tsv ("<case>\t<rule ids, sorted, comma>")

An empty second column: the archive must be accepted. The builder below writes what it is told,
byte by byte, so that a case shows exactly what is wrong with it.
"""

import random
import struct
import sys
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

REG, DIR, LNK, FIFO = 0o100000, 0o040000, 0o120000, 0o010000


def deflate(data, level=6):
    c = zlib.compressobj(level, zlib.DEFLATED, -15)
    return c.compress(data) + c.flush()


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
    host: int = 3
    version: int = 20
    extra: bytes = None  # in both headers
    comment: bytes = b""
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
        raw = self.compressed()
        return dict(
            sig=b"PK\x03\x04", made=self.host << 8 | 30, need=self.version, flags=self.flags,
            method=self.method, time=0x6000, date=0x5A21, crc=zlib.crc32(self.data),
            csize=len(raw), usize=len(self.data), name=self.name, extra=self.extra or b"",
            comment=self.comment, disk=0, internal=0, external=self.mode << 16 | self.dos)

    def local(self):
        f = self.fields()
        if self.flags & 8:
            f.update(crc=0, csize=0, usize=0)
        f.update(self.lfh)
        return (f["sig"] + struct.pack(
            "<HHHHHIIIHH", f["need"], f["flags"], f["method"], f["time"], f["date"], f["crc"],
            f["csize"], f["usize"], len(f["name"]), len(f["extra"])) + f["name"] + f["extra"])

    def tail(self):
        if not self.flags & 8 and self.descriptor is None:
            return b""
        f = self.fields()
        right = b"PK\x07\x08" + struct.pack("<III", f["crc"], f["csize"], f["usize"])
        return right if self.descriptor is None else self.descriptor

    def central(self, offset):
        f = dict(self.fields(), sig=b"PK\x01\x02", offset=offset)
        f.update(self.cdh)
        return (f["sig"] + struct.pack(
            "<HHHHHHIIIHHHHHII", f["made"], f["need"], f["flags"], f["method"], f["time"],
            f["date"], f["crc"], f["csize"], f["usize"], len(f["name"]), len(f["extra"]),
            len(f["comment"]), f["disk"], f["internal"], f["external"], f["offset"])
            + f["name"] + f["extra"] + f["comment"])


SKILL = Entry(b"SKILL.md", b"# A skill\n\nIt does things.\n")


def archive(*entries, skill=SKILL, prefix=b"", comment=b"", before_cd=b"", in_cd=b"",
            before_eocd=b"", suffix=b"", order=None, **eocd):
    """An archive of SKILL.md and the entries; eocd overrides fields of the end record."""
    entries = ([skill] if skill else []) + list(entries)
    out, offsets = bytearray(prefix), []
    for e in entries:
        out += e.before
        offsets.append(len(out))
        out += e.local() + e.compressed() + e.tail() + e.after
    out += before_cd
    cd = len(out)
    for i in order or range(len(entries)):
        out += entries[i].central(offsets[i])
    out += in_cd
    f = dict(disk=0, cd_disk=0, n_disk=len(entries), n_total=len(entries), cd_size=len(out) - cd,
             cd_offset=cd, comment=comment)
    f.update(eocd)
    out += before_eocd
    out += b"PK\x05\x06" + struct.pack(
        "<HHHHIIH", f["disk"], f["cd_disk"], f["n_disk"], f["n_total"], f["cd_size"],
        f["cd_offset"], f.get("comment_len", len(f["comment"]))) + f["comment"]
    return bytes(out) + suffix


cases = {}  # name -> (bytes, expected rule ids)


def case(name, data, *rules):
    assert name not in cases, name
    cases[name] = (data, sorted(rules))


def entry(name, rules, **fields):
    """A case of SKILL.md and one more entry, named by its first rule or `ok`."""
    rules = rules.split()
    file_name = fields.pop("file", b"file.txt")
    case(name, archive(Entry(file_name, **fields)), *rules)


def header(e, side, **fields):
    """e with fields of one header changed."""
    return replace(e, **{side: fields})


def container():
    good = archive()
    case("ok", good)
    case("ok-comment", archive(comment=b"made by hand, not by PKZIP"))
    case("ok-order", archive(Entry(b"a"), Entry(b"b"), order=[2, 0, 1]))
    case("size-21", good[:21], "size")
    case("size-0", b"", "size")
    case("size-random", bytes(range(256)) * 4, "starts-with-lfh", "one-eocd")

    case("starts-prefix", archive(prefix=b"#!/bin/sh\n"), "starts-with-lfh")
    case("starts-prefix-unadjusted", b"#!/bin/sh\n" + good, "starts-with-lfh", "directory-extent")
    case("starts-eocd", archive(prefix=b"PK\5\6" + bytes(18)), "starts-with-lfh")
    first = replace(SKILL, lfh=dict(sig=b"PK\3\5"))
    case("starts-alone", archive(skill=first), "starts-with-lfh")

    case("eocd-suffix", archive(suffix=b"\n"), "one-eocd")
    case("eocd-none", good[:-22] + b"PK\5\7" + good[-18:], "one-eocd")
    case("eocd-comment-short", archive(comment=b"abc", comment_len=2), "one-eocd")
    case("eocd-comment-long", archive(comment=b"abc", comment_len=4), "one-eocd")
    case("eocd-two", good + good, "directory-extent")
    fake = b"PK\5\6" + bytes(16) + struct.pack("<H", 0)
    case("eocd-in-comment", archive(comment=fake), "one-eocd", "counts")
    case("eocd-sig-in-comment", archive(comment=b"PK\5\6 hello"), "one-eocd", "no-stray-signature")
    case("ok-eocd-sig-in-data", archive(Entry(b"inner.zip", good, method=0)))
    case("ok-comment-65535", archive(comment=b"c" * 65535))

    case("stray-comment-lfh", archive(comment=b"see PK\3\4"), "no-stray-signature")
    case("stray-comment-cdh", archive(comment=b"PK\1\2"), "no-stray-signature")
    case("stray-comment-descriptor", archive(comment=b"xPK\7\x08"), "no-stray-signature")
    case("ok-comment-pk", archive(comment=b"PK\3\5 PK\1\1"))
    stray = extra(0x5455, b"PK\6\6")
    case("stray-in-directory", archive(header(Entry(b"f"), "cdh", extra=stray)),
         "no-stray-signature")
    case("stray-locator-in-directory",
         archive(header(Entry(b"f"), "cdh", extra=extra(0x5455, b"PK\6\7"))), "no-stray-signature")
    case("stray-eocd-in-directory",
         archive(header(Entry(b"f"), "cdh", extra=extra(0x5455, b"PK\5\6"))), "no-stray-signature")
    case("ok-sig-in-local-extra", archive(header(Entry(b"f"), "lfh", extra=stray)))
    long_extra = extra(0x5455, b"x" * 60000)
    deep = [header(Entry(b"f%d" % i), "cdh", extra=long_extra) for i in range(5)]
    late = header(Entry(b"late"), "cdh", extra=extra(0x5455, b"y" * 30000 + b"PK\6\6"))
    case("ok-large-directory", archive(*deep))
    case("stray-in-large-directory", archive(*deep, late), "no-stray-signature")

    entry("comment-entry", "no-entry-comment", comment=b"x")

    case("counts-empty", b"PK\5\6" + bytes(18), "counts")
    case("counts-empty-comment", b"PK\5\6" + bytes(16) + b"\3\0abc", "counts")
    case("counts-less", archive(Entry(b"a"), n_disk=1, n_total=1), "counts")
    case("counts-more", archive(n_disk=2, n_total=2), "counts")
    case("counts-differ", archive(n_disk=2), "counts")
    case("counts-disk", archive(disk=1, cd_disk=1), "counts")
    case("counts-cd-disk", archive(cd_disk=1), "counts")
    case("counts-entry-disk", archive(header(Entry(b"f"), "cdh", disk=1)), "counts")
    tiny = [Entry(b"%d" % i, b"", method=0) for i in range(10000)]
    case("ok-10000", archive(*tiny[:9999]))
    case("counts-10001", archive(*tiny), "counts")
    wrapped = [Entry(b"%d" % i, b"", method=0) for i in range(65536)]
    case("counts-modulo", archive(*wrapped, n_disk=1, n_total=1), "counts")

    case("extent-gap", archive(before_eocd=b"gap!"), "directory-extent")
    case("extent-offset", archive(cd_offset=len(good) - 22 - 53), "directory-extent")
    case("extent-size", archive(cd_size=10), "directory-extent")
    case("extent-rest", archive(in_cd=b"rest"), "directory-extent")
    case("extent-sig", archive(header(Entry(b"f"), "cdh", sig=b"PK\1\3")), "directory-extent")
    cut = bytearray(archive(Entry(b"f")))
    cut[-22 - 47 + 28] = 9  # the last header's name length
    case("extent-overrun", bytes(cut), "directory-extent")

    locator = b"PK\6\7" + bytes(16)
    case("zip64-locator", archive(before_eocd=locator), "no-zip64")
    case("zip64-locator-inside", archive(in_cd=locator), "no-zip64")
    case("zip64-eocd-disagrees",
         archive(before_eocd=b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 9, 9, 0, 0)
                 + locator), "no-zip64")
    for f, v in dict(disk=0xFFFF, n_disk=0xFFFF, n_total=0xFFFF, cd_size=2**32 - 1,
                     cd_offset=2**32 - 1).items():
        case("zip64-eocd-" + f, archive(**{f: v}), "no-zip64")
    f = Entry(b"f")
    case("zip64-central-extra", archive(header(f, "cdh", extra=zip64(5, 5))), "no-zip64")
    case("zip64-entry-disk", archive(header(f, "cdh", disk=0xFFFF)), "no-zip64")
    case("zip64-entry-usize", archive(header(f, "cdh", usize=2**32 - 1)), "no-zip64",
         "lfh-fields", "inflate")


def tiling():
    a, b = Entry(b"a"), Entry(b"b")
    case("tiling-gap", archive(replace(a, after=b"gap"), b), "tiling")
    case("tiling-gap-4", archive(replace(a, after=b"gap!"), b), "tiling")
    case("tiling-gap-last", archive(before_cd=b"gap"), "tiling")
    case("tiling-first", archive(prefix=SKILL.local() + SKILL.compressed()), "tiling")
    case("tiling-hidden", archive(a, replace(b, before=Entry(b"hidden").local()
                                             + Entry(b"hidden").compressed())), "tiling")
    one = archive(a)
    at = one.rindex(b"PK\1\2")
    both = bytearray(one[:at] + one[at:-22] + Entry(b"b").central(one.index(b"PK\3\4", 4)))
    tail = struct.pack("<HHHHIIH", 0, 0, 3, 3, len(both) - one.index(b"PK\1\2"),
                       one.index(b"PK\1\2"), 0)
    case("tiling-shared", bytes(both) + b"PK\5\6" + tail, "tiling")
    # The full overlap bomb: entries whose data is the next entry, local header and all.
    inner = Entry(b"inner", b"x" * 1000, method=0)
    quoted = inner.local() + inner.compressed()
    outer = Entry(b"outer", quoted, method=0)
    start = len(SKILL.local() + SKILL.compressed())
    body = SKILL.local() + SKILL.compressed() + outer.local() + quoted
    cd = SKILL.central(0) + outer.central(start) + inner.central(start + len(outer.local()))
    case("tiling-overlap", body + cd + b"PK\5\6" + struct.pack(
        "<HHHHIIH", 0, 0, 3, 3, len(cd), len(body), 0), "tiling")
    case("tiling-no-lfh", archive(header(a, "lfh", sig=b"PK\3\5")), "tiling")
    case("tiling-csize-over", archive(header(a, "cdh", csize=10**6)), "tiling")
    long_name = bytearray(archive(a))
    long_name[long_name.rindex(b"PK\3\4") + 27] = 0xFF  # the name's length, beyond the directory
    case("tiling-name-over", bytes(long_name), "tiling")


def headers():
    f = Entry(b"f")
    entry("method-12", "method", method=12, raw=b"BZh")
    entry("method-9", "method", method=9, raw=b"\3\0")
    entry("ok-method-0", "", method=0)
    case("method-lfh", archive(header(f, "lfh", method=0)), "method")
    for bit in (0, 4, 5, 6, 7, 9, 10, 12, 13, 14, 15):
        entry(f"flags-{bit}", "flags", flags=1 << bit)
    entry("ok-flags", "", flags=1 << 1 | 1 << 2 | 1 << 3 | 1 << 11)
    case("flags-lfh", archive(header(f, "lfh", flags=2)), "flags")
    case("flags-lfh-utf8", archive(header(f, "lfh", flags=0x800)), "flags")

    case("lfh-name", archive(header(f, "lfh", name=b"g")), "lfh-name")
    case("lfh-name-longer", archive(header(f, "lfh", name=b"ff")), "lfh-name")
    case("lfh-name-case", archive(header(f, "lfh", name=b"F")), "lfh-name")
    for what in ("crc", "csize", "usize", "date", "time"):
        case("lfh-fields-" + what, archive(header(f, "lfh", **{what: 1})), "lfh-fields")
        stream = replace(f, flags=8)
        rules = ["lfh-fields"]
        case("lfh-fields-stream-" + what, archive(header(stream, "lfh", **{what: 1})), *rules)
    case("lfh-fields-zero", archive(header(f, "lfh", crc=0)), "lfh-fields")
    v = f.fields()
    case("ok-stream-with-values", archive(replace(
        f, flags=8, lfh=dict(crc=v["crc"], csize=v["csize"], usize=v["usize"]))))

    for need, ok in ((45, 1), (46, 0), (63, 0), (0x314, 1), (0x14, 1), (0x114, 0), (0xA14, 0), (10, 1)):
        entry(f"{'ok-' if ok else ''}version-{need:x}", "" if ok else "version", version=need)
    case("version-lfh", archive(header(f, "lfh", need=51)), "version")
    case("ok-version-differs", archive(header(f, "lfh", need=10)))


def descriptors():
    s = Entry(b"f", b"some text", flags=8)
    v = s.fields()
    crc, csize, usize = v["crc"], v["csize"], v["usize"]
    sig = b"PK\7\x08"
    case("ok-descriptor", archive(s, Entry(b"g")))
    bad = {
        "crc": sig + struct.pack("<III", crc ^ 1, csize, usize),
        "csize": sig + struct.pack("<III", crc, csize + 1, usize),
        "usize": sig + struct.pack("<III", crc, csize, usize + 1),
        "unsigned": struct.pack("<III", crc, csize, usize),
        "missing": b"",
        "wide": sig + struct.pack("<IQQ", crc, csize, usize),
        "wide-unsigned": struct.pack("<IQQ", crc, csize, usize),
    }
    for what, d in bad.items():
        case("descriptor-" + what, archive(replace(s, descriptor=d), Entry(b"g")), "descriptor")
        case("descriptor-last-" + what, archive(replace(s, descriptor=d)), "descriptor")
    right = sig + struct.pack("<III", crc, csize, usize)
    case("descriptor-unannounced", archive(replace(s, flags=0, descriptor=right), Entry(b"g")),
         "descriptor")
    case("descriptor-and-gap", archive(replace(s, descriptor=right + bytes(8)), Entry(b"g")),
         "tiling")
    case("descriptor-odd", archive(replace(s, descriptor=b"12345"), Entry(b"g")), "descriptor",
         "tiling")
    empty = replace(s, data=b"", method=0, extra=b"", descriptor=sig + bytes(20))
    case("descriptor-empty-wide", archive(empty, Entry(b"g")), "tiling")
    z = replace(s, lfh=dict(extra=zip64(0, 0)))
    wide = sig + struct.pack("<IQQ", crc, csize, usize)
    case("ok-descriptor-zip64", archive(replace(z, descriptor=wide)))
    case("ok-descriptor-zip64-sentinels", archive(replace(
        z, descriptor=wide, lfh=dict(extra=zip64(0, 0), csize=2**32 - 1, usize=2**32 - 1))))
    case("descriptor-zip64-narrow", archive(replace(z, descriptor=right)), "descriptor")
    nothing = replace(z, data=b"", descriptor=sig + struct.pack("<IQQ", 0, len(deflate(b"")), 0))
    case("descriptor-zip64-empty", archive(nothing, Entry(b"g")), "descriptor")
    case("descriptor-zip64-empty-stored", archive(replace(
        nothing, method=0, descriptor=sig + bytes(20))), "descriptor")
    case("descriptor-zip64-wide-wrong", archive(replace(
        z, descriptor=sig + struct.pack("<IQQ", crc, csize, usize + 2**32))), "descriptor")

    for name, data in (("lfh", b"PK\3\4"), ("cdh", b"PK\1\2"), ("descriptor", b"PK\7\x08")):
        stored = Entry(b"f", b"xx" + data + b"yy", method=0, flags=8)
        case("stored-scan-" + name, archive(stored), "stored-descriptor-scan")
        case("ok-stored-scan-no-descriptor-" + name, archive(replace(stored, flags=0)))
        case("ok-stored-scan-deflated-" + name, archive(replace(stored, method=8)))
        # across the seam of two reads: the window slides by 256 KiB
        far = Entry(b"f", b"x" * (262144 - 120) + b"z" * 60, method=0, flags=8)
        base = archive(far)
        at = base.index(b"x" * 100)
        for shift in range(1, 4):
            pad = 262144 - at - shift
            case(f"stored-scan-seam-{name}-{shift}",
                 archive(replace(far, data=b"x" * pad + data + b"y" * 9)), "stored-descriptor-scan")
    case("ok-stored-scan", archive(Entry(b"f", b"PK\5\6 PK\3\5 PK", method=0, flags=8)))


def zip64_local():
    f = Entry(b"f", b"some text")
    v = f.fields()
    u, c, m = v["usize"], v["csize"], 2**32 - 1
    def local(**lfh):
        return archive(replace(f, lfh=lfh))
    case("ok-lfh-zip64", local(extra=zip64(u, c)))
    case("ok-lfh-zip64-sentinels", local(extra=zip64(u, c), usize=m, csize=m))
    case("lfh-zip64-usize", local(extra=zip64(u + 1, c)), "lfh-zip64")
    case("lfh-zip64-csize", local(extra=zip64(u, c + 1)), "lfh-zip64")
    case("lfh-zip64-high", local(extra=zip64(u + 2**32, c)), "lfh-zip64")
    case("lfh-zip64-zero", local(extra=zip64(0, 0)), "lfh-zip64")
    case("lfh-zip64-8", local(extra=zip64(u)), "lfh-zip64")
    case("lfh-zip64-24", local(extra=zip64(u, c, 0)), "lfh-zip64")
    case("lfh-zip64-one-sentinel", local(extra=zip64(u, c), usize=m), "lfh-zip64", "lfh-fields")
    case("lfh-fields-sentinels-alone", local(usize=m, csize=m), "lfh-fields")


def extras():
    for tag in (0x000A, 0x000D, 0x5455, 0x5855, 0x7855, 0x7875, 0x6375, 0xCAFE, 0xA11E, 0xD935):
        entry(f"ok-extra-{tag:04x}", "", extra=extra(tag, b"12345678"))
    for tag in (0x9901, 0x0017, 0x756E, 0x4B46, 0x334D, 0x0000, 0x000E, 0x6542):
        entry(f"extra-{tag:04x}", "extra-allowed", extra=extra(tag, b"12345678"))
    entry("ok-extra-000d-12", "", extra=extra(0x0D, bytes(12)))
    entry("extra-000d-link", "extra-allowed", extra=extra(0x0D, bytes(12) + b"/etc/passwd"))
    entry("extra-form-rest", "extra-form", extra=extra(0x5455, b"1234") + b"\0")
    entry("extra-form-zeros", "extra-form", extra=b"\0\0\0")
    entry("extra-form-long", "extra-form", extra=struct.pack("<HH", 0x5455, 5) + b"1234")
    entry("extra-form-twice", "extra-form", extra=extra(0x5455, b"1234") + extra(0x5455, b"1234"))
    entry("ok-extra-several", "", extra=extra(0x5455, b"12345") + extra(0x7875, b"1") +
          extra(0xCAFE, b""))
    f = Entry(b"f")
    case("extra-lfh", archive(header(f, "lfh", extra=extra(0x9901, b"1234567"))), "extra-allowed")
    case("extra-form-lfh", archive(header(f, "lfh", extra=b"\0")), "extra-form")
    case("ok-extra-differ", archive(header(f, "lfh", extra=extra(0x5455, b"1234567890123"))))

    made, attributes = struct.pack("<H", 3 << 8 | 30), struct.pack("<I", (REG | 0o644) << 16)
    for i, data in enumerate((b"\7" + made + b"\0\0" + attributes, b"\4" + attributes, b"\1" + made,
                              b"\2\0\0", b"\0")):
        entry(f"ok-attributes-{i}", "", extra=extra(0x6C78, data))
        case(f"ok-attributes-lfh-{i}", archive(header(f, "lfh", extra=extra(0x6C78, data))))
    link = struct.pack("<I", (LNK | 0o777) << 16)
    for i, data in enumerate((b"\7" + made + b"\0\0" + link, b"\4" + link, b"\4", b"", b"\1\0\0", b"\2\1\0",
                              b"\4" + attributes + b"\0", b"\x0f" + made + b"\0\0" + attributes + b"\0\0",
                              b"\x84\0" + link)):
        entry(f"attributes-{i}", "extra-allowed", extra=extra(0x6C78, data))
        case(f"attributes-lfh-{i}", archive(header(f, "lfh", extra=extra(0x6C78, data))),
             "extra-allowed")

    utf8 = dict(flags=0x800)
    entry("ok-unicode-path", "", extra=unicode_path(b"file.txt"), **utf8)
    entry("unicode-path-name", "unicode-path", extra=unicode_path(b"SKILL.md", raw=b"file.txt"), **utf8)
    entry("unicode-path-version", "unicode-path", extra=unicode_path(b"file.txt", version=2), **utf8)
    entry("unicode-path-crc", "unicode-path", extra=unicode_path(b"file.txt", crc=1), **utf8)
    entry("unicode-path-short", "unicode-path", extra=extra(0x7075, b"\1\0"), **utf8)
    entry("unicode-path-unflagged", "unicode-path", extra=unicode_path(b"file.txt"))
    u = replace(f, **utf8)
    case("unicode-path-lfh", archive(header(u, "lfh", extra=unicode_path(b"g", raw=b"f"))),
         "unicode-path")
    case("unicode-path-lfh-unflagged", archive(header(f, "lfh", extra=unicode_path(b"f"))),
         "unicode-path")
    case("ok-unicode-path-lfh", archive(header(u, "lfh", extra=unicode_path(b"f"))))


def inflating():
    text = b"hello, hello, hello, hello\n"
    good = deflate(text)
    entry("ok-inflate", "", data=text)
    entry("inflate-usize-small", "inflate", data=text, lfh=dict(usize=5), cdh=dict(usize=5))
    entry("inflate-usize-large", "inflate", data=text, lfh=dict(usize=99), cdh=dict(usize=99))
    entry("inflate-crc", "inflate", data=text, lfh=dict(crc=1), cdh=dict(crc=1))
    entry("inflate-crc-0", "inflate", data=text, lfh=dict(crc=0), cdh=dict(crc=0))
    entry("inflate-crc-0-stream", "inflate", data=text, flags=8, lfh=dict(crc=0), cdh=dict(crc=0),
          descriptor=b"PK\7\x08" + struct.pack("<III", 0, len(good), len(text)))
    entry("inflate-trailing", "inflate", data=text, raw=good + b"x")
    entry("inflate-truncated", "inflate", data=text, raw=good[:-1])
    entry("inflate-bad", "inflate", data=text, raw=b"\7" + good[1:])
    entry("inflate-not-final", "inflate", data=text, raw=bytes([good[0] & ~1]) + good[1:])
    entry("inflate-stored-short", "inflate", data=text, method=0, raw=text[:-1])
    entry("inflate-stored-long", "inflate", data=text, method=0, raw=text + b"x")
    entry("inflate-stored-crc", "inflate", data=text, method=0, lfh=dict(crc=1), cdh=dict(crc=1))
    far = b"\x4b\x04\x83"  # a distance beyond the start
    entry("inflate-distance", "inflate", data=b"aaaa", raw=far)
    bomb = deflate(bytes(200 << 20), 9)
    entry("inflate-declared-10", "inflate", data=bytes(10), raw=bomb)
    entry("ok-inflate-empty", "", data=b"")
    entry("ok-stored-empty", "", data=b"", method=0)
    entry("ok-inflate-sync-flush", "", data=text, raw=sync_flushed(text))

    entry("ratio-csize-0", "ratio", data=text, raw=b"")
    entry("ratio-stored-csize-0", "ratio", data=text, method=0, raw=b"")
    entry("ratio", "ratio", data=bytes(200000))
    c = len(deflate(bytes(9000), 9))
    entry("ok-ratio-100", "", data=bytes(c * 100), raw=ratio_exactly(c * 100, c))
    entry("ratio-over-100", "ratio", data=bytes(c * 100 + 1), raw=ratio_exactly(c * 100 + 1, c))

    for size, rule in ((1024, ""), (1025, "expansion")):
        entry(f"{'' if rule else 'ok-'}expansion-{size}", rule, data=b"",
              raw=padding(size - 2) + b"\3\0")
    entry("cpu", "cpu", data=b"", raw=padding(5 * 65537) + b"\3\0")
    calm = b"the quick brown fox\n" * 20000
    entry("ok-cpu", "", data=calm, raw=padding(300000) + deflate(calm))


def sync_flushed(data):
    c = zlib.compressobj(6, zlib.DEFLATED, -15)
    return b"".join(c.compress(data[i:i + 1]) + c.flush(zlib.Z_SYNC_FLUSH)
                    for i in range(len(data))) + c.flush()


def padding(n):
    """n bytes of deflate that give nothing: empty stored blocks, some behind an empty fixed one."""
    sixes = n % 5
    return b"\0\0\0\xff\xff" * ((n - 6 * sixes) // 5) + b"\2\0\0\0\xff\xff" * sixes


def ratio_exactly(size, csize):
    """size zero bytes in exactly csize bytes."""
    raw = deflate(bytes(size), 9)
    return padding(csize - len(raw)) + raw


def types():
    d = dict(file=b"dir/", data=b"", mode=DIR | 0o755, dos=0x10)
    entry("ok-directory", "", **d, method=0)
    entry("ok-directory-deflated", "", **d)
    entry("ok-directory-no-attributes", "", file=b"dir/", data=b"", method=0, mode=0)
    entry("directory-data", "directory", **dict(d, data=b"x"), method=0)
    entry("directory-crc", "directory inflate", **d, method=0, lfh=dict(crc=1), cdh=dict(crc=1))
    entry("directory-csize", "directory", **d, raw=padding(5) + b"\3\0")
    entry("directory-deflated-0", "inflate", **d, raw=b"")
    entry("type-dos-file", "type-contradiction", dos=0x10)
    entry("type-dir-file", "type-contradiction", mode=DIR | 0o755)
    entry("type-reg-directory", "type-contradiction", **dict(d, mode=REG | 0o644, dos=0), method=0)
    entry("type-volume", "type-contradiction", dos=0x08)
    for host in (0, 3, 7, 11, 16, 19):
        entry(f"special-link-host-{host}", "special-file", mode=LNK | 0o777, host=host)
    for bits, name in ((FIFO, "fifo"), (0o020000, "char"), (0o060000, "block"),
                       (0o140000, "socket"), (0o170000, "all")):
        entry("special-" + name, "special-file", mode=bits | 0o644)
    entry("ok-no-type", "", mode=0, host=0, dos=0x20)
    for bits in (0o4755, 0o2755, 0o1755):
        entry(f"setid-{bits:o}", "setid", mode=REG | bits)
    entry("ok-setgid-directory", "", **dict(d, mode=DIR | 0o2755), method=0)


def named(case_name, rules, name, **fields):
    raw = name.encode() if isinstance(name, str) else name
    fields.setdefault("flags", 0 if raw.isascii() else 0x800)
    entry(case_name, rules, file=raw, **fields)


def names():
    named("utf8-invalid", "name-utf8", b"a\xff", flags=0x800)
    named("utf8-overlong", "name-utf8", b"a\xc0\xaf", flags=0x800)
    named("utf8-surrogate", "name-utf8", b"a\xed\xa0\x80", flags=0x800)
    named("utf8-latin1", "name-utf8", "caf\u00e9".encode("latin-1"), flags=0)
    for c in (0x00, 0x01, 0x0A, 0x1B, 0x1F, 0x7F, 0x80, 0x85, 0x9F):
        named(f"utf8-control-{c:02x}", "name-utf8", "a" + chr(c) + "b")
    named("utf8-empty", "name-utf8", b"")
    named("ok-part-255", "", b"a" * 255)
    named("utf8-part-256", "name-utf8", b"a" * 256)
    named("ok-path-1024", "", b"/".join([b"a" * 204] * 5)[:1024])
    named("utf8-path-1025", "name-utf8", b"/".join([b"a" * 204] * 5) + b"b")
    named("utf8-path-65535", "name-utf8", (b"a" * 99 + b"/") * 655 + b"b" * 35)
    named("ok-depth-32", "", b"d/" * 31 + b"f")
    named("utf8-depth-33", "name-utf8", b"d/" * 32 + b"f")
    named("ok-depth-32-directory", "", b"d/" * 32, data=b"", method=0, mode=DIR | 0o755)

    for i, name in enumerate(("/etc/passwd", "../up", "a/../b", "a/..", "./a", "a/./b", "a/.",
                              "a//b", "..", ".", "..\\up", "a\\b")):
        named(f"path-{i}", "name-path", name)
    named("path-drive", "name-path name-windows", "c:/a")
    named("path-drive-relative", "name-path name-windows", "C:a")
    named("path-slash", "name-path", "/", data=b"", method=0, mode=DIR | 0o755)
    named("path-double-slash", "name-path", "a//", data=b"", method=0, mode=DIR | 0o755)
    named("path-dot-directory", "name-path", "./", data=b"", method=0, mode=DIR | 0o755)
    for i, name in enumerate(("..a", "a..b", ".a", "...b/c", "a/.b")):
        named(f"ok-path-{i}", "", name)

    bad = ["ab:c", "a<b", "a>b", 'a"b', "a|b", "a?b", "a*b", "a.", "a ", "d./f", "d /f", "CON",
           "con.txt", "d/NUL", "aux .txt", "prn", "com1", "LPT9.md", "com\u00b9", "LPT\u00b3.x",
           "CONIN$", "conout$", "ABCDEF~1", "a~1.txt", "bomb~1.bin", "d/x~2", "f~17", "...", "file::$DATA"]
    for i, name in enumerate(bad):
        named(f"windows-{i}", "name-windows", name)
    good = ["a b", "con1", "xcon", "com", "com10", "com0", "console.txt", "lpt", "aux-file", "abcdefg~1",
            "a~b", "a.b~1", "nul_", "~", "a~"]
    for i, name in enumerate(good):
        named(f"ok-windows-{i}", "name-option" if name.startswith("~") else "", name)

    hidden = ["\u202e", "\u2066", "\u200f", "\u061c", "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad",
              "\u034f", "\u115f", "\u3164", "\ufe0f", "\U000e0041", "\u2028", "\u2029", "\ufffb", "\u0378",
              "\ue000", "\U000f0000", "\ufdd0", "\uffff", "\U0010ffff", "\u180e"]
    for i, c in enumerate(hidden):
        named(f"hidden-{i}", "name-hidden", f"a{c}b")
    for i, name in enumerate(("\u4f60\u597d.md", "caf\u00e9", "cafe\u0301", "\U0001f600.txt", "\u05d0\u05d1",
                              "\u0439", "\u00df", "\ufffd")):
        named(f"ok-unicode-{i}", "", name)

    named("ok-encoding-unix", "", "caf\u00e9", flags=0, host=3)
    named("ok-encoding-darwin", "", "caf\u00e9", flags=0, host=19)
    for host in (0, 7, 10, 11, 14):
        named(f"encoding-host-{host}", "name-encoding", "caf\u00e9", flags=0, host=host)
        named(f"ok-encoding-host-{host}", "", "caf\u00e9", flags=0x800, host=host)
    # e-acute in UTF-8 is, read as CP437, a box-drawing character and a reversed not sign
    other = "caf\u00e9".encode().decode("cp437")
    both = [Entry("caf\u00e9".encode()), Entry(other.encode(), flags=0x800)]
    case("encoding-cp437-twin", archive(*both), "name-encoding")
    case("ok-encoding-no-twin", archive(replace(both[0], flags=0x800), both[1]))
    case("encoding-cp437-case", archive(both[0], Entry(other.upper().encode(), flags=0x800)),
         "name-encoding")

    # To unzip on Unix, e-acute and u-tilde made on DOS are the bytes 2b ae; Armenian jheh is "i+".
    def twins(what, x, y, host, *rules):
        case(what, archive(*[Entry(n.encode(), flags=0 if n.isascii() else 0x800, host=host)
                             for n in (x, y)]), *rules)
    for host in (0, 6, 11):
        twins(f"encoding-oem-twin-{host}", "caf\u00e9", "caf\u0169", host, "name-encoding")
    twins("ok-encoding-oem-unix", "caf\u00e9", "caf\u0169", 3)
    twins("ok-encoding-oem-apart", "caf\u00e9", "caf\u00e8", 0)
    twins("encoding-oem-ascii", "I+", "\u057b", 0, "name-encoding")
    twins("encoding-oem-prefix", "caf\u00e9", "caf\u0169/x", 0, "name-prefix")
    twins("ok-encoding-oem-prefix", "caf\u00e9", "caf\u00e8/x", 0)

    pairs = [("same", "a", "a"), ("case", "Readme", "README"), ("nfc", "caf\u00e9", "cafe\u0301"),
             ("kelvin", "k", "\u212a"), ("sharp-s", "stra\u00dfe", "STRASSE"), ("ligature", "\ufb01le", "file"),
             ("fullwidth", "\uff41", "a"), ("sigma", "\u03c3", "\u03c2"), ("dir", "d/a", "D/A")]
    for what, x, y in pairs:
        one = [Entry(n.encode(), flags=0 if n.isascii() else 0x800) for n in (x, y)]
        case("unique-" + what, archive(*one), "name-unique")
    case("ok-unique", archive(*[Entry(n.encode(), flags=0x800) for n in ("a", "b", "\u00e4", "\u00e0")]))
    folder = Entry(b"a/", b"", 0, mode=DIR | 0o755)
    case("unique-file-directory", archive(Entry(b"a"), folder), "name-unique")
    case("unique-directory-twice", archive(folder, folder), "name-unique")

    case("prefix", archive(Entry(b"a"), Entry(b"a/b")), "name-prefix")
    case("prefix-later", archive(Entry(b"a/b/c"), Entry(b"a")), "name-prefix")
    case("prefix-case", archive(Entry(b"Lib"), Entry(b"lib/b")), "name-prefix")
    case("prefix-fold", archive(Entry("caf\u00e9".encode(), flags=0x800),
                                Entry("CAF\u00c9/x".encode(), flags=0x800)), "name-prefix")
    case("prefix-directory-below", archive(Entry(b"a"), Entry(b"a/b/", b"", 0, mode=DIR | 0o755)),
         "name-prefix")
    case("ok-prefix", archive(folder, Entry(b"a/b"), Entry(b"ab"), Entry(b"a.b")))

    for i, name in enumerate((".git/config", ".GIT/hooks/x", "a/.Git/x", ".git", ".g\u0131t/x".replace("\u0131", "i"),
                              "\uff0egit/config", ".g\u24d8t/x")):
        named(f"git-{i}", "name-git", name)
    named("git-short", "name-git name-windows", "GIT~1/config")
    for i, name in enumerate((".gitignore", ".github/x", "git", "a.git", ".gitmodules")):
        named(f"ok-git-{i}", "", name)

    for i, name in enumerate(("-rf", "--help", "~root", "~", "-d/f")):
        named(f"option-{i}", "name-option", name)
    named("ok-option", "", "a/-b/~c")
    named("option-proto", "name-option", "__proto__")
    named("option-proto-directory", "name-option", "__proto__/", data=b"", method=0, mode=DIR | 0o755)
    for i, name in enumerate(("a/__proto__", "__proto__/a", "__proto__.js", "constructor")):
        named(f"ok-option-proto-{i}", "", name)


def skill():
    def with_skill(data, **fields):
        return archive(skill=Entry(b"SKILL.md", data, **fields))
    other = Entry(b"README.md")
    case("skill-missing", archive(other, skill=None), "skill-md")
    case("skill-nested", archive(Entry(b"my-skill/SKILL.md"), skill=None), "skill-md")
    case("skill-lower", archive(Entry(b"skill.md"), skill=None), "skill-md")
    case("skill-empty", with_skill(b""), "skill-md")
    case("ok-skill-1", with_skill(b"x"))
    rng = random.Random(1)
    text = bytes(rng.randrange(32, 127) for _ in range(1048577))
    case("ok-skill-1048576", with_skill(text[:1048576], method=0))
    case("skill-1048577", with_skill(text[:1048577], method=0), "skill-md")
    case("skill-1048577-deflated", with_skill(text[:1048577], raw=deflate(text[:1048577], 1)), "skill-md")
    case("skill-utf16", with_skill("# A skill".encode("utf-16")), "skill-md")
    case("skill-latin1", with_skill(b"caf\xe9"), "skill-md")
    case("skill-nul", with_skill(b"a\0b"), "skill-md")
    case("ok-skill-unicode", with_skill("caf\u00e9 \u4f60".encode()))
    case("skill-twice", archive(Entry(b"SKILL.md", b"other")), "skill-md", "name-unique")
    case("skill-directory", archive(Entry(b"SKILL.md/", b"", 0, mode=DIR | 0o755), skill=None), "skill-md")
    case("skill-link", with_skill(b"/etc/passwd", mode=LNK | 0o777), "special-file")
    case("skill-case-twin", archive(Entry(b"skill.MD")), "skill-md", "name-unique")
    twins = ["SKlLL.md", "SK1LL.md", "SKI||.md".replace("|", "l"), "skilI.md", "S\u041aILL.md",
             "\u0405KILL.md", "SKILL.\u217fd", "\uff33KILL.md", "SKILL.rnd", "s\u043aill.md"]
    for i, name in enumerate(twins):
        rules = ["skill-md"]
        if i in (2, 6, 7):  # these are SKILL.md itself once folded
            rules.append("name-unique")
        if i == 9:
            continue
        case(f"skill-twin-{i}", archive(Entry(name.encode(), flags=0 if name.isascii() else 0x800)), *rules)
    case("skill-twin-directory", archive(Entry("S\u041aILL.md/x".encode(), flags=0x800)), "skill-md")
    for i, name in enumerate(("SKILLS.md", "SKILL.txt", "ASKILL.md", "d/SKILL.md", "d/skill.md", "SKILL-2.md",
                              "\u0421KILL.md")):
        case(f"ok-skill-twin-{i}", archive(Entry(name.encode(), flags=0 if name.isascii() else 0x800)))


def bypasses():
    """What the reference server lets through."""
    zeros = bytes(100 << 20)
    packed, says = deflate(zeros), dict(crc=zlib.crc32(zeros), usize=len(zeros))
    bombs = [Entry(b"bomb~%d.bin" % i, b"", raw=packed, lfh=says, cdh=says)
             for i in range(1, 7)]
    case("bypass-bomb-alias", archive(*bombs), "name-windows", "ratio")
    for i, name in enumerate((b"../SKILL.md", b"./SKILL.md", b"\\SKILL.md")):
        case(f"bypass-skill-path-{i}", archive(Entry(name), skill=None), "name-path", "skill-md")
    case("bypass-many-aliases", archive(*[Entry(b"f~%d" % i, b"", 0) for i in range(10050)]), "counts")
    case("bypass-unicode-path", archive(
        Entry(b"hidden.txt", extra=unicode_path(b"SKILL.md", raw=b"hidden.txt")), skill=None),
        "unicode-path", "skill-md")


def main():
    out = Path(sys.argv[1])
    for make in (container, tiling, headers, descriptors, zip64_local, extras, inflating,
                 types, names, skill, bypasses):
        make()
    with open(out / "expected.tsv", "w") as tsv:
        for name, (data, rules) in cases.items():
            (out / (name + ".zip")).write_bytes(data)
            tsv.write(f"{name}\t{','.join(rules)}\n")


if __name__ == "__main__":
    main()
