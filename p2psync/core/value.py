"""Dataclasses with slots that take next to no time to define: values, which nothing changes after they were made,
and such whose fields change.

Values are frozen for the type checker, which refuses every assignment to a field. At run time a frozen dataclass sets
its fields through `object.__setattr__`, which takes five times as long; some twenty of them are made for each file.
There are some hundreds of these classes, and `dataclass` looks at each of their fields and compiles six functions: half
the time that a program's own imports take. So here it does that at the first use, and most are never used in a run.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")

_NOT_OWN = frozenset({"__dict__", "__weakref__"})
"""What every class without slots has."""


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Compared, hashed and shown by its fields. Fields are not inherited."""
    return _slotted(cls, {"__hash__": _hash})


@dataclass_transform(field_specifiers=(field,))
def mutable(cls: type[T]) -> type[T]:
    """Compared and shown by its fields, which may change. Fields are not inherited."""
    return _slotted(cls, {"__hash__": None})


def _slotted(cls: type[T], hashing: dict[str, object]) -> type[T]:
    own = {name: what for name, what in vars(cls).items() if name not in _NOT_OWN}
    own["__doc__"] = cls.__doc__ or cls.__name__  # or `dataclass` composes one of the signature, which takes longest
    names = [name for name, kind in own.get("__annotations__", {}).items() if not kind.startswith("ClassVar")]
    kind: Any = type(cls)
    made: Any = kind(
        cls.__name__,
        cls.__bases__,
        {
            **{"__init__": _init, "__eq__": _eq, "__repr__": _repr, **hashing},
            **{name: what for name, what in own.items() if name not in names},
            **{"__slots__": tuple(names), "__match_args__": tuple(names), "__dataclass_fields__": _Unmade(own)},
        },
    )
    made.__qualname__ = cls.__qualname__
    return made  # type: ignore[no-any-return]


class _Unmade:
    """In place of its fields: what a class was written as, until somebody asks."""

    def __init__(self, own: dict[str, Any]) -> None:
        self._own = own

    def __get__(self, instance: object, cls: Any) -> Any:
        twin: Any = dataclass(eq=False, repr=False)(type(cls.__name__, (), self._own))
        if cls.__init__ is _init:
            cls.__init__ = twin.__init__
        cls.__dataclass_fields__ = twin.__dataclass_fields__
        return twin.__dataclass_fields__


def _init(self: Any, *args: Any, **named: Any) -> None:
    fields(self)
    self.__init__(*args, **named)


def _eq(self: object, other: object) -> Any:
    _compile(type(self))
    return self.__eq__(other)


def _hash(self: object) -> int:
    _compile(type(self))
    return self.__hash__()


def _compile(cls: Any) -> None:
    """Take over the functions that `dataclass` makes, but those which the class has of its own."""
    compared = [one.name for one in fields(cls) if one.compare]
    space = {"__doc__": cls.__doc__}
    twin = make_dataclass(cls.__name__, compared, init=False, repr=False, unsafe_hash=True, namespace=space)
    if cls.__eq__ is _eq:
        cls.__eq__ = vars(twin)["__eq__"]
    if cls.__hash__ is _hash:
        cls.__hash__ = vars(twin)["__hash__"]


def _repr(self: Any) -> str:
    shown = (f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"
