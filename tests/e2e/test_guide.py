#!/usr/bin/python3
"""docs/AGENTS_GUIDE.md: every command of it runs, in its order, and prints what it says."""

import os
import re
import shutil
import subprocess
import sys

from support import tap
from support.agents import remove
from support.check import check, equal
from support.isolation import need_sandbox
from support.paths import BUILD, PATIENCE, ROOT, discard, scratch
from support.server import Server
from support.tap import test

GUIDE = (ROOT / "docs" / "AGENTS_GUIDE.md").read_text()
ANY = "…"  # in a line: any text; as a line: any lines
FAILS = re.compile(r"^Error: exit (\d+)$")  # not printed: how the command above ends

server = Server().start()
home, work = scratch("guide-home"), scratch("guide")
shutil.copytree(ROOT / "examples", work / "examples")
env = {"HOME": str(home), "PATH": f"{BUILD}:{os.environ['PATH']}", "LANG": "C.UTF-8", "NO_COLOR": "1",
       "STIGMER_SERVER_ADDR": server.address(), "GUIDE_STATE": str(home / "state")}
env.update({k: os.environ[k] for k in os.environ if k.endswith("SAN_OPTIONS")})
STEP = """
[ ! -f "$GUIDE_STATE" ] || . "$GUIDE_STATE"
eval "$1"
status=$?
{ export -p; printf 'cd -- %q\\n' "$PWD"; } > "$GUIDE_STATE"
exit $status
"""


def sections():
    """[(heading, [(kind, text)])], the blocks of code of each."""
    found = []
    for part in re.split(r"(?m)^## (?=[0-9])", GUIDE)[1:]:
        heading, _, body = part.partition("\n")
        found.append((heading, re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", body)))
    return found


def steps(block):
    """[(command, [lines it prints])] of a console block."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append(([line[2:]], []))
        elif line.startswith("> ") and found and "<<" in found[-1][0][0] and not found[-1][1] \
                and found[-1][0][-1] != "END":
            found[-1][0].append(line[2:])
        else:
            found[-1][1].append(line)
    return [("\n".join(command), lines) for command, lines in found]


def pattern(lines):
    """What the output must match as a whole."""
    made = []
    for line in lines:
        made.append("(?:.*\n)*" if line == ANY
                    else ".*".join(re.escape(part) for part in line.split(ANY)) + "\n")
    return "".join(made)


def check_step(command, lines):
    code = FAILS.match(lines[-1]) if lines else None
    lines = lines[:-1] if code else lines
    done = subprocess.run(["bash", "-c", STEP, "guide", command], env=env, cwd=work, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          timeout=120 * PATIENCE)
    wanted = int(code[1]) if code else int(any(l.startswith("Error: ") for l in lines))
    equal(done.returncode, wanted, f"{command}\n{done.stdout}")
    check(re.fullmatch(pattern(lines), done.stdout),
          f"$ {command}\nprinted:\n{done.stdout}\nthe guide says:\n" + "\n".join(lines))


def check_python(code):
    """The program prints what `stigmer agent prompt` does."""
    done = subprocess.run([sys.executable, "-c", code], cwd=work, text=True, capture_output=True,
                          env={**env, "PYTHONPATH": str(ROOT / "clients" / "python")}, check=False)
    equal(done.returncode, 0, done.stderr)
    asked = subprocess.run([BUILD / "stigmer", "agent", "prompt", "@local/calculator:stable"], env=env,
                           cwd=home, text=True, capture_output=True, check=False)
    equal(done.stdout, asked.stdout)


def section_test(heading, blocks):
    def body():
        if any("agent exec" in text or "agent run" in text for _, text in blocks):
            need_sandbox()
        for kind, text in blocks:
            if kind == "python":
                check_python(text)
                continue
            equal(kind, "console", "the kind of a block")
            for command, lines in steps(text):
                check_step(command, lines)
    body.__name__ = heading
    return test(body)


for section in sections():
    section_test(*section)


@test
def the_guide_is_read_whole():
    equal(GUIDE.count("\n$ "), sum(len(steps(text)) for _, blocks in sections()
                                   for kind, text in blocks if kind == "console"))
    check(len(sections()) >= 9, "sections")


@test
def a_guide_that_is_wrong_is_found():
    for command, lines in (("echo a", ["b"]), ("echo a", []), ("true", ["a"]), ("false", []),
                           ("echo a; echo b", ["a"]), ("echo a", ["Error: exit 1"])):
        try:
            check_step(command, lines)
        except AssertionError:
            continue
        raise AssertionError(f"{command} {lines} passed")
    check_step("echo a; echo b; echo c", ["a", ANY, f"{ANY}c"])
    check_step("exit 3", ["Error: exit 3"])


def clean_up():
    server.stop()
    for directory in (server.home, home, work):
        remove(directory)
        discard(directory)


if __name__ == "__main__":
    tap.run(cleanup=clean_up)
