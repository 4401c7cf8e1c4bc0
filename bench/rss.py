#!/usr/bin/python3
"""Resident memory of the server: idle, and at most while 16 clients push 95 MiB each at once.

The clients are curl processes that stream; each pushes other bytes under another name. With
--check the exit code says whether the bounds (12 MiB idle, 64 MiB above idle) hold.
"""

import argparse
import re
import subprocess
import sys
import threading
import time

from common import Server, archives, mib, process, result, table, wire

IDLE_BOUND_KIB = 12 * 1024
ABOVE_IDLE_BOUND_KIB = 64 * 1024


def push(server, name, parts, statuses):
    """One push by curl, fed through a pipe: the client holds no archive either."""
    command = ["curl", "--silent", "--show-error", "--http2-prior-knowledge", "--request", "POST",
               "--upload-file", "-", "--header", "content-type: application/grpc", "--header",
               "te: trailers", "--dump-header", "-", "--output", "/dev/null",
               f"http://{server.address()}{wire.COMMAND_PATH}/push"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as curl:
        for part in archives.push_frame_parts(name, parts):
            try:
                curl.stdin.write(part)
            except BrokenPipeError:
                break
        curl.stdin.close()
        answer = curl.stdout.read().decode(errors="replace")
    status = re.search(r"^grpc-status: (\d+)", answer, re.M)
    statuses[name] = status.group(1) if status else answer


def pushes(server, n, bulk):
    statuses = {}
    threads = [threading.Thread(target=push, args=(server, f"Bulk {i}", bulk.parts(f"bulk {i}"),
                                                   statuses)) for i in range(n)]
    started = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return statuses, time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--mib", type=int, default=95, help="size of each archive")
    parser.add_argument("--check", action="store_true", help="fail when a bound is exceeded")
    options = parser.parse_args()
    bulk = archives.bulk_of_archive(options.mib * archives.MIB)
    with Server() as server:
        wire.health(server.client().channel)
        time.sleep(1)
        idle = process.rss_kib(server.pid)
        process.reset_peak(server.pid)
        cpu = process.cpu_seconds(server.pid)
        statuses, seconds = pushes(server, options.clients, bulk)
        cpu = process.cpu_seconds(server.pid) - cpu
        peak, after = process.peak_kib(server.pid), process.rss_kib(server.pid)
        stored = len(server.artifacts())
    succeeded = sum(s == "0" for s in statuses.values())
    moved = options.clients * options.mib / 1024
    table([["", "resident", "bound"],
           ["idle", mib(idle), mib(IDLE_BOUND_KIB)],
           [f"peak, {options.clients} pushes of {options.mib} MiB", mib(peak), ""],
           ["peak above idle", mib(peak - idle), mib(ABOVE_IDLE_BOUND_KIB)],
           ["afterwards", mib(after), ""]])
    print(f"{succeeded} of {options.clients} pushes succeeded in {seconds:.1f} s "
          f"({moved / seconds:.2f} GiB/s, {cpu / moved:.2f} s of CPU per GiB)")
    held = (idle <= IDLE_BOUND_KIB and peak - idle <= ABOVE_IDLE_BOUND_KIB
            and succeeded == options.clients == stored)
    result("rss", idle_kib=idle, peak_kib=peak, above_idle_kib=peak - idle, after_kib=after,
           clients=options.clients, mib=options.mib, succeeded=succeeded, seconds=round(seconds, 3),
           cpu_seconds_per_gib=round(cpu / moved, 3), held=held)
    for name, status in statuses.items():
        if status != "0":
            print(f"{name}: {status}", file=sys.stderr)
    return 0 if held or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
