#!/usr/bin/python3
"""Starting, stopping, restarting, being killed; and clients that are killed."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time

import grpc

from support import archives, process, rawh2, tap, wire
from support.check import check, contains, equal, eventually, fails, lacks
from support.paths import PATIENCE, ROOT, SERVER, discard, run
from support.server import Server
from support.tap import test

A, B = archives.numbered(1), archives.numbered(2)


def snapshot(client):
    """Everything a client can ask about the skills made by populate()."""
    return [client.resolve("kept"), client.resolve("kept", "one"), client.resolve("kept", "moved"),
            client.resolve("kept", archives.sha256(A)), client.resolve("owned", org="acme"),
            client.find(page_size=100), client.versions("kept"), client.versions("owned", org="acme"),
            client.versions("gone", include_deleted=True),
            client.artifact(f"skills/{archives.sha256(A)}.zip"),
            client.artifact(f"skills/{archives.sha256(B)}.zip")]


def populate(client):
    client.push("Kept", A, tag="one")
    client.push("Kept", B, tag="two")
    client.move_tag("kept", "one", "moved")
    client.push("Owned", A, org="acme", tag="latest")
    client.delete(client.push("Gone", B).metadata.id)


@test
def a_restart_keeps_everything():
    with Server() as server:
        client = server.client()
        populate(client)
        before = snapshot(client)
        for _ in range(2):
            server.restart()
            client = server.client()
            equal(snapshot(client), before)
        fails(grpc.StatusCode.NOT_FOUND, "skill not found: gone", client.resolve, "gone")
        newer = client.push("Kept", archives.numbered(3))
        check(newer.status.audit.spec_audit.updated_at.ToNanoseconds()
              > before[0].status.audit.spec_audit.updated_at.ToNanoseconds(), "time goes on")


@test
def a_killed_server_keeps_what_it_answered():
    with Server() as server:
        client = server.client()
        populate(client)
        before = snapshot(client)
        server.kill()
        server.start()
        equal(snapshot(server.client()), before)
        equal(len(server.artifacts()), 2)


@test
def a_server_killed_under_load_keeps_every_answer():
    with Server() as server:
        answered, stop = [], threading.Event()

        def push(n):
            client = server.client()
            for k in range(10000):
                if stop.is_set():
                    return
                data = archives.numbered(n * 100000 + k)
                try:
                    client.push(f"Load {n}", data, tag=f"t{k}")
                except grpc.RpcError:
                    return
                answered.append((f"load-{n}", f"t{k}", archives.sha256(data)))

        threads = [threading.Thread(target=push, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        time.sleep(1.0)
        server.kill()
        stop.set()
        for t in threads:
            t.join()
        server.start()
        client = server.client()
        check(answered, "some pushes were answered")
        for slug, tag, hashed in answered:
            equal(client.by_tag(slug, tag).status.version_hash, hashed, f"{slug}:{tag}")
            check(f"{hashed}.zip" in server.artifacts(), "its artifact is there")
        tap.note(f"{len(answered)} answered pushes, all there")


@test
def stopping_under_load_fails_no_call_that_was_begun():
    with Server() as server:
        server.client().push("Busy", A)
        results, begun_late = [], threading.Event()

        def call():
            own = server.client()
            while True:
                asked_before_stop = not begun_late.is_set()
                try:
                    own.resolve("busy", timeout=30 * PATIENCE)
                    results.append("OK")
                except grpc.RpcError as error:
                    results.append((error.code().name, error.details()))
                    if error.code() is grpc.StatusCode.UNAVAILABLE and not asked_before_stop:
                        return
                    if asked_before_stop and "GOAWAY" not in (error.details() or ""):
                        return

        threads = [threading.Thread(target=call) for _ in range(8)]
        for t in threads:
            t.start()
        time.sleep(0.5)
        begun_late.set()
        server.process.send_signal(signal.SIGTERM)
        for t in threads:
            t.join()
        server.wait()
        failures = {r for r in results if r != "OK"}
        tap.note(f"{results.count('OK')} calls answered; then {failures}")
        check(all(code == "UNAVAILABLE" for code, _ in failures), str(failures))
        equal([d for _, d in failures if not refused(d)], [],
              "calls that fail were refused before they began")


def refused(details):
    """Whether the client's own text says that the call never reached the server."""
    words = ("failed to connect", "Connection refused", "GOAWAY received", "connections to all",
             "Cancelling all calls")
    return any(w.lower() in details.lower() for w in words)


@test
def an_upload_in_flight_is_finished_before_the_end():
    data = archives.bulk_of_archive(60 * archives.MIB).archive("in flight")
    with Server() as server:
        client = server.client()
        wire.health(client.channel)
        call = client.commands.push.future(wire.io.PushSkillRequest(name="Late", artifact=data))
        eventually(lambda: process.unlinked_files(server.pid, server.storage) or call.done(), 10,
                   "the upload has begun")
        server.process.send_signal(signal.SIGTERM)
        equal(call.result().status.version_hash, archives.sha256(data))
        server.channels = []
        client.channel.close()
        server.wait()
        server.start()
        equal(server.client().resolve("late").status.version_hash, archives.sha256(data))


