"""The arguments of an operation, checked: they come from other programs over HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from p2psync.errors import UsageError

TEXT_CHARACTERS_MAX = 112 * 1024
"""The longest is a recovery file, which names all members: two hundred fit."""
ITEMS_MAX = 1000


class Arguments:
    """Named values of which nothing is known yet; every method raises UsageError for what does not fit."""

    def __init__(self, given: Mapping[str, object]) -> None:
        self._given = {name: value for name, value in given.items() if value is not None}
        self._left = set(self._given)

    def text(self, name: str) -> str:
        """A text that must be there and not be empty."""
        value = self.text_or(name, "")
        if not value:
            raise UsageError("{name} is missing", name=name)
        return value

    def text_or(self, name: str, default: str) -> str:
        value = self._take(name, default)
        if not _is_text(value):
            raise UsageError("{name} must be a text", name=name)
        return str(value)

    def flag(self, name: str) -> bool:
        """False unless given."""
        value = self._take(name, False)
        if not isinstance(value, bool):
            raise UsageError("{name} must be true or false", name=name)
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise UsageError("{name} must be a whole number from {least} to {most}", name=name, least=least, most=most)
        return value

    def seconds(self, name: str, default: float | None) -> float | None:
        """A time of zero or more; None means without end."""
        value = self._take(name, default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise UsageError("{name} must be a number of seconds", name=name)
        return float(value)

    def texts(self, name: str) -> list[str]:
        """Empty unless given."""
        value = self._take(name, [])
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > ITEMS_MAX:
            raise UsageError("{name} must be a list of texts", name=name)
        if not all(_is_text(item) for item in value):
            raise UsageError("{name} must be a list of texts", name=name)
        return list(value)

    def done(self) -> None:
        """Call when all that is known was asked for: what is left was misspelt."""
        if self._left:
            raise UsageError("unknown argument: {names}", names=", ".join(sorted(self._left)))

    def _take(self, name: str, default: object) -> object:
        self._left.discard(name)
        return self._given.get(name, default)


def _is_text(value: object) -> bool:
    """JSON may hold halves of characters too, which can be stored nowhere."""
    if not isinstance(value, str) or len(value) > TEXT_CHARACTERS_MAX or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)
