#!/usr/bin/python3
"""The tests' own support can fail: a failure is reported, a report in a log is found."""

import sys

import grpc

from support import archives, rawh2, tap
from support.check import check, contains, equal, eventually, fails, lacks
from support.paths import ROOT, discard, run
from support.server import REPORTS, Server
from support.tap import test

FAILING = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from support import tap
@tap.test
def good(): pass
@tap.test
def bad(): raise AssertionError("as it must be")
@tap.test
def skipped(): tap.skip("for a reason")
tap.run()
"""


def must_raise(call, *args):
    try:
        call(*args)
    except AssertionError as error:
        return str(error)
    raise AssertionError(f"{call.__name__}{args} did not raise")


@test
def a_failure_is_reported_and_fails_the_run():
    done = run(sys.executable, "-c", FAILING, ROOT / "tests" / "e2e")
    equal(done.returncode, 1)
    for line in ("1..3", "ok 1 - good", "not ok 2 - bad", "ok 3 - skipped # SKIP for a reason",
                 "# AssertionError: as it must be"):
        contains(done.stdout.splitlines(), line)
    done = run(sys.executable, "-c", FAILING, ROOT / "tests" / "e2e", "good")
    equal((done.returncode, done.stdout.splitlines()[0]), (0, "1..1"))


@test
def a_whole_file_can_be_left_out():
    leaving = "import sys\nsys.path.insert(0, sys.argv.pop(1))\nfrom support import tap\ntap.skip_all('for a reason')\n"
    done = run(sys.executable, "-c", leaving + "raise SystemExit(1)", ROOT / "tests" / "e2e")
    equal((done.returncode, done.stdout, done.stderr), (0, "1..0 # SKIP for a reason\n", ""))


@test
def checks_raise():
    must_raise(check, False)
    must_raise(equal, 1, 2)
    must_raise(contains, "abc", "d")
    must_raise(lacks, "abc", "b")
    must_raise(eventually, lambda: False, 0.05)
    must_raise(fails, grpc.StatusCode.NOT_FOUND, "", lambda: "an answer")

    class Refusal(grpc.RpcError):
        def code(self):
            return grpc.StatusCode.NOT_FOUND

        def details(self):
            return "no such thing"

    def refuse():
        raise Refusal()

    equal(fails(grpc.StatusCode.NOT_FOUND, "such", refuse), "no such thing")
    contains(must_raise(fails, grpc.StatusCode.INTERNAL, "", refuse), "NOT_FOUND")
    contains(must_raise(fails, grpc.StatusCode.NOT_FOUND, "other", refuse), "no such thing")


@test
def reports_in_a_log_are_found():
    server = Server()
    try:
        for text in ("==1==ERROR: AddressSanitizer: heap-use-after-free", "x.c:1:2: runtime error: x",
                     "WARNING: ThreadSanitizer: data race (pid=1)",
                     "==1==ERROR: LeakSanitizer: detected memory leaks",
                     "*** stack smashing detected ***", "Assertion `x' failed."):
            server.log_path.write_text('{"event":"server started"}\n' + text + "\n")
            contains(must_raise(server.check_log), "the log holds a report")
        server.log_path.write_text('{"event":"server started"}\n')
        server.check_log()
        check(not REPORTS.search("an error: the address is in use"), "ordinary errors are none")
    finally:
        discard(server.home)


@test
def a_server_that_ends_badly_fails_its_test():
    with Server() as server:
        pass
    equal(server.process.returncode, 0)
    server = Server().start()
    server.process.kill()
    contains(must_raise(server.wait), "ended with -9")
    discard(server.home)


@test
def archives_and_frames_are_well_formed():
    import io
    import zipfile
    bulk = archives.Bulk(5000)
    for data in (archives.make(), archives.numbered(1, size=100), bulk.archive("text")):
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            equal(z.testzip(), None)
            check("SKILL.md" in z.namelist(), "SKILL.md")
    check(bulk.archive("a") != bulk.archive("b"), "different texts, different bytes")
    equal(rawh2.frame(rawh2.PING, 1, 0, b"12345678").hex(),
          "0000080601000000003132333435363738")
    equal(archives.varint(300), b"\xac\x02")


if __name__ == "__main__":
    tap.run()
