"""The dearest archives that the limits allow: what takes the most time or memory for its size.

Each is accepted, or is refused only at its very end. A deflate stream here is a header and a pattern
of symbols that repeats, so that 100 MiB of it are made in a moment: eight patterns are whole bytes.
"""

import struct
import zlib

MIB = 1 << 20


# --- deflate, bit by bit -------------------------------------------------------------------------

def bits_of(value, n):
    """n bits of a number, the lowest first, as deflate writes numbers."""
    return "".join(str(value >> i & 1) for i in range(n))


def pack(bits):
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8][::-1], 2) for i in range(0, len(bits), 8))


def codes_of(lengths):
    """Symbol → its bits, by RFC 1951 3.2.2."""
    code, codes = 0, {}
    for length in range(1, 16):
        for symbol in sorted(s for s, n in lengths.items() if n == length):
            codes[symbol] = format(code, f"0{length}b")
            code += 1
        code <<= 1
    return codes


ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]


def dynamic(litlen, dist, last):
    """The header of a dynamic block with these code lengths, each written by itself."""
    n_litlen, n_dist = max(257, max(litlen) + 1), max(dist) + 1
    all_lengths = [litlen.get(i, 0) for i in range(n_litlen)] + [dist.get(i, 0)
                                                                for i in range(n_dist)]
    used = sorted(set(all_lengths))
    depth = max(1, (len(used) - 1).bit_length())
    pre = {n: depth for n in used}
    spare = [n for n in range(16) if n not in pre]
    while len(pre) < 1 << depth:  # a complete code
        pre[spare.pop()] = depth
    codes = codes_of(pre)
    header = bits_of(last, 1) + bits_of(2, 2) + bits_of(n_litlen - 257, 5)
    header += bits_of(n_dist - 1, 5) + bits_of(15, 4)
    header += "".join(bits_of(pre.get(i, 0), 3) for i in ORDER)
    return header + "".join(codes[n] for n in all_lengths)


