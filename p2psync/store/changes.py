"""The changes of a mandate, which of them are accepted, and the heads that follow.

A change's number is its block's number * 65536 + its index, so that rows name each other by integers and the
hashes stand once, in the blocks. `superseded` is computed from rows alone, and only here.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from typing import Any

from p2psync.core.changelog import Stated
from p2psync.core.ids import HASH_BYTES, BlockHash, ChangeId, ContentId, DeviceId
from p2psync.core.relpath import RelPath
from p2psync.store.bulk import execute_many
from p2psync.store.memo import Memo
from p2psync.store.numbers import INDEX_BITS, INDEX_MASK, BlockNumbers, Numbers, change_number
from p2psync.store.packing import content_tag, entry_columns, entry_of, listed, pack_numbers, path_tag, unpack_numbers

ADD = """
    INSERT OR FAIL INTO change (number, mandate, log, accepted, stamp, time_ms, kind, size, mtime_ns, mode, content,
        content_tag, path_tag, path, parents, settled)
    SELECT * FROM {rows}
"""
STATED = """
    SELECT change.number, change.log, change.path, change.kind, change.size, change.mtime_ns, change.mode,
        change.content, change.parents, change.settled, change.stamp, change.time_ms
    FROM json_each(?) asked CROSS JOIN change
"""
HEADS = """
    SELECT json_group_array(change.number) FROM json_each(?) asked
    CROSS JOIN change INDEXED BY change_head ON change.mandate = ? AND change.path = asked.value
    WHERE change.accepted AND NOT change.superseded
"""
"""Answered by the index alone, in one step."""
BY_NUMBER = STATED + "ON change.number = asked.value WHERE change.mandate = ?"
STATES = """
    FROM log CROSS JOIN change INDEXED BY change_content
    ON change.content_tag = :content_tag AND change.log = log.number AND change.content = :content
"""
"""Continues a SELECT: log by log, the changes that state a content, through the index on its tag."""
NAMED = f"""
    SELECT asked.key FROM json_each(:tags) AS asked WHERE EXISTS (
        SELECT 1 FROM log WHERE log.mandate = :mandate AND log.class = :class AND EXISTS (
            SELECT 1 FROM change INDEXED BY change_content
            WHERE change.content_tag = asked.value AND change.log = log.number AND change.accepted
            AND change.content = substr(:contents, asked.key * {HASH_BYTES} + 1, {HASH_BYTES})))
"""
"""One look for each content and log, however many changes name the content; contents: their bytes, one after the
other."""
CONFLICTED = """
    SELECT path FROM change INDEXED BY change_head WHERE mandate = ? AND accepted AND NOT superseded
    GROUP BY path HAVING count(*) > 1
"""
CONFLICTED_OF = """
    SELECT asked.value FROM json_each(?) asked WHERE 1 < (
        SELECT count(*) FROM change INDEXED BY change_head
        WHERE change.mandate = ? AND change.path = asked.value AND change.accepted AND NOT change.superseded)
"""
HEAD_TOTALS = f"""
    SELECT count(*), ifnull(sum(change.size), 0) FROM json_each(?) asked
    CROSS JOIN change NOT INDEXED
    ON change.number BETWEEN asked.value << {INDEX_BITS} AND asked.value << {INDEX_BITS} | {INDEX_MASK}
    WHERE change.mandate = ? AND change.accepted AND NOT change.superseded
"""
"""By the numbers: through the index of the heads, all of them would be walked through for each block."""
NAME = """
    INSERT OR IGNORE INTO naming (named, namer, mandate) SELECT number, ?, mandate FROM change
    WHERE number = ? AND path = ?
"""
SUPERSEDE = "UPDATE change SET superseded = 1 WHERE number = ? AND path = ? AND NOT superseded"
SUPERSEDE_AGAIN = """
    UPDATE change SET superseded = EXISTS (
        SELECT 1 FROM naming JOIN change AS namer ON namer.number = naming.namer
        WHERE naming.named = change.number AND namer.accepted
    )
    WHERE number = ?
