"""What can go wrong.

A runner that was written for the reference implementation keeps working: what it catches as
ValueError (not found), grpc.RpcError (a call failed) or RuntimeError (anything) is that here, too.
"""

from __future__ import annotations

import grpc

__all__ = ["ArchiveError", "CallError", "IntegrityError", "NotFoundError", "StigmerError",
           "UnavailableError", "WriteError"]


class StigmerError(RuntimeError):
    """Whatever this package raises."""


class CallError(StigmerError, grpc.RpcError):
    """A call ended with another status than OK."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{code.name}: {details}")
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        """The status."""
        return self._code

    def details(self) -> str:
        """The server's sentence."""
        return self._details


class UnavailableError(CallError):
    """No server answers, or not in time: try again later."""


class NotFoundError(CallError, ValueError):
    """There is no such skill, version or artifact."""

    def __init__(self, details: str) -> None:
        super().__init__(grpc.StatusCode.NOT_FOUND, details)


class IntegrityError(StigmerError):
    """Bytes or answers that are not what they must be. Nothing of them is used."""


class ArchiveError(StigmerError):
    """An archive, or its SKILL.md, that the profile refuses."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{message} [{rule}]")
        #: The id of the rule, as in docs/ZIP_PROFILE.md.
        self.rule = rule


class WriteError(StigmerError):
    """The file system refused; what was written so far is gone again."""
