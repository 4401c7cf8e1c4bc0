#!/usr/bin/python3
"""What pushing, resolving, listing and deleting mean (API.md, section 4)."""

import os
import stat
import threading

import grpc

from support import archives, tap, wire
from support.check import check, equal, eventually, fails
from support.paths import PATIENCE, discard
from support.server import Server
from support.tap import test

server = Server().start()
client = server.client()
NOT_FOUND = grpc.StatusCode.NOT_FOUND
A, B, C = (archives.numbered(n) for n in (101, 102, 103))
HASH_A, HASH_B, HASH_C = map(archives.sha256, (A, B, C))


def audit(answer):
    return answer.status.audit.spec_audit


def created(answer):
    return audit(answer).created_at.ToNanoseconds()


def updated(answer):
    return audit(answer).updated_at.ToNanoseconds()


@test
def slugs():
    cases = (("My Calculator", "my-calculator"), ("Email_Tool", "emailtool"),
             ("Agent@123!", "agent123"), ("  a  b ", "a-b"), ("Agent 你好", "agent"),
             ("\u212a", "k"), ("\u0130", "i"), ("a--b", "a-b"), ("-x-", "x"))
    for n, (name, slug) in enumerate(cases):
        answer = client.push(name, archives.numbered(n))
        equal((answer.metadata.name, answer.metadata.slug), (name, slug))


@test
def an_update_keeps_the_creation_and_moves_the_rest():
    first = client.push("Update", A, tag="v1")
    second = client.push("update", B, tag="v2")
    third = client.push("UPDATE", A, tag="v3")
    equal({a.metadata.id for a in (first, second, third)}, {"platform/skill/update"})
    equal({created(a) for a in (first, second, third)}, {created(first)})
    check(updated(first) < updated(second) < updated(third), "updated_at grows strictly")
    equal([audit(a).event for a in (first, second, third)], ["created", "updated", "updated"])
    equal(third.metadata.name, "UPDATE", "the name as sent last")
    equal(audit(third).created_by.id, "system")


@test
def updated_at_grows_strictly_however_fast():
    times = [updated(client.push("Fast", archives.numbered(n % 3))) for n in range(40)]
    check(all(a < b for a, b in zip(times, times[1:])), "strictly growing")


@test
def a_retry_changes_nothing():
    first = client.push("Retry", A, tag="t")
    for _ in range(3):
        equal(client.push("Retry", A, tag="t"), first)
    equal(client.versions("retry").total, 1)
    other_tag = client.push("Retry", A, tag="u")
    check(updated(other_tag) > updated(first), "another tag is an update")
    equal(client.versions("retry").total, 2)
    equal(client.by_tag("retry", "t").status.version_hash, HASH_A, "the first tag stays")


@test
def the_same_bytes_are_one_file():
    data = archives.numbered(7777, size=50000)
    name = f"{archives.sha256(data)}.zip"
    keys = {client.push("Same One", data).status.artifact_storage_key}
    path = server.storage / "skills" / name
    before = os.stat(path)
    keys.add(client.push("Same Two", data).status.artifact_storage_key)
    keys.add(client.push("Same Two", data, org="elsewhere").status.artifact_storage_key)
    equal(keys, {f"skills/{name}"})
    after = os.stat(path)
    equal((after.st_ino, after.st_mtime_ns, after.st_ctime_ns),
          (before.st_ino, before.st_mtime_ns, before.st_ctime_ns), "nothing was rewritten")
    equal([f for f in server.stored_files() if name[:64] in f], [f"skills/{name}"])


@test
def tags_follow_the_last_push_and_hashes_stay():
    client.push("Follow", A, tag="stable")
    equal(client.by_tag("follow", "stable").status.version_hash, HASH_A)
    client.push("Follow", B, tag="stable")
    client.push("Follow", C)
    equal(client.by_tag("follow", "stable").status.version_hash, HASH_B)
    equal(client.resolve("follow").status.version_hash, HASH_C)
    for hashed in (HASH_A, HASH_B, HASH_C):
        equal(client.by_hash("follow", hashed).status.version_hash, hashed)
        equal(client.resolve("follow", hashed).status.version_hash, hashed)
    fails(NOT_FOUND, "skill version not found", client.resolve, "follow", HASH_A.upper())


