#!/usr/bin/python3
"""Durable pushes of small skills beside what the disk allows, and pushes of bytes that are there already.

64 clients push new 12 KB skills; beside it `bench_floor` makes as many durable files from as many threads, with a
record of each in a grouped LMDB commit, and nothing else; then each client pushes one archive again and again, which
must write no file. All in turns, in one file system. Nothing is removed before the end: after that ext4 is slower for
minutes.
"""

import argparse
import sys

from common import Server, cpu_of, discard, load, medians, program, result, scratch, table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement (4)")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rows, work, first, written = [], scratch("floor"), 1, 0
    words = {"connections": options.clients, "streams": 1, "seconds": options.seconds}
    with Server({"LOG_LEVEL": "warn"}) as server:
        for n in range(options.rounds + 1):
            (work / str(n)).mkdir()
            floor = program("bench_floor", work / str(n), options.clients, options.seconds, 12000)
            new, cpu = cpu_of(server.pid, lambda: load(server.address(), "push", first=first, **words))
            pushed, first = new["next"] - first, new["next"]
            files = len(server.artifacts())
            same, same_cpu = cpu_of(server.pid, lambda: load(server.address(), "same", **words))
            written += len(server.artifacts()) - files if n else 0  # in the first round they are new
            if n:  # which warms all
                rows.append((floor["per_second"], new["per_second"], new["per_second"] / floor["per_second"],
                             new["p50_us"], new["p99_us"], new["p99_us"] / new["p50_us"], cpu / pushed * 1e6,
                             same["per_second"], same["per_second"] / new["per_second"],
                             same_cpu / same["next"] * 1e6, floor["p99_us"] / floor["p50_us"]))
    discard(work)
    (floor, new, of_floor, p50, p99, spread, cpu, same, times, same_cpu, floor_spread) = medians(rows)
    table([["", "a second", "p99 / p50", "server's CPU"],
           ["durable files and a grouped commit", f"{floor:,.0f}", f"{floor_spread:.1f}", ""],
           ["pushes of new skills", f"{new:,.0f}", f"{spread:.1f}", f"{cpu:.0f} us"],
           ["pushes of the same bytes", f"{same:,.0f}", "", f"{same_cpu:.0f} us"]])
    print(f"new ones: {of_floor:.2f} of the floor; p50 {p50 / 1000:.1f} ms, p99 {p99 / 1000:.1f} ms\n"
          f"the same bytes: {times:.1f} times the rate of new ones, {written} files written\n"
          f"medians of {options.rounds} rounds, {options.clients} clients")
    result("push", of_floor=round(of_floor, 3), new_per_second=round(new), p50_ms=round(p50 / 1000, 2),
           p99_ms=round(p99 / 1000, 2), p99_of_p50=round(spread, 2), floor_per_second=round(floor), cpu_us=round(cpu),
           same_of_new=round(times, 2), same_per_second=round(same), same_cpu_us=round(same_cpu),
           files_written_for_same=written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
