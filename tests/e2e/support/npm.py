"""Packages of npm, installed by `npm ci` into the build directory, once for each lock file."""

import fcntl
import hashlib
import shutil

from .check import check
from .paths import BUILD, run


def packages(source):
    """Where node_modules is, for the package.json and package-lock.json in `source`."""
    lock = (source / "package-lock.json").read_bytes()
    target = BUILD / "npm" / hashlib.sha256(lock).hexdigest()[:16]
    target.mkdir(parents=True, exist_ok=True)
    with open(target / "lock", "w", encoding="ascii") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (target / "installed").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(source / name, target)
            done = run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=target,
                       timeout=300)
            check(done.returncode == 0, "npm ci:\n" + done.stdout + done.stderr)
            (target / "installed").touch()
    return target / "node_modules"
