#!/usr/bin/python3
"""Prometheus metrics: what is counted, how it is told, and that asking for it disturbs nobody."""

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import grpc

from support import archives, process, tap, wire
from support.check import check, contains, equal
from support.paths import PATIENCE, ROOT, SERVER, run
from support.server import Server, free_port
from support.tap import test

LINE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')
CALLS, SECONDS = "stigmer_grpc_requests_total", "stigmer_grpc_request_duration_seconds"


class Measured(Server):
    def __init__(self, env=None, **more):
        self.metrics_port = free_port()
        super().__init__({"METRICS_PORT": str(self.metrics_port), **(env or {})}, **more)

    def ask(self, method="GET", path="/metrics", body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=10 * PATIENCE)
        connection.request(method, path, body)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer, text

    def metrics(self):
        """{(name, labels as they are written): value}"""
        answer, text = self.ask()
        equal(answer.status, 200)
        found = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, value = LINE.match(line).groups()
                key = (name, labels or "")
                check(key not in found, key)
                found[key] = float(value)
        return found


def until(condition, seconds=10):
    """What is counted after the answer may come a moment later."""
    deadline = time.monotonic() + seconds * PATIENCE
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not become so")


def calls(found, method, code="OK"):
    return found.get((CALLS, f'method="{method}",code="{code}"'), 0)


@test
def what_is_told_is_what_happened():
    with Measured() as server:
        client, data = server.client(), archives.numbered(1, size=20000)
        pushed = client.push("Calc", data, tag="v1")
        for _ in range(7):
            client.resolve("calc", "v1")
        for _ in range(3):
            try:
                client.resolve("calc", "v2")
                check(False)
            except grpc.RpcError as e:
                equal(e.code(), grpc.StatusCode.NOT_FOUND)
        client.artifact(pushed.status.artifact_storage_key)
        push, resolve, get = (f"{wire.COMMAND_PATH}/push", f"{wire.QUERY_PATH}/getByReference",
                              f"{wire.QUERY_PATH}/getArtifact")
        until(lambda: calls(server.metrics(), get) == 1)
        found = server.metrics()
        equal([calls(found, push), calls(found, resolve), calls(found, resolve, "NOT_FOUND")], [1, 7, 3])
        equal(found[f"{SECONDS}_count", f'method="{resolve}"'], 10)
        check(0 < found[f"{SECONDS}_sum", f'method="{resolve}"'] < 10 * PATIENCE)
        check(len(data) <= found["stigmer_grpc_request_bytes_total", f'method="{push}"'] < len(data) + 1000)
        check(len(data) <= found["stigmer_grpc_response_bytes_total", f'method="{get}"'] < len(data) + 1000)
        equal(found["stigmer_storage_fsync_seconds_count", ""], 2 + found_at_start())
        equal(found["stigmer_database_commit_changes_count", ""], found["stigmer_database_commit_seconds_count", ""])
        check(found["stigmer_connections", ""] >= 1 and found["stigmer_connections_accepted_total", ""] >= 1)
        equal(found["stigmer_storage_writable", ""], 1)
        check(abs(found["process_open_fds", ""] - len(process.open_files(server.pid))) <= 3)  # that of this question
        check(abs(found["process_resident_memory_bytes", ""] / 1024 / process.rss_kib(server.pid) - 1) < 0.2)
        check(abs(found["process_start_time_seconds", ""] - time.time()) < 60 * PATIENCE)
        limits = {labels: v for (name, labels), v in found.items() if name == "stigmer_memory_budget_limit_bytes"}
        equal(sorted(limits), [f'budget="{b}"' for b in ("answers", "receive_windows", "requests", "uploads")])
        check(min(limits.values()) >= 1 << 20)


def found_at_start():
    """fsyncs of a start: those of its directories."""
    with Measured() as server:
        return server.metrics()["stigmer_storage_fsync_seconds_count", ""]


@test
def histograms_are_consistent():
    with Measured() as server:
        client = server.client()
        for n in range(20):
            client.push(f"Calc {n}", archives.numbered(n))
        buckets = {}
        for (name, labels), value in server.metrics().items():
            if name.endswith("_bucket"):
                rest, _, le = labels.rpartition('le="')
                buckets.setdefault((name, rest), []).append((float(le.rstrip('"')), value))
        check(len(buckets) > 10)
        found = server.metrics()
        for (name, labels), row in buckets.items():
            equal([le for le, _ in row], sorted(le for le, _ in row))
            equal([n for _, n in row], sorted(n for _, n in row))
            equal(row[-1][0], float("inf"))
            check(found[name.replace("_bucket", "_count"), labels.rstrip(",")] >= row[-1][1])


@test
def promtool_agrees():
    promtool = shutil.which("promtool", path=f"{os.environ['PATH']}:{ROOT}/.tools")
    if not promtool:
        tap.skip("promtool is missing: ./dev test fetches it, it is in Debian's package prometheus")
    with Measured() as server:
        server.client().push("Calc", archives.make())
        done = subprocess.run([promtool, "check", "metrics"], input=server.ask()[1], capture_output=True, text=True,
                              check=False)
        equal((done.returncode, done.stdout, done.stderr), (0, "", ""))


