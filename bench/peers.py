#!/usr/bin/python3
"""Beside what else keeps files for programs: nginx (WebDAV PUT and GET) and Debian's docker-registry.

The same client (`bench_load`), the same bytes, in turns. nginx speaks h2c, and so does this server beside it; its
sendfile is on for large files, off for small ones, which would wait 40 ms each for the acknowledgement of their headers;
docker-registry speaks HTTP/2 only over TLS, and so does this server beside that. A push to the registry is a blob and a
manifest that names it, a pull the other way round; here a push also audits the archive, and what is acknowledged
survives a power failure, which neither nginx nor the registry promises for the whole of it.
"""

import argparse
import sys

from common import Server, archives, discard, load, medians, result, scratch, table, wire
from peer import Nginx, Registry

SMALL = 12000
LARGE = 95 * archives.MIB


class Ours:
    """This server, under the names that the peers' operations have."""

    def __init__(self, server, more):
        self.small = self.large = server.address()
        self.more, self.ops = more, {
            "small push": ("push", {"size": SMALL}), "large push": ("push-file", {}), "small get": ("download-one", {}),
            "large get": ("download-one", {})}

    def get_path(self, kind, digest):
        return digest


class Dav:
    def __init__(self, small, large):
        self.small, self.large, self.more, self.ops = small.address(), large.address(), {}, {
            "small push": ("put", {"size": SMALL, "path": "/small"}), "large push": ("put-file", {"path": "/large"}),
            "small get": ("get", {}), "large get": ("get", {})}

    def get_path(self, kind, digest):
        return f"/{kind.split()[0]}/1.zip"


class Images:
    def __init__(self, peer, more):
        self.small = self.large = peer.address()
        self.more, self.ops = more, {
            "small push": ("registry-push", {"size": SMALL}), "large push": ("registry-push-file", {}),
            "small get": ("registry-pull", {}), "large get": ("registry-pull", {})}

    def get_path(self, kind, digest):
        return digest


def words_of(side, kind, first, file, digests, seconds):
    op, words = side.ops[kind]
    words = {**words, **side.more, "first": first}
    words |= ({"connections": 16, "streams": 1, "seconds": seconds} if kind.startswith("small")
              else {"connections": 1, "streams": 1, "calls": 5, "warmup": 0})
    if kind == "large push":
        words["file"] = file
    if kind.endswith("get"):
        words["path"] = side.get_path(kind, digests[kind.split()[0]])
        words["first"] = 1 if kind == "small get" else 2  # the manifest's number at the registry
    return op, words


def seed(sides, file):
    """Number 1 of the small ones, number 2 is the large one, on each; their hashes."""
    for side in sides:
        op, words = side.ops["small push"]
        load(side.small, op, connections=1, streams=1, calls=1, warmup=0, first=1, **words, **side.more)
        op, words = side.ops["large push"]
        number = 1 if isinstance(side, Dav) else 2
        load(side.large, op, connections=1, streams=1, calls=1, warmup=0, first=number, file=file, **words, **side.more)


def compare(name, ours, theirs, file, digests, options, numbers):
    rows, first = [], 1000
    for kind in ("small push", "small get", "large push", "large get"):
        found = []
        for n in range(options.rounds + 1):
            rates = []
            for side in (ours, theirs):
                op, words = words_of(side, kind, first, file, digests, options.seconds)
                told = load(side.small if kind.startswith("small") else side.large, op, **words)
                first = max(first, told["next"])
                rates.append(told["per_second"])
            if n:
                found.append((*rates, rates[0] / rates[1]))
        mine, others, ratio = medians(found)
        scale, unit = (1, "/s") if kind.startswith("small") else (LARGE / 1e6, " MB/s")
        rows.append([f"{kind} beside {name}", f"{mine * scale:,.0f}{unit}", f"{others * scale:,.0f}{unit}", f"{ratio:.2f}"])
        numbers[f"{kind.replace(' ', '_')}_of_{name}"] = round(ratio, 3)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement with small ones (3)")
    options = parser.parse_args()
    for peer in (Nginx, Registry):
        if peer.missing():
            print(f"{peer.program} is missing: apt-get install {peer.missing()}")
            return 0
    work, rows, numbers = scratch("peers"), [["", "ours", "theirs", "ratio"]], {}
    certificate = wire.Certificate(work)
    tls = {"tls": True, "ca": certificate.cert}
    file = work / "large.zip"
    data = archives.bulk_of_archive(LARGE).archive("large")
    file.write_bytes(data)
    with (Server({"LOG_LEVEL": "warn"}) as plain, Server({"LOG_LEVEL": "warn"}, tls=certificate) as secure,
          Nginx(sendfile=False) as small, Nginx() as large, Registry(certificate) as registry):
        pairs = [("nginx", Ours(plain, {}), Dav(small, large)), ("registry", Ours(secure, tls), Images(registry, tls))]
        seed([side for _, *sides in pairs for side in sides], file)
        first = (small.dir / "files" / "small" / "1.zip").read_bytes()
        digests = {"small": archives.sha256(first), "large": archives.sha256(data)}
        for name, ours, theirs in pairs:
            rows += compare(name, ours, theirs, file, digests, options, numbers)
    discard(work)
    table(rows)
    print(f"medians of {options.rounds} rounds; small: {SMALL} bytes, 16 clients; large: 95 MiB, one client")
    result("peers", **numbers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
