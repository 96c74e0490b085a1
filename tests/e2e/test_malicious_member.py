"""A member that attacks loses its link; the others lose neither a file nor memory, and go on meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import count, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import zstandard

from p2psync.core.block import Block, Opening, log_id_of, sign_block
from p2psync.core.clock import Tip
from p2psync.core.ids import BlockHash, ChangeId, LogId, MandateId, device_text
from p2psync.core.statement import Rename
from p2psync.engine.ledger import BRANCHES_MAX, TIPS_PER_DEVICE_MAX
from p2psync.net.identity import Identity
from p2psync.pair.ticket import Ticket, parse
from p2psync.wire.codec import encode
from p2psync.wire.messages import (
    BLOCKS_MAX,
    FRAME_BYTES_MAX,
    LOGS_MAX,
    RESPONSE_DATA_BYTES_MAX,
    Close,
    Have,
    IndexUpdate,
    Message,
    Ping,
    Placed,
    Pong,
    Response,
    Secret,
)
from tests.e2e.here import PcHere, at_work, company_here, little_memory
from tests.e2e.mallory import ORDINARY, Mallory, a_file, now

MIB = 1 << 20
OTHER = MandateId(b"another mandate!")

Says = Callable[[Mallory], Iterable[Message | bytes]]


@pytest.fixture(scope="module")
def pcs(root: Path) -> Iterator[list[PcHere]]:
    with company_here(root, "payroll") as two:
        two[0].save("ordinary.txt", ORDINARY)  # found here by whoever is told of a file that holds the same
        two[1].has("ordinary.txt", ORDINARY)
        yield two


@pytest.fixture(scope="module")
def ticket(pcs: list[PcHere]) -> Ticket:
    """For as many members as there are tests: each goes bad once."""
    return parse(pcs[0].invite("payroll", "--uses", "100"))


# -- what cannot be read ------------------------------------------------------------------------------------------


def noise(_: Mallory) -> Iterable[bytes]:
    yield os.urandom(1000)


def lists_in_lists(_: Mallory) -> Iterable[bytes]:
    yield (b"\xdd\x00\x00\x27\x10" * 1000).ljust(FRAME_BYTES_MAX, b"\xc0")


def bomb(_: Mallory) -> Iterable[bytes]:
    yield zstandard.ZstdCompressor().compress(bytes(256 * MIB))


def bomb_of_unknown_size(_: Mallory) -> Iterable[bytes]:
    yield zstandard.ZstdCompressor(write_content_size=False).compress(bytes(256 * MIB))


def oversized(mallory: Mallory) -> Iterable[bytes]:
    yield encode(Have(mallory.mandate, {})).ljust(FRAME_BYTES_MAX + 64, b"\0")


# -- what nobody has to say so often --------------------------------------------------------------------------------


def pings(_: Mallory) -> Iterable[bytes]:
    return repeat(encode(Ping(1)))


def pongs(_: Mallory) -> Iterable[bytes]:
    return repeat(encode(Pong(1)))


def hellos(mallory: Mallory) -> Iterable[bytes]:
    return repeat(encode(mallory.hello()))


def secrets(mallory: Mallory) -> Iterable[bytes]:
    return repeat(encode(Secret(mallory.mandate, 1 << 40, bytes(32))))


def words_for_another_mandate(_: Mallory) -> Iterable[bytes]:
    return repeat(encode(Have(OTHER, {})))


def tips_of_ten_thousand_logs(mallory: Mallory) -> Iterable[bytes]:
    """14 KB each on the wire, 3 MB each in memory."""
    tips = {LogId(n.to_bytes(16, "big")): (Tip(1, BlockHash(bytes(32))),) for n in range(LOGS_MAX)}
    return repeat(encode(Have(mallory.mandate, tips)))


def other_tips_each_time(mallory: Mallory) -> Iterable[Message]:
    for number in count():
        logs = [LogId((number * 1000 + n).to_bytes(16, "big")) for n in range(1000)]
        yield Have(mallory.mandate, {log: (Tip(1, BlockHash(bytes(32))),) for log in logs})


def wishes_for_everything_anew(mallory: Mallory) -> Iterable[bytes]:
    return repeat(encode(Have(mallory.mandate, dict.fromkeys(mallory.ledger.tips, ()))))


def long_lists_of_trouble(mallory: Mallory) -> Iterable[bytes]:
    rows = tuple((f"{n:04}".ljust(1000, "x"), "reason") for n in range(400))
    return repeat(encode(Placed(mallory.mandate, {}, 400, rows)))


def updates_without_blocks(mallory: Mallory) -> Iterable[bytes]:
    return repeat(encode(IndexUpdate(mallory.mandate, ())))


def answers_that_nobody_asked_for(mallory: Mallory) -> Iterable[bytes]:
    return repeat(encode(Response(mallory.mandate, 1, 0, (bytes(RESPONSE_DATA_BYTES_MAX),), True)))


# -- blocks that no honest member makes -----------------------------------------------------------------------------


def following(mallory: Mallory) -> Block:
    """A good block that follows a good one; the attacks change something of it."""
    [taken] = mallory.ledger.append([a_file(f"{os.urandom(4).hex()}.txt")], "", now().wall_ms)
    top = Tip(taken.row.seq, taken.row.hash)
    return Block(taken.row.log, top.seq + 1, top.hash, now().wall_ms, (), None, (a_file("evil.txt"),))


def after_good_ones(mallory: Mallory, log: LogId, *raws: bytes) -> Iterator[Message]:
    good = mallory.log.raw_blocks([row.intake for row in mallory.log.blocks_of(log, 0)])
    yield IndexUpdate(mallory.mandate, (*good, *raws))


def changed(**fields: Any) -> Says:
    """A block that is signed as it should be, and wrong in one field."""

    def says(mallory: Mallory) -> Iterable[Message | bytes]:
        good = following(mallory)
        return after_good_ones(mallory, good.log, mallory.signed(replace(good, **fields)))

    return says


def a_wrong_signature(mallory: Mallory) -> Iterable[Message]:
    good = following(mallory)
    raw = bytearray(mallory.signed(good))
    raw[10] ^= 1
    return after_good_ones(mallory, good.log, bytes(raw))


def a_wrong_number(mallory: Mallory) -> Iterable[Message]:
    good = following(mallory)
    return after_good_ones(mallory, good.log, mallory.signed(replace(good, seq=good.seq + 5)))


def a_block_of_another_mandate(mallory: Mallory) -> Iterable[Message]:
    good = following(mallory)
    return after_good_ones(mallory, good.log, sign_block(OTHER, good, mallory.identity.sign).raw)


def a_block_in_another_ones_log(mallory: Mallory) -> Iterable[Message]:
    log, tip = another_ones(mallory)
    forged = replace(following(mallory), log=log, seq=tip.seq + 1, prev=tip.hash)
    yield IndexUpdate(mallory.mandate, (mallory.signed(forged),))


def a_clock_that_lies(mallory: Mallory) -> Iterable[Message | bytes]:
    log, tip = another_ones(mallory)
    return changed(clock=((log, Tip(tip.seq + 1, tip.hash)),))(mallory)


def a_strangers_log(mallory: Mallory) -> Iterable[Message]:
    with TemporaryDirectory() as home:
        stranger = Identity.load_or_create(Path(home))
        opening = Opening(stranger.device, "", os.urandom(16))
        first = Block(log_id_of(opening), 1, None, now().wall_ms, (), opening, (a_file("evil.txt"),))
        yield IndexUpdate(mallory.mandate, (sign_block(mallory.mandate, first, stranger.sign).raw,))


def branches_without_end(mallory: Mallory) -> Iterable[Message]:
    good = following(mallory)
    branches = [replace(good, time_ms=n, changes=(a_file("branched.txt"),)) for n in range(BRANCHES_MAX + 1)]
    return after_good_ones(mallory, good.log, *map(mallory.signed, branches))


def logs_without_end(mallory: Mallory) -> Iterable[Message]:
    for _ in range(TIPS_PER_DEVICE_MAX // BLOCKS_MAX + 1):
        openings = [Opening(mallory.identity.device, "", os.urandom(16)) for _ in range(BLOCKS_MAX)]
        firsts = [Block(log_id_of(o), 1, None, now().wall_ms, (), o, (a_file("of many logs.txt"),)) for o in openings]
        yield IndexUpdate(mallory.mandate, tuple(map(mallory.signed, firsts)))


def blocks_without_what_they_name(mallory: Mallory) -> Iterable[Message]:
    good = following(mallory)
    while True:
        late = replace(good, seq=9, prev=BlockHash(os.urandom(32)))
        yield from after_good_ones(mallory, good.log, mallory.signed(late))


def another_ones(mallory: Mallory) -> tuple[LogId, Tip]:
    logs = [log for log in mallory.ledger.tips if mallory.ledger.file_class(log) == ""]
    log = next(log for log in logs if mallory.ledger.author(log) != mallory.identity.device)
    return log, mallory.ledger.tips[log][-1]


UNREADABLE = (noise, lists_in_lists, bomb, bomb_of_unknown_size, oversized)
TALKATIVE = (
    *(pings, pongs, hellos, secrets, words_for_another_mandate, updates_without_blocks, wishes_for_everything_anew),
    *(tips_of_ten_thousand_logs, other_tips_each_time, long_lists_of_trouble, answers_that_nobody_asked_for),
)
LIARS = (
    *(a_wrong_signature, a_wrong_number, a_block_of_another_mandate, a_block_in_another_ones_log, a_clock_that_lies),
    *(a_strangers_log, branches_without_end, logs_without_end, blocks_without_what_they_name),
)
BAD_FIELDS: dict[str, dict[str, Any]] = {
    "the path leads out": {"changes": (a_file("../evil.txt"),)},
    "the path is absolute": {"changes": (a_file("/etc/evil.txt"),)},
    "the path has a drive": {"changes": (a_file("C:/evil.txt"),)},
    "the path is ours": {"changes": (a_file(".p2psync/staging/evil"),)},
    "the path is cut off": {"changes": (a_file("evil.txt\0.png"),)},
    "the path is too long": {"changes": (a_file("e" * 256),)},
    "the size is impossible": {"changes": (a_file("evil.txt", size=1 << 60),)},
    "a path twice": {"changes": (a_file("evil.txt"), a_file("evil.txt", b"other"))},
    "a parent that is none": {"changes": (replace(a_file("evil.txt"), parents=(ChangeId(BlockHash(bytes(32)), 0),)),)},
    "statements where files belong": {"changes": (), "statements": (Rename("Evil"),)},
    "nothing in it": {"changes": ()},
    "a time after all times": {"time_ms": 1 << 60},
}
ATTACKS: dict[str, Says] = {
    **{says.__name__: says for says in (*UNREADABLE, *TALKATIVE, *LIARS)},
    **{name: changed(**fields) for name, fields in BAD_FIELDS.items()},
}


@pytest.mark.asyncio
@pytest.mark.parametrize("says", ATTACKS.values(), ids=ATTACKS.keys())
async def test_who_breaks_the_rules_loses_his_link_and_others_nothing(
    pcs: list[PcHere], ticket: Ticket, tmp_path: Path, says: Says
) -> None:
    a, b = pcs
    async with await Mallory.admitted(tmp_path, ticket) as mallory:
        frames = says(mallory)
        with little_memory(a), at_work(a, b):
            await mallory.go_on(frames)
    assert a.connected() == {"b"}
    assert [name for name in a.files() if "evil" in name] == []


@pytest.mark.asyncio
async def test_what_was_good_before_counts_and_the_culprit_is_named(
    pcs: list[PcHere], ticket: Ticket, tmp_path: Path
) -> None:
    a, _ = pcs
    async with await Mallory.admitted(tmp_path, ticket) as mallory:
        await mallory.go_on(a_wrong_signature(mallory))
        assert any("not signed by" in message.reason for message in mallory.said if isinstance(message, Close))
    assert a.problems()[""] == "peer-misbehaved"
    assert device_text(mallory.identity.device) in {row["device"] for row in a.log()}
