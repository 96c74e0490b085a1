"""Which files stay out of the mandate: `.p2psyncignore`, written as a `.gitignore` is, after a few defaults.

Rules are read in order and the last one that matches decides; "!" takes a file back in, also one of the
defaults. What lies in an ignored directory is ignored, whatever rule follows. Case never counts: most
members' disks know none, and a rule must mean the same on all of them.
"""

from __future__ import annotations

import re

from p2psync.core.relpath import RelPath, ancestors
from p2psync.core.value import value
from p2psync.errors import ConfigError

FILE_NAME = ".p2psyncignore"
LINES_MAX = 200
"""Of a `.p2psyncignore`; each path is held against each of them."""
LINE_CHARACTERS_MAX = 255
LIVE_DATABASES = ("*.cre", "*.nmc", "*.fac", "*.salx", "*.sav")
"""Written in place all day by a running program: a copy taken meanwhile would be torn. Each is shown as a Problem."""
TEMPORARY = ("~$*", ".~lock.*#", "*.p2psync-part", "Thumbs.db", "desktop.ini", ".DS_Store")
"""Made by office programs and file managers for this PC alone."""


@value
class _Rule:
    pattern: re.Pattern[str]
    """Matches whole paths."""
    negated: bool = False
    directories_only: bool = False


@value
class IgnoreRules:
    """What `parse` made of a `.p2psyncignore`."""

    rules: tuple[_Rule, ...]
    """The defaults, then the user's, in the order of the file."""

    @classmethod
    def parse(cls, text: str) -> IgnoreRules:
        """Raises ConfigError, naming the line, for a pattern that cannot be meant so or a file over the limits."""
        lines = text.removeprefix("\ufeff").removesuffix("\n").split("\n")
        if len(lines) > LINES_MAX:
            raise ConfigError("{file} has more than {limit} lines", file=FILE_NAME, limit=LINES_MAX)
        rules = [_DEFAULTS]
        for number, line in enumerate(lines, start=1):
            try:
                rule = _rule(line.removesuffix("\r"))
            except ConfigError as error:
                raise ConfigError(
                    "{file}, line {number}: {reason}", file=FILE_NAME, number=number, reason=error
                ) from None
            if rule:
                rules.append(rule)
        return cls(tuple(rules))

    def ignores(self, rel: RelPath, is_directory: bool) -> bool:
        """True if what stands at `rel`, or a directory that holds it, stays out of the mandate."""
        return any(self.names(directory, True) for directory in ancestors(rel)) or self.names(rel, is_directory)

    def names(self, rel: RelPath, is_directory: bool) -> bool:
        """The same of what lies in no directory that is ignored."""
        for rule in reversed(self.rules):
            if (is_directory or not rule.directories_only) and rule.pattern.fullmatch(rel):
                return not rule.negated
        return False


def is_live_database(rel: RelPath) -> bool:
    """True if `rel` is a database that its program keeps open, or lies in one's directory."""
    return any(_LIVE.fullmatch(path) for path in (*ancestors(rel), rel))


def _rule(line: str) -> _Rule | None:
    """The rule in a line; None for an empty one or a comment. Raises ConfigError with the reason."""
    if len(line) > LINE_CHARACTERS_MAX:
        raise ConfigError("it is longer than {limit} characters", limit=LINE_CHARACTERS_MAX)
    line = _TRAILING_BLANKS.sub("", line)
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    pattern = line[negated:]
    directories_only = pattern.endswith("/") and not pattern.endswith("\\/")
    parts = pattern.removesuffix("/").removeprefix("/").split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise ConfigError("{line!r} can fit nothing: it has an empty part, or one that is a dot or two", line=line)
    if len(parts) == 1 and not pattern.startswith("/"):
        parts.insert(0, "**")
    return _Rule(re.compile(_path_expression(parts), _FLAGS), negated, directories_only)


