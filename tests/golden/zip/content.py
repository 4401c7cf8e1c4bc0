"""The data of each entry, and the limits on what it costs."""

import gzip
import random
import struct
import zlib
from dataclasses import replace

from build import (SKILL, Entry, archive, bits, deflate, empty_blocks, with_crc, zeros_in)
from cases import Rule, case

TEXT = b"hello, hello, hello, hello\n"
GOOD = deflate(TEXT)
STORED, FIXED, DYNAMIC = 0, 1, 2


def one(data=TEXT, **fields):
    return archive(Entry(b"file.txt", data, **fields))


def code(value, width):
    """A Huffman code, whose highest bit comes first."""
    return int(format(value, f"0{width}b")[::-1], 2), width


def fixed(*symbols, final=1):
    """A block with fixed codes (RFC 1951 3.2.6) of the given codes, and its end."""
    return bits((final, 1), (FIXED, 2), *symbols, (0, 7))


LITERAL_A = code(0x30 + ord("a"), 8)
LENGTH_3 = code(1, 7)
LENGTH_286, LENGTH_287 = code(0xC6, 8), code(0xC7, 8)


def chunks_of(chunk, n):
    """n bytes, a chunk again and again, compressed with a flush behind each: raw and CRC."""
    whole, rest = divmod(n, len(chunk))
    c = zlib.compressobj(6, zlib.DEFLATED, -15)
    raw = c.compress(chunk) + c.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(whole):
        crc = zlib.crc32(chunk, crc)
    return raw * whole + deflate(chunk[:rest]), zlib.crc32(chunk[:rest], crc)


def bomb(n):
    raw, crc = chunks_of(bytes(1 << 20), n)
    return dict(raw=raw, crc=crc, usize=n)


def stored_block(data, final=0, nlen=None):
    nlen = ~len(data) & 65535 if nlen is None else nlen
    return bytes([final]) + struct.pack("<HH", len(data), nlen) + data


def dynamic(n_literals, n_distances, lengths, *symbols):
    """A dynamic block: code lengths by a code of 16 lengths of 4 bits each, then codes."""
    order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
    head = [(1, 1), (DYNAMIC, 2), (n_literals - 257, 5), (n_distances - 1, 5), (19 - 4, 4)]
    head += [(4 if n < 16 else 0, 3) for n in order]
    return bits(*head, *(code(n, 4) for n in lengths), *(symbols or [(0, 7)]))


def flushed(data):
    c = zlib.compressobj(6, zlib.DEFLATED, -15)
    return b"".join(c.compress(data[i:i + 1]) + c.flush(zlib.Z_SYNC_FLUSH)
                    for i in range(len(data))) + c.flush()


def inflate_lies():
    """The sizes and the CRC of the headers are not those of the data."""
    r = Rule("inflate")
    for what, usize in (("less", 5), ("one-less", len(TEXT) - 1), ("one-more", len(TEXT) + 1),
                        ("more", 99)):
        r.fails("usize-" + what, one(usize=usize))
        r.fails("stored-usize-" + what, one(usize=usize, method=0))
    r.fails("usize-0", one(usize=0))
    r.fails("usize-0-stored", one(usize=0, method=0))
    r.fails("usize-10-of-200-mb", one(**dict(bomb(200 << 20), usize=10)))
    right = zlib.crc32(TEXT)
    for what, crc in (("other", right ^ 1), ("0", 0), ("max", 2**32 - 1)):
        r.fails("crc-" + what, one(crc=crc))
        r.fails("stored-crc-" + what, one(crc=crc, method=0))
        r.fails("stream-crc-" + what, one(crc=crc, flags=8))
    r.fails("empty-crc", one(b"", crc=1))
    r.fails("empty-stored-crc", one(b"", crc=1, method=0))
    r.fails("skill-md-crc", archive(skill=replace(SKILL, crc=1)))
    r.fails("stored-less", one(method=0, raw=TEXT[:-1]))
    r.fails("stored-more", one(method=0, raw=TEXT + b"x"))
    r.fails("stored-as-deflated", one(method=8, raw=TEXT))
    r.fails("deflated-as-stored", one(method=0, raw=GOOD))
    r.near("right", one())
    r.near("stored", one(method=0))
    r.near("empty", one(b""))
    r.near("empty-stored", one(b"", method=0))
    r.near("crc-0", one(with_crc(b"data", 0)))


