#!/usr/bin/python3
"""Python's grpcio (Debian's python3-grpcio), a client that nobody here wrote, does everything."""

import hashlib
import threading
import time

import grpc

from support import archives, process, tap, wire
from support.check import check, contains, equal, eventually, fails
from support.paths import PATIENCE, discard, scratch
from support.server import Server
from support.tap import test

server = Server().start()
client = server.client()
V1, V2 = archives.numbered(1), archives.numbered(2)


@test
def push_answers_the_whole_record():
    answer = client.push("My Calculator", V1, org="local", tag="latest", scope=wire.ORGANIZATION)
    equal(answer.api_version, "agentic.stigmer.ai/v1")
    equal(answer.kind, "Skill")
    equal(answer.metadata.name, "My Calculator")
    equal(answer.metadata.slug, "my-calculator")
    equal(answer.metadata.id, "org/local/skill/my-calculator")
    equal(answer.metadata.org, "local")
    equal(answer.metadata.owner_scope, wire.ORGANIZATION)
    contains(answer.spec.skill_md, "Number 1.")
    equal(answer.spec.tag, "latest")
    equal(answer.status.version_hash, archives.sha256(V1))
    equal(answer.status.artifact_storage_key, f"skills/{archives.sha256(V1)}.zip")
    equal(answer.status.state, wire.skill.SKILL_STATE_READY)
    for audit in (answer.status.audit.spec_audit, answer.status.audit.status_audit):
        equal(audit.created_by.id, "system")
        equal(audit.updated_by.id, "system")
        equal(audit.event, "created")
        check(abs(audit.created_at.ToSeconds() - time.time()) < 60, "created_at is now")
        equal(audit.created_at, audit.updated_at)


@test
def get_resolve_list_and_versions_agree():
    first = client.push("Agree", V1, tag="one")
    second = client.push("Agree", V2, tag="two")
    equal(first.metadata.id, "platform/skill/agree")
    equal(client.get(first.metadata.id), second)
    equal(client.resolve("agree"), second)
    equal(client.resolve("agree", "latest"), second)
    equal(client.resolve("agree", "one").status.version_hash, archives.sha256(V1))
    equal(client.resolve("agree", archives.sha256(V1)).spec, first.spec)
    equal(client.by_tag("agree", "two"), second)
    equal(client.by_hash("agree", archives.sha256(V1)).status.version_hash, archives.sha256(V1))
    found = [s for s in client.find(page_size=100).items if s.metadata.slug == "agree"]
    equal(found, [second])
    history = client.versions("agree")
    equal(history.total, 2)
    equal([v.version_hash for v in history.items], [archives.sha256(V2), archives.sha256(V1)])
    equal([v.current for v in history.items], [True, False])
    equal([v.number for v in history.items], [2, 1])
    equal([list(v.tags) for v in history.items], [["two"], ["one"]])


@test
def move_tag_points_without_pushing():
    client.push("Mover", V1, tag="stable")
    client.push("Mover", V2, tag="edge")
    client.move_tag("mover", archives.sha256(V2), "stable")
    equal(client.by_tag("mover", "stable").status.version_hash, archives.sha256(V2))
    client.move_tag("mover", archives.sha256(V1), "stable")
    equal(client.by_tag("mover", "stable").status.version_hash, archives.sha256(V1))
    equal(client.resolve("mover").status.version_hash, archives.sha256(V2))
    equal(client.versions("mover").total, 2)


@test
def the_files_of_a_version():
    client.push("Manifest", archives.make({"run.sh": "true\n", "a/b.txt": "b"}), tag="m")
    answer = client.files("manifest", "m")
    equal((answer.api_version, answer.kind), ("agentic.stigmer.ai/v1", "SkillFileList"))
    equal([f.path for f in answer.items], ["SKILL.md", "a/b.txt", "run.sh"])
    equal([(f.size, oct(f.mode)) for f in answer.items[1:]], [(1, "0o644"), (5, "0o755")])
    equal([f.sha256 for f in answer.items],
          [archives.sha256(data) for data in (archives.skill_md().encode(), b"b", b"true\n")])
    equal((answer.total, answer.next_page_token), (3, ""))
    equal(answer.total_size, len(archives.skill_md()) + 6)
    equal(answer.version_hash, client.resolve("manifest").status.version_hash)


