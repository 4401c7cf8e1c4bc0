#!/usr/bin/python3
"""@grpc/grpc-js, a client that nobody here wrote: js/matrix.js, in plaintext and over TLS."""

import os
from pathlib import Path

from support import tap, wire
from support.check import check
from support.npm import packages
from support.paths import PATIENCE, PROTO, discard, run, scratch
from support.server import Server
from support.tap import test

HERE = Path(__file__).resolve().parent / "js"


def matrix(server, *more):
    env = {**os.environ, "NODE_PATH": str(packages(HERE)), "PATIENCE": str(PATIENCE)}
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
