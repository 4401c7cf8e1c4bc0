"""The two headers of each entry, and what stands between its data and the next record."""

import struct
from dataclasses import replace

from build import (BEOS, BLK, CHR, DARWIN, DESCRIPTOR, DIR, FAT, FIFO, LNK, MACINTOSH, MAX32, MVS,
                   NTFS, REG, SKILL, SOCK, UNIX, VFAT, AMIGA, Entry, archive, central, deflate,
                   directory, extra, local, unicode_path, zip64)
from cases import Rule, case

F = Entry(b"f")
HOSTS = (FAT, AMIGA, UNIX, MACINTOSH, NTFS, MVS, VFAT, BEOS, DARWIN, 255)


def method():
    r = Rule("method")
    for n in (1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 14, 18, 19, 20, 93, 94, 95, 96, 97, 98, 99, 65535):
        r.fails(f"{n}", archive(Entry(b"f", method=n, raw=b"\3\0")))
    r.fails("local-store", archive(local(F, method=0)))
    r.fails("local-12", archive(local(F, method=12)))
    r.fails("central-12", archive(central(F, method=12)))
    stored = Entry(b"f", method=0)
    r.fails("local-deflate", archive(local(stored, method=8)))
    r.fails("directory", archive(directory(b"d/", method=12)))
    r.near("both", archive(F, replace(stored, name=b"g")))


def flags():
    r = Rule("flags")
    for bit in range(16):
        one = 1 << bit
        if bit not in (1, 2, 3, 11):
            r.fails(f"{bit}", archive(Entry(b"f", flags=one)))
        r.fails(f"{bit}-local", archive(local(F, flags=one)))
        if bit != 3:
            r.fails(f"{bit}-central", archive(central(F, flags=one)))
    stream = Entry(b"f", flags=8)
    v = stream.fields()
    full = dict(crc=v["crc"], csize=v["csize"], usize=v["usize"])
    r.fails("3-central", archive(local(stream, flags=0, **full)))
    r.fails("11-local-only-skill-md", archive(skill=local(SKILL, flags=0x800)))
    r.near("all", archive(Entry(b"f", flags=1 << 1 | 1 << 2 | 1 << 3 | 1 << 11)))
    for bit in (1, 2, 3, 11):
        r.near(f"{bit}", archive(Entry(b"f", flags=1 << bit)))


def lfh_name():
    r = Rule("lfh-name")
    for what, name in (("other", b"g"), ("longer", b"ff"), ("case", b"F"), ("empty", b""),
                       ("directory", b"f/"), ("nul", b"f\0"), ("skill-md", b"SKILL.md"),
                       ("up", b"../f"), ("slash", b"/f"), ("latin1", b"\xe9")):
        r.fails(what, archive(local(F, name=name)))
    long = Entry(b"a" * 200 + b"b")
    r.fails("last-byte", archive(local(long, name=b"a" * 200 + b"c")))
    r.fails("shorter", archive(local(long, name=b"a" * 200)))
    r.fails("of-directory", archive(local(directory(b"d/"), name=b"d")))
    r.fails("of-skill-md", archive(skill=local(SKILL, name=b"README.m")))
    r.fails("normal-form", archive(local(Entry("é".encode(), flags=0x800), name="e\u0301".encode())))
    r.near("utf8", archive(Entry("é".encode(), flags=0x800)))


def lfh_fields():
    r = Rule("lfh-fields")
    stream = Entry(b"f", b"some text", flags=8)
    v = stream.fields()
    for what in ("crc", "csize", "usize", "date", "time"):
        r.fails(what, archive(local(F, **{what: 1})))
        r.fails(what + "-0", archive(local(F, **{what: 0})))
        r.fails("stream-" + what, archive(local(stream, **{what: 1})))
    for what in ("date", "time"):
        r.fails("stream-0-" + what, archive(local(stream, **{what: 0})))
    r.fails("all-0", archive(local(F, crc=0, csize=0, usize=0)))
    r.fails("sentinels", archive(local(F, usize=MAX32, csize=MAX32)))
    r.fails("stream-sentinels", archive(local(stream, usize=MAX32, csize=MAX32)))
    r.fails("stream-crc-max", archive(local(stream, crc=MAX32)))
    full = dict(crc=v["crc"], csize=v["csize"], usize=v["usize"])
    r.near("stream-0", archive(stream))
    r.near("stream-values", archive(local(stream, **full)))
    for what, value in full.items():
        r.near("stream-only-" + what, archive(local(stream, **{what: value})))
    r.near("version", archive(local(F, need=10)))


