#!/usr/bin/python3
"""Hostile traffic: random messages and raw HTTP/2 floods. The server goes on serving, in its bounds.

Counts and times are bounded; the random part is seeded (STIGMER_SEED chooses another). Runs against
sanitized builds too; only there, memory is not judged.
"""

import os
import random
import socket
import ssl
import struct
import time

import grpc

from support import archives, process, rawh2, tap, wire
from support.check import check, equal, eventually, fails
from support.paths import PATIENCE, SANITIZED, discard, scratch
from support.rawh2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING,
                           PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE, Peer, frame)
from support.server import Server
from support.tap import test

SEED = int(os.environ.get("STIGMER_SEED", "3000"))
MEMORY_BOUND_KIB = 64 * 1024
HEALTH = "/grpc.health.v1.Health/Check"
PUSH = f"{wire.COMMAND_PATH}/push"

server = Server().start()
GOOD = archives.make()
GOOD_HASH = archives.sha256(GOOD)
LARGE = archives.bulk_of_archive(95 * archives.MIB).archive("flood")
KEY = server.client().push("Flooded", LARGE).status.artifact_storage_key
server.client().push("Small", GOOD, tag="t")
time.sleep(0.2)
IDLE_KIB = process.rss_kib(server.pid)
DESCRIPTORS = len(process.open_files(server.pid))
process.reset_peak(server.pid)


def still_serving(what):
    """A new client is served as if nothing had happened; memory stayed within the bound."""
    client = server.client()
    started = time.monotonic()
    equal(wire.health(client.channel, timeout=20 * PATIENCE), 1, what)
    name = f"After {what}"
    pushed = client.push(name, GOOD, timeout=20 * PATIENCE)
    equal(client.get(pushed.metadata.id, timeout=20 * PATIENCE), pushed, what)
    check(server.process.poll() is None, "the server runs")
    server.check_log()
    client.channel.close()
    grown = process.peak_kib(server.pid) - IDLE_KIB
    tap.note(f"{what}: answered after {time.monotonic() - started:.3f} s, "
             f"peak {grown} KiB above idle")
    if not SANITIZED:
        check(grown < MEMORY_BOUND_KIB, f"{what}: memory grew by {grown} KiB")


def cut(peer, what, seconds=20):
    """The server must have ended the connection by itself."""
    check(peer.goaway(seconds * PATIENCE) or peer.closed(seconds * PATIENCE),
          f"{what} is not stopped")


def flood(what, chunks, cut_expected=True, before=None, settings=b""):
    """Sends all chunks, or until the server has enough."""
    with Peer(server, settings=settings) as peer:
        if before:
            before(peer)
        sent = 0
        for chunk in chunks:
            if not peer.send(chunk):
                break
            sent += 1
            if sent % 64 == 0:
                peer.read()
                if any(kind == GOAWAY for kind, *_ in peer.frames()):
                    break
        tap.note(f"{what}: {sent} writes")
        if cut_expected:
            cut(peer, what)
    still_serving(what)


# --- messages --------------------------------------------------------------------------------------


def random_bytes(rng, n):
    return rng.randbytes(n)


def random_fields(rng):
    """Well-formed protobuf with arbitrary fields."""
    out = bytearray()
    for _ in range(rng.randint(0, 12)):
        number, kind = rng.choice([1, 2, 3, 4, 5, 6, 7, 99, 1000, 536870911]), rng.randint(0, 5)
        out += archives.varint(number << 3 | kind)
        if kind == 0:
            out += archives.varint(rng.getrandbits(rng.choice([1, 7, 31, 32, 63, 64])))
        elif kind == 1:
            out += rng.randbytes(8)
        elif kind == 2:
            data = rng.randbytes(rng.randint(0, 60))
            out += archives.varint(len(data)) + data
        elif kind == 5:
            out += rng.randbytes(4)
    return bytes(out)