@test
def download_in_one_message_and_in_chunks():
    data = archives.numbered(3, size=3 * archives.MIB)
    key = client.push("Download", data).status.artifact_storage_key
    check(client.artifact(key) == data, "getArtifact answers the bytes pushed")
    chunks = list(client.stream(key))
    check(b"".join(c.data for c in chunks) == data, "streamArtifact answers the bytes pushed")
    at = 0
    for chunk in chunks:
        equal((chunk.total, chunk.offset), (len(data), at))
        check(0 < len(chunk.data) <= archives.MIB, "a chunk has 1 byte to 1 MiB")
        at += len(chunk.data)


@test
def delete_answers_what_it_was():
    pushed = client.push("Deleted", V1, tag="x")
    gone = client.delete(pushed.metadata.id)
    equal(gone.metadata, pushed.metadata)
    equal(gone.spec, pushed.spec)
    equal(gone.status.version_hash, pushed.status.version_hash)
    fails(grpc.StatusCode.NOT_FOUND, "Skill not found: platform/skill/deleted",
          client.get, pushed.metadata.id)
    check(client.artifact(pushed.status.artifact_storage_key) == V1, "the artifact stays")


@test
def default_client_limit_is_met_by_streaming():
    data = archives.numbered(4, size=6 * archives.MIB)
    key = client.push("Six", data).status.artifact_storage_key
    narrow = server.client([("grpc.max_receive_message_length", 4 * archives.MIB)])
    fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "", narrow.artifact, key)
    check(b"".join(c.data for c in narrow.stream(key)) == data, "streamArtifact fits in 4 MiB")


@test
def a_stream_begins_at_any_offset():
    data = archives.numbered(5, size=3 * archives.MIB)
    key = client.push("Offset", data).status.artifact_storage_key
    for offset in (0, 1, archives.MIB - 1, archives.MIB, archives.MIB + 1, len(data) - 1, len(data)):
        pieces = list(client.stream(key, offset))
        check(b"".join(p.data for p in pieces) == data[offset:], f"from {offset}")
        equal([p.offset for p in pieces], list(range(offset, len(data), archives.MIB)))
        equal({p.total for p in pieces} or {len(data)}, {len(data)})
    for offset in (len(data) + 1, (1 << 63) - 1):
        fails(grpc.StatusCode.INVALID_ARGUMENT, "offset: value must be at most", next,
              client.stream(key, offset))
    fails(grpc.StatusCode.INVALID_ARGUMENT, "offset: value must not be negative", next,
          client.stream(key, -1))


@test
def ninety_five_mebibytes_both_ways():
    data = archives.bulk_of_archive(95 * archives.MIB).archive("both ways")
    idle = process.rss_kib(server.pid)
    process.reset_peak(server.pid)
    key = client.push("Large", data).status.artifact_storage_key
    equal(key, f"skills/{archives.sha256(data)}.zip")
    check(client.artifact(key) == data, "one message")
    digest = hashlib.sha256()
    for chunk in client.stream(key):
        digest.update(chunk.data)
    equal(digest.hexdigest(), archives.sha256(data), "chunks")
    grown = process.peak_kib(server.pid) - idle
    tap.note(f"resident memory grew by {grown} KiB at most")
    if PATIENCE == 1:
        check(grown < 48 * 1024, f"memory grew by {grown} KiB for one upload and two downloads")


@test
def gzip_messages_are_understood():
    packed = server.client(compression=grpc.Compression.Gzip)
    data = archives.make(big=archives.numbered(8, size=200000).hex())
    answer = packed.push("Gzip", data)
    equal(answer.status.version_hash, archives.sha256(data))
    check(packed.artifact(answer.status.artifact_storage_key) == data, "download")
    large = archives.bulk_of_archive(20 * archives.MIB).archive("gzip")
    equal(packed.push("Gzip", large).status.version_hash, archives.sha256(large))
    check(packed.artifact(f"skills/{archives.sha256(large)}.zip") == large, "large download")


