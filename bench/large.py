#!/usr/bin/python3
"""Large archives: a push of 95 MiB, 16 of them at once with lookups beside, and downloads beside nginx.

CPU of one push: beside SHA-256 of the same bytes, a copy of them into the page cache and the audit, each alone
(`bench_bytes`). 16 at once: the server's resident memory, and how long small lookups take meanwhile, at a fixed rate
so that waiting is not left out; beside it the same lookups alone, and while a program that has nothing to do with
the server keeps all processors busy. Downloads: the same client and file from this server (getArtifact) and from
nginx (h2c, sendfile) in turns, over one connection.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time

from common import (Server, archives, cpu_of, discard, load, load_command, medians, mib, process, program, result,
                    scratch, table)
from peer import Nginx

SIZE = 95 * archives.MIB
LOOKUPS = {"connections": 4, "streams": 1, "rate": 500, "skills": 1, "versions": 1, "warmup": 0}


def write_archive(path, number):
    path.write_bytes(archives.bulk_of_archive(SIZE).archive(f"number {number}"))
    return path


def one_push(server, work, rounds):
    """[(server's CPU of a push, hash, copy, audit)], seconds."""
    rows = []
    for n in range(rounds + 1):
        file = write_archive(work / "one.zip", n)
        parts = program("bench_bytes", file, work)
        _, cpu = cpu_of(server.pid, lambda: load(server.address(), "push-file", connections=1, streams=1, warmup=0,
                                                 calls=1, first=n + 1, file=file))
        if n:
            rows.append((cpu, parts["sha256"], parts["write"], parts["audit"]))
    return rows


def lookups_beside(server, busy):
    """p99.9 of lookups in ms while busy() runs."""
    with subprocess.Popen(load_command(server.address(), "tag", seconds=600, **LOOKUPS), stdout=subprocess.PIPE) as told:
        time.sleep(0.3)
        busy()
        told.terminate()
        return json.loads(told.stdout.read())["ops"]["tag"]["p999_us"] / 1000


def spin(seconds):
    """As many processes as processors, all computing."""
    spinners = [subprocess.Popen(["timeout", str(seconds), "sh", "-c", "while :; do :; done"])
                for _ in range(os.cpu_count())]
    for s in spinners:
        s.wait()


def many_pushes(server, work, rounds):
    """[(peak above idle in KiB, seconds of the pushes, p99.9 in ms beside them, alone, beside spinning)]"""
    rows = []
    for n in range(rounds):
        files = [write_archive(work / f"{i}.zip", 1000 + 16 * n + i) for i in range(16)]
        words = load_command(server.address(), "push-file", connections=16, streams=1, warmup=0, calls=16,
                             first=16 * (n + 100))
        words[-1:-1] = [word for f in files for word in ("--file", f)]
        time.sleep(1)
        idle = process.rss_kib(server.pid)
        process.reset_peak(server.pid)
        started = time.monotonic()
        beside = lookups_beside(server, lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL))
        took, peak = time.monotonic() - started, process.peak_kib(server.pid)
        rows.append((peak - idle, took, beside, lookups_beside(server, lambda: time.sleep(3)),
                     lookups_beside(server, lambda: spin(3))))
    return rows


def downloads(server, work, rounds, calls):
    """[(bytes a second of ours, of nginx, CPU seconds of a GB of ours, of nginx)]"""
    file = write_archive(work / "download.zip", 5000)
    load(server.address(), "push-file", connections=1, streams=1, warmup=0, calls=1, first=99999, file=file)
    words, rows = {"connections": 1, "streams": 1, "warmup": 0, "calls": calls}, []
    with Nginx() as nginx:
        shutil.copy(file, nginx.dir / "files" / "a.zip")
        (nginx.dir / "files" / "a.zip").chmod(0o644)
        for n in range(rounds + 1):
            ours, cpu = cpu_of(server.pid, lambda: load(server.address(), "download-one",
                                                        path=archives.sha256(file.read_bytes()), **words))
            before = nginx.cpu_seconds()
            theirs = load(nginx.address(), "get", path="/a.zip", **words)
            their_cpu = nginx.cpu_seconds() - before
            if n:
                rows.append((ours["per_second"] * SIZE, theirs["per_second"] * SIZE, cpu / (ours["received"] / 1e9),
                             their_cpu / (theirs["received"] / 1e9)))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--downloads", type=int, default=20, help="in a round, from each server (20)")
    options = parser.parse_args()
    work, rows, numbers = scratch("large"), [["95 MiB", "ours", "beside", "ratio"]], {}
    with Server({"LOG_LEVEL": "warn"}) as server:
        server.client().push("bench-000000", archives.make(), tag="v1")
        found = one_push(server, work, options.rounds)
        push, *parts = medians(found)
        [ratio] = medians([(cpu / sum(rest),) for cpu, *rest in found])
        rows.append(["CPU of a push; of hash, copy and audit", f"{push:.3f} s",
                     " + ".join(f"{p:.3f}" for p in parts), f"{ratio:.2f}"])
        above, took, beside, alone, spinning = medians(many_pushes(server, work, options.rounds))
        rows.append(["16 at once: memory above idle", mib(above), "", ""])
        rows.append(["  p99.9 of lookups; alone", f"{beside:.1f} ms", f"{alone:.1f} ms", ""])
        rows.append(["  while others keep the processors busy", "", f"{spinning:.1f} ms", ""])
        numbers = {"push_cpu_s": round(push, 4), "push_of_parts": round(ratio, 3), "pushes_above_idle_kib": round(above),
                   "pushes_seconds": round(took, 2), "lookup_p999_ms": round(beside, 2),
                   "lookup_p999_alone_ms": round(alone, 2), "lookup_p999_busy_ms": round(spinning, 2)}
        if Nginx.missing():
            print(f"no downloads beside nginx: apt-get install {Nginx.missing()}")
        else:
            found = downloads(server, work, options.rounds, options.downloads)
            ours, theirs, cpu, their_cpu = medians(found)
            rate, costs = medians([(a / b, c / d) for a, b, c, d in found])
            rows.append(["download; from nginx", f"{ours / 1e6:,.0f} MB/s", f"{theirs / 1e6:,.0f} MB/s", f"{rate:.2f}"])
            rows.append(["  CPU of a GB", f"{cpu:.2f} s", f"{their_cpu:.2f} s", f"{costs:.2f}"])
            numbers |= {"download_of_nginx": round(rate, 3), "download_cpu_of_nginx": round(costs, 3),
                        "download_mb_s": round(ours / 1e6), "nginx_mb_s": round(theirs / 1e6)}
    discard(work)
    table(rows)
    print(f"medians of {options.rounds} rounds")
    result("large", **numbers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
