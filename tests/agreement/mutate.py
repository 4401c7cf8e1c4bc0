"""Mutants of archives.

    mutant(seeds, seed, n) -> (bytes, what was done)

The n-th mutant of a seed is always the same. Those with even numbers go once through every field of
every kind of record of every archive, each set to 0, one more, one less, its maximum and another record's
value. All others are changed at random, once or twice: mostly so that an entry's headers go on telling
one story (a field in all of them, names, extra fields, content, attributes), since those are what an
audit may well accept; or whole records are moved about, and two archives spliced.
"""

import random
import struct
import zlib

import deflate
from model import (DESCRIPTOR, EOCD, STREAM, UTF8, Record, parse, raw_deflate, read_extras,
                   write_extras)

# What a field may become, besides values that the archive has elsewhere.
HOSTS = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13, 14, 16, 17, 18, 19, 20, 30, 255]
METHODS = [0, 1, 6, 8, 9, 12, 14, 93, 95, 96, 97, 98, 99]
TYPES = [0o010000, 0o020000, 0o040000, 0o060000, 0o100000, 0o120000, 0o140000, 0]
VERSIONS = [0, 10, 11, 20, 21, 25, 26, 27, 30, 40, 45, 46, 50, 51, 62, 63, 255]
EXTRA_IDS = [0x0001, 0x0007, 0x0008, 0x0009, 0x000A, 0x000C, 0x000D, 0x0017, 0x0065, 0x07C8, 0x2605,
             0x2705, 0x334D, 0x4453, 0x4704, 0x5356, 0x5455, 0x554E, 0x5855, 0x6375, 0x6542, 0x6C78,
             0x7075, 0x7441, 0x756E, 0x7855, 0x7875, 0x9901, 0xA11E, 0xA220, 0xCAFE, 0xD935, 0xFB4A]
SPECIAL_NAMES = [
    "__proto__", "constructor", "toString", "a/__proto__", "__proto__/a", "hasOwnProperty", "length",
    "a//b", "./a", "a/.", "../a", "a/..", "/a", "//a/b", "C:a", "C:/a", "a\\b", "\\a", "..\\a",
    "con", "NUL.txt", "com1", "a.", "a ", " a", ".a", "...", "-rf", "~", "~/a", "$HOME", "`id`", "%41",
    "@a", "#a", "*", "?", "[a]", "[!a]", "a*b", "{a,b}", "'a'", "\"a\"", "<a>", "a|b", "a;b", "a&b",
    "a=b", "a,b", "a^b", "!a", "(a)", "a+b", "._a", "__MACOSX/._SKILL.md", ".DS_Store", ".git/config",
    "GIT~1/x", "META-INF/MANIFEST.MF", "mimetype", "skill.md", "SKILL.md/x", "SKILL.MD", "SKILL.md ",
    "a" * 255, "a" * 256, "a/" * 31 + "b", "a/" * 33 + "b", "b/" * 500 + "c", "a\tb", "a\nb", "a\rb",
    "a\0b", "a\x1b[31m", "a\x7fb", "\u00e9", "e\u0301", "\u0169", "\u212a", "\u0130", "i\u0307",
    "\u00df", "ss", "\ufb01", "fi", "\uff0f", "a\uff0fb", "\u2215", "\uff3c", "\u2024\u2024/a",
    "\u202e", "\u200b", "a\u200bb", "\ufeffa", "a\u00adb", "\U0001f600", "\u1100\u1161", "\uac00",
    "\u03c3", "\u03c2", "\u0424", "\u57fb", "\u057b", "i+", "\ue000", "\uffff", "\ufffd", "\u2028",
    "\u01c6", "\u4f60\u597d", "\u0e33", "\u0f77", "\u1e9e", "\u2126", "\u00b5", "\u03bc",
]
BYTES = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\x82", b"\xe9", b"\xf5\x80\x80\x80", b"\xc3",
         b"\x80", b"\xa9", b"\0", b"\\", b"/", b":", b".", b" ", b"\r", b"\xc2\xa0", b"\xc3\xa9",
         b"e\xcc\x81", b"\xe2\x80\x8b", b"%2f", b"|", b"A", b"a", b"0", b"+", b"\xd5\xbb"]
