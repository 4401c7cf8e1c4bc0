"""A program that is killed at a system call that changes something, or one of whose calls fails."""

import collections
import random
import re
import shutil

from .check import check
from .paths import SANITIZED, SERVER, run
from .tap import skip

CHANGING = ("openat,mkdirat,write,pwrite64,pwritev,fsync,fdatasync,linkat,renameat,renameat2,unlinkat,ftruncate,"
            "fallocate,copy_file_range")
FAILING = CHANGING + ",pread64,fstat,newfstatat,flock,getdents64"  # a call that only reads can fail, too
ERRORS = ("EIO", "ENOSPC", "EINTR", "EMFILE", "ENOMEM", "EDQUOT")


def need():
    if SANITIZED:
        skip("sanitizers cannot be traced")
    if not shutil.which("strace") or run("strace", "-qq", "true").returncode:
        skip("strace is not permitted here")


def _traced(words, env, which, *options):
    return run("strace", "-f", "-qq", "-o", "/dev/stdout", "-e", f"trace={which}", *options, str(SERVER), *words, env=env)


def calls(words, env, which=CHANGING):
    """The calls that it makes when all goes well, as (name, n-th of that name in its thread), which is how strace
    counts. From the first in its own directories on, so without those that load its libraries."""
    done = _traced(words, env, which)
    check(done.returncode == 0, done.stderr)
    seen, found, own = collections.Counter(), {}, False
    for line in done.stdout.splitlines():
        match = re.match(r"(\d+) +(\w+)\(", line)
        if not match:
            continue
        own = own or env["DB_PATH"] in line or env["STORAGE_PATH"] in line
        seen[match.groups()] += 1
        if own:
            found[match[2], seen[match.groups()]] = True
    return list(found)


def killed_at(call, words, env):
    name, k = call
    return _traced(words, env, name, "-e", f"inject={name}:signal=KILL:when={k}")


def failing_at(call, error, words, env, ever=False):
    """That call fails; with ever all of its name after it, too."""
    name, k = call
    return _traced(words, env, name, "-e", f"inject={name}:error={error}:when={k}{'+' if ever else ''}")


def moments(every, most, seed=20261126):
    """As many of the calls at random; most 0: all."""
    return every if not most or most >= len(every) else random.Random(seed).sample(every, most)


def faults(every, most, seed=20261126):
    """(k, error, ever), at random; most 0: all. A call that is interrupted for ever is none that a kernel makes."""
    pairs = [(k, error, ever) for k in every for error in ERRORS for ever in (False, True)
             if not (ever and error == "EINTR")]
    return pairs if not most else random.Random(seed).sample(pairs, min(most, len(pairs)))
