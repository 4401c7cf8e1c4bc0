#!/usr/bin/python3
"""The agreement oracle: whatever the audit accepts, all readers see the same in it.

    oracle.py FILE.zip...                  what each reader sees in these archives
    oracle.py --mutants N [--seed S]       judges N mutants of honest archives
    oracle.py --mutant N [--seed S]        writes the N-th of them to standard output

Exit code 0: all agree; 1: some do not. README.md tells more.
"""

import argparse
import concurrent.futures
import contextlib
import functools
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import compare
import honest
import mutate
import readers
from programs import BUILD

SEED = "1"
BATCH = 4500  # mutants at once: enough for the readers' start to cost little


@dataclass
class Found:
    """What a run has found. disagreements: [(the archive, how it was made, lines about it)]."""

    mutants: int = 0
    accepted: int = 0
    repeated: int = 0  # accepted ones that this process had judged before
    disagreements: list = field(default_factory=list)

    def add(self, other):
        self.mutants += other.mutants
        self.accepted += other.accepted
        self.repeated += other.repeated
        self.disagreements += other.disagreements


def scratch():
    """A directory to unpack into, in memory when there is some. The caller removes it."""
    memory = Path("/dev/shm")
    usable = memory.is_dir() and os.access(memory, os.W_OK)
    return Path(tempfile.mkdtemp(prefix="stigmer-agreement-", dir=memory if usable else None))


def audit(paths, *options):
    """[the rules that refuse each archive], by `stigmer audit`; empty: accepted."""
    done = subprocess.run([BUILD / "stigmer", "audit", "--json", *options, "--files-from", "-"],
                          input="".join(f"{p}\n" for p in paths), capture_output=True, text=True,
                          errors="replace", timeout=600, check=False)
    said = [json.loads(line) for line in done.stdout.split("\n") if line]
    if done.returncode not in (0, 1) or [s["file"] for s in said] != [str(p) for p in paths]:
        raise RuntimeError(f"stigmer audit: exit code {done.returncode}\n{done.stderr}")
    if any((s["verdict"] == "accept") != (not s["rules"]) for s in said):
        raise RuntimeError("stigmer audit: a verdict without reason")
    return [s["rules"] for s in said]


@contextlib.contextmanager
def written(archives, work):
    """Their paths."""
    paths = [work / f"{n}.zip" for n in range(len(archives))]
    for path, data in zip(paths, archives):
        path.write_bytes(data)
    yield paths
    for path in paths:
        path.unlink()


def look(archives, work, jobs=1):
    """[{reader: Seen} for each archive]"""
    with written(archives, work) as paths:
        seen = readers.read_all(paths, work, jobs)
    return [{reader: seen[reader][n] for reader in seen} for n in range(len(archives))]


def judge(archives, work, jobs=1):
    """[disagreements of each archive]: see compare.disagreements."""
    return [compare.disagreements(*one) for one in zip(archives, look(archives, work, jobs))]


def accepted_only(mutants, work):
    """Those of [(archive, how it was made)] that the audit accepts."""
    with written([data for data, _ in mutants], work) as paths:
        refused = audit(paths, "--archive-only")
    return [one for one, rules in zip(mutants, refused) if not rules]


_judged = set()  # digests of the archives that this process has judged


def new_ones(mutants):
    """Those of [(archive, how it was made)] that were not judged before, each once."""
    found = []
    for one in mutants:
        digest = hashlib.sha256(one[0]).digest()[:16]
        if digest not in _judged:
            _judged.add(digest)
            found.append(one)
    return found


def batch(seeds, seed, numbers, accept=accepted_only):
    """Judges the mutants with these numbers. accept: see accepted_only."""
    work = scratch()
    try:
        mutants = [mutate.mutant(seeds, seed, n) for n in numbers]
        accepted = accept(mutants, work)
        new = new_ones(accepted)
        verdicts = judge([data for data, _ in new], work)
        return Found(len(mutants), len(accepted), len(accepted) - len(new), [
            (data, how, compare.tell(groups))
            for (data, how), groups in zip(new, verdicts) if groups])
    finally:
        shutil.rmtree(work)


def run(seeds, seed, n, jobs, progress=lambda found: None, accept=accepted_only):
    """Judges the first n mutants of a seed."""
    total = Found()
    todo = [range(at, min(at + BATCH, n)) for at in range(0, n, BATCH)]
    one = functools.partial(batch, seeds, seed, accept=accept)
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        for found in pool.map(one, todo):
            total.add(found)
            progress(total)
    return total


def honest_archives():
    work = scratch()
    try:
        return honest.everything(work)
    finally:
        shutil.rmtree(work)


def keep(disagreements, limit=50):
    """Writes what was found beside the build, and yields lines about it."""
    target = BUILD / "agreement" / "disagreements"
    target.mkdir(parents=True, exist_ok=True)
    for data, how, lines in itertools.islice(disagreements, limit):
        path = target / f"{hashlib.sha256(data).hexdigest()[:16]}.zip"
        path.write_bytes(data)
        yield from [f"{path}: {how}", *lines]
    if len(disagreements) > limit:
        yield f"... and {len(disagreements) - limit} more"


# --- the command ------------------------------------------------------------------------------------


def show(path):
    """What each reader sees in one archive; True when they agree."""
    work = scratch()
    data = Path(path).read_bytes()
    try:
        refused = audit([path], "--archive-only")[0]
        seen = look([data], work, jobs=2)[0]
    finally:
        shutil.rmtree(work)
    print(f"{path}: {'refused: ' + ' '.join(refused) if refused else 'accepted'}")
    for reader, one in seen.items():
        print(f"  {reader:12} {len(one.tree):4} paths  {one.error or ''}")
    groups = compare.disagreements(data, seen)
    print("\n".join(["  they disagree:", *compare.tell(groups)] if groups else ["  they agree"]))
    return not groups


def tell_progress(started):
    def progress(found):
        seconds = time.monotonic() - started
        print(f"{found.mutants} mutants, {found.accepted} accepted, {len(found.disagreements)} "
              f"disagreements, {seconds:.0f} s", file=sys.stderr, flush=True)
    return progress


def judge_mutants(args):
    print(f"seed {args.seed}")
    seeds = mutate.Seeds(honest_archives())
    started = time.monotonic()
    found = run(seeds, args.seed, args.mutants, args.jobs, tell_progress(started))
    for line in keep(found.disagreements):
        print(line)
    print(f"{found.mutants} mutants of {len(seeds.names)} archives, {found.accepted} accepted "
          f"({found.repeated} twice), {len(found.disagreements)} read differently")
    return not found.disagreements


def write_mutant(args):
    data, how = mutate.mutant(mutate.Seeds(honest_archives()), args.seed, args.mutant)
    print(how, file=sys.stderr)
    sys.stdout.buffer.write(data)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--mutants", type=int, metavar="N", help="judge N mutants")
    parser.add_argument("--mutant", type=int, metavar="N", help="write the N-th mutant")
    parser.add_argument("--seed", default=SEED, help="of the mutants (default %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at once")
    args = parser.parse_args()
    if args.mutants:
        agree = judge_mutants(args)
    elif args.mutant is not None:
        agree = write_mutant(args)
    elif args.files:
        agree = all([show(path) for path in args.files])
    else:
        parser.error("nothing to do")
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
