#!/usr/bin/env python3
"""Writes the seeds of the inflater's corpus beside this file: two bytes that choose how the stream is
cut into pieces, then a deflate stream."""
import pathlib
import random
import zlib

HERE = pathlib.Path(__file__).parent
RANDOM = random.Random(1)
TEXT = b"".join(RANDOM.choice([b"the ", b"skill ", b"of ", b"an ", b"agent\n"]) for _ in range(400))
NOISE = RANDOM.randbytes(3000)


def deflate(data, level=9, strategy=zlib.Z_DEFAULT_STRATEGY, flush=b""):
    c = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    middle = c.compress(data[: len(data) // 2]) + (c.flush(zlib.Z_SYNC_FLUSH) if flush else b"")
    return middle + c.compress(data[len(data) // 2 :]) + c.flush()


SEEDS = {
    "empty": deflate(b""),
    "text": deflate(TEXT),
    "text-fixed": deflate(TEXT[:300], strategy=zlib.Z_FIXED),
    "text-huffman": deflate(TEXT, strategy=zlib.Z_HUFFMAN_ONLY),
    "text-two-blocks": deflate(TEXT, flush=b"yes"),
    "noise": deflate(NOISE),
    "noise-stored": deflate(NOISE, level=0),
    "zeros": deflate(bytes(70000)),
    "far": deflate(NOISE + bytes(29000) + NOISE),
    "runs": deflate(b"".join(bytes([i]) * 40 for i in range(200)), strategy=zlib.Z_RLE),
    "bad-type": b"\x07",
    "bad-stored-length": b"\x01\x05\x00\x00\x00hello",
    "bad-distance": bytes([0x4B, 0x04, 0x03, 0x00, 0x62]),
    "truncated": deflate(TEXT)[:100],
    "trailing": deflate(TEXT) + b"more",
}
for name, stream in SEEDS.items():
    directory = HERE / "corpus" / "inflate"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(bytes([len(name), 255 - len(name)]) + stream)
