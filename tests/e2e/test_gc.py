#!/usr/bin/python3
"""Garbage collection beside a running server: what no version holds goes, nothing else, and nobody waits.

--clients N, --archives N, --pushes N: how much of the last test (8, 20 and 1,500; `./dev crash` takes 16, 50
and 100,000). --kills N: at how many system calls it is killed, and twice as many fail (20; 0: at every one).
"""

import argparse
import json
import random
import subprocess
import sys
import threading
import time

import grpc

from support import archives, strace, tap
from support.check import check, contains, equal, eventually, fails, lacks
from support.paths import SERVER, run
from support.server import Server
from support.tap import note, test

parser = argparse.ArgumentParser()
parser.add_argument("--clients", type=int, default=8)
parser.add_argument("--archives", type=int, default=20)
parser.add_argument("--pushes", type=int, default=1500)
parser.add_argument("--kills", type=int, default=20)
options, sys.argv[1:] = parser.parse_known_args()

GONE = grpc.StatusCode.NOT_FOUND


def gc(server, *words):
    done = run(str(SERVER), "gc", *words, env=server.environment())
    check(done.returncode == 0, done.stderr)
    return json.loads(done.stdout) if "--json" in words else done.stdout


def stored(server):
    return sorted(p.name for p in server.skills.iterdir())


@test
def a_purge_takes_what_was_deleted_and_leaves_the_rest():
    with Server() as server:
        client = server.client()
        kept = client.push("kept", archives.make({"SKILL.md": "# Kept\n"}))
        gone = client.push("gone", archives.make({"SKILL.md": "# Gone\n"}), tag="v1")
        client.delete(gone.metadata.id)
        equal(gc(server), "0 archives removed, 0 bytes\n")
        check(client.artifact(gone.status.artifact_storage_key), "a deleted skill's archive is kept until the purge")
        told = gc(server, "--purge-deleted", "--dry-run")
        contains(told, "1 version of 1 deleted skill would be purged\n1 archive would be removed, ")
        equal(len(stored(server)), 2)
        equal(gc(server, "--purge-deleted", "--json"),
              {"dryRun": False, "archives": 1, "bytes": len(archives.make({"SKILL.md": "# Gone\n"})), "unrecorded": 0,
               "skills": 1, "versions": 1})
        fails(GONE, "skill artifact not found", client.artifact, gone.status.artifact_storage_key)
        equal(len(stored(server)), 1)
        equal(client.resolve("kept").status.version_hash, kept.status.version_hash)
        equal(len(client.versions("gone", include_deleted=True).items), 0)
        again = client.push("gone", archives.make({"SKILL.md": "# Gone\n"}))
        equal(again.metadata.id, gone.metadata.id)
        check(client.artifact(again.status.artifact_storage_key), "pushed again")


@test
def the_server_collects_by_itself():
    with Server(env={"GC_INTERVAL": "1"}) as server:
        server.skills.mkdir(exist_ok=True)
        data = archives.make({"SKILL.md": "# Left behind\n"})
        left = server.skills / f"{archives.sha256(data)}.zip"
        left.write_bytes(data)
        eventually(lambda: not left.exists(), 10)
        eventually(lambda: any(e["event"] == "garbage collected" for e in server.events()), 10)


@test
def what_is_wrong_is_told():
    with Server() as server:
        done = run(str(SERVER), "gc", "--json", "--repair", env=server.environment())
        equal(done.returncode, 2)
        contains(done.stderr, 'do not know "--repair"')
        env = {**server.environment(), "DB_PATH": str(server.home / "nowhere")}
        done = run(str(SERVER), "gc", env=env)
        equal(done.returncode, 1)
        contains(done.stderr, "there is no database at DB_PATH=")
        check(not (server.home / "nowhere").exists(), "nothing is made")
        with subprocess.Popen(["flock", "--shared", str(server.storage / "removal.lock"), "cat"], stdin=subprocess.PIPE) as holder:
            eventually(lambda: run(str(SERVER), "gc", env=server.environment()).returncode == 1, 10)
            done = run(str(SERVER), "gc", env=server.environment())
            contains(done.stderr, "a backup, a check or another garbage collection is under way")
            holder.stdin.close()
        done = run(str(SERVER), env={**server.environment(), "GC_INTERVAL": "soon"})
        equal(done.returncode, 1)
        contains(done.stderr, "GC_INTERVAL=soon is not valid: it must be a number of seconds")


# --- interrupted ---

PURGE = ["gc", "--purge-deleted"]


