"""Value objects: dataclasses with slots that nothing changes after they were made.

Frozen for the type checker, which refuses every assignment to a field. At run time a frozen dataclass sets its
fields through `object.__setattr__`, which takes five times as long; some twenty of them are made for each file.
There are some hundreds of these classes, and `dataclass` compiles six functions for each: a third of the time that a
program takes to start. So here only `__init__` is compiled at once; how to compare and hash, at the first use.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Compared, hashed and shown by its fields."""
    if cls.__doc__ is None:  # else it is composed of the signature, which takes longer than all the rest
        cls.__doc__ = cls.__name__
    own = set(vars(cls))
    made: Any = dataclass(slots=True, eq=False, repr=False)(cls)

    def __eq__(self: object, other: object) -> object:
        _compile(made, own)
        return made.__eq__(self, other)

    def __hash__(self: object) -> object:
        _compile(made, own)
        return made.__hash__(self)

    for function in (__eq__, __hash__, _repr):
        if function.__name__ not in own:
            setattr(made, function.__name__, function)
    return made  # type: ignore[no-any-return]


def _compile(cls: Any, own: set[str]) -> None:
    """Take over the functions that `dataclass` makes, but those which the class has of its own."""
    compared = [one.name for one in fields(cls) if one.compare]
    twin = make_dataclass(cls.__name__, compared, init=False, repr=False, unsafe_hash=True)
    for name in {"__eq__", "__hash__"} - own:
        setattr(cls, name, vars(twin)[name])


def _repr(self: Any) -> str:
    shown = (f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


_repr.__name__ = "__repr__"
