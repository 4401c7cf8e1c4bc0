"""Names: each by itself, and all of one archive together."""

from build import (BEOS, DARWIN, FAT, MACINTOSH, MVS, NTFS, UNIX, VFAT, Entry, archive,
                   directory, utf8)
from cases import Rule, case


def named(name, **fields):
    """An archive of SKILL.md and one entry of that name; one that ends in a slash is a directory."""
    raw = name.encode() if isinstance(name, str) else name
    fields.setdefault("flags", 0 if raw.isascii() else 0x800)
    return archive((directory if raw.endswith(b"/") else Entry)(raw, **fields))


def name_utf8():
    r = Rule("name-utf8")
    for what, raw in (("lone-byte", b"a\xff"), ("continuation", b"a\x80"), ("cut-2", b"a\xc3"),
                      ("cut-3", b"a\xe2\x82"), ("cut-4", b"a\xf0\x9f\x98"), ("cut-inside", b"\xe2\x82b"),
                      ("overlong-slash", b"a\xc0\xaf"), ("overlong-nul", b"a\xc0\x80"),
                      ("overlong-3", b"a\xe0\x80\xaf"), ("overlong-4", b"a\xf0\x80\x80\xaf"),
                      ("surrogate", b"a\xed\xa0\x80"), ("surrogate-pair", b"\xed\xa0\xbd\xed\xb8\x80"),
                      ("beyond-unicode", b"a\xf4\x90\x80\x80"), ("five-bytes", b"\xf8\x88\x80\x80\x80")):
        r.fails(what, named(raw))
    r.fails("latin1", named("café".encode("latin-1"), flags=0))
    r.fails("cp437", named("café".encode("cp437"), flags=0, host=FAT))
    r.fails("in-directory", named(b"\xff/"))
    for c in (*range(32), 0x7F, *range(0x80, 0xA0)):
        r.fails(f"control-{c:02x}", named("a" + chr(c) + "b"))
    r.fails("control-first", named("\x1b[31m"))
    r.fails("control-last", named("a\n"))
    r.fails("nul-last", named("SKILL.md\0"))
    r.fails("empty", named(b""))
    r.near("not-control", named("a\u00a0b"))
    r.near("last-code-point", named("\U0001fae0"))

    e = "\u00e9"  # two bytes: limits count bytes
    r.near("part-255", named("a" * 255))
    r.near("part-255-utf8", named("a" + e * 127))
    r.fails("part-256", named("a" * 256))
    r.fails("part-256-utf8", named(e * 128))
    r.fails("part-256-inside", named("d/" + "a" * 256 + "/f"))
    r.fails("part-256-directory", named("a" * 256 + "/"))
    path = "/".join(["a" * 204] * 5)
    r.near("path-1024", named(path))
    r.fails("path-1025", named(path + "b"))
    r.fails("path-65535", named(("a" * 99 + "/") * 655 + "b" * 35))
    r.near("parts-32", named("d/" * 31 + "f"))
    r.fails("parts-33", named("d/" * 32 + "f"))
    r.near("parts-32-directory", named("d/" * 32))
    r.fails("parts-33-directory", named("d/" * 33))


def name_path():
    r = Rule("name-path")
    for what, name in (("absolute", "/etc/passwd"), ("absolute-directory", "/d/"), ("root", "/"),
                       ("double-root", "//a"), ("up", "../up"), ("up-inside", "a/../b"), ("up-last", "a/.."),
                       ("up-twice", "a/../../b"), ("up-directory", "../"), ("only-up", ".."),
                       ("dot", "./a"), ("dot-inside", "a/./b"), ("dot-last", "a/."), ("only-dot", "."),
                       ("dot-directory", "./"), ("empty-part", "a//b"), ("empty-part-directory", "a//"),
                       ("backslash", "a\\b"), ("backslash-up", "..\\up"), ("backslash-first", "\\a"),
                       ("backslash-last", "a\\"), ("backslash-directory", "d\\/"), ("unc", "\\\\host\\a")):
        r.fails(what, named(name))
    for what, name in (("upper", "C:a"), ("lower", "c:/a"), ("root", "C:/"), ("only", "c:")):
        r.fails("drive-" + what, named(name), "name-windows")
    for what, name in (("two-dots", "..a"), ("dots-inside", "a..b"), ("hidden", ".a"), ("three-dots", "...b/c"),
                       ("hidden-inside", "a/.b"), ("no-drive", "c/a"), ("division-slash", "a\u2215b")):
        r.near(what, named(name))


