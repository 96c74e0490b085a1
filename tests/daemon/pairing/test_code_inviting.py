"""The inviter's side of codes: each that is good for nothing says why, and every attack ends it or learns nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_bytes

import pytest

from p2psync.daemon.pairing.code_joining import _Exchange
from p2psync.errors import (
    LinkError,
    MandateLocal,
    PeerRefused,
    TicketCancelled,
    TicketExpired,
    TicketRefused,
    TicketUsed,
    UsageError,
)
from p2psync.net.dialer import Address
from p2psync.net.identity import Identity
from p2psync.net.link import Link
from p2psync.net.tls import Listener, dial_pairing
from p2psync.net.trust import TrustTable, period_tag
from p2psync.pair.code import Code, meeting_secret, parse
from p2psync.pair.conversation import Failed, Reply
from p2psync.pair.exchange import Taker
from p2psync.pair.messages import Refusal, Refused, decode
from p2psync.pair.vocabulary import words
from tests.daemon.homes import Pc, pcs
from tests.daemon.pairing.test_code_joining import MDNS, invited, other_words

NONCE = b"n" * 16


async def come(host: Pc, code: Code) -> tuple[Link, Taker]:
    """By the code's door, without looking for it."""
    tag = period_tag(meeting_secret(code.number), time.time())
    link = await dial_pairing("127.0.0.1", host.running.discovery.port, tag, None)
    return link, Taker(code, host.running.identity.device, link.remote, token_bytes)


async def say(link: Link, outputs: list[object]) -> bytes:
    (reply,) = outputs
    assert isinstance(reply, Reply)
    await link.send(reply.frame)
    return await link.receive()


async def greet(host: Pc, code: Code) -> tuple[Link, Taker]:
    link, taker = await come(host, code)
    taker.receive(await say(link, [*taker.start()]))
    return link, taker


