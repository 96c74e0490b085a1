"""Value objects: dataclasses with slots that nothing changes after they were made.

Frozen for the type checker, which refuses every assignment to a field. At run time a frozen dataclass sets its
fields through `object.__setattr__`, which takes five times as long; some twenty of them are made for each file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Compared and hashed by its fields."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
