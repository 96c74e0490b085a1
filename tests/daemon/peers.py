"""Several devices' transfers in one process, joined by queues, each with a real folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from p2psync.core.block import ORDINARY
from p2psync.core.ids import ContentId, MandateId, content_of
from p2psync.core.relpath import RelPath
from p2psync.daemon.contents.assembling import MandateContents
from p2psync.daemon.contents.transfer import Transfer
from p2psync.daemon.logs import EventLog, LogEvent
from p2psync.daemon.tasks import Tasks
from p2psync.engine.effects import Fetch, Wanted
from p2psync.engine.events import Fetched, FetchFailed, Observed
from p2psync.engine.orders import Compartment
from p2psync.errors import LinkClosed, RemoteProtocolError
from p2psync.fs.contents import Contents
from p2psync.fs.staging import Staging
from p2psync.fs.versions import Versions
from p2psync.store.cuts import CutFile, Cuts
from p2psync.wire.codec import decode
from p2psync.wire.messages import Ahead, Credit, Message, Offer, Push, Request, Response
from tests.fs.disk import Places

MANDATE = MandateId(b"m" * 16)
OTHER = MandateId(b"o" * 16)
LINK_MESSAGES_MAX = 4
"""How many messages a link holds before its sender has to wait."""

Spoil = Callable[[Response], Response]


class Shelf:
    """One mandate's folder of one device, and what the database would say of it."""

    def __init__(self, root: Path, cuts: Cuts) -> None:
        self.places = Places(root)
        self.staging = Staging(self.places.staging)
        self.versions = Versions(self.places.versions)
        self.paths: dict[ContentId, list[RelPath]] = {}
        self.contents = Contents(
            self.places,
            self.staging,
            self.versions,
            lambda contents: {c: self.paths[c] for c in contents if c in self.paths},
            cuts=cuts,
        )

    def save(self, path: str, data: bytes) -> Wanted:
        target = self.places.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        content = content_of(data)
        self.paths.setdefault(content, []).append(RelPath(path))
        return Wanted(content, len(data), RelPath(path))

    def staged(self, content: ContentId) -> bytes:
        return self.staging.path(content).read_bytes()


@dataclass
class Fence:
    """Bounds as a test sets them, of one device."""

    refuses: set[ContentId] = field(default_factory=set)
    """Contents that it gives nobody."""
    closed: set[tuple[int, str]] = field(default_factory=set)
    """Links whose members may not know of a class of files."""
    apart: set[ContentId] = field(default_factory=set)
    """Contents that lie on its disk for files of another class."""

    def is_open_to(self, link: int, compartment: Compartment) -> bool:
        return (link, compartment.file_class) not in self.closed

    def may_give(self, link: int, compartment: Compartment, contents: Sequence[ContentId]) -> list[bool]:
        return [content not in self.refuses for content in contents]

    def may_reuse(self, compartment: Compartment, contents: Sequence[ContentId]) -> Set[ContentId]:
        return set(contents) - self.apart


