"""Vector clocks over logs: for each log the tip, or after a fork the tips, that a device had read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from p2psync.core.ids import BlockHash, LogId


class Tip(NamedTuple):
    """The newest block of a branch of a log."""

    seq: int
    """1 for a log's first block."""
    hash: BlockHash


Tips = Mapping[LogId, tuple[Tip, ...]]
"""Sorted tips per log; more than one only after a fork. A log that is not named was not read."""
