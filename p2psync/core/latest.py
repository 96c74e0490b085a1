"""A bounded memory: of what is put into a dictionary only the latest stays."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

SPARE = 8
"""One in so many more than are to stay, before the oldest go: a dictionary that loses its first key each time has to
look for the first one ever further back."""


def put_latest(known: dict[K, V], news: Mapping[K, V], most: int) -> None:
    """Put many, which are the latest then; of about `most` and more the oldest go."""
    for key in news:
        known.pop(key, None)
    known.update(news)
    over = len(known) - most
    if over > most // SPARE:
        for key in list(islice(known, over)):
            del known[key]
