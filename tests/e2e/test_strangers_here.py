"""Strangers from hundreds of addresses: members get in all the same, and guessing opens nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from p2psync.daemon.config import LOOPBACK
from p2psync.net.identity import Identity
from p2psync.net.tls import STRANGERS_MAX, dial_pairing
from p2psync.net.trust import period_tag
from p2psync.pair.conversation import Failed
from p2psync.pair.ticket import SECRET_BYTES, Ticket, meeting_secret, parse
from p2psync.wire.messages import Ping, Pong
from tests.e2e.here import PcHere, at_work, company_here, little_memory
from tests.e2e.mallory import Mallory, joiner, talk

ADDRESSES = [f"127.0.1.{number}" for number in range(1, 251)]
STANDING = 5 * STRANGERS_MAX
GUESSERS = 100


@pytest.fixture(scope="module")
def pcs(root: Path) -> Iterator[list[PcHere]]:
    with company_here(root, "payroll") as two:
        yield two


@pytest.mark.asyncio
@pytest.mark.parametrize("says", [b"", b"\x16\x03\x01", os.urandom(50)], ids=["nothing", "half a hello", "noise"])
async def test_members_get_in_however_many_stand_at_the_door(pcs: list[PcHere], tmp_path: Path, says: bytes) -> None:
    a, b = pcs
    member = await Mallory.admitted(tmp_path, parse(a.invite("payroll")))
    with little_memory(a), at_work(a, b), crowd(a.port, says) as came:
        while len(came) < STANDING:
            await asyncio.sleep(0.01)
        for _ in range(3):
            async with member:
                await member.say(Ping(1))
                await member.hear(Pong)


@pytest.mark.asyncio
async def test_guesses_from_many_addresses_end_the_ticket_and_no_other(pcs: list[PcHere], tmp_path: Path) -> None:
    a, b = pcs
    guessed, other = (parse(a.invite("payroll")) for _ in range(2))
    identity = Identity.load_or_create(tmp_path / "guesser")
    with little_memory(a), at_work(a, b):
        for number, address in enumerate(ADDRESSES[:GUESSERS]):
            wrong = replace(guessed, secret=os.urandom(SECRET_BYTES))
            answer = await come(a.port, address, guessed, wrong, identity)
            assert "does not know this ticket" in str(answer.error), number
        right = await come(a.port, ADDRESSES[-1], guessed, guessed, identity)
    assert "cancelled" in str(right.error)
    left = {row["id"] for row in a.run("invites", "Cargo")}
    assert other.id.hex() in left
    assert guessed.id.hex() not in left
    async with await Mallory.admitted(tmp_path / "newcomer", other):
        pass


async def come(port: int, address: str, door: Ticket, ticket: Ticket, identity: Identity) -> Failed:
    """Try a ticket from an address of its own, through the door of another."""
    async with through(address, port) as relayed:
        tag = period_tag(meeting_secret(door.secret), time.time())
        link = await dial_pairing(LOOPBACK, relayed, tag, door.inviter)
        answer = await talk(link, joiner(ticket, identity))
    assert isinstance(answer, Failed)
    return answer


@contextlib.asynccontextmanager
async def through(address: str, port: int) -> AsyncIterator[int]:
    """A port that leads to the other one, where whoever comes seems to come from this address."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection(LOOPBACK, port, local_addr=(address, 0))
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(pump(reader, back), pump(onward, writer))

    server = await asyncio.start_server(pass_on, LOOPBACK, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    finally:
        writer.close()


@contextlib.contextmanager
def crowd(port: int, says: bytes) -> Iterator[list[str]]:
    """Many that come, say this and stay; who is sent away comes again. Yields from where each came."""
    came: list[str] = []
    over = threading.Event()

    def stand() -> None:
        standing: list[socket.socket] = []
        for address in cycle(ADDRESSES):
            if over.is_set():
                break
            standing = [one for one in standing if not is_sent_away(one)] if len(standing) >= STANDING else standing
            if len(standing) < STANDING:
                standing.append(arrive(address, port, says))
                came.append(address)
            else:
                over.wait(0.01)
        for one in standing:
            one.close()

    thread = threading.Thread(target=stand)
    thread.start()
    try:
        yield came
    finally:
        over.set()
        thread.join()


def arrive(address: str, port: int, says: bytes) -> socket.socket:
    one = socket.socket()
    one.bind((address, 0))
    one.settimeout(5)
    with contextlib.suppress(OSError):
        one.connect((LOOPBACK, port))
        one.sendall(says)
    one.setblocking(False)
    return one


def is_sent_away(one: socket.socket) -> bool:
    with contextlib.suppress(BlockingIOError):
        try:
            data = one.recv(100)
        except ConnectionError:
            data = b""
        if not data:
            one.close()
        return not data
    return False
