#!/usr/bin/python3
"""Lookups with a million versions beside a hundred, and beside a call that does no work.

Two servers, one with 10 skills of 10 versions, one with 100,000 of 10 (`bench_seed` makes them, `--directory` keeps
them for another time). getByReference of latest, by tag and by hash of skills at random, and health Check, in turns,
16 connections with 16 calls at once on each.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from common import BUILD, Server, cpu_of, discard, load, medians, program, result, scratch, table

OPS = ("check", "latest", "tag", "hash")
VERSIONS = 10


def seeded(directory, skills):
    """A server, not started, over a store of so many skills; made unless it is there."""
    home = directory / str(skills)
    if not (home / "storage").exists():
        told = program("bench_seed", home / "storage", home / "stigmer.db", skills, VERSIONS)
        print(f"seeded {told['versions']:,} versions in {told['seconds']} s")
    return Server({"LOG_LEVEL": "warn", "STORAGE_PATH": str(home / "storage"), "DB_PATH": str(home / "stigmer.db")})


def first_answers(directory, sizes, rounds):
    """{skills: ms from exec to the first answer}, medians; the page cache is warm."""
    found = {n: [] for n in sizes}
    for n in range(rounds + 1):
        for skills in sizes:
            server = seeded(directory, skills)
            env, port = server.environment(), server.more_env["GRPC_PORT"]
            words = [BUILD / "bench" / "bench_first_answer", BUILD / "stigmer-server", port, f"bench-{skills - 1:06}"]
            done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
            discard(server.home)
            if n:
                found[skills].append(float(done.stdout))
    return {skills: medians([(ms,) for ms in times])[0] for skills, times in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--skills", type=int, default=100000, help="of the large store (100,000)")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (3)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--directory", type=Path, help="where the stores are kept; by default they are removed")
    options = parser.parse_args()
    directory = options.directory or scratch("lookups")
    sizes = (10, options.skills)
    rates = {(size, op): [] for size in sizes for op in OPS}
    with seeded(directory, sizes[0]) as small, seeded(directory, sizes[1]) as large:
        for n in range(options.rounds + 1):
            for size, server in zip(sizes, (small, large)):
                for op in OPS:
                    words = {"skills": size, "versions": VERSIONS, "seconds": options.seconds, "first": 1 + n}
                    told, cpu = cpu_of(server.pid, lambda: load(server.address(), op, **words))
                    if n:
                        rates[size, op].append((told["per_second"], cpu / told["next"] * 1e6, told["p999_us"] / 1000))
    found = {key: medians(rows) for key, rows in rates.items()}
    rows, numbers = [["", *(f"{s * VERSIONS:,} versions" for s in sizes), "ratio", "of check", "CPU", "CPU of check",
                      "p99.9"]], {}
    for op in OPS:
        few, many = found[sizes[0], op], found[sizes[1], op]
        flat = medians([(b[0] / a[0],) for a, b in zip(rates[sizes[0], op], rates[sizes[1], op])])[0]
        of_check = medians([(a[0] / b[0],) for a, b in zip(rates[sizes[1], op], rates[sizes[1], "check"])])[0]
        of_cpu = found[sizes[1], "check"][1] / many[1]
        rows.append([op, f"{few[0]:,.0f}/s", f"{many[0]:,.0f}/s", f"{flat:.2f}", f"{of_check:.2f}", f"{many[1]:.1f} us",
                     f"{of_cpu:.2f}", f"{many[2]:.1f} ms"])
        numbers |= {f"{op}_per_second": round(many[0]), f"{op}_many_of_few": round(flat, 3),
                    f"{op}_of_check": round(of_check, 3), f"{op}_cpu_us": round(many[1], 2),
                    f"{op}_p999_ms": round(many[2], 2)}
    start = first_answers(directory, sizes, options.rounds)
    if not options.directory:
        discard(directory)
    table(rows)
    print(f"medians of {options.rounds} rounds; start to first answer: {start[sizes[0]]:.1f} ms with "
          f"{sizes[0] * VERSIONS:,} versions, {start[sizes[1]]:.1f} ms with {sizes[1] * VERSIONS:,}")
    result("lookups", start_ms=round(start[sizes[1]], 1), start_small_ms=round(start[sizes[0]], 1), **numbers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
