#!/usr/bin/python3
"""What an idle connection costs the server: resident memory, plain and over TLS.

4,000 connections that have exchanged SETTINGS and made one call, then do nothing.
"""

import argparse
import resource
import socket
import ssl
import sys
import time

from common import Server, archives, discard, medians, process, result, scratch, table, wire
from support import rawh2

SETTLE_S = 1.0  # for what the server frees a moment after a call


HELLO = (rawh2.PREFACE + rawh2.frame(rawh2.SETTINGS)
         + rawh2.frame(rawh2.HEADERS, rawh2.END_HEADERS, 1, rawh2.request_block("/grpc.health.v1.Health/Check"))
         + rawh2.frame(rawh2.DATA, rawh2.END_STREAM, 1, rawh2.message(b"")))


def read(peer, n):
    data = b""
    while len(data) < n:
        piece = peer.recv(n - len(data))
        if not piece:
            raise SystemExit("the server has closed a connection")
        data += piece
    return data


def connect(server, context):
    """SETTINGS and one health check, read to its trailers."""
    peer = socket.create_connection(("127.0.0.1", server.port))
    if context:
        peer = context.wrap_socket(peer, server_hostname="localhost")
    peer.sendall(HELLO)
    while True:
        head = read(peer, 9)
        read(peer, int.from_bytes(head[:3], "big"))
        if head[3] == rawh2.HEADERS and head[4] & rawh2.END_STREAM:
            return peer


def bytes_each(server, context, n):
    warm = [connect(server, context) for _ in range(50)]
    time.sleep(SETTLE_S)
    before = process.rss_kib(server.pid)
    peers = [connect(server, context) for _ in range(n)]
    time.sleep(SETTLE_S)
    each = (process.rss_kib(server.pid) - before) * 1024 / n
    for peer in warm + peers:
        peer.close()
    return each


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connections", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    work, found = scratch("idle"), {"plain": [], "TLS": []}
    certificate = wire.Certificate(work)
    context = ssl.create_default_context(cafile=str(certificate.cert))
    context.set_alpn_protocols(["h2"])
    for _ in range(options.rounds):
        for kind, tls in (("plain", None), ("TLS", certificate)):
            with Server({"LOG_LEVEL": "warn"}, tls=tls) as server:
                server.client().push("Calc", archives.make())
                found[kind].append((bytes_each(server, tls and context, options.connections),))
    discard(work)
    each = {kind: medians(rows)[0] for kind, rows in found.items()}
    table([["idle connection", "resident memory"]] + [[kind, f"{n / 1024:.1f} KiB"] for kind, n in each.items()])
    print(f"medians of {options.rounds} rounds, {options.connections} connections")
    result("idle", plain_bytes=round(each["plain"]), tls_bytes=round(each["TLS"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