def honest(rng, path):
    """A valid request of the method, from ingredients that make sense."""
    fitting = {"slug": "small", "name": "Small", "value": "platform/skill/small", "tag": "t",
               "version_hash": GOOD_HASH, "artifact_storage_key": f"skills/{GOOD_HASH}.zip"}
    texts = ["", "small", "latest", KEY, "a" * 64, "../x", "é"]
    cls = wire.UNARY.get(path, wire.io.GetArtifactRequest)
    request = cls()
    for field in cls.DESCRIPTOR.fields:
        if field.message_type or (field.name not in fitting and rng.random() < 0.7):
            continue
        if field.name in fitting and rng.random() < 0.8:
            setattr(request, field.name, fitting[field.name])
        elif field.type == field.TYPE_STRING:
            setattr(request, field.name, rng.choice(texts))
        elif field.type == field.TYPE_BYTES:
            setattr(request, field.name, rng.choice([GOOD, GOOD, b"", GOOD[:-3], b"PK"]))
        elif field.type == field.TYPE_BOOL:
            setattr(request, field.name, rng.random() < 0.5)
        else:
            setattr(request, field.name, rng.choice([0, 1, 2, 3, 43, -1, 100, 2147483647]))
    if cls.DESCRIPTOR.fields_by_name.get("reference"):
        request.reference.slug = rng.choice(["small", *texts])
        request.reference.version = rng.choice(["", "t", *texts])
    return request.SerializeToString()


def mutated(rng, data):
    out = bytearray(data or b"\0")
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(out))
        action = rng.randrange(6)
        if action == 0:
            out[at] ^= 1 << rng.randrange(8)
        elif action == 1:
            out[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
        elif action == 2:
            del out[at:at + rng.randint(1, 8)]
        elif action == 3:
            out[at:at] = rng.randbytes(rng.randint(1, 8))
        elif action == 4:
            out += out[at:at + 40]
        else:
            out[at:at] = archives.varint(rng.getrandbits(64))
        out = out or bytearray(b"\0")
    return bytes(out)


def parses(path, data):
    try:
        wire.UNARY.get(path, wire.io.GetArtifactRequest).FromString(data)
        return True
    except Exception:  # DecodeError of whichever protobuf implementation is installed
        return False


@test
def three_thousand_random_and_mutated_messages():
    rng = random.Random(SEED)
    paths = [*wire.UNARY, wire.STREAM_ARTIFACT]
    channel = server.channel()
    unary = {p: channel.unary_unary(p) for p in wire.UNARY}
    stream = channel.unary_stream(wire.STREAM_ARTIFACT)
    codes, lenient = {}, []
    allowed = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND,
               grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.RESOURCE_EXHAUSTED}
    for n in range(3000):
        path = paths[n % len(paths)]
        data = (random_bytes(rng, rng.randint(0, 200)), random_fields(rng),
                mutated(rng, honest(rng, path)), honest(rng, path))[rng.randrange(4)]
        try:
            if path in unary:
                unary[path](data, timeout=30 * PATIENCE)
            elif KEY.encode() not in data:  # 95 MiB each
                list(stream(data, timeout=30 * PATIENCE))
            code = None
        except grpc.RpcError as error:
            code = error.code()
            check(code in allowed, f"#{n} {path} {data.hex()}: {code} {error.details()}")
            check(str(server.home) not in error.details(), error.details())
        codes[code.name if code else "OK"] = codes.get(code.name if code else "OK", 0) + 1
        if code is None and not parses(path, data):
            lenient.append((path, data.hex()))
    tap.note(f"seed {SEED}: {codes}")
    equal(lenient, [], "accepted, though protobuf cannot read it")
    check(codes.get("OK", 0) > 100 and codes.get("INVALID_ARGUMENT", 0) > 500, "a useful mixture")
    still_serving("messages")


