"""The file as a whole."""

import struct
from dataclasses import replace

from build import (CDH, DESCRIPTOR, EOCD, LFH, MAX32, SKILL, ZIP64_EOCD, ZIP64_LOCATOR, Entry,
                   archive, central, deflate, directory, end_record, extra, local, with_crc, zip64)
from cases import Rule, case

GOOD = archive()
F = Entry(b"f")


def size():
    r = Rule("size")
    r.fails("0", b"")
    r.fails("1", b"P")
    r.fails("21", GOOD[-22:-1])
    case("counts.size-22", end_record(0, 0, 0), "counts")

    def of(n):
        empty = archive(Entry(b"big", b"", method=0))
        return archive(Entry(b"big", bytes(n - len(empty)), method=0))
    r.fails("104857601", lambda: of(104857601))
    r.near("104857600", lambda: of(104857600))


def tar_twin(signed, off=0):
    """An archive whose first 512 bytes are a tar header, too: the sum over them, its own 8 bytes
    taken as spaces, stands at 148 in octal. `off` is added to it."""
    def twin(field):
        data = b"\xff" * 100 + bytes(148 - 31 - 100) + field + bytes(900)
        # a CRC of its own choice, for it stands in the header
        return archive(SKILL, skill=Entry(b"a", with_crc(data, 0), method=0))
    total = sum(b - 256 * (signed and b > 127) for b in twin(b" " * 8)[:512])
    return twin(b"%06o\0 " % (total + off))


def starts_with_lfh():
    r = Rule("starts-with-lfh")
    for what, prefix in (("script", b"#!/bin/sh\n"), ("gif", b"GIF89a"), ("one-byte", b"\0"),
                         ("eocd", EOCD + bytes(18)), ("spanned", b"PK00"), ("split", DESCRIPTOR),
                         ("extra-data", b"PK\6\x08\0\0\0\0")):
        r.fails("prefix-" + what, archive(prefix=prefix))
        r.fails("prefix-unadjusted-" + what, prefix + GOOD, "directory-extent")
    for i, sig in enumerate((b"PK\3\5", b"PK\2\4", b"Pk\3\4", b"pK\3\4", CDH, bytes(4))):
        r.fails(f"signature-{i}", archive(skill=local(SKILL, sig=sig)))
    r.fails("text", bytes(range(32, 127)) * 4, "one-eocd")
    r.near("archive", GOOD)
    for what, signed in (("unsigned", False), ("signed", True)):
        r.fails("tar-" + what, tar_twin(signed))
        r.near("tar-sum-off-" + what, tar_twin(signed, off=1))
    r.near("tar-no-sum", archive(SKILL, skill=Entry(b"a", b" " * 600, method=0)))
    iso = bytes(32768 - 31) + b"\1CD001\1" + bytes(2041)
    r.fails("iso", archive(SKILL, skill=Entry(b"a", iso, method=0)))
    r.near("iso-elsewhere", archive(SKILL, skill=Entry(b"ab", iso, method=0)))
    r.near("iso-too-short", archive(skill=Entry(b"SKILL.md", b" " * 32630, method=0)))


def one_eocd():
    r = Rule("one-eocd")
    for what, suffix in (("newline", b"\n"), ("nul", b"\0"), ("block", bytes(512)),
                         ("signature", EOCD), ("signature-cut", b"PK\5")):
        r.fails("suffix-" + what, archive(suffix=suffix))
    r.fails("suffix-65536", archive(suffix=b"s" * 65536))
    r.fails("cut", GOOD[:-22])
    r.fails("cut-1", GOOD[:-1])
    for i in range(4):
        broken = bytearray(GOOD)
        broken[len(GOOD) - 22 + i] ^= 1
        r.fails(f"signature-{i}", bytes(broken))
    r.fails("comment-short", archive(comment=b"abc", comment_len=2))
    r.fails("comment-long", archive(comment=b"abc", comment_len=4))
    r.fails("comment-none", archive(comment_len=65535))
    r.near("comment-65535", archive(comment=b"c" * 65535))

    r.fails("twice", archive(suffix=GOOD, comment_len=len(GOOD)))
    r.fails("in-comment", archive(comment=EOCD + bytes(18)))
    r.fails("in-comment-unfit", archive(comment=EOCD + b" hello"), "no-stray-signature")
    r.fails("in-comment-cut", archive(comment=b"hello " + EOCD), "no-stray-signature")
    # the comment's length and first bytes together are a signature
    r.fails("in-comment-length", archive(comment=b"\5\6" + b"c" * 19278), "no-stray-signature")
    for shift in (-1, 0, 1):
        fake = EOCD + bytes(16)
        e = Entry(b"inner", fake + bytes(2), method=0)
        data = bytearray(archive(e))
        at = data.index(fake)
        data[at:at + 22] = fake + struct.pack("<H", len(data) - at - 22 + shift)
        e = replace(e, data=bytes(data[at:at + 22]))
        (r.near if shift else r.fails)(f"fit-in-data{shift:+d}", archive(e))
    r.near("in-data", archive(Entry(b"inner.zip", GOOD, method=0)))
    r.near("comment", archive(comment=b"PK\5\7 made by hand"))


