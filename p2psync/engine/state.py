"""What a device remembers of a mandate: the port through which the engine reads and writes its rows.

The engine calls it inside one transaction per batch of events; the runtime commits before it performs any
effect. Two implementations pass the same contract suite: SQLite (`store`) and dicts (`sim`).
Every method takes and gives many rows at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from enum import StrEnum
from typing import Protocol

from p2psync.core.block import Block, SignedBlock
from p2psync.core.changelog import Stated
from p2psync.core.clock import Tips
from p2psync.core.entry import Entry, FileStat
from p2psync.core.ids import BlockHash, ChangeId, ContentId, DeviceId, LogId, MandateId
from p2psync.core.mark import StatedMark
from p2psync.core.problem import Problem
from p2psync.core.relpath import RelPath
from p2psync.core.value import value


@value
class LogRow:
    log: LogId
    device: DeviceId
    file_class: str


@value
class BlockRow:
    """Where a block stands, without its bytes."""

    intake: int
    """Order in which this device took blocks in: after all that they name. Given by the state."""
    hash: BlockHash
    log: LogId
    seq: int
    prev: BlockHash | None
    size: int
    """Bytes of the signed block."""
    authority_tips: tuple[BlockHash, ...]
    """The authority blocks that its author had read: tips only."""


@value
class BaseRow:
    """What this device last saw on its own disk for a path, and which heads that is."""

    path: RelPath
    entry: Entry
    stat: FileStat | None
    heads: tuple[ChangeId, ...]
    """Empty for bytes that are no accepted change: refused, set aside, or not judged yet."""


@value
class LiveRow:
    """A path whose winner is a file or an empty directory."""

    path: RelPath
    entry: Entry
    slot: str
    """The path as this disk folds it."""
    heads: int
    """How many heads there are."""


class TodoKind(StrEnum):
    PLACE = "place"
    """The disk does not show the winner yet."""
    KEEP = "keep"
    """The bytes of a loser are to be fetched into the versions."""
    JUDGE = "judge"
    """Found in the folder while it was not known what the mandate holds; decided after catching up."""


@value
class TodoRow:
    path: RelPath
    kind: TodoKind


@value
class PlacingRow:
    """What a placement in flight will make stand at a path; to be recognised after a crash."""

    path: RelPath
    put: Entry
    heads: tuple[ChangeId, ...]


@value
class VersionRow:
    """Bytes that are kept although they stand nowhere in the folder (any more)."""

    path: RelPath
    content: ContentId
    size: int
    mtime_ns: int
    kept_ms: int
    """Wall clock, milliseconds since 1970."""
    reason: str
    """"replaced", "removed", "conflict", "refused", "damaged", "set-aside", "edited"."""
    device: DeviceId | None
    change: ChangeId | None
    """The change that stated these bytes; None for bytes that are no accepted change."""


class MandateState(Protocol):
    """The rows of one mandate."""

    # -- settings: small values by name, msgpack-able --------------------------------------------------
    def get(self, name: str) -> object: ...
    def put(self, name: str, value: object) -> None: ...

    # -- logs and blocks -------------------------------------------------------------------------------
    def logs(self) -> Sequence[LogRow]: ...
    def add_log(self, row: LogRow) -> None: ...
    def tips(self) -> Tips: ...
    def put_tips(self, tips: Tips, log: LogId) -> None:
        """Store the tips of one log, of those given."""

    def block(self, block: BlockHash) -> BlockRow | None: ...
    def add_block(self, block: SignedBlock, authority_tips: tuple[BlockHash, ...]) -> BlockRow: ...
    def raw_blocks(self, intakes: Sequence[int]) -> Sequence[bytes]:
        """The signed bytes, in the order asked for."""

    def blocks_of(self, log: LogId, after_seq: int) -> Sequence[BlockRow]:
        """The blocks of a log with a higher number, in intake order."""

    def parsed_blocks(self, file_class: str) -> Iterable[tuple[BlockRow, Block]]:
        """All blocks of all logs of a class, in intake order, parsed again from their bytes."""

    # -- changes and heads -----------------------------------------------------------------------------
    def add_changes(self, changes: Sequence[tuple[Stated, bool]]) -> None:
        """Add changes with whether each is accepted; accepted ones supersede what they name."""

    def changes(self, ids: Iterable[ChangeId]) -> Mapping[ChangeId, Stated]: ...
    def heads(self, paths: Iterable[RelPath]) -> Mapping[RelPath, Sequence[Stated]]:
        """Accepted changes that no accepted change names; a path without any is left out."""

    def judge_again(self, verdicts: Iterable[tuple[BlockHash, Sequence[bool]]]) -> set[RelPath]:
        """Set whether the changes or marks of blocks are accepted, by index.

        Returns the paths whose heads may differ.
        """

    def with_content(self, path: RelPath, content: ContentId) -> Sequence[ChangeId]:
        """The accepted changes of a path that state this content, newest last."""

    def is_known(self, paths: Iterable[RelPath]) -> set[RelPath]:
        """Those that any accepted change is about."""

    def founders(self, path: RelPath) -> Set[DeviceId]:
        """Who made the file: the authors of its accepted changes that name no other."""

    def head_totals(self, intakes: Iterable[int]) -> tuple[int, int]:
        """How many heads the blocks with these numbers of intake state, and the bytes of their files."""

    def refused_count(self) -> int:
        """Changes that are set aside."""

    def refused(self, limit: int) -> Sequence[Stated]:
        """Changes that are set aside: of those taken in last at most so many, in any order."""

    def content_sources(self, content: ContentId) -> Sequence[RelPath]:
        """Paths at which this content stands by the base."""

    def standing(self, contents: Iterable[ContentId]) -> Set[ContentId]:
        """Those that stand at any path by the base; where very many paths hold the same, some may be left out."""

    def content_classes(self, content: ContentId) -> set[str]:
        """The classes of the logs whose accepted changes name this content: who names it without right has no claim."""

    # -- marks -----------------------------------------------------------------------------------------
    def add_marks(self, marks: Sequence[tuple[StatedMark, bool]]) -> None:
        """Add marks with whether each is accepted."""

    def marks_by_id(self, ids: Iterable[ChangeId]) -> Mapping[ChangeId, StatedMark]:
        """Those of them that are here, accepted or not: there may be any number at a path."""

    def marks(self, paths: Iterable[RelPath] | None = None) -> Sequence[tuple[StatedMark, bool]]:
        """Of these paths, or all, with whether each is accepted; sorted by their ids."""

    # -- base, live paths ------------------------------------------------------------------------------
    def bases(self, paths: Iterable[RelPath]) -> Mapping[RelPath, BaseRow]: ...
    def put_bases(self, rows: Sequence[BaseRow]) -> None: ...
    def drop_bases(self, paths: Iterable[RelPath]) -> None: ...
    def all_bases(self) -> Iterable[BaseRow]:
        """In byte order of their paths."""

    def live(self, paths: Iterable[RelPath]) -> Mapping[RelPath, LiveRow]: ...
    def put_live(self, rows: Sequence[LiveRow]) -> None: ...
    def drop_live(self, paths: Iterable[RelPath]) -> None: ...
    def with_live_below(self, paths: Iterable[RelPath]) -> Set[RelPath]:
        """Those that are a directory of some live path."""

    def live_in_slots(self, slots: Iterable[str]) -> Mapping[str, Sequence[RelPath]]: ...
    def live_totals(self) -> tuple[int, int]:
        """Files and their bytes."""

    def conflicted(self) -> Sequence[RelPath]:
        """Live or removed paths with more than one head, sorted."""

    # -- what is to be done ----------------------------------------------------------------------------
    def add_todo(self, rows: Iterable[TodoRow]) -> None:
        """A row that is there already stays."""

    def drop_todo(self, kind: TodoKind, paths: Iterable[RelPath]) -> None: ...
    def todo(self, kind: TodoKind, after: RelPath | None, limit: int) -> Sequence[TodoRow]:
        """In order of their paths, after the one given."""

    def todo_rows(self, kind: TodoKind, paths: Iterable[RelPath]) -> Mapping[RelPath, TodoRow]: ...
    def todo_count(self, kind: TodoKind) -> int: ...
    def todo_totals(self) -> tuple[int, int]:
        """Files and bytes still to be placed, by their winners."""

    # -- placements in flight --------------------------------------------------------------------------
    def begin_placing(self, rows: Sequence[PlacingRow]) -> None:
        """Together, as they are placed; a row for a path replaces the one before."""

    def end_placing(self, paths: Iterable[RelPath]) -> None: ...
    def placing(self) -> Mapping[RelPath, PlacingRow]:
        """Those that have begun and not ended."""

    # -- versions, problems ----------------------------------------------------------------------------
    def add_versions(self, rows: Sequence[VersionRow]) -> None: ...
    def versions(self, path: RelPath) -> Sequence[VersionRow]:
        """Newest first."""

    def has_version(self, contents: Iterable[ContentId]) -> set[ContentId]: ...
    def drop_versions(self, contents: Iterable[ContentId]) -> None:
        """Forget the versions with these contents: their bytes are not here any more."""

    def retain_versions(self, contents: Set[ContentId]) -> None:
        """Forget the versions with other contents than these: their bytes are not here any more."""

    def put_problems(self, problems: Iterable[Problem]) -> None:
        """One per path and code."""

    def clear_problems(self, paths: Iterable[str], codes: Iterable[str] | None = None) -> None: ...
    def problems(self) -> Sequence[Problem]:
        """Sorted; at most 10,000."""


class DeviceState(Protocol):
    """The rows of a whole device."""

    def mandates(self) -> Sequence[MandateId]: ...
    def mandate(self, mandate: MandateId) -> MandateState: ...
    def add_mandate(self, mandate: MandateId) -> MandateState: ...
    def remove_mandate(self, mandate: MandateId) -> None: ...
