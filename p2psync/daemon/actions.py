"""What a mandate asks of a person: how many of each kind, the most urgent first; all else goes by itself."""

from __future__ import annotations

from collections.abc import Sequence

from p2psync.core.problem import Code
from p2psync.core.value import value

PASSING = frozenset({Code.STILL_CHANGING, Code.LOCKED, Code.CONTENT_MISSING, Code.INCOMPLETE})
"""Problems that p2psync gets over by itself, most likely; all others ask for a person."""
HARMLESS = frozenset({Code.JOINED})
"""News of which nothing is wrong."""
URGENT = ("update", "conflicts", "problems")
"""What has to be done before all is well; the others are everyday work. The words are part of the interface."""


@value
class Asked:
    """What there is of each kind."""

    is_stopped: bool
    """A newer version of p2psync wrote what this one cannot judge."""
    conflicts: int
    codes: Sequence[Code]
    """Of the problems."""
    newcomers: int
    """Devices that wait to be let in, where this device may do that."""
    inbox: int
    """Files that arrived and wait for a word."""
    is_chartless: bool
    """There is no chart of accounts, nor master data in its place, where this device should bring them."""
    to_post: int
    """Bookings and files that wait to be posted, where this device may do that."""


def actions(asked: Asked) -> list[dict[str, object]]:
    """Ready for JSON: `what` and `count`."""
    counts = {
        "update": int(asked.is_stopped),
        "conflicts": asked.conflicts,
        "problems": sum(code not in PASSING | HARMLESS | {Code.UPDATE_NEEDED} for code in asked.codes),
        "newcomers": asked.newcomers,
        "inbox": asked.inbox,
        "chart": int(asked.is_chartless),
        "post": asked.to_post,
    }
    return [{"what": what, "count": count} for what, count in counts.items() if count]


def needs_person(several: Sequence[dict[str, object]]) -> bool:
    """Whether something is wrong until somebody does something."""
    return any(one["what"] in URGENT for one in several)
