#!/usr/bin/python3
"""The same files give the same hash, whatever else differs about the directory or the machine."""

import json
import os
import random
import shutil
import stat
import time
from pathlib import Path

from support import archives, tap
from support.check import check, equal
from support.paths import CLI, ROOT, discard, run, scratch
from support.server import Server
from support.tap import test

work = scratch("same")
EXAMPLE = ROOT / "examples" / "calculator"
FILES = {
    "SKILL.md": archives.skill_md("fixed", "Its archive never changes.").encode(),
    "scripts/run.sh": b"#!/bin/sh\necho fixed\n",
    "data/zeros.bin": bytes(20000),
    "data/random.bin": random.Random(7).randbytes(20000),
    "data/text.txt": b"The quick brown fox jumps over the lazy dog.\n" * 400,
    "empty": b"",
    "\u00fcber/na\u00efve \u4f60\u597d.md": "Names are bytes.\n".encode(),
    **{f"many/{n:03}.txt": f"file {n}\n".encode() for n in range(200)},
}
EXECUTABLE = "scripts/run.sh"


def hash_of(directory, **env):
    """What the CLI would push, without a server."""
    done = run(CLI, "skill", "push", directory, "--dry-run", "--json",
               env={"PATH": os.environ["PATH"], "HOME": str(work), **env})
    check(done.returncode == 0, done.stdout + done.stderr)
    return json.loads(done.stdout)["versionHash"]


def tree(name, order=None, umask=0o022):
    """FILES written in a given order: readdir follows it on many file systems."""
    directory = work / name / "fixed"
    old = os.umask(umask)
    try:
        for path in order or FILES:
            file = directory / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(FILES[path])
            if path == EXECUTABLE:
                file.chmod(0o777 & ~umask)
    finally:
        os.umask(old)
    return directory


reference = hash_of(tree("reference"))


# What the packer made of FILES when this was written, with zlib 1.2.13. Another value means that
# every skill out there gets a new hash when it is pushed again: change it knowingly or not at all.
RECORDED = "b0ca52d047362ed3acf4905126c41b37795152e122fb4c04e256e9e709a0e2ea"


@test
def the_hash_on_every_machine():
    equal(reference, RECORDED)


@test
def order_of_creation():
    for seed in range(5):
        order = random.Random(seed).sample(sorted(FILES), len(FILES))
        equal(hash_of(tree(f"order{seed}", order)), reference, f"seed {seed}")


@test
def modification_times():
    directory = tree("times")
    for n, path in enumerate(sorted(directory.rglob("*"))):
        os.utime(path, (n, n * 86400 * 365))
    equal(hash_of(directory), reference)
    for path in directory.rglob("*"):
        os.utime(path, (time.time() + 1e9, time.time() + 1e9))
    equal(hash_of(directory), reference)


@test
def umask_and_modes_of_group_and_others():
    for umask in (0o000, 0o027, 0o077):
        equal(hash_of(tree(f"umask{umask:o}", umask=umask)), reference, oct(umask))
    directory = tree("modes")
    for path in directory.rglob("*"):
        if path.is_file():
            path.chmod(0o400 | (0o100 if str(path).endswith(EXECUTABLE) else 0o044))
    equal(hash_of(directory), reference, "read-only files")


@test
def owner():
    if os.geteuid() != 0:
        tap.skip("only root may change owners")
    directory = tree("owner")
    for path in directory.rglob("*"):
        os.chown(path, 12345, 54321)
    equal(hash_of(directory), reference)


@test
def place_time_zone_and_locale():
    directory = tree("deep/er/and/deeper")
    for env in ({"TZ": "Asia/Kathmandu"}, {"TZ": "America/St_Johns", "LC_ALL": "C"},
                {"LC_ALL": "C.UTF-8"}, {"LANG": "tr_TR.UTF-8"}, {"SOURCE_DATE_EPOCH": "1"}):
        equal(hash_of(directory, **env), reference, str(env))


@test
def another_file_system():
    memory = Path("/dev/shm")
    if os.stat(memory).st_dev == os.stat(work).st_dev:
        tap.skip("only one file system here")
    target = memory / work.name
    try:
        shutil.copytree(tree("shm"), target / "fixed")
        equal(hash_of(target / "fixed"), reference)
    finally:
        discard(target)


@test
def what_is_left_out_does_not_count():
    directory = tree("left-out")
    for path in (".git/HEAD", "node_modules/x/index.js", "a/__pycache__/m.pyc", ".DS_Store",
                 "notes.txt~", "debug.log", ".env", ".env.local", "lib.so", ".venv/pyvenv.cfg"):
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("left out")
    (directory / "hollow").mkdir()
    equal(hash_of(directory), reference)


@test
def what_is_kept_does_count():
    changes = {
        "a byte": lambda d: (d / "empty").write_text("x"),
        "a name": lambda d: (d / "empty").rename(d / "empty2"),
        "an execute bit": lambda d: (d / "empty").chmod(0o744),
        "a file more": lambda d: (d / ".gitignore").write_text("x"),
        "a file less": lambda d: (d / "many" / "000.txt").unlink(),
    }
    for what, change in changes.items():
        directory = tree(what)
        change(directory)
        check(hash_of(directory) != reference, f"{what} changes the hash")
    directory = tree("no change")
    (directory / EXECUTABLE).chmod((directory / EXECUTABLE).stat().st_mode & ~stat.S_IXGRP)
    equal(hash_of(directory), reference, "the owner's execute bit decides")


@test
def repeated_runs_and_the_server_agree():
    equal({hash_of(EXAMPLE) for _ in range(3)}, {hash_of(EXAMPLE)})
    with Server() as server:
        env = {"PATH": os.environ["PATH"], "HOME": str(work),
               "STIGMER_SERVER_ADDR": server.address()}
        directory = tree("pushed")
        done = run(CLI, "skill", "push", directory, env=env)
        equal(done.returncode, 0, done.stdout + done.stderr)
        equal(server.artifacts(), [f"{reference}.zip"])


def nothing_is_left():
    discard(work)


if __name__ == "__main__":
    tap.run(cleanup=nothing_is_left)
