"""The orders between the fetch machine and its shell are values."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from p2psync.engine.effects import Send
from p2psync.engine.orders import Output, Piece


@pytest.mark.parametrize("order", [Piece, *get_args(Output)])
def test_an_order_is_a_value_with_slots(order: type) -> None:
    assert dataclasses.is_dataclass(order)
    assert hasattr(order, "__slots__")


def test_asking_is_an_effect_like_any_other() -> None:
    assert Send in get_args(Output)
