"""SKILL.md, and what the reference server let through."""

import random

from build import (FAT, LNK, MVS, BEOS, SKILL, Entry, archive, deflate, directory, unicode_path, utf8,
                   ZIP64_EOCD, ZIP64_LOCATOR)
from cases import Rule, case
from content import bomb


def with_skill(data, **fields):
    return archive(skill=Entry(b"SKILL.md", data, **fields))


def skill_md():
    r = Rule("skill-md")
    other = Entry(b"README.md")
    r.fails("missing", archive(other, skill=None))
    r.fails("nested", archive(Entry(b"my-skill/SKILL.md"), skill=None))
    r.fails("lower", archive(Entry(b"skill.md"), skill=None))
    r.fails("directory", archive(directory(b"SKILL.md/"), skill=None))
    r.fails("empty", with_skill(b""))
    r.fails("empty-stored", with_skill(b"", method=0))
    r.near("1", with_skill(b"x"))
    r.near("nested-too", archive(Entry(b"d/SKILL.md"), Entry(b"e/skill.md")))
    rng = random.Random(1)
    text = bytes(rng.randrange(32, 127) for _ in range(1 << 16)) * 17
    for n, check in ((1048576, r.near), (1048577, r.fails)):
        check(f"{n}", with_skill(text[:n], method=0))
        check(f"{n}-deflated", with_skill(text[:n], raw=deflate(text[:n], 1)))
    for what, data in (("utf16", "# A skill".encode("utf-16")), ("latin1", b"caf\xe9"), ("cut", b"caf\xc3"),
                       ("overlong", b"a\xc0\xafb"), ("surrogate", b"\xed\xa0\x80"), ("nul", b"a\0b"),
                       ("nul-last", b"a\0"), ("late", b"a" * 70000 + b"\xff")):
        r.fails(what, with_skill(data, method=0))
    r.near("utf8", with_skill("caf\u00e9 \u4f60 \U0001f600".encode()))
    r.near("byte-order-mark", with_skill(b"\xef\xbb\xbf# A skill"))
    r.fails("twice", archive(Entry(b"SKILL.md", b"other")), "name-unique")
    r.fails("twice-same", archive(SKILL), "name-unique")

    # names that fold to it, and so are the same name twice
    for i, name in enumerate(("skill.md", "Skill.MD", "SKILL.MD", "\uff33KILL.md", "SKILL.\u217fd",
                              "\u017fkill.md", "S\u212aILL.md", "SKILL\uff0emd", "SKILL\u2024md",
                              "SKI\u216c\u216c.md")):
        r.fails(f"fold-{i}", archive(utf8(name)), "name-unique")
        r.fails(f"fold-{i}-alone", archive(utf8(name), skill=None))
    # names that look like it
    for i, name in enumerate(("SKlLL.md", "SK1LL.md", "SK1L1.md", "skilI.md", "SKILL.rnd",
                              "S\u041aILL.md", "\u0405KILL.md", "SK\u0406LL.md", "SKI\u2160L.md",
                              "\u0455k\u0456ll.md", "SKILL.m\u0501", "S\u039aILL.md")):
        r.fails(f"look-{i}", archive(utf8(name)))
    r.fails("look-directory", archive(utf8("S\u041aILL.md/x")))
    r.fails("fold-directory", archive(Entry(b"skill.md/x")), "name-prefix")
    for i, name in enumerate(("SKILLS.md", "SKILL.txt", "ASKILL.md", "SKILL-2.md", "SKILL", "SKILL.md.bak", "SKI.md",
                              "\u0421KILL.md", "\u30b9\u30ad\u30eb.md", "docs/SKILL.md", "SKLL.md", "5KILL.md")):
        r.near(f"name-{i}", archive(utf8(name)))


def bypasses():
    """What the reference server lets through."""
    bombs = (Entry(b"bomb~%d.bin" % i, **bomb(100 << 20)) for i in range(1, 7))
    case("bypass.bomb-alias", archive(*bombs), "name-windows", "ratio")
    for i, name in enumerate((b"../SKILL.md", b"./SKILL.md", b"\\SKILL.md")):
        case(f"bypass.skill-path-{i}", archive(Entry(name), skill=None), "name-path", "skill-md")
    case("bypass.skill-twice", archive(Entry(b"SKILL.md", b"# Another\n")), "name-unique", "skill-md")
    case("bypass.unicode-path", archive(
        Entry(b"hidden.txt", extra=unicode_path(b"SKILL.md", raw=b"hidden.txt")), skill=None),
        "unicode-path", "skill-md")
    case("bypass.zip64-disagrees", archive(before_eocd=ZIP64_EOCD + bytes(52) + ZIP64_LOCATOR + bytes(16)),
         "no-zip64")
    for host in (FAT, MVS, BEOS):
        case(f"bypass.link-{host}", archive(Entry(b"link", b"/etc/passwd", 0, mode=LNK | 0o777, host=host)),
             "special-file")
    case("bypass.skill-link", archive(skill=Entry(b"SKILL.md",
         b"/etc/passwd", mode=LNK | 0o777)), "special-file")
    case("bypass.said-10", archive(Entry(b"f", **dict(bomb(200 << 20), usize=10))), "inflate")
    case("bypass.csize-0", archive(Entry(b"f", raw=b"")), "ratio")
    case("bypass.csize-0-stored", archive(Entry(b"f", method=0, raw=b"")), "ratio")
    long = random.Random(6).randbytes(1048577 // 2 + 1).hex().encode()[:1048577]
    case("bypass.skill-1048577", with_skill(long), "skill-md")
    case("bypass.many-aliases", archive(*(Entry(b"f~%d" % i, b"", 0) for i in range(10050))), "counts")
    case("bypass.skill-latin1", with_skill(b"caf\xe9"), "skill-md")
    case("bypass.skill-utf16", with_skill("# A skill".encode("utf-16")), "skill-md")


def make():
    skill_md()
    bypasses()
