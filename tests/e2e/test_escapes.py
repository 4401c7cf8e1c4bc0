#!/usr/bin/python3
"""A hostile skill tries its ways out of the sandbox, as root's and as an ordinary user's.

Each probe of escapes/probes.py must be kept in. That it can succeed at all is shown by its control: the
same attempt without a sandbox, by the same user or by root, where that does no harm.
"""

import json
import os
import socket
import subprocess
import threading
from pathlib import Path

from support import tap
from support.check import check, equal, eventually
from support.isolation import Agent, need_sandbox, processes, users
from support.paths import discard, run, scratch
from support.server import Server
from support.tap import note, test

SCRIPT = Path(__file__).parent / "escapes" / "probes.py"
PYTHON = "/usr/bin/python3"
SECRET = "s3cret-of-the-host"
LEFT_BY_CONTROLS = ["/usr/bin/stigmer-was-here", "/etc/stigmer-was-here", "/stigmer-was-here"]
LIMITS = ["--time", "10", "--memory", "256M", "--disk", "20M", "--output", "1M", "--processes", "40"]

server = Server().start()
need_sandbox(tap.skip_all)
probes = json.loads(run(PYTHON, SCRIPT, "--list").stdout)


def listen(family, address, kind=socket.SOCK_STREAM):
    made = socket.socket(family, kind)
    made.bind(address)
    if kind == socket.SOCK_STREAM:
        made.listen(64)
    return made


def answer_datagrams(made):
    while True:
        try:
            _, sender = made.recvfrom(64)
            made.sendto(b"pong", sender)
        except OSError:
            return


class Host:
    """What there is to reach: files, processes, sockets, a descriptor."""

    def __init__(self, agent):
        self.agent = agent
        self.dir = scratch("host")
        self.dir.chmod(0o755)
        self.workspace = agent.directory("workspace")
        self.skills = hashes(agent)
        secret = self.dir / "secret"
        secret.write_text(SECRET)
        self.victim = subprocess.Popen([*agent.prefix(), "sleep", f"99{os.getpid()}"], stdout=subprocess.DEVNULL,
                                       env={"SECRET": SECRET, "PATH": os.environ["PATH"]})
        self.abstract = f"stigmer-escape-{os.getpid()}-{agent.user}"
        self.sockets = [listen(socket.AF_UNIX, "\0" + self.abstract),
                        listen(socket.AF_UNIX, str(self.dir / "socket")),
                        listen(socket.AF_INET, ("127.0.0.1", 0)), listen(socket.AF_INET6, ("::1", 0)),
                        listen(socket.AF_INET, ("127.0.0.1", 0), socket.SOCK_DGRAM)]
        (self.dir / "socket").chmod(0o777)
        threading.Thread(target=answer_datagrams, args=[self.sockets[4]], daemon=True).start()
        self.fd = os.open(secret, os.O_RDONLY)
        os.set_inheritable(self.fd, True)
        eventually(lambda: self.comm() == "sleep\n", what="the victim runs")
        self.known = {
            "home": str(self.dir), "home_secret": str(secret), "pid": self.victim.pid, "comm": "sleep\n",
            "marker": f"99{os.getpid()}", "abstract": self.abstract, "path_socket": str(self.dir / "socket"),
            "port": self.sockets[2].getsockname()[1], "port6": self.sockets[3].getsockname()[1],
            "udp": self.sockets[4].getsockname()[1], "fd": self.fd, "outlive": f"98{os.getpid()}"}

    def comm(self):
        return Path(f"/proc/{self.victim.pid}/comm").read_text(encoding="ascii")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.victim.kill()
        self.victim.wait()
        for made in self.sockets:
            made.close()
        os.close(self.fd)
        discard(self.dir)

    def inside(self, name):
        """The probe as a tool of the hostile skill."""
        mine, other = self.skills
        known = {**self.known, "workspace": "/workspace", "skills": "/bin/skills", "skill": f"/bin/skills/{mine}",
                 "other": f"/bin/skills/{other}", "script": f"/bin/skills/{mine}"}
        command = self.agent.command(["agent", "run", "--json", *LIMITS, "-w", self.workspace, "--env", "CONTEXT",
                                      "@local/hostile", "@local/neighbour", "--", PYTHON,
                                      f"/bin/skills/{mine}/probes.py", name])
        done = subprocess.run(command, env={**self.agent.environment(None), "SECRET": SECRET, "CONTEXT": json.dumps(known)},
                              stdin=subprocess.DEVNULL, capture_output=True, pass_fds=[self.fd], cwd=self.agent.home,
                              timeout=120, check=False)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"{name}: exit {done.returncode}\n{done.stderr.decode()}") from None

    def outside(self, name, as_root):
        """The same attempt without a sandbox."""
        place = scratch("control")
        for part in ("workspace", "skills", "skills/mine", "skills/other"):
            (place / part).mkdir()
            (place / part).chmod(0o777)
        for part in ("mine", "other"):
            (place / "skills" / part / "SKILL.md").write_text("# S\n")
            (place / "skills" / part / "SKILL.md").chmod(0o666)
        place.chmod(0o777)
        prefix = [] if as_root else self.agent.prefix()
        if prefix:
            subprocess.run(["chown", "-R", str(self.agent.user), place], check=True)
        known = {**self.known, "workspace": str(place / "workspace"), "skills": str(place / "skills"),
                 "skill": str(place / "skills/mine"), "other": str(place / "skills/other"), "script": str(SCRIPT.parent)}
        done = subprocess.run([*prefix, PYTHON, SCRIPT, name], capture_output=True, text=True, timeout=120, check=False,
                              env={"CONTEXT": json.dumps(known), "SECRET": SECRET, "PATH": os.environ["PATH"], "HOME": str(place)},
                              pass_fds=[self.fd], stdin=subprocess.DEVNULL, cwd="/")
        discard(place)
        return done