@test
def latest_is_the_current_one():
    client.push("Latest", A, tag="latest")
    answer = client.push("Latest", B, tag="edge")
    equal(client.resolve("latest", "latest"), answer)
    equal(client.by_tag("latest", "latest"), answer)
    equal(client.push("Latest", C, tag="latest").spec.tag, "latest")


@test
def two_orgs_never_see_each_other():
    one = client.push("Shared Slug", A, org="one", tag="t", scope=wire.ORGANIZATION)
    two = client.push("Shared Slug", B, org="two", tag="t", scope=wire.ORGANIZATION)
    all_ = client.push("Shared Slug", C, tag="t", scope=wire.PLATFORM)
    equal([s.metadata.id for s in (one, two, all_)],
          ["org/one/skill/shared-slug", "org/two/skill/shared-slug",
           "platform/skill/shared-slug"])
    for org, hashed, others in (("one", HASH_A, (HASH_B, HASH_C)), ("two", HASH_B, (HASH_A, HASH_C)),
                                ("", HASH_C, (HASH_A, HASH_B))):
        for version in ("", "latest", "t", hashed):
            equal(client.resolve("shared-slug", version, org=org).status.version_hash, hashed)
        equal(client.by_tag("shared-slug", "t", org=org).status.version_hash, hashed)
        for other in others:
            fails(NOT_FOUND, "skill version not found",
                  client.by_hash, "shared-slug", other, org=org)
        equal(client.versions("shared-slug", org=org).total, 1)
    equal([s.metadata.org for s in client.find(org="one", page_size=100).items
           if s.metadata.slug == "shared-slug"], ["one"])
    client.delete(one.metadata.id)
    fails(NOT_FOUND, "skill not found", client.resolve, "shared-slug", org="one")
    equal(client.resolve("shared-slug", org="two"), two)


@test
def unspecified_scope_follows_org():
    client.push("Scoped", A, org="acme")
    equal(client.resolve("scoped", org="acme", scope=wire.ORGANIZATION).metadata.owner_scope,
          wire.ORGANIZATION)
    equal(client.resolve("scoped", scope=wire.PLATFORM).metadata.org, "acme",
          "platform without org falls back to the only one")
    client.push("Scoped", B)
    equal(client.resolve("scoped", scope=wire.PLATFORM).status.version_hash, HASH_B,
          "the exact match wins over the fallback")
    fails(NOT_FOUND, "skill not found: scoped", client.resolve, "scoped", org="other")


@test
def deleting_ends_a_life_and_a_push_begins_another():
    first = client.push("Phoenix", A, tag="stable")
    client.push("Phoenix", B, tag="edge")
    client.delete(first.metadata.id)
    for version in ("", "latest", "stable", HASH_A):
        fails(NOT_FOUND, "skill not found: phoenix", client.resolve, "phoenix", version)
    fails(NOT_FOUND, "Skill not found", client.delete, first.metadata.id)
    check(client.artifact(first.status.artifact_storage_key) == A, "artifacts are kept")
    fails(NOT_FOUND, "", client.versions, "phoenix")
    equal([v.deleted for v in client.versions("phoenix", include_deleted=True).items],
          [True, True])

    again = client.push("Phoenix", C, tag="new")
    equal(again.metadata.id, first.metadata.id)
    equal(audit(again).event, "created")
    check(created(again) > created(first), "created_at is fresh")
    equal(client.versions("phoenix").total, 1)
    equal(client.versions("phoenix", include_deleted=True).total, 3)
    for version in ("stable", "edge", HASH_A, HASH_B):
        fails(NOT_FOUND, "skill version not found", client.resolve, "phoenix", version)
    client.push("Phoenix", A)
    equal(client.resolve("phoenix", HASH_A).status.version_hash, HASH_A, "pushed again, reached")


