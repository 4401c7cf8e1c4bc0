#!/usr/bin/python3
"""The cache of `stigmer agent`: verified on each use, one download for many processes, whole after kill -9
at any point, offline, and pruned."""

import json
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import time

import grpc

from support import archives, liars, tap, wire
from support.agents import Agent, remove
from support.check import check, contains, equal, lacks
from support.cli import Cli
from support.liars import chunks
from support.paths import CLI, PATIENCE, SANITIZED, discard, scratch
from support.tap import run, test

MIB = archives.MIB
FILES = {"SKILL.md": "# Cached\n", "run.sh": "#!/bin/sh\necho hi\n", "lib/a/b.txt": "text\n", "empty": ""}
DATA = archives.make(FILES)
HASH = archives.sha256(DATA)
REF = f"@local/good@{HASH}"
MODES = {"SKILL.md": 0o644, "run.sh": 0o755, "lib/a/b.txt": 0o644, "empty": 0o644}

stored = {f"skills/{HASH}.zip": DATA}
liar = liars.Liar()
agent = Agent(liar)


def stream(request):
    asked = wire.io.GetArtifactRequest.FromString(request)
    data = stored.get(asked.artifact_storage_key)
    if data is None:
        return (grpc.StatusCode.NOT_FOUND, "skill artifact not found")
    return chunks(data, 1 << 16)[asked.offset >> 16:] if not asked.offset & 0xFFFF else chunks(data)


liar.answers = {"streamArtifact": stream}


def downloads():
    return liar.calls.count("streamArtifact")


def store(n, size=2000):
    """Skill number n, and a reference to it."""
    data = archives.numbered(n, size)
    stored[f"skills/{archives.sha256(data)}.zip"] = data
    return f"@local/s{n}@{archives.sha256(data)}"


def whole(directory, files=FILES, modes=None):
    """Exactly these files, with their modes."""
    found = {str(p.relative_to(directory)): p for p in directory.rglob("*") if not p.is_dir()}
    equal(sorted(found), sorted(files), str(directory))
    for path, text in files.items():
        equal(found[path].read_bytes(), text if isinstance(text, bytes) else text.encode(), path)
        if modes:
            equal(oct(stat.S_IMODE(found[path].lstat().st_mode)), oct(modes[path]), path)


def is_tidy(hashes):
    """Nothing but these skills."""
    equal(agent.entries("skills"), sorted(hashes), "skills")
    equal(agent.entries("manifests"), sorted(hashes), "manifests")
    equal(agent.entries("downloads") + agent.entries("trash"), [], "leftovers")


@test
def a_skill_is_downloaded_once_and_then_verified():
    liar.calls.clear()
    for n in range(3):
        answer = agent.json("agent", "fetch", REF, REF)
        equal([s["path"] for s in answer["skills"]], [str(agent.cache / "skills" / HASH)] * 2)
        equal((answer["downloads"], answer["skills"][0]["size"]),
              (0 if n else 1, sum(map(len, FILES.values()))))
    equal(downloads(), 1)
    whole(agent.cache / "skills" / HASH, modes=MODES)
    is_tidy([HASH])
    for part, mode in (("", 0o700), ("skills", 0o700), ("manifests", 0o700), ("downloads", 0o700)):
        equal(oct(stat.S_IMODE((agent.cache / part).stat().st_mode)), oct(mode), part)


