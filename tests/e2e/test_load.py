#!/usr/bin/python3
"""The load generator and the seeder: they do what they count, and what fails is no number."""

import json

from support import archives, tap, wire
from support.check import check, contains, equal
from support.paths import BUILD, SERVER, discard, run, scratch
from support.server import Server, free_port
from support.tap import test

LOAD, SEED = BUILD / "bench" / "bench_load", BUILD / "bench" / "bench_seed"


def start(address, *options):
    return run(LOAD, "--target", address, "--warmup", "0", *options, timeout=60)


def load(server, op, *options):
    done = start(server.address(), *options, op)
    equal(done.returncode, 0, done.stderr)
    return json.loads(done.stdout)["ops"]


def seed(client):
    """What the seeder makes, small."""
    for n in range(6):
        client.push(f"bench-{n % 3:06}", archives.numbered(n, size=500), tag=f"v{1 + n // 3}")


SEEDED = ("--skills", "3", "--versions", "2")


@test
def lookups_and_downloads():
    with Server() as server:
        seed(server.client())
        for op in ("check", "latest", "tag", "hash", "download"):
            told = load(server, op, "--calls", "1000", *SEEDED)
            equal(list(told), [op])
            equal((told[op]["done"], told[op]["failed"]), (1000, 0))
            durations = [told[op][q] for q in ("p50_us", "p90_us", "p99_us", "p999_us", "max_us")]
            equal(durations, sorted(durations))
            check(durations[0] > 0)
        told = load(server, "mixed", "--calls", "2000", *SEEDED)
        equal(sorted(told), ["download", "latest", "push", "tag"])
        equal(sum(t["done"] for t in told.values()), 2000)


def skills(client):
    """How many there are."""
    found, token = 0, ""
    while True:
        page = client.find(page_size=100, page_token=token)
        found, token = found + len(page.items), page.next_page_token
        if not token:
            return found


@test
def pushes_are_new_unless_they_are_to_be_the_same():
    with Server() as server:
        client = server.client()
        for first in (1, 1001):
            equal(load(server, "push", "--calls", "40", "--first", str(first))["push"]["done"], 40)
        equal(skills(client), 80)
        equal(len(server.artifacts()), 80)
        load(server, "same", "--calls", "200", "--connections", "2", "--streams", "3")
        equal(skills(client), 86)
        equal(len(server.artifacts()), 86)


@test
def one_file_there_and_back():
    with Server() as server:
        data, file = archives.numbered(1, size=3_000_000), server.home / "file.zip"
        file.write_bytes(data)
        equal(load(server, "push-file", "--calls", "3", "--file", file)["push-file"]["done"], 3)
        for op in ("download-one", "stream-one"):
            told = load(server, op, "--calls", "5", "--path", archives.sha256(data))
            check(5 * len(data) <= told[op]["received"] <= 5 * len(data) * 1.01, told)


@test
def an_open_loop_keeps_its_rate():
    with Server() as server:
        told = load(server, "check", "--rate", "200", "--seconds", "2")
        check(395 <= told["check"]["done"] <= 401, told)


@test
def what_fails_is_told():
    with Server() as server:
        done = start(server.address(), "--calls", "10", "latest")
        equal(done.returncode, 1)
        contains(done.stderr, "10 operations failed; first latest: POST /ai.stigmer")
        contains(done.stderr, "gRPC status 5: refused")
        equal(json.loads(done.stdout)["ops"]["latest"]["failed"], 10)
        done = start(server.address(), "--calls", "10", "--path", "/nothing", "get")
        equal(done.returncode, 1)
        contains(done.stderr, "HTTP status 4")
        done = start(server.address(), "--calls", "10", "hash")
        equal(done.returncode, 1)
        contains(done.stderr, "the versions of --skills and --versions")
    done = start(f"127.0.0.1:{free_port()}", "check")
    equal(done.returncode, 1)
    contains(done.stderr, "no connection to 127.0.0.1")


@test
def over_tls():
    directory = scratch("load")
    try:
        certificate = wire.Certificate(directory)
        with Server(tls=certificate) as server:
            told = load(server, "check", "--tls", "--ca", certificate.cert, "--calls", "100")
            equal(told["check"]["done"], 100)
            equal(start(server.address(), "--tls", "check").returncode, 1)
    finally:
        discard(directory)


@test
def a_seeded_store_is_an_ordinary_one():
    server = Server()
    done = run(SEED, server.storage, server.db, "150", "8")
    equal(done.returncode, 0, done.stderr)
    told = json.loads(done.stdout)
    equal((told["skills"], told["versions"]), (150, 1200))
    equal(run(SERVER, "check", env=server.environment()).returncode, 0)
    with server:
        client = server.client()
        equal(skills(client), 150)
        equal(len(server.artifacts()), 1000)
        hashes = [v.version_hash for v in client.versions("bench-000149").items]
        equal(len(set(hashes)), 8)
        for version in ("", "v8", client.resolve("bench-000149", "v8").status.version_hash):
            newest = client.resolve("bench-000149", version)
            equal((newest.spec.tag, newest.status.version_hash), ("v8", hashes[0]))
        equal(archives.sha256(client.artifact(newest.status.artifact_storage_key)), hashes[0])
        for op in ("latest", "tag", "hash", "download"):
            equal(load(server, op, "--calls", "500", "--skills", "150", "--versions", "8")[op]["done"], 500)


@test
def more_versions_than_archives():
    server = Server()
    equal(run(SEED, server.storage, server.db, "1", "1100").returncode, 0)
    with server:
        equal(len(server.artifacts()), 1100)


@test
def the_seeder_touches_nothing_that_is_there():
    with Server() as server:
        server.client().push("Calc", archives.make())
        before = server.stored_files()
        done = run(SEED, server.storage, server.db, "1", "1")
        equal(done.returncode, 1)
        contains(done.stderr, "is there and not empty")
        equal(server.stored_files(), before)
    for words in ((), ("a", "b", "0", "1"), ("a", "b", "1", "x"), ("a", "b", "1", "1", "1")):
        equal(run(SEED, *words).returncode, 2, words)


@test
def wrong_words():
    for words in ((), ("check", "latest"), ("no-such-operation",), ("--streams", "0", "check"), ("--size", "1", "push"),
                  ("--seconds", "x", "check"), ("--no-such-option", "check"), ("push-file",), ("get",)):
        done = start("127.0.0.1:1", *words)
        equal(done.returncode, 2, words)
        contains(done.stderr, "usage: bench_load")
    equal(run(LOAD, "check").returncode, 2)


tap.run()
