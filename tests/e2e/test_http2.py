#!/usr/bin/python3
"""curl, nghttp and openssl see correct HTTP/2 and TLS."""

import re
import shutil
import signal
import socket
import ssl
import struct
import time

from support import rawh2, tap, wire
from support.check import check, contains, equal, eventually, lacks
from support.paths import PATIENCE, discard, run, scratch
from support.server import Server
from support.tap import test

server = Server().start()
work = scratch("http2")
HEALTH = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
(work / "empty").write_bytes(rawh2.message(b""))
(work / "bad").write_bytes(rawh2.message(b"\xff"))
(work / "none").write_bytes(b"")


def curl(path, *more, body="empty", port=None, scheme="http", kind="application/grpc"):
    """Headers and trailers as lines."""
    done = run("curl", "--silent", "--show-error", "--max-time", 20 * PATIENCE,
               "--http2-prior-knowledge", "--dump-header", "-", "--output", work / "body",
               "--header", f"content-type: {kind}".strip(), "--header", "te: trailers",
               "--data-binary", f"@{work / body}", *more,
               f"{scheme}://localhost:{port or server.port}{path}")
    equal(done.returncode, 0, done.stderr)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def nghttp(path, *headers, body="empty"):
    """The same through nghttp, for calls that are answered before their body was read: curl 7.88
    takes the RST_STREAM(NO_ERROR) that may follow such an answer (RFC 9113 8.1) for a failure."""
    sent = ["content-type: application/grpc", "te: trailers", *headers]
    done = run("nghttp", "--verbose", "--no-dep", "--timeout", 20 * PATIENCE,
               *(f"--header={h}" for h in sent), "--data", work / body,
               f"http://127.0.0.1:{server.port}{path}")
    equal(done.returncode, 0, done.stderr)
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    return re.findall(r"recv \(stream_id=\d+\) (.*)", text)


@test
def a_call_has_status_headers_message_and_trailers():
    lines = curl(HEALTH)
    equal(lines[0], "HTTP/2 200")
    contains(lines, "content-type: application/grpc")
    equal(lines[-1], "grpc-status: 0", "the trailer comes last")
    equal((work / "body").read_bytes(), rawh2.message(b"\x08\x01"), "SERVING")


@test
def an_error_is_one_block_of_headers():
    lines = curl(f"{wire.QUERY_PATH}/get")
    equal(lines[0], "HTTP/2 200")
    contains(lines, "content-type: application/grpc")
    contains(lines, "grpc-status: 3")
    contains(lines, "grpc-message: validation error: value: value is required")
    equal((work / "body").read_bytes(), b"")


@test
def messages_are_percent_encoded():
    (work / "key").write_bytes(rawh2.message(
        wire.io.GetArtifactRequest(artifact_storage_key="ä%\n").SerializeToString()))
    lines = curl(f"{wire.QUERY_PATH}/getArtifact", body="key")
    contains(lines, "grpc-status: 5")
    text = next(line for line in lines if line.startswith("grpc-message: "))
    check(re.fullmatch(r"[\x20-\x24\x26-\x7e]*(%[0-9A-F]{2}[\x20-\x24\x26-\x7e]*)*", text), text)
    lacks(text, "ä")


@test
def other_content_types_are_415():
    for kind in ("application/json", "text/plain", "application/grpcx"):
        contains(curl(HEALTH, kind=kind)[0], "HTTP/2 415")
    for kind in ("application/grpc", "application/grpc+proto"):
        equal(curl(HEALTH, kind=kind)[0], "HTTP/2 200", kind)
    contains(curl(HEALTH, kind="")[0], "HTTP/2 415")


@test
def other_methods_are_refused():
    for method in ("GET", "PUT", "DELETE"):
        first = curl(HEALTH, "--request", method)[0]
        check(re.match(r"HTTP/2 (405|415)", first), f"{method}: {first}")


@test
def unknown_paths_are_unimplemented():
    for path in ("/", "/x/y", "/grpc.health.v1.Health/check", HEALTH + "/"):
        contains(nghttp(path), "grpc-status: 12")


