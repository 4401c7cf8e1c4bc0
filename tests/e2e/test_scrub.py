#!/usr/bin/python3
"""The scrub: damage is found before somebody needs what is damaged; a damaged database is not served."""

import json
import time

from support import archives, tap, wire
from support.check import check, contains, equal, eventually
from support.cli import Cli
from support.paths import SERVER, run
from support.server import Server
from support.tap import test

ALL_THE_TIME = {"SCRUB_INTERVAL": "1", "SCRUB_RATE": "1000"}


def flip(path, offset=-1):
    """A bit that turns over in the medium: nothing about the file tells of it."""
    stat = path.stat()
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)
    run("touch", "-m", "-d", f"@{stat.st_mtime_ns / 1e9:.9f}", str(path))


def state(client):
    get = wire.service("stigmer.server.v1.ServerStatus", client.channel)["get"]
    return get(wire.message("stigmer.server.v1.GetServerStateRequest")())


def status(server, *words):
    with Cli(server) as cli:
        return cli("server", "status", *words).out


def completed(server):
    return [e for e in server.events() if e["event"] == "scrub completed"]


def push(client, n):
    return client.push(f"Skill {n}", archives.make({"SKILL.md": f"# {n}\n"}))


@test
def damage_is_found_put_aside_and_told():
    with Server(env=ALL_THE_TIME) as server:
        client = server.client()
        pushed = [push(client, n) for n in range(5)]
        eventually(lambda: state(client).scrub_archives == 5, 10)
        told = state(client)
        equal(told.scrub_damaged, 0)
        check(abs(told.scrub_completed_at - time.time()) < 10, told)
        contains(status(server), "Scrub:    5 archives were read again until 2")
        equal(json.loads(status(server, "--json"))["lastScrub"]["archives"], 5)
        name = f"{pushed[2].status.version_hash}.zip"
        flip(server.skills / name)
        eventually(lambda: state(client).scrub_damaged == 1, 10)
        check(not (server.skills / name).exists(), "it was put aside")
        equal(len(list((server.storage / "quarantine").iterdir())), 1)
        contains(server.log(), "damaged artifact quarantined")
        contains(status(server), "damage was found: see stigmer-server check")
        equal(json.loads(status(server, "--json"))["lastScrub"]["damaged"], 1)
        push(client, 2)  # heals it
        eventually(lambda: state(client).scrub_damaged == 0 and state(client).scrub_damaged_so_far == 0, 10)


@test
def a_missing_archive_is_found():
    with Server(env=ALL_THE_TIME) as server:
        client = server.client()
        pushed = push(client, 1)
        (server.skills / f"{pushed.status.version_hash}.zip").unlink()
        eventually(lambda: state(client).scrub_damaged == 1, 10)
        contains(server.log(), "artifact missing")


@test
def a_pass_goes_on_after_a_restart():
    slow = {"SCRUB_INTERVAL": "1", "SCRUB_RATE": "1"}
    with Server(env=slow) as server:
        client = server.client()
        bulk = archives.bulk_of_archive(1 << 20)
        for n in range(6):  # a MiB each: a second each
            client.push(f"Large {n}", bulk.archive(f"Number {n}."))
        time.sleep(3.5)
        server.stop()
        server.start()
        started = time.monotonic()
        eventually(lambda: completed(server), 20)
        equal(completed(server)[-1]["archives"], 6)
        check(time.monotonic() - started < 5.5, "it began again")


@test
def a_long_pass_does_not_keep_garbage():
    with Server(env={"SCRUB_INTERVAL": "1", "SCRUB_RATE": "1", "GC_INTERVAL": "2"}) as server:
        client = server.client()
        bulk = archives.bulk_of_archive(1 << 20)
        for n in range(8):  # a second each
            client.push(f"Large {n}", bulk.archive(f"Number {n}."))
        data = archives.make({"SKILL.md": "# Left behind\n"})
        left = server.skills / f"{archives.sha256(data)}.zip"
        left.write_bytes(data)
        eventually(lambda: not left.exists(), 6)
        check(not completed(server), "the pass was not over")
        eventually(lambda: completed(server), 20)
        equal(completed(server)[0]["archives"], 8)


@test
def damage_in_the_database_is_found():
    with Server(env=ALL_THE_TIME) as server:
        client = server.client()
        push(client, 1)
        server.stop()
        data = server.db / "data.mdb"
        sound = data.read_bytes()
        at = sound.rindex(b"# 1\n")
        flip(data, at + 2)  # in a text: the pages are sound, the record is not
        server.start()
        eventually(lambda: any(e["event"] == "damage found" for e in server.events()), 10)
        contains(server.log(), "a record of table texts is damaged")
        client = server.client()
        eventually(lambda: state(client).scrub_damaged >= 1, 10)
        server.stop()
        data.write_bytes(sound)
        server.start()


@test
def a_database_with_damaged_pages_is_not_served():
    with Server() as server:
        push(server.client(), 1)
        server.stop()
        data = server.db / "data.mdb"
        sound = data.read_bytes()
        newer = max((0, 1), key=lambda n: int.from_bytes(sound[4096 * n + 136:4096 * n + 144], "little"))
        root = int.from_bytes(sound[4096 * newer + 120:4096 * newer + 128], "little")
        flip(data, 4096 * root + 12)
        done = run(SERVER, env=server.environment())
        equal(done.returncode, 1)
        contains(done.stderr, "the database is damaged: page ")
        contains(done.stderr, "Nothing was changed. Look at it with \"stigmer-server check\"")
        data.write_bytes(sound)
        server.start()


@test
def it_can_be_turned_off():
    with Server(env={"SCRUB_INTERVAL": "0"}) as server:
        client = server.client()
        push(client, 1)
        time.sleep(1.5)
        equal(state(client).scrub_completed_at, 0)
        contains(status(server), "the archives were not yet read again")
        equal(json.loads(status(server, "--json"))["lastScrub"], None)
    for name, value, want in (("SCRUB_RATE", "0", "a number from 1 to 10000"),
                              ("SCRUB_INTERVAL", "-1", "a number of seconds from 0 to 31536000")):
        done = run(SERVER, env={**server.environment(), name: value})
        equal(done.returncode, 1)
        contains(done.stderr, f"{name}={value} is not valid: it must be {want}")


tap.run()
