"""The engine's thread: what is told is durable first, acts leave no trace when they fail, faults are survived."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random

import pytest

from p2psync.core.authority import Authority
from p2psync.core.entry import ABSENT, Entry, Kind
from p2psync.core.ids import DeviceId, MandateId, content_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.core.rules import Role
from p2psync.daemon import runtime
from p2psync.daemon.logs import EventLog, LogEvent
from p2psync.daemon.runtime import QUEUE_MAX, QUEUE_PATHS_MAX, QUEUE_PER_LINK_MAX, Runtime
from p2psync.engine.admin import Founding
from p2psync.engine.device import Device
from p2psync.engine.effects import Effect, MembersChanged, Place, PlaceItem, Send
from p2psync.engine.events import Event, LinkUp, Observed, Received, Seen, Tick
from p2psync.engine.scope import Now
from p2psync.engine.urgent import SAVE_PATHS_MAX
from p2psync.errors import P2PSyncError, StoreError, UsageError
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState
from p2psync.wire.messages import Hello, Ping, Pong
from tests.daemon.patience import DEADLINE_S, until
from tests.engine.village import fake_keys

FOUNDING = Founding("Cargo", Role.ACCOUNTING, b"cert", "PC 1")
OTHER = DeviceId(b"o" * 32)
SEEN_TOGETHER = 500


@pytest.mark.asyncio
async def test_an_act_is_durable_before_its_effects_are_carried_out(tmp_path: Path) -> None:
    async with engine(tmp_path) as desk:
        rows: list[object] = []
        desk.on_perform = lambda: rows.append(desk.database.reader().execute("SELECT count(*) FROM block").fetchone())
        mandate = await desk.runtime.call(lambda device, _: device.create(FOUNDING))
        assert rows == [(1,)]
        assert desk.performed == [MembersChanged(mandate)]
        assert set(desk.known[mandate].members) == {fake_keys("pc").device}


@pytest.mark.asyncio
async def test_a_save_to_be_placed_is_foreseen_while_what_it_rests_on_becomes_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = PlaceItem(RelPath("a"), ABSENT, None, Entry(Kind.FILE, 1, 1, 0, content_of(b"1")), "replaced")
    save, storm = Place(MandateId(b"m" * 16), (item,)), Place(MandateId(b"m" * 16), (item,) * (SAVE_PATHS_MAX + 1))
    nothing = Place(MandateId(b"m" * 16), ())
    monkeypatch.setattr(Device, "handle_all", lambda *_: [nothing, storm, save])
    foreseen = threading.Event()
    async with engine(tmp_path) as desk:
        desk.on_foresee = foreseen.set
        begin = desk.database.transaction

        @contextmanager
        def transaction() -> Iterator[None]:
            with begin():
                yield
                assert foreseen.wait(DEADLINE_S), "the commit is still to come"

        monkeypatch.setattr(desk.database, "transaction", transaction)
        await desk.runtime.post(Tick())
        await until(lambda: len(desk.performed) == 4)
        assert desk.performed == [save, nothing, storm, save]


@pytest.mark.asyncio
async def test_who_belongs_is_known_from_the_start(tmp_path: Path) -> None:
    async with engine(tmp_path) as desk:
        mandate = await desk.runtime.call(lambda device, _: device.create(FOUNDING))
    async with engine(tmp_path) as desk:
        await desk.runtime.query(lambda *_: None)
        assert set(desk.known) == {mandate}


@pytest.mark.asyncio
async def test_a_failed_act_raises_where_it_was_asked_and_leaves_no_trace(tmp_path: Path) -> None:
    async with engine(tmp_path) as desk:

        def act(device: Device, _: Now) -> None:
            device.create(FOUNDING)
            raise UsageError("after all not")

        with pytest.raises(UsageError, match="after all not"):
            await desk.runtime.call(act)
        assert await desk.runtime.query(lambda device, _: dict(device.mandates)) == {}
        assert desk.performed == []
        assert desk.rebuilds == 1


@pytest.mark.asyncio
async def test_a_refused_act_that_wrote_nothing_costs_nothing(tmp_path: Path) -> None:
    async with engine(tmp_path) as desk:

        def act(device: Device, _: Now) -> None:
            raise UsageError("no")

        with pytest.raises(UsageError):
            await desk.runtime.call(act)
        assert desk.rebuilds == 0


@pytest.mark.asyncio
async def test_events_are_handled_in_their_order_and_answered(tmp_path: Path) -> None:
    async with engine(tmp_path) as desk:
        await desk.runtime.post(LinkUp(1, OTHER, False, "lan"))
        await desk.runtime.post(Received(1, Hello(1, "b", "p", b"n" * 16, 0.0, ())))
        await desk.runtime.post(Received(1, Ping(7)))
        await desk.runtime.query(lambda *_: None)
        sent = [e.message for e in desk.performed if isinstance(e, Send)]
        assert isinstance(sent[0], Hello)
        assert sent[1] == Pong(7)


@pytest.mark.asyncio
async def test_whoever_posts_too_much_waits(tmp_path: Path) -> None:
    async with engine(tmp_path) as desk:
        resume = desk.hold()
        for _ in range(QUEUE_MAX):
            await desk.runtime.post(Tick())
        late = asyncio.Event()

        async def one_more() -> None:
            await desk.runtime.post(Tick())
            late.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(one_more())
            await asyncio.sleep(0)
            assert not late.is_set()
            resume()
        assert late.is_set()


@pytest.mark.asyncio
async def test_one_link_waits_where_others_do_not(tmp_path: Path) -> None:
    async with engine(tmp_path) as desk:
        resume = desk.hold()
        sent: list[int] = []

        async def flood(link: int) -> None:
            for number in range(3 * QUEUE_PER_LINK_MAX):
                await desk.runtime.post(Received(link, Ping(number)))
                sent.append(link)

        async with asyncio.TaskGroup() as group:
            group.create_task(flood(1))
            await until(lambda: len(sent) == QUEUE_PER_LINK_MAX)
            await desk.runtime.post(Received(2, Ping(1)))
            await desk.runtime.post(Tick())
            assert len(sent) == QUEUE_PER_LINK_MAX
            resume()
        assert len(sent) == 3 * QUEUE_PER_LINK_MAX
        await desk.runtime.query(lambda *_: None)
        assert not desk.runtime._queued_of


@pytest.mark.asyncio
async def test_who_looks_at_the_disk_waits_for_the_engine_and_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    async with engine(tmp_path) as desk:
        resume = desk.hold()
        told: list[int] = []

        async def scan() -> None:
            for number in range(3 * QUEUE_PATHS_MAX // SEEN_TOGETHER):
                await desk.runtime.post(observed(SEEN_TOGETHER))
                told.append(number)

        async with asyncio.TaskGroup() as group:
            group.create_task(scan())
            await until(lambda: len(told) == QUEUE_PATHS_MAX // SEEN_TOGETHER)
            await desk.runtime.post(Received(1, Ping(1)))
            await desk.runtime.post(Tick())
            assert len(told) == QUEUE_PATHS_MAX // SEEN_TOGETHER
            resume()
        assert len(told) == 3 * QUEUE_PATHS_MAX // SEEN_TOGETHER
        await desk.runtime.query(lambda *_: None)
        assert desk.runtime._queued_paths == 0


@pytest.mark.asyncio
async def test_a_fault_is_logged_and_the_device_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine(tmp_path) as desk:
        mandate = await desk.runtime.call(lambda device, _: device.create(FOUNDING))
        monkeypatch.setattr(Device, "_route", failing_once(Device._route, ZeroDivisionError("ours")))
        await desk.runtime.post(Tick())
        assert set(await desk.runtime.query(lambda device, _: device.mandates)) == {mandate}
        assert desk.rebuilds == 1
        assert [e.name for e in desk.events] == ["engine.fault"]
        assert desk.broken_by is None


@pytest.mark.asyncio
async def test_faults_without_end_stop_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine(tmp_path) as desk:
        monkeypatch.setattr(Device, "_route", failing(ZeroDivisionError("ours")))
        for number in range(1, runtime.FAULTS_MAX):
            await desk.runtime.post(Tick())
            await desk.rebuilt_for(number)
        await desk.runtime.post(Tick())
        await until(lambda: desk.broken_by is not None)
        assert isinstance(desk.broken_by, ZeroDivisionError)
        with pytest.raises(P2PSyncError, match="stopping"):
            await desk.runtime.query(lambda *_: None)


@pytest.mark.asyncio
async def test_a_full_disk_is_no_fault_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine(tmp_path) as desk:
        monkeypatch.setattr(runtime, "DISK_RETRY_S", 0.0)
        monkeypatch.setattr(Device, "_route", failing(StoreError("the disk is full")))
        for number in range(1, runtime.FAULTS_MAX + 2):
            await desk.runtime.post(Tick())
            await desk.rebuilt_for(number)
        assert desk.broken_by is None
        assert {event.name for event in desk.events} == {"store.failed"}
        assert desk.runtime.trouble == Problem(str(desk.database.path), Code.DISK_ERROR, "the disk is full")
        monkeypatch.undo()
        await desk.runtime.post(Tick())
        await desk.runtime.query(lambda device, _: None)
        assert desk.runtime.trouble is not None, "nothing was written yet"
        await desk.runtime.call(lambda device, _: device.create(FOUNDING))
        await desk.runtime.query(lambda device, _: None)
        assert desk.runtime.trouble is None


@pytest.mark.asyncio
async def test_after_an_act_that_the_disk_refused_the_engine_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(device: Device, now: Now) -> None:
        device.create(FOUNDING)
        raise StoreError("the disk is full")

    async with engine(tmp_path) as desk:
        monkeypatch.setattr(runtime, "DISK_RETRY_S", 0.0)
        with pytest.raises(StoreError):
            await desk.runtime.call(act)
        await desk.rebuilt_for(1)
        assert desk.runtime.trouble == Problem(str(desk.database.path), Code.DISK_ERROR, "the disk is full")
        assert [event.name for event in desk.events] == ["store.failed"]


@pytest.mark.asyncio
async def test_the_device_is_woken_when_it_asked_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine(tmp_path) as desk:
        ticks: list[float] = []
        route = Device._route

        def count(device: Device, event: Event) -> None:
            if isinstance(event, Tick):
                ticks.append(device._scope.now.monotonic_s)
            route(device, event)

        monkeypatch.setattr(Device, "_route", count)
        due_s = await desk.runtime.call(_wake_soon)
        await until(lambda: ticks)
        assert due_s <= ticks[0]


def _wake_soon(device: Device, now: Now) -> float:
    device._scope.wake_in(0.05)
    return now.monotonic_s + 0.05


@pytest.mark.asyncio
async def test_who_waits_for_an_answer_at_the_end_gets_an_error(tmp_path: Path) -> None:
    async with engine(tmp_path) as desk, asyncio.TaskGroup() as group:
        resume = desk.hold()
        asked = group.create_task(_refused(desk.runtime))
        await asyncio.sleep(0)
        stopping = group.create_task(desk.runtime.stop())
        await asyncio.sleep(0)
        resume()
        await asyncio.gather(asked, stopping)


async def _refused(engine_runtime: Runtime) -> None:
    with pytest.raises(P2PSyncError, match="stopping"):
        await engine_runtime.query(lambda *_: None)


# -- helpers ----------------------------------------------------------------------------------------------------------


class Desk:
    """A runtime with a database, and what it asked for."""

    def __init__(self, home: Path) -> None:
        self.database = Database.open(home / "p2psync.db")
        self.performed: list[Effect] = []
        self.known: Mapping[MandateId, Authority] = {}
        self.rebuilds = 0
        self.broken_by: BaseException | None = None
        self.events: list[LogEvent] = []
        self.on_foresee: Callable[[], None] = lambda: None
        self.on_perform: Callable[[], None] = lambda: None
        log = EventLog(None)
        log.listen(self.events.append)
        self.runtime = Runtime(self.database, self._device, self, log)

    def _device(self) -> Device:
        return Device(fake_keys("pc"), SqliteDeviceState(self.database), Random(1), "PC", "p2psync test")

    def know(self, authorities: Mapping[MandateId, Authority]) -> None:
        self.known = authorities

    def foresee(self, effect: Place) -> None:
        self.performed.append(effect)
        self.on_foresee()

    def perform(self, effects: Sequence[Effect]) -> None:
        self.performed += effects
        self.on_perform()

    def rebuilt(self) -> None:
        self.rebuilds += 1

    async def rebuilt_for(self, times: int) -> None:
        await until(lambda: self.rebuilds == times)

    def broken(self, error: BaseException) -> None:
        self.broken_by = error

    def hold(self) -> Callable[[], None]:
        """Keep the engine busy until what is returned is called."""
        event = threading.Event()
        self.runtime._put(runtime._Call(lambda *_: event.wait(), asyncio.get_running_loop().create_future(), False))
        return event.set


@asynccontextmanager
async def engine(home: Path) -> AsyncIterator[Desk]:
    desk = Desk(home)
    await desk.runtime.start()
    try:
        yield desk
    finally:
        await desk.runtime.stop()
        desk.database.close()


def observed(count: int) -> Observed:
    """As many paths of a mandate that is not here."""
    return Observed(MandateId(b"m" * 16), tuple(Seen(RelPath(f"{number}.txt"), ABSENT) for number in range(count)))


def failing(error: Exception) -> Callable[[Device, Event], None]:
    def fail(device: Device, event: Event) -> None:
        raise error

    return fail


def failing_once(route: Callable[[Device, Event], None], error: Exception) -> Callable[[Device, Event], None]:
    errors = [error]

    def fail(device: Device, event: Event) -> None:
        if errors:
            raise errors.pop()
        route(device, event)

    return fail
