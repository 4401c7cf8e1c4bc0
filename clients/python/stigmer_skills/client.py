"""Skills from a server: resolved, and their archives fetched and verified."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import grpc

from . import _messages as m
from .archive import MAX_ENTRIES, MAX_SIZE
from .errors import CallError, IntegrityError, NotFoundError, UnavailableError, WriteError
from .text import check_name

__all__ = ["SkillClient", "reference"]

_QUERY = "/ai.stigmer.agentic.skill.v1.SkillQueryController/"
_HASH = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"skills/([0-9a-f]{64})\.zip")
_REF = re.compile(r"(?:@(?P<org>[A-Za-z0-9._-]{1,128})/)?(?P<slug>[a-z0-9-]{1,256})"
                  r"(?::(?P<tag>[A-Za-z0-9._-]{1,128})|@(?P<hash>[0-9a-f]{64}))?")
_UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def reference(text: str) -> Any:
    """The ApiResourceReference of `[@org/]slug[:tag|@hash]`. ValueError: the text is none."""
    found = _REF.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a skill: [@ORG/]SLUG[:TAG|@HASH]")
    org = found["org"] or ""
    return m.ApiResourceReference(scope=m.SCOPE_ORGANIZATION if org else 0, org=org,
                                  kind=m.KIND_SKILL, slug=found["slug"],
                                  version=found["tag"] or found["hash"] or "")


class SkillClient:
    """The calls of the skill service that an agent needs, on one connection, for asyncio.

    What a server answers is believed only as far as it can be checked. References are
    ApiResourceReference messages, also those of a runner's own generated modules, or texts as
    `reference` takes them.

    Args:
        api_key: Sent as `authorization: Bearer <api_key>` with each call. The default is what a server
            in local mode takes.
        endpoint: "host:port"; without, $STIGMER_SERVER_ADDR, else localhost:7234.
        credentials: For TLS: grpc.ssl_channel_credentials(...). Used by default for port 443.
        timeout: Seconds that a lookup may take.
        transfer_timeout: Seconds that a download may take.
    """

    def __init__(self, api_key: str = "dummy-local-key", endpoint: str | None = None, *,
                 credentials: grpc.ChannelCredentials | None = None, timeout: float = 30,
                 transfer_timeout: float = 600) -> None:
        self.endpoint = endpoint or os.environ.get("STIGMER_SERVER_ADDR") or "localhost:7234"
        if credentials is None and self.endpoint.endswith(":443"):
            credentials = grpc.ssl_channel_credentials()
        self._credentials = credentials
        self._metadata = (("authorization", f"Bearer {api_key}"),)
        self._timeout, self._transfer_timeout = timeout, transfer_timeout
        self._channel: Any = None  # made in the event loop that uses it

    async def __aenter__(self) -> SkillClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection. The next call makes a new one."""
        channel, self._channel = self._channel, None
        if channel:
            await channel.close()

    # --- lookups ---

    async def get(self, skill_id: str) -> Any:
        """The current version of the skill with this id, a Skill message. Raises NotFoundError."""
        skill = await self._call("get", m.SkillId(value=skill_id), m.Skill)
        if skill.metadata.id != skill_id:
            raise IntegrityError("the server's answer is about another skill")
        return _checked(skill)

    async def list_by_ids(self, skill_ids: Sequence[str]) -> list[Any]:
        """`get` for all at once, in their order. NotFoundError names each that is missing."""
        return await _gather(skill_ids, [self.get(i) for i in skill_ids])

    async def get_by_reference(self, ref: Any) -> Any:
        """The version that a reference means, a Skill message. Raises NotFoundError."""
        ref = _adopted(ref)
        skill = _checked(await self._call("getByReference", ref, m.Skill))
        if skill.metadata.slug != ref.slug or (ref.org and skill.metadata.org != ref.org):
            raise IntegrityError("the server's answer is about another skill")
        if _HASH.fullmatch(ref.version) and skill.status.version_hash != ref.version:
            raise IntegrityError("the server's answer is another version")
        return skill

    async def list_by_refs(self, refs: Sequence[Any]) -> list[Any]:
        """`get_by_reference` for all at once, in their order. NotFoundError names each that is
        missing."""
        refs = [_adopted(r) for r in refs]
        return await _gather([r.slug for r in refs], [self.get_by_reference(r) for r in refs])

    async def list_files(self, skill: Any) -> list[Any]:
        """The audited manifest of a version: SkillFile messages, for `SkillWriter.write_skills`."""
        version, files, token = skill.status.version_hash, [], ""
        ref = m.ApiResourceReference(scope=skill.metadata.owner_scope, org=skill.metadata.org,
                                     kind=m.KIND_SKILL, slug=skill.metadata.slug, version=version)
        while True:
            page = await self._call("listFiles", m.ListSkillFilesRequest(
                reference=ref, page_token=token), m.SkillFileList)
            files.extend(page.items)
            token = page.next_page_token
            if page.version_hash != version or len(files) > MAX_ENTRIES or (token and not page.items):
                raise IntegrityError("the server's list of files is wrong")
            if not token:
                return files

    # --- archives ---

    async def get_artifact(self, artifact_storage_key: str) -> bytes:
        """The archive with that key (`skill.status.artifact_storage_key`), verified.

        It comes in pieces, so gRPC's limit of 4 MiB a message does not matter; its bytes are hashed
        while they come and are those that the key names.

        Raises NotFoundError, or IntegrityError when other bytes came.
        """
        pieces = [piece async for piece in self._stream(artifact_storage_key)]
        return b"".join(pieces)

    async def download_artifact(self, artifact_storage_key: str,
                                path: str | os.PathLike[str]) -> int:
        """As `get_artifact`, into a file, at one stroke and without holding it in memory.

        Returns its size. A file that is there already is replaced; after an error it is as before.
        """
        beside, size = f"{os.fspath(path)}.{secrets.token_hex(8)}", 0
        try:
            with open(beside, "xb") as out:
                async for piece in self._stream(artifact_storage_key):
                    size += out.write(piece)
            os.replace(beside, path)
        except OSError as error:
            raise WriteError(f"{os.fspath(path)}: {error}") from error
        finally:
            with contextlib.suppress(OSError):
                os.unlink(beside)
        return size

    async def _stream(self, key: str) -> AsyncIterator[bytes]:
        """Pieces; after the last one the hash was compared."""
        found = _KEY.fullmatch(key)
        if not found:
            raise IntegrityError(f"{key!r} is not the key of an archive: skills/<hash>.zip")
        digest, done, total = hashlib.sha256(), 0, 0
        call = self._connected().unary_stream(_QUERY + "streamArtifact")(
            m.GetArtifactRequest(artifact_storage_key=key).SerializeToString(),
            metadata=self._metadata, timeout=self._transfer_timeout)
        try:
            async for data in call:
                chunk = m.parse(m.ArtifactChunk, data)
                total = total or chunk.total
                if (chunk.offset != done or not chunk.data or chunk.total != total
                        or done + len(chunk.data) > total or total > MAX_SIZE):
                    raise IntegrityError("the server sent pieces that do not fit together")
                done += len(chunk.data)
                digest.update(chunk.data)
                yield chunk.data
        except grpc.RpcError as error:
            raise _mapped(error) from error
        finally:
            call.cancel()
        if done != total or digest.hexdigest() != found[1]:
            raise IntegrityError(f"the archive is damaged: {done} of {total} bytes came, which hash "
                                 f"to {digest.hexdigest()}, not to {found[1]}")

    # --- calls ---

    def _connected(self) -> Any:
        if self._channel is None:
            self._channel = (grpc.aio.secure_channel(self.endpoint, self._credentials)
                             if self._credentials else grpc.aio.insecure_channel(self.endpoint))
        return self._channel

    async def _call(self, method: str, request: Any, answer: Any) -> Any:
        try:
            data = await self._connected().unary_unary(_QUERY + method)(
                request.SerializeToString(), metadata=self._metadata, timeout=self._timeout)
        except grpc.RpcError as error:
            raise _mapped(error) from error
        return m.parse(answer, data)


