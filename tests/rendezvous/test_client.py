"""Clients find each other through a real host, stay connected, say what is wrong, and believe no lies."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from aiohttp import web

from p2psync.errors import CodecError, LinkClosed, LinkError
from p2psync.proxies import Proxies
from p2psync.rendezvous import client, server, visit
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.client import Status
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.protocol.envelope import BODY_BYTES_MAX, Kind
from p2psync.rendezvous.protocol.hub import Deliver, Effect, Hub, HubLimits
from p2psync.rendezvous.protocol.lobby import Room
from p2psync.rendezvous.protocol.messages import Gone, Mail, Message, encode
from tests.proxying import NAME, proxying
from tests.rendezvous.hosting import (
    LOOPBACK,
    PATIENCE_S,
    ROOMS,
    Daemon,
    Sink,
    address_of,
    figure,
    hosting,
    met,
    running,
)
from tests.rendezvous.people import ALICE, BOB, CAROL, EVERYBODY, ROOM


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry comes at once."""
    monkeypatch.setattr(client, "RETRY_MIN_S", 0.01)
    monkeypatch.setattr(client, "RETRY_MAX_S", 0.02)


@pytest.mark.asyncio
async def test_members_meet_and_write_to_each_other(certificate: Certificate) -> None:
    async with hosting(certificate) as host:
        alice, bob, carol = (Daemon(person, address_of(host)) for person in (ALICE, BOB, CAROL))
        async with running(alice, bob, carol):
            await met(alice, bob, carol)
            for n in range(20):
                alice.client.write(await alice.meet(bob), Kind.OFFER, bytes([n]))
            assert await bob.hear(20) == [bytes([n]) for n in range(20)]
            assert carol.heard == []
            assert alice.client.status.connected
            assert alice.client.status.problem is None
            assert alice.client.status.relay
            assert alice.client.status.seen_as is not None
            assert alice.client.status.seen_as[0] == LOOPBACK
        assert (alice.client.status, alice.client.peers) == (Status(), ())


@pytest.mark.asyncio
async def test_who_goes_is_lost(certificate: Certificate) -> None:
    async with hosting(certificate) as host:
        alice, bob = Daemon(ALICE, address_of(host)), Daemon(BOB, address_of(host))
        async with running(alice):
            async with running(bob):
                peer = await alice.meet(bob)
            await alice.until(lambda: alice.lost == [peer])
            with pytest.raises(LinkClosed):
                alice.client.write(peer, Kind.OFFER)
            with pytest.raises(LinkClosed):
                alice.client.stream_with(peer)


@pytest.mark.asyncio
async def test_a_host_that_is_restarted_is_found_again(certificate: Certificate) -> None:
    alice = bob = None
    async with contextlib.AsyncExitStack() as stack:
        async with hosting(certificate) as host:
            address = address_of(host)
            alice, bob = Daemon(ALICE, address), Daemon(BOB, address)
            await stack.enter_async_context(running(alice, bob))
            await met(alice, bob)
        await alice.until(lambda: not alice.client.status.connected and "cannot be reached" in _problem(alice))
        assert alice.client.peers == ()
        assert any("ended the connection" in (status.problem or "") for status in alice.statuses)
        async with hosting(certificate, port=address.port):
            await met(alice, bob)
            assert alice.client.status.problem is None


def _problem(daemon: Daemon) -> str:
    return daemon.client.status.problem or ""


@pytest.mark.asyncio
async def test_with_nobody_to_meet_there_is_no_connection(certificate: Certificate) -> None:
    async with hosting(certificate) as host:
        alice, bob = Daemon(ALICE, address_of(host)), Daemon(BOB, address_of(host))
        async with running(alice, rooms={}), running(bob):
            await bob.until(lambda: bob.client.status.connected)
            assert figure(host, "visits_total") == 1
            alice.client.set_rooms(ROOMS)
            await met(alice, bob)
            alice.client.set_rooms({})
            await bob.until(lambda: bob.lost)
            alice.client.network_changed()
            await alice.until(lambda: alice.client.status == Status())
            alice.client.set_rooms(ROOMS)
            await met(alice, bob)