def repeated(header, pattern, n, end):
    """header, n times pattern (n a multiple of 8), end."""
    first = -(-len(header) // 8) * 8
    phase = first - len(header)
    stream = pattern * (9 + phase // len(pattern))
    chunk = pack(stream[phase:phase + 8 * len(pattern)])
    whole = n // 8 - 1
    return (pack(header + stream[:phase]) + chunk * whole
            + pack(stream[phase:8 * len(pattern)] + end))


# --- archives ------------------------------------------------------------------------------------

class Writer:
    """An archive written as fast as its parts can be concatenated."""

    def __init__(self, path):
        self.file, self.directory, self.n, self.at = open(path, "wb"), [], 0, 0

    def add(self, name, raw, usize, crc, method=8, flags=0, tail=b""):
        name = name.encode()
        fields = struct.pack("<HHHHHIII", 20, flags, method, 0, 33, crc, len(raw), usize)
        self.file.write(b"PK\3\4" + fields + struct.pack("<HH", len(name), 0) + name)
        self.file.write(raw)
        self.file.write(tail)
        self.directory.append(b"PK\1\2" + struct.pack("<H", 3 << 8 | 20) + fields + struct.pack(
            "<HHHHHII", len(name), 0, 0, 0, 0, 0o100644 << 16, self.at) + name)
        self.at += 30 + len(name) + len(raw) + len(tail)
        self.n += 1

    def close(self):
        directory = b"".join(self.directory)
        self.file.write(directory + b"PK\5\6" + struct.pack(
            "<HHHHIIH", 0, 0, self.n, self.n, len(directory), self.at, 0))
        self.file.close()


def skill(path):
    writer = Writer(path)
    text = b"# Dear\n"
    writer.add("SKILL.md", text, len(text), zlib.crc32(text), method=0)
    return writer


LONG = {symbol: 8 for symbol in range(226)}  # complete, with symbols of every kind
LONG.update({symbol: 9 for symbol in range(226, 286)})
DISTS = {0: 4, 1: 4, **{symbol: 5 for symbol in range(2, 30)}}


def literals(path):
    """500 MiB of literals, a bit each: the most symbols there can be."""
    n = 500 * MIB - 4096
    codes = codes_of({65: 1, 256: 1})
    raw = repeated(dynamic({65: 1, 256: 1}, {0: 1}, 1), codes[65], n, codes[256])
    writer = skill(path)
    writer.add("a", raw, n, zlib.crc32(b"A" * n))
    writer.close()


def matches(path):
    """Matches of three bytes from far away, as many as 99 MiB can tell."""
    litlen, dist = {65: 2, 256: 2, 257: 1}, {28: 1, 29: 1}
    codes, far = codes_of(litlen), codes_of(dist)
    pattern = codes[257] + far[28] + bits_of(4000, 13)
    n = 99 * MIB // len(pattern) * 8  # a pattern has as many bytes as bits, eight times
    raw = repeated(dynamic(litlen, dist, 1) + codes[65] * 33000, pattern, n, codes[256])
    usize = 33000 + 3 * n
    writer = skill(path)
    writer.add("a", raw, usize, zlib.crc32(b"A" * usize))
    writer.close()


def add_near_matches(writer):
    """The same from close by, two bits each."""
    n = (500 * MIB - 4096) // 24 * 8
    litlen, dist = {65: 2, 256: 2, 257: 1}, {2: 1, 3: 1}
    codes, near = codes_of(litlen), codes_of(dist)
    raw = repeated(dynamic(litlen, dist, 1) + codes[65] * 8, codes[257] + near[3], n, codes[256])
    usize = 8 + 3 * n
    writer.add("a", raw, usize, zlib.crc32(b"A" * usize))


def near_matches(path):
    writer = skill(path)
    add_near_matches(writer)
    writer.close()


def add_blocks(writer, allowed, room):
    """Dynamic blocks with nothing in them, at most allowed in room bytes."""
    block = dynamic(LONG, DISTS, 0) + codes_of(LONG)[256]
    end = bits_of(1, 1) + bits_of(1, 2) + "0000000"
    in_one = 20000 // 8 * 8
    raw = repeated("", block, in_one, end)
    for i in range(min(allowed // (in_one + 1), room // len(raw))):
        # more than `expansion` allows: refused for that, and only when all of it was inflated
        writer.add(f"b{i}", raw, 0, 0)


def blocks(path):
    """As many dynamic blocks as the budget allows for 500 MiB, which one more stream gives."""
    codes = codes_of({65: 1, 256: 1})
    n = 400 * MIB
    big = repeated(dynamic({65: 1, 256: 1}, {0: 1}, 1), codes[65], n, codes[256])
    writer = skill(path)
    writer.add("a", big, n, zlib.crc32(b"A" * n))
    add_blocks(writer, 16384 + n // 8192 - 100, 98 * MIB - len(big))
    writer.close()


def stored(path):
    """90 MiB that look like the beginning of a signature at each byte, to be scanned."""
    data = b"P" * (90 * MIB)
    writer = skill(path)
    crc = zlib.crc32(data)
    tail = b"PK\7\x08" + struct.pack("<III", crc, len(data), len(data))
    writer.add("a", data, len(data), crc, method=0, flags=8, tail=tail)
    writer.close()


def add_names(writer, unit, depth):
    """As many names as an archive can have, as long as they can be, no two with a common parent."""
    part = unit * min(980 // depth // len(unit.encode()), 240 // len(unit.encode()))
    for i in range(10000 - writer.n):
        name = f"{i:04d}" + "/".join([part] * depth)
        writer.add(name, b"", 0, 0, method=0, flags=0x800)


def names(path, unit, depth):
    writer = skill(path)
    add_names(writer, unit, depth)
    writer.close()


def together(path):
    """What takes the most of its kind, in one archive: matches, blocks, names."""
    writer = skill(path)
    add_near_matches(writer)
    add_blocks(writer, 16384 + 500 * MIB // 8192 - 100, 30 * MIB)
    add_names(writer, "\ufdfa", 4)
    writer.close()


ARCHIVES = {
    "literals": literals,
    "far matches": matches,
    "near matches": near_matches,
    "blocks": blocks,
    "stored": stored,
    "names, ASCII": lambda path: names(path, "n", 4),
    "names, NFKC": lambda path: names(path, "\ufdfa", 4),
    "names, marks": lambda path: names(path, "a" + "\u0345\u0301\u0316\u0334" * 9, 4),
    "names, 32 deep": lambda path: names(path, "d", 32),
    "together": together,
}
