r"""Paths inside a mandate's folder: parsed once at the edge, safe and canonical from then on.

A `RelPath` is what all members call a file: its parts joined by "/", code points exactly as the user's
program wrote them (NFC and NFD are two names). `parse` is the only way to one, so inner code never
asks again whether a path escapes. A name that is legal here and impossible on another member's PC
stays whole in the mandate; only that PC's disk sees another spelling of it, see `to_disk`.

The spelling on Windows is the one that WSL, Cygwin and Samba use: U+F000 + the code of the character.
So that every name a user can make has exactly one spelling, also one which already holds such code
points, a run of n `_ESCAPE` before a mapped character becomes 2n, before its look-alike 2n + 1; and a
reserved name, with any run of `_ESCAPE` before it, gets one more. All other text stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from typing import NewType

from p2psync.core.problem import Code
from p2psync.core.value import value
from p2psync.errors import InvalidPath

RelPath = NewType("RelPath", str)

PART_BYTES_MAX = 255
"""Of one part in UTF-8: what Linux and macOS can store, so that every member can hold every file."""
PATH_BYTES_MAX = 1024
"""Of the whole in UTF-8: the shortest limit of a supported system (macOS)."""
PARTS_MAX = 100
"""Nested directories, the file included."""
OWN_DIRECTORY = ".p2psync"
"""At the top of each mandate's folder; nothing in it is ever part of the mandate."""


class Platform(StrEnum):
    """The kinds of disk names there are; `Platform(sys.platform)` is the one of this PC."""

    LINUX = "linux"
    MACOS = "darwin"
    WINDOWS = "win32"


@value
class Folding:
    """Which names this disk takes for the same; probed at start."""

    case_insensitive: bool = False
    normalising: bool = False
    """True if "é" as one code point and as two are one name."""


_ESCAPE = "\uf0ff"
_MAP_BASE = 0xF000
_ILLEGAL_ON_WINDOWS = '<>:"|?*\\' + "".join(map(chr, range(1, 32)))
_TRAILING_ON_WINDOWS = ". "


def _mapped(characters: str) -> str:
    return "".join(chr(_MAP_BASE + ord(character)) for character in characters)


def _token(characters: str, end: str = "") -> re.Pattern[str]:
    every = re.escape(characters + _mapped(characters))
    return re.compile(f"({_ESCAPE}*)([{every}]){end}")


_ANYWHERE = _token(_ILLEGAL_ON_WINDOWS)
_AT_END = _token(_TRAILING_ON_WINDOWS, r"\Z")
_RESERVED_ON_WINDOWS = re.compile(
    rf"({_ESCAPE}*)((?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[1-9¹²³])\ *(?:\..*)?)",
    re.IGNORECASE | re.DOTALL,
)
_RESERVED_ON_MACOS = re.compile(rf"({_ESCAPE}*)(\.\.namedfork)", re.IGNORECASE)
_PLAIN = re.compile("(?:[0-9A-Za-z_][0-9A-Za-z_ .()-]*+/)*+[0-9A-Za-z_][0-9A-Za-z_ .()-]*+")
"""Most paths there are, and none that would be refused."""
_PLAIN_MAX = 2 * PARTS_MAX - 1
_DRIVE = re.compile("[A-Za-z]:")
_OWN_NAMES = re.compile(r"\.p2psync|p2psyn~[0-9]+|p2[0-9a-f]{4}~[0-9]+")  # with the short names Windows gives it
_IGNORED_BY_DISKS = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")  # HFS+ compares names without these


