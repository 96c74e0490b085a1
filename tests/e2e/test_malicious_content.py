"""A member gives wrong bytes, holds back what it announced, or fills lines: others get their files all the same."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import pytest

from p2psync.core.chunking import Manifest, Span, encode_manifest
from p2psync.core.ids import ContentId, MandateId, content_of, device_text
from p2psync.errors import LinkError, P2PSyncError, PeerRefused
from p2psync.net.tls import LINKS_PER_DEVICE_MAX
from p2psync.pair.ticket import Ticket, parse
from p2psync.wire.codec import encode
from p2psync.wire.messages import (
    RESPONSE_DATA_BYTES_MAX,
    Ping,
    Pong,
    Request,
    Response,
    What,
)
from tests.core.cutting import cut
from tests.e2e.here import PcHere, at_work, company_here, little_memory
from tests.e2e.mallory import Mallory, a_file, nowhere
from tests.e2e.pc import until

MIB = 1 << 20
OTHER = MandateId(b"another mandate!")
HELD_BACK = 10_000
SOON_S = 25.0
"""Less than it takes until a peer that owes answers is given up."""


@pytest.fixture(scope="module")
def pcs(root: Path) -> Iterator[list[PcHere]]:
    with company_here(root, "payroll") as two:
        yield two


@pytest.fixture(scope="module")
def ticket(pcs: list[PcHere]) -> Ticket:
    return parse(pcs[0].invite("payroll", "--uses", "100"))


# -- wrong bytes ----------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_other_bytes_than_were_announced(pcs: list[PcHere], ticket: Ticket, tmp_path: Path) -> None:
    a, b = pcs
    path, good = name(), os.urandom(1000)
    async with await Mallory.admitted(tmp_path, ticket) as mallory:
        with at_work(a, b):
            await mallory.say(mallory.update([a_file(path, good)]))
            request = await asked_for(mallory, content_of(good), What.CONTENT)
            evil = [os.urandom(1000) if one == content_of(good) else None for one in request.contents]
            await answer(mallory, request, *evil)
            await mallory.until_lost()
    assert a.read(path) is None
    b.save("the same.bin", good)
    a.has(path, good)


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["no manifest", "too short", "of other chunks", "chunks that do not fit"])
async def test_a_big_file_that_is_put_together_wrongly(
    pcs: list[PcHere], ticket: Ticket, tmp_path: Path, how: str
) -> None:
    a, b = pcs
    path, good, evil = name(), os.urandom(2 * MIB), os.urandom(2 * MIB)
    content = content_of(good)
    manifest = {
        "no manifest": os.urandom(1000),
        "too short": encode_manifest(Manifest.of(content, cut(good)))[:-36],
        "of other chunks": encode_manifest(Manifest.of(content, cut(evil))),
        "chunks that do not fit": encode_manifest(Manifest.of(content, cut(good))),
    }
    async with await Mallory.admitted(tmp_path, ticket) as mallory:
        with little_memory(a), at_work(a, b):
            await mallory.say(mallory.update([a_file(path, good)]))
            await answer(mallory, await asked_for(mallory, content, What.MANIFEST), manifest[how])
            spans = cut(evil if how == "of other chunks" else good)
            await give_chunks_until_lost(mallory, content, evil, spans)
    assert a.read(path) is None
    assert content.hex() not in [file.name for file in (a.folder / ".p2psync" / "staging").iterdir()]
    b.save("the same big one.bin", good)
    a.has(path, good)


@pytest.mark.asyncio
async def test_a_manifest_without_end(pcs: list[PcHere], ticket: Ticket, tmp_path: Path) -> None:
    a, b = pcs
    good = os.urandom(2 * MIB)
    part = os.urandom(RESPONSE_DATA_BYTES_MAX)
    async with await Mallory.admitted(tmp_path, ticket) as mallory:
        with little_memory(a), at_work(a, b):
            await mallory.say(mallory.update([a_file(name(), good)]))
            request = await asked_for(mallory, content_of(good), What.MANIFEST)
            parts = (Response(request.mandate, request.number, first, (part,), False) for first in count())
            await mallory.go_on(parts)


@pytest.mark.asyncio
async def test_a_file_of_a_claimed_size_that_no_disk_has(pcs: list[PcHere], ticket: Ticket, tmp_path: Path) -> None:
    a, b = pcs
    path, data = name(), os.urandom(100)
    async with await Mallory.admitted(tmp_path, ticket) as mallory:
        with little_memory(a), at_work(a, b):
            await mallory.say(mallory.update([a_file(path, data, size=(1 << 50) - 1)]))
            until(lambda: a.problems().get(path) == "disk-full", "a says that it does not fit")
            await mallory.say(Ping(7))
            await mallory.hear(Pong)
    assert not [m for m in mallory.said if isinstance(m, Request) and content_of(data) in m.contents]


# -- frames ------------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_half_a_frame(pcs: list[PcHere], ticket: Ticket, tmp_path: Path) -> None:
    """A little more of it again and again: it is waited for, and costs no more than it is long."""
    a, b = pcs
    async with await Mallory.admitted(tmp_path, ticket) as mallory:
        with little_memory(a), at_work(a, b) as took:
            await mallory.write((1 << 20).to_bytes(4, "big"))
            while len(took) < 5:
                await mallory.write(b"x")
                await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_a_frame_of_four_gigabytes(pcs: list[PcHere], ticket: Ticket, tmp_path: Path) -> None:
    a, b = pcs
    async with await Mallory.admitted(tmp_path, ticket) as mallory:
        with little_memory(a), at_work(a, b):
            await mallory.write(b"\xff" * 4 + bytes(1000))
            await mallory.until_lost()


# -- asking -----------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_wishes_for_what_is_not_his_bring_nothing(pcs: list[PcHere], ticket: Ticket, tmp_path: Path) -> None:
    a, b = pcs
    b.save("known.txt", "known to the mandate")
    a.has("known.txt", "known to the mandate")
    known = content_of(b"known to the mandate")
    async with await Mallory.admitted(tmp_path, ticket) as mallory:
        with at_work(a, b):
            await mallory.say(Request(OTHER, 1, What.CONTENT, (known,)))
            await mallory.say(Request(mallory.mandate, 2, What.CONTENT, (nowhere(), known, nowhere())))
            got: dict[int, list[bytes | None]] = {}
            while sum(map(len, got.values())) < 3:
                response = await mallory.hear(Response)
                assert isinstance(response, Response)
                got.setdefault(response.number, []).extend(response.items)
    assert got == {2: [None, b"known to the mandate", None]}


@pytest.mark.asyncio
async def test_who_asks_and_does_not_read(pcs: list[PcHere], ticket: Ticket, tmp_path: Path) -> None:
    a, b = pcs
    big = os.urandom(4 * MIB)
    b.save("big.bin", big)
    a.has("big.bin", big)
    async with await Mallory.admitted(tmp_path, ticket) as mallory:
        with little_memory(a), at_work(a, b), contextlib.suppress(LinkError):
            chunks = tuple(range(20))
            for number in range(500):
                await mallory.say(Request(mallory.mandate, number, What.CHUNK, (content_of(big),), chunks))
        await mallory.until_lost()


# -- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_hundred_links_of_one_member(pcs: list[PcHere], ticket: Ticket, tmp_path: Path) -> None:
    a, b = pcs
    async with await Mallory.admitted(tmp_path, ticket) as mallory, contextlib.AsyncExitStack() as stack:
        with little_memory(a), at_work(a, b):
            links = [await mallory.call() for _ in range(LINKS_PER_DEVICE_MAX + 10)]
            for link in links:
                stack.push_async_callback(link.close)
            refused = 0
            for link in links[LINKS_PER_DEVICE_MAX:]:
                with contextlib.suppress(PeerRefused):
                    await link.receive()
                    continue
                refused += 1
            assert refused == len(links) - LINKS_PER_DEVICE_MAX


@pytest.mark.asyncio
async def test_who_lost_his_link_for_what_he_did_is_not_let_in_again_at_once(
    pcs: list[PcHere], ticket: Ticket, tmp_path: Path
) -> None:
    a, b = pcs
    async with await Mallory.admitted(tmp_path, ticket) as mallory:
        with at_work(a, b):
            await mallory.go_on([b"\xff"])
            link = await mallory.call()
            with pytest.raises(PeerRefused):
                await link.receive()
            await link.close()
    async with mallory:
        await mallory.say(Ping(1))
        await mallory.hear(Pong)


@pytest.mark.asyncio
async def test_a_removed_member_that_comes_back_all_the_time(pcs: list[PcHere], ticket: Ticket, tmp_path: Path) -> None:
    a, b = pcs
    async with await Mallory.admitted(tmp_path, ticket) as mallory:
        a.run("devices", "Cargo", "--revoke", device_text(mallory.identity.device))
        until(lambda: a.connected() == {"b"}, "a talks to it no more")
        with little_memory(a), at_work(a, b):
            for _ in range(8):
                with contextlib.suppress(P2PSyncError):
                    link = await mallory.call()
                    await link.send(encode(mallory.hello()))
                    await link.close()
    assert a.connected() == {"b"}


# -- nothing at all: the last test, since what it announces stays announced ------------------------------------------


@pytest.mark.asyncio
async def test_who_announces_much_and_gives_nothing_holds_nobody_up(
    pcs: list[PcHere], ticket: Ticket, tmp_path: Path
) -> None:
    """Asked for all of it, and silent: what others save is there all the same."""
    a, b = pcs
    async with await Mallory.admitted(tmp_path, ticket) as mallory:
        changes = [a_file(f"held back/{n:05}.bin", os.urandom(8)) for n in range(HELD_BACK)]
        with little_memory(a):
            for start in range(0, HELD_BACK, 500):
                await mallory.say(mallory.update(changes[start : start + 500]))
            until(lambda: a.status()["to_receive"]["files"] >= HELD_BACK, "a knows of them")
            await mallory.hear(Request)
            for number in range(3):
                b.save("meanwhile.txt", f"save {number}")
                a.has("meanwhile.txt", f"save {number}", SOON_S)


# -- what these tests use -----------------------------------------------------------------------------------------


async def asked_for(mallory: Mallory, content: ContentId, what: What) -> Request:
    """Wait until this is asked for; whatever else is, this member does not have."""
    while True:
        request = await mallory.hear(Request)
        assert isinstance(request, Request)
        if content in request.contents and request.what is what:
            return request
        await answer(mallory, request, None)


async def give_chunks_until_lost(mallory: Mallory, content: ContentId, data: bytes, spans: Sequence[Span]) -> None:
    with contextlib.suppress(LinkError):
        while True:
            request = await asked_for(mallory, content, What.CHUNK)
            asked = [spans[index] for index in request.chunks if index < len(spans)]
            await answer(mallory, request, *(data[span.offset : span.offset + span.size] for span in asked))


async def answer(mallory: Mallory, request: Request, *items: bytes | None) -> None:
    await mallory.say(Response(request.mandate, request.number, 0, items, True))


def name() -> str:
    return f"bait {os.urandom(4).hex()}.bin"
