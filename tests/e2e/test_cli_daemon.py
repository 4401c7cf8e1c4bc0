#!/usr/bin/python3
"""The local server in the background: started, found, stopped, never twice."""

import json
import os
import re
import select
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

from support.check import check, contains, equal, eventually, lacks
from support.cli import Cli
from support.paths import CLI, PATIENCE, SERVER
from support.tap import run, test


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Home(Cli):
    """A person whose local server, if any, is gone afterwards."""

    def __init__(self, **env):
        self.port = free_port()
        super().__init__(address=f"localhost:{self.port}", **env)
        self.data = self.home / ".stigmer" / "data"
        self.pid_file = self.data / "daemon.pid"
        self.log = self.home / ".stigmer" / "logs" / "stigmer-server.log"

    def __exit__(self, *details):
        for pid in self.servers():
            os.kill(pid, signal.SIGKILL)
            eventually(lambda pid=pid: not alive(pid), 5)
        super().__exit__(*details)

    def pid(self):
        return int(self.pid_file.read_text())

    def servers(self):
        """Every stigmer-server of this home."""
        found = []
        for proc in Path("/proc").glob("[0-9]*"):
            try:
                if (f"HOME={self.home}\0".encode() in (proc / "environ").read_bytes()
                        and os.readlink(proc / "exe") == str(SERVER)):
                    found.append(int(proc.name))
            except OSError:
                pass
        return found