def inflate_streams():
    """The compressed bytes are not one whole stream."""
    r = Rule("inflate")
    for n in (1, 4, 100):
        r.fails(f"trailing-{n}", one(raw=GOOD + b"x" * n))
    r.fails("trailing-nul", one(raw=GOOD + b"\0"))
    r.fails("trailing-stream", one(raw=GOOD + GOOD))
    r.fails("trailing-empty-stream", one(raw=GOOD + b"\3\0"))
    for n in (1, 2, len(GOOD) - 1):
        r.fails(f"cut-{n}", one(raw=GOOD[:-n]))
    r.fails("not-final", one(raw=bytes([GOOD[0] & ~1]) + GOOD[1:]))
    r.fails("zlib", one(raw=zlib.compress(TEXT)))
    r.fails("gzip", one(raw=gzip.compress(TEXT)))
    r.fails("block-type-3", one(raw=b"\7" + GOOD[1:]))
    r.fails("block-type-3-second", one(raw=stored_block(TEXT) + b"\7"))
    r.fails("stored-block-nlen", one(raw=stored_block(TEXT, 1, nlen=0)))
    r.fails("stored-block-cut", one(raw=stored_block(TEXT, 1)[:-1]))
    a = fixed(LITERAL_A, LITERAL_A, LITERAL_A, LITERAL_A)
    r.near("fixed", one(b"aaaa", raw=a))
    r.near("fixed-distance", one(b"aaaa", raw=fixed(LITERAL_A, LENGTH_3, code(0, 5))))
    r.fails("distance-too-far", one(b"aaaa", raw=fixed(LITERAL_A, LENGTH_3, code(1, 5))))
    r.fails("distance-from-nothing", one(b"aaa", raw=fixed(LENGTH_3, code(0, 5))))
    for n in (30, 31):
        r.fails(f"distance-code-{n}", one(b"aaaa", raw=fixed(LITERAL_A, LENGTH_3, code(n, 5))))
    for n, symbol in ((286, LENGTH_286), (287, LENGTH_287)):
        r.fails(f"length-code-{n}", one(b"aaaa", raw=fixed(LITERAL_A, symbol, code(0, 5))))
    for what, raw in (("too-many-literals", dynamic(287, 1, [9] * 287)),
                      ("too-many-distances", dynamic(257, 31, [8] * 257)),
                      ("over-subscribed", dynamic(257, 1, [1] * 257 + [1])),
                      ("incomplete", dynamic(257, 1, [15] * 257 + [1])),
                      ("no-end-of-block", dynamic(257, 1, [8] * 256 + [0, 1])),
                      ("incomplete-distances", dynamic(257, 2, [8] * 255 + [9, 9] + [2, 2]))):
        r.fails("dynamic-" + what, one(raw=raw))

    # a code for length 3, which unzip refuses where there is none for a distance
    text = [code(ord("a"), 8)] * 4
    for what, n, end, n_dist, check in (("without-distances", 258, 510, [0], r.fails),
                                        ("with-a-distance", 258, 510, [1], r.near),
                                        ("without-both", 257, 511, [0], r.near)):
        lengths = [8] * (254 if n == 258 else 255) + [9] * (4 if n == 258 else 2) + n_dist
        check("lengths-" + what, one(b"aaaa", raw=dynamic(n, 1, lengths, *text, code(end, 9))))

    # 32,768 is the farthest distance; one more than there has been is too far
    far = random.Random(2).randbytes(32768)
    back = lambda n: fixed(LENGTH_3, code(29, 5), (n - 24577, 13))  # noqa: E731
    r.near("distance-32768", one(far + far[:3], raw=stored_block(far) + back(32768)))
    r.fails("distance-32768-of-32767", one(far[1:] + \
            far[:3], raw=stored_block(far[1:]) + back(32768)))

    c = zlib.compressobj(9, zlib.DEFLATED, -15)
    mixed = (stored_block(TEXT) + b"\2\0\0\0\xff\xff" + c.compress(TEXT * 9)
             + c.flush(zlib.Z_FULL_FLUSH) + stored_block(b"") + a)
    r.near("every-block-type", one(TEXT * 10 + b"aaaa", raw=mixed))
    r.near("unused-bits", one(b"", raw=b"\3\xfc"))
    r.near("flushed-each-byte", one(raw=flushed(TEXT)))
    r.near("stored-blocks", one(TEXT * 3, raw=stored_block(TEXT) * 2 + stored_block(TEXT, 1)))