@test
def gzip_of_too_much_is_refused_and_stores_nothing():
    packed = server.client(compression=grpc.Compression.Gzip)
    before = server.stored_files()
    fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "", packed.push, "Bomb", bytes(120 * archives.MIB))
    equal(server.stored_files(), before)
    equal(client.resolve("gzip").metadata.slug, "gzip", "the server still answers")


@test
def unknown_compression_is_unimplemented():
    call = wire.raw(server.channel(), f"{wire.QUERY_PATH}/get")
    packed = server.channel(compression=grpc.Compression.Deflate)
    fails(grpc.StatusCode.UNIMPLEMENTED, "", wire.Client(packed).get, "platform/skill/agree" * 20)
    check(call(wire.io.SkillId(value="platform/skill/agree").SerializeToString()), "plain works")


@test
def deadlines_end_calls():
    watch = wire.service("grpc.health.v1.Health", client.channel)["Watch"]
    request = wire.message("grpc.health.v1.HealthCheckRequest")(service="")
    started = time.monotonic()
    fails(grpc.StatusCode.DEADLINE_EXCEEDED, "", lambda: list(watch(request, timeout=0.3)))
    check(0.2 < time.monotonic() - started < 5 * PATIENCE, "after the time given")
    equal(client.get("platform/skill/agree", timeout=30 * PATIENCE).kind, "Skill")


@test
def cancelled_calls_end_and_leave_nothing():
    data = archives.bulk_of_archive(60 * archives.MIB).archive("cancelled")
    hashed = archives.sha256(data)
    own = server.client()
    for delay in (0.0, 0.01, 0.03, 0.06):
        call = own.commands.push.future(
            wire.io.PushSkillRequest(name="Cancelled", artifact=data))
        time.sleep(delay)
        call.cancel()
        check(call.cancelled() or call.done(), "the call is over")
    eventually(lambda: not process.unlinked_files(server.pid, server.storage), 10 * PATIENCE,
               "every spool is closed")
    if f"{hashed}.zip" not in server.artifacts():
        fails(grpc.StatusCode.NOT_FOUND, "", client.resolve, "cancelled")


@test
def many_cancelled_streams_leave_the_connection_usable():
    """150 at once; what goes far beyond is an attack, see rapid_reset in test_floods.py."""
    own = server.client()
    equal(wire.health(own.channel), 1)
    watch = wire.service("grpc.health.v1.Health", own.channel)["Watch"]
    request = wire.message("grpc.health.v1.HealthCheckRequest")(service="")
    descriptors = len(process.open_files(server.pid))
    for _ in range(3):
        calls = [watch(request) for _ in range(50)]
        for call in calls:
            next(call)
            call.cancel()
    equal(wire.health(own.channel), 1)
    check(len(process.open_files(server.pid)) <= descriptors + 2, "no descriptor is left over")


@test
def a_hundred_parallel_calls_on_one_connection():
    pushed = client.push("Parallel", V1)
    own = server.client()
    wire.health(own.channel)
    before = len(process.sockets(server.pid))
    gets = [own.queries.get.future(wire.io.SkillId(value=pushed.metadata.id)) for _ in range(100)]
    equal({f.result().status.version_hash for f in gets}, {pushed.status.version_hash})
    downloads = [own.queries.getArtifact.future(wire.io.GetArtifactRequest(
        artifact_storage_key=pushed.status.artifact_storage_key)) for _ in range(100)]
    check(all(f.result().artifact == V1 for f in downloads), "downloads")
    pushes = [own.commands.push.future(wire.io.PushSkillRequest(
        name=f"Parallel {n}", artifact=archives.numbered(n))) for n in range(100)]
    equal([f.result().metadata.slug for f in pushes], [f"parallel-{n}" for n in range(100)])
    equal(len(process.sockets(server.pid)), before, "connections during the calls")