@test
def moving_tags():
    client.push("Tagged", A, tag="a")
    client.push("Tagged", B, tag="b")
    current = client.resolve("tagged")
    moved = client.move_tag("tagged", HASH_A, "release")
    equal(moved.status.version_hash, HASH_A)
    equal(client.move_tag("tagged", "b", "release").status.version_hash, HASH_B)
    equal(client.move_tag("tagged", "release", "a").status.version_hash, HASH_B, "from tag to tag")
    equal(client.by_tag("tagged", "a").status.version_hash, HASH_B)
    equal(client.resolve("tagged").status, current.status, "the current version is untouched")
    equal(client.versions("tagged").total, 2, "no version was added")
    tags = {v.version_hash: sorted(v.tags) for v in client.versions("tagged").items}
    equal(tags, {HASH_A: [], HASH_B: ["a", "b", "release"]})
    fails(NOT_FOUND, "", client.move_tag, "tagged", HASH_C, "release")
    fails(NOT_FOUND, "skill not found: nothing", client.move_tag, "nothing", "", "release")


@test
def a_tag_says_since_when_it_points_there():
    first = client.push("Since", A, tag="t")
    pushed = client.tag("since", "t")
    equal((pushed.tag, pushed.version_hash, pushed.moved_by.id), ("t", HASH_A, "system"))
    equal(pushed.moved_at, first.status.audit.spec_audit.updated_at, "since its push")
    second = client.push("Since", B, tag="u")
    latest = client.tag("since")
    equal((latest.tag, latest.version_hash, latest.moved_at),
          ("latest", HASH_B, second.status.audit.spec_audit.updated_at))
    equal(client.tag("since", "latest"), latest)
    client.move_tag("since", "u", "t")
    moved = client.tag("since", "t")
    equal(moved.version_hash, HASH_B)
    check(moved.moved_at.ToNanoseconds() > latest.moved_at.ToNanoseconds(), "after both pushes")
    client.move_tag("since", "u", "t")
    equal(client.tag("since", "t"), moved, "pointing it there again changes nothing")
    fails(NOT_FOUND, "skill version not found: since:none", client.tag, "since", "none")
    fails(NOT_FOUND, "skill not found: nothing", client.tag, "nothing", "t")
    fails(grpc.StatusCode.INVALID_ARGUMENT, "give a tag", client.tag, "since", HASH_A)


@test
def lists_page_through_everything_once():
    for n in range(45):
        client.push(f"Item {n:02}", A, org="listed")
    by_number = [s.metadata.slug for page in (1, 2, 3)
                 for s in client.find(org="listed", page_number=page).items]
    expected = [f"item-{n:02}" for n in range(45)]
    equal(by_number, expected, "twenty a page unless told otherwise")
    equal(len(client.find(org="listed", page_number=4).items), 0)
    seen, token = [], ""
    while True:
        page = client.find(org="listed", page_size=7, page_token=token)
        equal((page.kind, page.total), ("SkillList", 45))
        seen += [s.metadata.slug for s in page.items]
        token = page.next_page_token
        if not token:
            break
    equal(seen, expected, "by token")
    info = wire.reference.PageInfo(num=2, size=10)
    equal([s.metadata.slug for s in client.find(org="listed", page=info).items], expected[10:20])
    equal(client.find(org="listed", kind="Skill").total, 45)
    check(all(s.spec.skill_md and s.status.version_hash for s in
              client.find(org="listed").items), "every item is whole")


@test
def a_long_history_is_reached_to_its_end():
    hashes = []
    for n in range(130):
        data = archives.numbered(5000 + n)
        client.push("Long", data, tag=f"v{n}")
        hashes.append(archives.sha256(data))
    for n in (0, 1, 64, 129):
        equal(client.by_tag("long", f"v{n}").status.version_hash, hashes[n])
        equal(client.by_hash("long", hashes[n]).spec.tag, f"v{n}")
    seen, token = [], ""
    while True:
        page = client.versions("long", page_size=50, page_token=token)
        seen += [v.version_hash for v in page.items]
        token = page.next_page_token
        if not token:
            break
    equal(seen, hashes[::-1], "newest first, each once")


