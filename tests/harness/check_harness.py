#!/usr/bin/env python3
"""The harness judged from outside: each way to fail is reported as a failure.

usage: check_harness.py <failing tests> <sanitizer: none, address, ...>
"""
import os
import re
import subprocess
import sys
import time

EXE, SANITIZER = sys.argv[1], sys.argv[2]
ASAN = "address" in SANITIZER

# test: what the lines before its verdict contain
FAIL = {
    "fails_check": "CHECK(1 + 1 == 3)",
    "fails_check_int": "1 + 1 is 2, want 3",
    "fails_check_str": r'got "a\x1bb" (3 bytes), want "ab" (2 bytes)',
    "fails_check_ok": "got NOT_FOUND, want OK",
    "fails_check_err": "got OK, want NOT_FOUND",
    "fails_check_contains": '"haystack" does not contain "needle"',
    "crashes": "",
    "aborts": "",
    "exits_early": "called exit(0) before its end",
    "exits_with_an_error": "",
    "hangs": "not done after 1 s",
    "leaves_a_process_behind": "# left ",
    "leaves_files_behind": "# dir ",
}
PASS = {"passes"}
SANITIZER_ONLY = {"leaks", "overflows"}

failures = []


def check(condition, what):
    if not condition:
        failures.append(what)


def run(*args):
    env = dict(os.environ, TEST_TIMEOUT_S="1")
    done = subprocess.run([EXE, *args], capture_output=True, text=True, env=env, timeout=60)
    return done.returncode, done.stdout, done.stderr


def verdicts(out):
    """name -> (ok, directive, the diagnostics before it)"""
    found, notes = {}, []
    for line in out.splitlines():
        m = re.fullmatch(r"(not )?ok \d+ - (\w+)(.*)", line)
        if m:
            found[m[2]] = (m[1] is None, m[3], "\n".join(notes))
            notes = []
        else:
            notes.append(line)
    return found


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0] != "Z"


code, out, err = run()
found = verdicts(out)
names = set(run("--list")[1].split())
check(code != 0, "a run with failures exits with 0")
check(out.startswith("TAP version 13\n"), "no TAP header")
check(out.rstrip().endswith(f"1..{len(names)}"), "no plan, or a wrong one")
check(set(found) == names, f"without a verdict: {names - set(found)}")
check(names == set(FAIL) | PASS | SANITIZER_ONLY | {"skips"}, "this script and the tests differ")
for name, text in FAIL.items():
    ok, _, notes = found[name]
    check(not ok, f"{name} is reported as passed")
    check(text in notes, f"{name} does not say: {text}")
for name in PASS:
    check(found[name][0], f"{name} is reported as failed")
check(found["skips"][0] and "# SKIP" in found["skips"][1], "skips is not reported as skipped")
check("no reason in particular" in found["skips"][1], "the reason of a skip is lost")
if SANITIZER == "none":
    check("signal 11" in found["crashes"][2], "the signal of a crash is lost")
if ASAN:
    for name in SANITIZER_ONLY:
        check(not found[name][0], f"{name} is reported as passed")
    check("LeakSanitizer" in err, "LeakSanitizer did not report the leak")
    # UBSan's object-size check comes first when it is told to halt.
    check("heap-buffer-overflow" in err or "insufficient space" in err,
          "no sanitizer reported the overflow")
else:
    check(found["leaks"][0], "leaks is reported as failed without a sanitizer")

left = int(re.search(r"# left (\d+)", out)[1])
deadline = time.monotonic() + 5
while is_alive(left) and time.monotonic() < deadline:
    time.sleep(0.01)
check(not is_alive(left), "a process outlives its test")
check(not os.path.exists(re.search(r"# dir (\S+)", out)[1]), "files outlive their test")

check(run("passes")[0] == 0, "a run that passes exits with an error")
check(run("skips")[0] == 0, "a run that skips exits with an error")
check(run("no such test")[0] != 0, "a run of nothing exits with 0")
check(list(verdicts(run("check_")[1])) == [n for n in found if "check_" in n],
      "tests are not chosen by substring")

for what in failures:
    print("#", what)
print("TAP version 13\n1..1")
print("not ok 1 - harness" if failures else "ok 1 - harness")
sys.exit(bool(failures))