@pytest.mark.asyncio
async def test_in_another_network_it_begins_anew(certificate: Certificate) -> None:
    async with hosting(certificate) as host:
        alice, bob = Daemon(ALICE, address_of(host)), Daemon(BOB, address_of(host))
        async with running(alice, bob):
            before = await alice.meet(bob)
            bob.client.network_changed()
            await alice.until(lambda: before in alice.lost)
            assert await alice.meet(bob) != before


@pytest.mark.asyncio
async def test_rests_grow_and_are_never_in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RETRY_MIN_S", 1.0)
    monkeypatch.setattr(client, "RETRY_MAX_S", 120.0)
    one, other = (Daemon(ALICE, HostAddress(LOOPBACK)).client for _ in range(2))
    rests, others = ([c._rest_s() for _ in range(12)] for c in (one, other))
    assert rests != others
    assert all(2**n / 2 <= rest <= 2**n for n, rest in enumerate(rests[:6]))
    assert all(60 <= rest <= 120 for rest in rests[8:])
    one.network_changed()
    assert one._rest_s() <= 1


@pytest.mark.asyncio
async def test_a_stream_is_arranged_by_letter(certificate: Certificate) -> None:
    async with hosting(certificate) as host:
        alice, bob = Daemon(ALICE, address_of(host)), Daemon(BOB, address_of(host))
        async with running(alice, bob):
            await met(alice, bob)
            invited = await alice.meet(bob)
            join = alice.client.stream_with(invited)
            alice.client.write(invited, Kind.RELAY, join.invitation())
            await bob.hear()
            peer, kind, body = bob.heard[0]
            assert kind is Kind.RELAY
            assert bob.client.invited_to(peer, body) == join
            near, far = Sink(), Sink()
            transports = await asyncio.gather(
                alice.client.open_stream(join, lambda: near), bob.client.open_stream(join, lambda: far)
            )
            await near.write(b"through the relay")
            await far.until(lambda: far.data == b"through the relay")
            for transport in transports:
                transport.abort()
            for wrong in (b"", body[:-1], b"x" * 48):
                with pytest.raises(CodecError):
                    bob.client.invited_to(peer, wrong)


@pytest.mark.asyncio
async def test_what_is_too_long_is_refused_here(certificate: Certificate) -> None:
    async with hosting(certificate) as host:
        alice, bob = Daemon(ALICE, address_of(host)), Daemon(BOB, address_of(host))
        async with running(alice, bob):
            peer = await alice.meet(bob)
            with pytest.raises(LinkError, match="too long"):
                alice.client.write(peer, Kind.OFFER, bytes(BODY_BYTES_MAX + 1))
            alice.client.write(peer, Kind.OFFER, bytes(BODY_BYTES_MAX))
            assert await bob.hear() == [bytes(BODY_BYTES_MAX)]


# -- what is wrong, in a sentence --------------------------------------------------------------------------


async def problem_of(address: HostAddress, expected: str, **options: Any) -> Daemon:
    """Wait until the daemon says so."""
    daemon = Daemon(ALICE, address, **options)
    async with running(daemon):
        await daemon.until(lambda: any(expected in (status.problem or "") for status in daemon.statuses))
    return daemon


@pytest.mark.asyncio
async def test_a_host_with_another_key(certificate: Certificate) -> None:
    async with hosting(certificate) as host:
        await problem_of(HostAddress(LOOPBACK, host.port, bytes(32)), "another key")
        assert figure(host, "visits_total") == 0, "nothing was said to it"


@pytest.mark.asyncio
async def test_a_host_whose_certificate_nobody_vouches_for(certificate: Certificate) -> None:
    async with hosting(certificate) as host:
        await problem_of(HostAddress(LOOPBACK, host.port), "#KEY")