@test
def random_grpc_framing():
    rng = random.Random(SEED + 1)
    for n in range(300):
        with Peer(server) as peer:
            peer.open(1, rng.choice([PUSH, HEALTH, f"{wire.QUERY_PATH}/get"]),
                      *([(b"grpc-encoding", b"gzip")] if n % 3 == 0 else []))
            body = rng.choice([
                rng.randbytes(rng.randint(0, 300)),
                struct.pack(">BI", n % 3, rng.getrandbits(32)) + rng.randbytes(rng.randint(0, 99)),
                mutated(rng, rawh2.message(archives.push_frame_parts("F", [GOOD])[0] + GOOD))])
            peer.send(frame(DATA, END_STREAM, 1, body))
            check(peer.stream_end(1, 20 * PATIENCE) or peer.ended, f"#{n}: no answer")
    still_serving("framing")


# --- floods ----------------------------------------------------------------------------------------


@test
def rapid_reset():
    block = rawh2.request_block(f"{wire.QUERY_PATH}/getByReference")
    reset = struct.pack(">I", 8)

    def chunks():
        for first in range(0, 50000, 50):
            yield b"".join(
                frame(HEADERS, END_HEADERS, 2 * n + 1, block) + frame(RST_STREAM, 0, 2 * n + 1, reset)
                for n in range(first, first + 50))

    flood("rapid reset", chunks())


@test
def resets_provoked_from_the_server():
    """Streams that the server itself has to reset (RFC 9113 10.5): window updates of zero."""
    block = rawh2.request_block(PUSH)
    zero = struct.pack(">I", 0)
    flood("made to reset", (b"".join(
        frame(HEADERS, END_HEADERS, 2 * n + 1, block) + frame(WINDOW_UPDATE, 0, 2 * n + 1, zero)
        for n in range(first, first + 50)) for first in range(0, 50000, 50)))


@test
def continuation():
    piece = rawh2.header(b"x", b"y" * 1000)
    flood("CONTINUATION", (frame(CONTINUATION, 0, 1, piece * 10) for _ in range(20000)),
          before=lambda p: p.send(frame(HEADERS, 0, 1, rawh2.request_block(HEALTH))))


@test
def empty_continuation():
    flood("empty CONTINUATION", (frame(CONTINUATION, 0, 1) * 100 for _ in range(2000)),
          before=lambda p: p.send(frame(HEADERS, 0, 1, rawh2.request_block(HEALTH))))


@test
def settings():
    flood("SETTINGS", (frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535 + n % 2)) * 100
                       for n in range(2000)))


@test
def empty_settings():
    flood("empty SETTINGS", (frame(SETTINGS) * 100 for _ in range(2000)))


@test
def ping():
    flood("PING", (frame(PING, 0, 0, struct.pack(">Q", n)) * 100 for n in range(2000)))


@test
def acknowledgements_nobody_asked_for():
    flood("SETTINGS ACK", (frame(SETTINGS, 1) * 100 for _ in range(1000)))
    flood("PING ACK", (frame(PING, 1, 0, bytes(8)) * 100 for _ in range(1000)))


@test
def empty_data():
    flood("empty DATA", (frame(DATA, 0, 1) * 100 for _ in range(2000)),
          before=lambda p: p.open(1, PUSH))


@test
def padded_data():
    """One byte of padding and nothing else: 9 bytes of frame that carry nothing."""
    flood("padded DATA", (frame(DATA, 0x8, 1, b"\1\0") * 100 for _ in range(2000)),
          before=lambda p: p.open(1, PUSH))


@test
def one_byte_data_is_slow_but_allowed():
    body = rawh2.message(wire.io.PushSkillRequest(name="Bytes", artifact=GOOD).SerializeToString())
    with Peer(server) as peer:
        peer.open(1, PUSH)
        for at in range(len(body)):
            peer.send(frame(DATA, END_STREAM if at == len(body) - 1 else 0, 1, body[at:at + 1]))
        check(peer.stream_end(1, 20 * PATIENCE), "answered")
    equal(server.client().resolve("bytes").metadata.name, "Bytes")
    still_serving("one byte a frame")