@test
def a_hundred_streams_are_open_at_once():
    own = server.client()
    watch = wire.service("grpc.health.v1.Health", own.channel)["Watch"]
    request = wire.message("grpc.health.v1.HealthCheckRequest")(service="")
    calls = [watch(request) for _ in range(99)]
    equal({next(call).status for call in calls}, {1})
    equal(wire.health(own.channel, timeout=10 * PATIENCE), 1, "the hundredth")
    for call in calls:
        call.cancel()


@test
def small_calls_are_served_during_large_uploads():
    bulk = archives.bulk_of_archive(40 * archives.MIB)
    uploads = [threading.Thread(target=server.client().push, args=(f"Busy {n}",
               bulk.archive(f"busy {n}"))) for n in range(3)]
    own = server.client()
    wire.health(own.channel)
    for t in uploads:
        t.start()
    slowest, calls = 0.0, 0
    while any(t.is_alive() for t in uploads):
        started = time.monotonic()
        own.get("platform/skill/agree")
        slowest, calls = max(slowest, time.monotonic() - started), calls + 1
    for t in uploads:
        t.join()
    tap.note(f"{calls} small calls, the slowest took {slowest * 1000:.1f} ms")
    check(slowest < 2 * PATIENCE, f"a small call took {slowest:.2f} s")


@test
def metadata_of_existing_clients_is_accepted():
    equal(client.get("platform/skill/agree", metadata=[
        ("authorization", "Bearer dummy-local-key"), ("x-custom", "a, b"), ("trace-bin", b"\x00\xff")]).kind, "Skill")


@test
def unknown_methods_and_services():
    for path in ("/ai.stigmer.agentic.skill.v1.SkillQueryController/Get", "/no.Such/method",
                 "/ai.stigmer.agentic.skill.v1.SkillQueryController/", "/x"):
        fails(grpc.StatusCode.UNIMPLEMENTED, "", wire.raw(client.channel, path), b"")


@test
def both_loopback_addresses_answer():
    for address in (f"127.0.0.1:{server.port}", f"[::1]:{server.port}",
                    f"localhost:{server.port}"):
        with grpc.insecure_channel(address) as channel:
            equal(wire.health(channel, timeout=5 * PATIENCE), 1, address)


@test
def connections_are_ready_within_a_second():
    with grpc.insecure_channel(server.address(),
                               [("grpc.use_local_subchannel_pool", 1)]) as channel:
        grpc.channel_ready_future(channel).result(timeout=1 * PATIENCE)


@test
def keepalive_pings_of_a_usual_client_are_answered():
    own = server.client([("grpc.keepalive_time_ms", 10000), ("grpc.keepalive_timeout_ms", 2000),
                         ("grpc.keepalive_permit_without_calls", 1),
                         ("grpc.http2.max_pings_without_data", 0)])
    equal(wire.health(own.channel), 1)


# --- TLS -------------------------------------------------------------------------------------------


@test
def tls_carries_the_same_calls():
    directory = scratch("tls")
    certificate = wire.Certificate(directory)
    other = wire.Certificate(directory, "stranger")
    data = archives.bulk_of_archive(95 * archives.MIB).archive("tls")
    try:
        with Server(tls=certificate) as secure:
            c = secure.client()
            pushed = c.push("Over TLS", V1, tag="t")
            equal(c.resolve("over-tls", "t"), pushed)
            key = c.push("Over TLS", data).status.artifact_storage_key
            check(c.artifact(key) == data, "95 MiB in one message")
            check(b"".join(x.data for x in c.stream(key)) == data, "95 MiB in chunks")
            futures = [c.queries.get.future(wire.io.SkillId(value=pushed.metadata.id))
                       for _ in range(100)]
            equal({f.result().metadata.slug for f in futures}, {"over-tls"})
            packed = secure.client(compression=grpc.Compression.Gzip)
            equal(packed.push("Gzip", V2).status.version_hash, archives.sha256(V2))
            refuses_strangers(secure, other)
    finally:
        discard(directory)


