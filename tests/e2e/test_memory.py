#!/usr/bin/python3
"""The memory bounds that the product promises: uploads measured by bench/rss.py, answers that nobody
reads, requests that do not end. Sanitized builds run the latter too; only there, memory is not
judged."""

import random
import struct
import sys
import time
import zlib

from support import archives, process, rawh2, tap, wire
from support.check import check, equal
from support.paths import PATIENCE, ROOT, SANITIZED, run
from support.rawh2 import (ACK, DATA, END_HEADERS, END_STREAM, HEADERS, SETTINGS, WINDOW_UPDATE,
                           Peer, frame)
from support.server import Server
from support.tap import test

ABOVE_IDLE_BOUND_KIB = 64 * 1024
CONNECTIONS, CALLS = 64, 250
# Random hex digits: just below 1 MiB, and not suspiciously compressible.
LONG_TEXT = (archives.skill_md("long", "Is long.")
             + random.Random(1).randbytes(archives.MIB // 2 - 100).hex())


@test
def idle_and_sixteen_parallel_pushes():
    if SANITIZED:
        tap.skip("a sanitizer's own memory would be measured")
    done = run(sys.executable, ROOT / "bench" / "rss.py", "--check", timeout=240)
    tap.note(done.stdout)
    check(done.returncode == 0, done.stdout + done.stderr)


# --- answers that nobody reads -------------------------------------------------------------------


def window(size):
    """SETTINGS with that initial window for streams."""
    return struct.pack(">HI", 4, size)


def ask(peer, path, data, n=CALLS):
    """n calls at once, whose answers the peer does not read."""
    block, body = rawh2.request_block(path), rawh2.message(data)
    peer.send(b"".join(frame(HEADERS, END_HEADERS, stream, block)
                       + frame(DATA, END_STREAM, stream, body) for stream in range(1, 2 * n, 2)))


def flood(server, settings, path, request):
    """Many connections with many calls, and nobody reads."""
    peers = [Peer(server, settings=settings) for _ in range(CONNECTIONS)]
    for peer in peers:
        if settings != window(0):
            peer.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFF0000)))
        ask(peer, path, request.SerializeToString())
    return peers


def lookups_go_on(server, seconds):
    """Small ones, one after the other; the slowest."""
    client = server.client()
    client.resolve("small", timeout=20 * PATIENCE)  # connects; the flood is being read
    slowest, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.monotonic()
        client.resolve("small", timeout=20 * PATIENCE)
        slowest = max(slowest, time.monotonic() - started)
        time.sleep(0.01)
    return slowest


def check_flood(what, settings, path, request):
    with Server() as server:
        server.client().push("Small", archives.make())
        server.client().push("Long", archives.make({"SKILL.md": LONG_TEXT}))
        time.sleep(0.5)
        idle = process.rss_kib(server.pid)
        process.reset_peak(server.pid)
        peers = flood(server, settings, f"{wire.QUERY_PATH}/{path}", request)
        slowest = lookups_go_on(server, 3)
        started = time.monotonic()
        long = server.client().resolve("long", timeout=60 * PATIENCE)
        waited = time.monotonic() - started
        equal(long.spec.skill_md, LONG_TEXT)
        server.client().push("Other", archives.make(), timeout=20 * PATIENCE)
        grown = process.peak_kib(server.pid) - idle
        tap.note(f"{what}: {grown} KiB above idle; slowest small lookup {slowest:.3f} s, a large "
                 f"one {waited:.3f} s")
        for peer in peers:
            peer.close()
        if not SANITIZED:
            check(grown < ABOVE_IDLE_BOUND_KIB, f"{what}: memory grew by {grown} KiB")
            check(slowest < 2, f"{what}: a small lookup took {slowest:.3f} s")


@test
def long_texts_behind_closed_windows():
    check_flood("closed windows", window(0), "get", wire.io.SkillId(value="platform/skill/long"))


@test
def long_texts_behind_windows_of_one_byte():
    check_flood("windows of one byte", window(1), "get",
                wire.io.SkillId(value="platform/skill/long"))


@test
def long_texts_that_nobody_takes_off_the_socket():
    check_flood("wide windows", window(0x7FFFFFFF), "get",
                wire.io.SkillId(value="platform/skill/long"))


@test
def pages_behind_closed_windows():
    check_flood("pages", window(0), "findAll", wire.reference.FindApiResourcesRequest())


@test
def many_long_texts_at_once_for_a_client_that_reads():
    """More than there is room for: they come one after the other, and none fails."""
    with Server() as server:
        pushed = server.client().push("Long", archives.make({"SKILL.md": LONG_TEXT}))
        process.reset_peak(server.pid)
        idle = process.rss_kib(server.pid)
        clients = [server.client() for _ in range(4)]
        calls = [client.queries.get.future(wire.io.SkillId(value=pushed.metadata.id),
                                           timeout=60 * PATIENCE)
                 for _ in range(30) for client in clients]
        for call in calls:
            equal(call.result().spec.skill_md, LONG_TEXT)
        grown = process.peak_kib(server.pid) - idle
        tap.note(f"{len(calls)} texts at once: {grown} KiB above idle")
        if not SANITIZED:
            check(grown < ABOVE_IDLE_BOUND_KIB, f"memory grew by {grown} KiB")


# --- requests ------------------------------------------------------------------------------------


def check_requests(what, frames):
    """Many connections send what frames(stream) gives, for as many streams as there may be."""
    with Server() as server:
        server.client().push("Small", archives.make())
        time.sleep(0.5)
        idle = process.rss_kib(server.pid)
        process.reset_peak(server.pid)
        peers = [Peer(server, settings=window(0)) for _ in range(CONNECTIONS)]
        for peer in peers:
            peer.read(1)
            peer.send(frame(SETTINGS, ACK))
        time.sleep(0.2)  # the server's windows are what its SETTINGS said
        for peer in peers:
            peer.send(b"".join(frames(stream) for stream in range(1, 2 * CALLS, 2)))
        slowest = lookups_go_on(server, 2)
        grown = process.peak_kib(server.pid) - idle
        tap.note(f"{what}: {grown} KiB above idle; slowest small lookup {slowest:.3f} s")
        for peer in peers:
            peer.close()
        if not SANITIZED:
            check(grown < ABOVE_IDLE_BOUND_KIB, f"{what}: memory grew by {grown} KiB")


def half_request(path):
    """60 KB of a request in some 100 bytes, and no end."""
    packer = zlib.compressobj(wbits=31)
    data = packer.compress(b"\x0a" + archives.varint(60000) + bytes(60000)) + packer.flush()
    block = rawh2.request_block(path, (b"grpc-encoding", b"gzip"))
    body = struct.pack(">BI", 1, len(data)) + data
    return lambda stream: (frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, 0, stream, body))


@test
def compressed_lookups_without_end():
    check_requests("lookups", half_request(f"{wire.QUERY_PATH}/get"))


@test
def compressed_pushes_without_end():
    check_requests("pushes", half_request(f"{wire.COMMAND_PATH}/push"))


@test
def questions_whose_answers_nobody_reads():
    """Reflection: each connection fills its window with questions."""
    block = rawh2.request_block("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    questions = rawh2.message(b"\x3a\0") * 595  # with 250 streams, just below the window of 1 MiB
    check_requests("questions", lambda stream: frame(HEADERS, END_HEADERS, stream, block)
                   + frame(DATA, 0, stream, questions))


if __name__ == "__main__":
    tap.run()
