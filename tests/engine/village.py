"""A few devices in one process, with dict disks, a perfect network and time that passes when told to.

Enough to write conversations between engines; faults, delays and randomness are the simulator's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from random import Random

from blake3 import blake3

from p2psync.core.entry import ABSENT, Entry, FileStat, Kind
from p2psync.core.ids import ContentId, DeviceId, MandateId, content_of
from p2psync.core.problem import Problem
from p2psync.core.relpath import parse
from p2psync.core.rules import DEFAULT_RULES, Role, RuleTable
from p2psync.engine.admin import Admin, Founding, Newcomer, Welcome
from p2psync.engine.device import Device
from p2psync.engine.effects import (
    CloseLink,
    Effect,
    Fetch,
    KeepVersion,
    MembersChanged,
    Merge,
    Notice,
    Place,
    PlaceItem,
    Rescan,
    Send,
)
from p2psync.engine.events import (
    Event,
    Fetched,
    FetchFailed,
    FolderOpened,
    Kept,
    LinkDown,
    LinkUp,
    Merged,
    Observed,
    Outcome,
    Placed,
    Received,
    ScanFinished,
    Seen,
    Tick,
)
from p2psync.engine.ledger import Keys
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.sim.state import MemoryDeviceState

STEPS_MAX = 20_000


def _mac(device: DeviceId, data: bytes) -> bytes:
    return blake3(data, key=blake3(device).digest()).digest(64)


def fake_keys(name: str) -> Keys:
    """Cheap signatures: whoever knows the id can sign, which is enough where nobody lies."""
    device = DeviceId(blake3(name.encode()).digest())
    return Keys(device, lambda data: _mac(device, data), lambda d, data, signature: _mac(d, data) == signature)


def _united(versions: list[bytes]) -> bytes:
    """All lines of all versions, once: what merging means to the engine."""
    lines = sorted({line for data in versions for line in data.split(b"\r\n") if line[:4] not in (b"#FSC", b"#END")})
    return b"\r\n".join([b"#FSC", *(line for line in lines if line), b"#END", b""])


@dataclass
class House:
    """One device with its disk."""

    name: str
    device: Device
    state: MemoryDeviceState
    mandate: MandateId | None = None
    disk: dict[str, bytes] = field(default_factory=dict)
    versions: dict[ContentId, bytes] = field(default_factory=dict)
    staged: dict[ContentId, bytes] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    trust_renewed: int = 0
    """How often whoever keeps connections was told that it is not as it was who may connect."""
    closed: list[str] = field(default_factory=list)
    sent_bytes: int = 0

    @property
    def id(self) -> DeviceId:
        return self.device.keys.device

    @property
    def m(self) -> Mandate:
        assert self.mandate is not None
        return self.device.mandates[self.mandate]

    @property
    def problems(self) -> list[Problem]:
        return list(self.m.state.problems())

    @property
    def admin(self) -> Admin:
        assert self.mandate is not None
        return self.device.admin(self.mandate)

    def holds(self, content: ContentId) -> bytes | None:
        data = self.versions.get(content) or self.staged.get(content)
        return data or next((d for d in self.disk.values() if content_of(d) == content), None)


class Village:
    def __init__(self, *names: str, rules: RuleTable = DEFAULT_RULES):
        self.now = Now(1000.0, 1_700_000_000_000)
        self.houses = {name: self._build(name) for name in names}
        self._queue: deque[tuple[House, Event]] = deque()
        self._links: dict[int, tuple[House, int]] = {}
        self._next_link = 1
        self._deaf: set[str] = set()
        first = self.houses[names[0]]
        first.device.act(self.now)
        first.mandate = first.device.create(
            Founding(
                *("Cargo", Role.ACCOUNTING, b"cert-" + first.name.encode(), first.name, rules),
                *(fake_keys("recovery").device, b"cert-recovery"),
            )
        )
        first.device.admin(first.mandate).share()
        self._perform(first, first.device.finish())
        self.open_folder(first)

    def _build(self, name: str) -> House:
        state = MemoryDeviceState()
        device = Device(fake_keys(name), state, Random(name), name, "p2psync test")
        return House(name, device, state)

    def __getitem__(self, name: str) -> House:
        return self.houses[name]

    # -- people ----------------------------------------------------------------------------------------

    def admit(
        self, inviter: str, name: str, role: Role = Role.ACCOUNTING, admin: bool = False, open_folder: bool = True
    ) -> House:
        host, guest = self.houses[inviter], self.houses[name]
        host.device.act(self.now)
        assert host.mandate is not None
        admin_desk = host.device.admin(host.mandate)
        ticket = name.encode()
        admin_desk.issue(ticket, role, admin, 1, 2_000_000_000)
        welcome = admin_desk.admit(Newcomer(guest.id, b"cert-" + name.encode(), name, ticket))
        self._perform(host, host.device.finish())
        guest.device.act(self.now)
        guest.mandate = guest.device.join(welcome)
        self._perform(guest, guest.device.finish())
        if open_folder:
            self.open_folder(guest)
        return guest

    @contextmanager
    def deaf_disk(self, name: str) -> Iterator[None]:
        """Nobody looks after the folder: what is to be fetched or placed is never answered."""
        self._deaf.add(name)
        yield
        self._deaf.discard(name)

    def act(self, name: str, deed: Callable[[Admin], object]) -> None:
        house = self.houses[name]
        assert house.mandate is not None
        house.device.act(self.now)
        deed(house.device.admin(house.mandate))
        self._perform(house, house.device.finish())

    def hold(self, name: str, held: bool) -> None:
        """Whether nothing is exchanged and placed there."""
        house = self.houses[name]
        house.device.act(self.now)
        house.device.hold(frozenset(house.device.mandates) if held else frozenset())
        self._perform(house, house.device.finish())

    def silence(self, name: str, silent: bool, *, calling: bool = False) -> None:
        """Whether nothing is exchanged there; `calling`: the others are asked to exchange."""
        house = self.houses[name]
        house.device.act(self.now)
        house.device.hold(frozenset(), frozenset(house.device.mandates) if silent else frozenset())
        if calling and house.mandate is not None:
            house.device.call(house.mandate)
        self._perform(house, house.device.finish())

    def leave(self, name: str) -> None:
        house = self.houses[name]
        assert house.mandate is not None
        house.device.act(self.now)
        house.device.leave(house.mandate)
        self._perform(house, house.device.finish())

    def save(self, name: str, path: str, data: bytes | None) -> None:
        house = self.houses[name]
        if data is None:
            house.disk.pop(path, None)
        else:
            house.disk[path] = data
        self.look(house, path)

    def look(self, house: House, *paths: str) -> None:
        assert house.mandate is not None
        self.tell(house, Observed(house.mandate, tuple(self._seen(house, p) for p in paths)))

    def open_folder(self, house: House, continuous: bool = True) -> None:
        assert house.mandate is not None
        self.tell(house, FolderOpened(house.mandate, continuous, b"epoch", frozenset(house.versions)))
        base = [row.path for row in house.m.state.all_bases()]
        self.look(house, *sorted({*house.disk, *base}))
        self.tell(house, ScanFinished(house.mandate, True))

    def _seen(self, house: House, path: str) -> Seen:
        data = house.disk.get(path)
        if data is None:
            return Seen(parse(path), ABSENT)
        mtime = self.now.wall_ms * 1_000_000
        return Seen(parse(path), Entry(Kind.FILE, len(data), mtime, 0, content_of(data)), FileStat(len(data), mtime, 1))

    def rebuild(self, name: str) -> House:
        """The device's database is lost; its identity, folder and the settings for the mandate are not."""
        self.part()
        old = self.houses[name]
        fresh = self._build(name)
        fresh.disk, fresh.versions = old.disk, old.versions
        self.houses[name] = fresh
        self._welcome(fresh, next(h for h in self.houses.values() if h is not fresh and h.mandate is not None))
        return fresh

    def arrive(self, name: str, known_by: str) -> None:
        """A device that knows of the mandate what another one would tell it."""
        self._welcome(self.houses[name], self.houses[known_by])
        self.open_folder(self.houses[name])

    def _welcome(self, house: House, host: House) -> None:
        members = tuple(host.m.members().items())
        welcome = Welcome(host.m.id, "Cargo", Role.PAYROLL, tuple(host.m.secrets.all()), members)
        house.device.act(self.now)
        house.mandate = house.device.join(welcome)
        self._perform(house, house.device.finish())

    # -- the world -------------------------------------------------------------------------------------

    def connect(self, a: str, b: str) -> None:
        here, there = self._next_link, self._next_link + 1
        self._next_link += 2
        self._links[here] = (self.houses[b], there)
        self._links[there] = (self.houses[a], here)
        self.tell(self.houses[a], LinkUp(here, self.houses[b].id, True, "lan"))
        self.tell(self.houses[b], LinkUp(there, self.houses[a].id, False, "lan"))

    def meet(self) -> None:
        """Each is connected with each, anew."""
        self.part()
        for a, b in combinations(self.houses, 2):
            self.connect(a, b)
        self.settle(30)

    def part(self) -> None:
        """Nobody is connected, and everybody knows it."""
        self.disconnect()
        self.settle()

    def disconnect(self) -> None:
        for link in list(self._links):
            self._drop(link)

    def _drop(self, link: int) -> None:
        if link in self._links:
            other, back = self._links.pop(link)
            mine, _ = self._links.pop(back)
            self.tell(other, LinkDown(back, "cut"))
            self.tell(mine, LinkDown(link, "cut"))

    def tell(self, house: House, event: Event) -> None:
        self._queue.append((house, event))

    def settle(self, seconds: float = 0.0) -> None:
        """Run until nothing is left to do; then let time pass, and run again."""
        self._drain()
        while seconds > 0:
            step = min(0.5, seconds)
            seconds -= step
            self.now = Now(self.now.monotonic_s + step, self.now.wall_ms + int(step * 1000))
            for house in self.houses.values():
                self.tell(house, Tick())
            self._drain()

    def _drain(self) -> None:
        for _ in range(STEPS_MAX):
            if not self._queue:
                return
            house, event = self._queue.popleft()
            self._perform(house, house.device.handle(event, self.now))
        raise AssertionError("the village does not come to rest")

    def _perform(self, house: House, effects: Iterable[Effect]) -> None:
        for effect in effects:
            self._perform_one(house, effect)

    def _perform_one(self, house: House, effect: Effect) -> None:
        match effect:
            case Send(link, message) if link in self._links:
                other, back = self._links[link]
                self.tell(other, Received(back, message))
            case CloseLink(link, reason):
                house.closed.append(reason)
                self._drop(link)
            case Fetch() | Place() | KeepVersion() | Merge() if house.name in self._deaf:
                pass
            case Fetch(mandate, wanted, file_class):
                self._fetch(house, mandate, [w.content for w in wanted], file_class)
            case Place(mandate, items):
                self.tell(house, Placed(mandate, tuple(self._place(house, item) for item in items)))
            case KeepVersion(mandate, path, entry, reason, change):
                data = house.holds(entry.content) if entry.content is not None else None
                if data is not None and entry.content is not None:  # else it was overwritten before it could be copied
                    house.versions[entry.content] = data
                    self.tell(house, Kept(mandate, path, entry, reason, change))
            case Merge(mandate, path, sources):
                data = _united([house.holds(c) or b"" for c in sources])
                house.staged[content_of(data)] = data
                entry = Entry(Kind.FILE, len(data), 0, 0, content_of(data))
                self.tell(house, Merged(mandate, path, sources, entry))
            case Rescan(_, paths):
                self.look(house, *(paths or house.disk))
            case Notice(name):
                house.notices.append(name)
            case MembersChanged():
                house.trust_renewed += 1
            case _:
                pass

    def _fetch(self, house: House, mandate: MandateId, contents: list[ContentId], file_class: str) -> None:
        got: list[ContentId] = []
        for content in contents:
            sources = [house] + [h for link, (h, back) in self._links.items() if self._links[back][0] is house]
            data = next((d for d in (h.holds(content) for h in sources) if d is not None), None)
            if data is not None:
                house.staged[content] = data
                got.append(content)
        missing = tuple(c for c in contents if c not in got)
        if got:
            self.tell(house, Fetched(mandate, tuple(got), file_class))
        if missing:
            self.tell(house, FetchFailed(mandate, missing, file_class))

    def _place(self, house: House, item: PlaceItem) -> Outcome:
        seen = self._seen(house, item.path)
        if not seen.entry.same_as(item.expect):
            return Outcome(item.path, False, found=seen)
        if item.path in house.disk:
            old = house.disk.pop(item.path)
            house.versions[content_of(old)] = old
        if item.put.content is not None:
            house.disk[item.path] = house.holds(item.put.content) or house.staged[item.put.content]
        stat = self._seen(house, item.path).stat
        return Outcome(item.path, True, stat=stat)

    # -- what should hold ------------------------------------------------------------------------------

    def assert_equal(self, *names: str) -> None:
        first, *rest = (self.houses[n] for n in names or self.houses)
        for other in rest:
            assert other.disk == first.disk, f"{first.name} and {other.name} differ"
        for house in (first, *rest):
            assert house.m.is_in_sync, f"{house.name} is not in sync"


def office(path: str, data: bytes, rules: RuleTable = DEFAULT_RULES) -> Village:
    """The PCs of accounting ("office"), of invoicing ("laptop") and of payroll; all have this file of the first."""
    village = Village("office", "laptop", "payroll", rules=rules)
    village.admit("office", "laptop", Role.INVOICING)
    village.admit("office", "payroll", Role.PAYROLL)
    village.save("office", path, data)
    village.meet()
    return village