def litter(server, client, n):
    """A skill that stays, two that are deleted, one of them with the bytes of the first; and a file of nobody."""
    kept = client.push("Kept", archives.make({"SKILL.md": "# Kept\n"}), tag="v1")
    for name, text in (("Gone", f"# Gone {n}\n"), ("Same", "# Kept\n")):
        client.delete(client.push(name, archives.make({"SKILL.md": text}), tag="v1").metadata.id)
    left = archives.make({"SKILL.md": f"# Left {n}\n"})
    (server.skills / f"{archives.sha256(left)}.zip").write_bytes(left)
    return kept, left


def sound(server, when):
    done = run(str(SERVER), "check", env=server.environment())
    equal(done.returncode, 0, f"{when}: {done.stdout}")


def goes_on(server, client, kept, left, when):
    """After an interruption: sound; what it was about can be pushed; the next one finishes."""
    sound(server, when)
    again = client.push("Back", left, tag="v1")
    equal(client.artifact(again.status.artifact_storage_key), left)
    client.delete(again.metadata.id)
    equal(client.artifact(kept.status.artifact_storage_key), archives.make({"SKILL.md": "# Kept\n"}))
    gc(server, "--purge-deleted")
    equal(stored(server), [f"{kept.status.version_hash}.zip"], when)
    sound(server, when)


@test
def killed_at_any_call_it_is_finished_later():
    strace.need()
    with Server() as server:
        client = server.client()
        litter(server, client, 0)
        every = strace.calls(PURGE, server.environment())
        tried = strace.moments(every, options.kills)
        for k in tried:
            kept, left = litter(server, client, k)
            strace.killed_at(k, PURGE, server.environment())
            goes_on(server, client, kept, left, f"killed at {k}")
        note(f"killed at {len(tried)} of {len(every)} calls")


@test
def whatever_call_fails_nothing_is_lost():
    strace.need()
    with Server() as server:
        client = server.client()
        litter(server, client, 0)
        every = strace.calls(PURGE, server.environment(), strace.FAILING)
        tried = strace.faults(every, 2 * options.kills)
        failed = 0
        for i, (k, error, ever) in enumerate(tried):
            kept, left = litter(server, client, i)
            done = strace.failing_at(k, error, PURGE, server.environment(), ever)
            check(done.returncode in (0, 1), f"{error} at {k}: {done}")
            failed += done.returncode
            goes_on(server, client, kept, left, f"{error} at {k}{'+' if ever else ''}")
        note(f"{len(tried)} failures of {len(every)} calls; {failed} ended it")
        check(failed, "none was noticed")


# --- against pushes ---


class Client(threading.Thread):
    """Pushes one of a few shared archives to a skill of its own, downloads it, deletes the skill."""

    def __init__(self, server, number, texts, pushes):
        super().__init__()
        self.server, self.number, self.texts, self.pushes = server, number, texts, pushes
        self.random = random.Random(number)
        self.failed = None

    def run(self):
        try:
            client = self.server.client()
            for _ in range(self.pushes):
                data = self.random.choice(self.texts)
                pushed = client.push(f"skill{self.number}", data)
                if self.random.random() < 0.2:
                    equal(client.artifact(pushed.status.artifact_storage_key), data)
                client.delete(pushed.metadata.id)
        except Exception as error:  # pylint: disable=broad-exception-caught
            self.failed = error


@test
def pushes_and_deletes_beside_collections_all_the_time():
    texts = [archives.make({"SKILL.md": f"# Shared {n}\n"}) for n in range(options.archives)]
    with Server(env={"GC_INTERVAL": "1", "LOG_LEVEL": "info"}) as server:
        clients = [Client(server, n, texts, options.pushes // options.clients) for n in range(options.clients)]
        started = time.monotonic()
        for c in clients:
            c.start()
        collected = runs = 0
        while any(c.is_alive() for c in clients):
            done = run(str(SERVER), "gc", "--purge-deleted", "--json", env=server.environment())
            if done.returncode:
                contains(done.stderr, "another garbage collection is under way")  # the server's own
                continue
            runs += 1
            collected += json.loads(done.stdout)["archives"]
        for c in clients:
            c.join()
            check(c.failed is None, f"client {c.number}: {c.failed!r}")
        seconds = time.monotonic() - started
        pushes = sum(c.pushes for c in clients)
        note(f"{pushes} pushes in {seconds:.1f} s, {runs} collections, {collected} archives collected")
        check(collected > 0, "nothing was collected")
        eventually(lambda: run(str(SERVER), "gc", "--purge-deleted", env=server.environment()).returncode == 0, 10)
        equal(stored(server), [])
        equal(gc(server, "--dry-run", "--json")["archives"], 0)
        done = run(str(SERVER), "check", env=server.environment())
        equal(done.returncode, 0, done.stdout)
        lacks(server.log(), '"level":"error"')


tap.run()
