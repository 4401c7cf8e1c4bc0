#!/usr/bin/python3
"""Manifests over the wire: what they list, their pages, their bounds, and stores from before."""

import hashlib
import tarfile
import threading
import time

import grpc

from support import archives, process, tap, wire
from support.check import check, contains, equal, fails, lacks
from support.paths import PATIENCE, ROOT, SANITIZED, SERVER, discard, run
from support.server import Server
from support.tap import test

NOT_FOUND, INVALID = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT
server = Server().start()
client = server.client()


def numbered_files(n, prefix=""):
    return {f"{prefix}f{i:05}.txt": f"{prefix[:8]} {i}" for i in range(n)}


def manifest_of(files):
    """What listFiles must say of {path: text}, none of them a script."""
    made = {}
    for path, text in files.items():
        data = text if isinstance(text, bytes) else text.encode()
        made[path] = (len(data), hashlib.sha256(data).hexdigest(), 0o644)
    return made


@test
def what_is_left_out_when_unpacking_is_left_out():
    files = {"SKILL.md": "# Mac\n", "a.txt": "a", "__MACOSX/._a.txt": "fork", ".DS_Store": "x",
             "deep/.DS_Store": "x", "empty": ""}
    client.push("Mac", archives.make(files))
    kept = {path: files[path] for path in ("SKILL.md", "a.txt", "empty")}
    equal(client.all_files("mac"), manifest_of(kept))


@test
def pages_of_any_size_are_the_whole_in_order():
    files = {**numbered_files(300), "SKILL.md": archives.skill_md()}
    client.push("Paged", archives.make(files))
    for size in (1, 7, 64, 299, 300, 301, 302, 1000, 5000):
        paths, token = [], ""
        while True:
            page = client.files("paged", page_size=size, page_token=token)
            check(len(page.items) <= min(size, 1000), "not more than asked for")
            equal((page.total, page.total_size), (301, sum(map(len, files.values()))))
            paths += [f.path for f in page.items]
            token = page.next_page_token
            if not token:
                break
        equal(paths, sorted(files), f"pages of {size}")
    equal(client.all_files("paged", page_size=50), manifest_of(files))


@test
def a_list_stays_with_its_version():
    first, second = numbered_files(20, "old-"), numbered_files(20, "new-")
    client.push("Moving", archives.make(first), org="acme", tag="t")
    page = client.files("moving", org="acme", page_size=15)
    client.push("Moving", archives.make(second), org="acme", tag="t")
    rest = client.files("moving", org="acme", page_token=page.next_page_token)
    equal(rest.version_hash, page.version_hash)
    equal([f.path for f in [*page.items, *rest.items]], sorted([*first, "SKILL.md"]))
    check(client.files("moving", org="acme").version_hash != page.version_hash)
    fails(INVALID, "page_token", client.files, "moving", "t", org="acme",
          page_token=page.next_page_token)
    fails(INVALID, "page_token", client.files, "paged", page_token=page.next_page_token)


@test
def equal_bytes_are_listed_alike():
    data = archives.make(numbered_files(10))
    client.push("Twin One", data, org="one")
    client.push("Twin Two", data, org="two")
    one, two = client.files("twin-one"), client.files("twin-two")
    equal(one, two)
    client.delete("org/one/skill/twin-one")
    fails(NOT_FOUND, "skill not found: twin-one", client.files, "twin-one")
    equal(client.files("twin-two"), two)


@test
def a_deleted_version_comes_back_with_its_bytes():
    data = archives.make(numbered_files(3))
    pushed = client.push("Phoenix", data, tag="v1")
    before = client.files("phoenix", "v1")
    client.delete(pushed.metadata.id)
    fails(NOT_FOUND, "skill not found: phoenix", client.files, "phoenix", "v1")
    client.push("Phoenix", archives.make(numbered_files(4)), tag="v2")
    fails(NOT_FOUND, "skill version not found", client.files, "phoenix", archives.sha256(data))
    client.push("Phoenix", data, tag="v3")
    equal(client.files("phoenix", archives.sha256(data)), before)


@test
def a_refused_push_has_no_manifest():
    fails(INVALID, "failed to extract SKILL.md", client.push, "Refused",
          archives.make({"../x": "x"}))
    fails(NOT_FOUND, "skill not found: refused", client.files, "refused")


@test
def manifests_outlive_a_restart():
    with Server() as own:
        c = own.client()
        files = {**numbered_files(100), "SKILL.md": archives.skill_md()}
        c.push("Kept", archives.make(files))
        before = c.all_files("kept", page_size=30)
        equal(before, manifest_of(files))
        own.restart()
        equal(own.client().all_files("kept", page_size=30), before)


# --- the largest -----------------------------------------------------------------------------------


