"""A search tries all ways at once until one answer is final, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from p2psync.daemon.finding.wayfinding import Call
from p2psync.daemon.logs import EventLog
from p2psync.daemon.pairing import seeking
from p2psync.daemon.pairing.seeking import Seeking, Sought, StillWaiting
from p2psync.errors import LinkError, TicketUsed
from p2psync.net.dialer import Address, Match, Sighting

KNOWN, SEEN = Address("192.0.2.1", 1), Address("192.0.2.2", 2)


class Air:
    """What is announced."""

    def __init__(self) -> None:
        self.listeners: dict[bytes, Callable[[Sighting], None]] = {}
        self.host_problems: list[str] = []

    def seek(self, key: bytes, secret: bytes, on_sighting: Callable[[Sighting], None]) -> None:
        self.listeners[key] = on_sighting

    def stop_seeking(self, key: bytes) -> None:
        del self.listeners[key]

    def announce(self, *addresses: Address, nonce: bytes = b"n") -> None:
        for listener in self.listeners.values():
            listener(Sighting(nonce, (Match(b"key", b"secret"),), addresses, "name"))


class Search(Seeking[str]):
    """Answers by address: what to say, or what to raise."""

    def __init__(self, air: Air, log: EventLog, answers: dict[Address, object], *known: Address) -> None:
        super().__init__(Sought(b"key", b"secret", addresses=known), air, log)  # type: ignore[arg-type]
        self.answers = answers
        self.tried: list[tuple[Address, bytes | None]] = []
        self.trying = asyncio.Event()

    async def attempt(self, address: Address, nonce: bytes | None) -> str:
        self.tried.append((address, nonce))
        self.trying.set()
        answer = self.answers[address]
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            await asyncio.Event().wait()
        return str(answer)

    async def attempt_by(self, call: Call) -> str:
        raise LinkError("no way by a host")


@pytest.fixture
def air() -> Air:
    return Air()


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    return EventLog(tmp_path)


@pytest.mark.asyncio
async def test_who_is_silent_holds_nobody_up(air: Air, log: EventLog) -> None:
    search = Search(air, log, {KNOWN: None, SEEN: "welcome"}, KNOWN)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(search.run(30))
        await search.trying.wait()
        air.announce(SEEN)
    assert running.result() == "welcome"
    assert search.tried == [(KNOWN, None), (SEEN, b"n")]
    assert air.listeners == {}
    log.close()


@pytest.mark.asyncio
async def test_a_refusal_is_final(air: Air, log: EventLog) -> None:
    with pytest.raises(TicketUsed):
        await Search(air, log, {KNOWN: TicketUsed("used")}, KNOWN).run(30)
    assert air.listeners == {}
    log.close()


@pytest.mark.asyncio
async def test_what_failed_is_tried_again_and_told_at_the_end(
    air: Air, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeking, "RETRY_MIN_S", 0.001)
    search = Search(air, log, {KNOWN: LinkError("no way {to}", to="there"), SEEN: OSError("down")}, KNOWN, SEEN)
    outcome = await search.run(0.2)
    assert isinstance(outcome, StillWaiting)
    assert outcome.approval is False
    assert outcome.reason in ("no way there", "down")
    assert len(search.tried) > 4
    log.close()


@pytest.mark.asyncio
async def test_a_repeated_announcement_is_tried_once_and_a_flood_not_at_all(
    air: Air, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeking, "ADDRESSES_TRIED_MAX", 3)
    flood = [Address("192.0.2.9", port) for port in range(1, 100)]
    search = Search(air, log, dict.fromkeys(flood))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(search.run(0.3))
        while not air.listeners:
            await asyncio.sleep(0)
        air.announce(flood[0])
        air.announce(*flood)
        await running
    assert [address for address, _ in search.tried] == flood[:3]
    log.close()
