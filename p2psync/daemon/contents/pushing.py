"""Contents that go along with the change that names them: what was just saved is with the others before they ask.

A push is a hint. Whoever gets one it does not want, or has no room for, forgets it; whoever did not get one asks.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set

from p2psync.core.ids import ContentId, MandateId
from p2psync.daemon.contents.compartments import Stock
from p2psync.daemon.tasks import Tasks
from p2psync.engine.effects import PushContents
from p2psync.engine.orders import Compartment
from p2psync.fs.contents import Contents
from p2psync.wire.codec import encode
from p2psync.wire.messages import PUSH_BYTES_MAX, Push

KEPT_BYTES_MAX = 1 << 20
"""Of one link, until the engine has read the changes that name them."""
KEPT_S = 5.0
"""By then it has, or it does not want them."""

SendPush = Callable[[int, bytes], None]
"""(link, frame): say this if the link is not busy with what was said before."""


class Pushing:
    """The pushes of one device, out and in. All methods are for the event loop."""

    def __init__(self, tasks: Tasks, stock: Stock, send: SendPush) -> None:
        self._tasks = tasks
        self._stock = stock
        self._send = send
        self._kept: dict[int, OrderedDict[tuple[Compartment, ContentId], bytes]] = {}
        self._expiry: dict[int, asyncio.TimerHandle] = {}

    def push(self, effect: PushContents, links: Iterable[int]) -> None:
        """Give these contents to the members on these links who may read them, unasked."""
        compartment = Compartment(effect.mandate, effect.file_class)
        contents = self._stock.contents(effect.mandate)
        open_links = [link for link in links if self._stock.bounds.is_open_to(link, compartment)]
        if contents is None or not open_links:
            return
        at_hand = contents.read_lately(effect.contents)
        if at_hand is not None and sum(map(len, at_hand)) <= PUSH_BYTES_MAX:
            message = Push(effect.mandate, effect.contents, tuple(at_hand), effect.file_class)
            self._send_all(open_links, encode(message))
        else:
            self._tasks.start(self._push(contents, compartment, effect.contents, open_links), "push")

    async def _push(
        self, contents: Contents, compartment: Compartment, wanted: Sequence[ContentId], links: Sequence[int]
    ) -> None:
        rest = wanted
        while rest:
            count, frame = await self._stock.threads.read(_next_frame, contents, compartment, rest)
            rest = rest[count:]
            if frame is not None:
                self._send_all(links, frame)

    def _send_all(self, links: Sequence[int], frame: bytes) -> None:
        for link in links:
            self._send(link, frame)

    def pushed(self, link: int, message: Push) -> None:
        """Keep for a moment what a peer gave unasked."""
        kept = self._kept.setdefault(link, OrderedDict())
        compartment = Compartment(message.mandate, message.file_class)
        for content, data in zip(message.contents, message.items, strict=True):
            kept[compartment, content] = data
            kept.move_to_end((compartment, content))
        while sum(map(len, kept.values())) > KEPT_BYTES_MAX:
            kept.popitem(last=False)
        if link not in self._expiry:
            self._expiry[link] = asyncio.get_running_loop().call_later(KEPT_S, self.forget, link)

    def take(self, compartment: Compartment, contents: Iterable[ContentId]) -> Mapping[ContentId, bytes]:
        """Bytes that were pushed for some of these contents, not verified."""
        found: dict[ContentId, bytes] = {}
        for kept in self._kept.values():
            for content in contents:
                data = kept.pop((compartment, content), None)
                if data is not None:
                    found[content] = data
        return found

    def take_any(self, mandate: MandateId, contents: Set[ContentId]) -> Mapping[ContentId, bytes]:
        """The same whatever files of a mandate it was given for: who asks knows that it was given for these."""
        compartments = {compartment for kept in self._kept.values() for compartment, _ in kept}
        found: dict[ContentId, bytes] = {}
        for compartment in compartments:
            if compartment.mandate == mandate:
                found.update(self.take(compartment, contents))
        return found

    def forget(self, link: int) -> None:
        """What this link gave was not wanted."""
        self._kept.pop(link, None)
        timer = self._expiry.pop(link, None)
        if timer is not None:
            timer.cancel()


def _next_frame(contents: Contents, compartment: Compartment, wanted: Sequence[ContentId]) -> tuple[int, bytes | None]:
    """How many of these contents were looked for, and the message with those that are here."""
    answers = contents.read_several(wanted, PUSH_BYTES_MAX)
    found = {content: data for content, data in zip(wanted, answers, strict=False) if data is not None}
    if not found:
        return len(answers), None
    message = Push(compartment.mandate, tuple(found), tuple(found.values()), compartment.file_class)
    return len(answers), encode(message)
