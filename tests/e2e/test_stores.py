#!/usr/bin/python3
"""Stores as earlier servers left them: each is taken over whole, or refused with a sentence.

Each release whose schema is new adds one: `test_stores.py --make tests/golden/store-N.tar.gz`.
"""

import sys
import tarfile

import grpc

from support import archives, tap
from support.check import check, contains, equal, fails
from support.paths import ROOT, SERVER, run
from support.server import Server
from support.tap import test

GOLDEN = ROOT / "tests" / "golden"


def text(words):
    return archives.make({"SKILL.md": f"# {words}\n", "bin/tool": "#!/bin/sh\n"})


def same(n):
    return archives.make({"SKILL.md": "# one text\n", "bin/tool": f"#!/bin/sh\n# {n}\n"})


# --- making one ---


def fill(server):
    """Two lives, one of them purged; moved tags; bytes and texts that are shared; an archive of no version."""
    for n in range(1, 4):
        server.client().push("Same", same(n), tag=f"v{n}")
    c = server.client()
    c.push("Calc", text("one"), org="acme", tag="v1")
    c.push("Calc", text("two"), org="acme", tag="v2")
    c.push("Calc", text("three"), org="acme")
    c.move_tag("calc", "v2", "stable", org="acme")
    c.move_tag("calc", "latest", "stable", org="acme")
    c.push("Calc", text("one"), org="other", tag="v1")
    gone = c.push("Gone", text("gone"), tag="v1")
    c.delete(gone.metadata.id)
    lives = c.push("Lives", text("before"), tag="old")
    c.delete(lives.metadata.id)
    done = run(SERVER, "gc", "--purge-deleted", env=server.environment())
    equal((done.returncode, done.stderr), (0, ""))
    c.push("Lives", text("now"), tag="new")
    late = c.push("Late", text("late"), tag="v1")
    c.delete(late.metadata.id)
    left = text("left behind")
    (server.skills / f"{archives.sha256(left)}.zip").write_bytes(left)


def make(path):
    with Server() as server:
        fill(server)
        server.stop()
        with tarfile.open(path, "w:gz", format=tarfile.USTAR_FORMAT) as out:
            out.add(server.db / "data.mdb", "stigmer.db/data.mdb")
            for artifact in sorted(server.skills.iterdir()):
                out.add(artifact, f"storage/skills/{artifact.name}")
        server.start()


def opened(name):
    server = Server()
    with tarfile.open(GOLDEN / name) as archive:
        archive.extractall(server.home)  # ours, from the repository
    return server


# --- what must be there ---


def served(c, slug, version, want, org=""):
    found = c.resolve(slug, version, org=org)
    equal(c.artifact(found.status.artifact_storage_key), want)
    equal(c.all_files(slug, version, org=org).keys(), {"SKILL.md", "bin/tool"})
    return found


def sound(server):
    done = run(SERVER, "check", env=server.environment())
    equal((done.returncode, done.stderr), (0, ""), done.stdout)