def alive(pid):
    """Until its last thread is gone, whether or not its parent has collected it."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    ended = bool(select.select([fd], [], [], 0)[0])
    os.close(fd)
    return not ended


@test
def start_status_stop():
    with Home() as home:
        equal(home("server", "status").code, 3)
        done = home("server", "start").ok()
        pid = home.pid()
        equal(done.out, f"✓ stigmer-server started at localhost:{home.port} (pid {pid})\n"
                        f"Log: {home.log}\n")
        status = json.loads(home("server", "status", "--json").ok().out)
        equal([status[k] for k in ("running", "healthy", "pid", "address")],
              [True, True, pid, f"localhost:{home.port}"])
        check(0 <= status["uptimeSeconds"] < 60, status)
        check(re.fullmatch(r"\d+\.\d+\.\d+", status["version"]), status)
        text = home("server", "status").ok().out
        for part in ("is running.\n", f"Pid:      {pid}\n", "Healthy:  yes\n", f"localhost:{home.port}"):
            contains(text, part)
        equal(home("server", "stop").ok().out, f"✓ stigmer-server stopped (pid {pid})\n")
        check(not alive(pid))
        check(not home.pid_file.exists())
        done = home("server", "status", "--json")
        equal((done.code, json.loads(done.out)["running"], json.loads(done.out)["pid"]),
              (3, False, None))


@test
def it_is_a_real_daemon():
    with Home() as home:
        home("server", "start").ok()
        pid = home.pid()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        parent, session, terminal = int(fields[1]), int(fields[3]), int(fields[4])
        check(session != os.getsid(0) and session != pid, "in a foreign session, not its leader")
        equal(terminal, 0, "no controlling terminal")
        check(parent != os.getpid(), "not a child of its starter")
        equal(os.readlink(f"/proc/{pid}/cwd"), "/")
        equal(os.readlink(f"/proc/{pid}/fd/0"), "/dev/null")
        equal([os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (1, 2)], [str(home.log)] * 2)


@test
def its_files_are_private_and_the_pid_is_digits_only():
    with Home() as home:
        done = subprocess.run([str(CLI), "server", "start"], env=home.env, umask=0, check=False,
                              capture_output=True, timeout=60 * PATIENCE)
        equal(done.returncode, 0, done.stderr)
        check(re.fullmatch(rb"[0-9]+", home.pid_file.read_bytes()), "digits, no newline")
        for path, mode in ((home.pid_file, 0o600), (home.log, 0o600), (home.data, 0o700),
                           (home.log.parent, 0o700)):
            equal(stat.S_IMODE(path.stat().st_mode), mode, str(path))
        equal(sorted(p.name for p in home.data.iterdir()), ["daemon.lock", "daemon.pid"])


@test
def starting_twice_is_fine():
    with Home() as home:
        home("server", "start").ok()
        pid = home.pid()
        contains(home("server", "start").ok().out, f"is running already at localhost:{home.port} (pid {pid})")
        equal(home.servers(), [pid])


@test
def stopping_twice_is_fine():
    with Home() as home:
        equal(home("server", "stop").ok().out, "stigmer-server is not running.\n")
        check(not (home.home / ".stigmer").exists(), "looking makes nothing")
        home("server", "start").ok()
        home("server", "stop").ok()
        equal(home("server", "stop").ok().out, "stigmer-server is not running.\n")


@test
def a_stale_pid_file_is_seen_through():
    with Home() as home:
        home("server", "start").ok()
        pid = home.pid()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not alive(pid))
        check(home.pid_file.exists())
        equal(home("server", "status").code, 3)
        contains(home("server", "start").ok().out, "started")
        check(home.pid() != pid)
        home("server", "stop").ok()


@test
def a_pid_of_another_program_is_never_signalled():
    with Home() as home, subprocess.Popen(["sleep", "60"]) as other:
        home.data.mkdir(parents=True)
        home.pid_file.write_text(str(other.pid))
        equal(home("server", "status").code, 3)
        equal(home("server", "stop", "--force").ok().out, "stigmer-server is not running.\n")
        equal(other.poll(), None)
        home.data.mkdir(exist_ok=True)
        home.pid_file.write_text(str(other.pid))
        home("server", "start").ok()
        check(home.pid() != other.pid)
        other.kill()


@test
def garbage_in_the_pid_file():
    with Home() as home:
        home.data.mkdir(parents=True)
        for text in ("", "x", "-1", "0", "99999999999999"):
            home.pid_file.write_text(text)
            equal(home("server", "status").code, 3, text)
        home("server", "start").ok()


@test
def apply_starts_a_server_and_says_so():
    with Home() as home:
        done = home("apply", home.skill("auto")).ok()
        equal(done.err, f"Starting local stigmer-server at localhost:{home.port} …\n")
        contains(done.out, "🚀 Skill uploaded successfully!")
        again = home("skill", "push", home.home / "auto").ok()
        equal(again.err, "")
        equal(home.servers(), [home.pid()])


@test
def no_start_forbids_it():
    with Home() as home:
        for command in (["apply"], ["skill", "push"]):
            done = home(*command, home.skill("-".join(command)), "--no-start")
            done.failed(1, "Cannot connect to stigmer-server")
            check(done.err.startswith("Error: Cannot connect to stigmer-server\n"), done.err)
            contains(done.err, "stigmer server start")
        check(not (home.home / ".stigmer").exists())


@test
def reading_never_starts_one():
    with Home() as home:
        home("skill", "list").failed(1, "Cannot connect")
        equal(home.servers(), [])


@test
def a_remote_address_never_starts_one():
    with Home() as home:
        home("apply", home.skill("remote"), "--server", "127.0.0.2:1").failed(1, "Cannot connect")
        home("apply", home.skill("tls"), "--tls").failed(1, "Cannot connect")
        equal(home.servers(), [])


@test
def many_at_once_end_with_one_server():
    with Home() as home:
        running = [home.start("apply", home.skill(f"skill-{n}")) for n in range(6)]
        said = b""
        for process in running:
            out, err = process.communicate(timeout=60 * PATIENCE)
            equal(process.returncode, 0, (out + err).decode())
            said += err
        equal(said.count(b"Starting local stigmer-server"), 1, "who starts it says so")
        equal(home.servers(), [home.pid()])
        equal(json.loads(home("skill", "list", "--json").ok().out)["total"], 6)


@test
def start_and_stop_at_once_leave_a_consistent_state():
    with Home() as home:
        running = [home.start("server", word) for word in ["start", "stop"] * 4]
        for process in running:
            out, err = process.communicate(timeout=120 * PATIENCE)
            equal(process.returncode, 0, (out + err).decode())
        servers = home.servers()
        equal(servers, [home.pid()] if home.pid_file.exists() else [])
        home("server", "stop").ok()
        equal(home.servers(), [])


@test
def a_server_that_dies_shows_its_log_and_leaves_nothing():
    with Home(LOG_LEVEL="nonsense") as home:
        done = home("server", "start").failed(1, "ended while it started")
        contains(done.err, "LOG_LEVEL")
        contains(done.err, str(home.log))
        check(not home.pid_file.exists())
        equal(home("server", "status").code, 3)
        home("apply", home.skill("a")).failed(1, "ended while it started")


@test
def a_port_that_is_taken():
    with Home() as home, socket.socket() as taken:
        taken.bind(("127.0.0.1", home.port))
        taken.listen()
        home("server", "start", "--timeout", "8").failed(1)
        equal(home.servers(), [])
        check(not home.pid_file.exists())


@test
def a_server_elsewhere_is_not_started_again():
    with Home() as home:
        home("server", "start").ok()
        other = free_port()
        done = home("server", "start", "--server", f"localhost:{other}", "--timeout", "1")
        done.failed(1, "does not answer at")
        equal(home.servers(), [home.pid()])
        text = home("server", "status", "--server", f"localhost:{other}").ok().out
        contains(text, "Healthy:  no")


@test
def relative_paths_are_refused_in_the_background():
    with Home(STORAGE_PATH="relative") as home:
        home("server", "start").failed(1, "STORAGE_PATH must be an absolute path")
        check(not home.pid_file.exists())


@test
def home_must_be_known():
    with Home() as home:
        for value in (None, "", "relative"):
            home("server", "start", env={"HOME": value}).failed(1, "HOME must be an absolute path")


@test
def a_server_in_the_foreground():
    with Home() as home:
        process = home.start("server", "run")
        eventually(lambda: home("server", "status", "--json").code == 0, 20 * PATIENCE)
        status = json.loads(home("server", "status", "--json").out)
        equal((status["running"], status["healthy"], status["pid"]), (True, True, None))
        contains(home("server", "status").out, "was not started by")
        contains(home("server", "start").ok().out, "answers at")
        equal(os.readlink(f"/proc/{process.pid}/exe"), str(SERVER))
        check(not home.pid_file.exists())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30 * PATIENCE)
        equal(process.returncode, 0)


@test
def stop_waits_until_it_is_gone():
    with Home() as home:
        home("server", "start").ok()
        pid = home.pid()
        os.kill(pid, signal.SIGSTOP)
        started = time.monotonic()
        done = home("server", "stop", "--timeout", "1").failed(1, f"(pid {pid}) is still running")
        check(time.monotonic() - started >= 1)
        contains(done.err, "stigmer server stop --force")
        check(home.pid_file.exists())
        equal(home("server", "stop", "--timeout", "1", "--force").ok().err, "")
        check(not alive(pid) and not home.pid_file.exists())


@test
def the_version_hash_survives_a_restart():
    with Home() as home:
        first = json.loads(home("apply", home.skill("kept"), "--json").ok().out)
        home("server", "stop").ok()
        again = json.loads(home("apply", home.home / "kept", "--json").ok().out)
        equal(again["versionHash"], first["versionHash"])
        equal(again["skill"]["status"]["audit"], first["skill"]["status"]["audit"])
        lacks(home.log.read_text(), "Sanitizer")


run()
