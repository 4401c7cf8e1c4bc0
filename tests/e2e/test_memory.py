#!/usr/bin/python3
"""The memory bounds that the product promises, measured by bench/rss.py."""

import sys

from support import tap
from support.check import check
from support.paths import ROOT, SANITIZED, run
from support.tap import test


@test
def idle_and_sixteen_parallel_pushes():
    if SANITIZED:
        tap.skip("a sanitizer's own memory would be measured")
    done = run(sys.executable, ROOT / "bench" / "rss.py", "--check", timeout=240)
    tap.note(done.stdout)
    check(done.returncode == 0, done.stdout + done.stderr)


if __name__ == "__main__":
    tap.run()
