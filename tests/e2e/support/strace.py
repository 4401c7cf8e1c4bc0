"""A program that is killed, or whose call fails, at the k-th system call that changes something."""

import random
import re
import shutil

from .check import check
from .paths import SERVER, run
from .tap import skip

CHANGING = ("openat,mkdirat,write,pwrite64,pwritev,fsync,fdatasync,linkat,renameat,renameat2,unlinkat,ftruncate,"
            "fallocate,copy_file_range")
ERRORS = ("EIO", "ENOSPC", "EINTR", "EMFILE", "ENOMEM", "EDQUOT")


def need():
    if not shutil.which("strace") or run("strace", "-qq", "true").returncode:
        skip("strace is not permitted here")


def _traced(words, env, *options):
    return run("strace", "-f", "-qq", "-o", "/dev/stdout", "-e", f"trace={CHANGING}", *options, str(SERVER), *words, env=env)


def calls(words, env):
    """Which such calls it makes when all goes well, counted from 1: from the first in its own directories on, so
    without those that load its libraries."""
    done = _traced(words, env)
    check(done.returncode == 0, done.stderr)
    lines = [line for line in done.stdout.splitlines() if re.match(r"\d+ +\w+\(", line)]
    first = next(k for k, line in enumerate(lines, 1) if env["DB_PATH"] in line or env["STORAGE_PATH"] in line)
    return range(first, len(lines) + 1)


def killed_at(k, words, env):
    return _traced(words, env, "-e", f"inject={CHANGING}:signal=KILL:when={k}")


def failing_at(k, error, words, env, ever=False):
    """The k-th call fails; with ever all after it, too."""
    return _traced(words, env, "-e", f"inject={CHANGING}:error={error}:when={k}{'+' if ever else ''}")


def moments(every, most, seed=20261126):
    """As many of the calls at random; most 0: all."""
    return every if not most or most >= len(every) else sorted(random.Random(seed).sample(every, most))


def faults(every, most, seed=20261126):
    """(k, error, ever), at random; most 0: all. A call that is interrupted for ever is none that a kernel makes."""
    pairs = [(k, error, ever) for k in every for error in ERRORS for ever in (False, True)
             if not (ever and error == "EINTR")]
    return pairs if not most else random.Random(seed).sample(pairs, min(most, len(pairs)))
