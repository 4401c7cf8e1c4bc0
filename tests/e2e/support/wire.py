"""The contract in Python: stubs made by grpc_tools from proto/ when the tests run.

The skill services come as ordinary generated modules (skill, io, command, query, resource,
reference, kind). Health and reflection cannot: their package `grpc` is the library's own. They are
read from a descriptor set into a pool of their own: service("grpc.health.v1.Health", channel).
"""

import atexit
import importlib
import subprocess
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from .paths import PROTO, discard, run, scratch


def _generate():
    out = scratch("stubs")
    atexit.register(discard, out)
    files = sorted(str(p.relative_to(PROTO)) for p in (PROTO / "ai").rglob("*.proto"))
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}",
                    f"--python_out={out}", f"--grpc_python_out={out}", *files], check=True)
    files = sorted(str(p.relative_to(PROTO)) for p in PROTO.rglob("*.proto"))
    subprocess.run(["protoc", f"-I{PROTO}", f"--descriptor_set_out={out}/all.bin", *files],
                   check=True)
    return out


_out = _generate()
sys.path.insert(0, str(_out))
_SKILL = "ai.stigmer.agentic.skill.v1"
_COMMONS = "ai.stigmer.commons.apiresource"
skill = importlib.import_module(f"{_SKILL}.skill_pb2")
io = importlib.import_module(f"{_SKILL}.io_pb2")
command = importlib.import_module(f"{_SKILL}.command_pb2_grpc")
query = importlib.import_module(f"{_SKILL}.query_pb2_grpc")
resource = importlib.import_module(f"{_COMMONS}.resource_pb2")
reference = importlib.import_module(f"{_COMMONS}.reference_pb2")
kind = importlib.import_module(f"{_COMMONS}.apiresourcekind.kind_pb2")

UNSPECIFIED, PLATFORM, ORGANIZATION, ACCOUNT = 0, 1, 2, 3

COMMAND_PATH = f"/{_SKILL}.SkillCommandController"
QUERY_PATH = f"/{_SKILL}.SkillQueryController"
# Every unary method: its path and its request message.
UNARY = {
    f"{COMMAND_PATH}/push": io.PushSkillRequest,
    f"{COMMAND_PATH}/delete": io.SkillId,
    f"{COMMAND_PATH}/moveTag": io.MoveTagRequest,
    f"{QUERY_PATH}/get": io.SkillId,
    f"{QUERY_PATH}/getByReference": reference.ApiResourceReference,
    f"{QUERY_PATH}/getArtifact": io.GetArtifactRequest,
    f"{QUERY_PATH}/getByTag": io.GetSkillByTagRequest,
    f"{QUERY_PATH}/getTag": reference.ApiResourceReference,
    f"{QUERY_PATH}/getByHash": io.GetSkillByHashRequest,
    f"{QUERY_PATH}/findAll": reference.FindApiResourcesRequest,
    f"{QUERY_PATH}/listVersions": io.ListSkillVersionsRequest,
    f"{QUERY_PATH}/listFiles": io.ListSkillFilesRequest,
}
STREAM_ARTIFACT = f"{QUERY_PATH}/streamArtifact"


# --- files that Python's grpc package hides --------------------------------------------------------


def _load_pool():
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString((_out / "all.bin").read_bytes())
    for file in files.file:
        pool.Add(file)
    return pool


pool = _load_pool()


def message(full_name):
    """The class of a message, from the pool of all our files."""
    return message_factory.MessageFactory(pool).GetPrototype(
        pool.FindMessageTypeByName(full_name))


def service(full_name, channel):
    """{method: callable} for a service, by its descriptor."""
    methods = {}
    for m in pool.FindServiceByName(full_name).methods:
        proto = descriptor_pb2.MethodDescriptorProto()
        m.CopyToProto(proto)
        shape = (("stream" if proto.client_streaming else "unary") + "_"
                 + ("stream" if proto.server_streaming else "unary"))
        methods[m.name] = getattr(channel, shape)(
            f"/{full_name}/{m.name}",
            request_serializer=message(m.input_type.full_name).SerializeToString,
            response_deserializer=message(m.output_type.full_name).FromString)
    return methods