def parse(text: str) -> RelPath:
    """The path that `text` names, unchanged.

    Raises InvalidPath, whose code tells: NAME_ESCAPES (absolute, drive letter, "." or ".." as a part,
    p2psync's own directory), NAME_ILLEGAL (empty, an empty part, NUL), NAME_TOO_LONG, NAME_NOT_TEXT
    (bytes of a disk name that are no UTF-8).
    """
    if len(text) <= _PLAIN_MAX and _PLAIN.fullmatch(text):
        return RelPath(text)
    if not text:
        raise InvalidPath("The name of a file must not be empty.", Code.NAME_ILLEGAL)
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise InvalidPath(
            "The name {path} is not valid text. Rename the file.", Code.NAME_NOT_TEXT, path=_shown(text)
        ) from None
    if size > PATH_BYTES_MAX:
        raise InvalidPath(
            "The path {path} is longer than {limit} bytes.", Code.NAME_TOO_LONG, path=_shown(text), limit=PATH_BYTES_MAX
        )
    parts = text.split("/")
    _check_inside(text, parts)
    if "" in parts or "\0" in text:
        raise InvalidPath("{path} has a part that cannot be a file name.", Code.NAME_ILLEGAL, path=_shown(text))
    if len(parts) > PARTS_MAX:
        raise InvalidPath(
            "{path} lies deeper than {limit} folders.", Code.NAME_TOO_LONG, path=_shown(text), limit=PARTS_MAX
        )
    if size > PART_BYTES_MAX and any(len(part.encode()) > PART_BYTES_MAX for part in parts):
        raise InvalidPath(
            "{path} has a name that is longer than {limit} bytes.",
            Code.NAME_TOO_LONG,
            path=_shown(text),
            limit=PART_BYTES_MAX,
        )
    return RelPath(text)


def to_disk(rel: RelPath, platform: Platform) -> str:
    """How `rel` is spelled in a folder of that platform, parts joined by "/": always legal there, never outside it.

    No two paths share a spelling, and `from_disk` gives `rel` back. It may be longer than the disk allows: `too_long`.
    """
    if platform is Platform.LINUX:
        return rel
    spell = _to_windows if platform is Platform.WINDOWS else _to_macos
    return "/".join(map(spell, rel.split("/")))


def from_disk(name: str, platform: Platform) -> RelPath:
    """The path that is spelled `name` (relative to the folder, parts joined by "/") on that platform.

    Raises InvalidPath as `parse` does; with NAME_ILLEGAL also for what no program of that platform could open.
    """
    if platform is Platform.LINUX:
        return parse(name)
    read = _from_windows if platform is Platform.WINDOWS else _from_macos
    return parse("/".join(map(read, name.split("/"))))