@test
def priority():
    flood("PRIORITY", (frame(PRIORITY, 0, 2 * n + 1, struct.pack(">IB", 0, 16)) * 100
                       for n in range(2000)))


@test
def window_updates():
    flood("WINDOW_UPDATE", (frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)) * 100
                            for n in range(2000)), before=lambda p: p.open(1, PUSH))
    flood("connection WINDOW_UPDATE", (frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 100
                                       for n in range(2000)))


@test
def unknown_frames():
    flood("unknown frames", (frame(0xEE, n % 256, 1, b"?" * 16) * 100 for n in range(2000)))


@test
def streams_that_never_say_anything():
    """More streams than allowed, all waiting for a body."""
    block = rawh2.request_block(PUSH)
    flood("silent streams", (frame(HEADERS, END_HEADERS, 2 * n + 1, block) for n in range(3000)),
          cut_expected=False)


@test
def all_streams_taken():
    """As many calls as the server lets in, from one address, and none of them goes on."""
    block = rawh2.request_block(PUSH)
    peers = [Peer(server) for _ in range(64)]
    for peer in peers:
        peer.send(b"".join(frame(HEADERS, END_HEADERS, stream, block)
                           for stream in range(1, 512, 2)))
    time.sleep(1)
    still_serving("all streams taken")
    for peer in peers:
        peer.close()


@test
def compressed_header_bomb():
    """A large field put into the dynamic table once and named many times (RFC 7541 6.1)."""
    value = b"z" * 3500
    insert = b"\x40" + b"\x03abc" + b"\x7f" + archives.varint(len(value) - 127) + value
    with Peer(server) as peer:
        for n in range(200):
            references = b"\xbe" * (4000 if n else 1)
            if not peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1,
                                   rawh2.request_block(HEALTH) + (insert if not n else b"")
                                   + references)):
                break
            peer.read()
    still_serving("header bomb")


# --- windows and slow peers ------------------------------------------------------------------------


def download(stream, peer, path=f"{wire.QUERY_PATH}/getArtifact"):
    return peer.call(stream, path,
                     wire.io.GetArtifactRequest(artifact_storage_key=KEY).SerializeToString())


@test
def readers_that_never_read():
    """Large windows, twenty downloads of 95 MiB each on ten connections, nothing taken."""
    wide = struct.pack(">HI", 4, 0x7FFFFFFF)
    peers = []
    for n in range(10):
        peer = Peer(server, settings=wide)
        peer.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFF0000)))
        download(1, peer)
        download(3, peer, wire.STREAM_ARTIFACT)
        peers.append(peer)
    time.sleep(1)
    still_serving("readers that never read")
    for peer in peers:
        peer.close()


@test
def window_of_zero():
    peers = []
    for n in range(20):
        peer = Peer(server, settings=struct.pack(">HI", 4, 0))
        for stream in range(1, 40, 2):
            download(stream, peer)
        peers.append(peer)
    time.sleep(0.5)
    still_serving("window of zero")
    for peer in peers:
        peer.close()


@test
def descriptors_for_downloads_nobody_reads():
    """More downloads than the process may have descriptors; each wants one or two."""
    with Server(max_files=300) as small:
        key = small.client().push("Small", GOOD).status.artifact_storage_key
        request = wire.io.GetArtifactRequest(artifact_storage_key=key).SerializeToString()
        peers = [Peer(small, settings=struct.pack(">HI", 4, 0)) for _ in range(40)]
        for peer in peers:
            for stream in range(1, 40, 2):
                peer.call(stream, (wire.STREAM_ARTIFACT, f"{wire.QUERY_PATH}/getArtifact")
                          [stream % 4 // 2], request)
        time.sleep(0.5)
        open_now = len(process.open_files(small.pid))
        client = small.client()
        client.resolve("small", timeout=5 * PATIENCE)
        started = time.monotonic()
        data = client.artifact(key, timeout=60 * PATIENCE)
        tap.note(f"{open_now} descriptors; a download waited {time.monotonic() - started:.3f} s")
        check(open_now < 200, f"{open_now} of 300 descriptors are in use")
        check(data == GOOD, "whole")
        client.push("Another", archives.make({"x": "y"}), timeout=5 * PATIENCE)
        for peer in peers:
            peer.close()


@test
def window_of_one_byte_at_a_time():
    with Peer(server, settings=struct.pack(">HI", 4, 1)) as peer:
        download(1, peer)
        for _ in range(2000):
            if not peer.send(frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1))):
                break
            peer.read()
    still_serving("one byte windows")