@test
def every_kind_of_damage_is_found_and_healed():
    skill, manifest = agent.cache / "skills" / HASH, agent.cache / "manifests" / HASH
    agent.agent("fetch", REF).ok()
    text = manifest.read_bytes()

    def linked(path, to):
        (skill / path).unlink()
        (skill / path).symlink_to(to)

    damages = {
        "content": lambda: (skill / "run.sh").write_text("#!/bin/sh\necho no\n"),
        "longer": lambda: (skill / "run.sh").write_text("#!/bin/sh\necho hi\n\n"),
        "missing": lambda: (skill / "empty").unlink(),
        "more": lambda: (skill / "lib" / "more").write_text(""),
        "mode": lambda: (skill / "run.sh").chmod(0o4755),
        "link": lambda: linked("run.sh", "/bin/sh"),
        "directory": lambda: (skill / "lib" / "c").mkdir(),
        "pipe": lambda: ((skill / "empty").unlink(), os.mkfifo(skill / "empty")),
        "no files": lambda: shutil.rmtree(skill),
        "no manifest": manifest.unlink,
        "torn manifest": lambda: manifest.write_bytes(text[:-10]),
        "bent manifest": lambda: manifest.write_bytes(text.replace(b"0755", b"0644")),
        "empty manifest": lambda: manifest.write_bytes(b""),
        "large manifest": lambda: manifest.write_bytes(b"x" * (17 << 20)),
    }
    for what, damage in damages.items():
        damage()
        agent.agent("fetch", "--offline", REF).failed(1)
        liar.calls.clear()
        agent.agent("fetch", REF).ok()
        equal(downloads(), 1, what)
        whole(skill, modes=MODES)
        is_tidy([HASH])


@test
def cached_versions_need_no_server():
    agent.forget()
    nobody = {"STIGMER_SERVER_ADDR": "127.0.0.1:1"}
    agent.agent("fetch", REF, env=nobody).failed(1, "Cannot connect")
    agent.agent("fetch", REF, "--offline").failed(1, "offline")
    is_tidy([])
    agent.agent("fetch", REF).ok()
    for options in ([], ["--offline"]):
        agent.agent("fetch", REF, *options, env=nobody).ok()
        agent.agent("mount", "--copy", "--root", agent.home / "offline", REF, *options, env=nobody).ok()
    equal(agent.mounted(agent.home / "offline"), [HASH])
    agent.unmount(agent.home / "offline")


@test
def where_the_cache_is():
    other = agent.home / "xdg"
    path = agent.agent("fetch", REF, env={"XDG_CACHE_HOME": str(other)}).ok().out.strip()
    equal(path, str(other / "stigmer" / "skills" / HASH))
    path = agent.agent("fetch", REF, env={"XDG_CACHE_HOME": "relative"}).ok().out.strip()
    equal(path, str(agent.cache / "skills" / HASH), "a relative one is ignored")
    agent.agent("fetch", REF, env={"HOME": None, "XDG_CACHE_HOME": None}).failed(
        1, "set XDG_CACHE_HOME or HOME")
    (agent.home / "file").write_text("")
    agent.agent("fetch", REF, env={"XDG_CACHE_HOME": str(agent.home / "file")}).failed(
        1, "cannot be used")
    agent.agent("fetch", REF, env={"XDG_CACHE_HOME": "/" + "x" * 5000}).failed(1, "too long")


# --- many processes --------------------------------------------------------------------------------


@test
def thirty_two_processes_fetch_the_same_twenty_skills():
    agent.forget()
    refs = [store(1000 + n, 100_000) for n in range(20)]
    hashes = [ref.rpartition("@")[2] for ref in refs]
    liar.calls.clear()
    liar.asked = []
    answer = liar.answers["streamArtifact"]

    def counted(request):
        liar.asked.append(wire.io.GetArtifactRequest.FromString(request).artifact_storage_key)
        return answer(request)

    liar.answers["streamArtifact"] = counted
    started = [agent.start("agent", "fetch", *random.Random(n).sample(refs, len(refs)))
               for n in range(32)]
    for process in started:
        out, err = process.communicate(timeout=120 * PATIENCE)
        equal(process.returncode, 0, err.decode())
        equal(len(out.splitlines()), len(refs))
    liar.answers["streamArtifact"] = answer
    equal(sorted(liar.asked), sorted(f"skills/{h}.zip" for h in hashes), "one download of each")
    is_tidy(hashes)
    equal(agent.json("agent", "fetch", "--offline", *refs)["downloads"], 0, "all verified")