@pytest.mark.asyncio
async def test_no_host_at_all() -> None:
    with socket.socket() as unused:
        unused.bind((LOOPBACK, 0))
        await problem_of(HostAddress(LOOPBACK, unused.getsockname()[1], bytes(32)), "cannot be reached")
    await problem_of(HostAddress("no-such-host.invalid", 443, bytes(32)), "no host named no-such-host.invalid")


@pytest.mark.asyncio
async def test_when_a_host_is_called_again_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RETRY_MIN_S", 1000.0)
    monkeypatch.setattr(client, "RETRY_MAX_S", 1000.0)
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        daemon = Daemon(ALICE, HostAddress(LOOPBACK, taken.getsockname()[1], bytes(32)))
        assert daemon.client.next_visit_s is None
        async with running(daemon):
            await daemon.until(lambda: daemon.client.next_visit_s is not None)
            assert daemon.client.next_visit_s is not None
            assert 400 < daemon.client.next_visit_s - asyncio.get_running_loop().time() <= 1000
    assert daemon.client.next_visit_s is None


@pytest.mark.asyncio
async def test_a_wrong_clock(certificate: Certificate) -> None:
    async with hosting(certificate) as host:
        daemon = await problem_of(address_of(host), "by 72 hours", wall_clock=lambda: time.time() + 72 * 3600)
        assert any(status.connected and status.clock_off_s > 71 * 3600 for status in daemon.statuses)


@pytest.mark.asyncio
async def test_a_host_that_is_full(certificate: Certificate) -> None:
    for limits in (HubLimits(visitors=0), HubLimits(topics_per_visitor=1), HubLimits(entries=1)):
        async with hosting(certificate, hub=limits) as host:
            await problem_of(address_of(host), "is full")