def name_windows():
    r = Rule("name-windows")
    for i, c in enumerate(':<>"|?*'):
        r.fails(f"character-{i}", named(f"ab{c}c"))
        r.fails(f"character-{i}-first", named(f"{c}abc"))
        r.fails(f"character-{i}-in-directory", named(f"ab{c}/"))
    r.fails("stream", named("file::$DATA"))
    for what, name in (("dot", "a."), ("space", "a "), ("dot-directory", "d./"),
                       ("space-directory", "d /"), ("dot-inside", "d./f"),
                       ("space-inside", "d /f"), ("dots", "a..."), ("space-dot", "a ."),
                       ("only-space", " "), ("only-dots", "...")):
        r.fails("final-" + what, named(name))
    devices = ["con", "PRN", "Aux", "nul", "CONIN$", "conout$"]
    devices += [p + d for p in ("com", "LPT") for d in "123456789\u00b9\u00b2\u00b3"]
    for i, name in enumerate(devices):
        for what, full in (("", name), ("-extension", name + ".txt"), ("-extensions", name + ".tar.gz"),
                           ("-directory", name + "/"), ("-inside", f"d/{name}/f"), ("-space", name + " .txt")):
            r.fails(f"device-{i}{what}", named(full))
    for i, name in enumerate(("ABCDEF~1", "a~1.txt", "bomb~1.bin", "d/x~2", "f~17", "a~1/f", "a~b~1", "~~1.txt",
                              "a b~0", "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9~1", "a~1b")):
        r.fails(f"alias-{i}", named(name), *(["name-option"] if name[0] == "~" else []))
    for i, name in enumerate(("a b", " a", "con1", "xcon", "com", "com10", "com0", "com\u2074", "console.txt",
                              "lpt", "aux-file", "nul_", "a.con", "conin", "abcdefg~1", "a~b", "a.b~1", ".a~1",
                              "a~", "a~x1", "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9~1", "a;b", "a,b", "[a]")):
        r.near(f"{i}", named(name))


def name_hidden():
    r = Rule("name-hidden")
    classes = {
        "bidi": "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
        "zero-width": "\u200b\u200c\u200d\u2060\ufeff\u180e",
        "ignorable": "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b\u2061\u2062\u2063\u2064\u206a\u206f\u3164"
                     "\ufe00\ufe0f\uffa0\U0001bca0\U0001d173\U000e0001\U000e0041\U000e007f\U000e0100",
        "ignorable-unassigned": "\u2065\ufff0\U000e0000\U000e0fff",
        "unassigned": "\u0378\u0530\u2fe0\U0001ffff" + "\U00040000\U000e1000",
        "noncharacter": "\ufdd0\ufdef\ufffe\uffff\U0001fffe\U0010fffe\U0010ffff",
        "private": "\ue000\uf8ff\U000f0000\U000ffffd\U00100000\U0010fffd",
        "separator": "\u2028\u2029",
        "annotation": "\ufff9\ufffa\ufffb",
    }
    for what, characters in classes.items():
        for c in characters:
            r.fails(f"{what}-{ord(c):04x}", named(f"a{c}b"))
    r.fails("first", named("\u202eabc"))
    r.fails("last", named("abc\u200b"))
    r.fails("in-directory", named("a\u200bb/"))
    r.fails("only", named("\u3164"))
    for what, name in (("han", "\u4f60\u597d.md"), ("accent", "caf\u00e9"),
                       ("decomposed", "cafe\u0301"), ("emoji", "\U0001f600.txt"),
                       ("hebrew", "\u05d0\u05d1"), ("arabic", "\u0645\u0644\u0641"),
                       ("thai", "\u0e44\u0e1f\u0e25\u0e4c"), ("hangul", "\ud55c\uae00"),
                       ("kana", "\u3042"), ("devanagari", "\u0939\u093f\u0928"),
                       ("sharp-s", "\u00df"), ("replacement", "\ufffd"),
                       ("no-break-space", "a\u00a0b"), ("wide-space", "a\u3000b"),
                       ("arabic-sign", "\u0600"), ("tag-like", "\U0001f3f4"),
                       ("keycap", "1\u20e3")):
        r.near(what, named(name))


