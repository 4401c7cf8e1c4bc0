#!/usr/bin/python3
"""`stigmer agent exec` and `run`: what a command finds, its limits, its end, and what is refused."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from support import tap
from support.check import check, contains, equal, eventually, lacks
from support.isolation import Agent, need_sandbox, processes, users
from support.paths import scratch
from support.server import Server
from support.tap import skip, test

SKILL_MD = """---
name: tools
description: Tools of each kind.
allowed-tools: Bash(git:*) Read
compatibility: needs python3
---
# Tools
"""
HELLO_C = '#include <stdio.h>\nint main(int n, char **w) { return !printf("compiled %s\\n", n > 1 ? w[1] : ""); }\n'
TOOLS = {
    "SKILL.md": SKILL_MD,
    "greet": "#!/bin/sh\necho shell \"$1\"\n",
    "scripts/sum.py": "#!/usr/bin/env python3\nimport sys\nprint('python', sum(map(int, sys.argv[1:])))\n",
    "scripts/up.js": "console.log('node', process.argv[2].toUpperCase())\n",
    "bin/env.sh": "#!/bin/bash\necho \"bash $BASH_VERSION\" | cut -c1-4\n",
}

server = Server().start()
need_sandbox(tap.skip_all)


def compiled():
    work = scratch("compiled")
    (work / "hello.c").write_text(HELLO_C)
    subprocess.run(["cc", "-O1", "-o", work / "hello", work / "hello.c"], check=True)
    return (work / "hello").read_bytes()


def push(agent, name, files):
    directory = agent.skill(name, **files)
    for path in directory.rglob("*"):
        if path.is_file() and path.suffix != ".md":
            path.chmod(0o755)
    subprocess.run(["chmod", "-R", "a+rX", directory], check=True)
    agent("skill", "push", directory).ok()
    return f"@local/{name}"


def agents():
    """Root and an ordinary user, each with the skill."""
    for user in users():
        agent = Agent(server, user)
        yield agent, "@local/tools"


publisher = Agent(server)
push(publisher, "tools", {**TOOLS, "hello": compiled()})
push(publisher, "other", {"SKILL.md": "# Other\n", "greet": "#!/bin/sh\necho other\n", "only-here": "#!/bin/sh\necho here\n"})


# --- what a command finds ---------------------------------------------------------------------------


@test
def a_tool_of_each_kind_runs():
    for agent, ref in agents():
        equal(agent.run(ref, "greet", "world").ok().out, "shell world\n")
        equal(agent.run(ref, "sum.py", "1", "2", "39").ok().out, "python 42\n")
        equal(agent.run(ref, "hello", "binary").ok().out, "compiled binary\n")
        equal(agent.run(ref, "env.sh").ok().out, "bash\n")
        location = agent.result(ref, "true")["skills"][0]["location"]
        equal(agent.run(ref, "python3", f"{location}scripts/sum.py", "5").ok().out, "python 5\n")
        equal(agent.run(ref, "sh", "-c", f"cd {location} && ./greet there").ok().out, "shell there\n")


@test
def a_node_tool_runs():
    node = subprocess.run(["which", "-a", "node"], capture_output=True, text=True, check=False).stdout.split()
    if not any(os.path.realpath(n).startswith("/usr/") for n in node):
        skip("no node below /usr")
    for agent, ref in agents():
        location = agent.result(ref, "true")["skills"][0]["location"]
        equal(agent.run(ref, "node", f"{location}scripts/up.js", "loud").ok().out, "node LOUD\n")


@test
def it_starts_in_the_workspace_with_a_clean_environment():
    for agent, ref in agents():
        done = agent.run(ref, "sh", "-c", "pwd; id -u; env; ls /", env={"SECRET": "s3cret"}).ok()
        lines = done.out.splitlines()
        equal(lines[:2], ["/workspace", "1000"])
        env = dict(line.split("=", 1) for line in lines if "=" in line)
        equal(sorted(set(env) - {"PWD", "SHLVL", "_", "OLDPWD"}), ["HOME", "LANG", "PATH", "TMPDIR", "USER"])
        equal((env["HOME"], env["TMPDIR"]), ("/home/agent", "/tmp"))
        check(env["PATH"].startswith("/bin/skills/"), env["PATH"])
        lacks(done.out, "s3cret")
        equal([line for line in lines if line in ("etc", "home", "root", "var", "srv", "sys", "run")],
              ["etc", "home"])


@test
def variables_come_only_by_name():
    for agent, ref in agents():
        done = agent.run(ref, "sh", "-c", "echo $A-$B-$C-$PATH", options=["--env", "A=1", "-eB", "--env", "PATH=/x:/bin"],
                         env={"B": "two", "C": "three"})
        equal(done.ok().out, "1-two--/x:/bin\n")
        agent.run(ref, "true", options=["--env", "NOT_THERE"]).failed(2, "--env NOT_THERE: there is no such variable")
        agent.run(ref, "true", options=["--env", "=x"]).failed(125, "NAME=VALUE")
        many = [word for i in range(65) for word in ("--env", f"V{i}=1")]
        agent.run(ref, "true", options=many).failed(2, "--env is given more than 64 times")


@test
def the_workspace_is_the_callers_directory():
    for agent, ref in agents():
        space = agent.directory("space")
        (space / "in.txt").write_text("in\n")
        agent.run(ref, "sh", "-c", "cat in.txt > out.txt; mkdir d; echo x > d/x", options=["--workspace", space]).ok()
        equal((space / "out.txt").read_text(), "in\n")
        equal((space / "d" / "x").stat().st_uid, agent.user or os.getuid())
        agent.run(ref, "true", options=["-w", space / "none"]).failed(125, "the workspace")
        agent.run(ref, "true", options=["-w", space / "in.txt"]).failed(125, "the workspace")


@test
def without_one_the_workspace_is_in_memory():
    for agent, ref in agents():
        equal(agent.run(ref, "sh", "-c", "echo x > f; cat f; df . | tail -1 | cut -d' ' -f1").ok().out, "x\ntmpfs\n")
        equal(agent.run(ref, "ls").ok().out, "")


@test
def binds_show_more_of_the_host():
    for agent, ref in agents():
        shown = agent.directory("shown")
        (shown / "f").write_text("shown\n")
        shown.chmod(0o777)
        cat = ["sh", "-c", "cat /mnt/s/f; echo y 2>&- > /mnt/s/g && echo wrote"]
        equal(agent.run(ref, *cat, options=["--bind", f"{shown}:/mnt/s"]).out, "shown\n")
        equal(agent.run(ref, *cat, options=["--bind", f"{shown}:/mnt/s:ro"]).out, "shown\n")
        equal(agent.run(ref, *cat, options=["--bind", f"{shown}:/mnt/s:rw"]).out, "shown\nwrote\n")
        equal(agent.run(ref, "cat", shown / "f", options=["--bind", shown]).ok().out, "shown\n")
        agent.run(ref, "sh", "-c", f"echo z > {shown}/h", options=["--bind", f"{shown}:rw"]).ok()
        agent.run(ref, "true", options=["--bind", "/not/there"]).failed(125, "--bind /not/there")
        agent.run(ref, "true", options=["--bind", f"{shown}:/mnt:rx"]).failed(2, "--bind takes SRC[:DST][:rw]")
        agent.run(ref, "true", options=["--bind", f"{shown}:mnt"]).failed(125, "absolute")
        agent.run(ref, "true", options=["--bind", f"{shown}:/"]).failed(125, "not all of the root")


@test
def the_network_is_given_only_by_name():
    for agent, ref in agents():
        call = ["python3", "-c", f"import socket; socket.create_connection(('127.0.0.1', {server.port}), 5); print('in')"]
        check(agent.run(ref, *call).code == 1, "loopback was reached")
        equal(agent.run(ref, *call, options=["--net"]).ok().out, "in\n")


@test
def several_skills_and_versions_side_by_side():
    for agent, ref in agents():
        found = agent("agent", "run", ref, "@local/other", "--", "sh", "-c", "greet x; only-here; ls /bin/skills").ok()
        equal(found.out.splitlines()[:2], ["shell x", "here"])
        equal(len(found.out.splitlines()), 4)
        agent("agent", "resolve", ref, "@local/other").ok()
        equal(agent("agent", "run", "--", "only-here").ok().out, "here\n")
        equal(agent("agent", "run", "--frozen", "--offline", "@local/other", "--", "greet").ok().out, "other\n")
        agent("agent", "run", "--frozen", "@local/never", "--", "greet").failed(125, "cannot be resolved")


@test
def what_a_skill_uses_is_shown_before():
    agent = Agent(server)
    err = agent.run("@local/tools", "true").ok().err
    contains(err, "@local/tools uses the tools Bash(git:*) Read\n")
    contains(err, "@local/tools is for: needs python3\n")
    told = agent.result("@local/tools", "true")["skills"][0]
    equal((told["reference"], told["allowedTools"], told["compatibility"]),
          ("@local/tools", "Bash(git:*) Read", "needs python3"))
    equal(told["location"], f"/bin/skills/{told['versionHash']}/")


# --- its end ----------------------------------------------------------------------------------------


@test
def exit_codes_and_signals_pass_through():
    for agent, ref in agents():
        equal(agent.run(ref, "sh", "-c", "exit 7").code, 7)
        equal(agent.run(ref, "sh", "-c", "kill -SEGV $$").code, 139)
        told = agent.result(ref, "sh", "-c", "echo out; echo err >&2; exit 3")
        equal((told["exitCode"], told["denied"], told["notEnforced"]), (3, [], []))
        equal(told["stdout"], {"bytes": 4, "truncated": False, "text": "out\n"})
        equal(told["stderr"], {"bytes": 4, "truncated": False, "text": "err\n"})
        check(0 < told["durationMs"] < 30000, told["durationMs"])


@test
def what_cannot_run_is_told():
    for agent, ref in agents():
        agent.run(ref, "no-such-tool").failed(125, "could not be started in the sandbox")
        agent("agent", "exec", ref).failed(2, "give the command behind \"--\"")
        agent("agent", "exec", ref, "--").failed(2, "give the command")
        agent("agent", "exec", ref, ref, "--", "true").failed(2, "exec takes one REF")
        agent("agent", "exec", "@local/never", "--", "true").failed(125, "cannot be resolved")
        equal(agent("agent", "exec", "--help").ok().err, "")


@test
def standard_input_is_passed():
    for agent, ref in agents():
        with open("/etc/hostname", encoding="ascii") as given:
            equal(agent.run(ref, "cat", stdin=given).ok().out, Path("/etc/hostname").read_text())


@test
def everything_ends_with_the_command():
    for agent, ref in agents():
        marker = f"86{os.getpid()}{agent.user or 0}"
        agent.run(ref, "sh", "-c", f"setsid sleep {marker} & (sleep {marker} &) ; exit 0").ok()
        equal(processes(f"sleep {marker}"), 0)


@test
def everything_ends_with_the_caller():
    for agent, ref in agents():
        for sig in (signal.SIGKILL, signal.SIGTERM):
            marker = f"87{os.getpid()}{agent.user or 0}{int(sig)}"
            running = agent.start("agent", "exec", ref, "--", "sh", "-c", f"sleep {marker} & sleep {marker}")
            eventually(lambda m=marker: processes(f"^sleep {m}") == 2, 30, "it runs")
            running.send_signal(sig)
            code = running.wait(30)
            running.communicate()
            equal(code, -9 if sig == signal.SIGKILL else 143)
            eventually(lambda m=marker: processes(f"sleep {m}") == 0, 10, "all are gone")


@test
def a_signal_lets_it_tidy_up():
    for agent, ref in agents():
        space = agent.directory("space")
        script = "trap 'echo bye > /workspace/bye; exit 5' TERM; touch /workspace/ready; while :; do sleep 0.05; done"
        running = agent.start("agent", "exec", ref, "-w", space, "--", "sh", "-c", script)
        eventually((space / "ready").exists, 30, "it runs")
        running.terminate()
        equal(running.wait(30), 143)
        running.communicate()
        equal((space / "bye").read_text(), "bye\n")


# --- limits -----------------------------------------------------------------------------------------


def denied(agent, ref, what, *command, options=()):
    told = agent.result(ref, *command, options=options)
    check(what in told["denied"], f"{what} in {told}")
    return told


@test
def its_time():
    for agent, ref in agents():
        began = time.monotonic()
        equal(denied(agent, ref, "time", "sleep", "100", options=["--time", "1"])["exitCode"], 124)
        stubborn = "trap '' TERM; while :; do sleep 0.1; done"
        equal(denied(agent, ref, "time", "sh", "-c", stubborn, options=["--time", "1"])["exitCode"], 124)
        check(time.monotonic() - began < 60, "it was ended")
        contains(agent.run(ref, "sleep", "9", options=["--time", "1"]).err, "the command ran into its limit: time")
        agent.run(ref, "true", options=["--time", "0"]).failed(2, "--time needs a number")


@test
def its_memory():
    one = "x = bytearray(1 << 30)"
    shared = "import mmap\nm = mmap.mmap(-1, 1 << 30)\nfor i in range(0, 1 << 30, 4096): m[i] = 1"
    many = ("import os, time\nfor i in range(12):\n    if os.fork() == 0:\n"
            "        x = bytearray(os.urandom(1 << 20)) * 40; time.sleep(60); os._exit(0)\ntime.sleep(60)")
    for agent, ref in agents():
        check(agent.result(ref, "python3", "-c", one, options=["--memory", "100M"])["exitCode"] != 0, "one large block")
        for script in (shared, many):
            told = denied(agent, ref, "memory", "python3", "-c", script, options=["--memory", "100M", "--time", "30"])
            check(told["peakMemory"] > 50 << 20, told)
        agent.run(ref, "true", options=["--memory", "lots"]).failed(2, "--memory needs a size")


@test
def its_processes():
    script = ("import os, time\nn = 0\ntry:\n    while n < 200:\n        if os.fork() == 0:\n"
              "            time.sleep(20); os._exit(0)\n        n += 1\nexcept OSError:\n    print(n)")
    for agent, ref in agents():
        out = agent.run(ref, "python3", "-c", script, options=["--processes", "20"]).out
        check(10 <= int(out) < 20, out)


@test
def its_files():
    for agent, ref in agents():
        denied(agent, ref, "file-size", "sh", "-c", "exec head -c 2000000 /dev/zero > f", options=["--file-size", "1M"])
        full = agent.run(ref, "sh", "-c", "for d in /tmp /workspace /home/agent /dev/shm; do "
                         "head -c 3000000 /dev/zero 2>&- > $d/f || echo full; done", options=["--disk", "2M"])
        equal(full.out, "full\n" * 4)
        space = agent.directory("space")
        script = "for i in $(seq 100); do head -c 1000000 /dev/urandom > $i; sleep 0.05; done"
        denied(agent, ref, "disk", "sh", "-c", script, options=["--disk", "2M", "-w", space])
        check(sum(f.stat().st_size for f in space.iterdir()) < 50 << 20, "it was ended early")
        for option in ("--file-size", "--disk", "--output"):
            agent.run(ref, "true", options=[option, "0"]).failed(2, f"{option} needs a size")


@test
def its_output():
    for agent, ref in agents():
        told = denied(agent, ref, "output", "yes", options=["--output", "1K"])
        equal(told["stdout"]["text"], "y\n" * 512)
        check(told["stdout"]["truncated"] and told["stdout"]["bytes"] > 1024, told["stdout"]["bytes"])
        done = agent.run(ref, "sh", "-c", "yes >&2", options=["--output", "1K"])
        contains(done.err, "the command ran into its limit: output")


@test
def while_nobody_reads():
    """The limits hold, and what was written is there for who reads later."""
    for agent, ref in agents():
        for number, stream in enumerate(("", " >&2")):
            marker = f"unread {number}"
            script = f": {marker}; head -c 300000 /dev/zero{stream}; while :; do sleep 0.1; done"
            running = agent.start("agent", "exec", "--time", "1", ref, "--", "sh", "-c", script)
            eventually(lambda: processes(f"^sh -c : {marker}") > 0, 30, "it runs")  # pylint: disable=cell-var-from-loop
            eventually(lambda: processes(f"^sh -c : {marker}") == 0, 10, "it is ended")  # pylint: disable=cell-var-from-loop
            check(running.poll() is None, "and its output waits")
            written = running.communicate(timeout=30)[number]
            check(written.count(b"\0") >= 120000, "two pipes full: that of the sandbox, and ours")
            equal(running.returncode, 124)


@test
def nothing_is_left_of_a_limit():
    """No cgroup, also not of a caller that was killed: the next one removes it."""
    agent = Agent(server)
    running = agent.start("agent", "exec", "@local/tools", "--", "sleep", "60")
    eventually(lambda: processes("^sleep 60$") > 0, 30, "it runs")
    running.kill()
    running.wait()
    running.communicate()
    eventually(lambda: processes("^sleep 60$") == 0, 10, "it is gone")
    agent.run("@local/tools", "true").ok()
    if os.getuid() == 0:
        left = [p for p in Path("/sys/fs/cgroup").rglob(f"stigmer-{running.pid}-*")]
        equal(left, [])


# --- what is missing --------------------------------------------------------------------------------


@test
def without_bubblewrap_nothing_runs():
    agent = Agent(server)
    nowhere = agent.directory("nowhere")
    for options in ([], ["--best-effort"]):
        agent.run("@local/tools", "true", options=options, env={"PATH": str(nowhere)}).failed(
            125, "there is no bwrap in PATH: install the package bubblewrap")


@test
def without_user_namespaces_nothing_runs():
    agent = Agent(server)
    limited = ["unshare", "--user", "--map-root-user", "sh", "-c",
               'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"', "sh"]
    if subprocess.run([*limited, "true"], capture_output=True, check=False).returncode:
        skip("user namespaces cannot be switched off for a test here")
    done = subprocess.run([*limited, *agent.command(["agent", "exec", "@local/tools", "--", "true"])],
                          env=agent.environment(None), capture_output=True, text=True, check=False, cwd="/")
    equal(done.returncode, 125)
    contains(done.stderr, "user namespaces")


@test
def what_is_not_enforced_is_named():
    """Root without a cgroup of its own cannot have its processes counted."""
    if os.getuid() != 0:
        skip("only root's processes cannot be counted without a cgroup")
    agent = Agent(server)
    agent.run("@local/tools", "true").ok()
    hidden = ["unshare", "--mount", "--propagation=private", "sh", "-c",
              'mount -t tmpfs none /sys/fs/cgroup; exec "$@"', "sh"]

    def run(*options):
        return subprocess.run([*hidden, *agent.command(["agent", "exec", "@local/tools", *options, "--", "true"])],
                              env=agent.environment(None), capture_output=True, text=True, check=False)

    refused = run()
    equal(refused.returncode, 125)
    contains(refused.stderr, "root's processes can only be counted by a cgroup")
    contains(refused.stderr, "--best-effort runs it without that limit")
    done = run("--best-effort")
    equal(done.returncode, 0)
    contains(done.stderr, "stigmer: not enforced: processes")
    equal(json.loads(run("--best-effort", "--json").stdout)["notEnforced"], ["processes"])


@test
def on_a_terminal_what_it_prints_is_escaped():
    agent = Agent(server)
    done = agent.terminal("agent", "exec", "@local/tools", "--", "printf", "\\033]0;title\\007x\\n")
    equal(done.code, 0)
    lacks(done.out.split("needs python3")[1], "\033]0")
    contains(done.out, "x\n")


def stop():
    server.stop()


tap.run(stop)
