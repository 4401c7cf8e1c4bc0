#!/usr/bin/python3
"""The command line against a server that lies: a gRPC server of another make, answering nonsense."""

import io as files
import os
import socket
import threading
import time
import zipfile

import grpc

from support import archives, liars, wire
from support.check import check, contains, equal, lacks
from support.cli import Cli
from support.liars import chunks
from support.paths import discard
from support.tap import run, test

GOOD = archives.make({"SKILL.md": "# Good\n", "run.sh": "#!/bin/sh\n"})
GOOD_HASH = archives.sha256(GOOD)


liar = liars.Liar()
cli = Cli(liar)


def skill(version_hash=GOOD_HASH, **metadata):
    return liars.skill(version_hash, **metadata)


def pull_fails(text, code=1):
    out = cli.home / "out"
    done = cli("skill", "pull", "good", "out").failed(code, text)
    check(not out.exists(), "nothing is unpacked")
    left = [n for n in os.listdir(cli.home) if n not in ("mine",)]
    equal(left, [], "nothing is left behind")
    return done


@test
def an_honest_pull_works_against_it():
    liar.answers = {"getByReference": skill(), "streamArtifact": chunks(GOOD, 100)}
    cli("skill", "pull", "@local/good:v1", "honest").ok()
    equal((cli.home / "honest" / "SKILL.md").read_text(), "# Good\n")
    discard(cli.home / "honest")
    asked = wire.reference.ApiResourceReference.FromString(liar.seen["getByReference"])
    equal((asked.scope, asked.org, asked.kind, asked.slug, asked.version),
          (wire.ORGANIZATION, "local", wire.kind.skill, "good", "v1"))
    asked = wire.io.GetArtifactRequest.FromString(liar.seen["streamArtifact"])
    equal(asked.artifact_storage_key, f"skills/{GOOD_HASH}.zip")


@test
def a_reference_without_organization_leaves_the_scope_open():
    liar.answers = {"getByReference": skill()}
    cli("skill", "get", "good").ok()
    asked = wire.reference.ApiResourceReference.FromString(liar.seen["getByReference"])
    equal((asked.scope, asked.org), (wire.UNSPECIFIED, ""))


@test
def other_bytes_than_the_hash_says():
    other = archives.make({"SKILL.md": "# Evil\n"})
    liar.answers = {"getByReference": skill(), "streamArtifact": chunks(other)}
    pull_fails("the archive is damaged")
    cli("skill", "pull", "good", "--zip", "kept.zip").failed(1, "the archive is damaged")
    equal(os.listdir(cli.home), [])


@test
def pieces_that_do_not_fit():
    for pieces in (chunks(GOOD, 50, shift=1), list(reversed(chunks(GOOD, 50))),
                   chunks(GOOD, total=10), chunks(GOOD, total=-1), chunks(GOOD, total=1 << 40),
                   chunks(GOOD, 50)[:1] * 2):
        liar.answers = {"getByReference": skill(), "streamArtifact": pieces}
        pull_fails("pieces that do not fit together")


@test
def too_few_pieces():
    for pieces in (chunks(GOOD, 50)[:-1], []):
        liar.answers = {"getByReference": skill(), "streamArtifact": pieces}
        pull_fails("the archive is damaged")


@test
def an_archive_that_is_not_safe():
    out = files.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("SKILL.md", "# Evil\n")
        z.writestr("../../evil", "x")
    evil = out.getvalue()
    liar.answers = {"getByReference": skill(archives.sha256(evil)), "streamArtifact": chunks(evil)}
    pull_fails("the archive is not safe to unpack: ")
    check(not (cli.home.parent / "evil").exists())


@test
def the_directory_is_named_by_the_person_not_by_the_server():
    liar.answers = {"getByReference": skill(slug="../evil"), "streamArtifact": chunks(GOOD)}
    cli("skill", "pull", "good").ok()
    equal(os.listdir(cli.home), ["good"])
    discard(cli.home / "good")


@test
def a_push_that_was_stored_as_something_else():
    directory = cli.skill("mine")
    liar.answers = {"push": skill("0" * 64)}
    done = cli("apply", directory).failed(1, "the server stored another version")
    lacks(done.out, "uploaded successfully")
    asked = wire.io.PushSkillRequest.FromString(liar.seen["push"])
    equal((asked.name, asked.org, asked.scope, asked.tag),
          ("mine", "local", wire.ORGANIZATION, "latest"))
    liar.answers = {"push": skill(archives.sha256(asked.artifact))}
    cli("apply", directory).ok()
    discard(directory)


@test
def answers_that_are_no_messages():
    for words, method in ((["get", "good"], "getByReference"), (["list"], "findAll"),
                          (["versions", "good"], "listVersions"), (["tag", "good", "x"], "moveTag"),
                          (["files", "good"], "listFiles")):
        liar.answers = {method: b"\xff\xff\xff\xff"}
        cli("skill", *words).failed(1, "cannot be read")


