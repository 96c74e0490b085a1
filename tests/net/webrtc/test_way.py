"""WebRTC as a way: both sides agree by letters, TLS with the members' keys runs inside, and whatever fails is told."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from p2psync.core.ids import DeviceId
from p2psync.errors import LinkClosed, LinkError
from p2psync.net.link import FramedLink
from p2psync.net.stream import TlsStream
from p2psync.net.trust import client_context, server_context
from p2psync.net.webrtc.way import ANSWER, OFFER, WebRtc
from p2psync.system.tasks import Crew
from tests.net.devices import device
from tests.net.webrtc.conftest import LOOPBACK
from tests.net.webrtc.test_peer import PATIENCE_S, nothing_is_left
from tests.net.webrtc.test_transport import Sink


class Letters:
    """One side of a correspondence at a meeting host that answers no STUN."""

    device = DeviceId(b"d" * 32)
    host = LOOPBACK, 9

    def __init__(self) -> None:
        self.other: Letters
        self.arrived: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue()

    def send(self, kind: str, body: bytes) -> None:
        self.other.arrived.put_nowait((kind, body))

    async def seen_from(self, local_port: int) -> tuple[str, int]:
        raise LinkClosed("by TCP nothing is wanted")

    async def receive(self) -> tuple[str, bytes]:
        letter = await self.arrived.get()
        if letter is None:
            raise LinkClosed("the other device left the meeting host")
        return letter


def correspondence() -> tuple[Letters, Letters]:
    one, other = Letters(), Letters()
    one.other, other.other = other, one
    return one, other


@contextlib.asynccontextmanager
async def crew() -> AsyncIterator[Crew]:
    failures: list[Exception] = []
    it = Crew(lambda _name, error: failures.append(error))
    await it.open()
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield it
    finally:
        await it.close()
    await nothing_is_left()
    assert failures == []


class End:
    """A member's TLS."""

    def __init__(self, tmp_path: Path, name: str, other: str) -> None:
        identity, peer = device(tmp_path, name), device(tmp_path, other)
        self.initiator = name < other
        make = client_context if self.initiator else server_context
        self._context = make(identity, {peer.certificate: peer.device})
        self._peer = peer.device
        self.link: asyncio.Future[FramedLink] = asyncio.get_running_loop().create_future()

    def __call__(self) -> TlsStream:
        return TlsStream(self._context, "tag" if self.initiator else None, self._opened, lambda _tls, _error: None)

    def _opened(self, tls: TlsStream) -> FramedLink:
        link = FramedLink(tls, remote=self._peer, initiator=self.initiator, way="webrtc", address=tls.address)
        self.link.set_result(link)
        return link


@pytest.mark.asyncio
@pytest.mark.usefixtures("on_loopback", "no_stun")
async def test_members_speak_tls_through_it(tmp_path: Path) -> None:
    async with crew() as team:
        way, (one, other) = WebRtc(team), correspondence()
        ends = End(tmp_path, "alice", "bob"), End(tmp_path, "bob", "alice")
        await asyncio.gather(way.connect(one, ends[0]), way.answer(other, ends[1]))
        near, far = await ends[0].link, await ends[1].link
        await near.send(b"hello")
        await near.send(bytes(500_000), bulk=True)
        assert await far.receive() == b"hello"
        assert await far.receive() == bytes(500_000)
        await far.send(b"fine")
        assert await near.receive() == b"fine"
        assert near.address.startswith(LOOPBACK)
        await asyncio.gather(near.close(), far.close())


@pytest.fixture
def no_stun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers; not asking saves the time of waiting for it."""
    monkeypatch.setattr("p2psync.net.webrtc.way.Servers", lambda _stun, turn: Servers(None, turn))
    from p2psync.net.webrtc.servers import Servers


@pytest.mark.asyncio
@pytest.mark.usefixtures("on_loopback", "no_stun")
async def test_a_stop_ends_it(tmp_path: Path) -> None:
    sinks = Sink(), Sink()
    async with crew() as team:
        way, (one, other) = WebRtc(team), correspondence()
        await asyncio.gather(way.connect(one, lambda: sinks[0]), way.answer(other, lambda: sinks[1]))
    assert [len(sink.lost) for sink in sinks] == [1, 1]
    assert isinstance(sinks[0].lost[0], LinkClosed)


async def refusal(answering: Callable[[Letters], None], open_s: float = PATIENCE_S) -> str:
    """What the side that begins says when the other one does this."""
    async with crew() as team:
        one, other = correspondence()
        answering(other)
        with pytest.raises(LinkError) as caught:
            await WebRtc(team, open_s=open_s).connect(one, Sink)
        return str(caught.value)


@pytest.mark.asyncio
@pytest.mark.usefixtures("on_loopback", "no_stun")
async def test_what_fails_is_told() -> None:
    assert "left the meeting host" in await refusal(lambda other: other.other.arrived.put_nowait(None))
    assert "another version" in await refusal(lambda other: other.send(ANSWER, b"noise"))
    assert "another version" in await refusal(lambda other: other.send(OFFER, b""))
    assert "no way within 0.5 s" in await refusal(lambda other: None, 0.5)


@pytest.mark.asyncio
@pytest.mark.usefixtures("on_loopback", "no_stun")
async def test_whoever_gives_up_leaves_nothing_behind() -> None:
    async with crew() as team:
        one, _other = correspondence()
        async with asyncio.TaskGroup() as group:
            opening = group.create_task(WebRtc(team).connect(one, Sink))
            await one.other.receive()
            opening.cancel()
        await nothing_is_left_but_the_crew()


async def nothing_is_left_but_the_crew() -> None:
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.asyncio
async def test_after_the_stop_nothing_is_begun() -> None:
    team = Crew(lambda _name, _error: None)
    await team.open()
    one, _other = correspondence()
    async with asyncio.TaskGroup() as group:
        opening = group.create_task(refused(WebRtc(team), one))
        await asyncio.sleep(0)
        await team.close()
    assert "stops" in opening.result()


async def refused(way: WebRtc, letters: Letters) -> str:
    with pytest.raises(LinkError) as caught:
        await way.connect(letters, Sink)
    return str(caught.value)


def test_aiortc_is_loaded_when_it_is_wanted() -> None:
    """It costs 40 MB and half a second; most links need none."""
    words = (
        "import sys, p2psync.net.webrtc.way, p2psync.daemon.node; print('aiortc' in sys.modules, 'av' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "False"]