_FLAGS = re.DOTALL | re.IGNORECASE
_TRAILING_BLANKS = re.compile(r"(?<![\\ \t])[ \t]+\Z|(?<=\\ )[ \t]+\Z")


def _path_expression(parts: list[str]) -> str:
    """The expression for whole paths; "**" stands for any number of directories, at the end for what is inside.

    Each run of parts between two "**" takes the first place where it fits and is not tried again
    (an atomic group): a later place leaves less for the rest. So no pattern takes more than
    its length times the path's length.
    """
    *heads, last = _runs(parts)
    pieces = [_run_expression(heads[0]) + "/" if heads[0] else ""] if heads else []
    pieces += [f"(?>(?:[^/]+/)*?{_run_expression(run)}/)" for run in heads[1:]]
    if not last:
        return "".join(pieces) + ".+"
    if heads:
        pieces.append("(?:[^/]+/)*+" if len(last) == 1 else "(?:[^/]+/)*?")
    return "".join(pieces) + _run_expression(last)


def _runs(parts: list[str]) -> list[list[str]]:
    """The parts between "**"; empty runs only at both ends."""
    runs: list[list[str]] = [[]]
    for part in parts:
        if part != "**":
            runs[-1].append(part)
        elif runs[-1] or len(runs) == 1:
            runs.append([])
    return runs


def _run_expression(run: list[str]) -> str:
    return "/".join(map(_part_expression, run))


def _part_expression(glob: str) -> str:
    """The expression for one part; text after a star takes the first place where it fits, the last text the end."""
    pieces = [""]
    at = 0
    while at < len(glob):
        if glob[at] == "*":
            at += 1
            if len(pieces) == 1 or pieces[-1]:
                pieces.append("")
            continue
        expression, at = _character_expression(glob, at)
        pieces[-1] += expression
    head, *rest = pieces
    if not rest:
        return head
    return head + "".join(f"(?>[^/]*?{piece})" for piece in rest[:-1]) + "[^/]*" + rest[-1] + "(?![^/])"


def _character_expression(glob: str, at: int) -> tuple[str, int]:
    """What the character or class at `at` matches, and where the next begins. Raises ConfigError."""
    character = glob[at]
    if character == "?":
        return "[^/]", at + 1
    if character == "[":
        return _class_expression(glob, at)
    if character != "\\":
        return re.escape(character), at + 1
    escaped = glob[at + 1 : at + 2]
    if escaped not in _ESCAPABLE or not escaped:
        raise ConfigError('"\\" only takes away the meaning of a special character; between directories write "/"')
    return re.escape(escaped), at + 2


_ESCAPABLE = "*?[]!#\\ -"


def _class_expression(glob: str, at: int) -> tuple[str, int]:
    found = _CLASS.match(glob, at)
    if not found:
        raise ConfigError('"[" without "]"; for the character itself write "\\["')
    inner = "".join(f"{re.escape(low)}-{re.escape(high or low)}" for low, high in _RANGE.findall(found["inner"]))
    try:
        re.compile(f"[{inner}]")
    except re.error:
        raise ConfigError("{text!r} has a range that runs backwards", text=found[0]) from None
    return f"[^/{inner}]" if found["not"] else f"(?!/)[{inner}]", found.end()


_CLASS = re.compile(r"\[(?P<not>[!^]?)(?P<inner>\]?[^\]]*)\]")
_RANGE = re.compile(r"(.)(?:-(.))?", re.DOTALL)


def _default(names: tuple[str, ...]) -> re.Pattern[str]:
    each = "|".join(map(_part_expression, names))
    return re.compile(f"(?:[^/]+/)*+(?:{each})", _FLAGS)


_LIVE = _default(LIVE_DATABASES)
_DEFAULTS = _Rule(_default(LIVE_DATABASES + TEMPORARY))
DEFAULT_RULES = IgnoreRules((_DEFAULTS,))
"""Where there is no `.p2psyncignore`."""