def kill_some(processes, seed):
    """kill -9 half of them, each after a random moment."""
    chance = random.Random(seed)
    for process in processes:
        if chance.random() < 0.5:
            time.sleep(chance.random() * 0.01)
            process.kill()
    for process in processes:
        _, err = process.communicate(timeout=120 * PATIENCE)
        check(process.returncode in (0, -signal.SIGKILL), err.decode())


@test
def killed_beside_others_nothing_is_torn():
    refs = [store(2000 + n, 200_000) for n in range(4)]
    hashes = [ref.rpartition("@")[2] for ref in refs]
    for round_ in range(4 if SANITIZED else 12):
        agent.forget()
        kill_some([agent.start("agent", "fetch", *refs) for _ in range(6)], round_)
        agent.agent("fetch", *refs).ok()
        agent("cache", "prune").ok()
        is_tidy(hashes)
        agent.agent("fetch", "--offline", *refs).ok()


@test
def killed_while_pruning_nothing_is_torn():
    refs = [store(3000 + n, 50_000) for n in range(6)]
    for round_ in range(3 if SANITIZED else 8):
        agent.agent("fetch", *refs).ok()
        kill_some([agent.start("cache", "prune", "--max-size", "0") for _ in range(3)]
                  + [agent.start("agent", "fetch", *refs) for _ in range(2)], round_)
        agent.agent("fetch", *refs).ok()
        agent("cache", "prune", "--max-size", "0").ok()
        is_tidy([])


@test
def a_prune_may_take_what_is_being_thrown_away():
    """Healing puts the damaged skill aside and removes it: slowly here, so that a prune is faster."""
    if SANITIZED:
        tap.skip("sanitizers cannot be traced")
    agent.forget()
    agent.agent("fetch", REF).ok()
    (agent.cache / "skills" / HASH / "run.sh").write_text("damaged")
    slow = ["strace", "-f", "-qq", "-o", str(agent.home / "trace"), "-e", "trace=unlinkat",
            "-e", "inject=unlinkat:delay_enter=1000000"]
    healing = subprocess.Popen([*slow, *agent.command(["agent", "fetch", REF])], env=agent.environment(None),
                               cwd=agent.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while healing.poll() is None and not agent.entries("trash"):
        time.sleep(0.01)
    agent("cache", "prune").ok()
    _, err = healing.communicate(timeout=120)
    if b"ptrace" in err:
        tap.skip("no ptrace here")
    equal(healing.returncode, 0, err.decode())
    (agent.home / "trace").unlink()
    whole(agent.cache / "skills" / HASH, modes=MODES)
    is_tidy([HASH])


# Only what changes something can leave another state than the call before it.
CHANGES = ("openat", "mkdirat", "mkdir", "write", "pwrite64", "renameat", "renameat2", "unlinkat",
           "fchmod", "ftruncate", "utimensat", "flock", "linkat", "exit_group")


def traced(*args):
    """How often each call of CHANGES is made, when the command runs to its end."""
    log = agent.home / "trace"
    done = subprocess.run(["strace", "-f", "-qq", "-o", str(log), "-e", "trace=" + ",".join(CHANGES),
                           *agent.command(args)], env=agent.environment(None), cwd=agent.home,
                          capture_output=True, check=False, timeout=120)
    if done.returncode and b"ptrace" in done.stderr:
        tap.skip("no ptrace here")
    equal(done.returncode, 0, done.stderr.decode())
    counts = {}
    for line in log.read_text().splitlines():
        name = re.match(r"(?:\d+ +)?(\w+)\(", line)
        if name:
            counts[name[1]] = counts.get(name[1], 0) + 1
    log.unlink()
    return counts


def killed_at_every_call(args, prepare, settle):
    """SIGKILL when each of its calls begins; then settle()."""
    prepare()
    counts = traced(*args)
    n = n_killed = 0
    for name, count in counts.items():
        for k in range(1, count + 1):
            prepare()
            done = subprocess.run(
                ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}",
                 "-e", f"inject={name}:signal=KILL:when={k}", *agent.command(args)],
                env=agent.environment(None), cwd=agent.home, capture_output=True, check=False,
                timeout=120)
            # How often a socket is read and written depends on when what comes.
            check(done.returncode in (-9, 137, 0), f"{name} {k}: {done.returncode} {done.stderr}")
            n_killed += done.returncode != 0
            settle()
            n += 1
    tap.note(f"{n_killed} places")
    check(n_killed > 20 and n_killed > 0.9 * n, f"killed at {n_killed} of {n} places")


