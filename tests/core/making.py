"""What the tests of the core are made from: devices that sign cheaply, files, changes, blocks."""

from __future__ import annotations

from blake3 import blake3
from hypothesis import strategies as st

from p2psync.core.block import Block, Opening
from p2psync.core.change import NAMED_MAX, Change
from p2psync.core.changelog import Stated
from p2psync.core.clock import Tip
from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, Entry, Kind
from p2psync.core.ids import BlockHash, ChangeId, ContentId, DeviceId, LogId, MandateId, content_of
from p2psync.core.relpath import parse

M = MandateId(b"m" * 16)
LOG = LogId(b"l" * 16)
ANNA, BERT, CARL, DORA = (DeviceId(name * 32) for name in (b"a", b"b", b"c", b"d"))


def digest(text: str) -> BlockHash:
    """The hash of a block that is never looked at."""
    return BlockHash(blake3(text.encode()).digest())


def change_id(text: str) -> ChangeId:
    return ChangeId(digest(text), 0)


def file(text: str, mode: int = 0) -> Entry:
    return Entry(Kind.FILE, len(text), 1_700_000_000_000_000_000, mode, content_of(text.encode()))


def stated(
    name: str,
    author: DeviceId = ANNA,
    entry: Entry | None = None,
    parents: tuple[str, ...] = (),
    stamp: int = 1,
    path: str = "a.txt",
) -> Stated:
    """A change that was taken in; its name stands for its id and, if none is given, its content."""
    before = tuple(change_id(one) for one in parents)
    return Stated(change_id(name), author, parse(path), entry or file(name), before, (), stamp, 0)


def first_block(*changes: Change, device: DeviceId = ANNA, file_class: str = "", log: LogId = LOG) -> Block:
    return Block(log, 1, None, 1_700_000_000_000, (), Opening(device, file_class), changes)


ids = st.builds(ChangeId, st.binary(min_size=32, max_size=32).map(BlockHash), st.integers(0, 499))
entries = st.one_of(
    st.just(ABSENT),
    st.just(EMPTY_DIRECTORY),
    st.builds(
        Entry,
        st.just(Kind.FILE),
        st.integers(0, (1 << 50) - 1),
        st.integers(-(1 << 63) + 1, (1 << 63) - 1),
        st.integers(0, 3),
        st.binary(min_size=32, max_size=32).map(ContentId),
    ),
)
paths = st.lists(st.text("abcö. ~", min_size=1, max_size=8).map(lambda t: t + "x"), min_size=1, max_size=3).map(
    lambda parts: parse("/".join(parts))
)
changes = st.builds(
    Change, paths, entries, st.lists(ids, max_size=3).map(tuple), st.lists(ids, max_size=min(2, NAMED_MAX)).map(tuple)
)
batches = st.lists(changes, min_size=1, max_size=5, unique_by=lambda c: c.path).map(tuple)
tips = st.builds(Tip, st.integers(1, 1 << 40), st.binary(min_size=32, max_size=32).map(BlockHash))