@test
def window_size_that_flips():
    """Every SETTINGS changes the window of every stream."""
    with Peer(server) as peer:
        for stream in range(1, 199, 2):
            peer.open(stream, PUSH)
        for n in range(3000):
            size = 0 if n % 2 else 0x7FFFFFFF
            if not peer.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, size))):
                break
            peer.read()
    still_serving("flipping windows")


@test
def windows_that_overflow():
    for stream, what in ((0, "connection"), (1, "stream")):
        with Peer(server) as peer:
            peer.open(1, PUSH)
            for _ in range(3):
                peer.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0x7FFFFFFF)))
            check(peer.goaway(10 * PATIENCE) == 3 if stream == 0
                  else peer.stream_end(1, 10 * PATIENCE), f"FLOW_CONTROL_ERROR of the {what}")
    still_serving("overflowing windows")


@test
def senders_beyond_their_window():
    with Peer(server) as peer:
        peer.open(1, PUSH)
        body = rawh2.message(bytes(64))[:5] + bytes(16379)
        for _ in range(4000):  # 64 MiB without waiting for updates
            if not peer.send(frame(DATA, 0, 1, body)):
                break
        check(peer.ended or peer.stream_end(1, 20 * PATIENCE)
              or peer.goaway(20 * PATIENCE) is not None, "stopped")
    still_serving("beyond the window")


@test
def writers_that_are_slow_or_silent():
    """Half a preface, half a frame, half a message, on a hundred connections."""
    beginnings = [b"", b"P", rawh2.PREFACE[:10], rawh2.PREFACE, rawh2.PREFACE + b"\0\0",
                  rawh2.PREFACE + frame(SETTINGS),
                  rawh2.PREFACE + frame(SETTINGS) + frame(HEADERS, 0, 1, b"\x82"),
                  rawh2.PREFACE + frame(SETTINGS)
                  + frame(HEADERS, END_HEADERS, 1, rawh2.request_block(PUSH)),
                  rawh2.PREFACE + frame(SETTINGS)
                  + frame(HEADERS, END_HEADERS, 1, rawh2.request_block(PUSH))
                  + frame(DATA, 0, 1, struct.pack(">BI", 0, 1 << 20) + b"\x0a\x05Slow")]
    peers = []
    for n in range(100):
        peer = Peer(server, preface=False)
        peer.send(beginnings[n % len(beginnings)])
        peers.append(peer)
    for _ in range(3):
        time.sleep(0.3)
        for peer in peers:
            if not peer.ended:
                peer.read()
        still_serving("slow writers")
    for peer in peers:
        peer.close()


@test
def connections_that_do_not_finish_their_preface_are_closed():
    with Peer(server, preface=False) as silent, Peer(server, preface=False) as half:
        half.send(rawh2.PREFACE[:12])
        check(silent.closed(30 * PATIENCE), "a silent connection ends")
        check(half.closed(30 * PATIENCE), "half a preface ends")


@test
def many_connections():
    """More than one address may hold: the rest is refused, a new client is served afterwards."""
    peers = []
    try:
        for _ in range(600):
            try:
                peers.append(Peer(server))
            except OSError:
                break
        open_now = sum(not p.closed(0) for p in peers)
        tap.note(f"{open_now} of {len(peers)} connections are held")
    finally:
        for peer in peers:
            peer.close()
    eventually(lambda: len(process.open_files(server.pid)) <= DESCRIPTORS + 20, 20 * PATIENCE,
               "descriptors are given back")
    still_serving("many connections")