@pytest.mark.asyncio
async def test_a_code_works_once(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest", "other", **MDNS) as (host, guest, other):
        await host.create()
        code = await invited(host)
        await guest.join(code)
        with pytest.raises(TicketUsed, match="code"):
            await other.join(code)
        with pytest.raises(TicketUsed, match="code"):
            await other.join(other_words(code))
        assert await other.call("mandate.list") == []


@pytest.mark.asyncio
async def test_a_code_that_has_expired_says_so(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest", **MDNS) as (host, guest):
        await host.create()
        code = await invited(host, expires_s=1)
        await asyncio.sleep(1.1)  # the inviter's own clock decides, in whole seconds
        with pytest.raises(TicketExpired, match="code"):
            await guest.join(code)
        assert await host.call("invites", mandate="Cargo") == []


@pytest.mark.asyncio
async def test_a_code_lives_for_ten_minutes_and_a_day_at_most(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", **MDNS) as (host,):
        await host.create()
        await invited(host)
        invitations = await host.running.runtime.query(lambda *_: host.running.records.invitations())
        (invitation,) = invitations.values()
        assert 590 < invitation.expires_s - time.time() <= 600
        with pytest.raises(UsageError, match="one device, within a day"):
            await invited(host, expires_s=2 * 86_400)
        with pytest.raises(UsageError, match="one device, within a day"):
            await invited(host, uses=2)


@pytest.mark.asyncio
async def test_a_code_is_listed_by_its_number_and_cancelled(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest", **MDNS) as (host, guest):
        await host.create()
        code = await invited(host)
        await host.invite("reader")
        (shown,) = [row for row in await host.call("invites", mandate="Cargo") if row["number"]]
        assert (shown["number"], shown["role"], shown["uses_left"]) == (parse(code).number, "payroll", 1)
        assert not any(word in str(shown) for word in parse(code).words)
        await host.call("invites.cancel", mandate="Cargo", id=shown["id"])
        with pytest.raises(TicketCancelled, match="code"):
            await guest.join(code)


@pytest.mark.asyncio
async def test_a_local_mandate_gives_no_code(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", **MDNS) as (host,):
        await host.call("mandate.create", name="Cargo", folder=str(host.folder))
        with pytest.raises(MandateLocal):
            await invited(host)


@pytest.mark.asyncio
async def test_a_code_lives_through_a_restart(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest", **MDNS) as (host, guest):
        await host.create()
        code = await invited(host)
        await host.stop()
        await host.start()
        await guest.join(code)


@pytest.mark.asyncio
async def test_guesses_at_the_same_time_count_as_one(tmp_path: Path) -> None:
    """Of many who wait with their words, the first that is wrong ends it for all, who hear nothing of their own."""
    async with pcs(tmp_path, "host", **MDNS) as (host,):
        await host.create()
        code = parse(await invited(host))
        guesses = [replace(code, words=(code.words[0], word)) for word in words(1)[:8] if word != code.words[1]]
        waiting = [await greet(host, guess) for guess in (*guesses, code)]
        answers = [decode(await say(link, [*taker.confirm()])) for link, taker in waiting]
        assert answers == [Refused(Refusal.UNKNOWN), *[Refused(Refusal.GUESSED)] * (len(answers) - 1)]
        for link, _ in waiting:
            await link.close()


@pytest.mark.asyncio
async def test_who_tries_all_numbers_sees_a_certificate_of_nobody(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", **MDNS) as (host,):
        await host.create()
        first, second = [parse(await invited(host)) for _ in range(2)]
        seen = []
        for code in (first, second, first):
            link, _ = await come(host, code)
            seen.append(link.remote)
            await link.close()
        assert seen[0] == seen[2] != seen[1]
        assert host.running.identity.device not in seen
        free = next(number for number in range(1000, 1003) if number not in (first.number, second.number))
        with pytest.raises(PeerRefused):
            await come(host, replace(first, number=free))


@pytest.mark.asyncio
async def test_who_goes_away_before_proving_has_not_guessed(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest", **MDNS) as (host, guest):
        await host.create()
        code = await invited(host)
        link, _taker = await greet(host, replace(parse(code), words=(words(0)[0], words(1)[0])))
        await link.close()
        await guest.join(code)


@pytest.mark.asyncio
async def test_a_member_without_the_right_any_more_hands_out_nothing(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "boss", "guest", **MDNS) as (host, boss, guest):
        await boss.create()
        await host.join(await boss.invite("accounting", admin=True))
        await host.in_sync(1)
        code = parse(await invited(host))
        link, taker = await greet(host, code)
        await boss.call("devices.role", mandate="Cargo", device="host", role="accounting-admin")
        await boss.in_sync(1)
        (answer,) = taker.receive(await say(link, [*taker.confirm()]))
        assert isinstance(answer, Failed)
        assert "may no longer admit" in str(answer.error)
        await link.close()
        assert await guest.call("mandate.list") == []


@asynccontextmanager
async def in_between(tmp_path: Path, host: Pc, code: Code) -> AsyncIterator[int]:
    """Somebody who found the number, answers to it with a certificate of his own, and passes every frame on."""
    identity = Identity.load_or_create(tmp_path / "between")
    came: asyncio.Queue[Link] = asyncio.Queue()
    table = TrustTable(identity)
    table.set_pairing({b"door": meeting_secret(code.number)})
    table.set_nonces((NONCE,))
    listener = Listener(table, came.put_nowait, lambda link, _door: came.put_nowait(link))
    await listener.start("127.0.0.1", 0)

    async def pump(source: Link, target: Link) -> None:
        try:
            while True:
                await target.send(await source.receive())
        except LinkError:
            await target.close()

    async def stand() -> None:
        into = await came.get()
        onward, _ = await come(host, code)
        await asyncio.gather(pump(into, onward), pump(onward, into))

    async with asyncio.TaskGroup() as group:
        standing = group.create_task(stand())
        try:
            yield listener.port
        finally:
            standing.cancel()
            await listener.close()


@pytest.mark.asyncio
async def test_somebody_in_between_gains_nothing_and_ends_the_code(tmp_path: Path) -> None:
    async with pcs(tmp_path, "host", "guest", **MDNS) as (host, guest):
        await host.create()
        code = parse(await invited(host))
        node = guest.running
        async with in_between(tmp_path, host, code) as port:
            attempt = _Exchange(code, node.code_joining, node.identity, node.discovery, node.log)
            with pytest.raises(TicketRefused, match="not the words of this code"):
                await attempt.attempt(Address("127.0.0.1", port), NONCE)
        host.running.code_inviting._guesses._sources.clear()
        with pytest.raises(TicketRefused, match="tried here before"):
            await guest.join(str(code))
        assert await host.call("invites", mandate="Cargo") == []
