"""What a field of a message may hold: shapes that turn values into what msgpack stores, and back, equally strict.

Every method raises ValueError for what its field may not hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from enum import IntEnum
from itertools import pairwise
from typing import Any, Protocol

import msgpack

from p2psync.core.clock import Tip, Tips
from p2psync.core.ids import HASH_BYTES, LOG_ID_BYTES
from p2psync.core.value import value
from p2psync.wire.messages import LOGS_MAX, TIPS_PER_LOG_MAX

INTEGER_MAX = (1 << 63) - 1
"""What SQLite can store."""


def unpack_array(plain: bytes, *, text_bytes_max: int, bytes_max: int, items_max: int) -> tuple[Any, ...]:
    """The fields of a message, itself an array, each of its values within bounds. Raises ValueError."""
    try:
        values = msgpack.unpackb(
            plain,
            use_list=False,
            max_str_len=text_bytes_max,
            max_bin_len=bytes_max,
            max_array_len=items_max,
            max_map_len=0,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException):
        raise ValueError("is not msgpack, or over its limits") from None
    if type(values) is not tuple:
        raise ValueError("is no list")
    return values


class Shape(Protocol):
    """What one field may hold."""

    def pack(self, value: Any) -> Any:
        """What msgpack stores for a field's value."""

    def unpack(self, plain: Any) -> Any:
        """The field's value."""


@value
class Whole:
    """A whole number."""

    least: int = 0
    most: int = INTEGER_MAX

    def unpack(self, plain: Any) -> int:
        if type(plain) is not int or not self.least <= plain <= self.most:
            raise ValueError(f"not a whole number from {self.least} to {self.most}")
        return plain

    pack = unpack


class Finite:
    """A number that is neither infinite nor NaN."""

    def unpack(self, plain: Any) -> float:
        if type(plain) is not float or not math.isfinite(plain):
            raise ValueError("not a finite number")
        return plain

    def pack(self, value: Any) -> float:
        return self.unpack(float(value))


class Flag:
    """Yes or no."""

    def unpack(self, plain: Any) -> bool:
        if type(plain) is not bool:
            raise ValueError("neither true nor false")
        return plain

    pack = unpack


@value
class Text:
    """Text; any string that is UTF-8."""

    characters_max: int

    def unpack(self, plain: Any) -> str:
        if type(plain) is not str or len(plain) > self.characters_max:
            raise ValueError(f"not a text of at most {self.characters_max} characters")
        return plain

    def pack(self, value: Any) -> str:
        return self.unpack(str(value))


@value
class Raw:
    """Bytes."""

    least: int
    most: int

    def unpack(self, plain: Any) -> bytes:
        if type(plain) is not bytes or not self.least <= len(plain) <= self.most:
            raise ValueError(f"not {self.least} to {self.most} bytes")
        return plain

    pack = unpack


@value
class OneOf:
    """A member of an IntEnum, by its number."""

    made: type[IntEnum]

    def unpack(self, plain: Any) -> IntEnum:
        if type(plain) is not int:
            raise ValueError(f"not a {self.made.__name__}")
        return self.made(plain)

    def pack(self, value: Any) -> int:
        return int(self.made(value))


@value
class Maybe:
    """Something or None."""

    shape: Shape

    def unpack(self, plain: Any) -> Any:
        return None if plain is None else self.shape.unpack(plain)

    def pack(self, value: Any) -> Any:
        return None if value is None else self.shape.pack(value)


@value
class Many:
    """A tuple of things of one shape."""

    shape: Shape
    most: int
    least: int = 0

    def unpack(self, plain: Any) -> tuple[Any, ...]:
        return tuple(map(self.shape.unpack, self._checked(plain)))

    def pack(self, value: Any) -> list[Any]:
        return list(map(self.shape.pack, self._checked(value)))

    def _checked(self, items: Any) -> tuple[Any, ...]:
        if type(items) is not tuple or not self.least <= len(items) <= self.most:
            raise ValueError(f"not a list of {self.least} to {self.most}")
        return items


@value
class Row:
    """A tuple of things of different shapes, or what `made` makes of them."""

    shapes: tuple[Shape, ...]
    made: Callable[[Iterable[Any]], tuple[Any, ...]] = tuple

    def unpack(self, plain: Any) -> tuple[Any, ...]:
        if type(plain) is not tuple or len(plain) != len(self.shapes):
            raise ValueError(f"not a row of {len(self.shapes)}")
        return self.made(shape.unpack(one) for shape, one in zip(self.shapes, plain, strict=True))

    def pack(self, value: Any) -> list[Any]:
        return [shape.pack(one) for shape, one in zip(self.shapes, value, strict=True)]


@value
class Sorted:
    """Rows in ascending order and none twice: there is one way to say the same."""

    rows: Many

    def unpack(self, plain: Any) -> tuple[Any, ...]:
        rows = self.rows.unpack(plain)
        if any(low >= high for low, high in pairwise(rows)):
            raise ValueError("not in order")
        return rows

    def pack(self, value: Any) -> list[Any]:
        return self.rows.pack(tuple(sorted(value)))


class TipsOfLogs:
    """Tips by log, as rows sorted by log; a log without tips is one to be sent from its beginning."""

    _rows = Sorted(
        Many(
            Row(
                (
                    Raw(LOG_ID_BYTES, LOG_ID_BYTES),
                    Sorted(Many(Row((Whole(1), Raw(HASH_BYTES, HASH_BYTES)), Tip._make), TIPS_PER_LOG_MAX)),
                )
            ),
            LOGS_MAX,
        )
    )

    def unpack(self, plain: Any) -> Tips:
        rows = self._rows.unpack(plain)
        tips: Tips = dict(rows)
        if len(tips) < len(rows):
            raise ValueError("a log twice")
        return tips

    def pack(self, value: Tips) -> list[Any]:
        return self._rows.pack(value.items())