def no_stray_signature():
    r = Rule("no-stray-signature")
    ends = (("eocd", EOCD), ("zip64-eocd", ZIP64_EOCD), ("zip64-locator", ZIP64_LOCATOR))
    for what, sig in ends:
        field = extra(0x5455, b"x" + sig)
        r.fails("directory-" + what, archive(central(F, extra=field)))
        r.near("local-" + what, archive(local(F, extra=field)))
        r.near("data-" + what, archive(Entry(b"f", b"x" + sig, method=0)))
        r.near("directory-almost-" + what, archive(central(F, extra=extra(0x5455, b"x" + sig[:3]))))
        crc = int.from_bytes(sig, "little")
        r.fails("crc-" + what, archive(Entry(b"f", with_crc(b"data", crc))))
    r.fails("time-date", archive(replace(F, lfh=dict(time=0x4B50, date=0x0606),
                                         cdh=dict(time=0x4B50, date=0x0606))))
    for what, sig in (("lfh", LFH), ("cdh", CDH), ("descriptor", DESCRIPTOR), *ends[1:],
                      ("extra-data", b"PK\6\x08"), ("digital", b"PK\5\5"), ("spanned", b"PK00")):
        r.fails("comment-" + what, archive(comment=b"see " + sig + b" there"))
        r.near("comment-cut-" + what, archive(comment=b"see " + sig[:3]))
    for i, tail in enumerate((b"\6\6", b"\6\7")):
        r.fails(f"comment-length-{i}", archive(comment=tail + b"c" * 19278))
    r.near("comment-length-lfh", archive(comment=b"\3\4" + b"c" * 19278))
    r.near("comment-text", archive(comment=b"PK\3\5 PK\1\1 PKWARE"))

    # a directory of several reads, and a signature across the seam of two
    wide = [central(Entry(b"f%d" % i), extra=extra(0x5455, b"x" * 60000)) for i in range(5)]
    r.near("large-directory", archive(*wide))
    late = archive(*wide, central(Entry(b"late"), extra=extra(0x5455, b"y" * 30000 + ZIP64_EOCD)))
    r.fails("large-directory", late)
    begin = archive(*wide).index(SKILL.central(0))
    for shift in range(-4, 1):
        data = bytearray(archive(*wide))
        at = begin + 262144 + shift
        data[at:at + 4] = ZIP64_LOCATOR
        r.fails(f"large-directory-seam{shift:+d}", bytes(data))


def no_entry_comment():
    r = Rule("no-entry-comment")
    r.fails("file", archive(Entry(b"f", comment=b"x")))
    r.fails("directory", archive(directory(b"d/", comment=b"x")))
    r.fails("skill-md", archive(skill=replace(SKILL, comment=b"the skill")))
    r.fails("65535", archive(Entry(b"f", comment=b"c" * 65535)))
    r.fails("with-archive-comment", archive(Entry(b"f", comment=b"x"), comment=b"y"))
    r.near("archive-comment", archive(F, comment=b"x"))
    r.near("unicode-comment-field", archive(Entry(b"f", extra=extra(0x6375, b"\1\0\0\0\0"))))


def many(n, said=None):
    """SKILL.md and n - 1 empty files, whose headers differ by name and offset alone."""
    empty = Entry(b"1234567", b"", method=0)
    head, end = empty.local()[:30], empty.central(0)[:42]
    files = [head + b"%07d" % i for i in range(n - 1)]
    begin, step = len(SKILL.record()), len(empty.local())
    cd = [end + struct.pack("<I", begin + i * step) + b"%07d" % i for i in range(n - 1)]
    cd = b"".join([SKILL.central(0)] + cd)
    body = b"".join([SKILL.record()] + files)
    return body + cd + end_record(n if said is None else said, len(cd), len(body))