@test
def names_of_clients_make_no_lines():
    with Measured() as server:
        before = len(server.ask()[1].splitlines())
        with server.channel() as channel:
            for n in range(50):
                try:
                    channel.unary_unary(f"/no.such.Service{n}/m\"{n}")(b"", timeout=10 * PATIENCE)
                except grpc.RpcError as e:
                    equal(e.code(), grpc.StatusCode.UNIMPLEMENTED)
        until(lambda: calls(server.metrics(), "unknown", "UNIMPLEMENTED") == 50)
        equal(len(server.ask()[1].splitlines()), before + 1)  # unknown, UNIMPLEMENTED


@test
def garbage_and_scrub():
    with Measured({"GC_INTERVAL": "1", "SCRUB_INTERVAL": "1"}) as server:
        server.client().push("Calc", archives.make())
        (server.skills / f"{archives.sha256(b'x')}.zip").write_bytes(b"x")
        until(lambda: server.metrics()["stigmer_gc_archives_total", ""] == 1, 30)
        found = server.metrics()
        equal((found["stigmer_gc_bytes_total", ""], found["stigmer_gc_failures_total", ""]), (1, 0))
        check(found["stigmer_gc_runs_total", ""] >= 1)
        check(abs(found["stigmer_gc_last_end_timestamp_seconds", ""] - time.time()) < 30 * PATIENCE)
        until(lambda: server.metrics()["stigmer_scrub_last_end_timestamp_seconds", ""] > 0, 30)
        equal(server.metrics()["stigmer_scrub_last_pass_damaged", ""], 0)


@test
def only_reading_metrics():
    with Measured() as server:
        answer, text = server.ask("HEAD")
        equal((answer.status, text), (200, ""))
        equal(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        for path in ("/", "/metricsx", "/metrics/", "/../metrics"):
            equal(server.ask(path=path)[0].status, 404, path)
        for method in ("POST", "PUT", "DELETE"):
            answer, _ = server.ask(method, body="x" * 100000)
            equal((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"), method)


@test
def off_by_default_and_on_loopback():
    with Server() as server:
        equal(process.listening(server.pid), [("127.0.0.1", server.port), ("::1", server.port)])
    with Measured() as server:
        check(("127.0.0.1", server.metrics_port) in process.listening(server.pid))
    with Measured({"METRICS_LISTEN": "127.0.0.1,::1"}) as server:
        check(("::1", server.metrics_port) in process.listening(server.pid))


@test
def its_library_is_loaded_only_when_wanted():
    for server, wanted in ((Server(), False), (Measured(), True)):
        with server:
            maps = open(f"/proc/{server.pid}/maps", encoding="utf-8").read()
            equal(["libmicrohttpd" in maps, "libgnutls" in maps], [wanted, wanted])


@test
def a_port_that_is_taken():
    server = Server()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run(SERVER, env={**server.environment(), "METRICS_PORT": port})
        equal(done.returncode, 1)
        contains(done.stderr + done.stdout, f"METRICS_PORT={port} is in use at 127.0.0.1; choose another one")
    done = run(SERVER, env={**server.environment(), "METRICS_PORT": "70000"})
    contains(done.stderr + done.stdout, "METRICS_PORT=70000 is not valid")
    done = run(SERVER, env={**server.environment(), "METRICS_PORT": "1", "METRICS_LISTEN": "all"})
    contains(done.stderr + done.stdout, "METRICS_LISTEN=all is not valid")


@test
def who_scrapes_slowly_disturbs_nobody():
    with Measured() as server:
        idle = [socket.create_connection(("127.0.0.1", server.metrics_port)) for _ in range(100)]
        for n, s in enumerate(idle):
            try:
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n"[:n])
            except OSError:
                pass  # one too many: closed
        equal(wire.health(server.client().channel, timeout=10 * PATIENCE), 1)
        server.client().push("Calc", archives.make())
        until(lambda: len(process.sockets(server.pid)) < 40, 30)
        for s in idle:
            s.close()
        until(lambda: server.ask()[0].status == 200)
        junk = socket.create_connection(("127.0.0.1", server.metrics_port))
        junk.sendall(b"\0\xff" * 50000)
        junk.close()
        until(lambda: server.ask()[0].status == 200)


@test
def told_while_the_server_drains():
    with Measured() as server:
        parts = archives.push_frame_parts("Held", [archives.numbered(1, size=5000)])
        with subprocess.Popen(["curl", "--silent", "--http2-prior-knowledge", "--request", "POST", "--upload-file", "-",
                               "--header", "content-type: application/grpc", "--header", "te: trailers", "--dump-header",
                               "-", "--output", "/dev/null", f"http://{server.address()}{wire.COMMAND_PATH}/push"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as held:
            held.stdin.write(parts[0])
            held.stdin.flush()
            until(lambda: server.metrics()["stigmer_streams", ""] == 1)
            server.process.send_signal(signal.SIGTERM)
            until(lambda: ("127.0.0.1", server.port) not in process.listening(server.pid))
            found = server.metrics()
            equal((found["stigmer_streams", ""], found["stigmer_connections", ""]), (1, 1))
            held.stdin.write(parts[1])
            held.communicate()
        server.wait()
        equal([e["code"] for e in server.events() if e["event"] == "call"], ["OK"])


tap.run()