def filled(name):
    """What `fill` made, read, collected and added to; whether it was migrated."""
    with opened(name) as server:
        migrated = any(e["event"] == "database migrated" for e in server.events())
        c = server.client()
        served(c, "calc", "v1", text("one"), "acme")
        served(c, "calc", "v2", text("two"), "acme")
        served(c, "calc", "stable", text("three"), "acme")
        served(c, "calc", "latest", text("one"), "other")
        served(c, "lives", "new", text("now"))
        for n in range(1, 4):
            found = served(c, "same", f"v{n}", same(n))
            equal(found.spec.skill_md, "# one text\n")
            equal(c.resolve("same", found.status.version_hash), found)
        fails(grpc.StatusCode.NOT_FOUND, "skill version not found: lives:old", c.resolve, "lives", "old")
        fails(grpc.StatusCode.NOT_FOUND, "skill not found", c.resolve, "late")
        equal([v.tag for v in c.versions("calc", org="acme").items], ["", "v2", "v1"])
        equal(len(c.versions("late", include_deleted=True).items), 1)
        equal(len(c.versions("gone", include_deleted=True).items), 0)
        equal(len(c.versions("lives", include_deleted=True).items), 1)
        sound(server)
        done = run(SERVER, "gc", "--purge-deleted", env=server.environment())
        contains(done.stdout, "1 version of 1 deleted skill purged\n2 archives removed, ")
        contains(done.stdout, "; 1 left by pushes that never ended")
        served(c, "calc", "v1", text("one"), "acme")
        c.push("Calc", text("four"), org="acme", tag="v4")
        equal(c.versions("calc", org="acme").total, 4)
        c.push("Same", same(4), tag="v4")
        for n in range(1, 5):
            served(c, "same", f"v{n}", same(n))
        sound(server)
        c.delete(c.resolve("same").metadata.id)
        done = run(SERVER, "gc", "--purge-deleted", env=server.environment())
        contains(done.stdout, "4 versions of 1 deleted skill purged\n4 archives removed, ")
        sound(server)
    return migrated


@test
def the_store_of_schema_3():
    check(not filled("store-3.tar.gz"))


def refuse_former(server, schema):
    done = run(SERVER, "dump", env=server.environment())
    equal(done.returncode, 1)
    contains(done.stderr, f"was written by an older stigmer-server (schema {schema}, this one reads 3); start this server")
    done = run(SERVER, "gc", env=server.environment())
    equal(done.returncode, 1)
    contains(done.stderr, "start this server once, it migrates the database")
    for option in ((), ("--repair",)):
        done = run(SERVER, "check", *option, env=server.environment())
        equal((done.returncode, done.stdout), (2, ""))
        contains(done.stderr, f"the database has schema {schema} and this program checks schema 3;")


@test
def the_store_of_schema_2_is_migrated():
    refuse_former(opened("store-2.tar.gz"), 2)
    check(filled("store-2.tar.gz"))


@test
def a_damaged_store_of_schema_2_is_left_as_it_is():
    server = opened("store-2.tar.gz")
    data = server.db / "data.mdb"
    damaged = bytearray(data.read_bytes())
    for at in range(2 * 4096, len(damaged), 4096):
        if damaged[at + 10] == 2 and b"org/acme/skill/calc" in damaged[at:at + 4096]:
            damaged[at + 12] ^= 2  # a leaf page has an entry less
    data.write_bytes(damaged)
    for option in ((), ("--repair",)):
        done = run(SERVER, "check", *option, env=server.environment())
        equal(done.returncode, 2, done.stdout)
        contains(done.stderr, "written by an older stigmer-server; use that version to check or repair it")
    equal(data.read_bytes(), bytes(damaged))


@test
def the_store_of_schema_1_is_migrated():
    server = opened("store-before-manifests.tar.gz")
    refuse_former(server, 1)
    with server:
        check(any(e["event"] == "database migrated" for e in server.events()), server.log())
        c = server.client()
        shared = c.resolve("old", "v1").status.version_hash
        equal(c.resolve("twin").status.version_hash, shared)
        done = run(SERVER, "gc", "--purge-deleted", env=server.environment())
        contains(done.stdout, "1 version of 1 deleted skill purged\n1 archive removed, ")
        equal(c.resolve("twin").status.version_hash, shared)
        twin = c.resolve("twin")
        check(twin.spec.skill_md, "its text is there")
        for slug in ("old", "twin"):
            c.delete(c.resolve(slug).metadata.id)
        done = run(SERVER, "gc", "--purge-deleted", env=server.environment())
        contains(done.stdout, "3 versions of 2 deleted skills purged\n2 archives removed, ")
        equal(list(server.skills.iterdir()), [])
        back = c.push("Twin", archives.make({"SKILL.md": twin.spec.skill_md}))
        equal(c.resolve("twin").spec.skill_md, back.spec.skill_md)
        sound(server)


if sys.argv[1:2] == ["--make"]:
    make(sys.argv[2])
else:
    tap.run()