@test
def malformed_messages_end_with_a_status():
    (work / "short").write_bytes(b"\0\0\0")
    (work / "cut").write_bytes(struct.pack(">BI", 0, 100) + b"too short")
    (work / "two").write_bytes(rawh2.message(b"") * 2)
    (work / "flag").write_bytes(struct.pack(">BI", 7, 0))
    (work / "packed").write_bytes(struct.pack(">BI", 1, 0))
    (work / "huge").write_bytes(struct.pack(">BI", 0, 0xFFFFFFFF))
    for body in ("short", "cut", "two", "flag", "packed", "huge", "none"):
        lines = nghttp(HEALTH, body=body)
        status = next((line for line in lines if line.startswith("grpc-status: ")), None)
        check(status and status not in ("grpc-status: 0", "grpc-status: 2"), f"{body}: {lines}")
    contains(curl(HEALTH, body="bad"), "grpc-status: 3")


@test
def the_deadline_is_the_servers_too():
    started = time.monotonic()
    lines = curl(WATCH, "--header", "grpc-timeout: 300m")
    contains(lines, "grpc-status: 4")
    check(0.25 < time.monotonic() - started < 10 * PATIENCE, "after the time given")
    equal(curl(HEALTH, "--header", "grpc-timeout: 99999999H")[-1], "grpc-status: 0")
    for bad in ("1", "x", "-1S", "123456789S", "1s", "S"):
        lines = nghttp(HEALTH, f"grpc-timeout: {bad}")
        check("grpc-status: 0" not in lines, f"{bad}: {lines}")


@test
def an_upload_that_stalls_meets_its_deadline():
    with rawh2.Peer(server) as peer:
        peer.open(1, f"{wire.COMMAND_PATH}/push", (b"grpc-timeout", b"300m"))
        check(peer.stream_end(1, 10 * PATIENCE), "the server ended the call")


@test
def compressed_requests():
    import gzip
    packed = gzip.compress(b"")
    (work / "gz").write_bytes(struct.pack(">BI", 1, len(packed)) + packed)
    equal(curl(HEALTH, "--header", "grpc-encoding: gzip", body="gz")[-1], "grpc-status: 0")
    unknown = nghttp(HEALTH, "grpc-encoding: snappy", body="gz")
    contains(unknown, "grpc-status: 12")
    check(any(re.match(r"grpc-accept-encoding: .*gzip", line) for line in unknown), unknown)
    (work / "broken").write_bytes(struct.pack(">BI", 1, 9) + b"not gzip!")
    lines = nghttp(HEALTH, "grpc-encoding: gzip", body="broken")
    check("grpc-status: 0" not in lines, lines)


@test
def large_headers_are_refused():
    done = run("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}",
               "--http2-prior-knowledge", "--header", "content-type: application/grpc",
               "--header", "x: " + "y" * 40000, "--data-binary", f"@{work / 'empty'}",
               f"http://localhost:{server.port}{HEALTH}")
    check(done.stdout in ("431", "000"), done.stdout)
    equal(curl(HEALTH, "--header", "x: " + "y" * 8000)[-1], "grpc-status: 0")


@test
def nghttp_sees_settings_at_once_and_a_clean_end():
    done = run("nghttp", "--verbose", "--no-dep", "--header", "content-type: application/grpc",
               "--header", "te: trailers", "--data", work / "empty",
               f"http://127.0.0.1:{server.port}{HEALTH}")
    equal(done.returncode, 0, done.stderr)
    text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    contains(text, "recv SETTINGS frame")
    contains(text, "recv (stream_id=1) :status: 200")
    contains(text, "recv (stream_id=1) grpc-status: 0")
    lacks(text, "recv RST_STREAM")
    lacks(text, "INVALID")
    first = re.search(r"recv (\w+) frame", text).group(1)
    equal(first, "SETTINGS", "the server's first frame")


@test
def settings_come_before_the_client_says_anything():
    with rawh2.Peer(server, preface=False) as peer:
        kind = peer.wait_for(1 * PATIENCE, lambda *_: True)
        check(kind and kind[0] == rawh2.SETTINGS, "SETTINGS within a second")


@test
def http_1_is_answered_or_closed_not_left_hanging():
    with rawh2.Peer(server, preface=False) as peer:
        peer.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        check(peer.closed(10 * PATIENCE), "closed")