def hashes(agent):
    """Of the hostile skill and of its neighbour."""
    told = agent("agent", "resolve", "--json", "@local/hostile", "@local/neighbour").ok()
    found = {s["reference"]: s["versionHash"] for s in json.loads(told.out)["skills"]}
    return found["@local/hostile"], found["@local/neighbour"]


def push(name, files):
    publisher = Agent(server)
    publisher("skill", "push", publisher.skill(name, **files)).ok()


push("hostile", {"SKILL.md": "# Hostile\n", "probes.py": SCRIPT.read_text()})
push("neighbour", {"SKILL.md": "# Neighbour\n", "data": "precious\n"})


def try_all(user):
    with Host(Agent(server, user)) as host:
        escaped, denied = [], {}
        for name in probes:
            told = host.inside(name)
            kept = told["stdout"]["text"].startswith("kept") or told["denied"] or told["exitCode"] != 0
            if not kept or "ESCAPED" in told["stdout"]["text"] + told["stderr"]["text"]:
                escaped.append(f"{name}: {told}")
            if told["denied"]:
                denied[name] = told["denied"]
            for left in host.workspace.iterdir():
                check(left.lstat().st_mode & 0o6000 == 0, f"{name} left {left.name} with {left.lstat().st_mode:o}")
            run("find", host.workspace, "-mindepth", "1", "-delete")
        equal(processes(f"^sleep {host.known['outlive']}$"), 0, "processes that outlived the command")
        equal(host.comm(), "sleep\n", "the victim lives")
        note(f"{len(probes)} probes, {len(escaped)} escaped; ended by a limit: {denied}")
        equal(escaped, [])


@test
def there_are_enough_probes():
    check(len(probes) >= 60, len(probes))


@test
def nothing_gets_out_of_an_ordinary_users_sandbox():
    try_all(users()[-1])


@test
def nothing_gets_out_of_roots_sandbox():
    if os.getuid() != 0:
        tap.skip("only root can try as root")
    try_all(None)


@test
def without_a_sandbox_they_get_there():
    """Who is kept in only by the sandbox is not kept in by a mistake of the probe."""
    missed, shown = [], 0
    with Host(Agent(server, users()[-1])) as host:
        for name, control in probes.items():
            if control == "nobody" or (control == "root" and os.getuid() != 0):
                continue
            done = host.outside(name, as_root=control == "root")
            if "no such call" in done.stdout:
                continue  # this kernel has none
            shown += 1
            if "ESCAPED" not in done.stdout:
                missed.append(f"{name} ({control}): {done.stdout.strip()} {done.stderr.strip()[-200:]}")
    for path in LEFT_BY_CONTROLS:
        Path(path).unlink(missing_ok=True)
    note(f"{shown} of {len(probes)} probes have a control")
    equal(missed, [])
    check(shown >= 60, shown)


@test
def a_terminal_is_not_typed_into():
    """Its probes need one: on standard input, and as what would be the controlling terminal."""
    agent = Agent(server)
    mine, _ = hashes(agent)
    for name in ("type_into_the_terminal", "open_the_terminal", "write_to_the_terminal"):
        done = agent.terminal("agent", "run", "--env", "CONTEXT={}", "@local/hostile", "--", PYTHON,
                              f"/bin/skills/{mine}/probes.py", name)
        check("kept" in done.out and "ESCAPED" not in done.out, f"{name}: {done.out}")


def stop():
    server.stop()


tap.run(stop)
