#!/usr/bin/python3
"""Whatever the audit accepts of 27,000 mutants of honest archives, all readers see the same in it.

And the oracle itself: it sees what is there, and overlooks nothing without need.
"""

import os
import shutil
import subprocess
import time

import compare
import honest
import mutate
import oracle
from model import write_extras
from programs import HERE
from support import tap
from support.check import check, equal
from support.tap import test

MUTANTS = 27000  # the even ones go once through all fields; more than 20,000 differ
GOLDEN = HERE.parent / "golden" / "zip" / "make.py"
LARGE = 1 << 19
# Golden archives that readers see differently, of many kinds: none may be taken for agreement.
DIFFERENT = [
    "starts-with-lfh.prefix-script", "one-eocd.twice", "counts.less", "directory-extent.gap",
    "no-zip64.locator", "tiling.hidden-between", "tiling.hidden-same-name", "method.12",
    "flags.11-central", "lfh-name.other", "lfh-name.case", "lfh-fields.crc-0", "lfh-fields.usize",
    "descriptor.missing", "descriptor.zip64-empty-deflated", "extra-allowed.both-6c78-7-link",
    "unicode-path.both-name", "special-file.link-0", "name-path.up", "name-encoding.twin",
    "name-prefix.oem", "name-prefix.child", "name-unique.same", "name-option.proto",
]

work = oracle.scratch()
archives = honest.everything(work)
seeds = mutate.Seeds(archives)


def golden():
    """{name: (path, the rules it must fail)}"""
    directory = work / "golden"
    if not directory.exists():
        directory.mkdir()
        subprocess.run(["/usr/bin/python3", GOLDEN, directory], check=True)
    lines = (directory / "expected.tsv").read_text(encoding="ascii").splitlines()
    rows = [line.split("\t") for line in lines]
    return {name: (directory / f"{name}.zip", rules) for name, rules in rows}


def read_alike(paths):
    """Checks it."""
    verdicts = oracle.judge([path.read_bytes() for path in paths], work, jobs=os.cpu_count())
    for path, groups in zip(paths, verdicts):
        check(not groups, "\n".join([f"{path.stem} is read differently:", *compare.tell(groups)]))


@test
def a_mutant_is_the_same_every_time():
    again = mutate.Seeds(archives)
    for n in range(300):
        equal(mutate.mutant(seeds, "same", n), mutate.mutant(again, "same", n), n)


@test
def different_trees_are_seen():
    cases = golden()
    verdicts = oracle.judge([cases[name][0].read_bytes() for name in DIFFERENT], work, jobs=2)
    equal([name for name, groups in zip(DIFFERENT, verdicts) if not groups], [])


def accept_all(mutants, _):
    return mutants


@test
def an_audit_that_accepts_everything_is_found_out():
    found = oracle.run(seeds, oracle.SEED, 100, 1, accept=accept_all)
    check(len(found.disagreements) >= 25, f"{len(found.disagreements)} of 100")


def as_7zip_on_windows():
    """Made on DOS, flagged as UTF-8, and times in the directory only."""
    a = seeds.archives["java"].copy()
    for e in a.entries:
        e.extra, e.cextra = b"", write_extras([(0x000A, bytes(4) + b"\1\0\x18\0" + bytes(24))])
    return a.fix().emit()


def with_the_longest_comment():
    a = seeds.archives["java"].copy()
    a.comment = b"c" * 65535
    return a.fix().emit()


@test
def what_is_overlooked_must_be():
    looked_at = {**archives, "7zip-on-windows": as_7zip_on_windows(),
                 "longest-comment": with_the_longest_comment()}
    seen = list(zip(looked_at.values(), oracle.look(list(looked_at.values()), work, jobs=2)))
    for row in [*compare.DECODINGS, *compare.COMPLAINTS]:
        check(any(compare.disagreements(*one, without=row) for one in seen), f"needless: {row}")
    for name, one in zip(looked_at, seen):
        check(not compare.disagreements(*one), name)


@test
def golden_archives_that_are_accepted_are_read_alike():
    read_alike([path for path, rules in golden().values()
                if not rules and path.stat().st_size < LARGE])


@test
def accepted_mutants_are_read_alike():
    tap.note(f"seed {oracle.SEED}")
    started = time.monotonic()
    found = oracle.run(seeds, oracle.SEED, MUTANTS, os.cpu_count())
    tap.note(f"{found.mutants} mutants of {len(seeds.names)} archives, {found.accepted} accepted "
             f"({found.repeated} twice), {len(found.disagreements)} read differently, "
             f"{time.monotonic() - started:.0f} s")
    tap.note("\n".join(oracle.keep(found.disagreements)))
    check(not found.disagreements, "accepted archives are read differently")
    check(found.accepted - found.repeated > MUTANTS / 10, "too few are accepted to show anything")
    check(2 * len(seeds.fields) <= MUTANTS, f"{len(seeds.fields)} fields and values")


def nothing_is_left():
    shutil.rmtree(work)


if __name__ == "__main__":
    tap.run(cleanup=nothing_is_left)
