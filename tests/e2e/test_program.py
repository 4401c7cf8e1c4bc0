#!/usr/bin/python3
"""stigmer-server as a program: its words, its signals, where it listens, how it is hardened."""

import re
import signal
import socket
import subprocess
import time

from support import archives, rawh2, tap, wire
from support.check import check, contains, equal, eventually, lacks
from support.paths import PATIENCE, SERVER, discard, run
from support.server import Server
from support.tap import test


def program(*arguments, env=None):
    return run(SERVER, *arguments, env=env or {"HOME": "/nonexistent"}, timeout=20 * PATIENCE)


@test
def help_tells_every_variable():
    done = program("--help")
    equal(done.returncode, 0)
    for word in ("usage:", "GRPC_PORT", "GRPC_LISTEN", "DB_PATH", "STORAGE_PATH", "LOG_LEVEL",
                 "LOG_FORMAT", "TLS_CERT_FILE", "TLS_KEY_FILE", "ENV", "STIGMER_STORAGE_MODE",
                 "SKILL_ARTIFACT_R2_BUCKET", "TEMPORAL_HOST_PORT", "SIGHUP", "Exit status"):
        contains(done.stdout, word)
    equal(program("-h").stdout, done.stdout)


@test
def version_is_one_line():
    done = program("version")
    equal(done.returncode, 0)
    check(re.fullmatch(r"stigmer-server \d+\.\d+\.\d+\n", done.stdout), done.stdout)
    equal(program("--version").stdout, done.stdout)


@test
def wrong_words_are_usage_errors():
    for words in (["what"], ["serve", "more"], ["version", "x"], ["dump", "--xml"],
                  ["dump", "--json", "x"]):
        done = program(*words)
        equal(done.returncode, 2, words)
        contains(done.stderr, f'do not know "{words[-1]}"')
        contains(done.stderr, "usage:")
        equal(done.stdout, "")


@test
def dump_without_a_database_says_so_and_makes_none():
    server = Server()
    done = program("dump", env=server.environment())
    equal(done.returncode, 1)
    contains(done.stderr, f"there is no database at DB_PATH={server.db}")
    check(not server.db.exists(), "nothing was made")
    discard(server.home)


@test
def dump_of_nothing_is_nothing():
    with Server() as server:
        equal(program("dump", env=server.environment()).stdout, "no records\n")
        equal(program("dump", "--json", env=server.environment()).stdout, "")


@test
def dump_shows_names_harmlessly():
    with Server() as server:
        server.client().push("Evil \x1b[31m\u202e\nname", archives.numbered(1))
        text = program("dump", env=server.environment()).stdout
        lacks(text, "\x1b")
        lacks(text, "\u202e")
        contains(text, "Evil ")


@test
def a_file_where_the_database_belongs_is_named():
    server = Server()
    server.db.write_text("an old database")
    done = program(env=server.environment())
    equal(done.returncode, 1)
    contains(done.stderr, f"DB_PATH={server.db} is a file and must be a directory")
    equal(server.db.read_text(), "an old database")
    discard(server.home)


@test
def the_home_of_another_server_is_refused_by_name():
    with Server() as server:
        for name in ("STORAGE_PATH", "DB_PATH"):
            own = Server({name: str(getattr(server, "storage" if name[0] == "S" else "db"))})
            done = program(env=own.environment())
            equal(done.returncode, 1)
            contains(done.stderr, f"another stigmer-server is using {name}=")
            discard(own.home)


@test
def one_directory_may_serve_for_both():
    with Server() as server:
        both = {"STORAGE_PATH": str(server.home / "both"), "DB_PATH": str(server.home / "both")}
        with Server(both) as other:
            other.client().push("Both", archives.numbered(1))
            equal(other.client().resolve("both").metadata.name, "Both")


def answers(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as s:
        s.settimeout(5)
        return s.connect_ex((address, port)) == 0


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@test
def both_loopbacks_by_default_on_one_port():
    with Server() as server:
        check(answers("127.0.0.1", server.port), "IPv4")
        check(not has_ipv6() or answers("::1", server.port), "IPv6")
        check(not answers("127.0.0.2", server.port), "no other address")


@test
def listening_elsewhere_is_a_choice():
    with Server({"GRPC_LISTEN": "127.0.0.2, 127.0.0.3"}) as server:
        check(answers("127.0.0.2", server.port) and answers("127.0.0.3", server.port), "both")
        check(not answers("127.0.0.1", server.port), "and no other")


@test
def an_address_asked_for_must_be_there():
    server = Server({"GRPC_LISTEN": "127.0.0.1,192.0.2.1"})  # TEST-NET-1 is nobody's
    done = program(env=server.environment())
    equal(done.returncode, 1)
    contains(done.stderr, "192.0.2.1")
    discard(server.home)


def stalled_push(server):
    peer = rawh2.Peer(server)
    peer.open(1, f"{wire.COMMAND_PATH}/push")
    peer.send(rawh2.frame(rawh2.DATA, 0, 1, b"\0\0\x10\0\0"))
    return peer


@test
def a_second_signal_does_not_wait():
    with Server() as server:
        with stalled_push(server):
            started = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            eventually(lambda: "server stops" in server.log(), 10 * PATIENCE, "the drain began")
            check(server.process.poll() is None, "a call is in progress")
            server.process.send_signal(signal.SIGTERM)
            equal(server.process.wait(10), -signal.SIGTERM)
            check(time.monotonic() - started < 5 * PATIENCE, "at once")


@test
def a_stalled_call_delays_the_end_by_ten_seconds_at_most():
    with Server() as server:
        with stalled_push(server):
            started = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            server.wait()
            check(9 < time.monotonic() - started < 15 * PATIENCE, "about ten seconds")


@test
def a_reload_without_tls_changes_nothing():
    with Server() as server:
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        equal(wire.health(server.client().channel), 1)


@test
def the_process_is_hardened():
    with Server() as server:
        with open(f"/proc/{server.pid}/status") as f:
            status = dict(line.split(":\t", 1) for line in f if ":\t" in line)
        equal(status["NoNewPrivs"].strip(), "1")
        equal(status["Umask"].strip(), "0077")
        with open(f"/proc/{server.pid}/limits") as f:
            limits = f.read()
        check(re.search(r"Max core file size +0 +0 ", limits), limits)
        soft, hard = re.search(r"Max open files +(\S+) +(\S+)", limits).groups()
        equal(soft, hard)


@test
def a_closed_standard_output_is_an_error_of_dump():
    with Server() as server:
        server.client().push("One", archives.numbered(1))
        with open("/dev/full", "w") as full:
            done = subprocess.run([SERVER, "dump"], env=server.environment(), stdout=full,
                                  stderr=subprocess.PIPE, text=True, check=False)
        equal(done.returncode, 1)
        contains(done.stderr, "standard output")


if __name__ == "__main__":
    tap.run()