def refuses_strangers(secure, other):
    credentials = grpc.ssl_channel_credentials(other.cert.read_bytes())
    with grpc.secure_channel(f"localhost:{secure.port}", credentials) as channel:
        fails(grpc.StatusCode.UNAVAILABLE, "", wire.health, channel)
    with grpc.insecure_channel(secure.address()) as channel:
        fails(grpc.StatusCode.UNAVAILABLE, "", wire.health, channel)


# --- health and reflection -------------------------------------------------------------------------


@test
def health_check_knows_the_services():
    for name in ("", "ai.stigmer.agentic.skill.v1.SkillCommandController",
                 "ai.stigmer.agentic.skill.v1.SkillQueryController"):
        equal(wire.health(client.channel, name), 1, name)
    fails(grpc.StatusCode.NOT_FOUND, "", wire.health, client.channel, "no.such.Service")


@test
def health_watch_answers_at_once_and_for_unknown_services():
    watch = wire.service("grpc.health.v1.Health", client.channel)["Watch"]
    request = wire.message("grpc.health.v1.HealthCheckRequest")
    for name, status in (("", 1), ("no.such.Service", 3)):
        call = watch(request(service=name))
        equal(next(call).status, status, name)
        call.cancel()


@test
def reflection_lists_and_describes_everything():
    for version in ("v1", "v1alpha"):
        ask = reflection(version)
        names = {s.name for s in ask(list_services="*").list_services_response.service}
        check({"ai.stigmer.agentic.skill.v1.SkillCommandController",
               "ai.stigmer.agentic.skill.v1.SkillQueryController",
               "grpc.health.v1.Health"} <= names, f"{version}: {names}")
        for name in names:
            pool = pool_of(ask, name)
            ours = {m.name for m in wire.pool.FindServiceByName(name).methods}
            equal({m.name for m in pool.FindServiceByName(name).methods}, ours, name)
        answer = ask(file_by_filename="ai/stigmer/agentic/skill/v1/skill.proto")
        check(answer.file_descriptor_response.file_descriptor_proto, "by file name")
        for question in ({"file_by_filename": "no/such.proto"},
                         {"file_containing_symbol": "no.such.Symbol"}):
            equal(ask(**question).error_response.error_code, 5, str(question))


@test
def reflection_answers_many_questions_on_one_stream():
    package = "grpc.reflection.v1"
    call = wire.service(f"{package}.ServerReflection", client.channel)["ServerReflectionInfo"]
    request = wire.message(f"{package}.ServerReflectionRequest")
    questions = [request(list_services="")] * 50 + [request(file_containing_symbol="no.Such")]
    answers = list(call(iter(questions)))
    equal(len(answers), 51)
    equal(answers[-1].original_request, questions[-1])


def reflection(version):
    """ask(question...) for one version of the protocol."""
    package = f"grpc.reflection.{version}"
    call = wire.service(f"{package}.ServerReflection", client.channel)["ServerReflectionInfo"]
    request = wire.message(f"{package}.ServerReflectionRequest")
    return lambda **question: next(call(iter([request(**question)])))


def pool_of(ask, symbol):
    """What reflection says about a symbol, with all imports, as a pool of its own."""
    from google.protobuf import descriptor_pb2, descriptor_pool
    files = {}

    def take(answer):
        for data in answer.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            files[file.name] = file

    take(ask(file_containing_symbol=symbol))
    while True:
        missing = {d for f in files.values() for d in f.dependency} - set(files)
        if not missing:
            break
        for name in missing:
            take(ask(file_by_filename=name))
        check(missing <= set(files), f"imports are described: {missing}")
    pool, added = descriptor_pool.DescriptorPool(), set()

    def add(file):
        if file.name not in added:
            added.add(file.name)
            for name in file.dependency:
                add(files[name])
            pool.Add(file)

    for file in files.values():
        add(file)
    return pool


def the_server_ends_cleanly():
    server.stop()
    discard(server.home)


if __name__ == "__main__":
    tap.run(cleanup=the_server_ends_cleanly)