def descriptors():
    r = Rule("descriptor")
    s, g = Entry(b"f", b"some text", flags=8), Entry(b"g")
    v = s.fields()
    crc, csize, usize = v["crc"], v["csize"], v["usize"]

    def narrow(crc=crc, csize=csize, usize=usize, sig=DESCRIPTOR):
        return sig + struct.pack("<III", crc, csize, usize)

    def wide(crc=crc, csize=csize, usize=usize, sig=DESCRIPTOR):
        return sig + struct.pack("<IQQ", crc, csize, usize)
    bad = {
        "crc": narrow(crc=crc ^ 1), "csize": narrow(csize=csize + 1), "usize": narrow(usize=usize + 1),
        "swapped": narrow(csize=usize, usize=csize), "zeros": narrow(0, 0, 0), "unsigned": narrow(sig=b""),
        "signature": narrow(sig=b"PK\7\x09"), "missing": b"", "wide": wide(),
        "wide-unsigned": wide(sig=b""), "blank": bytes(16),
    }
    for what, d in bad.items():
        r.fails(what, archive(replace(s, descriptor=d), g))
        r.fails("last-" + what, archive(replace(s, descriptor=d)))
    z = local(s, extra=zip64(0, 0))
    bad64 = {
        "narrow": narrow(), "narrow-unsigned": narrow(sig=b""), "unsigned": wide(sig=b""),
        "missing": b"", "crc": wide(crc=crc ^ 1), "csize": wide(csize=csize + 1),
        "csize-high": wide(csize=csize + 2**32), "usize": wide(usize=usize + 1),
        "usize-high": wide(usize=usize + 2**32),
    }
    for what, d in bad64.items():
        r.fails("zip64-" + what, archive(replace(z, descriptor=d), g))
    for what, m in (("deflated", 8), ("stored", 0)):  # Java's stream reader takes the zeros for the end
        nothing = replace(z, data=b"", method=m)
        csize = len(nothing.compressed())
        r.fails("zip64-empty-" + what, archive(replace(nothing, descriptor=wide(0, csize, 0)), g))
    plain = replace(s, flags=0)
    r.fails("unannounced", archive(replace(plain, descriptor=narrow()), g))
    r.fails("unannounced-last", archive(replace(plain, descriptor=narrow())))
    r.fails("unannounced-wide", archive(replace(plain, descriptor=wide()), g))
    r.fails("odd", archive(replace(s, descriptor=b"12345"), g), "tiling")
    case("tiling.behind-descriptor", archive(replace(s, descriptor=narrow() + bytes(8)), g), "tiling")
    case("tiling.descriptor-twice", archive(replace(s, descriptor=narrow() * 2), g), "tiling")
    empty = Entry(b"f", b"", method=0, flags=8)
    case("tiling.descriptor-empty-wide",
         archive(replace(empty, descriptor=DESCRIPTOR + bytes(20)), g), "tiling")
    r.near("narrow", archive(s, g))
    r.near("last", archive(s))
    r.near("zip64", archive(replace(z, descriptor=wide()), g))
    r.near("zip64-sentinels", archive(replace(local(z, csize=MAX32, usize=MAX32), descriptor=wide())))
    r.near("empty", archive(empty, replace(empty, name=b"h", method=8), directory(b"d/", flags=8)))


def stored_descriptor_scan():
    r = Rule("stored-descriptor-scan")
    for what, sig in (("lfh", b"PK\3\4"), ("cdh", b"PK\1\2"), ("descriptor", DESCRIPTOR)):
        stored = Entry(b"f", b"xx" + sig + b"yy", method=0, flags=8)
        r.fails(what, archive(stored))
        r.fails(what + "-first", archive(replace(stored, data=sig)))
        r.fails(what + "-last", archive(replace(stored, data=b"PKPPK" + sig)))
        r.near("no-descriptor-" + what, archive(replace(stored, flags=0)))
        r.near("deflated-" + what, archive(replace(stored, method=8)))
        r.near("cut-" + what, archive(replace(stored, data=b"xx" + sig[:3])))
        r.near("other-" + what, archive(replace(stored, data=b"xx" + sig[:3] + b"x")))
        # across the seam of two reads: the window slides by 256 KiB
        long = replace(stored, data=b"x" * 300000)
        at = archive(long).index(b"x" * 100)
        for shift in range(5):
            pad = 262144 - at - shift
            r.fails(f"{what}-seam-{shift}", archive(replace(long, data=b"x" * pad + sig + b"y" * 99)))
    r.near("eocd", archive(Entry(b"f", b"PK\5\6 PK\6\6 PK", method=0, flags=8)))


