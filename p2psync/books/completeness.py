"""Whether a bookkeeping file was written to its end, told by its first and last bytes.

Programs overwrite these files in place, so a reader meets halves. A file that bears the name of a kind but does not
begin like it is judged like any other file: by standing still.
"""

from __future__ import annotations

import re
from enum import Enum

from p2psync.core.relpath import RelPath

HEAD_BYTES = 64
"""How much of a file's beginning `completeness` wants to see."""
TAIL_BYTES = 64
"""How much of its end."""

MASTER = ".crp"
INDEX = ".ecc"
ENTRIES = frozenset({".ecf", ".ecs", ".eca", ".ecb", ".ecassets"})
SAVED_IN_PLACE = frozenset({MASTER, INDEX, *ENTRIES})
"""By programs, again and again: the bookkeeping files."""

_MASTER_HEAD = re.compile(rb"(\xef\xbb\xbf)?[A-Z][A-Z0-9_.]*=")
_TAGGED_HEAD = re.compile(rb"(\xef\xbb\xbf)?#")
_PADDING = b"\r\n\t \0\x1a"


class Completeness(Enum):
    WHOLE = "whole"
    """It ends as its kind must end."""
    TORN = "torn"
    """It lacks the end that its kind must have."""
    OPEN = "open"
    """Its bytes cannot tell; only time can."""


def completeness(path: RelPath, head: bytes, tail: bytes) -> Completeness:
    """Judge a file by name, its first HEAD_BYTES and its last TAIL_BYTES, or fewer where it is shorter."""
    suffix = suffix_of(path)
    if suffix not in SAVED_IN_PLACE:
        return Completeness.OPEN
    if suffix == MASTER:
        return _ends(_MASTER_HEAD, head, tail.rstrip(_PADDING).endswith(b"ENDOFFILE"), Completeness.WHOLE)
    if suffix == INDEX:
        return _ends(_TAGGED_HEAD, head, _last_line(tail) == b"#END", Completeness.WHOLE)
    return _ends(_TAGGED_HEAD, head, tail.endswith(b"\n"), Completeness.OPEN)


def suffix_of(path: RelPath) -> str:
    """The extension with its dot, in lower case; "" without one."""
    dot = path.rfind(".")
    suffix = path[dot:].lower() if dot >= 0 else ""
    return "" if "/" in suffix else suffix


def _ends(pattern: re.Pattern[bytes], head: bytes, ended: bool, when_ended: Completeness) -> Completeness:
    """An empty file of these kinds is one that was truncated to be written anew."""
    if head and not pattern.match(head):
        return Completeness.OPEN
    return when_ended if ended else Completeness.TORN


def _last_line(tail: bytes) -> bytes:
    return re.split(rb"[\r\n]", tail.rstrip(_PADDING))[-1].strip(_PADDING)