def ratio():
    r = Rule("ratio")
    r.fails("csize-0", one(raw=b""))
    r.fails("csize-0-stored", one(method=0, raw=b""))
    r.fails("csize-0-of-1", one(b"x", method=0, raw=b""))
    r.fails("zeros", one(bytes(200000)))
    r.fails("1-gb", one(**bomb(1 << 30)))
    for csize in (100, 1000):
        r.near(f"100-of-{csize}", one(bytes(csize * 100), raw=zeros_in(csize, csize * 100)))
        r.fails(f"101-of-{csize}", one(bytes(csize * 101), raw=zeros_in(csize, csize * 101)))
        r.fails(f"100-and-a-byte-of-{csize}",
                one(bytes(csize * 100 + 1), raw=zeros_in(csize, csize * 100 + 1)))
    r.fails("skill-md", archive(skill=replace(SKILL, data=b"a" * 99999)))
    r.near("in-all", archive(*(Entry(b"%d" % i, b"a" * 99) for i in range(99))))


def expansion():
    r = Rule("expansion")
    for size in (0, 6400):
        content = random.Random(3).randbytes(size)
        body = deflate(content)
        limit = size + size // 64 + 1024
        r.near(f"{size}", one(content, raw=empty_blocks(limit - len(body)) + body))
        r.fails(f"{size}-and-a-byte", one(content, raw=empty_blocks(limit + 1 - len(body)) + body))
    r.fails("stored-blocks-of-a-byte", one(b"a" * 999,
            raw=stored_block(b"a") * 998 + stored_block(b"a", 1)))


def cpu():
    r = Rule("cpu")
    r.fails("empty-blocks", one(b"", raw=empty_blocks(5 * 16386) + b"\3\0"))
    half = empty_blocks(5 * 10000) + b"\3\0"
    r.fails("in-all", archive(Entry(b"a", b"", raw=half), Entry(b"b", b"", raw=half)))
    calm = b"the quick brown fox\n" * 20000
    for blocks, check in ((16300, r.near), (16600, r.fails)):
        check(f"{blocks}", one(calm, raw=empty_blocks(5 * blocks) + deflate(calm)))
    r.near("blocks-of-4096", one(calm[:80 << 12], raw=b"".join(
        stored_block(calm[at << 12:at + 1 << 12], int(at == 79)) for at in range(80))))


def total():
    """The limit itself: 500 MiB out of some 5 MiB, one chunk again and again."""
    r = Rule("total")
    limit = 524288000 - len(SKILL.data)
    chunk = random.Random(5).randbytes(12000) + bytes((1 << 20) - 12000)

    def of(n):
        raw, crc = chunks_of(chunk, n)
        return archive(Entry(b"big", b"", raw=raw, crc=crc, usize=n))
    r.near("524288000", lambda: of(limit))
    r.fails("524288001", lambda: of(limit + 1))


def nested():
    """Nothing fails this rule: archives inside are data."""
    hostile = archive(Entry(b"bomb", **bomb(10 << 20)), Entry(b"../up"))
    case("nested.bomb", archive(Entry(b"bomb.zip", hostile, method=0)))
    inner = archive()
    for _ in range(50):
        inner = archive(Entry(b"inner.zip", inner, method=0))
    case("nested.deep", inner)


def make():
    for rule in (inflate_lies, inflate_streams, ratio, expansion, cpu, total, nested):
        rule()
