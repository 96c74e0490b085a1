"""Both ends of the relay way come to the same stream."""

from __future__ import annotations

import asyncio
from random import SystemRandom

import pytest

from p2psync.core.ways import RELAY
from p2psync.daemon.finding.correspondence import ATTEMPT_BYTES, Correspondence, Guest
from p2psync.daemon.finding.relaying import LETTER, Relay
from p2psync.errors import CodecError, LinkError
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.protocol.envelope import Kind
from p2psync.rendezvous.relay import RelaySettings
from tests.rendezvous.hosting import Daemon, Sink, address_of, hosting, running
from tests.rendezvous.people import ALICE, BOB


@pytest.mark.asyncio
async def test_the_relay_joins_both(certificate: Certificate) -> None:
    async with hosting(certificate) as server:
        alice, bob = Daemon(ALICE, address_of(server)), Daemon(BOB, address_of(server))
        async with running(alice, bob):
            attempt = SystemRandom().randbytes(ATTEMPT_BYTES)
            to_bob = Correspondence(Guest(alice.client, await alice.meet(bob)), attempt)
            to_alice = Correspondence(Guest(bob.client, await bob.meet(alice)), attempt)
            near, far = Sink(), Sink()

            async def answered() -> asyncio.Transport:
                (body,) = await bob.hear()
                assert body[:ATTEMPT_BYTES] == attempt
                to_alice.put(LETTER, body[ATTEMPT_BYTES:])
                return await Relay().answer(to_alice, lambda: far)

            ends = await asyncio.gather(Relay().connect(to_bob, lambda: near), answered())
            ends[0].write(b"through the relay")
            await far.until(lambda: far.data == b"through the relay")
            assert bob.heard[0][1] is Kind.RELAY
            for end in ends:
                end.abort()
            await near.until(lambda: near.lost)
            await far.until(lambda: far.lost)
            to_alice.put(LETTER, b"no invitation")
            with pytest.raises(CodecError):
                await Relay().answer(to_alice, Sink)


@pytest.mark.asyncio
async def test_a_host_that_does_not_relay_says_so(certificate: Certificate) -> None:
    async with hosting(certificate, relay=RelaySettings(allowed=False)) as server:
        alice, bob = Daemon(ALICE, address_of(server)), Daemon(BOB, address_of(server))
        async with running(alice, bob):
            letters = Correspondence(Guest(alice.client, await alice.meet(bob)), bytes(ATTEMPT_BYTES))
            with pytest.raises(LinkError, match="does not relay"):
                await Relay().connect(letters, Sink)
    assert Relay.name == RELAY