def too_long(rel: RelPath, platform: Platform, root_length: int) -> bool:
    """True if that platform's programs cannot open `rel` in a folder whose own path has `root_length` units.

    Units are UTF-16 code units on Windows (255 a part, 259 in all, as programs there expect), else UTF-8
    bytes (255 a part; 4095 in all on Linux, 1023 on macOS).
    """
    spelled = to_disk(rel, platform)
    encoding, unit_bytes = ("utf-16-le", 2) if platform is Platform.WINDOWS else ("utf-8", 1)
    total = len(spelled.encode(encoding)) // unit_bytes
    if root_length + 1 + total > _PATH_UNITS_MAX[platform]:
        return True
    return any(len(part.encode(encoding)) // unit_bytes > _PART_UNITS_MAX for part in spelled.split("/"))


_PART_UNITS_MAX = 255
_PATH_UNITS_MAX = {Platform.LINUX: 4095, Platform.MACOS: 1023, Platform.WINDOWS: 259}


def fold(rel: RelPath, folding: Folding) -> str:
    """The slot of `rel`: equal for two paths if a disk that folds so may take them for one.

    Case is folded wholly ("ß" as "ss"): a disk that tells more names apart merely gets a needless Problem.
    """
    slot: str = rel
    if slot.isascii():
        return slot.lower() if folding.case_insensitive else slot
    if folding.normalising:
        slot = unicodedata.normalize("NFD", slot)
    if folding.case_insensitive:
        slot = slot.casefold()
    return unicodedata.normalize("NFD", slot) if folding.normalising else slot


def ancestors(rel: RelPath) -> tuple[RelPath, ...]:
    """The directories that hold `rel`, the topmost first."""
    above = []
    end = rel.find("/")
    while end >= 0:
        above.append(RelPath(rel[:end]))
        end = rel.find("/", end + 1)
    return tuple(above)


def all_ancestors(several: Iterable[RelPath]) -> set[RelPath]:
    """The directories that hold any of these paths."""
    above = {RelPath(head) for head, slash, _ in (rel.rpartition("/") for rel in several) if slash}
    return above.union(*map(ancestors, above))


def parent(rel: RelPath) -> RelPath | None:
    """The directory that holds `rel`; None for the mandate's folder itself."""
    head, slash, _ = rel.rpartition("/")
    return RelPath(head) if slash else None


def name(rel: RelPath) -> str:
    """The last part."""
    return rel.rpartition("/")[2]


def suffix(rel: RelPath) -> str:
    """The extension in lower case with its dot, as ".ecf"; "" where there is none."""
    stem, dot, extension = name(rel).rpartition(".")
    return dot + extension.lower() if stem and extension else ""


def prefix_range(directory: RelPath) -> tuple[str, str]:
    """(low, high): exactly the paths below `directory` are low <= path < high in the byte order of UTF-8."""
    return directory + "/", directory + chr(ord("/") + 1)


def _check_inside(text: str, parts: list[str]) -> None:
    """Raises InvalidPath with NAME_ESCAPES if these parts lead out of the mandate or into p2psync's own files."""
    if text[0] == "/" or _DRIVE.match(text):
        raise InvalidPath("{path} is no path inside the folder.", Code.NAME_ESCAPES, path=_shown(text))
    if "." in parts or ".." in parts:
        raise InvalidPath('{path} has "." or ".." as a part.', Code.NAME_ESCAPES, path=_shown(text))
    top = parts[0] if parts[0].isascii() else _IGNORED_BY_DISKS.sub("", parts[0])
    if _OWN_NAMES.fullmatch(top.casefold()):
        raise InvalidPath(
            "{path} lies in {own}, which belongs to p2psync itself.",
            Code.NAME_ESCAPES,
            path=_shown(text),
            own=OWN_DIRECTORY,
        )


def _to_windows(part: str) -> str:
    return _reserve(_AT_END.sub(_map, _ANYWHERE.sub(_map, part)), _RESERVED_ON_WINDOWS)


def _from_windows(spelled: str) -> str:
    part = _AT_END.sub(_unmap, _unreserve(spelled, _RESERVED_ON_WINDOWS))
    return _ANYWHERE.sub(_unmap, part)


def _to_macos(part: str) -> str:
    # ":" is an ordinary character of names there; the Finder shows it as "/".
    return _reserve(part, _RESERVED_ON_MACOS)


def _from_macos(spelled: str) -> str:
    return _unreserve(spelled, _RESERVED_ON_MACOS)


def _map(token: re.Match[str]) -> str:
    run, character = token.groups()
    if ord(character) < _MAP_BASE:
        return run * 2 + chr(_MAP_BASE + ord(character))
    return run * 2 + _ESCAPE + character


def _unmap(token: re.Match[str]) -> str:
    run, character = token.groups()
    if ord(character) < _MAP_BASE:
        raise InvalidPath(
            "{path} is no name that Windows programs can open.", Code.NAME_ILLEGAL, path=_shown(token.string)
        )
    half = _ESCAPE * (len(run) // 2)
    return half + (character if len(run) % 2 else chr(ord(character) - _MAP_BASE))


def _reserve(part: str, reserved: re.Pattern[str]) -> str:
    return _ESCAPE + part if reserved.fullmatch(part) else part


def _unreserve(spelled: str, reserved: re.Pattern[str]) -> str:
    if not (token := reserved.fullmatch(spelled)):
        return spelled
    if not token[1]:
        raise InvalidPath(
            "{path} is a name that this system keeps for itself.", Code.NAME_ILLEGAL, path=_shown(spelled)
        )
    return spelled[1:]


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
