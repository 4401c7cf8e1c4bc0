#!/usr/bin/python3
"""Disks that are full or fail: what is refused, what goes on, and that it ends by itself."""

import json
import os
from contextlib import contextmanager

import grpc

from support import archives, tap, wire
from support.check import check, contains, equal, eventually, fails
from support.cli import Cli
from support.paths import SERVER, run
from support.server import Server
from support.tap import skip, test

FULL = grpc.StatusCode.RESOURCE_EXHAUSTED
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
COMMANDS = "ai.stigmer.agentic.skill.v1.SkillCommandController"
QUERIES = "ai.stigmer.agentic.skill.v1.SkillQueryController"
SERVING, NOT_SERVING = 1, 2


def need_mounts():
    if run("unshare", "--mount", "true").returncode:
        skip("no mount namespaces here")


def with_text(n_bytes):
    """An archive whose SKILL.md nobody can compress."""
    return archives.make({"SKILL.md": "# S\n" + os.urandom(n_bytes // 2).hex()})


def state(client):
    get = wire.service("stigmer.server.v1.ServerStatus", client.channel)["get"]
    return get(wire.message("stigmer.server.v1.GetServerStateRequest")())


def status(server, *args):
    with Cli(server) as cli:
        return cli("server", "status", *args)


@contextmanager
def hogged(server, name):
    """Somebody else takes what the disk has left."""
    hog = server.inside(getattr(server, name)) / "hog"
    with open(hog, "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(1 << 16))
        except OSError:
            pass
    yield
    hog.unlink()


def goes_on(server, client, kept):
    """What a full server still does."""
    equal(client.resolve("kept").metadata.id, kept.metadata.id)
    equal(client.artifact(kept.status.artifact_storage_key), archives.numbered(1))
    for name in ("", COMMANDS, QUERIES):
        equal(wire.health(client.channel, name), SERVING, name)


def collects(server, archives_gone):
    """Garbage collection makes room where there is none."""
    env = " ".join(f"{k}={v}" for k, v in server.environment().items())
    done = run("nsenter", "-t", str(server.pid), "-m", "env", "-i", *env.split(" "), str(SERVER), "gc", "--purge-deleted",
               "--json")
    equal((done.returncode, done.stderr), (0, ""))
    equal(json.loads(done.stdout)["archives"], archives_gone)


def is_full(server, client, sentence):
    fails(FULL, sentence, client.push, "New", archives.numbered(7))
    fails(FULL, sentence, client.push, "New", archives.numbered(9, 3 << 20))
    fails(FULL, sentence, client.move_tag, "kept", "", "new")
    eventually(lambda: not state(client).takes_pushes, what="the state tells it")
    check(state(client).takes_deletes, "deletes are taken")
    contains(state(client).reason, sentence)
    contains(status(server).ok().out, "Changes:  only deletes, the ")
    contains(status(server).ok().out, "Healthy:  yes")


def recovers(server, client):
    client.push("New", archives.numbered(8), timeout=10)
    eventually(lambda: state(client).takes_pushes, what="the state tells it")
    contains(status(server).ok().out, "Changes:  taken")
    told = json.loads(status(server, "--json").ok().out)
    equal((told["takesPushes"], told["takesDeletes"], told["reason"]), (True, True, None))


@test
def a_full_storage_takes_deletes_and_recovers_by_itself():
    need_mounts()
    with Server(disks={"storage": "size=24m"}) as server:
        client = server.client()
        kept, gone = client.push("Kept", archives.numbered(1)), client.push("Gone", archives.numbered(2))
        with hogged(server, "storage"):
            is_full(server, client, "the server's storage is full")
            goes_on(server, client, kept)
            client.delete(gone.metadata.id)
            fails(grpc.StatusCode.NOT_FOUND, "", client.get, gone.metadata.id)
            collects(server, 1)
            goes_on(server, client, kept)
        recovers(server, client)


@test
def storage_without_inodes_takes_deletes_and_recovers_by_itself():
    need_mounts()
    with Server(disks={"storage": "nr_inodes=200"}) as server:
        client = server.client()
        kept = client.push("Kept", archives.numbered(1))
        more = server.inside(server.storage) / "more"
        more.mkdir()
        made = []
        try:
            for n in range(200):
                made.append(more / str(n))
                made[-1].touch()
        except OSError:
            made.pop()
        check(len(made) > 100, "files fill it")
        is_full(server, client, "the server's storage is full")
        goes_on(server, client, kept)
        for path in made:
            path.unlink()
        recovers(server, client)


@test
def a_full_database_disk_takes_deletes_and_recovers_by_itself():
    need_mounts()
    with Server(disks={"db": "size=32m"}) as server:
        client = server.client()
        kept, gone = client.push("Kept", archives.numbered(1)), client.push("Gone", archives.numbered(2))
        with hogged(server, "db"):
            try:
                for n in range(100):  # what was reserved ahead
                    client.push(f"More {n}", with_text(100000))
            except grpc.RpcError as e:
                contains(e.details(), "the disk of the server's database is full")
            is_full(server, client, "the disk of the server's database is full")
            goes_on(server, client, kept)
            client.delete(gone.metadata.id)
            for n in range(3):
                client.delete(client.resolve(f"more-{n}").metadata.id)
            collects(server, 4)
            goes_on(server, client, kept)
        recovers(server, client)


@test
def a_storage_that_fails_makes_the_server_read_only_until_it_is_well():
    need_mounts()
    with Server(disks={"skills": "size=24m"}) as server:
        client = server.client()
        kept = client.push("Kept", archives.numbered(1))
        server.remount("skills", "ro")
        fails(UNAVAILABLE, "the server is read-only", client.push, "New", archives.numbered(7))
        fails(UNAVAILABLE, "the server is read-only", client.delete, kept.metadata.id)
        fails(UNAVAILABLE, "the server is read-only", client.move_tag, "kept", "", "new")
        eventually(lambda: wire.health(client.channel, COMMANDS) == NOT_SERVING, what="health tells it")
        equal(wire.health(client.channel, ""), NOT_SERVING)
        equal(wire.health(client.channel, QUERIES), SERVING)
        equal(client.resolve("kept").metadata.id, kept.metadata.id)
        equal(client.artifact(kept.status.artifact_storage_key), archives.numbered(1))
        told = status(server).ok().out
        contains(told, "Healthy:  no")
        contains(told, "Changes:  none, the server is read-only")
        equal(json.loads(status(server, "--json").ok().out)["takesDeletes"], False)
        server.remount("skills", "rw")
        eventually(lambda: wire.health(client.channel) == SERVING, what="well again, by itself")
        recovers(server, client)
        client.move_tag("kept", "", "new")
        client.delete(kept.metadata.id)
        told = [e["event"] for e in server.events()]
        for event in ("storage failed, the server is read-only", "changes are refused",
                      "storage can be written again", "changes are taken again"):
            check(event in told, f"logged: {event}")


if __name__ == "__main__":
    tap.run()
