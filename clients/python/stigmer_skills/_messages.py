"""Message classes, made from the descriptors when the package is imported.

They live in a descriptor pool of their own. A runner that has generated modules for the same
messages (under other file names, as the reference has) can have both in one process; messages are
exchanged by their bytes, see `adopt`.
"""

from __future__ import annotations

import base64
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from ._descriptors import DESCRIPTORS
from .errors import IntegrityError

_pool = descriptor_pool.DescriptorPool()
for _file in descriptor_pb2.FileDescriptorSet.FromString(base64.b64decode(DESCRIPTORS)).file:
    _pool.AddSerializedFile(_file.SerializeToString())


def _class(name: str) -> Any:
    descriptor = _pool.FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(_pool).GetPrototype(descriptor)


_SKILL = "ai.stigmer.agentic.skill.v1."
Skill = _class(_SKILL + "Skill")
SkillId = _class(_SKILL + "SkillId")
SkillFileList = _class(_SKILL + "SkillFileList")
ListSkillFilesRequest = _class(_SKILL + "ListSkillFilesRequest")
GetArtifactRequest = _class(_SKILL + "GetArtifactRequest")
ArtifactChunk = _class(_SKILL + "ArtifactChunk")
ApiResourceReference = _class("ai.stigmer.commons.apiresource.ApiResourceReference")

SCOPE_ORGANIZATION = 2
KIND_SKILL = 43


def adopt(cls: Any, message: Any) -> Any:
    """The same message as an instance of cls, whatever module its class came from."""
    if isinstance(message, cls):
        return message
    if message.DESCRIPTOR.full_name != cls.DESCRIPTOR.full_name:
        raise TypeError(f"expected {cls.DESCRIPTOR.full_name}, not {message.DESCRIPTOR.full_name}")
    return cls.FromString(message.SerializeToString())


def parse(cls: Any, data: bytes) -> Any:
    """An answer of the server."""
    try:
        return cls.FromString(data)
    except Exception as error:  # DecodeError, whose place differs between versions
        raise IntegrityError("the server's answer cannot be read") from error
