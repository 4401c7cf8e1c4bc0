#!/usr/bin/python3
"""The audit beside what it is measured against: inflating alone, `unzip -t`, Python's testzip.

A corpus of 300 MB of this system's files (programs, libraries, texts, pictures) is packed into a few
archives. One process audits them and inflates them, with the audit's own inflater and with zlib, in
turns; then whole processes do: `stigmer audit --archive-only`, `unzip -tqq`, Python's testzip. All
figures are CPU seconds, medians over the rounds. At last the dearest archives that the limits allow,
with the CPU and the memory that auditing each takes in a process that has audited a tiny one before.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import hostile
from common import BUILD, discard, mib, result, scratch, table

MB = 1000 * 1000
ROOTS = ["/usr/lib", "/usr/share", "/usr/include", "/usr/bin"]
PER_ARCHIVE = 80 * MB  # of content; and at most this many entries
ENTRIES = 9000
TESTZIP = "import sys, zipfile\nfor f in sys.argv[1:]:\n    assert zipfile.ZipFile(f).testzip() is None"


def files(budget):
    """Regular files of up to 3 MB, spread over the system, budget bytes in all."""
    every = sorted(p for root in ROOTS for d, _, names in os.walk(root) for n in names
                   if (p := os.path.join(d, n)).isascii() and not os.path.islink(p)
                   and os.path.isfile(p) and 0 < os.path.getsize(p) < 3 * MB)
    step = max(1, sum(os.path.getsize(p) for p in every) // budget)
    for p in (p for start in range(step) for p in every[start::step]):
        budget -= os.path.getsize(p)
        if budget < 0:
            return
        yield p


def make_corpus(directory, budget):
    archives, out, size = [], None, 0
    for n, path in enumerate(files(budget)):
        if out is None or size > PER_ARCHIVE or len(out.namelist()) >= ENTRIES:
            if out:
                out.close()
            archives.append(directory / f"corpus{len(archives)}.zip")
            out, size = zipfile.ZipFile(archives[-1], "w", zipfile.ZIP_DEFLATED), 0
        data = Path(path).read_bytes()
        info = zipfile.ZipInfo(f"{n}", (2020, 1, 1, 0, 0, 0))
        info.external_attr = 0o100644 << 16
        fits = len(data) < 99 * len(zlib.compress(data))  # `ratio` is not what is measured
        out.writestr(info, data, zipfile.ZIP_DEFLATED if fits else zipfile.ZIP_STORED)
        size += len(data)
    out.close()
    return archives


def cpu_of(command):
    """User and system seconds of a process that must succeed (or reject: 1), and what it printed."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as p:
        text = p.stdout.read()
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode not in (0, 1):
        sys.exit(f"{command[0]} ended with {p.returncode}: {text.decode(errors='replace')}")
    return usage.ru_utime + usage.ru_stime, text


def in_process(archives, rounds):
    text = subprocess.run([BUILD / "bench" / "bench_audit", str(rounds), *archives], check=True,
                          capture_output=True).stdout
    return json.loads(text)


def accepted(archives):
    """Where one is refused, the sides would not do the same work."""
    good = []
    for archive in archives:
        text = cpu_of([BUILD / "stigmer", "audit", "--archive-only", archive])[1]
        if text.startswith(b"accept"):
            good.append(archive)
        else:
            print(f"left out: {text.decode()}")
    return good


def throughput(directory, options):
    archives = accepted(make_corpus(directory, options.mb * MB))
    inside = in_process(archives, options.rounds)
    audit, ours, reference = (statistics.median(inside[k]) for k in ("audit", "inflater", "zlib"))
    commands = {"stigmer audit --archive-only": [BUILD / "stigmer", "audit", "--archive-only"],
                "unzip -tqq": None,
                "python testzip": ["/usr/bin/python3", "-c", TESTZIP]}
    times = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            if command:
                times[name].append(cpu_of([*command, *archives])[0])
            else:
                times[name].append(sum(cpu_of(["unzip", "-tqq", a])[0] for a in archives))
    whole = {name: statistics.median(t) for name, t in times.items()}
    mb = inside["bytes"] / MB
    size = sum(a.stat().st_size for a in archives) / MB
    print(f"{mb:.0f} MB in {len(archives)} archives of {size:.0f} MB, CPU seconds")
    rows = [["", "seconds", "MB/s", "audit is"]]
    rows += [[name, f"{t:.3f}", f"{mb / t:.0f}", f"{t / audit:.2f} x"] for name, t in
             (("audit, in one process", audit), ("its inflater alone", ours), ("zlib alone", reference))]
    mine = whole["stigmer audit --archive-only"]
    rows += [[name, f"{t:.3f}", f"{mb / t:.0f}", f"{t / mine:.2f} x"] for name, t in whole.items()]
    table(rows)
    return {"of_inflater": round(ours / audit, 3), "of_zlib": round(reference / audit, 3),
            "of_unzip": round(whole["unzip -tqq"] / mine, 3),
            "of_testzip": round(whole["python testzip"] / mine, 3)}


def worst(directory):
    tiny, path = directory / "tiny.zip", directory / "dear.zip"
    hostile.skill(tiny).close()
    rows, seconds, kib = [["dearest archives", "refused by", "CPU s", "memory"]], 0, 0
    for name, make in hostile.ARCHIVES.items():
        make(path)
        r = json.loads(cpu_of([BUILD / "bench" / "bench_audit", "dearest", tiny, path])[1])
        seconds, kib = max(seconds, r["seconds"]), max(kib, r["kib"])
        rows.append([name, r["rule"] or "-", f"{r['seconds']:.2f}", mib(r["kib"])])
    table(rows)
    return {"worst_seconds": round(seconds, 2), "worst_kib": kib}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mb", type=int, default=300, help="size of the corpus")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    directory = scratch("bench-audit")
    try:
        numbers = throughput(directory, options)
        numbers.update(worst(directory))
    finally:
        discard(directory)
    result("audit", **numbers)


if __name__ == "__main__":
    main()