def name_encoding():
    r = Rule("name-encoding")
    cafe = "caf\u00e9"
    for host in (FAT, 1, 2, MACINTOSH, NTFS, MVS, 13, VFAT, BEOS, 18, 20, 255):
        r.fails(f"host-{host}", named(cafe, flags=0, host=host))
        r.fails(f"host-{host}-directory", named(cafe + "/", flags=0, host=host))
        r.near(f"host-{host}-flag", named(cafe, flags=0x800, host=host))
        r.near(f"host-{host}-ascii", named("cafe", flags=0, host=host))
    for host in (UNIX, DARWIN):
        r.near(f"host-{host}", named(cafe, flags=0, host=host))
    # what a reader that decodes CP437 sees: e-acute is a box-drawing character and a reversed not sign
    seen = cafe.encode().decode("cp437")
    bare = Entry(cafe.encode())
    r.fails("twin", archive(bare, utf8(seen)))
    r.fails("twin-case", archive(bare, utf8(seen.upper())))
    r.fails("twin-first", archive(utf8(seen), bare))
    r.fails("twin-directory", archive(directory(cafe.encode() + b"/"), directory(
        seen.encode() + b"/", flags=0x800)))
    # two Cyrillic letters whose second bytes are e-acute small and capital in CP437
    pair = [Entry(c.encode()) for c in "\u0402\u0410"]
    r.fails("both-bare", archive(*pair))
    r.near("both-flagged", archive(*(utf8(c) for c in "\u0402\u0410")))
    r.near("twin-flagged", archive(utf8(cafe), utf8(seen)))
    r.near("bare-and-other", archive(bare, utf8("caf\u00e8")))
    latin1 = cafe.encode().decode("latin-1")  # what fflate sees
    r.fails("latin1-twin", archive(bare, utf8(latin1)))
    r.near("latin1-twin-flagged", archive(utf8(cafe), utf8(latin1)))
    case("name-prefix.latin1", archive(bare, utf8(latin1 + "/x")), "name-prefix")
    case("name-prefix.cp437", archive(bare, utf8(seen + "/x")), "name-prefix")

    # to unzip on Unix, e-acute and u-tilde made on DOS are the bytes 2b ae, and Armenian jheh is "i+"
    def dos(*names, host=FAT):
        return archive(*(utf8(n, host=host) for n in names))
    for host in (FAT, 6, MVS):
        r.fails(f"oem-{host}", dos(cafe, "caf\u0169", host=host))
    r.fails("oem-ascii", dos("I+", "\u057b"))
    r.fails("oem-left-out", dos("+", "\u0218"))
    r.near("oem-unix", dos(cafe, "caf\u0169", host=UNIX))
    r.near("oem-apart", dos(cafe, "caf\u00e8"))
    case("name-prefix.oem", dos(cafe, "caf\u0169/x"), "name-prefix")
    case("name-prefix.near-oem", dos(cafe, "caf\u00e8/x"))


def name_unique():
    r = Rule("name-unique")
    pairs = {
        "same": "a a", "case": "Readme README", "case-extension": "a.TXT a.txt",
        "normal-form": "caf\u00e9 cafe\u0301",
        "normal-form-case": "CAF\u00c9 cafe\u0301", "kelvin": "k \u212a", "angstrom": "\u00e5 \u212b",
        "ohm": "\u03a9 \u2126", "sharp-s": "stra\u00dfe STRASSE", "capital-sharp-s": "\u1e9e ss",
        "ligature": "\ufb01le file", "long-s": "\u017f s", "fullwidth": "\uff41 a", "sigma": "\u03c3 \u03c2",
        "dotted-i": "\u0130 i\u0307", "superscript": "x\u00b2 x2", "circled": "\u2460 1", "roman": "\u2163 iv",
        "half-width": "\uff76 \u30ab", "hangul": "\u1100\u1161 \uac00", "cherokee": "\u13a0 \uab70",
        "greek-iota": "\u1fb3 \u03b1\u03b9", "mark-order": "a\u0323\u0302 \u1ead", "solidus": "a\uff0fb a/b",
        "in-directory": "d/a D/A", "ellipsis": "a\u2026b a...b",
    }
    for what, pair in pairs.items():
        x, y = pair.split(" ")
        r.fails(what, archive(utf8(x), utf8(y)))
        r.fails(what + "-reversed", archive(utf8(y), utf8(x)))
    a, folder = Entry(b"a"), directory(b"a/")
    r.fails("file-directory", archive(a, folder))
    r.fails("directory-file", archive(folder, a))
    r.fails("directory-twice", archive(folder, folder))
    r.fails("directory-case", archive(folder, directory(b"A/")))
    r.fails("three", archive(a, Entry(b"A"), a))
    far = [Entry(b"%d" % i, b"", method=0) for i in range(500)]
    r.fails("far-apart", archive(a, *far, Entry(b"A")))
    r.fails("other-data", archive(a, Entry(b"a", b"other")))
    for what, pair in {"letters": "a b", "accents": "\u00e4 \u00e0", "dotless-i": "\u0131 i", "length": "a aa",
                       "slash": "a/b ab", "homoglyph": "\u0430 a", "one-decomposed": "cafe\u0301 cafe",
                       "hiragana": "\u3042 \u30a2", "extension": "a.txt a.md"}.items():
        x, y = pair.split(" ")
        r.near(what, archive(utf8(x), utf8(y)))