"""


RECENT_MAX = 2_500
"""Changes kept in memory after they were added: their heads are asked for next, and a change never changes."""
DOUBTED_MAX = 20_000
"""Paths to be looked at again for conflicts; with more than these, looking at all takes no longer."""


class ChangeRows:
    def __init__(self, connection: sqlite3.Connection, mandate: int, numbers: Numbers | None = None):
        """`numbers`: of the one writer, who alone may remember what it read; None for others."""
        self._connection = connection
        self._mandate = mandate
        self._numbers = numbers if numbers is not None else Numbers(connection, mandate)
        self._heads: Memo[RelPath, Sequence[Stated]] = Memo() if numbers is not None else Memo(0)
        self._refused_count: int | None = None
        self._recent: dict[int, Stated] = {}
        self._conflicted: set[RelPath] | None = None
        """What the last look for conflicts found; None: none was made."""
        self._doubted: set[RelPath] = set()
        """Paths whose heads may be others since that look."""

    def forget(self) -> None:
        """A transaction was undone: numbers may stand for other changes now."""
        self._recent.clear()
        self._conflicted = None
        self._heads.forget()
        self._refused_count = None

    def add(self, changes: Sequence[tuple[Stated, bool]]) -> None:
        """Add changes and what they name; both their blocks are here."""
        naming = [(change, accepted) for change, accepted in changes if change.parents or change.settled]
        blocks = self._numbers.of(
            {change.id.block for change, _ in changes} | {i.block for change, _ in naming for i in change.named}
        )
        execute_many(self._connection, ADD, [self._columns(*one, blocks) for one in changes])
        named = [
            (change_number(change.id, blocks), change_number(other, blocks), change.path, accepted)
            for change, accepted in naming
            for other in change.named
        ]
        self._connection.executemany(NAME, [(number, other, path) for number, other, path, _ in named])
        self._connection.executemany(SUPERSEDE, [(other, path) for _, other, path, accepted in named if accepted])
        only = self._only_heads(changes)
        self._heads_changed([change.path for change, _ in changes])
        self._heads.put(only)
        if not all(accepted for _, accepted in changes):
            self._refused_count = None
        for number in list(self._recent)[:-RECENT_MAX]:
            del self._recent[number]

    def _columns(self, change: Stated, accepted: bool, blocks: BlockNumbers) -> tuple[object, ...]:
        block, log = blocks[change.id.block]
        number = block << INDEX_BITS | change.id.position
        self._recent[number] = change
        entry, parents, settled = change.entry, None, None
        if change.parents or change.settled:
            parents = pack_numbers([change_number(i, blocks) for i in change.parents])
            settled = pack_numbers([change_number(i, blocks) for i in change.settled])
        tags = content_tag(entry.content), path_tag(change.path)
        about = number, self._mandate, log, int(accepted), change.stamp, change.time_ms
        return (*about, *entry_columns(entry), *tags, change.path, parents, settled)

    def _only_heads(self, changes: Sequence[tuple[Stated, bool]]) -> Mapping[RelPath, Sequence[Stated]]:
        """The heads of those paths that are known to have had none before these changes, and have one now."""
        without, _ = self._heads.of(change.path for change, _ in changes)
        found: dict[RelPath, Sequence[Stated]] = {}
        for change, accepted in changes:
            if accepted and without.pop(change.path, None) == ():
                found[change.path] = (change,)
            else:
                found.pop(change.path, None)
        return found

    def by_id(self, ids: Iterable[ChangeId]) -> Mapping[ChangeId, Stated]:
        asked = list(ids)
        blocks = self._numbers.of({i.block for i in asked})
        numbers = [change_number(i, blocks) for i in asked if i.block in blocks]
        return {change.id: change for _, change in self._numbered(numbers)}

    def heads(self, paths: Iterable[RelPath]) -> Mapping[RelPath, Sequence[Stated]]:
        """Sorted by their ids."""
        heads, others = self._heads.of(paths)
        if others:
            (numbers,) = self._connection.execute(HEADS, (listed(others), self._mandate)).fetchone()
            fresh: dict[RelPath, Sequence[Stated]] = dict.fromkeys(others, ())
            for _, change in self._numbered(json.loads(numbers)):
                before = fresh[change.path]
                fresh[change.path] = sorted((*before, change), key=_by_id) if before else (change,)
            self._heads.put(fresh)
            heads |= fresh
        return {path: several for path, several in heads.items() if several}

    def _numbered(self, numbers: Sequence[int]) -> Iterable[tuple[int, Stated]]:
        """With their numbers, in any order; those that are not here are left out."""
        others = [number for number in numbers if number not in self._recent]
        yield from ((number, self._recent[number]) for number in numbers if number in self._recent)
        if others:
            rows = self._connection.execute(BY_NUMBER, (listed(others), self._mandate)).fetchall()
            yield from self._stated(rows)

    def judge_again(self, verdicts: Iterable[tuple[BlockHash, Sequence[bool]]]) -> set[RelPath]:
        """Set verdicts; returns the paths of those that flipped."""
        flips: list[tuple[bool, int]] = []
        paths: set[RelPath] = set()
        named: set[int] = set()
        for block, accepted in verdicts:
            first = self._numbers.of((block,))[block][0] << INDEX_BITS
            for number, path, before, parents, settled in self._connection.execute(
                "SELECT number, path, accepted, parents, settled FROM change WHERE number BETWEEN ? AND ?",
                (first, first | INDEX_MASK),
            ):
                verdict = accepted[number & INDEX_MASK]
                if verdict != bool(before):
                    flips.append((verdict, number))
                    paths.add(path)
                    named.update(unpack_numbers(parents), unpack_numbers(settled))
        self._connection.executemany("UPDATE change SET accepted = ? WHERE number = ?", flips)
        self._connection.executemany(SUPERSEDE_AGAIN, [(number,) for number in sorted(named)])
        # Beside the paths that flipped, those of what they name: all are of the same path.
        self._heads_changed(paths)
        if flips:
            self._refused_count = None
        return paths

    def with_content(self, path: RelPath, content: ContentId) -> Sequence[ChangeId]:
        """The accepted ones, newest last."""
        found = self._connection.execute(
            f"SELECT block.hash, change.number {STATES} AND change.path_tag = :path_tag AND change.path = :path "
            f"JOIN block ON block.number = change.number >> {INDEX_BITS} "
            "WHERE log.mandate = :mandate AND change.accepted ORDER BY change.number",
            {**self._stating(content), "path": path, "path_tag": path_tag(path)},
        )
        return [ChangeId(BlockHash(digest), number & INDEX_MASK) for digest, number in found]

    def is_known(self, paths: Iterable[RelPath]) -> set[RelPath]:
        """Of a path's accepted changes at least one is a head: none can name what came after it."""
        found = self._connection.execute(
            "SELECT DISTINCT change.path FROM json_each(?) asked "
            "CROSS JOIN change INDEXED BY change_head ON change.mandate = ? AND change.path = asked.value "
            "WHERE change.accepted AND NOT change.superseded",
            (listed(paths), self._mandate),
        )
        return {path for (path,) in found}

    def founders(self, path: RelPath) -> Set[DeviceId]:
        found = self._connection.execute(
            "SELECT DISTINCT log.device FROM change INDEXED BY change_first JOIN log ON log.number = change.log "
            "WHERE change.mandate = ? AND change.path = ? AND change.stamp = 1 AND change.accepted",
            (self._mandate, path),
        )
        return {device for (device,) in found}

    def head_totals(self, blocks: Iterable[int]) -> tuple[int, int]:
        """Of blocks by their numbers: the heads that they state, and the bytes of their files."""
        found = self._connection.execute(HEAD_TOTALS, (listed(blocks), self._mandate)).fetchone()
        return (found[0], found[1])

    def refused_count(self) -> int:
        if self._refused_count is None:
            found = self._connection.execute(
                "SELECT count(*) FROM change INDEXED BY change_refused WHERE mandate = ? AND NOT accepted",
                (self._mandate,),
            )
            self._refused_count = int(found.fetchone()[0])
        return self._refused_count

    def refused(self, limit: int) -> Sequence[Stated]:
        """Those taken in last, at most so many."""
        found = self._connection.execute(
            "SELECT number FROM change INDEXED BY change_refused WHERE mandate = ? AND NOT accepted "
            "ORDER BY number DESC LIMIT ?",
            (self._mandate, limit),
        )
        return [change for _, change in self._numbered([number for (number,) in found])]

    def named_in(self, file_class: str, contents: Sequence[ContentId]) -> set[ContentId]:
        """Those of the contents that an accepted change in a log of this class names."""
        tags, asked = listed(map(content_tag, contents)), b"".join(contents)
        values = {"mandate": self._mandate, "class": file_class, "tags": tags, "contents": asked}
        return {contents[index] for (index,) in self._connection.execute(NAMED, values)}

    def _stating(self, content: ContentId) -> dict[str, object]:
        return {"mandate": self._mandate, "content": content, "content_tag": content_tag(content)}

    def conflicted(self) -> Sequence[RelPath]:
        """Paths with more than one head, sorted; `status` asks again and again."""
        if self._conflicted is None:
            found = self._connection.execute(CONFLICTED, (self._mandate,))
            self._conflicted = {path for (path,) in found}
        elif self._doubted:
            found = self._connection.execute(CONFLICTED_OF, (listed(self._doubted), self._mandate))
            self._conflicted -= self._doubted
            self._conflicted.update(path for (path,) in found)
        self._doubted.clear()
        return sorted(self._conflicted)

    def _heads_changed(self, paths: Collection[RelPath]) -> None:
        """The heads of these paths may be others now."""
        self._heads.drop(paths)
        if self._conflicted is None:
            return
        self._doubted.update(paths)
        if len(self._doubted) > DOUBTED_MAX:
            self._conflicted = None
            self._doubted.clear()

    def _stated(self, rows: Sequence[Any]) -> Iterable[tuple[int, Stated]]:
        named = {row[0]: (unpack_numbers(row[8]), unpack_numbers(row[9])) for row in rows}
        numbers = {number >> INDEX_BITS for number in named}
        numbers.update(other >> INDEX_BITS for both in named.values() for some in both for other in some)
        hashes: dict[int, BlockHash] = dict(
            self._connection.execute(
                "SELECT number, hash FROM json_each(?) asked CROSS JOIN block ON number = asked.value",
                (listed(numbers),),
            )
        )

        def id_of(number: int) -> ChangeId:
            return ChangeId(hashes[number >> INDEX_BITS], number & INDEX_MASK)

        authors = dict(self._connection.execute("SELECT number, device FROM log WHERE mandate = ?", (self._mandate,)))
        for number, log, path, kind, size, mtime_ns, mode, content, _, _, stamp, time_ms in rows:
            parents, settled = named[number]
            yield (
                number,
                Stated(
                    id_of(number),
                    authors[log],
                    path,
                    entry_of(kind, size, mtime_ns, mode, content),
                    tuple(map(id_of, parents)),
                    tuple(map(id_of, settled)),
                    stamp,
                    time_ms,
                ),
            )


def _by_id(change: Stated) -> ChangeId:
    return change.id
