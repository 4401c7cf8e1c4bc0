"""What the text of a SKILL.md and the name of a skill must be (docs/SKILL_MD.md)."""

from __future__ import annotations

import re

from .errors import ArchiveError, IntegrityError

MAX_SKILL_MD = 1 << 20
MAX_NAME = 256

# Unicode's Default_Ignorable_Code_Point, and interlinear annotations: what is not seen.
_INVISIBLE = ("\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
              "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
              "\U0001d173-\U0001d17a\U000e0000-\U000e0fff")
_LINE_ENDS = "\n\v\f\r\u0085\u2028\u2029"
_SKIPPED = re.compile(f"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f{_INVISIBLE}]")
_LINE_END = re.compile(f"[{_LINE_ENDS}]")
_BIDI = re.compile("[\u202a-\u202e]")
_TAG = re.compile("[\U000e0000-\U000e007f]")
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f")
_NOT_IN_NAME = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029{_INVISIBLE}]")
_FORGED = ("### SKILL:", "LOCATION: /bin/skills/")


def check_skill_md(data: bytes) -> str:
    """The text of these bytes. Raises ArchiveError when a server would refuse to store them."""
    if not 1 <= len(data) <= MAX_SKILL_MD:
        raise ArchiveError("skill-md", f"SKILL.md has {len(data)} bytes, not 1 to {MAX_SKILL_MD}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ArchiveError("skill-md", "SKILL.md is not UTF-8") from None
    if "\0" in text:
        raise ArchiveError("skill-md", "SKILL.md has a NUL")
    check_text(text)
    return text


def check_text(text: str) -> None:
    """Refuses what is hidden from a reviewer, and lines that speak for another skill."""
    if _BIDI.search(text):
        raise ArchiveError("skill-md-bidi", "SKILL.md has bidirectional embeddings or overrides")
    if _TAG.search(_FLAG.sub("", text)):
        raise ArchiveError("skill-md-tags", "SKILL.md has tag characters outside flags")
    for line in _LINE_END.split(text):
        if _SKIPPED.sub("", line).startswith(_FORGED):
            raise ArchiveError("skill-md-forgery", "SKILL.md has a line of another skill's section")


def check_name(name: str) -> None:
    """A skill's name must be one line that shows all of itself: it becomes a heading."""
    if not 1 <= len(name.encode("utf-8", "surrogatepass")) <= MAX_NAME or _NOT_IN_NAME.search(name):
        raise IntegrityError(f"the name {name[:MAX_NAME]!r} holds what no skill's name may hold")
