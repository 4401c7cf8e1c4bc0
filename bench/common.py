"""What the benchmarks share: the server of the end-to-end tests, a table, a JSON line."""

import json
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