def name_prefix():
    r = Rule("name-prefix")
    a = Entry(b"a")
    r.fails("child", archive(a, Entry(b"a/b")))
    r.fails("child-first", archive(Entry(b"a/b"), a))
    r.fails("grandchild", archive(a, Entry(b"a/b/c")))
    r.fails("inner", archive(Entry(b"x/a"), Entry(b"x/a/b")))
    r.fails("directory", archive(a, directory(b"a/b/")))
    r.fails("case", archive(Entry(b"Lib"), Entry(b"lib/b")))
    r.fails("fold", archive(utf8("caf\u00e9"), utf8("CAF\u00c9/x")))
    r.fails("normal-form", archive(utf8("caf\u00e9"), utf8("cafe\u0301/x")))
    r.fails("ligature", archive(utf8("\ufb01"), Entry(b"FI/x")))
    r.fails("solidus", archive(a, utf8("a\uff0fb")))
    r.fails("skill-md", archive(Entry(b"SKILL.md/x")), "skill-md")
    r.near("directory", archive(directory(b"a/"), Entry(b"a/b")))
    r.near("directory-later", archive(Entry(b"a/b"), directory(b"a/")))
    r.near("beginning", archive(a, Entry(b"ab"), Entry(b"a.b"), Entry(b"a-/b")))
    r.near("accent", archive(utf8("caf\u00e9"), utf8("cafe/x")))


def name_git():
    r = Rule("name-git")
    for what, name in (("file", ".git"), ("config", ".git/config"), ("directory", ".git/"),
                       ("upper", ".GIT/x"), ("mixed", ".Git/hooks/x"), ("inside", "a/.git/x"),
                       ("last", "a/b/.gIT"), ("fullwidth-dot", "\uff0egit/x"),
                       ("fullwidth", ".\uff47\uff49\uff54"), ("circled", ".g\u24d8t/x"),
                       ("one-dot-leader", "\u2024git"), ("math", ".\U0001d420it"),
                       ("solidus", ".git\uff0fconfig")):
        r.fails(what, named(name))
    for c in "\u200c\u200d\u200b\u00ad\u2060\ufeff\u202e\u206a\u180e":
        r.fails(f"ignorable-{ord(c):04x}", named(f".g{c}it/x"), "name-hidden")
    for what, name in (("short", "git~1"), ("short-upper", "GIT~1/config"), ("short-inside", "a/Git~1/x")):
        r.fails(what, named(name), "name-windows")
    r.fails("short-fullwidth", named("\uff47it~1"), "name-windows")
    for what, name in (("gitignore", ".gitignore"), ("github", ".github/x"), ("no-dot", "git"), ("suffix", "a.git"),
                       ("gitmodules", ".gitmodules"), ("dotless", ".g\u0131t"), ("git-2", "git-1"),
                       ("two-dots", "..git"), ("cyrillic", ".g\u0456t")):
        r.near(what, named(name))


def name_option():
    r = Rule("name-option")
    for i, name in enumerate(("-", "-rf", "--help", "~", "~root", "-d/f", "~d/", "-/", "-a b")):
        r.fails(f"{i}", named(name))
    for i, name in enumerate(("a;1", "d/b;22", "c;", "SKILL.txt;1", "a;x;1")):
        r.fails(f"vms-version-{i}", named(name))
    r.fails("proto", named("__proto__"))
    r.fails("proto-directory", named("__proto__/"))
    for i, name in enumerate(("a-b", "a/-b", "a/~b", "_-", "a~", "a;b", "a;1b", "a;1/b", "a;1/", "a/__proto__",
                              "__proto__/a", "__proto__.js", "constructor", "\u2212a")):
        r.near(f"{i}", named(name))


def make():
    for rule in (name_utf8, name_path, name_windows, name_hidden, name_encoding, name_unique,
                 name_prefix, name_git, name_option):
        rule()
