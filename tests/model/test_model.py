#!/usr/bin/python3
"""The protocol of garbage collection, checked in every order of events by spin.

The model as it is must be free of errors. With one of its safeguards broken it must not: that shows that the
check can fail, and that each safeguard is needed.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

# pylint: disable=wrong-import-position
from support.check import check as that, equal  # noqa: E402
from support.tap import run, test  # noqa: E402

MODEL = Path(__file__).with_name("gc.pml")
BROKEN = sorted(set(re.findall(r"\bBREAK_\w+", MODEL.read_text(encoding="utf-8"))) - {"BREAK_"})


def explore(*defines):
    """(errors, states, what spin printed)."""
    with tempfile.TemporaryDirectory() as work:
        words = [f"-D{d}" for d in defines]
        subprocess.run(["spin", "-a", *words, str(MODEL)], cwd=work, check=True, capture_output=True)
        subprocess.run(["cc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DVECTORSZ=2048", "-o", "pan", "pan.c"], cwd=work, check=True)
        done = subprocess.run(["./pan", "-m200000", "-w24"], cwd=work, check=True, capture_output=True, text=True)
    told = done.stdout
    errors = int(re.search(r"errors: (\d+)", told)[1])
    states = int(float(re.search(r"([\d.e+]+) states, stored", told)[1]))
    return errors, states, told


@test
def nothing_that_a_version_holds_is_lost_and_no_garbage_stays():
    errors, states, told = explore()
    print(f"# {states} states")
    equal(errors, 0, told)
    that(states > 10000, "the model is explored")
    that("max search depth too small" not in told, told)


@test
def every_safeguard_is_needed():
    that(len(BROKEN) == 5, BROKEN)
    for define in BROKEN:
        errors, _, _ = explore(define)
        print(f"# {define}: {'found' if errors else 'NOT FOUND'}")
        that(errors > 0, f"{define} is not found out")


if __name__ == "__main__":
    if not shutil.which("spin"):
        print("1..0 # SKIP spin is not installed")
        sys.exit(0)
    run()