def lfh_zip64():
    r = Rule("lfh-zip64")
    f = Entry(b"f", b"some text")
    v = f.fields()
    u, c = v["usize"], v["csize"]
    right = zip64(u, c)
    for n in (0, 4, 8, 12, 15, 17, 20, 24, 28):
        r.fails(f"length-{n}", archive(local(f, extra=extra(1, (right[4:] + bytes(12))[:n]))))
    for what, field in (("usize", zip64(u + 1, c)), ("csize", zip64(u, c + 1)), ("swapped", zip64(c, u)),
                        ("usize-high", zip64(u + 2**32, c)), ("csize-high", zip64(u, c + 2**32)),
                        ("zeros", zip64(0, 0)), ("sentinels", zip64(MAX32, MAX32))):
        r.fails(what, archive(local(f, extra=field)))
        r.fails("with-sentinels-" + what, archive(local(f, extra=field, usize=MAX32, csize=MAX32)))
    r.fails("one-sentinel-usize", archive(local(f, extra=right, usize=MAX32)))
    r.fails("one-sentinel-csize", archive(local(f, extra=right, csize=MAX32)))
    s = replace(f, flags=8, descriptor=DESCRIPTOR + struct.pack("<IQQ", v["crc"], c, u))
    r.fails("stream-usize", archive(local(s, extra=zip64(u + 1, 0))))
    r.fails("stream-csize", archive(local(s, extra=zip64(0, c + 1))))
    r.fails("stream-one-sentinel", archive(local(s, extra=zip64(0, 0), csize=MAX32)))
    r.near("values", archive(local(f, extra=right)))
    r.near("sentinels", archive(local(f, extra=right, usize=MAX32, csize=MAX32)))
    r.near("stream", archive(local(s, extra=zip64(0, 0))))
    r.near("stream-values", archive(local(s, extra=right)))
    r.near("stream-sentinels", archive(local(s, extra=zip64(0, 0), usize=MAX32, csize=MAX32)))
    r.near("second-field", archive(local(f, extra=extra(0x5455, b"\1abcd") + right)))


SIDES = (("local", local), ("central", central), ("both", lambda e, extra: replace(e, extra=extra)))


def extra_form():
    r = Rule("extra-form")
    whole, other = extra(0x5455, b"\1abcd"), extra(0x7875, b"\1\1a\1b")
    for side, change in SIDES:
        def fails(what, field):
            r.fails(f"{side}-{what}", archive(change(F, extra=field)))
        for n in (1, 2, 3):
            fails(f"rest-{n}", whole + bytes(n))
            fails(f"only-{n}", bytes(n))
        fails("over-1", struct.pack("<HH", 0x5455, 6) + b"\1abcd")
        fails("over-65535", struct.pack("<HH", 0x5455, 65535) + b"\1abcd")
        fails("twice", whole + whole)
        fails("twice-apart", whole + other + extra(0x5455, b"\0"))
        fails("twice-empty", extra(0xCAFE, b"") * 2)
        r.near(side, archive(change(F, extra=whole + other + extra(0xCAFE, b""))))
    r.near("same-id-in-both", archive(central(local(F, extra=whole), extra=extra(0x5455, b"\1"))))