@test
def killed_at_any_call_of_a_fetch_the_cache_works():
    if SANITIZED:
        tap.skip("sanitizers cannot be traced")

    def settle():
        agent.agent("fetch", REF).ok()
        whole(agent.cache / "skills" / HASH, modes=MODES)
        agent("cache", "prune").ok()
        is_tidy([HASH])

    killed_at_every_call(("agent", "fetch", REF), agent.forget, settle)


@test
def killed_at_any_call_while_damage_is_healed_the_cache_works():
    if SANITIZED:
        tap.skip("sanitizers cannot be traced")
    skill = agent.cache / "skills" / HASH

    def damage():
        agent.agent("fetch", REF).ok()
        (skill / "run.sh").write_text("evil\n")

    def settle():
        agent.agent("fetch", REF).ok()
        whole(skill, modes=MODES)
        agent("cache", "prune").ok()
        is_tidy([HASH])

    killed_at_every_call(("agent", "fetch", REF), damage, settle)


@test
def killed_at_any_call_of_a_prune_the_cache_works():
    if SANITIZED:
        tap.skip("sanitizers cannot be traced")
    refs = [REF, store(6000)]

    def settle():
        agent.agent("fetch", *refs).ok()
        whole(agent.cache / "skills" / HASH, modes=MODES)
        agent("cache", "prune").ok()
        is_tidy(sorted(ref.rpartition("@")[2] for ref in refs))

    killed_at_every_call(("cache", "prune", "--max-size", "0"),
                         lambda: agent.agent("fetch", *refs).ok(), settle)


@test
def killed_at_any_call_of_a_mount_there_is_all_of_it_or_none():
    if SANITIZED:
        tap.skip("sanitizers cannot be traced")
    agent.agent("fetch", REF).ok()
    place = agent.root / "bin" / "skills" / HASH
    read_only = {path: mode & ~0o222 for path, mode in MODES.items()}

    def settle():
        if place.exists():
            whole(place, modes=read_only)
        agent.agent("mount", "--copy", "--root", agent.root, REF).ok()
        whole(place, modes=read_only)
        equal(agent.mounted(), [HASH], "nothing half done is left")

    killed_at_every_call(("agent", "mount", "--copy", "--root", str(agent.root), REF),
                         lambda: remove(agent.root), settle)
    agent.unmount()


@test
def killed_at_any_call_of_a_resolve_the_lock_file_is_whole():
    if SANITIZED:
        tap.skip("sanitizers cannot be traced")
    lock, other = agent.home / "skills.lock", "1" * 64
    old = liars.skill(HASH)
    new = liars.skill(other)

    def pinned():
        return [pin["hash"] for pin in json.loads(lock.read_text())["skills"]]

    def prepare():
        lock.unlink(missing_ok=True)
        liar.answers["getByReference"] = old
        agent.agent("resolve", "@local/good").ok()
        liar.answers["getByReference"] = new

    def settle():
        check(pinned() in ([HASH], [other]), "the old one or the new one")
        agent.agent("resolve", "@local/good").ok()
        equal(pinned(), [other])
        equal([name for name in os.listdir(agent.home) if "lock" in name], ["skills.lock"], "alone")

    killed_at_every_call(("agent", "resolve", "@local/good"), prepare, settle)
    lock.unlink()


