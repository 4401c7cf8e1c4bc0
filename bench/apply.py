#!/usr/bin/python3
"""`stigmer apply` of a 12 KB skill against a running server: the whole process, by the clock.

Each run applies other bytes. Beside it `stigmer version`, which only starts, in turns.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import time

from common import Server, archives, discard, result, scratch, table
from support.paths import CLI


def whole_process(command, env):
    """Milliseconds."""
    started = time.perf_counter()
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=40)
    options = parser.parse_args()
    home = scratch("apply")
    skill = home / "skill"
    skill.mkdir()
    (skill / "SKILL.md").write_text(archives.skill_md("bench"))
    found = {"apply": [], "version": []}
    with Server({"LOG_LEVEL": "warn"}) as server:
        env = {"PATH": os.environ["PATH"], "HOME": str(home),
               "STIGMER_SERVER_ADDR": server.address()}
        for n in range(options.runs + 3):
            (skill / "data.bin").write_bytes(random.Random(n).randbytes(11500))
            for name, words in (("apply", [CLI, "apply", skill]), ("version", [CLI, "version"])):
                one = whole_process(words, env)
                if n >= 3:
                    found[name].append(one)
    discard(home)
    rows, numbers = [["command", "median", "slowest"]], {}
    for name, times in found.items():
        rows.append([f"stigmer {name}", f"{statistics.median(times):.1f} ms",
                     f"{max(times):.1f} ms"])
        numbers[f"{name}_ms"] = round(statistics.median(times), 2)
    table(rows)
    result("apply", **numbers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
