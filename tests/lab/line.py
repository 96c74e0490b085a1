"""What a cable is like: rate, delay, loss and queue, as people write them and as numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.lab.system import LabError

_RATE = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_TIME = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_BURST_MIN_BYTES = 16 * 1024
_BURST_S = 0.001
"""The bucket holds a millisecond of the rate, so that at 1 Gbit/s the kernel's 64-KiB bundles pass whole."""


@dataclass(frozen=True, slots=True)
class Line:
    """The properties of one node's cable, the same in both directions but for the rate."""

    up_bit_s: float | None = None
    """From the node into the network; None: as fast as the machine."""
    down_bit_s: float | None = None
    delay_s: float = 0.0
    """One way, spent when a packet arrives at the node's switch side or at the node, once per packet."""
    loss: float = 0.0
    """The share of packets that vanish on arrival, 0..1."""
    queue_s: float = 0.05
    """How much of the rate waits before packets are dropped."""

    @classmethod
    def parse(cls, rate: str | None, delay: str | float, loss: str | float, queue: str | float) -> Line:
        """From "100mbit" or "10mbit/100mbit" (up/down), "20ms", "0.1%". Raises LabError on anything else."""
        up, _, down = (rate or "").partition("/")
        return cls(
            up_bit_s=_bit_s(up) if up else None,
            down_bit_s=_bit_s(down or up) if up else None,
            delay_s=_seconds(delay),
            loss=_share(loss),
            queue_s=_seconds(queue),
        )

    @property
    def is_held(self) -> bool:
        """Whether packets must be held back or lost by our own hand."""
        return self.delay_s > 0 or self.loss > 0


def token_bucket(bit_s: float, queue_s: float) -> list[str]:
    """What `tc` wants to hear for this rate and queue."""
    burst = max(_BURST_MIN_BYTES, int(bit_s / 8 * _BURST_S))
    limit = burst + int(bit_s / 8 * queue_s)
    return ["tbf", "rate", f"{int(bit_s)}bit", "burst", f"{burst}", "limit", f"{limit}"]


def _bit_s(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmg]?)bit", text.lower())
    if not found:
        raise LabError(f"no rate: {text!r} (write 100mbit, 1gbit or 10mbit/100mbit)")
    return float(found[1]) * _RATE[found[2]]


def _seconds(value: str | float) -> float:
    if not isinstance(value, str):
        return float(value)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(us|ms|s)", value)
    if not found:
        raise LabError(f"no time: {value!r} (write 20ms, 0.2ms or 1s)")
    return float(found[1]) * _TIME[found[2]]


def _share(value: str | float) -> float:
    text = str(value)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text)
    share = float(found[1]) / (100 if found[2] else 1) if found else -1.0
    if not 0 <= share <= 1:
        raise LabError(f"no share: {text!r} (write 0.1% or 0.001)")
    return share