# --- pruning ---------------------------------------------------------------------------------------


@test
def pruning_removes_the_longest_unused_first():
    agent.forget()
    refs = [store(4000 + n, 100_000) for n in range(5)]
    hashes = [ref.rpartition("@")[2] for ref in refs]
    agent.agent("fetch", *refs).ok()
    for n, h in enumerate(hashes):
        os.utime(agent.cache / "manifests" / h, (1000 + n, 1000 + n))
    agent.agent("fetch", refs[0]).ok()  # used again
    said = agent("cache", "prune", "--max-size", "250K").ok().out
    contains(said, "Removed 3 skills")
    is_tidy([hashes[0], hashes[4]])
    answer = agent.json("cache", "prune", "--max-size", "0")
    equal((answer["removedSkills"], answer["keptSkills"], answer["keptBytes"], answer["inUse"]),
          (2, 0, 0, 0))
    check(200_000 < answer["removedBytes"] < 210_000, str(answer))
    is_tidy([])


@test
def pruning_clears_what_was_left_half_done():
    agent.agent("fetch", REF).ok()
    (agent.cache / "downloads" / ("0" * 64)).write_bytes(b"x" * 1000)
    (agent.cache / "downloads" / "odd").write_bytes(b"x")
    (agent.cache / "skills" / ".unpack-1").mkdir()
    (agent.cache / "skills" / ("1" * 64)).mkdir()  # without a manifest
    (agent.cache / "manifests" / ("2" * 64)).write_bytes(b"x")  # without a skill
    (agent.cache / "trash" / "x" / "y").mkdir(parents=True)
    agent("cache", "prune").ok()
    is_tidy([HASH])


@test
def what_is_in_use_stays():
    agent.forget()
    agent.agent("fetch", REF).ok()
    lock = os.open(agent.cache / "skills" / HASH, os.O_RDONLY | os.O_DIRECTORY)
    import fcntl
    fcntl.flock(lock, fcntl.LOCK_SH)
    try:
        done = agent("cache", "prune", "--max-size", "0").ok()
        contains(done.out, "1 of those would have gone, but are in use")
        is_tidy([HASH])
    finally:
        os.close(lock)
    if agent.json("agent", "mount", "--root", agent.root, REF)[0]["kind"] == "bind":
        equal(agent.json("cache", "prune", "--max-size", "0")["inUse"], 1)
        whole(agent.root / "bin" / "skills" / HASH)
    agent.unmount()
    equal(agent.json("cache", "prune", "--max-size", "0")["inUse"], 0)
    is_tidy([])


@test
def the_limit_holds_after_a_download():
    agent.forget()
    refs = [store(5000 + n, 100_000) for n in range(4)]
    limit = {"STIGMER_CACHE_MAX_SIZE": "250K"}
    for ref in refs:
        agent.agent("fetch", ref, env=limit).ok()
    equal(len(agent.entries("skills")), 2)
    agent.agent("fetch", *refs, env=limit).ok()  # what one command needs stays while it runs
    agent("cache", "prune", env=limit).ok()
    equal(len(agent.entries("skills")), 2, "prune takes the same limit")
    for bad in ("x", "-1", "10Q", "1.5G"):
        agent.agent("fetch", REF, env={"STIGMER_CACHE_MAX_SIZE": bad}).failed(2, "is no size")
        done = agent("cache", "prune", "--max-size", bad)
        check(done.code == 2 and "is no size" in done.err, done.err)
    for good in ("0", "17", "5K", "3M", "2G", "1T"):
        agent("cache", "prune", "--max-size", good).ok()


def clean_up():
    liar.server.stop(None)
    agent.remove()


run(clean_up)