@test
def ten_parallel_first_pushes_give_one_skill_with_ten_versions():
    start, answers, errors = threading.Barrier(10), [], []

    def push(n):
        own = server.client()
        wire.health(own.channel)
        start.wait()
        try:
            answers.append(own.push("Race", archives.numbered(900 + n), tag=f"t{n}"))
        except grpc.RpcError as error:
            errors.append(error)

    threads = [threading.Thread(target=push, args=(n,)) for n in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(errors, [])
    equal({a.metadata.id for a in answers}, {"platform/skill/race"})
    equal({created(a) for a in answers}, {created(answers[0])})
    equal(sorted(audit(a).event for a in answers), ["created"] + ["updated"] * 9)
    equal(len({updated(a) for a in answers}), 10)
    history = client.versions("race")
    equal(history.total, 10)
    equal(sorted(v.number for v in history.items), list(range(1, 11)))
    newest = max(answers, key=updated)
    equal(client.resolve("race"), newest, "the last push is the current one")
    for n in range(10):
        equal(client.by_tag("race", f"t{n}").status.version_hash,
              archives.sha256(archives.numbered(900 + n)))


@test
def modes_keep_others_out():
    client.push("Modes", A)
    for path, _, files in os.walk(server.storage):
        equal(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0, path)
        for name in files:
            equal(stat.S_IMODE(os.stat(os.path.join(path, name)).st_mode), 0o600, name)
    equal(stat.S_IMODE(os.stat(server.storage / "skills").st_mode), 0o700)
    for path, _, files in os.walk(server.db):
        for name in [".", *files]:
            mode = stat.S_IMODE(os.stat(os.path.join(path, name)).st_mode)
            equal(mode & 0o077, 0, os.path.join(path, name))


@test
def a_damaged_artifact_is_never_served():
    data = archives.numbered(666, size=20000)
    key = client.push("Damaged", data).status.artifact_storage_key
    check(client.artifact(key) == data, "whole before")
    path = server.storage / key
    with open(path, "r+b") as f:
        f.seek(5000)
        f.write(b"\0damaged\0")
    fails(grpc.StatusCode.DATA_LOSS, "", client.artifact, key)
    check(not path.exists(), "taken out of the store")
    check(any("quarantine" in f for f in server.stored_files()), "kept for the operator")
    for call in (client.artifact, lambda k: list(client.stream(k))):
        try:
            call(key)
            raise AssertionError("served after quarantine")
        except grpc.RpcError as error:
            check(error.code() in (grpc.StatusCode.DATA_LOSS, NOT_FOUND), str(error.code()))
    client.push("Damaged", data)
    check(client.artifact(key) == data, "pushing the bytes again heals it")


@test
def a_damaged_artifact_is_found_while_streaming_too():
    data = archives.numbered(667, size=20000)
    key = client.push("Damaged Stream", data).status.artifact_storage_key
    (server.storage / key).write_bytes(data[:-1] + b"x")
    fails(grpc.StatusCode.DATA_LOSS, "", lambda: list(client.stream(key)))


@test
def pushes_do_not_leave_descriptors_behind():
    from support import process
    own = server.client()
    own.push("Descriptors", A)
    before = len(process.open_files(server.pid))
    for n in range(60):
        own.push("Descriptors", archives.numbered(n))
        try:
            own.push("Descriptors", b"PK nonsense")
        except grpc.RpcError:
            pass
        own.artifact(f"skills/{HASH_A}.zip")
    eventually(lambda: len(process.open_files(server.pid)) <= before, 5 * PATIENCE,
               "descriptors are given back")


def the_server_ends_cleanly():
    server.stop()
    discard(server.home)


if __name__ == "__main__":
    tap.run(cleanup=the_server_ends_cleanly)