def raw(channel, path):
    """A unary call that sends and returns bytes as they are."""
    return channel.unary_unary(path)


# --- calls as tests write them ---------------------------------------------------------------------


class Client:
    """The calls of the skill services, with their fields as arguments."""

    def __init__(self, channel):
        self.channel = channel
        self.commands = command.SkillCommandControllerStub(channel)
        self.queries = query.SkillQueryControllerStub(channel)

    def push(self, name, artifact, org="", tag="", scope=0, **call):
        return self.commands.push(io.PushSkillRequest(
            name=name, scope=scope, org=org, artifact=artifact, tag=tag), **call)

    def get(self, id_, **call):
        return self.queries.get(io.SkillId(value=id_), **call)

    def delete(self, id_, **call):
        return self.commands.delete(io.SkillId(value=id_), **call)

    def resolve(self, slug, version="", org="", scope=0, **call):
        return self.queries.getByReference(ref(slug, version, org, scope), **call)

    def by_tag(self, slug, tag, org="", scope=0):
        return self.queries.getByTag(io.GetSkillByTagRequest(
            slug=slug, tag=tag, org=org, scope=scope))

    def by_hash(self, slug, version_hash, org="", scope=0):
        return self.queries.getByHash(io.GetSkillByHashRequest(
            slug=slug, version_hash=version_hash, org=org, scope=scope))

    def tag(self, slug, version="", org="", scope=0):
        return self.queries.getTag(ref(slug, version, org, scope))

    def artifact(self, key, **call):
        return self.queries.getArtifact(io.GetArtifactRequest(artifact_storage_key=key),
                                        **call).artifact

    def stream(self, key, offset=0, **call):
        return self.queries.streamArtifact(io.GetArtifactRequest(
            artifact_storage_key=key, offset=offset), **call)

    def find(self, **fields):
        return self.queries.findAll(reference.FindApiResourcesRequest(**fields))

    def versions(self, slug, org="", scope=0, **fields):
        return self.queries.listVersions(io.ListSkillVersionsRequest(
            reference=ref(slug, "", org, scope), **fields))

    def files(self, slug, version="", org="", scope=0, **fields):
        return self.queries.listFiles(io.ListSkillFilesRequest(
            reference=ref(slug, version, org, scope), **fields))

    def all_files(self, slug, version="", **fields):
        """{path: (size, sha256, mode)}, page by page."""
        found, token = {}, ""
        while True:
            page = self.files(slug, version, page_token=token, **fields)
            found.update((f.path, (f.size, f.sha256, f.mode)) for f in page.items)
            token = page.next_page_token
            if not token:
                return found

    def move_tag(self, slug, version, tag, org="", scope=0):
        return self.commands.moveTag(io.MoveTagRequest(
            reference=ref(slug, version, org, scope), tag=tag))


def ref(slug, version="", org="", scope=0):
    return reference.ApiResourceReference(scope=scope, org=org, kind=kind.skill, slug=slug,
                                          version=version)


def health(channel, name="", **call):
    """The status of a service: 1 = SERVING."""
    check = service("grpc.health.v1.Health", channel)["Check"]
    return check(message("grpc.health.v1.HealthCheckRequest")(service=name), **call).status


# --- TLS -------------------------------------------------------------------------------------------


class Certificate:
    """A self-signed certificate for localhost, made now."""

    def __init__(self, directory, name="server"):
        self.cert, self.key = directory / f"{name}.pem", directory / f"{name}.key"
        made = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", self.key,
                   "-out", self.cert, "-subj", f"/CN={name}",
                   "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1")
        if made.returncode:
            raise AssertionError("openssl: " + made.stderr)


__all__ = ["Client", "Certificate", "grpc", "health", "message", "raw", "ref", "service"]
