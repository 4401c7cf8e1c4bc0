#!/usr/bin/python3
"""Backup beside a running server, and the way back; and what interrupted ones leave.

--kills N: at how many system calls each of backup and restore is killed (25, at random; 0: at every one).
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import threading

import grpc

from support import archives, strace, tap
from support.check import check, contains, equal, fails
from support.paths import SERVER, discard, run, scratch
from support.server import Server
from support.tap import note, skip, test

parser = argparse.ArgumentParser()
parser.add_argument("--kills", type=int, default=25)
options, sys.argv[1:] = parser.parse_known_args()


def text(words):
    return archives.make({"SKILL.md": f"# {words}\n", "data.txt": words * 50})


def backup(server, target, *words, **more):
    return run(SERVER, "backup", str(target), *words, env={**server.environment(), **more})


def environment(place):
    """Of a server over a backup, or of one that is to be restored."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(place), "DB_PATH": str(place / "stigmer.db"),
            "STORAGE_PATH": str(place / "storage"), "GRPC_PORT": "0"}


def restore(source, place):
    return run(SERVER, "restore", str(source), env=environment(place))


def sound(place):
    done = run(SERVER, "check", env=environment(place))
    equal((done.returncode, done.stderr), (0, ""), done.stdout)


def server_on(place):
    """A server whose directories are those of a restored place."""
    server = Server()
    shutil.copytree(place / "stigmer.db", server.db)
    shutil.copytree(place / "storage", server.storage)
    return server


@test
def there_and_back():
    with Server() as server, scratched() as place:
        c = server.client()
        for n in range(4):
            c.push("Calc", text(f"v{n}"), org="acme", tag=f"v{n}")
        c.delete(c.push("Gone", text("gone")).metadata.id)
        left = text("left behind")
        (server.skills / f"{archives.sha256(left)}.zip").write_bytes(left)
        done = backup(server, place / "b")
        equal((done.returncode, done.stderr), (0, ""))
        contains(done.stdout, "5 archives copied, ")
        contains(done.stdout, "; 0 were there\n")  # and not the one that nobody holds
        sound(place / "b")
        c.push("Calc", text("later"), org="acme", tag="later")
        equal(json.loads(backup(server, place / "b", "--json").stdout)["archives"], 1)
        sound(place / "b")
        done = restore(place / "b", place / "r")
        equal((done.returncode, done.stderr), (0, ""))
        contains(done.stdout, "6 archives copied, ")
        sound(place / "r")
        for path in (place / "b", place / "r"):
            for inside in path.rglob("*"):
                if inside != path:
                    equal(inside.stat().st_mode & 0o077, 0, inside)
        with server_on(place / "r") as back:
            b = back.client()
            for tag in ("v0", "v1", "v2", "v3", "later"):
                want = c.resolve("calc", tag, org="acme")
                equal(b.resolve("calc", tag, org="acme"), want)
                equal(b.artifact(want.status.artifact_storage_key), c.artifact(want.status.artifact_storage_key))
            fails(grpc.StatusCode.NOT_FOUND, "skill not found", b.resolve, "gone")
            equal(b.versions("gone", include_deleted=True).total, 1)
            b.push("Calc", text("after"), org="acme", tag="after")