def extra_allowed():
    r = Rule("extra-allowed")
    ok = (0x000A, 0x000D, 0x5455, 0x5855, 0x7855, 0x7875, 0x6375, 0xCAFE, 0xA11E, 0xD935, 0x6C78)
    bad = (0x0000, 0x0007, 0x0008, 0x0009, 0x000B, 0x000C, 0x000E, 0x000F, 0x0014, 0x0015, 0x0016,
           0x0017, 0x0018, 0x0019, 0x0020, 0x0021, 0x0022, 0x0023, 0x0065, 0x0066, 0x07C8, 0x2605,
           0x2705, 0x2805, 0x334D, 0x4154, 0x4341, 0x4453, 0x4704, 0x470F, 0x4B46, 0x4C41, 0x4D49,
           0x4F4C, 0x5356, 0x554E, 0x6542, 0x6854, 0x756E, 0x9901, 0x9999, 0xA220, 0xFD4A, 0xFFFF)
    for side, change in SIDES:
        for tag in bad:
            r.fails(f"{side}-{tag:04x}", archive(change(F, extra=extra(tag, b"12345678"))))
        for tag in ok:
            r.near(f"{side}-{tag:04x}", archive(change(F, extra=extra(tag, b"\1234567"))))
        r.fails(f"{side}-empty", archive(change(F, extra=extra(0x9901, b""))))
        r.fails(f"{side}-second", archive(change(F, extra=extra(0xCAFE, b"") + extra(0x9901, b"a"))))
        r.near(f"{side}-000d-12", archive(change(F, extra=extra(0x0D, bytes(12)))))
        r.fails(f"{side}-000d-13", archive(change(F, extra=extra(0x0D, bytes(13)))))
        r.fails(f"{side}-000d-link", archive(change(F, extra=extra(0x0D, bytes(12) + b"/etc/passwd"))))
        r.near(f"{side}-7855-empty", archive(change(F, extra=extra(0x7855, b""))))
        r.near(f"{side}-5455-1", archive(change(F, extra=extra(0x5455, b"\0"))))
        r.near(f"{side}-6375-5", archive(change(F, extra=extra(0x6375, b"\1\0\0\0\0"))))
        r.fails(f"{side}-6375-4", archive(change(F, extra=extra(0x6375, b"\1\0\0\0"))))
        r.fails(f"{side}-5455-empty", archive(change(F, extra=extra(0x5455, b""))))
        # libarchive's field: version made by, internal and external attributes, by a bitmap
        same, link = (struct.pack("<I", mode << 16) for mode in (REG | 0o644, LNK | 0o777))
        made, internal = struct.pack("<H", UNIX << 8 | 30), b"\0\0"
        for what, head in (("4", b"\4"), ("5", b"\5" + made), ("6", b"\6" + internal),
                           ("7", b"\7" + made + internal), ("long", b"\x84\0"),
                           ("longer", b"\x85\x80\0" + made)):
            r.near(f"{side}-6c78-{what}", archive(change(F, extra=extra(0x6C78, head + same))))
            r.fails(f"{side}-6c78-{what}-link",
                    archive(change(F, extra=extra(0x6C78, head + link))))
        r.near(f"{side}-6c78-cut", archive(change(F, extra=extra(0x6C78, b"\7" + made + internal))))
        r.near(f"{side}-6c78-empty", archive(change(F, extra=extra(0x6C78, b""))))
        r.near(f"{side}-6c78-comment", archive(change(F, extra=extra(0x6C78, b"\x08\0\0"))))


def unicode_paths():
    r = Rule("unicode-path")
    f = replace(F, flags=0x800)
    for side, change in SIDES:
        def fails(what, field):
            r.fails(f"{side}-{what}", archive(change(f, extra=field)))
        fails("name", unicode_path(b"SKILL.md", raw=b"f"))
        fails("case", unicode_path(b"F", raw=b"f"))
        fails("longer", unicode_path(b"ff", raw=b"f"))
        fails("no-name", unicode_path(b"", raw=b"f"))
        fails("crc", unicode_path(b"f", crc=1))
        fails("crc-of-other", unicode_path(b"g"))
        for version in (0, 2, 255):
            fails(f"version-{version}", unicode_path(b"f", version=version))
        for n in range(5):
            fails(f"length-{n}", extra(0x7075, unicode_path(b"f")[4:4 + n]))
        r.near(side, archive(change(f, extra=unicode_path(b"f"))))
        r.fails(side + "-unflagged", archive(change(F, extra=unicode_path(b"f"))))
    raw = b"caf\x82"  # as Windows tools write it: the name for old readers in CP437, the field in UTF-8
    r.fails("other-encoding", archive(Entry(raw, extra=unicode_path("café".encode(), raw=raw))),
            "name-utf8")
    name = "café".encode()
    r.near("utf8", archive(Entry(name, flags=0x800, extra=unicode_path(name))))


def version():
    r = Rule("version")
    for need in (46, 50, 51, 52, 61, 62, 63, 127, 255):
        r.fails(f"low-{need}", archive(Entry(b"f", version=need)))
    for high in (1, 2, 4, 7, 10, 11, 14, 19, 255):
        r.fails(f"high-{high}", archive(Entry(b"f", version=high << 8 | 20)))
    r.fails("local", archive(local(F, need=46)))
    r.fails("central", archive(central(F, need=46)))
    r.fails("local-high", archive(local(F, need=0x114)))
    r.fails("central-high", archive(central(F, need=0x114)))
    for need in (0, 10, 11, 20, 21, 25, 27, 45, 0x300, 0x314, 0x32D):
        r.near(f"{need:x}", archive(Entry(b"f", version=need)))
    r.near("differ", archive(local(F, need=10)))
    r.near("made-by", archive(Entry(b"f", host=255, made=255)))