def counts():
    r = Rule("counts")
    r.fails("empty", end_record(0, 0, 0))
    r.fails("empty-comment", end_record(0, 0, 0, comment=b"abc"))
    r.fails("said-empty", archive(F, n_disk=0, n_total=0))
    for what, n in (("less", 1), ("more", 3)):
        r.fails(what, archive(F, n_disk=n, n_total=n))
        r.fails(what + "-on-disk", archive(F, n_disk=n))
        r.fails(what + "-in-all", archive(F, n_total=n))
    r.fails("disk", archive(disk=1))
    r.fails("cd-disk", archive(cd_disk=1))
    r.fails("both-disks", archive(disk=1, cd_disk=1))
    r.fails("entry-disk", archive(central(F, disk=1)))
    r.near("1", GOOD)

    r.near("10000", lambda: many(10000))
    r.fails("10001", lambda: many(10001))
    r.fails("10001-said-10000", lambda: many(10001, said=10000))
    r.fails("65534", end_record(65534, 0, 0))
    r.fails("empty-directory", archive(offset=len(GOOD) - 22, size=0), "tiling", "skill-md")
    r.fails("modulo-65536", lambda: many(65537, said=1))


def directory_extent():
    r = Rule("directory-extent")
    first = len(SKILL.central(0))
    r.fails("gap", archive(before_eocd=b"gap!"))
    r.fails("gap-1", archive(before_eocd=b"\0"))
    r.fails("offset-less", archive(offset=len(GOOD) - 22 - first - 1))
    r.fails("offset-more", archive(offset=len(GOOD) - 22 - first + 1))
    r.fails("offset-beyond", archive(offset=len(GOOD)))
    r.fails("size-less", archive(size=first - 1))
    r.fails("size-more", archive(size=first + 1))
    r.fails("size-0", archive(size=0))
    r.fails("shifted", archive(offset=len(GOOD) - 22 - first - 1, size=first + 1))
    for n in (1, 4, 45, 46, 99):
        r.fails(f"rest-{n}", archive(in_cd=b"r" * n))
    for i, sig in enumerate((b"PK\1\3", LFH, b"PK\5\5", bytes(4))):
        r.fails(f"signature-{i}", archive(central(F, sig=sig)))
    for what in ("name_len", "extra_len", "comment_len"):
        r.fails("overrun-" + what.replace("_", "-"), archive(central(F, **{what: 9})))
        r.fails("overrun-65535-" + what.replace("_", "-"), archive(central(F, **{what: 65535})))
    full = many(10000)
    size, offset = struct.unpack("<II", full[-10:-2])
    r.fails("rest-behind-10000", full[:-22] + b"rest" + end_record(10000, size + 4, offset))
    r.fails("glued", GOOD + GOOD)
    r.near("order", archive(Entry(b"a"), Entry(b"b"), order=[2, 0, 1]))


def no_zip64():
    r = Rule("no-zip64")
    locator = ZIP64_LOCATOR + struct.pack("<IQI", 0, 0, 1)

    def both(n, cd_size, cd_offset):
        end64 = ZIP64_EOCD + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, n, n, cd_size, cd_offset)
        return end64 + ZIP64_LOCATOR + struct.pack("<IQI", 0, len(GOOD) - 22, 1)
    cd = len(SKILL.central(0))
    right = both(1, cd, len(GOOD) - 22 - cd)
    r.fails("agrees", archive(before_eocd=right))
    r.fails("agrees-sentinels", archive(before_eocd=right, n_disk=65535, n_total=65535,
                                        size=MAX32, offset=MAX32))
    r.fails("disagrees", archive(before_eocd=both(9, cd, 0)))
    r.fails("locator", archive(before_eocd=locator))
    r.fails("locator-in-directory", archive(in_cd=locator))
    case("directory-extent.zip64-eocd-without-locator",
         archive(before_eocd=right[:56]), "directory-extent")
    for f in ("disk", "cd_disk", "n_disk", "n_total"):
        r.fails("eocd-" + f.replace("_", "-"), archive(**{f: 65535}))
    r.fails("eocd-size", archive(size=MAX32))
    r.fails("eocd-offset", archive(offset=MAX32))
    for n in range(4):
        r.fails(f"central-field-{n * 8}", archive(central(F, extra=zip64(*[5] * n))))
    r.fails("central-disk", archive(central(F, disk=65535)))
    for f in ("csize", "usize", "offset"):
        r.fails("central-" + f, archive(central(F, **{f: MAX32})))
        r.fails("central-with-field-" + f, archive(central(F, extra=zip64(5), **{f: MAX32})))
    v = F.fields()
    r.near("local-field", archive(local(F, extra=zip64(v["usize"], v["csize"]))))


