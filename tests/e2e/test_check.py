#!/usr/bin/python3
"""stigmer-server check, beside a running server and alone."""

import json

from support import archives, tap
from support.check import check, contains, equal
from support.paths import SERVER, run
from support.server import Server
from support.tap import test


def ask(server, *words):
    return run(SERVER, "check", *words, env=server.environment())


@test
def a_sound_store_beside_its_server_and_alone():
    with Server() as server:
        c = server.client()
        for n in range(5):
            c.push("Calc", archives.make({"SKILL.md": f"# {n}\n"}), org="acme", tag=f"v{n}")
        c.delete(c.push("Gone", archives.make({"SKILL.md": "# Gone\n"})).metadata.id)
        done = ask(server)
        equal((done.returncode, done.stderr), (0, ""))
        contains(done.stdout, "sound: 2 skills, 6 versions, ")
        told = json.loads(ask(server, "--json").stdout)
        equal((told["sound"], told["findings"], told["archives"]), (True, 0, 6))
        server.stop()
        equal(ask(server).returncode, 0)
        server.start()


@test
def while_the_server_writes():
    with Server() as server:
        c = server.client()
        for n in range(40):
            c.push("Calc", archives.make({"SKILL.md": f"# {n}\n"}), tag="moving")
            if n % 4 == 0:
                done = ask(server)
                equal((done.returncode, done.stderr), (0, ""))


@test
def damage_is_named_with_the_skills_concerned():
    with Server() as server:
        c = server.client()
        pushed = c.push("Calc", archives.make({"SKILL.md": "# One\n"}), org="acme", tag="v1")
        artifact = server.skills / f"{pushed.status.version_hash}.zip"
        whole = artifact.read_bytes()
        artifact.write_bytes(whole[:-1] + b"X")
        done = ask(server)
        equal(done.returncode, 1)
        contains(done.stdout, f"artifact: the archive {artifact.name} does not hold what was pushed; push the files of "
                              "@acme/calc (version 1) again\n    concerns @acme/calc (version 1)\ndamaged: 1 skills")
        lines = [json.loads(line) for line in ask(server, "--json").stdout.splitlines()]
        equal(lines[0]["skill"], "@acme/calc (version 1)")
        equal((lines[-1]["sound"], lines[-1]["findings"]), (False, 1))
        c.push("Calc", whole, org="acme", tag="v1")  # heals it
        equal(ask(server).returncode, 0)
        server.stop()
        data = server.db / "data.mdb"
        sound = data.read_bytes()
        damaged = bytearray(sound)
        root = int.from_bytes(damaged[4096 * 1 + 128:4096 * 1 + 136], "little")  # of the tables, in a meta page
        damaged[4096 * root + 12] ^= 1  # its bounds
        data.write_bytes(damaged)
        done = ask(server)
        equal(done.returncode, 1, done.stdout)
        contains(done.stdout, "page: the database is damaged: ")
        data.write_bytes(sound)
        server.start()


@test
def what_cannot_be_looked_at():
    server = Server()
    done = ask(server)
    equal(done.returncode, 2)
    contains(done.stderr, "there is no database at DB_PATH=")
    done = ask(server, "--fix")
    equal(done.returncode, 2)
    contains(done.stderr, 'do not know "--fix"')
    with server:
        server.skills.rename(server.storage / "elsewhere")
        done = ask(server)
        equal(done.returncode, 2)
        contains(done.stderr, "STORAGE_PATH=")
        check(not server.skills.exists(), "nothing is made")


tap.run()