@test
def answers_without_their_parts():
    liar.answers = {}
    for words in (["get", "good"], ["show", "good"], ["list"], ["versions", "good"],
                  ["files", "good"], ["files", "good", "--json"], ["tag", "good", "x"],
                  ["get", "good", "--json"]):
        cli("skill", *words).ok()
    cli("skill", "delete", "good", "--yes").failed(1, "no metadata")
    cli("skill", "pull", "good", "out").failed(1, "damaged")


@test
def a_list_that_never_ends():
    page = wire.skill.SkillList(next_page_token="again", total=5).SerializeToString()
    liar.answers = {"findAll": page}
    cli("skill", "list", "--all").ok()


@test
def a_manifest_that_never_ends():
    page = wire.io.SkillFileList(items=[wire.io.SkillFile(path=f"f{n}") for n in range(1000)],
                                 next_page_token="again", total=5).SerializeToString()
    for words in (["files", "good"], ["files", "good", "--json"]):
        liar.answers = {"listFiles": page}
        done = cli("skill", *words).failed(1, "more files than an archive can have")
        equal(done.out, "")


@test
def hostile_text_everywhere():
    bad = "\x1b[31m\u202e\x9b\x7f"
    liar.answers = {
        "getByReference": skill(bad, name=bad, slug=bad, org=bad, id=bad),
        "findAll": wire.skill.SkillList(items=[wire.skill.Skill.FromString(
            skill(bad, name=bad, slug=bad, org=bad))], next_page_token=bad).SerializeToString(),
        "listVersions": wire.io.SkillVersionList(items=[wire.io.SkillVersion(
            number=-1, version_hash=bad, tags=[bad], size=-5)],
            next_page_token=bad).SerializeToString(),
        "listFiles": wire.io.SkillFileList(items=[wire.io.SkillFile(
            path=bad, size=-5, sha256=bad, mode=0xffffffff)], version_hash=bad).SerializeToString(),
        "moveTag": skill(bad, name=bad, slug=bad, org=bad),
        "delete": skill(bad)}
    for words in (["get", "a"], ["list"], ["versions", "a"], ["tag", "a", "b"],
                  ["delete", "a", "--yes"], ["show", "a"], ["files", "a"]):
        for done in (cli.terminal("skill", *words, env={"NO_COLOR": "1"}), cli("skill", *words)):
            equal(done.code, 0, done.out + done.err)
            for c in bad.replace("[31m", ""):
                lacks(done.out + done.err, c)
    for command in ("get", "files"):
        done = cli.terminal("skill", command, "a", "--json").ok()
        check(done.out.isascii() and "\x7f" not in done.out and "\x1b" not in done.out)


@test
def hostile_errors():
    for code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAVAILABLE,
                 grpc.StatusCode.DATA_LOSS):
        liar.answers = {"getByReference": (code, "first\n - \x1b[31mred\u202e \\ back")}
        done = cli("skill", "get", "a").failed(1, "first\n - \\x1b[31mred\\u{202e} \\ back\n")
        lacks(done.err, "\x1b")
        lacks(done.err, "Cannot connect")


@test
def a_failing_stream():
    liar.answers = {"getByReference": skill(),
                    "streamArtifact": (grpc.StatusCode.NOT_FOUND, "skill artifact not found: x")}
    pull_fails("skill artifact not found: x")


@test
def a_server_that_is_not_serving():
    liar.answers = {"Check": b"\x08\x02", "get": (grpc.StatusCode.UNIMPLEMENTED, "unknown")}
    equal(cli("server", "status").code, 3, "it tells no state: perhaps it is another program")
    liar.answers = {"Check": b"\x08\x02"}
    contains(cli("server", "status").ok().out, "Healthy:  no")
    liar.answers = {"Check": b"\x08\x01"}
    contains(cli("server", "status").ok().out, "Healthy:  yes")


@test
def a_call_that_is_never_answered_ends_at_the_timeout():
    release = threading.Event()
    liar.answers = {"getByReference": release}
    started = time.monotonic()
    done = cli("skill", "get", "good", "--timeout", "1").failed(1)
    took = time.monotonic() - started
    release.set()
    check(0.9 <= took < 10, f"{took} s")
    lacks(done.err, "Cannot connect")


@test
def a_port_where_nobody_speaks_ends_at_the_timeout():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        cli("skill", "list", "--server", address, "--timeout", "1").failed(1, "Cannot connect")
        check(time.monotonic() - started < 10)
        equal(cli("server", "status", "--server", address, "--timeout", "1").code, 3)


@test
def a_port_where_another_protocol_is_spoken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        def answer():
            peer, _ = other.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        cli("skill", "list", "--server", f"127.0.0.1:{other.getsockname()[1]}").failed(1)
        thread.join()


@test
def times_are_bounded():
    for seconds in (-(1 << 62), 1 << 62):
        answer = wire.skill.Skill.FromString(skill())
        answer.status.audit.spec_audit.updated_at.seconds = seconds
        liar.answers = {"getByReference": answer.SerializeToString()}
        cli("skill", "get", "good").ok()
        cli("skill", "get", "good", "--json").ok()


def clean_up():
    liar.server.stop(None)
    discard(cli.home)


run(clean_up)
