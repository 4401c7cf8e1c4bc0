"""A test is a function with @test; run() runs them all and speaks TAP.

    test_x.py             runs every test of the file
    test_x.py upload      runs those whose name contains "upload"
    test_x.py --list      prints the names
"""

import sys
import time
import traceback

_tests = []


class Skip(Exception):
    """The environment truly cannot run this test; the text says why."""


def test(function):
    """Declares a test. Its name is the function's name, in words."""
    _tests.append(function)
    return function


def skip(reason):
    raise Skip(reason)


def skip_all(reason):
    """Of a whole file, before its tests: ends the program."""
    print(f"1..0 # SKIP {reason}", flush=True)
    sys.exit(0)


def note(text):
    """A remark in the test's log."""
    for line in str(text).splitlines():
        print(f"# {line}", flush=True)


def _name(function):
    return function.__name__.strip("_").replace("_", " ")


def _run_one(number, function):
    started = time.monotonic()
    try:
        function()
        verdict, remark = "ok", ""
    except Skip as reason:
        verdict, remark = "ok", f" # SKIP {reason}"
    except Exception:  # the test's failure, whatever it is, is its result
        verdict, remark = "not ok", ""
        note(traceback.format_exc())
    print(f"{verdict} {number} - {_name(function)}{remark}", flush=True)
    note(f"{time.monotonic() - started:.2f} s")
    return verdict == "ok"


def run(cleanup=None):
    """Runs what the command line selects, then cleanup(), which is a test too; exits."""
    wanted = sys.argv[1:]
    if wanted == ["--list"]:
        print("\n".join(_name(f) for f in _tests))
        sys.exit(0)
    chosen = [f for f in _tests if not wanted or any(w in _name(f) for w in wanted)]
    if cleanup:
        chosen.append(cleanup)
    print(f"1..{len(chosen)}", flush=True)
    results = [_run_one(n, f) for n, f in enumerate(chosen, 1)]
    sys.exit(0 if all(results) else 1)
