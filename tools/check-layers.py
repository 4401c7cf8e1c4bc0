#!/usr/bin/env python3
"""The layer rule of ARCHITECTURE.md, checked on every #include below src/."""
import pathlib
import re
import sys

MAY_USE = {
    "base": set(),
    "digest": {"base"},
    "skillmd": {"base", "digest"},
    "zip": {"base", "digest"},
    "store": {"base", "digest"},
    "meta": {"base", "digest", "proto"},
    "skill": {"base", "digest", "skillmd", "zip", "store", "meta"},
    "check": {"base", "digest", "meta", "proto"},
    "net": {"base"},
    "h2": {"base", "net"},
    "grpc": {"base", "net", "h2", "proto"},
    "api": {"base", "digest", "skill", "store", "grpc", "h2", "net", "proto"},
    "agent": {"base", "digest", "skillmd", "zip", "grpc", "proto"},
    "sandbox": {"base"},
    "cli": {"base", "digest", "skillmd", "zip", "grpc", "proto", "agent", "sandbox"},
    "server": None,  # wires everything together
}
# What a folder shows to the others; the rest of its headers is its own business.
CONTRACTS = {"sandbox": {"sandbox.h"}, "store": {"store.h"}, "meta": {"meta.h", "format.h"}, "skillmd": {"skillmd.h"},
             "zip": {"zip.h", "pack.h", "unpack.h"}}


def main(root):
    bad = 0
    for path in sorted(root.glob("*/*.[ch]")):
        folder = path.parent.name
        allowed = MAY_USE[folder]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            m = re.match(r'#include "(\w+)/([^"]+)"', line)
            if not m or m[1] == folder or m[1] not in MAY_USE:
                continue
            wrong = allowed is not None and m[1] not in allowed
            private = m[2] not in CONTRACTS.get(m[1], {m[2]})
            if wrong or private:
                why = f"{folder} may not use {m[1]}" if wrong else f"{m[1]}/{m[2]} is private"
                print(f"{path}:{number}: {why}")
                bad += 1
    return 1 if bad else 0


sys.exit(main(pathlib.Path(__file__).resolve().parent.parent / "src"))