@test
def watchers_are_told_that_the_server_stops():
    with Server() as server:
        client = server.client()
        watch = wire.service("grpc.health.v1.Health", client.channel)["Watch"]
        call = watch(wire.message("grpc.health.v1.HealthCheckRequest")(service=""))
        statuses, codes = [], []

        def listen():
            try:
                for answer in call:
                    statuses.append(answer.status)
            except grpc.RpcError as error:
                codes.append(error.code())

        listener = threading.Thread(target=listen)
        listener.start()
        eventually(lambda: statuses == [1], 10 * PATIENCE, "SERVING")
        time.sleep(0.1)  # the listener waits for the next answer: grpcio drops what nobody awaits
        server.process.send_signal(signal.SIGTERM)
        listener.join()
        equal(statuses, [1, 2], "SERVING, then NOT_SERVING")
        equal(codes, [grpc.StatusCode.UNAVAILABLE])
        server.wait()


@test
def an_open_watch_does_not_delay_the_end():
    with Server() as server:
        client = server.client()
        watch = wire.service("grpc.health.v1.Health", client.channel)["Watch"]
        calls = [watch(wire.message("grpc.health.v1.HealthCheckRequest")()) for _ in range(5)]
        for call in calls:
            next(call)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.wait()
        check(time.monotonic() - started < 8 * PATIENCE, "stopped in seconds")


@test
def an_idle_connection_does_not_delay_the_end():
    with Server() as server:
        with rawh2.Peer(server), rawh2.Peer(server, preface=False):
            started = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            server.wait()
            check(time.monotonic() - started < 20 * PATIENCE, "stopped in seconds")


@test
def sigint_stops_like_sigterm():
    with Server() as server:
        server.client().push("Int", A)
        server.stop(signal.SIGINT)


@test
def a_port_in_use_is_an_error_that_says_so():
    with Server() as server:
        other = Server({"GRPC_PORT": str(server.port)})
        done = run(SERVER, env=other.environment(), timeout=20)
        check(done.returncode > 0, f"ended with {done.returncode}")
        contains(done.stderr, str(server.port))


@test
def two_servers_do_not_share_a_store():
    with Server() as server:
        done = run(SERVER, env={**server.environment(), "GRPC_PORT": "0"}, timeout=20)
        check(done.returncode > 0, f"the second ended with {done.returncode}")
        equal(wire.health(server.client().channel), 1, "the first goes on")


# --- clients that are killed -----------------------------------------------------------------------

GRPCIO_CLIENT = """
import sys
sys.path.insert(0, sys.argv[1])
import grpc
from support import archives, wire
data = archives.bulk_of_archive(95 << 20).archive(sys.argv[3])
with grpc.insecure_channel(sys.argv[2], [("grpc.max_send_message_length", -1)]) as channel:
    client = wire.Client(channel)
    wire.health(channel)
    print("ready", flush=True)
    sys.stdin.readline()
    client.push("Killed", data)
    print("done", flush=True)
"""


def nothing_is_left(server, files):
    eventually(lambda: not process.unlinked_files(server.pid, server.storage), 20 * PATIENCE,
               "the spool is closed")
    equal(server.stored_files(), files)


