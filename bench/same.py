#!/usr/bin/python3
"""Pushes a second of bytes that the skill has already, beside pushes of new ones, in turns.

Each client pushes 12 KB skills of its own. A push of identical bytes must write no file: counted.
"""

import argparse
import statistics
import sys
import threading
import time

from common import Server, archives, process, result, table, wire


def push_all(clients, jobs):
    """The pushes of each client, all clients at once: pushes a second."""
    def work(client, mine):
        for name, data in mine:
            client.push(name, data, tag="v1")

    threads = [threading.Thread(target=work, args=pair) for pair in zip(clients, jobs)]
    started = time.perf_counter()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sum(map(len, jobs)) / (time.perf_counter() - started)


def measured(server, clients, jobs):
    """(pushes a second, CPU microseconds of the server for each, files written)"""
    files = sum(1 for p in server.skills.rglob("*") if p.is_file())
    cpu = process.cpu_seconds(server.pid)
    per_second = push_all(clients, jobs)
    cpu = process.cpu_seconds(server.pid) - cpu
    files = sum(1 for p in server.skills.rglob("*") if p.is_file()) - files
    return per_second, cpu / sum(map(len, jobs)) * 1e6, files


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--pushes", type=int, default=60, help="of each client in a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    new, same, written = [], [], 0
    with Server({"LOG_LEVEL": "warn"}) as server:
        clients = [server.client() for _ in range(options.clients)]
        for client in clients:
            wire.health(client.channel)
        for n in range(options.rounds + 1):
            jobs = [[(f"Bench {c}", archives.numbered((n * 100 + c) * 10000 + i, size=11500))
                     for i in range(options.pushes)] for c in range(options.clients)]
            fresh = measured(server, clients, jobs)
            again = measured(server, clients, [[job[-1]] * options.pushes for job in jobs])
            written += again[2]
            if n:  # the first round warms both
                new.append(fresh)
                same.append(again)
    rows, medians = [["push", "pushes/s", "CPU each"]], {}
    for name, found in (("new bytes", new), ("the same bytes", same)):
        medians[name] = [statistics.median(column) for column in zip(*found)]
        rows.append([name, f"{medians[name][0]:,.0f}", f"{medians[name][1]:.0f} us"])
    table(rows)
    ratio = statistics.median(s[0] / f[0] for s, f in zip(same, new))
    print(f"the same bytes: {ratio:.1f} times the rate, {written} files written; medians of "
          f"{options.rounds} rounds, {options.clients} clients")
    result("same", ratio=round(ratio, 2), files_written=written,
           new_per_second=round(medians["new bytes"][0], 1),
           same_per_second=round(medians["the same bytes"][0], 1),
           new_cpu_us=round(medians["new bytes"][1]),
           same_cpu_us=round(medians["the same bytes"][1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
