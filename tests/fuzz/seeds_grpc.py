#!/usr/bin/env python3
"""Writes the seeds of the splitter's and the frames' corpora beside this file."""
import gzip
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, data, wire=2):
    return varint(number << 3 | wire) + (varint(len(data)) + data if wire == 2 else data)


def frame(data, compressed=False):
    body = gzip.compress(data, mtime=0) if compressed else data
    return struct.pack(">BI", compressed, len(body)) + body


ARTIFACT = field(4, b"PK\x03\x04 an archive " * 9)
NAME = field(1, b"calculator")
SPLITTER = {
    "empty": b"",
    "name": NAME,
    "name_artifact_tag": NAME + field(2, b"\x02", 0) + ARTIFACT + field(5, b"latest"),
    "artifact_first": ARTIFACT + NAME + field(3, b"local"),
    "artifact_empty": NAME + field(4, b""),
    "artifact_twice": ARTIFACT + NAME + ARTIFACT,
    "artifact_varint": NAME + field(4, b"\x07", 0),
    "unknown_fields": field(99, b"?" * 8, 1) + ARTIFACT + field(100, b"????", 5) + field(536870911, b"x"),
    "group": NAME + field(9, b"", 3) + field(1, b"in") + field(9, b"", 4) + ARTIFACT,
    "field_zero": b"\x00\x00" + NAME,
    "overlong_tag": b"\xa2\x80\x80\x80\x00\x03abc" + NAME,
    "overlong_zero": b"\x80\x00\x05" + NAME,
    "overlong_length": b"\x22\x83\x80\x80\x80\x00abc" + NAME,
    "overlong_varint": b"\x10" + b"\x81" * 9 + b"\x01" + NAME,
    "length_over_2gib": b"\x22\xff\xff\xff\xff\x0f",
    "truncated": (NAME + ARTIFACT)[:-3],
}
TEXT = b"the same words again and again; " * 40
FRAMES = {
    "one": frame(b"hello"),
    "empty": frame(b""),
    "three": frame(b"a") + frame(b"") + frame(b"ccc"),
    "gzip": frame(TEXT, True),
    "gzip_and_plain": frame(TEXT, True) + frame(b"plain") + frame(b"", True),
    "gzip_bomb": frame(bytes(200_000), True),
    "gzip_trailing": struct.pack(">BI", 1, len(gzip.compress(TEXT, mtime=0)) + 4) + gzip.compress(TEXT, mtime=0) + b"more",
    "gzip_truncated": struct.pack(">BI", 1, 30) + gzip.compress(TEXT, mtime=0)[:30],
    "gzip_nothing": b"\x01\x00\x00\x00\x00",
    "too_large": b"\x00\x00\x01\x00\x01",
    "bad_flag": b"\x02\x00\x00\x00\x01x",
    "prefix_only": b"\x00\x00\x00",
}

golden = json.loads((HERE.parent / "golden" / "wire.json").read_text())
for row in golden:
    SPLITTER["golden_" + row["name"]] = bytes.fromhex(row["hex"])
for name, seeds in (("splitter", SPLITTER), ("frames", FRAMES)):
    folder = HERE / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    for seed, data in seeds.items():
        (folder / seed).write_bytes(data)
