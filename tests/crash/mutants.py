#!/usr/bin/python3
"""The laboratory is tested itself: each wrong server of src/base/mutant.h must be caught.

    mutants.py LAB STIGMER_MUTANTS [NAME...]
"""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
POWER = ["power", "--n", "400"]
KILL = ["kill", "--n", "400"]
HEALING = "damage is named"  # a test of e2e/check: a damaged archive is healed by pushing it again

# What is left out or done too early, and who has to notice.
MUTANTS = {
    "no_file_fsync": POWER,
    "no_directory_fsync": POWER,
    "link_before_fsync": POWER,
    "metadata_before_artifact": KILL,
    "no_meta_fsync": POWER,
    "no_meta_page_fsync": POWER,
    "answer_before_commit": POWER,
    "no_event": POWER,
    "believe_unchecked": HEALING,
}


def find_by_lab(lab, server, experiment):
    """The first violation, the line that says why it is skipped, or None."""
    done = subprocess.run([lab, *experiment, "--find", "--server", server], capture_output=True,
                          text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the laboratory failed: {done.stdout}{done.stderr}")
    return next((line for line in done.stdout.splitlines() if "VIOLATION" in line or "# SKIP" in line), None)


def find_by_test(directory, name):
    done = subprocess.run(["/usr/bin/python3", HERE.parent / "e2e" / "test_check.py", name],
                          env={**os.environ, "STIGMER_BUILD": directory}, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the test failed to run: {done.stdout}{done.stderr}")
    return next((line for line in done.stdout.splitlines() if line.startswith("not ok")), None)


def find(lab, program, mutant, by):
    with tempfile.TemporaryDirectory(prefix="stigmer-mutant-") as directory:
        server = Path(directory, "stigmer-server")
        server.write_text(f'#!/bin/sh\nSTIGMER_MUTANT={mutant} exec {shlex.quote(program)} "$@"\n')
        server.chmod(0o755)
        return find_by_test(directory, by) if isinstance(by, str) else find_by_lab(lab, server, by)


def main(lab, program, *names):
    chosen = {name: MUTANTS[name] for name in names} or MUTANTS
    print(f"1..{len(chosen)}", flush=True)
    caught = skipped = 0
    for number, (name, by) in enumerate(chosen.items(), 1):
        found = find(lab, program, name, by)
        if found and "# SKIP" in found:
            skipped += 1
            print(f"ok {number} - {name} # {found[found.index('SKIP'):]}", flush=True)
            continue
        caught += bool(found)
        print(f"{'ok' if found else 'not ok'} {number} - {name} is caught", flush=True)
        if found:
            print(f"# {found.strip('# ')}", flush=True)
    print(f"# {caught} of {len(chosen) - skipped} mutants caught", flush=True)
    return 0 if caught + skipped == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
