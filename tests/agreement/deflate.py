"""Deflate streams that are valid and unusual (RFC 1951): what encoders seldom or never write.

    odd(rng, content) -> (what it is, the stream, what it inflates to)
"""

import zlib

LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
END = 256


class Bits:
    """Bits in the order of RFC 1951 3.1.1."""

    def __init__(self):
        self.value = self.n = 0

    def put(self, value, n):
        self.value |= value << self.n
        self.n += n

    def code(self, code):
        """A Huffman code, (value, length): its first bit first."""
        value, n = code
        self.put(int(format(value, f"0{n}b")[::-1], 2) if n else 0, n)

    def align(self, fill=0):
        pad = -self.n % 8
        self.put(fill & (1 << pad) - 1, pad)

    def bytes(self, fill=0):
        self.align(fill)
        return self.value.to_bytes(self.n // 8, "little")


def codes(lengths):
    """{symbol: (code, length)} of RFC 1951 3.2.2."""
    code, found = 0, {}
    for n in range(1, 16):
        code <<= 1
        for symbol, length in sorted(lengths.items()):
            if length == n:
                found[symbol] = (code, n)
                code += 1
    return found


FIXED = codes({s: 8 if s < 144 else 9 if s < 256 else 7 if s < 280 else 8 for s in range(288)})


def stored(out, content, last=0, fill=0):
    out.put(last, 3)
    out.align(fill)
    out.put(len(content), 16)
    out.put(len(content) ^ 0xFFFF, 16)
    for byte in content:
        out.put(byte, 8)


def literals(out, content, table=None):
    table = table or FIXED
    for byte in content:
        out.code(table[byte])
    out.code(table[END])


def fixed(out, content, last=0):
    out.put(last | 2, 3)
    literals(out, content)


def dynamic(out, lengths, distances, last=0):
    """The head of a dynamic block: code lengths {symbol: bits} of both alphabets, each length
    written by itself in a code of 4 bits a symbol."""
    n_lit = max(257, max(lengths) + 1)
    n_dist = max(1, max(distances, default=0) + 1)
    out.put(last | 4, 3)
    out.put(n_lit - 257, 5)
    out.put(n_dist - 1, 5)
    out.put(15, 4)
    table = codes({s: 4 for s in range(16)})
    for symbol in LENGTH_ORDER:
        out.put(4 if symbol < 16 else 0, 3)
    all_lengths = [lengths.get(s, 0) for s in range(n_lit)]
    all_lengths += [distances.get(s, 0) for s in range(n_dist)]
    for length in all_lengths:
        out.code(table[length])


def flat(symbols):
    """Lengths of a complete code for so many symbols: two neighbouring lengths."""
    symbols = sorted(set(symbols))
    bits = max(1, (len(symbols) - 1).bit_length())
    short = (1 << bits) - len(symbols)
    return {s: bits - 1 if i < short else bits for i, s in enumerate(symbols)}


def dynamic_literals(out, content, distances, last=0):
    lengths = flat([*content, END])
    dynamic(out, lengths, distances, last)
    literals(out, content, codes(lengths))


# --- the odd ones: each takes (rng, content) and gives (stream, content) ---

def only_stored(rng, content):
    out = Bits()
    at = rng.randrange(len(content) + 1)
    stored(out, content[:at], fill=rng.getrandbits(7))
    stored(out, content[at:], last=1, fill=rng.getrandbits(7))
    return out.bytes(), content


def fixed_blocks(rng, content):
    out = Bits()
    at = rng.randrange(len(content) + 1)
    fixed(out, content[:at])
    fixed(out, content[at:], last=1)
    return out.bytes(rng.getrandbits(7)), content


def empty_blocks(rng, content):
    out = Bits()
    for _ in range(rng.randrange(1, 20)):
        rng.choice([lambda: fixed(out, b""), lambda: stored(out, b"")])()
    last = rng.choice([0, 1])
    fixed(out, content, last)
    if not last:
        stored(out, b"", last=1)
    return out.bytes(), content


def mixed_blocks(rng, content):
    out = Bits()
    third = len(content) // 3
    stored(out, content[:third])
    dynamic_literals(out, content[third:2 * third], {0: 1, 1: 1})
    fixed(out, content[2 * third:], last=1)
    return out.bytes(), content


def no_distances(rng, content):
    """A dynamic block whose distance code has no symbol: "all data is literals"."""
    out = Bits()
    dynamic_literals(out, content, {}, last=1)
    return out.bytes(), content


def one_distance(rng, content):
    """A distance code of one symbol of one bit: incomplete, and allowed by RFC 1951 3.2.7."""
    out = Bits()
    dynamic_literals(out, content, {rng.choice([0, 3, 29]): 1}, last=1)
    return out.bytes(), content


def one_distance_used(rng, content):
    out = Bits()
    byte = rng.getrandbits(8)
    lengths = flat([byte, END, 257])
    dynamic(out, lengths, {0: 1}, last=1)
    table = codes(lengths)
    out.code(table[byte])
    out.code(table[257])
    out.put(0, 1)
    out.code(table[END])
    return out.bytes(), bytes([byte]) * 4


def only_end(rng, content):
    """A dynamic block whose only symbol is the end of the block."""
    out = Bits()
    stored(out, content)
    dynamic(out, {END: 1}, {}, last=1)
    out.put(0, 1)
    return out.bytes(), content


def incomplete(rng, content):
    """A literal code with unused room: zlib refuses it."""
    out = Bits()
    lengths = {s: 9 for s in {*content, END}}
    dynamic(out, lengths, {0: 1, 1: 1}, last=1)
    literals(out, content, codes(lengths))
    return out.bytes(), content


def incomplete_distances(rng, content):
    out = Bits()
    dynamic_literals(out, content, {0: 2, 1: 2, 2: 2}, last=1)
    return out.bytes(), content


def long_length(rng, content):
    """258 is code 285, and also 284 with all extra bits set."""
    out = Bits()
    symbol, extra = rng.choice([(284, 5), (285, 0)])
    out.put(3, 3)
    out.code(FIXED[65])
    out.code(FIXED[symbol])
    out.put(31 if extra else 0, extra)
    out.code((0, 5))
    out.code(FIXED[END])
    return out.bytes(), b"A" * 259


def far(rng, content):
    """A distance beyond what was written, or to its first byte."""
    out = Bits()
    out.put(3, 3)
    for byte in b"AB":
        out.code(FIXED[byte])
    out.code(FIXED[257])
    out.code((rng.choice([0, 1, 2, 29, 30, 31]), 5))
    out.put(0, rng.choice([0, 13]))
    out.code(FIXED[END])
    return out.bytes(), content


def bad_symbol(rng, content):
    out = Bits()
    out.put(3, 3)
    out.code(FIXED[rng.choice([286, 287])])
    out.code((0, 5))
    out.code(FIXED[END])
    return out.bytes(), content


def many_codes(rng, content):
    """HLIT or HDIST at and beyond their limits (286 and 30)."""
    out = Bits()
    lengths = {**flat([*content, END]), rng.choice([285, 286, 287]): 0}
    dynamic(out, lengths, {0: 1, 1: 1, rng.choice([29, 30, 31]): 0}, last=1)
    literals(out, content, codes({s: n for s, n in lengths.items() if n}))
    return out.bytes(), content


def flushed(rng, content):
    z = zlib.compressobj(rng.randrange(10), zlib.DEFLATED, -15)
    data = b""
    for i in range(0, len(content), 7):
        data += z.compress(content[i:i + 7])
        data += z.flush(rng.choice([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH,
                                    zlib.Z_BLOCK]))
    return data + z.flush(), content


def unfinished(rng, content):
    z = zlib.compressobj(6, zlib.DEFLATED, -15)
    return z.compress(content) + z.flush(zlib.Z_SYNC_FLUSH), content


ODD = [only_stored, fixed_blocks, empty_blocks, mixed_blocks, no_distances, one_distance,
       one_distance_used, only_end, incomplete, incomplete_distances, long_length, far, bad_symbol,
       many_codes, flushed, unfinished]


def odd(rng, content):
    make = rng.choice(ODD)
    data, content = make(rng, content[:300])
    try:
        content = zlib.decompress(data, -15)
    except zlib.error:
        pass
    return make.__name__.replace("_", " "), data, content