def tiling():
    r = Rule("tiling")
    a, b = Entry(b"a"), Entry(b"b")
    hidden = Entry(b"hidden").record()
    for n in (1, 3, 4, 12, 16, 20, 24, 100):
        r.fails(f"gap-{n}", archive(replace(a, after=bytes(n)), b))
        r.fails(f"gap-{n}-last", archive(a, before_cd=b"g" * n))
    r.fails("hidden-first", archive(a, prefix=hidden))
    r.fails("hidden-between", archive(a, replace(b, before=hidden)))
    r.fails("hidden-last", archive(a, before_cd=hidden))
    r.fails("hidden-same-name", archive(a, replace(b, before=SKILL.record())))
    r.fails("no-signature", archive(local(a, sig=b"PK\3\5"), b))
    r.fails("central-for-local", archive(local(a, sig=CDH), b))
    for what in ("name_len", "extra_len"):
        r.fails("over-" + what.replace("_", "-"), archive(local(a, **{what: 65000})))
    r.fails("csize-over", archive(central(a, csize=10**6)))
    r.fails("csize-to-eocd", archive(a, central(b, csize=100)))
    for what, offset in (("minus", -1), ("plus", 1), ("beyond", 10**6)):
        first = len(SKILL.record())
        r.fails("offset-" + what, archive(central(a, offset=first + offset)))
    r.fails("offset-directory", archive(central(a, offset=len(SKILL.record() + a.record()))))
    r.fails("first-not-0", archive(skill=central(SKILL, offset=1)))

    # the directory's begin moved behind its first header, which becomes a gap
    data = archive(SKILL, skill=a)
    at = data.index(a.central(0))
    skip = len(a.central(0))
    r.fails("hidden-header", data[:-22] + end_record(1, len(data) - 22 - at - skip, at + skip))

    # two headers for one local header: the same name twice, and two names
    one = archive(a)
    cd = one.index(SKILL.central(0))
    for what, name in (("shared", b"a"), ("shared-other-name", b"b")):
        heads = one[cd:-22] + Entry(name).central(len(SKILL.record()))
        also = ["name-unique"] if name == b"a" else []
        r.fails(what, one[:cd] + heads + end_record(3, len(heads), cd), *also)

    # the full overlap: entries whose data is the next entry, local header and all
    inner = Entry(b"inner", b"x" * 1000, method=0)
    outer = Entry(b"outer", inner.record(), method=0)
    begin = len(SKILL.record())
    body = SKILL.record() + outer.record()
    heads = SKILL.central(0) + outer.central(begin) + inner.central(begin + len(outer.local()))
    r.fails("overlap-full", body + heads + end_record(3, len(heads), len(body)))

    # the quoted overlap: a stored block of deflate quotes the next local header
    kernel = Entry(b"kernel", b"y" * 1000)
    quote = kernel.local()
    raw = b"\0" + struct.pack("<HH", len(quote), 65535 - len(quote)) + quote + kernel.compressed()
    quoting = Entry(b"quoting", quote + kernel.data, raw=raw)
    body = SKILL.record() + quoting.record()
    heads = SKILL.central(0) + quoting.central(begin) + kernel.central(
        len(body) - len(kernel.record()))
    r.fails("overlap-quoted", body + heads + end_record(3, len(heads), len(body)))
    r.near("order", archive(a, b, order=[1, 2, 0]))
    r.near("empty-files", archive(*(Entry(b"%d" % i, b"", method=0) for i in range(9))))
    r.near("quoted-as-data", archive(Entry(b"inner.txt", inner.record(), method=0)))
    r.near("stored-by-deflate", archive(Entry(b"raw.bin", kernel.record(),
                                              raw=deflate(kernel.record(), 0))))


def make():
    for rule in (size, starts_with_lfh, one_eocd, no_stray_signature, no_entry_comment, counts,
                 directory_extent, no_zip64, tiling):
        rule()