def directories():
    r = Rule("directory")
    d = directory(b"d/")
    empty = deflate(b"")
    r.fails("data", archive(replace(d, data=b"x")))
    r.fails("data-deflated", archive(replace(d, data=b"x", method=8)))
    r.fails("crc", archive(replace(d, crc=1)), "inflate")
    r.fails("usize", archive(replace(d, usize=1)), "ratio")
    r.fails("usize-deflated", archive(replace(d, usize=1, method=8)), "inflate")
    r.fails("csize", archive(replace(d, method=8, raw=b"\0\0\0\xff\xff\3\0")))
    r.fails("csize-3", archive(replace(d, method=8, raw=b"\3\0\0")), "inflate")
    r.fails("csize-1", archive(replace(d, method=8, raw=b"\3")), "inflate")
    r.fails("stored-2", archive(replace(d, raw=empty)), "inflate")
    r.fails("stored-2-bytes", archive(replace(d, data=empty)))
    r.fails("below", archive(replace(d, name=b"a/b/c/", data=b"x")))
    case("inflate.directory-deflated-0", archive(replace(d, method=8, raw=b"")), "inflate")
    r.near("stored", archive(d))
    r.near("deflated", archive(replace(d, method=8)))
    r.near("no-attributes", archive(replace(d, mode=0, dos=0)))
    r.near("streamed", archive(replace(d, flags=8), replace(d, name=b"e/", flags=8, method=8)))
    r.near("file-in-it", archive(d, Entry(b"d/f"), directory(b"d/e/")))


def type_contradiction():
    r = Rule("type-contradiction")
    for host in HOSTS:
        f, d = Entry(b"f", host=host), directory(b"d/", host=host)
        r.fails(f"dos-directory-{host}", archive(replace(f, dos=0x10)))
        r.fails(f"dos-directory-archive-{host}", archive(replace(f, dos=0x30, mode=0)))
        r.fails(f"unix-directory-{host}", archive(replace(f, mode=DIR | 0o755)))
        r.fails(f"unix-file-{host}", archive(replace(d, mode=REG | 0o644)))
        r.fails(f"label-{host}", archive(replace(f, dos=0x08)))
        r.fails(f"label-archive-{host}", archive(replace(f, dos=0x28, mode=0)))
        r.fails(f"label-directory-{host}", archive(replace(d, dos=0x18)))
        r.near(f"file-{host}", archive(replace(f, dos=0x20)))
        r.near(f"file-attributes-{host}", archive(replace(f, dos=0xE7, mode=0)))
        r.near(f"directory-{host}", archive(d))
        r.near(f"directory-no-unix-{host}", archive(replace(d, mode=0)))
        r.near(f"directory-no-dos-{host}", archive(replace(d, dos=0)))
    r.fails("skill-md", archive(skill=replace(SKILL, mode=DIR | 0o755)))


def special_file():
    r = Rule("special-file")
    named = {FIFO: "fifo", CHR: "char", BLK: "block", LNK: "link", SOCK: "socket"}
    for host in HOSTS:
        for t in range(16):
            mode = t << 12
            if mode not in (0, REG, DIR):
                r.fails(f"{named.get(mode, f'type-{t}')}-{host}",
                        archive(Entry(b"f", mode=mode | 0o755, host=host)))
        r.fails(f"link-directory-{host}", archive(directory(b"d/", mode=LNK | 0o777, host=host)))
        r.fails(f"reparse-point-{host}", archive(Entry(b"f", dos=0x420, mode=0, host=host)))
        r.near(f"no-type-{host}", archive(Entry(b"f", mode=0o755, host=host)))
        r.near(f"regular-{host}", archive(Entry(b"f", mode=REG | 0o755, host=host)))
    r.fails("skill-md", archive(skill=replace(SKILL, mode=LNK | 0o777)))
    r.near("unix-extension", archive(Entry(b"f", dos=0x8020)))  # as 7-Zip marks Unix attributes


def setid():
    r = Rule("setid")
    for host in HOSTS:
        for bits in (1, 2, 4, 7):
            r.fails(f"{bits}-{host}", archive(Entry(b"f", mode=REG | bits << 9 | 0o755, host=host)))
        r.fails(f"no-type-{host}", archive(Entry(b"f", mode=0o4755, host=host)))
        r.near(f"{host}", archive(Entry(b"f", mode=REG | 0o777, host=host)))
    for bits in (1, 2, 4):
        r.near(f"directory-{bits}", archive(directory(b"d/", mode=DIR | bits << 9 | 0o755)))


def make():
    for rule in (method, flags, lfh_name, lfh_fields, descriptors, stored_descriptor_scan, lfh_zip64,
                 extra_form, extra_allowed, unicode_paths, version, directories, type_contradiction,
                 special_file, setid):
        rule()
