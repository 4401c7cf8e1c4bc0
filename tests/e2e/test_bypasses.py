#!/usr/bin/python3
"""Archives that another server let through, and one for every rule of the profile, pushed over the
wire: refused with the rule's id and the reason that clients look for, and nothing is left behind.

The archives are the golden ones of tests/golden/zip.
"""

import re
import subprocess
import sys

import grpc

from support import archives, process, tap
from support.check import check, contains, equal, eventually, fails, lacks
from support.paths import PATIENCE, ROOT, SANITIZED, SERVER, discard, run, scratch
from support.server import Server
from support.tap import test

golden = scratch("golden")
subprocess.run([sys.executable, str(ROOT / "tests" / "golden" / "zip" / "make.py"), str(golden)],
               check=True)
expected = {name: rules.split(",") if rules else [] for name, rules in
            (line.split("\t") for line in (golden / "expected.tsv").read_text().splitlines())}
server = Server().start()
client = server.client()


def archive(name):
    return (golden / f"{name}.zip").read_bytes()


def left():
    """What a push could leave: files, open descriptors (spools are files without a name), skills."""
    return (server.stored_files(), sorted(process.open_files(server.pid).values()),
            client.find().total)


def dump():
    done = run(SERVER, "dump", env=server.environment())
    equal((done.returncode, done.stderr), (0, ""))
    return done.stdout


client.find()  # the connection is there before descriptors are counted
untouched = left()
empty_dump = dump()


def refused(what, data, rules, text=""):
    """One of the rules is the reason given, text is in it, and all is as it was."""
    details = fails(grpc.StatusCode.INVALID_ARGUMENT, "failed to extract SKILL.md: ",
                    client.push, what, data, org="hostile", tag="v1")
    found = re.search(r" \[([a-z0-9-]+)\]( \(and \d+ more\))?$", details)
    check(found and found[1] in rules, f"{what}: one of {rules} in brackets in {details!r}")
    contains(details, text)
    lacks(details, str(server.home))
    fails(grpc.StatusCode.NOT_FOUND, "skill not found", client.resolve, what, org="hostile")
    eventually(lambda: left() == untouched, 5 * PATIENCE, f"{what}: what it was before")
    return details


# --- what the reference server lets through --------------------------------------------------------

# The list at the end of the profile, item by item: the golden archives, the rule that is told
# first, and the reason in words.
NAMED = "invalid character in filename: "
INVALID = "invalid ZIP file: "
BYPASSES = {
    "600 MB of zeros under 8 3 aliases": [
        ("bypass.bomb-alias", "name-windows", NAMED + "bomb~1.bin")],
    "dot dot SKILL md": [
        ("bypass.skill-path-0", "name-path", INVALID + 'the name "../SKILL.md"')],
    "dot SKILL md": [
        ("bypass.skill-path-1", "name-path", INVALID + 'the name "./SKILL.md"')],
    "backslash SKILL md": [
        ("bypass.skill-path-2", "name-path", INVALID + r'the name "\\SKILL.md"')],
    "a second SKILL md": [
        ("bypass.skill-twice", "name-unique", INVALID + '"SKILL.md" and "SKILL.md"')],
    "a 7075 field that names SKILL md": [
        ("bypass.unicode-path", "unicode-path", INVALID)],
    "a zip64 end record that disagrees": [
        ("bypass.zip64-disagrees", "no-zip64", INVALID)],
    "a link made by host 0": [
        ("bypass.link-0", "special-file", INVALID + '"link" is a symbolic link')],
    "a link made by host 11": [
        ("bypass.link-11", "special-file", INVALID + '"link" is a symbolic link')],
    "a link made by host 16": [
        ("bypass.link-16", "special-file", INVALID + '"link" is a symbolic link')],
    "SKILL md as a link": [
        ("bypass.skill-link", "special-file", INVALID + '"SKILL.md" is a symbolic link')],
    "10 bytes declared 200 MB inflated": [
        ("bypass.said-10", "inflate", INVALID + '"f" says to have 10 bytes')],
    "no compressed bytes": [
        ("bypass.csize-0", "ratio", "suspicious compression ratio in f: "),
        ("bypass.csize-0-stored", "ratio", "suspicious compression ratio in f: ")],
    "a deflated SKILL md of 1048577 bytes": [
        ("bypass.skill-1048577", "skill-md", "SKILL.md too large (max: 1048576 bytes)")],
    "10050 files under 8 3 aliases": [
        ("bypass.many-aliases", "counts", "too many files in ZIP: 10051 (max: 10000)")],
    "a SKILL md that is not UTF 8": [
        ("bypass.skill-utf16", "skill-md", "SKILL.md is not valid UTF-8"),
        ("bypass.skill-latin1", "skill-md", "SKILL.md is not valid UTF-8")],
}


def bypass_test(item, rows):
    def body():
        process.reset_peak(server.pid)
        idle = process.rss_kib(server.pid)
        for name, rule, text in rows:
            check(rule in expected[name], f"{name} is made to fail {rule}")
            refused(name, archive(name), [rule], text)
        grown = process.peak_kib(server.pid) - idle
        check(SANITIZED or grown < 32 * 1024, f"memory grew by {grown} KiB")
    body.__name__ = item
    test(body)


for bypass, archive_rows in BYPASSES.items():
    bypass_test(bypass, archive_rows)


# --- every rule ------------------------------------------------------------------------------------


def rules_of_the_profile():
    """The ids in the first column of the document's tables."""
    text = (ROOT / "docs" / "ZIP_PROFILE.md").read_text()
    return re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)


def smallest_failing(rule):
    """The smallest golden archive that fails this rule and no other, or None. (No bytes at all
    are a missing field, which is refused before any archive is looked at.)"""
    sizes = {name: (golden / f"{name}.zip").stat().st_size
             for name, rules in expected.items() if rules == [rule]}
    return min((n for n, size in sizes.items() if size), key=sizes.get, default=None)


def rule_test(rule):
    def body():
        name = smallest_failing(rule)
        check(name, f"some golden archive fails {rule} alone")
        tap.note(f"{name}: {refused(name, archive(name), [rule])}")
    body.__name__ = f"rule {rule} is told"
    test(body)


# `nested` says what is not done: nothing fails it.
for rule_id in rules_of_the_profile():
    if rule_id != "nested":
        rule_test(rule_id)


@test
def every_rule_of_the_golden_archives_is_in_the_profile():
    known = set(rules_of_the_profile())
    check(len(known) > 35, f"{len(known)} rules were found in the document")
    equal({rule for rules in expected.values() for rule in rules} - known, set())


@test
def archives_inside_are_data_and_near_misses_are_taken():
    """The server that refuses all of the above is not one that refuses everything."""
    with Server() as own:
        taker = own.client()
        for name in sorted(n for n, rules in expected.items() if not rules)[::25]:
            equal(taker.push(name, archive(name)).status.version_hash,
                  archives.sha256(archive(name)), name)
        equal(taker.push("Nested", archives.make({"inner.zip": archives.make()})).kind, "Skill")


def the_server_ends_cleanly_and_holds_nothing():
    equal((left(), dump()), (untouched, empty_dump))
    server.stop()
    equal(server.stored_files(), ["removal.lock", "storage.lock"])
    discard(server.home)
    discard(golden)


if __name__ == "__main__":
    tap.run(cleanup=the_server_ends_cleanly_and_holds_nothing)