SIGNATURES = [b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\7\x08", b"PK\6\6", b"PK\6\7", b"PK\6\x08",
              b"PK\5\5", b"PK00"]


# What every field is set to: from its value, its greatest value and that of another record.
VALUES = {
    "0": lambda old, top, other: 0,
    "+1": lambda old, top, other: old + 1 & top,
    "-1": lambda old, top, other: old - 1 & top,
    "max": lambda old, top, other: top,
    "other": lambda old, top, other: other,
}


def records_of(archive):
    """[(kind, which, record)]"""
    found = [(kind, i, r) for i, e in enumerate(archive.entries) for kind, r in e.records()]
    return found + [("eocd", 0, archive.eocd)]


class Seeds:
    """Archives to make mutants of: {name: bytes}."""

    def __init__(self, archives):
        self.archives = {name: parse(data) for name, data in archives.items()}
        self.names = list(self.archives)
        self.fields = [(name, kind, field, value) for name, archive in self.archives.items()
                       for kind, field in self._kinds(archive) for value in VALUES]

    @staticmethod
    def _kinds(archive):
        """Each field of each kind of record, once."""
        return dict.fromkeys((kind, field) for kind, _, record in records_of(archive)
                             for field in ["sig", *record.fields])


class Mutator:
    """One random stream and the archives to take from."""

    def __init__(self, seeds, stream):
        self.rng = random.Random(stream)
        self.seeds = seeds
        self.done = []

    def pick(self, choices):
        return self.rng.choice(choices)

    def note(self, what):
        self.done.append(what)

    def seed(self):
        name = self.pick(self.seeds.names)
        self.note(name)
        return self.seeds.archives[name].copy()

    def chance(self, percent):
        return self.rng.randrange(100) < percent

    # --- values ---

    def value(self, old, bits, others=()):
        top = (1 << bits) - 1
        way = self.rng.randrange(10)
        if way < 4:
            return [0, old + 1 & top, old - 1 & top, top][way]
        if way < 6 and others:
            return self.pick(list(others)) & top
        if way < 9:
            return old ^ 1 << self.rng.randrange(bits)
        return self.rng.getrandbits(bits)

    def likely(self, field, old):
        """A value that the field's meaning suggests, or None."""
        if field == "method":
            return self.pick(METHODS)
        if field == "flags":
            return old ^ 1 << self.rng.randrange(16)
        if field == "made":
            return self.pick(HOSTS) << 8 | self.pick([old & 255, *VERSIONS])
        if field == "need":
            return self.pick([0, 0, 0, 3, self.pick(HOSTS)]) << 8 | self.pick(VERSIONS)
        if field == "external":
            return self.attributes(old)
        return None

    def attributes(self, old):
        mode = old >> 16
        kind = self.pick([mode & 0o170000, *TYPES])
        bits = self.pick([mode & 0o7777, 0o644, 0o755, 0, 0o4755, 0o2755, 0o1777,
                          self.rng.getrandbits(12)])
        dos = self.pick([old & 0xFFFF, 0, 1, 2, 4, 8, 16, 32, 64, 128, self.rng.getrandbits(8),
                         self.rng.getrandbits(16)])
        return (kind | bits) << 16 | dos

    def new(self, field, record, others):
        old, bits = record[field], record.bits(field)
        guess = self.likely(field, old) if self.chance(50) else None
        return self.value(old, bits, others) if guess is None else guess

    # --- header fields ---

    def field(self, a):
        """One field of one record."""
        records = records_of(a)
        kind, i, record = self.pick(records + records[-1:])
        field = self.pick([*record.fields, "sig"])
        if field == "sig":
            record.sig = self.pick(SIGNATURES)
            self.note(f"{kind}[{i}].sig={record.sig!r}")
            return
        others = [r[field] for _, _, r in records if field in r.fields]
        record[field] = self.new(field, record, others)
        self.note(f"{kind}[{i}].{field}={record[field]:#x}")

    def exact(self, name, kind, field, value):
        """The field of one of the records of that kind, set as VALUES say."""
        a = self.seeds.archives[name].copy()
        records = records_of(a)
        _, i, record = self.pick([one for one in records if one[0] == kind])
        self.note(f"{name}, {kind}[{i}].{field} {value}")
        if field == "sig":
            other = int.from_bytes(self.pick(SIGNATURES), "little")
            old = int.from_bytes(record.sig, "little")
            record.sig = VALUES[value](old, (1 << 32) - 1, other).to_bytes(4, "little")
            return a.emit()
        top = (1 << record.bits(field)) - 1
        others = [r[field] for _, _, r in records if field in r.fields and r is not record]
        other = self.pick(others) if others else record[self.pick(list(record.fields))]
        record[field] = VALUES[value](record[field], top, other & top)
        return a.emit()

    def both(self, a):
        """One field in all records of an entry."""
        i = self.rng.randrange(len(a.entries))
        e = a.entries[i]
        field = self.pick(["need", "flags", "method", "time", "date", "crc", "csize", "usize"])
        value = self.new(field, e.cdh, [o.cdh[field] for o in a.entries])
        e.set(field, value)
        self.note(f"entry[{i}].{field}={value:#x}")

    def attribute(self, a):
        """What only the directory says: who made it, on what, with which attributes."""
        i = self.rng.randrange(len(a.entries))
        cdh = a.entries[i].cdh
        for field in self.rng.sample(["made", "external", "internal", "need"], self.pick([1, 2, 3])):
            guess = self.likely(field, cdh[field])
            cdh[field] = self.value(cdh[field], 16) if guess is None else guess
            self.note(f"cdh[{i}].{field}={cdh[field]:#x}")
        if cdh["external"] & 0x10 and self.chance(50) and not a.entries[i].directory():
            a.entries[i].rename(a.entries[i].name + b"/")
            a.fix()

    # --- names ---

    def edited(self, name):
        at = self.rng.randrange(len(name) + 1)
        what = self.pick(BYTES)
        if self.chance(50):
            return name[:at] + what + name[at:]
        return name[:at] + what + name[at + 1:]

    def recased(self, name):
        text = name.decode("utf-8", "replace")
        return self.pick([text.upper(), text.lower(), text.swapcase(), text.title()]).encode()

    def related(self, name, others):
        """A name that stands in some relation to another entry's."""
        other = self.pick(others).rstrip(b"/")
        return self.pick([
            other, other + b"/", other + b"/x", other + b"/" + name, other.rpartition(b"/")[0] or b"x",
            self.recased(other), other + b".", other + b" ", other[:-1] or b"y", self.edited(other)])

    def new_name(self, name, others):
        slash = b"/" if name.endswith(b"/") else b""
        way = self.rng.randrange(6)
        if way == 0:
            return self.edited(name)
        if way == 1:
            return self.recased(name)
        if way == 2:
            return self.related(name, others)
        if way == 3:
            return name.rstrip(b"/") + (b"" if slash else b"/")
        special = self.pick(SPECIAL_NAMES).encode("utf-8", "surrogatepass")
        return special + slash if way == 4 else name.rpartition(b"/")[0] + b"/" + special + slash

    def name(self, a):
        """A name, the same in both headers; often with another host or UTF-8 flag."""
        i = self.rng.randrange(len(a.entries))
        e = a.entries[i]
        e.rename(self.new_name(e.name, [o.name for o in a.entries]).lstrip(
            b"/" if self.chance(80) else b"")[:60000])
        if not e.name.isascii() and self.chance(70):
            self.flag_utf8(e)
        if self.chance(30):
            e.cdh["made"] = self.pick([0, 3, 3, 19, self.pick(HOSTS)]) << 8 | self.pick(VERSIONS)
        if self.chance(10):
            e.extra = e.cextra = b""
        self.note(f"entry[{i}].name={e.name[:80]!r} flags={e.cdh['flags']:#x} "
                  f"made={e.cdh['made']:#x}")
        a.fix()

    def flag_utf8(self, e):
        e.lfh["flags"] ^= UTF8
        e.cdh["flags"] ^= UTF8

    def other_local_name(self, a):
        """A name that only the local header has."""
        i = self.rng.randrange(len(a.entries))
        e = a.entries[i]
        e.name = self.new_name(e.name, [o.name for o in a.entries])[:60000]
        self.note(f"lfh[{i}].name={e.name[:80]!r}")
        a.fix()

    # --- extra fields ---

    def extra_data(self, tag, e):
        """Plausible or random data for a field of this kind."""
        if tag == 0x7075 and self.chance(80):
            name = self.pick([e.name, e.name, b"other", self.edited(e.name)])
            crc = zlib.crc32(self.pick([e.name, e.name, name]))
            return struct.pack("<BI", self.pick([1, 1, 1, 0, 2]), crc) + name
        if tag == 1 and self.chance(80):
            sizes = [e.cdh["usize"], e.cdh["csize"], e.cdh["offset"], 0]
            return b"".join(struct.pack("<Q", s) for s in sizes[:self.rng.randrange(5)])
        if tag == 0x6C78:
            return self.attribute_map(e)
        if tag == 0x7875 and self.chance(50):
            return struct.pack("<BBIBI", 1, 4, 0, 4, 0)
        if tag == 0x5455 and self.chance(50):
            times = self.rng.randrange(4)
            return bytes([self.rng.getrandbits(3)]) + self.rng.randbytes(4 * times)
        return self.rng.randbytes(self.pick([0, 1, 2, 4, 5, 8, 9, 12, 13, 16, 24, 28, 32]))

    def attribute_map(self, e):
        """libarchive's field: a bitmap, then made by, internal and external attributes, comment."""
        bits = self.pick([0, 1, 2, 4, 5, 7, 15, self.rng.getrandbits(8)])
        data = bytes([bits])
        if bits & 1:
            data += struct.pack("<H", self.pick([0x314, 0x14, e.cdh["made"]]))
        if bits & 2:
            data += b"\0\0"
        if bits & 4:
            data += struct.pack("<I", self.attributes(e.cdh["external"]))
        if bits & 8:
            data += struct.pack("<H", 2) + b"hi"
        return data

    def edit_extras(self, e, blob):
        fields, rest = read_extras(blob)
        way = self.rng.randrange(6)
        if way < 3 or not fields:
            tag = self.pick(EXTRA_IDS)
            fields.insert(self.rng.randrange(len(fields) + 1), (tag, self.extra_data(tag, e)))
            return f"+{tag:04x}", write_extras(fields, rest)
        i = self.rng.randrange(len(fields))
        tag, data = fields[i]
        if way == 3:
            del fields[i]
        elif way == 4:
            fields[i] = (tag, self.extra_data(tag, e))
        else:
            fields.insert(i, fields[i])
        return f"{'-~='[way - 3]}{tag:04x}", write_extras(fields, rest)

    def extras(self, a):
        """A field more, less, twice or changed, in one header or both; or raw bytes changed."""
        i = self.rng.randrange(len(a.entries))
        e = a.entries[i]
        sides = self.pick(["local", "central", "both", "both"])
        if self.chance(15):
            what, blob = "raw", self.edited(e.cextra or e.extra)
        else:
            what, blob = self.edit_extras(e, e.cextra if sides == "central" else e.extra)
        if sides != "central":
            e.extra = blob
        if sides != "local":
            e.cextra = blob
        self.note(f"entry[{i}] {sides} extra {what} {blob[:40].hex()}")
        a.fix()

    # --- content ---

    def content(self, a):
        """Other content or another encoding of it, with headers that say so."""
        i = self.rng.randrange(len(a.entries))
        e = a.entries[i]
        way = self.pick([self.recoded, self.recoded, self.flipped, self.padded, self.streamed,
                         self.streamed, self.odd_deflate, self.odd_deflate])
        self.note(f"entry[{i}] {way(e)}")
        a.fix()

    def recoded(self, e):
        content = self.pick([e.content(), b"", b"x", e.content() * 3, self.pick(SIGNATURES) * 2,
                             b"PK\7\x08" + struct.pack("<III", zlib.crc32(b""), 0, 0) + b"rest"])
        method = self.pick([0, 8])
        level = self.rng.randrange(10)
        e.fill(content, method, raw_deflate(content, level) if method else content)
        return f"recoded: method {method}, level {level}, {len(content)} bytes"

    def flipped(self, e):
        """A bit of the data; CRC and size follow if it still inflates."""
        if not e.data:
            return "no data to flip"
        at = self.rng.randrange(len(e.data) * 8)
        data = bytearray(e.data)
        data[at // 8] ^= 1 << at % 8
        e.data = bytes(data)
        e.fill(e.content(), e.cdh["method"], e.data)
        return f"bit {at} of its data flipped"

    def padded(self, e):
        method, content = e.cdh["method"], e.content()
        more = self.pick([b"\0", b"\3\0", e.data[-1:], b"PK\7\x08", bytes(16), b"\xff" * 4])
        data = e.data + more if self.chance(70) else e.data[:-1]
        e.fill(content, method, data)
        if self.chance(30):
            e.set("usize", len(content) + 1)
        return f"data of {len(data)} bytes for {len(content)}"

    def streamed(self, e):
        if e.lfh["flags"] & STREAM and self.chance(60):
            e.unstream()
            return "descriptor removed"
        wide = self.chance(25)
        e.stream(wide)
        if self.chance(30):
            for field in self.rng.sample(list(DESCRIPTOR), self.pick([1, 3])):
                e.lfh[field] = e.cdh[field]
        if wide and self.chance(80):
            e.extra += write_extras([(1, self.pick([bytes(16), struct.pack(
                "<QQ", e.cdh["usize"], e.cdh["csize"])]))])
            if self.chance(50):
                e.lfh["csize"] = e.lfh["usize"] = 0xFFFFFFFF
        if self.chance(15):
            e.descriptor.sig = self.pick([b"", b"PK\7\7", b"PK\3\4"])
        return f"descriptor added, {'wide' if wide else 'narrow'}, signature {e.descriptor.sig!r}"

    def odd_deflate(self, e):
        what, data, content = deflate.odd(self.rng, e.content())
        e.fill(content, 8, data)
        return "deflate: " + what

    # --- records ---

    def record(self, a):
        """Records moved, doubled, dropped, hidden; bytes between them; another end."""
        moves = [self.shuffle, self.reorder, self.drop_central, self.double_central, self.double,
                 self.remove, self.gap, self.comment, self.tail, self.swap_headers, self.zip64_end]
        move = self.pick(moves)
        move(a)
        self.note(move.__name__)
        if self.chance(85):
            a.fix()

    def shuffle(self, a):
        """The local records in another order; the directory stays as it is."""
        new = self.rng.sample(range(len(a.entries)), len(a.entries))
        a.order = [new.index(i) for i in a.order]
        a.entries = [a.entries[i] for i in new]

    def reorder(self, a):
        self.rng.shuffle(a.order)

    def drop_central(self, a):
        a.order.pop(self.rng.randrange(len(a.order)))

    def double_central(self, a):
        a.order.insert(self.rng.randrange(len(a.order)), self.pick(a.order))

    def double(self, a):
        i = self.rng.randrange(len(a.entries))
        copy = a.entries[i].copy()
        a.entries.append(copy)
        a.order.append(len(a.entries) - 1)
        if self.chance(70):
            copy.rename(self.new_name(copy.name, [e.name for e in a.entries]))
            copy.fill(b"another\n", 8)

    def remove(self, a):
        i = self.rng.randrange(len(a.entries))
        del a.entries[i]
        a.order = [o - (o > i) for o in a.order if o != i]

    def blob(self, a):
        e = self.pick(a.entries)
        return self.pick([b"x", b"\0" * 4, self.pick(SIGNATURES), e.local(), e.central(),
                          self.rng.randbytes(16), a.eocd.bytes(), e.data,
                          b"PK\6\x08\4\0\0\0data", b"PK\5\5\4\0data"])

    def gap(self, a):
        blob = self.blob(a)
        where = self.pick(["before", "before", "before_cd", "before_eocd", "after"])
        if where == "before":
            self.pick(a.entries).before = blob
        else:
            setattr(a, where, blob)

    def comment(self, a):
        a.comment = self.pick([b"", b"hello", self.blob(a), a.emit(), self.rng.randbytes(20)])[:65535]
        if self.chance(20):
            e = self.pick(a.entries)
            e.comment = self.pick([b"entry", self.blob(a)])[:65535]

    def tail(self, a):
        a.after = self.pick([b"\n", self.blob(a), a.emit(), a.eocd.bytes()])

    def swap_headers(self, a):
        one, two = self.pick(a.entries), self.pick(a.entries)
        for part in self.rng.sample(["lfh", "name", "extra", "data", "descriptor", "cdh", "cname",
                                     "cextra"], self.pick([1, 2, 3])):
            mine, other = getattr(one, part), getattr(two, part)
            setattr(one, part, other)
            setattr(two, part, mine)

    def zip64_end(self, a):
        a.fix()
        e = a.eocd
        end = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, e["n_disk"], e["n_total"],
                          e["cd_size"], e["cd_offset"])
        at = e["cd_offset"] + e["cd_size"]
        a.before_eocd = end + struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
        if self.chance(70):
            field = self.pick(list(EOCD))
            e[field] = (1 << e.bits(field)) - 1

    # --- two archives ---

    def splice(self, a):
        b = self.seed()
        ways = [self.merge, self.merge, self.merge, self.concatenate, self.heads, self.directories,
                self.bytes_of_two]
        way = self.pick(ways)
        self.note(way.__name__)
        return way(a, b)

    def merge(self, a, b):
        """Entries of both in one archive, whole; names of one may be changed to be apart."""
        apart = self.chance(60)
        for e in b.entries:
            if apart:
                e.rename(b"more/" + e.name)
                e.extra = e.cextra = b""
            a.order.insert(self.rng.randrange(len(a.order) + 1), len(a.entries))
            a.entries.append(e)
        if self.chance(50):
            self.shuffle(a)
        return a.fix().emit()

    def concatenate(self, a, b):
        if self.chance(50):
            return a.emit() + b.emit()
        a.comment = b.emit()[:65535]
        return a.fix().emit()

    def heads(self, a, b):
        """The local records of one under the directory of the other."""
        for mine, other in zip(a.entries, b.entries):
            mine.cdh, mine.cname, mine.cextra = other.cdh, other.cname, other.cextra
        return a.fix().emit() if self.chance(70) else a.emit()

    def directories(self, a, b):
        """Both whole, the directory of one in front of the other's."""
        a.before_cd = b"".join(e.central() for e in b.entries)
        return a.fix().emit()

    def bytes_of_two(self, a, b):
        one, two = a.emit(), b.emit()
        return one[:self.rng.randrange(len(one))] + two[self.rng.randrange(len(two)):]

    # --- bytes ---

    def byte(self, a):
        data = bytearray(a.emit())
        at = self.rng.randrange(len(data))
        data[at] = self.pick([0, 255, data[at] ^ 1 << self.rng.randrange(8), self.rng.getrandbits(8)])
        self.note(f"byte {at}={data[at]:#x}")
        return bytes(data)

    def mutate(self):
        a = self.seed()
        ways = self.rng.choices(WAYS, WEIGHTS, k=2 if self.chance(25) else 1)
        for way in ways:
            made = way(self, a)
            if made is not None:
                return made
        return a.emit()


WEIGHTED = {
    Mutator.field: 14, Mutator.both: 14, Mutator.attribute: 9, Mutator.name: 14,
    Mutator.other_local_name: 2, Mutator.extras: 12, Mutator.content: 12, Mutator.record: 8,
    Mutator.splice: 4, Mutator.byte: 4,
}
WAYS, WEIGHTS = list(WEIGHTED), list(WEIGHTED.values())


def mutant(seeds, seed, n):
    m = Mutator(seeds, f"{seed}/{n}")
    by_field = n % 2 == 0 and n // 2 < len(seeds.fields)
    data = m.exact(*seeds.fields[n // 2]) if by_field else m.mutate()
    return data, ", ".join(m.done)
