#!/usr/bin/python3
"""Small calls a second: getByReference beside health Check, which does no work at all.

h2load drives both in turn, several rounds; the ratio says what a lookup costs above the transport.
"""

import argparse
import re
import shutil
import statistics
import sys

from common import Server, archives, discard, process, result, run, scratch, table, wire

CALLS = {
    "health Check": ("/grpc.health.v1.Health/Check", b""),
    "getByReference": (f"{wire.QUERY_PATH}/getByReference", wire.ref("small").SerializeToString()),
    "get": (f"{wire.QUERY_PATH}/get",
            wire.io.SkillId(value="platform/skill/small").SerializeToString()),
}


def rate(server, path, body, options):
    """Calls a second, and CPU microseconds of the server for each."""
    cpu = process.cpu_seconds(server.pid)
    done = run("h2load", "-n", options.calls, "-c", options.connections, "-m", options.streams,
               "-H", "content-type: application/grpc", "-H", "te: trailers", "-d", body,
               f"http://{server.address()}{path}", timeout=300)
    cpu = process.cpu_seconds(server.pid) - cpu
    if f"{options.calls} succeeded" not in done.stdout:
        raise SystemExit(done.stdout + done.stderr)
    per_second = float(re.search(r"([\d.]+) req/s", done.stdout).group(1))
    return per_second, cpu / options.calls * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=50000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--streams", type=int, default=16, help="calls at once on a connection")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--log-level", default="warn", help="info writes a line for each call")
    options = parser.parse_args()
    if not shutil.which("h2load"):
        print("h2load is missing: apt-get install nghttp2-client")
        return 0
    work = scratch("smallcalls")
    rates = {name: [] for name in CALLS}
    with Server({"LOG_LEVEL": options.log_level}) as server:
        server.client().push("Small", archives.make())
        for name, (_, data) in CALLS.items():
            size = len(data).to_bytes(4, "big")
            (work / name).write_bytes(b"\0" + size + data)
        for _ in range(options.rounds):
            for name, (path, _) in CALLS.items():
                rates[name].append(rate(server, path, work / name, options))
    discard(work)
    median = {name: [statistics.median(column) for column in zip(*measured)]
              for name, measured in rates.items()}
    base = median["health Check"][0]
    table([["call", "calls/s", "CPU each", "of health Check"]]
          + [[name, f"{per_second:,.0f}", f"{cpu:.1f} us", f"{per_second / base:.2f}"]
             for name, (per_second, cpu) in median.items()])
    print(f"medians of {options.rounds} rounds, {options.connections} connections with "
          f"{options.streams} calls at once, log level {options.log_level}")
    result("smallcalls", **{name.replace(" ", "_") + "_per_second": round(m[0])
                            for name, m in median.items()},
           **{name.replace(" ", "_") + "_cpu_us": round(m[1], 2) for name, m in median.items()},
           ratio=round(median["getByReference"][0] / base, 3))
    return 0


if __name__ == "__main__":
    sys.exit(main())