@test
def five_hundred_calls_one_after_another_on_one_connection():
    with rawh2.Peer(server) as peer:
        for n in range(500):
            peer.call(2 * n + 1, HEALTH, b"")
            check(peer.stream_end(2 * n + 1, 10 * PATIENCE), f"call {n}")
            peer.received = b""


@test
def h2load_counts_only_successes():
    if not shutil.which("h2load"):
        tap.skip("h2load is not installed")
    done = run("h2load", "-n", 5000, "-c", 8, "-m", 10, "-H", "content-type: application/grpc",
               "-H", "te: trailers", "-d", work / "empty",
               f"http://127.0.0.1:{server.port}{HEALTH}")
    contains(done.stdout, "5000 succeeded, 0 failed, 0 errored, 0 timeout")


# --- TLS -------------------------------------------------------------------------------------------


def tls_server():
    return Server(tls=wire.Certificate(work, "first"))


def peer_certificate(port, **more):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(more.get("alpn", ["h2"]))
    for name in ("minimum_version", "maximum_version"):
        if name in more:
            setattr(context, name, more[name])
    with socket.create_connection(("127.0.0.1", port), timeout=10 * PATIENCE) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return (secure.getpeercert(True), secure.selected_alpn_protocol(), secure.version())


@test
def tls_versions_and_alpn():
    with tls_server() as secure:
        equal(peer_certificate(secure.port)[1:], ("h2", "TLSv1.3"))
        older = peer_certificate(secure.port, maximum_version=ssl.TLSVersion.TLSv1_2)
        equal(older[1:], ("h2", "TLSv1.2"))
        done = run("openssl", "s_client", "-connect", f"127.0.0.1:{secure.port}", "-tls1_1",
                   "-cipher", "DEFAULT:@SECLEVEL=0", "-alpn", "h2", input="")
        check(done.returncode != 0, "TLS 1.1 is refused")
        try:
            alpn = peer_certificate(secure.port, alpn=["http/1.1"])[1]
            check(alpn is None, f"{alpn} is not spoken here")
        except (ssl.SSLError, ConnectionError):
            pass
        lines = curl(HEALTH, "--cacert", str(secure.tls.cert), "--http2", port=secure.port,
                     scheme="https")
        equal((lines[0], lines[-1]), ("HTTP/2 200", "grpc-status: 0"))


@test
def sighup_loads_a_new_certificate():
    with tls_server() as secure:
        before = peer_certificate(secure.port)[0]
        client = secure.client()
        equal(wire.health(client.channel), 1)
        newer = wire.Certificate(work, "second")
        shutil.copy(newer.cert, secure.tls.cert)
        shutil.copy(newer.key, secure.tls.key)
        equal(peer_certificate(secure.port)[0], before, "not before it is told")
        secure.process.send_signal(signal.SIGHUP)
        eventually(lambda: peer_certificate(secure.port)[0] != before, 10 * PATIENCE,
                   "the new certificate")
        equal(wire.health(client.channel), 1, "open connections go on")
        secure.tls.cert.write_text("broken")
        now = peer_certificate(secure.port)[0]
        secure.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        equal(peer_certificate(secure.port)[0], now, "a broken file changes nothing")


@test
def wrong_configuration_is_an_error_at_start():
    from support.paths import SERVER
    cases = [({"GRPC_PORT": "x"}, "GRPC_PORT"), ({"GRPC_PORT": "65536"}, "GRPC_PORT"),
             ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"), ({"TLS_CERT_FILE": "/none.pem"}, "TLS_"),
             ({"STIGMER_STORAGE_MODE": "floppy"}, "STIGMER_STORAGE_MODE"),
             ({"TLS_CERT_FILE": "/none.pem", "TLS_KEY_FILE": "/none.key"}, "TLS_CERT_FILE")]
    for env, name in cases:
        other = Server(env)
        done = run(SERVER, env=other.environment(), timeout=20)
        check(done.returncode not in (0, -11, -6), f"{env}: {done.returncode}")
        contains(done.stdout + done.stderr, name)
        discard(other.home)


def the_server_ends_cleanly():
    server.stop()
    discard(server.home)
    discard(work)


if __name__ == "__main__":
    tap.run(cleanup=the_server_ends_cleanly)
