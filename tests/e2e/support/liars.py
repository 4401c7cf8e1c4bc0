"""A gRPC server of another make that answers whatever a test says: a server that lies."""

import threading
from concurrent import futures

import grpc

from . import wire


class Liar:
    """Answers each method with what `answers` says: bytes, an iterable of bytes for streamArtifact
    (and, as its last item, perhaps (code, text)), (code, text), or a function of the request that returns one of these."""

    def __init__(self):
        self.answers = {}
        self.seen = {}  # method -> the last request
        self.calls = []  # methods, in order
        self.server = grpc.server(futures.ThreadPoolExecutor(16))
        self.server.add_generic_rpc_handlers((self,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def answer(self, name, request, context, default):
        self.seen[name] = request
        self.calls.append(name)
        answer = self.answers.get(name, default)
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, threading.Event):  # never answers while the test runs
            answer.wait(30)
            return default
        if isinstance(answer, tuple):
            context.abort(*answer)
        return answer

    def service(self, details):
        name = details.method.rpartition("/")[2]

        def unary(request, context):
            return self.answer(name, request, context, b"")

        def stream(request, context):
            for piece in self.answer(name, request, context, []):
                if isinstance(piece, tuple):
                    context.abort(*piece)
                yield piece

        if name == "streamArtifact":
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)

    def address(self, host="127.0.0.1"):
        return f"{host}:{self.port}"


def skill(version_hash, tag="v1", skill_md="# Good\n", pushed=0, **metadata):
    """A Skill message, as bytes. pushed: seconds, of updated_at."""
    fields = {"name": "Good", "slug": "good", "org": "local", "id": "x", **metadata}
    made = wire.skill.Skill(
        metadata=wire.resource.ApiResourceMetadata(**fields),
        spec=wire.skill.SkillSpec(skill_md=skill_md, tag=tag),
        status=wire.skill.SkillStatus(version_hash=version_hash,
                                      artifact_storage_key=f"skills/{version_hash}.zip"))
    if pushed:
        made.status.audit.spec_audit.updated_at.seconds = pushed
        made.status.audit.spec_audit.updated_by.id = "somebody"
    return made.SerializeToString()


def chunk(total, offset, data):
    return wire.io.ArtifactChunk(total=total, offset=offset, data=data).SerializeToString()


def chunks(data, size=1 << 20, total=None, shift=0):
    """The pieces of an archive, perhaps with a wrong total or shifted."""
    total = len(data) if total is None else total
    return [chunk(total, at + shift, data[at:at + size]) for at in range(0, len(data), size)]