@test
def a_killed_grpcio_client_leaves_no_file():
    with Server() as server:
        client = server.client()
        client.push("Before", A)
        files, caught = server.stored_files(), 0
        for attempt in range(6):
            with subprocess.Popen(
                    [sys.executable, "-c", GRPCIO_CLIENT, str(ROOT / "tests" / "e2e"),
                     server.address(), str(attempt)],
                    env={**os.environ, "TMPDIR": str(server.home)},  # it cannot tidy up after itself
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
                equal(child.stdout.readline(), b"ready\n")
                child.stdin.write(b"go\n")
                child.stdin.flush()
                eventually(lambda: process.unlinked_files(server.pid, server.storage)
                           or child.poll() is not None, 20 * PATIENCE, "the upload has begun")
                child.kill()
                if b"done" in child.stdout.read():
                    tap.note("the upload was faster than the kill")
                    files = server.stored_files()
                    continue
            caught += 1
            eventually(lambda: not process.unlinked_files(server.pid, server.storage),
                       20 * PATIENCE, "the spool is closed")
            if len(server.stored_files()) > len(files):  # all had been sent: a push is a push
                equal(client.resolve("killed").metadata.slug, "killed")
                files = server.stored_files()
        check(caught, "at least one client was killed while it was sending")
        equal(wire.health(client.channel), 1)


@test
def clients_that_vanish_at_any_point_leave_no_file():
    """The same, at chosen points of the message."""
    with Server() as server:
        client = server.client()
        client.push("Before", A)
        files = server.stored_files()
        parts = archives.push_frame_parts("Vanished", [archives.numbered(5, size=40000)])
        body = b"".join(parts)
        for cut in (0, 3, 5, 6, 20, 100, 5000, len(body) // 2, len(body) - 1):
            for polite in (True, False):
                peer = rawh2.Peer(server)
                peer.open(1, f"{wire.COMMAND_PATH}/push")
                for at in range(0, cut, 16384):
                    peer.send(rawh2.frame(rawh2.DATA, 0, 1, body[at:min(at + 16384, cut)]))
                peer.read(0.05)
                if polite:
                    peer.send(rawh2.frame(rawh2.RST_STREAM, 0, 1, b"\0\0\0\x08"))
                    peer.read(0.02)
                peer.close()
        nothing_is_left(server, files)
        fails(grpc.StatusCode.NOT_FOUND, "", client.resolve, "vanished")


@test
def a_half_message_with_an_end_is_an_error():
    with Server() as server:
        client = server.client()
        client.push("Before", A)
        files = server.stored_files()
        body = b"".join(archives.push_frame_parts("Half", [archives.numbered(5, size=30000)]))
        with rawh2.Peer(server) as peer:
            peer.open(1, f"{wire.COMMAND_PATH}/push")
            peer.send(rawh2.frame(rawh2.DATA, rawh2.END_STREAM, 1, body[:10000]))
            check(peer.stream_end(1, 10 * PATIENCE), "answered")
        nothing_is_left(server, files)


@test
def a_full_disk_refuses_the_push_and_stores_nothing():
    server = Server()
    server.storage.mkdir()
    mounted = run("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", server.storage)
    if mounted.returncode:
        discard(server.home)
        tap.skip("mounting a small file system needs root: " + mounted.stderr.strip())
    try:
        with server:
            client = server.client()
            client.push("Fits", A)
            files = server.stored_files()
            large = archives.numbered(9, size=20 * archives.MIB)
            text = fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", client.push, "Large", large)
            lacks(text, str(server.home))
            nothing_is_left(server, files)
            fails(grpc.StatusCode.NOT_FOUND, "", client.resolve, "large")
            equal(client.push("Fits too", B).metadata.slug, "fits-too", "small ones still fit")
            equal(wire.health(client.channel), 1)
    finally:
        run("umount", "--lazy", server.storage)
        discard(server.home)


# --- dump and modes --------------------------------------------------------------------------------


@test
def dump_prints_every_record_beside_a_running_server():
    with Server() as server:
        populate(server.client())
        env = server.environment()
        text = run(SERVER, "dump", env=env)
        equal(text.returncode, 0, text.stderr)
        contains(text.stdout, "skill/platform/skill/kept")
        contains(text.stdout, "skill_audit/platform/skill/kept/")
        contains(text.stdout, "skill/org/acme/skill/owned")
        as_json = run(SERVER, "dump", "--json", env=env)
        equal(as_json.returncode, 0, as_json.stderr)
        for line in as_json.stdout.splitlines():
            json.loads(line)
        equal(wire.health(server.client().channel), 1)


@test
def home_is_the_default_place():
    with Server() as server:
        env = server.environment()
        del env["DB_PATH"], env["STORAGE_PATH"]
        home = server.home / "home"
        home.mkdir()
        env["HOME"] = str(home)
        with open(home / "log", "wb") as log:
            other = subprocess.Popen([str(SERVER)], env=env, stderr=log, stdin=subprocess.DEVNULL)
        try:
            eventually(lambda: '"port"' in (home / "log").read_text(), 20 * PATIENCE, "started")
            check((home / ".stigmer/storage/skills").is_dir(), "storage")
            check((home / ".stigmer/stigmer.db").is_dir(), "database")
            equal(stat.S_IMODE(os.stat(home / ".stigmer/stigmer.db").st_mode) & 0o077, 0)
        finally:
            other.terminate()
            equal(other.wait(30 * PATIENCE), 0)


@test
def secrets_and_bodies_are_not_logged():
    with Server({"LOG_LEVEL": "debug"}) as server:
        client = server.client()
        secret = "only-in-the-skill-text"
        client.push("Quiet", archives.make({"SKILL.md": archives.skill_md("quiet", secret)}),
                    metadata=[("authorization", "Bearer dummy-local-key")])
        client.resolve("quiet")
        lacks(server.log(), secret)
        lacks(server.log(), "dummy-local-key")
        calls = [e for e in server.events() if "push" in str(e.get("method", ""))]
        check(calls, "the call is logged")
        for field in ("request_id", "code"):
            check(field in calls[0], f"{field} in {calls[0]}")


if __name__ == "__main__":
    tap.run()
