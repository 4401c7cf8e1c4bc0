"""Names of files in an archive: the rules `name-*` of docs/ZIP_PROFILE.md."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from .errors import ArchiveError
from .text import _INVISIBLE

MAX_PATH, MAX_COMPONENT, MAX_DEPTH = 1024, 255, 32

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_HIDDEN = re.compile(f"[\u2028\u2029{_INVISIBLE}]")
_FORBIDDEN = re.compile(r'[:<>"|?*]')
_SHORT_ALIAS = re.compile(r"[^.]{1,6}~[0-9]")
_DEVICE = re.compile("(CON|PRN|AUX|NUL|CONIN\\$|CONOUT\\$|(COM|LPT)[1-9\u00b9\u00b2\u00b3])", re.I)


def fold(path: str) -> str:
    """What file systems that fold names take the path for."""
    folded = unicodedata.normalize("NFKC", path).casefold()
    return unicodedata.normalize("NFKC", folded)


def _refuse(rule: str, raw: bytes, why: str) -> ArchiveError:
    return ArchiveError(rule, f"invalid filename {raw[:MAX_PATH]!r}: {why}")


def _decode(raw: bytes) -> str:
    path = raw.rstrip(b"/") if raw.endswith(b"/") and not raw.endswith(b"//") else raw
    if not 1 <= len(path) <= MAX_PATH:
        raise _refuse("name-utf8", raw, f"it has not 1 to {MAX_PATH} bytes")
    try:
        text = path.decode("utf-8")
    except UnicodeDecodeError:
        raise _refuse("name-utf8", raw, "it is not UTF-8") from None
    if _CONTROL.search(text):
        raise _refuse("name-utf8", raw, "it has a control character")
    return text


def _check_parts(raw: bytes, parts: list[str]) -> None:
    if len(parts) > MAX_DEPTH:
        raise _refuse("name-utf8", raw, f"it has more than {MAX_DEPTH} levels")
    for part in parts:
        if part in ("", ".", ".."):
            raise _refuse("name-path", raw, 'it is absolute or has an empty, "." or ".." part')
        if len(part.encode()) > MAX_COMPONENT:
            raise _refuse("name-utf8", raw, f"a part of it is longer than {MAX_COMPONENT} bytes")
        if (part[-1] in ". " or _SHORT_ALIAS.match(part)
                or _DEVICE.fullmatch(part.split(".", 1)[0].strip())):
            raise _refuse("name-windows", raw, "Windows takes a part of it for something else")


def check(raw: bytes) -> str:
    """The path, relative and without a directory's slash. Raises ArchiveError."""
    path = _decode(raw)
    if "\\" in path:
        raise _refuse("name-path", raw, "it has a backslash")
    _check_parts(raw, path.split("/"))
    if _FORBIDDEN.search(path):
        raise _refuse("name-windows", raw, "it has a character that Windows forbids")
    if _HIDDEN.search(path) or any(unicodedata.category(c) in ("Cn", "Co", "Cs") for c in path):
        raise _refuse("name-hidden", raw, "it has a character that is not seen")
    if path[0] in "-~" or path == "__proto__" or re.search(r";[0-9]*$", raw.decode()):
        raise _refuse("name-option", raw, "programs take it for something else")
    if any(part in (".git", "git~1") for part in fold(path).split("/")):
        raise _refuse("name-git", raw, "it is, or is in, a .git directory")
    return path


def readings(raw: bytes, path: str, utf8: bool) -> set[str]:
    """All that readers may take the name for, folded."""
    if utf8 or raw.isascii():
        return {fold(path)}
    bare = raw[:-1] if raw.endswith(b"/") else raw
    return {fold(path), fold(bare.decode("cp437")), fold(bare.decode("latin-1"))}


def check_together(names: Iterable[tuple[bytes, str, bool, bool]]) -> None:
    """(raw, path, directory, says that it is UTF-8) of all: none twice, no file is a parent."""
    seen: dict[str, int] = {}
    files: set[str] = set()
    parents: set[str] = set()
    for number, (raw, path, directory, utf8) in enumerate(names):
        for folded in readings(raw, path, utf8):
            if seen.setdefault(folded, number) != number:
                raise _refuse("name-unique", raw, "it is there twice, or is taken for another one")
            if not directory:
                files.add(folded)
            parts = folded.split("/")
            parents.update("/".join(parts[:n]) for n in range(1, len(parts)))
    for folded in files & parents:
        raise ArchiveError("name-prefix", f"{folded!r} is a file and has files below it")
