#!/usr/bin/python3
"""What an agent waits for: a cached skill, unpacking, the start of a sandbox.

Unpacking: 100 MB of this system's files, by `zip/unpack` after its audit and by `unzip -q`, in turns and into
the same file system, without waiting for the disk; seconds of both kinds, since the machine is shared.
A cached skill: whole processes of `stigmer agent fetch`, which verifies every file, beside `stigmer version`.
The sandbox: `stigmer agent exec` beside plain bubblewrap, all running `true`: once with the same namespaces and
the same mounts, once bare, with no more than a program needs to start.
All are medians; each side has been run before it is measured.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import time

from audit import cpu_of, make_corpus
from common import BUILD, Server, discard, result, scratch, table
from support.paths import ROOT

MB = 1000 * 1000
CLI = str(BUILD / "stigmer")
REF = "@local/calculator"
SANDBOX = [CLI, "agent", "exec", REF, "--"]
BWRAP = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session"]
BARE = [*BWRAP, "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
        "--symlink", "usr/bin", "/bin", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "true"]


def same_root(env, home):
    """Plain bubblewrap with the mounts that `stigmer agent exec` has: the words for it."""
    told = subprocess.run([*SANDBOX, "cat", "/proc/self/mountinfo"], env=env, cwd=home, check=True,
                          capture_output=True, text=True).stdout
    mounts = [line.split() for line in told.splitlines()]
    words = ["--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"]
    for fields in mounts[1:]:
        source, path, kind = fields[3], fields[4], fields[fields.index("-") + 1]
        if path in ("/proc", "/dev"):
            words += [f"--{path[1:]}", path]
        elif path.startswith("/dev/") and path != "/dev/shm":
            continue  # of --dev
        elif kind == "tmpfs":
            words += ["--tmpfs", path]
        elif kind == "devtmpfs" or source == "/null":
            words += ["--ro-bind", "/dev/null", path]
        elif kind == "proc":
            words += ["--ro-bind", path, path]
        else:
            words += ["--ro-bind", source, path]
    return [*BWRAP, *words, "true"]


def unpack_once(archive, target):
    """(bytes, wall, cpu) of ours, (wall, cpu) of unzip."""
    done = subprocess.run([BUILD / "bench" / "bench_unpack", archive, target.name],
                          cwd=target.parent, check=True, capture_output=True)
    ours = json.loads(done.stdout)
    shutil.rmtree(target)
    started = time.perf_counter()
    cpu, _ = cpu_of(["unzip", "-q", str(archive), "-d", str(target)])
    wall = time.perf_counter() - started
    shutil.rmtree(target)
    return ours, {"wall": wall, "cpu": cpu}


def unpacking(rounds, budget):
    work = scratch("bench-unpack")
    corpus = make_corpus(work, budget)
    sums = []
    for n in range(rounds + 1):
        pairs = [unpack_once(archive, work / "out") for archive in corpus]
        if n:
            sums.append([{k: sum(p[side][k] for p in pairs) for k in pairs[0][side]}
                         for side in (0, 1)])
    discard(work)
    size = sums[0][0]["bytes"]
    return size, {(side, kind): statistics.median(s[side][kind] for s in sums)
                  for side in (0, 1) for kind in ("wall", "cpu")}


def median_ms(commands, rounds, env, cwd):
    """The wall-clock time of each command, in turns."""
    found = [[] for _ in commands]
    for n in range(rounds + 3):
        for i, command in enumerate(commands):
            started = time.perf_counter()
            subprocess.run(command, env=env, cwd=cwd, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            if n >= 3:
                found[i].append((time.perf_counter() - started) * 1000)
    return [statistics.median(f) for f in found]


def has_sandbox(env, home):
    done = subprocess.run([*SANDBOX, "true"], env=env, cwd=home, check=False,
                          capture_output=True)
    return done.returncode == 0


def commands(rounds):
    """[ms of fetch, of version] and, where there is a sandbox, [of exec, of bwrap with its mounts, of bare bwrap]."""
    home = scratch("bench-agent")
    with Server() as server:
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "STIGMER_SERVER_ADDR": server.address()}
        subprocess.run([CLI, "skill", "push", ROOT / "examples" / "calculator"], env=env, check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run([CLI, "agent", "resolve", REF], env=env, cwd=home, check=True,
                       stdout=subprocess.DEVNULL)
        fetch = median_ms([[CLI, "agent", "fetch", REF], [CLI, "version"]], rounds, env, home)
        isolated = (median_ms([[*SANDBOX, "true"], same_root(env, home), BARE], rounds, env, home)
                    if has_sandbox(env, home) else None)
    discard(home)
    return fetch, isolated


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="of unpacking (5)")
    parser.add_argument("--starts", type=int, default=40, help="of each command (40)")
    parser.add_argument("--megabytes", type=int, default=100, help="to unpack (100)")
    options = parser.parse_args()
    size, unpack = unpacking(options.rounds, options.megabytes * MB)
    fetch, isolated = commands(options.starts)
    rows = [["", "ours", "beside", "ratio"]]
    for kind in ("wall", "cpu"):
        ours, theirs = unpack[0, kind], unpack[1, kind]
        rows.append([f"unpack beside unzip, {kind}", f"{size / ours / MB:.0f} MB/s",
                     f"{size / theirs / MB:.0f} MB/s", f"{theirs / ours:.2f}"])
    rows.append(["fetch of a cached skill beside version", f"{fetch[0]:.1f} ms", f"{fetch[1]:.1f} ms", ""])
    if isolated:
        rows.append(["exec beside bwrap with its mounts", f"{isolated[0]:.1f} ms", f"{isolated[1]:.1f} ms", ""])
        rows.append(["exec beside bare bwrap", f"{isolated[0]:.1f} ms", f"{isolated[2]:.1f} ms", ""])
    table(rows)
    result("agent", unpack_wall_ratio=round(unpack[1, "wall"] / unpack[0, "wall"], 3),
           unpack_cpu_ratio=round(unpack[1, "cpu"] / unpack[0, "cpu"], 3), fetch_ms=round(fetch[0], 2),
           version_ms=round(fetch[1], 2), exec_ms=isolated and round(isolated[0], 2),
           bwrap_ms=isolated and round(isolated[1], 2), bare_bwrap_ms=isolated and round(isolated[2], 2))


if __name__ == "__main__":
    main()
