"""What the benchmarks share: the server of the end-to-end tests, the load generator, a table, a JSON line."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "e2e"))

# pylint: disable=wrong-import-position,unused-import
from support import archives, process, wire  # noqa: E402
from support.paths import BUILD, run, scratch, discard  # noqa: E402
from support.server import Server  # noqa: E402


def table(rows):
    """Rows of texts, the first column left, the others right."""
    rows = [[str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
        print("  ".join(cells))


def result(bench, **numbers):
    """The same numbers for programs: one line of JSON, the last that is printed."""
    print(json.dumps({"bench": bench, **numbers}, sort_keys=True))


def mib(kib):
    return f"{kib / 1024:.1f} MiB"


def load_command(address, op, **options):
    """The words of bench_load: `connections=64` is `--connections 64`, `tls=True` is `--tls`."""
    words = [str(BUILD / "bench" / "bench_load"), "--target", address]
    for name, value in options.items():
        words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return [*words, op]


def load(address, op, **options):
    """Runs bench_load to its end: what it tells of the operation, and `next`, the first number not used."""
    done = run(*load_command(address, op, **options), timeout=600)
    if done.returncode:
        raise SystemExit(f"bench_load {op}: {done.stderr}")
    told = json.loads(done.stdout)
    return {**told["ops"][op], "next": told["next"]}


def program(name, *arguments):
    """Runs a program of build/bench: its line of JSON."""
    done = subprocess.run([BUILD / "bench" / name, *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")
    return json.loads(done.stdout)


def cpu_of(pid, work):
    """(what work() returns, CPU seconds that the process used meanwhile)"""
    before = process.cpu_seconds(pid)
    done = work()
    return done, process.cpu_seconds(pid) - before


def medians(rows):
    """Of each column."""
    return [statistics.median(column) for column in zip(*rows)]
