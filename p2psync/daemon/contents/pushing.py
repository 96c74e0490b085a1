"""Contents that go along with the change that names them: what was just saved is with the others before they ask.

A push is a hint. Whoever gets one it does not want, or has no room for, forgets it; whoever did not get one asks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set

from p2psync.core.ids import ContentId, MandateId
from p2psync.daemon.contents.compartments import Stock
from p2psync.daemon.expiry import Expiry
from p2psync.daemon.tasks import Tasks
from p2psync.engine.effects import PushContents
from p2psync.engine.orders import Compartment
from p2psync.engine.urgent import SAVE_PATHS_MAX
from p2psync.fs.contents import GIVEN_BYTES_MAX, Contents
from p2psync.fs.handful import ITEM_BYTES
from p2psync.wire.codec import encode
from p2psync.wire.messages import PUSH_BYTES_MAX, PUSH_ITEMS_MAX, Push

KEPT_S = 5.0
"""By then it has, or it does not want them; as long as it takes some, the others are kept, too."""

SendPush = Callable[[int, bytes], None]
"""(link, frame): say this if the link is not busy with what was said before."""
IsNear = Callable[[int], bool]
"""Whether what goes to a link is there at once."""


class _Kept:
    """What one link gave unasked."""

    def __init__(self) -> None:
        self._items: dict[Compartment, dict[ContentId, bytes]] = {}
        self.bytes = 0

    @property
    def compartments(self) -> Set[Compartment]:
        return self._items.keys()

    def put(self, compartment: Compartment, items: Mapping[ContentId, bytes]) -> None:
        """What is here already stays as it is."""
        here = self._items.get(compartment, {})
        fresh = {content: data for content, data in items.items() if content not in here}
        if fresh:
            self._items.setdefault(compartment, {}).update(fresh)
            self.bytes += _room(fresh.values())

    def take(self, compartment: Compartment, contents: Iterable[ContentId]) -> dict[ContentId, bytes]:
        here = self._items.get(compartment)
        if not here:
            return {}
        found = {content: here.pop(content) for content in contents if content in here}
        self.bytes -= _room(found.values())
        return found


class Pushing:
    """The pushes of one device, out and in. All methods are for the event loop."""

    def __init__(self, tasks: Tasks, stock: Stock, send: SendPush, is_near: IsNear) -> None:
        self._tasks = tasks
        self._stock = stock
        self._send = send
        self._is_near = is_near
        self._kept: dict[int, _Kept] = {}
        self._expiry: Expiry[int] = Expiry(self.forget)

    def push(self, effect: PushContents, links: Iterable[int]) -> None:
        """Give these contents to the members on these links who may read them, unasked.

        More than somebody saves at once goes only where it is at hand here and near there: else it would be read
        twice, or be in the way of what is said after it.
        """
        compartment = Compartment(effect.mandate, effect.file_class)
        contents = self._stock.contents(effect.mandate)
        open_links = [link for link in links if self._stock.bounds.is_open_to(link, compartment)]
        if contents is None or not open_links:
            return
        is_save = len(effect.contents) <= SAVE_PATHS_MAX
        if not is_save and not all(map(self._is_near, open_links)):
            return
        at_hand = contents.read_lately(effect.contents)
        if at_hand is not None:
            for items in _parts(dict(zip(effect.contents, at_hand, strict=True))):
                self._send_all(open_links, _frame(compartment, items))
        elif is_save:
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

    def pushed(self, link: int, message: Push) -> bool:
        """Keep for a moment what a peer gave unasked; False if there is no room until more of it is placed."""
        contents = self._stock.contents(message.mandate)
        held = sum(kept.bytes for kept in self._kept.values()) + (contents.given_bytes if contents is not None else 0)
        if held + _room(message.items) > GIVEN_BYTES_MAX:
            return False
        items = dict(zip(message.contents, message.items, strict=True))
        self._kept.setdefault(link, _Kept()).put(Compartment(message.mandate, message.file_class), items)
        if link not in self._expiry:
            self._expiry.begin(link, KEPT_S)
        return True

    def take(self, compartment: Compartment, contents: Iterable[ContentId]) -> Mapping[ContentId, bytes]:
        """Bytes that were pushed for some of these contents, not verified."""
        found: dict[ContentId, bytes] = {}
        for link, kept in self._kept.items():
            taken = kept.take(compartment, contents)
            if taken:
                self._expiry.used(link)
                found |= taken
        return found

    def take_any(self, mandate: MandateId, contents: Set[ContentId]) -> Mapping[ContentId, bytes]:
        """The same whatever files of a mandate it was given for: who asks knows that it was given for these."""
        compartments = {compartment for kept in self._kept.values() for compartment in kept.compartments}
        found: dict[ContentId, bytes] = {}
        for compartment in compartments:
            if compartment.mandate == mandate:
                found.update(self.take(compartment, contents))
        return found

    def forget(self, link: int) -> None:
        """What this link gave was not wanted."""
        self._kept.pop(link, None)
        self._expiry.end(link)


def _room(items: Collection[bytes]) -> int:
    return sum(map(len, items)) + ITEM_BYTES * len(items)


def _next_frame(contents: Contents, compartment: Compartment, wanted: Sequence[ContentId]) -> tuple[int, bytes | None]:
    """How many of these contents were looked for, and the message with those that are here."""
    answers = contents.read_several(wanted, PUSH_BYTES_MAX)
    found = {content: data for content, data in zip(wanted, answers, strict=False) if data is not None}
    if not found:
        return len(answers), None
    return len(answers), _frame(compartment, found)


def _frame(compartment: Compartment, items: Mapping[ContentId, bytes]) -> bytes:
    return encode(Push(compartment.mandate, tuple(items), tuple(items.values()), compartment.file_class))


def _parts(items: Mapping[ContentId, bytes]) -> Iterator[dict[ContentId, bytes]]:
    """As much as one message carries at a time."""
    part: dict[ContentId, bytes] = {}
    size = 0
    for content, data in items.items():
        if part and (len(part) == PUSH_ITEMS_MAX or size + len(data) > PUSH_BYTES_MAX):
            yield part
            part, size = {}, 0
        part[content] = data
        size += len(data)
    yield part