def _adopted(ref: Any) -> Any:
    if isinstance(ref, str):
        return reference(ref)
    copy = m.ApiResourceReference()
    copy.CopyFrom(m.adopt(m.ApiResourceReference, ref))
    copy.kind = m.KIND_SKILL
    return copy


def _checked(skill: Any) -> Any:
    if not _HASH.fullmatch(skill.status.version_hash):
        raise IntegrityError("the server's answer names no version")
    if skill.status.artifact_storage_key != f"skills/{skill.status.version_hash}.zip":
        raise IntegrityError("the server's answer names another version's archive")
    check_name(skill.metadata.name)
    return skill


def _mapped(error: Any) -> CallError:
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.NOT_FOUND:
        return NotFoundError(details)
    return (UnavailableError if code in _UNAVAILABLE else CallError)(code, details)


async def _gather(what: Iterable[str], calls: Sequence[Any]) -> list[Any]:
    """All answers, or every missing one by name; any other failure comes first."""
    answers: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
    failures = [a for a in answers if isinstance(a, BaseException)]
    for failure in failures:
        if not isinstance(failure, NotFoundError):
            raise failure
    if failures:
        missing = [f"{name}: {answer.details()}" for name, answer in zip(what, answers)
                   if isinstance(answer, NotFoundError)]
        raise NotFoundError(f"{len(missing)} of {len(answers)} skills cannot be resolved: "
                            + "; ".join(missing))
    return answers
