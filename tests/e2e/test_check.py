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


# --- repair ---


def repair(server):
    done = run(SERVER, "check", "--repair", "--json", env=server.environment())
    for line in done.stdout.splitlines():
        json.loads(line)  # what was done is told on stderr
    return done


def fill(client):
    for n in range(30):
        client.push(f"Skill {n % 6}", archives.make({"SKILL.md": f"# {n}\n", "x.txt": "x" * n}), org="acme", tag=f"v{n}")
    client.delete(client.push("Gone", archives.make({"SKILL.md": "# Gone\n"})).metadata.id)


def answers(client):
    return [(client.resolve(f"skill-{n % 6}", f"v{n}", org="acme"), client.tag(f"skill-{n % 6}", f"v{n}", org="acme"))
            for n in range(30)]


def tables(data):
    """Where each leaf page of the database is."""
    return [at for at in range(2 * 4096, len(data), 4096) if data[at + 10] == 2]


@test
def a_repair_makes_anew_what_follows_from_other_records():
    with Server() as server:
        c = server.client()
        fill(c)
        before = answers(c)
        server.stop()
        data = server.db / "data.mdb"
        sound = data.read_bytes()
        tried = repaired = 0
        for at in tables(sound):
            damaged = bytearray(sound)
            damaged[at + 12] ^= 2  # an entry less: what is on the page is lost
            data.write_bytes(damaged)
            if run(SERVER, "check", env=server.environment()).returncode == 0:
                continue  # a page that is not in use
            tried += 1
            done = repair(server)
            if done.returncode == 2:
                contains(done.stderr, "the list of its tables is damaged, and no record can be found; nothing was changed.")
                equal(data.read_bytes(), bytes(damaged))
                continue
            contains(done.stderr, "made: a new database; the damaged one is kept as ")
            for kept in server.db.glob("data.mdb.damaged-*"):
                equal(kept.read_bytes(), bytes(damaged))
                kept.unlink()
            again = run(SERVER, "check", env=server.environment())
            if done.returncode:
                contains(done.stderr, "lost: ")
            else:
                equal(again.returncode, 0)
                repaired += 1
                server.start()
                equal(answers(server.client()), before)
                server.stop()
        tap.note(f"{tried} pages lost, one at a time; after {repaired} of them all was made anew")
        check(tried > 12 and repaired >= 4, (tried, repaired))
        data.write_bytes(sound)
        server.start()


@test
def a_repair_puts_damaged_archives_aside():
    with Server() as server:
        c = server.client()
        good, bad = archives.make({"SKILL.md": "# Good\n"}), archives.make({"SKILL.md": "# Bad\n"})
        c.push("Good", good)
        name = f"{c.push('Bad', bad).status.version_hash}.zip"
        server.stop()
        (server.skills / name).write_bytes(bad[:-1] + b"X")
        done = repair(server)
        equal(done.returncode, 1)
        contains(done.stderr, "put aside: 1 damaged archives, in ")
        contains(done.stdout, f'"kind":"artifact","text":"the archive {name} is missing; push the files of bad (version 1) again"')
        equal(len(list((server.storage / "quarantine").iterdir())), 1)
        server.start()
        server.client().push("Bad", bad)
        server.stop()
        done = repair(server)
        equal(done.returncode, 0, done.stdout)
        server.start()


@test
def nothing_is_repaired_beside_a_server():
    with Server() as server:
        server.client().push("Calc", archives.make({"SKILL.md": "# One\n"}))
        done = repair(server)
        equal(done.returncode, 2)
        contains(done.stderr, "another stigmer-server is using STORAGE_PATH=")


@test
def what_cannot_be_looked_at():
    server = Server()
    done = ask(server)
    equal(done.returncode, 2)
    contains(done.stderr, "there is no database at DB_PATH=")
    done = ask(server, "--repair")
    equal(done.returncode, 2)
    contains(done.stderr, "there is no database at DB_PATH=")
    check(not server.db.exists() and not server.storage.exists(), "nothing is made")
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
