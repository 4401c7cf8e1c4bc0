#!/usr/bin/python3
"""@grpc/grpc-js, a client that nobody here wrote: js/matrix.js, in plaintext and over TLS.

The packages are installed by `npm ci` into the build directory, once for each package-lock.json.
"""

import fcntl
import hashlib
import os
import shutil
from pathlib import Path

from support import tap, wire
from support.check import check
from support.paths import BUILD, PATIENCE, PROTO, discard, run, scratch
from support.server import Server
from support.tap import test

HERE = Path(__file__).resolve().parent / "js"


def packages():
    """Where node_modules is."""
    lock = (HERE / "package-lock.json").read_bytes()
    target = BUILD / "e2e-js" / hashlib.sha256(lock).hexdigest()[:16]
    target.mkdir(parents=True, exist_ok=True)
    with open(target / "lock", "w", encoding="ascii") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not (target / "installed").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, target)
            done = run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=target,
                       timeout=300)
            check(done.returncode == 0, "npm ci:\n" + done.stdout + done.stderr)
            (target / "installed").touch()
    return target / "node_modules"


def matrix(server, *more):
    env = {**os.environ, "NODE_PATH": str(packages()), "PATIENCE": str(PATIENCE)}
    done = run("node", HERE / "matrix.js", PROTO, f"localhost:{server.port}", *more, env=env,
               timeout=300)
    tap.note(done.stdout)
    check(done.returncode == 0, "a test of matrix.js failed\n" + done.stderr)


@test
def grpc_js_in_plaintext():
    with Server() as server:
        matrix(server)


@test
def grpc_js_over_tls():
    directory = scratch("tls")
    try:
        certificate = wire.Certificate(directory)
        with Server(tls=certificate) as server:
            matrix(server, certificate.cert)
    finally:
        discard(directory)


if __name__ == "__main__":
    tap.run()
