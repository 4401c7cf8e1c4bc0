#!/usr/bin/python3
"""Pushes a second: small skills (12 KB) from 1, 4, 16 and 64 clients at once.

Beside it what the disk itself allows: durable files a second (write, fsync, link, fsync of the
directory), one after another, in the same file system.
"""

import argparse
import os
import random
import statistics
import sys
import threading
import time

from common import Server, archives, discard, result, scratch, table, wire


def durable_files(directory, n=200):
    """Files a second that this disk makes durable, one at a time, without any server."""
    data = random.Random(0).randbytes(12000)
    handle = os.open(directory, os.O_RDONLY)
    started = time.monotonic()
    for i in range(n):
        path = directory / f"{i}.new"
        with open(path, "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        os.rename(path, directory / str(i))
        os.fsync(handle)
    os.close(handle)
    return n / (time.monotonic() - started)


def client_run(server, seed, until, latencies):
    """Pushes until the time is over, each time other bytes, a skill of its own."""
    client, n = server.client(), 0
    wire.health(client.channel)
    while time.monotonic() < until:
        data = archives.numbered(seed * 1000000 + n, size=11500)
        started = time.monotonic()
        client.push(f"Bench {seed}", data, tag=f"v{n}")
        latencies.append(time.monotonic() - started)
        n += 1


def measure(server, clients, seconds):
    """(pushes a second, median and 99th percentile of a push in ms)"""
    latencies = []
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=client_run, args=(server, clients * 100 + i, until, latencies))
               for i in range(clients)]
    started = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    elapsed = time.monotonic() - started
    ordered = sorted(latencies)
    return (len(ordered) / elapsed, statistics.median(ordered) * 1000,
            ordered[int(len(ordered) * 0.99)] * 1000)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each number of clients")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 64])
    options = parser.parse_args()
    work = scratch("push")
    floor = durable_files(work)
    discard(work)
    rows, numbers = [["clients", "pushes/s", "median", "p99", "of the disk's files/s"]], {}
    with Server({"LOG_LEVEL": "warn"}) as server:
        for clients in options.clients:
            per_second, median, p99 = measure(server, clients, options.seconds)
            rows.append([clients, f"{per_second:,.0f}", f"{median:.2f} ms", f"{p99:.2f} ms",
                         f"{per_second / floor:.2f}"])
            numbers[f"clients_{clients}_per_second"] = round(per_second, 1)
            numbers[f"clients_{clients}_p99_ms"] = round(p99, 2)
    table(rows)
    print(f"the disk alone: {floor:,.0f} durable files a second, one after another")
    result("push", disk_files_per_second=round(floor, 1), **numbers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