# --- what is not HTTP/2 ----------------------------------------------------------------------------


@test
def violations_of_the_protocol():
    block = rawh2.request_block(HEALTH)
    violations = {
        "an even stream": frame(HEADERS, END_HEADERS, 2, block),
        "stream 0": frame(HEADERS, END_HEADERS, 0, block),
        "DATA on an idle stream": frame(DATA, 0, 5, b"x"),
        "a frame too large": frame(DATA, 0, 1, bytes(20000)),
        "PUSH_PROMISE from a client": frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4) + block),
        "SETTINGS of 5 bytes": frame(SETTINGS, 0, 0, b"12345"),
        "SETTINGS with a stream": frame(SETTINGS, 0, 1),
        "an initial window of 2^31": frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31)),
        "a frame size of 1": frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 1)),
        "PING of 7 bytes": frame(PING, 0, 0, b"1234567"),
        "PING with a stream": frame(PING, 0, 1, b"12345678"),
        "WINDOW_UPDATE of 0": frame(WINDOW_UPDATE, 0, 0, bytes(4)),
        "RST_STREAM on an idle stream": frame(RST_STREAM, 0, 7, bytes(4)),
        "CONTINUATION from nowhere": frame(CONTINUATION, END_HEADERS, 1, block),
        "DATA within headers": frame(HEADERS, 0, 1, block) + frame(DATA, 0, 1, b"x"),
        "broken HPACK": frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        "padding beyond the frame": frame(DATA, 0x8, 1, b"\xff"),
    }
    for what, data in violations.items():
        with Peer(server) as peer:
            peer.send(data)
            check(peer.goaway(20 * PATIENCE) not in (None, 0) or peer.ended, what)
    still_serving("violations")


@test
def malformed_requests():
    """Connection-level fine, request-level wrong (RFC 9113 8.1.1): the stream ends, no more."""
    good = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", HEALTH.encode()),
            (b":authority", b"l"), (b"content-type", b"application/grpc")]
    blocks = {
        "no path": [f for f in good if f[0] != b":path"],
        "two paths": good[:3] + good[2:],
        "upper-case name": good + [(b"Bad", b"x")],
        "late pseudo-header": good + [(b":path", b"/x")],
        "connection header": good + [(b"connection", b"close")],
        "line break in a value": good + [(b"x", b"a\r\nb")],
        "empty name": good + [(b"", b"x")],
        "content-length that lies": good + [(b"content-length", b"99")],
    }
    for what, fields in blocks.items():
        with Peer(server) as peer:
            block = b"".join(rawh2.header(n, v) for n, v in fields)
            peer.send(frame(HEADERS, END_HEADERS, 1, block)
                      + frame(DATA, END_STREAM, 1, rawh2.message(b"")))
            check(peer.stream_end(1, 20 * PATIENCE) or peer.ended, what)
    still_serving("malformed requests")


@test
def garbage():
    rng = random.Random(SEED + 2)
    for n in range(100):
        with Peer(server, preface=n % 2 == 0) as peer:
            peer.send(rng.randbytes(rng.randint(1, 3000)))
            peer.read(0.002)
    for data in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
                 b"SSH-2.0-x\r\n", bytes(100000), b"\xff" * 100000):
        with Peer(server, preface=False) as peer:
            peer.send(data)
            check(peer.closed(30 * PATIENCE), f"{data[:8]!r} is closed")
    still_serving("garbage")


@test
def random_frames():
    rng = random.Random(SEED + 3)
    for _ in range(150):
        with Peer(server) as peer:
            for _ in range(rng.randint(1, 30)):
                if not peer.send(frame(rng.choice([*range(11), 200]), rng.getrandbits(8),
                                       rng.choice([0, 1, 1, 3, 5, 2]),
                                       rng.randbytes(rng.choice([0, 4, 5, 6, 8, 30])))):
                    break
            peer.read(0.002)
    still_serving("random frames")