async def answering(certificate: Certificate, answer: Callable[[web.Request], Any], expected: str) -> None:
    """Something that is no host answers there."""
    app = web.Application()
    app.router.add_get("/v1/meet", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain)
    site = web.TCPSite(runner, LOOPBACK, 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    try:
        await problem_of(HostAddress(LOOPBACK, port, certificate.pin), expected)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (encode(Gone(b"t" * 32, b"h" * 8)), "no meeting host"),
        (b"\xc1", "another version"),
        (b"\x96\x10\xcd\x00\x63\xa1h\x01\x01\xc3", "another version"),
        (None, "ended the connection"),
    ],
)
@pytest.mark.asyncio
async def test_what_does_not_speak_as_a_host_does(certificate: Certificate, first: bytes | None, expected: str) -> None:
    async def answer(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        if first is not None:
            await ws.send_bytes(first)
            await ws.receive()
        return ws

    await answering(certificate, answer, expected)


@pytest.mark.asyncio
async def test_what_is_a_web_server_of_another_kind(certificate: Certificate) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    await answering(certificate, answer, "no meeting host")


@pytest.mark.asyncio
async def test_what_never_answers(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit, "CONNECT_S", 0.05)

    async def answer(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    await answering(certificate, answer, "does not answer")


# -- a host that lies --------------------------------------------------------------------------------------


class LyingHub(Hub):
    """Alters, repeats, swaps, drops and misplaces letters, one after the other, and lies about who is gone."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._dice = Random(3)
        self._kept: list[Mail] = []
        self._visitors_seen: set[int] = set()
        self.lying = False

    def received(self, visitor: int, message: Message, now: float) -> list[Effect]:
        self._visitors_seen.add(visitor)
        return [lie for effect in super().received(visitor, message, now) for lie in self._told(effect)]

    def _told(self, effect: Effect) -> list[Effect]:
        if not isinstance(effect, Deliver) or not isinstance(effect.message, Mail):
            return [effect]
        mail = effect.message
        self._kept.append(mail)
        if not self.lying:
            return [effect]
        everybody = tuple(self._visitors_seen)
        altered = bytearray(mail.envelope)
        altered[self._dice.randrange(len(altered))] ^= 1
        elsewhere = self._dice.choice(self._kept)
        lies: list[list[Effect]] = [
            [],
            [effect, effect],
            [Deliver(everybody, mail)],
            [Deliver(effect.to, Mail(mail.topic, mail.sender, bytes(altered)))],
            [Deliver(effect.to, Mail(elsewhere.topic, elsewhere.sender, mail.envelope))],
            [effect, *(Deliver(everybody, old) for old in self._kept)],
            [effect, Deliver(effect.to, Gone(mail.topic, mail.sender)), effect],
        ]
        return self._dice.choice(lies)


@pytest.mark.asyncio
async def test_members_believe_no_lies(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    hubs: list[LyingHub] = []

    def make(*arguments: Any, **options: Any) -> LyingHub:
        hubs.append(LyingHub(*arguments, **options))
        return hubs[-1]

    monkeypatch.setattr(server, "Hub", make)
    other_room = {**ROOMS, b"o" * 16: Room((b"x" * 32,), EVERYBODY)}
    async with hosting(certificate) as host:
        alice, bob, carol = (Daemon(person, address_of(host)) for person in (ALICE, BOB, CAROL))
        async with running(alice, bob, carol, rooms=other_room):
            await met(alice, bob, carol)
            hubs[0].lying = True
            for n in range(200):
                for peer in [p for p in alice.client.peers if p.device == BOB.device and p.room == ROOM]:
                    alice.client.write(peer, Kind.CANDIDATES, n.to_bytes(2, "big"))
                await asyncio.sleep(0)
            hubs[0].lying = False
            for daemon in (alice, bob, carol):
                daemon.client.network_changed()
            await met(alice, bob, carol)
            alice.client.write(next(p for p in alice.client.peers if p[:2] == (ROOM, BOB.device)), Kind.OFFER, b"end")
            await bob.until(lambda: bob.heard and bob.heard[-1][2] == b"end")
    bodies = [body for peer, _, body in bob.heard if peer.device == ALICE.device]
    assert bodies == [*sorted(set(bodies[:-1])), b"end"], "in order, and once"
    assert all(peer.room == ROOM for peer, _, _ in bob.heard)
    assert carol.heard == alice.heard == []
    counts = bob.client.counts
    assert min(counts.unreadable, counts.repeated, counts.missed) > 0, "it did lie"
    assert carol.client.counts.misdelivered > 0


@pytest.mark.asyncio
async def test_a_host_that_hangs_is_given_up(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes what is said, and answers no ping."""
    monkeypatch.setattr(visit, "ALIVE_S", 0.05)

    async def answer(request: web.Request) -> web.WebSocketResponse:
        from p2psync.rendezvous.protocol.messages import Welcome

        ws = web.WebSocketResponse(autoping=False)
        await ws.prepare(request)
        await ws.send_bytes(encode(Welcome(1, LOOPBACK, 1, 0, False)))
        async with asyncio.timeout(PATIENCE_S):
            async for _ in ws:
                pass
        return ws

    await answering(certificate, answer, "ended the connection")


@pytest.mark.asyncio
async def test_a_host_beyond_a_proxy(certificate: Certificate) -> None:
    async with hosting(certificate) as host, proxying() as middle:
        address = replace(address_of(host), host=NAME)
        alice = Daemon(ALICE, address, proxies=Proxies(f"socks5://{LOOPBACK}:{middle.port}"))
        bob = Daemon(BOB, address_of(host))
        async with running(alice, bob):
            join = alice.client.stream_with(await alice.meet(bob))
            assert alice.client.status.proxy == str(middle.named("socks5"))
            near, far = Sink(), Sink()
            transports = await asyncio.gather(
                alice.client.open_stream(join, lambda: near), bob.client.open_stream(join, lambda: far)
            )
            for transport in transports:
                transport.abort()
            assert middle.asked == [(NAME, host.port)] * 2
            with pytest.raises(LinkError, match="goes out through a proxy"):
                await alice.client.seen_from(4711)
        stuck = Daemon(ALICE, address, proxies=Proxies("gopher://elsewhere"))
        async with running(stuck):
            await stuck.until(lambda: "gopher://elsewhere" in _problem(stuck))