@test
def while_clients_push():
    """What was acknowledged before the backup began is in it."""
    with Server() as server, scratched() as place:
        acknowledged, stop = {}, threading.Event()

        def push(number):
            c, n = server.client(), 0
            while not stop.is_set():
                acknowledged[(number, f"t{n}")] = c.push(f"Skill {number}", text(f"{number} {n}"), tag=f"t{n}").status.version_hash
                n += 1

        threads = [threading.Thread(target=push, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        befores = []
        for turn in range(5):
            befores = dict(acknowledged)
            done = backup(server, place / "b")
            equal((done.returncode, done.stderr), (0, ""), f"turn {turn}")
            sound(place / "b")
        stop.set()
        for t in threads:
            t.join()
        equal(restore(place / "b", place / "r").returncode, 0)
        note(f"{len(befores)} pushes before the last backup, {len(acknowledged)} in all")
        check(len(befores) > 20, "nothing was pushed meanwhile")
        with server_on(place / "r") as back:
            b = back.client()
            for (number, tag), want in befores.items():
                found = b.resolve(f"skill-{number}", tag)
                equal(found.status.version_hash, want)
                equal(archives.sha256(b.artifact(found.status.artifact_storage_key)), want)


def stream_of(server, path):
    with open(path, "wb") as out:
        return subprocess.run([SERVER, "backup", "-"], env=server.environment(), stdout=out, stderr=subprocess.PIPE,
                              text=True, check=False)


def restore_stream(data, place):
    return subprocess.run([SERVER, "restore", "-"], env=environment(place), input=data, capture_output=True, check=False)


@test
def as_a_stream():
    with Server() as server, scratched() as place:
        c = server.client()
        for n in range(4):
            c.push("Calc", text(f"v{n}"), tag=f"v{n}")
        done = stream_of(server, place / "b.tar")
        equal(done.returncode, 0, done.stderr)
        contains(done.stderr, "backed up to -: 4 archives copied, ")
        listed = run("tar", "tf", str(place / "b.tar")).stdout.splitlines()
        equal(listed[-2:], ["stigmer.db/data.mdb", "COMPLETE"])
        equal(len(listed), 6)
        data = (place / "b.tar").read_bytes()
        done = restore_stream(data, place / "r")
        equal(done.returncode, 0, done.stderr)
        equal(look(place / "r"), "new")
        equal(list(place.glob("stigmer-backup-*")), [])
        # unpacked by another hand it is a backup, too
        (place / "t").mkdir()
        equal(run("tar", "xf", str(place / "b.tar"), "-C", str(place / "t")).returncode, 0)
        equal(look(place / "t"), "new")


@test
def a_stream_that_is_not_whole_is_refused():
    with Server() as server, scratched() as place:
        c = server.client()
        for n in range(4):
            c.push("Calc", text(f"v{n}"), tag=f"v{n}")
        stream_of(server, place / "b.tar")
        data = (place / "b.tar").read_bytes()
        end = data.index(b"COMPLETE\0")
        cuts = [0, 100, 512, 700, len(data) // 2, end - 1, end]
        for cut in cuts:
            done = restore_stream(data[:cut], place / "r")
            equal(done.returncode, 1, cut)
            contains(done.stderr.decode(), "this is not a whole backup: ")
            equal(look(place / "r"), "marked")
        changed = bytearray(data)
        changed[600] ^= 1  # in the first archive
        done = restore_stream(bytes(changed), place / "r")
        equal(done.returncode, 1)
        contains(done.stderr.decode(), "does not hash to its name")
        at = data.index(b"stigmer.db/data.mdb")
        at = at - at % 512 + 512
        changed = bytearray(data)
        newer = 4096 + 128
        root = int.from_bytes(data[at + newer - 8:at + newer], "little")
        changed[at + 4096 * root + 12] ^= 1
        done = restore_stream(bytes(changed), place / "r")
        equal(done.returncode, 1)
        contains(done.stderr.decode(), "is damaged, and nothing was copied")
        run("tar", "cf", str(place / "other.tar"), "-C", "/etc", "passwd")
        done = restore_stream((place / "other.tar").read_bytes(), place / "r")
        contains(done.stderr.decode(), "it has entries that a backup has not")
        equal(restore_stream(data, place / "r").returncode, 0)  # it goes on where it was interrupted
        equal(look(place / "r"), "new")


@test
def damage_at_the_source_is_told_and_the_rest_is_copied():
    with Server() as server, scratched() as place:
        c = server.client()
        c.push("Good", text("good"))
        bad = c.push("Bad", text("bad"), tag="v1")
        artifact = server.skills / f"{bad.status.version_hash}.zip"
        artifact.write_bytes(artifact.read_bytes()[:-1] + b"X")
        done = backup(server, place / "b")
        equal(done.returncode, 1)
        contains(done.stderr, f"the archive {artifact.name} is damaged and was not copied\n")
        contains(done.stderr, "1 archives in ")
        contains(done.stdout, "1 archive copied")
        done = restore(place / "b", place / "r")
        equal(done.returncode, 1)
        contains(done.stderr, "is missing and was not copied")
        with server_on(place / "r") as back:
            equal(back.client().resolve("good").status.version_hash, c.resolve("good").status.version_hash)
        c.push("Bad", text("bad"), tag="v1")
        equal(backup(server, place / "b").returncode, 0)
        sound(place / "b")


@test
def what_is_wrong_is_told():
    with Server() as server, scratched() as place:
        server.client().push("Calc", text("one"))
        done = run(SERVER, "backup", env=server.environment())
        equal(done.returncode, 2)
        contains(done.stderr, "backup needs a directory")
        done = run(SERVER, "backup", str(place / "a"), str(place / "b"), env=server.environment())
        equal(done.returncode, 2)
        done = restore(place / "nothing", place / "r")
        equal(done.returncode, 1)
        contains(done.stderr, "there is no database in ")
        check(not (place / "r").exists(), "nothing is made")
        equal(backup(server, place / "b").returncode, 0)
        done = run(SERVER, "restore", str(place / "b"), env=server.environment())
        equal(done.returncode, 1)
        contains(done.stderr, "another stigmer-server is using STORAGE_PATH=")
        equal(restore(place / "b", place / "r").returncode, 0)
        done = restore(place / "b", place / "r")
        equal(done.returncode, 1)
        contains(done.stderr, "a restore needs an empty place")
        (place / "b" / "stigmer.db" / "INCOMPLETE").touch()
        done = restore(place / "b", place / "r2")
        equal(done.returncode, 1)
        contains(done.stderr, "was interrupted; run it again")
        for command in ([], ["check"], ["gc"], ["dump"]):
            done = run(SERVER, *command, env=environment(place / "b"))
            check(done.returncode in (1, 2), done)
            contains(done.stderr, "was interrupted; run it again")


@test
def a_full_disk_leaves_the_former_backup():
    if run("unshare", "--mount", "true").returncode:
        skip("no mount namespaces here")
    with Server() as server, scratched() as place:
        c = server.client()
        c.push("Calc", text("one"), tag="v1")
        (place / "small").mkdir()
        script = ("mount -t tmpfs -o size=70M none {0}/small; {1} backup {0}/small/b && head -c 67M /dev/zero > {0}/small/hog; "
                  "cat > /dev/null; {1} backup {0}/small/b; echo $?; DB_PATH={0}/small/b/stigmer.db "
                  "STORAGE_PATH={0}/small/b/storage {1} check").format(place, SERVER)
        with subprocess.Popen(["unshare", "--mount", "sh", "-c", script], env=server.environment(), text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            while not (server.storage / "removal.lock").exists():
                pass
            child.stdout.readline()  # backed up
            c.push("Calc", text("two"), tag="v2")
            out, err = child.communicate()
        contains(err, "storage is full")
        contains(out, "1\nsound: 1 skills, 1 versions, ")


# --- killed ---


@test
def a_killed_backup_leaves_the_former_one_or_a_mark():
    strace.need()
    with Server() as server, scratched() as place:
        c = server.client()
        for n in range(3):
            c.push("Calc", text(f"v{n}"), tag=f"v{n}")
        every = strace.calls(["backup", str(place / "dry")], server.environment())
        equal(backup(server, place / "former").returncode, 0)
        c.push("Calc", text("new"), tag="new")
        seen = {"former": 0, "new": 0, "marked": 0, "nothing": 0}
        for k in strace.moments(every, options.kills):
            shutil.rmtree(place / "first", ignore_errors=True)
            strace.killed_at(k, ["backup", str(place / "first")], server.environment())
            seen[look(place / "first")] += 1
            equal(backup(server, place / "first").returncode, 0)
            equal(look(place / "first"), "new")
            shutil.rmtree(place / "again", ignore_errors=True)
            shutil.copytree(place / "former", place / "again")
            strace.killed_at(k, ["backup", str(place / "again")], server.environment())
            state = look(place / "again")
            check(state in ("former", "new"), f"killed at {k}: {state}")
            seen[state] += 1
            equal(backup(server, place / "again").returncode, 0)
            equal(look(place / "again"), "new")
        note(f"{len(strace.moments(every, options.kills))} of {len(every)} calls, each with a first and a later backup: {seen}")
        check(seen["former"] and seen["marked"], seen)


def look(place):
    """What a place holds: the former state, the new one, a mark, or nothing; anything else is an error."""
    done = run(SERVER, "check", env=environment(place))
    if done.returncode == 2:
        return "marked" if "was interrupted" in done.stderr else nothing(done)
    equal(done.returncode, 0, done.stdout)
    versions = int(re.search(r"(\d+) versions", done.stdout)[1])
    return {3: "former", 4: "new"}[versions]


def nothing(done):
    contains(done.stderr, "there is no database at DB_PATH=")
    return "nothing"


@test
def a_killed_restore_never_starts_half():
    strace.need()
    with Server() as server, scratched() as place:
        c = server.client()
        for n in range(4):
            c.push("Calc", text(f"v{n}"), tag=f"v{n}")
        equal(backup(server, place / "b").returncode, 0)
        every = strace.calls(["restore", str(place / "b")], environment(place / "dry"))
        seen = {"former": 0, "new": 0, "marked": 0, "nothing": 0}
        for k in strace.moments(every, options.kills):
            shutil.rmtree(place / "r", ignore_errors=True)
            strace.killed_at(k, ["restore", str(place / "b")], environment(place / "r"))
            state = look(place / "r")
            seen[state] += 1
            if state != "new":
                done = restore(place / "b", place / "r")
                equal((done.returncode, done.stderr), (0, ""), f"after {k}: {state}")
            equal(look(place / "r"), "new")
        note(f"{len(strace.moments(every, options.kills))} of {len(every)} calls: {seen}")
        check(seen["marked"] and not seen["former"], seen)


@test
def a_backup_whose_calls_fail_leaves_the_former_one_or_a_mark():
    strace.need()
    with Server() as server, scratched() as place:
        c = server.client()
        for n in range(3):
            c.push("Calc", text(f"v{n}"), tag=f"v{n}")
        equal(backup(server, place / "former").returncode, 0)
        c.push("Calc", text("new"), tag="new")
        every = strace.calls(["backup", str(place / "dry")], server.environment(), strace.FAILING)
        seen = {"former": 0, "new": 0}
        tried = strace.faults(every, 2 * options.kills)
        for k, error, ever in tried:
            shutil.rmtree(place / "again", ignore_errors=True)
            shutil.copytree(place / "former", place / "again")
            done = strace.failing_at(k, error, ["backup", str(place / "again")], server.environment(), ever)
            check(done.returncode in (0, 1), f"{error} at {k}: {done}")
            state = look(place / "again")
            check(state == "new" if done.returncode == 0 else state in ("former", "new"), f"{error} at {k}: {state}, {done.stderr}")
            seen[state] += 1
            equal(backup(server, place / "again").returncode, 0)
            equal(look(place / "again"), "new")
        note(f"{len(tried)} failures of {len(every)} calls: {seen}")
        check(seen["former"], seen)


@test
def a_restore_whose_calls_fail_never_starts_half():
    strace.need()
    with Server() as server, scratched() as place:
        c = server.client()
        for n in range(4):
            c.push("Calc", text(f"v{n}"), tag=f"v{n}")
        equal(backup(server, place / "b").returncode, 0)
        every = strace.calls(["restore", str(place / "b")], environment(place / "dry"), strace.FAILING)
        seen = {"former": 0, "new": 0, "marked": 0, "nothing": 0}
        tried = strace.faults(every, 2 * options.kills, 7)
        for k, error, ever in tried:
            shutil.rmtree(place / "r", ignore_errors=True)
            done = strace.failing_at(k, error, ["restore", str(place / "b")], environment(place / "r"), ever)
            check(done.returncode in (0, 1), f"{error} at {k}: {done}")
            state = look(place / "r")
            seen[state] += 1
            check(state == "new" or done.returncode == 1, f"{error} at {k}: {state}")
            if state != "new":
                done = restore(place / "b", place / "r")
                equal((done.returncode, done.stderr), (0, ""), f"after {error} at {k}: {state}")
            equal(look(place / "r"), "new")
        note(f"{len(tried)} failures of {len(every)} calls: {seen}")
        check(not seen["former"], seen)


class scratched:
    """A directory that is gone afterwards."""

    def __enter__(self):
        self.path = scratch("backup")
        return self.path

    def __exit__(self, *_):
        discard(self.path)


tap.run()
