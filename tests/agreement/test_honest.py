#!/usr/bin/python3
"""Honest archives: all accepted, all read alike; and those that the profile refuses knowingly."""

import functools
import random
import shutil

import compare
import honest
import oracle
from support import tap
from support.check import check, equal

# More than the seeds of the mutants hold: what fills a window, and several deflate blocks.
MORE = {
    "noise.bin": random.Random(2).randbytes(70000),
    "numbers.txt": b"".join(b"%d\n" % n for n in range(30000)),
}
PLAIN = {**honest.FILES, **MORE}
UNICODE = {**PLAIN, **honest.UNICODE}
# The test's name -> what makes its archives, {name: archive}
MAKERS = {}
work = oracle.scratch()


def tool(name, command, files):
    MAKERS[name] = lambda: {name: honest.pack(command, work / name, files)}


def writer(name):
    MAKERS["writer-" + name] = lambda: honest.write(name, work / name, UNICODE)


for NAME, COMMAND in honest.TOOLS.items():
    tool(NAME, COMMAND, PLAIN)
for NAME, COMMAND in honest.UNICODE_TOOLS.items():
    tool(NAME, COMMAND, UNICODE)
for NAME in honest.WRITERS:
    writer(NAME)


def attempt(make):
    """What it makes, or why it does not."""
    try:
        return make()
    except Exception as why:  # the test's failure, whatever it is
        return why


@functools.cache
def results():
    """{test's name: why it made nothing, or {archive's name: (rules it fails, how it is read)}}.
    All at once: what takes the time is to start the readers."""
    made = {name: attempt(make) for name, make in MAKERS.items()}
    flat = [data for one in made.values() if isinstance(one, dict) for data in one.values()]
    with oracle.written(flat, work) as paths:
        rules = iter(oracle.audit(paths))
    groups = iter(oracle.judge(flat, work, jobs=2))
    return {name: {archive: (next(rules), next(groups)) for archive in one}
            if isinstance(one, dict) else one for name, one in made.items()}


def check_accepted(name):
    result = results()[name]
    if isinstance(result, Exception):
        raise result
    for archive, (rules, groups) in result.items():
        equal(rules, [], archive)
        check(not groups, "\n".join([f"{archive} is read differently:", *compare.tell(groups)]))
    tap.note(f"{len(result)} archives")


def check_refused(name):
    command, rules = honest.REFUSED[name]
    with oracle.written([honest.pack(command, work / name)], work) as paths:
        equal(oracle.audit(paths), [rules.split()])


def declare(name, check_it, what):
    def test():
        check_it(what)
    test.__name__ = name.replace("-", "_")
    tap.test(test)


for NAME in MAKERS:
    declare(NAME, check_accepted, NAME)
for NAME in honest.REFUSED:
    declare("refused_" + NAME, check_refused, NAME)


def nothing_is_left():
    shutil.rmtree(work)


if __name__ == "__main__":
    tap.run(cleanup=nothing_is_left)