@dataclass
class Device:
    """A transfer with its folders, and what it reported."""

    name: str
    shelves: dict[MandateId, Shelf]
    transfer: Transfer
    links: dict[int, Link] = field(default_factory=dict)
    fetched: set[ContentId] = field(default_factory=set)
    failed: set[ContentId] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    blamed: dict[int, str] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[Request] = field(default_factory=list)
    """Those it answered, in their order."""
    pushes: int = 0
    is_near: bool = True
    """That it got, and offers."""
    fence: Fence = field(default_factory=Fence)

    @property
    def shelf(self) -> Shelf:
        return self.shelves[MANDATE]

    def want(self, *wanted: Wanted, mandate: MandateId = MANDATE, file_class: str = ORDINARY) -> None:
        self.transfer.fetch(Fetch(mandate, wanted, file_class))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what it reported fulfils a condition."""
        async with asyncio.timeout(60):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def until_fetched(self, *wanted: Wanted) -> None:
        await self.until(lambda: {one.content for one in wanted} <= self.fetched)

    async def emit(self, event: Fetched | FetchFailed | Observed) -> None:
        match event:
            case Fetched():
                self.fetched.update(event.contents)
            case FetchFailed():
                self.failed.update(event.contents)
            case Observed():
                self.problems += [problem.code for problem in event.problems]
        self.news.set()

    async def blame(self, link: int, reason: str) -> None:
        self.blamed[link] = reason
        self.news.set()


@dataclass
class Link:
    """One direction of a link: what is sent waits in `queue` until the other side takes it."""

    to: Device
    number: int
    queue: asyncio.Queue[Message]
    spoil: Spoil | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """The other side reads while this is set."""
    closed: bool = False
    responses: int = 0
    largest_queue: int = 0
    error: str = ""

    async def send(self, message: Message) -> None:
        if self.closed:
            raise LinkClosed("closed")
        await self.queue.put(message)
        self.largest_queue = max(self.largest_queue, self.queue.qsize())

    def push(self, frame: bytes) -> None:
        """To where the bytes are read at once, though the rest may wait at the gate."""
        message = decode(frame)
        assert isinstance(message, Push | Offer)
        self.to.transfer.on_message(self.number, message)
        self.to.pushes += 1
        self.to.news.set()

    async def carry(self) -> None:
        while True:
            message = await self.queue.get()
            await self.gate.wait()
            if isinstance(message, Response):
                self.responses += 1
                message = self.spoil(message) if self.spoil is not None else message
            assert isinstance(message, Request | Response | Ahead | Credit)
            if isinstance(message, Request):
                self.to.requests.append(message)
            try:
                self.to.transfer.on_message(self.number, message)
            except RemoteProtocolError as error:
                self.error = str(error)
            self.to.news.set()


class World:
    """Devices and the links between them."""

    def __init__(self, root: Path, tasks: Tasks) -> None:
        self._root = root
        self._tasks = tasks
        self._last_link = 0
        self.devices: list[Device] = []
        self.cut_files: dict[str, CutFile] = {}

    def device(self, name: str, mandates: tuple[MandateId, ...] = (MANDATE,)) -> Device:
        """A device with its folders; a second one of the same name takes them over, as after a restart."""
        cuts = self.cut_files.setdefault(name, CutFile(self._root / f"{name}.cuts"))
        shelves = {mandate: Shelf(self._root / name / mandate.hex()[:4], Cuts(cuts, mandate)) for mandate in mandates}
        folders = {mandate: MandateContents(shelf.staging, shelf.contents) for mandate, shelf in shelves.items()}
        fence = Fence()
        transfer = Transfer(
            self._tasks,
            send=lambda link, message: device.links[link].send(message),
            push=lambda link, frame: device.links[link].push(frame),
            is_near=lambda link: device.is_near,
            emit=lambda event: device.emit(event),
            folders=folders,
            bounds=fence,
            misbehaved=lambda link, reason: device.blame(link, reason),
        )
        device = Device(name, shelves, transfer, fence=fence)
        transfer.start()
        self.devices.append(device)
        return device

    def join(
        self, a: Device, b: Device, mandates: tuple[MandateId, ...] = (MANDATE,), spoil: Spoil | None = None
    ) -> int:
        """Link two devices; `spoil` changes what `b` answers to `a`. Returns the number of the link on both sides."""
        self._last_link += 1
        number = self._last_link
        for device, other, spoiler in ((a, b, None), (b, a, spoil)):
            link = device.links[number] = Link(other, number, asyncio.Queue(LINK_MESSAGES_MAX), spoiler)
            link.gate.set()
            self._tasks.start(link.carry(), f"link-{number}")
        for mandate in mandates:
            a.transfer.peer_joined(number, mandate)
            b.transfer.peer_joined(number, mandate)
        return number

    def cut(self, a: Device, b: Device, number: int, mandates: tuple[MandateId, ...] = (MANDATE,)) -> None:
        for device in (a, b):
            device.links[number].closed = True
            for mandate in mandates:
                device.transfer.peer_left(number, mandate)


@asynccontextmanager
async def world(root: Path) -> AsyncIterator[World]:
    """Ends with every task cancelled and no unexpected error in any."""
    log = EventLog(None)
    events: list[LogEvent] = []
    log.listen(events.append)
    tasks = Tasks(log)
    await tasks.open()
    made = World(root, tasks)
    try:
        yield made
    finally:
        await tasks.close()
        for device in made.devices:
            device.transfer.close()
        for cut_file in made.cut_files.values():
            cut_file.close()
    assert [str(event) for event in events] == []


def bytes_of(shelf: Shelf, wanted: Mapping[str, Wanted]) -> dict[str, bytes]:
    return {path: shelf.staged(one.content) for path, one in wanted.items()}