@test
def ten_thousand_files_with_the_longest_paths():
    """The most that the profile takes; many lists at once stay within bounded memory."""
    deep = "/".join(c * 250 for c in "abcd") + "/"
    files = numbered_files(9999, deep)
    data = archives.make(files)
    files["SKILL.md"] = archives.skill_md()
    with Server() as own:
        c = own.client([("grpc.max_receive_message_length", 4 * archives.MIB)])
        started = time.monotonic()
        c.push("Many", data)
        pushed = time.monotonic() - started
        idle = process.rss_kib(own.pid)
        process.reset_peak(own.pid)
        started = time.monotonic()
        equal(c.all_files("many"), manifest_of(files))
        tap.note(f"pushed in {pushed:.2f} s, listed in {time.monotonic() - started:.2f} s")
        failed = []
        threads = [threading.Thread(target=lambda: failed.extend(
            () if len(own.client().all_files("many")) == 10000 else (1,))) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal(failed, [])
        grown = process.peak_kib(own.pid) - idle
        tap.note(f"resident memory grew by {grown} KiB at most")
        if not SANITIZED:
            check(grown < 64 * 1024, f"memory grew by {grown} KiB for 8 lists at once")


@test
def small_calls_are_served_while_a_large_manifest_is_listed():
    client.push("Long", archives.make(numbered_files(9999, "x" * 200 + "/")))
    done = threading.Event()
    lister = threading.Thread(target=lambda: (server.client().all_files("long"), done.set()))
    own = server.client()
    wire.health(own.channel)
    lister.start()
    slowest = 0.0
    while not done.is_set():
        started = time.monotonic()
        own.resolve("long")
        slowest = max(slowest, time.monotonic() - started)
    lister.join()
    tap.note(f"the slowest small call took {slowest * 1000:.1f} ms")
    check(slowest < 2 * PATIENCE, f"a small call took {slowest:.2f} s")


# --- a store from before manifests -----------------------------------------------------------------

# Made with the last server that kept none: @local/old (v1, v2), @other/twin with the bytes of v1,
# and @local/gone, which was deleted.
OLD_STORE = ROOT / "tests" / "golden" / "store-before-manifests.tar.gz"
OLD_V1 = {"SKILL.md": archives.skill_md("old", "The first version."), "notes/ä.txt": "notes\n",
          "scripts/run.sh": "echo one\n", "tool": "#!/bin/sh\n"}
OLD_V1_HASH = "5a2dec714a21f6cfb371a5781afff70166672671ffac285e4623af215871c46e"


def old_manifest():
    runs = ("scripts/run.sh", "tool")
    return {path: (size, hashed, 0o755 if path in runs else mode)
            for path, (size, hashed, mode) in manifest_of(OLD_V1).items()}


def old_server():
    made = Server()
    with tarfile.open(OLD_STORE) as archive:
        archive.extractall(made.home)  # ours, from the repository
    return made


def old_artifact(own):
    return own.storage / "skills" / f"{OLD_V1_HASH}.zip"


def dump(own):
    done = run(SERVER, "dump", env=own.environment())
    equal((done.returncode, done.stderr), (0, ""))
    return done.stdout


@test
def old_versions_are_listed_once_they_are_asked_for():
    own = old_server()
    with own:
        c = own.client()
        before = dump(own)
        contains(before, "org/local/skill/old")
        equal(c.all_files("old", "v1"), old_manifest())
        equal(c.files("old", "v1").version_hash, OLD_V1_HASH)
        equal(sorted(c.all_files("old")), sorted([*OLD_V1, "data.bin"]))
        equal(dump(own), before)
        fails(NOT_FOUND, "skill not found: gone", c.files, "gone")
        own.restart()
        old_artifact(own).unlink()  # recorded: the archive is not needed any more
        c = own.client()
        equal(c.all_files("old", "v1"), old_manifest())
        equal(c.all_files("twin"), old_manifest())
        answer = c.push("Old", archives.make(numbered_files(2)), org="local", tag="v3")
        equal(sorted(c.all_files("old", "v3")), ["SKILL.md", "f00000.txt", "f00001.txt"])
        equal(c.versions("old", org="local").total, 3)
        equal(answer.metadata.id, "org/local/skill/old")


@test
def the_first_pages_may_be_asked_for_at_once():
    with old_server() as own:
        found = [None] * 8

        def ask(n):
            found[n] = own.client().all_files("old", "v1", page_size=1)

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(found))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        equal(found, [old_manifest()] * len(found))


@test
def pushing_old_bytes_again_records_their_manifest():
    with old_server() as own:
        c = own.client()
        data = old_artifact(own).read_bytes()
        equal(c.push("Third", data).status.version_hash, OLD_V1_HASH)
        old_artifact(own).unlink()
        for slug, version in (("third", ""), ("old", "v1"), ("twin", "")):
            equal(c.all_files(slug, version), old_manifest(), slug)


@test
def a_damaged_or_lost_archive_is_not_listed():
    with old_server() as own:
        c = own.client()
        whole = old_artifact(own).read_bytes()
        old_artifact(own).write_bytes(whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])
        for _ in range(2):  # damaged, then put aside
            text = fails(grpc.StatusCode.DATA_LOSS, "", c.files, "old", "v1")
            lacks(text, str(own.home))
        fails(grpc.StatusCode.DATA_LOSS, "the server has lost the artifact", c.files, "twin")
        equal(len(c.files("old").items), 5, "other versions are well")
        c.push("Twin", whole, org="other", tag="healed")
        equal(c.all_files("old", "v1"), old_manifest())


def the_server_ends_cleanly():
    server.stop()
    discard(server.home)


if __name__ == "__main__":
    tap.run(cleanup=the_server_ends_cleanly)
