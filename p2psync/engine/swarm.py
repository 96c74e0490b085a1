"""Which piece of a big file to ask of whom, while others put the same file together.

Such a peer is asked for what it has by now. Who has the whole file is asked for what no such peer has or waits for, and
not beside where another one is at work: so each piece crosses a narrow line once, and the receivers pass it on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from random import Random

from p2psync.engine.orders import Piece
from p2psync.engine.queues import Queue
from p2psync.wire.messages import HOLDS_ALL

ASK_AGAIN_S = 0.1
"""A peer that has a part of the file is asked so often for what it has by now."""
ASK_NEWCOMER_S = 0.25
"""The same of one that has nothing of it."""
LOOK_MAX = 512
"""Pieces that are looked at for one choice, about 256 MiB: of a longer file, all are at work on the same part."""
PATIENCE_TIMES = 2
"""What is on its way to others is left to them for as long as that many answers of who has the whole file take."""
PATIENCE_MAX_S = 10.0
"""So long over the whole file: what is on its way is what others say."""
MIDDLE = (0.25, 0.75)
"""Where in a stretch that nobody else holds to go on: at its ends others are at work."""


def holding_of(held: bytes, asked: Iterable[int]) -> bytes:
    """The answer of who has some of the chunks, a bit for each, and has asked for others: see `What.HOLDING`."""
    coming = bytearray(held)
    for index in asked:
        if index >> 3 < len(coming):
            coming[index >> 3] |= 1 << (index & 7)
    return held + coming


@dataclass(slots=True, eq=False)
class Holdings:
    """What is known of who holds which chunks of one big file."""

    _of: dict[int, bytes | None] = field(default_factory=dict)
    """By link, as it was answered: see `What.HOLDING`; None for nothing."""
    _left_until_s: float = inf
    """While there is nothing but what is on its way to others, it is left to them until then."""
    _patience_s: float = PATIENCE_MAX_S
    _due_s: dict[int, float] = field(default_factory=dict)
    _went_to: int | None = None
    """The chunk after those that who has the whole file was asked for last."""

    def is_due(self, link: int, now: float) -> bool:
        """Whether to ask a link what it holds."""
        return self._due_s.get(link, 0.0) <= now

    def asked(self, link: int) -> None:
        """It is being asked."""
        self._due_s[link] = inf

    def learn(self, link: int, answer: bytes | None, now: float) -> None:
        """What a link answered."""
        joins = bool(answer) and not self._of.get(link)
        self._of[link] = answer
        wait_s = ASK_NEWCOMER_S if answer is None else inf if answer == HOLDS_ALL else ASK_AGAIN_S
        self._due_s[link] = now + wait_s
        if joins:
            self._went_to = None  # it began where we did, and would ask for the same in the same order

    def forget(self, link: int) -> None:
        """It gave no answer, or left."""
        self._of.pop(link, None)
        self._due_s.pop(link, None)

    def wake_s(self, now: float) -> float | None:
        """When to look again, while something is left to others."""
        if not now < self._left_until_s < inf:
            return None
        return min([self._left_until_s, *(due_s for due_s in self._due_s.values() if due_s > now)])

    def choose(
        self, todo: Queue[Piece], link: int, links: Set[int], random: Random, now: float, took_s: float
    ) -> Piece | None:
        """Take out what to ask of a link, one of `links`; None while the others are to be asked rather than it.

        `took_s` is what the last answer of this one took.
        """
        held = self._of.get(link, HOLDS_ALL)
        parts = [answer[len(answer) // 2 :] for other, answer in self._of.items() if other in links and answer]
        if held == HOLDS_ALL and not parts:
            return todo.pop_for(link)
        waiting = list(islice(todo.waiting_for(link), LOOK_MAX))
        if held != HOLDS_ALL:
            here = held and held[: len(held) // 2]
            whole = {other for other in links if self._of.get(other, HOLDS_ALL) == HOLDS_ALL}
            piece = next((p for p in waiting if whole <= p.tried or _is_held(p, here)), None)
        elif alone := sorted((p for p in waiting if not any(_is_held(p, bits) for bits in parts)), key=_first):
            self._left_until_s = inf
            piece = self._next(alone, random)
        else:
            piece = None if self._is_left(now, took_s) else next(iter(waiting), None)
        if piece is not None:
            todo.remove(piece)
        return piece

    def took(self, link: int, piece: Piece) -> None:
        """That piece is asked of the link: who has the whole file is asked for the next one after it."""
        if self._of.get(link, HOLDS_ALL) == HOLDS_ALL:
            self._went_to = piece.chunks[-1] + 1

    def _next(self, alone: Sequence[Piece], random: Random) -> Piece:
        """Of what nobody else has or waits for."""
        at = bisect_left(alone, self._went_to, key=_first) if self._went_to is not None else len(alone)
        if at < len(alone) and _first(alone[at]) == self._went_to:
            return alone[at]
        stretch = max(_stretches(alone), key=len)
        return stretch[int(len(stretch) * random.uniform(*MIDDLE))]

    def _is_left(self, now: float, took_s: float) -> bool:
        """Whether the others, who have all that waits or wait for it, had no time yet to get and to give it."""
        if self._left_until_s == inf:
            patience_s = min(PATIENCE_TIMES * took_s, self._patience_s)
            self._left_until_s = now + patience_s
            self._patience_s -= patience_s
        return now < self._left_until_s


def _first(piece: Piece) -> int:
    return piece.chunks[0]


def _is_held(piece: Piece, held: bytes | None) -> bool:
    """A list of bits that ends early has nothing of the rest."""
    if held is None or piece.chunks[-1] >> 3 >= len(held):
        return False
    return all(held[index >> 3] >> (index & 7) & 1 for index in piece.chunks)


def _stretches(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces, in their order, that follow each other without a gap."""
    found: list[list[Piece]] = []
    for piece in pieces:
        if found and found[-1][-1].chunks[-1] + 1 == piece.chunks[0]:
            found[-1].append(piece)
        else:
            found.append([piece])
    return found