@test
def mutated_conversations():
    """A valid push with a few bytes of its frames changed."""
    rng = random.Random(SEED + 4)
    body = rawh2.message(wire.io.PushSkillRequest(name="Mutant", artifact=GOOD).SerializeToString())
    talk = (rawh2.PREFACE + frame(SETTINGS) + frame(HEADERS, END_HEADERS, 1,
            rawh2.request_block(PUSH)) + frame(DATA, END_STREAM, 1, body))
    for _ in range(300):
        with Peer(server, preface=False) as peer:
            peer.send(mutated(rng, talk))
            peer.read(0.003)
    still_serving("mutated conversations")


# --- TLS -------------------------------------------------------------------------------------------


@test
def handshakes_left_half_open():
    directory = scratch("tls")
    try:
        certificate = wire.Certificate(directory)
        with Server(tls=certificate) as secure:
            hello = client_hello()
            peers = []
            for n in range(60):
                peer = Peer(secure, preface=False)
                peer.send((b"", hello[:1], hello[:60], hello, hello + b"\x16\x03\x03\x00\x40",
                           b"\x16\x03\x01\xff\xff" + bytes(100))[n % 6])
                peers.append(peer)
            with grpc.secure_channel(f"localhost:{secure.port}", grpc.ssl_channel_credentials(
                    certificate.cert.read_bytes())) as channel:
                equal(wire.health(channel, timeout=20 * PATIENCE), 1)
            for peer in peers:
                check(peer.closed(40 * PATIENCE), "half a handshake ends")
                peer.close()
            for data in (b"GET / HTTP/1.1\r\n\r\n", rawh2.PREFACE, os.urandom(5000)):
                with Peer(secure, preface=False) as peer:
                    peer.send(data)
                    check(peer.closed(30 * PATIENCE), f"{data[:8]!r} is closed")
            flood_over_tls(secure, certificate)
            equal(wire.health(secure.client().channel, timeout=20 * PATIENCE), 1)
    finally:
        discard(directory)


def client_hello():
    """The first flight of a TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def flood_over_tls(secure, certificate):
    context = ssl.create_default_context(cafile=str(certificate.cert))
    context.set_alpn_protocols(["h2"])

    def wrap(plain):
        return context.wrap_socket(plain, server_hostname="localhost")

    with Peer(secure, wrap=wrap) as peer:
        try:
            for _ in range(2000):
                if not peer.send(frame(PING, 0, 0, bytes(8)) * 100):
                    break
        except (ssl.SSLError, OSError):
            peer.ended = True
    # A renegotiation or a cut in the middle of a record.
    with socket.create_connection(("127.0.0.1", secure.port)) as plain:
        secured = wrap(plain)
        secured.send(rawh2.PREFACE)
        os.write(secured.fileno(), b"\x17\x03\x03\x40\x00" + bytes(100))
        secured.close()


@test
def nothing_is_left_over():
    eventually(lambda: not process.unlinked_files(server.pid, server.storage), 60 * PATIENCE,
               "spools are closed")
    eventually(lambda: len(process.open_files(server.pid)) <= DESCRIPTORS + 5, 60 * PATIENCE,
               "descriptors are given back")
    known = {f"skills/{archives.sha256(d)}.zip" for d in (GOOD, LARGE)}
    check(known <= set(server.stored_files()), "what was stored is there")
    fails(grpc.StatusCode.NOT_FOUND, "", server.client().resolve, "never-pushed")
    data = b"".join(c.data for c in server.client().stream(KEY))
    check(data == LARGE, "and whole")


def the_server_ends_cleanly():
    server.stop()
    discard(server.home)


if __name__ == "__main__":
    tap.run(cleanup=the_server_ends_cleanly)
