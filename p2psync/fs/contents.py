"""Finding the bytes of a content on this disk: in staging, among the versions, or at any path that should hold it.

A user's file may have changed since the database learned of it, so nothing is given that was not verified: whole
files by their content id, chunks by their hashes. A changed file just is not here.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from io import FileIO
from pathlib import Path

from blake3 import blake3

from p2psync.core.chunking import Chunker, Layout, Manifest, Span, encode_parts
from p2psync.core.ids import EMPTY_CONTENT, ContentId, content_of
from p2psync.core.relpath import RelPath
from p2psync.fs.assembly import Assembly, Source
from p2psync.fs.clone import copy_verified, pieces
from p2psync.fs.cut_memory import Cut, CutMemory
from p2psync.fs.draft import Draft
from p2psync.fs.durable import sync_directories, sync_file
from p2psync.fs.handful import Handful
from p2psync.fs.look import Places
from p2psync.fs.reading import open_descriptor, open_shared, read_up_to
from p2psync.fs.reuse import Cuts, MayReuse, NoCuts, Reuse
from p2psync.fs.staging import Staging
from p2psync.fs.versions import Versions
from p2psync.wire.messages import HOLDS_ALL

READ_LATELY_BYTES_MAX = 16 << 20
"""What some thousand new files hold that are read at once, until they are announced."""
GIVEN_BYTES_MAX = 40 << 20
"""What peers gave unasked and is still to be placed; as much as `engine.peer.WAITING_MAX` small files hold."""
REMEMBERED_MAX = 4096
"""Paths placed lately, kept in mind until the database surely knows them."""
ALIKE_FROM = 2
"""Chunks that two files share. A single one may be a block of zeros."""
NOT_WRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


Known = Mapping[ContentId, Sequence[RelPath]]
"""Where contents were last seen; one that is left out was seen nowhere."""


class Contents:
    """The contents of one mandate on this disk; safe to use from several threads."""

    def __init__(
        self,
        places: Places,
        staging: Staging,
        versions: Versions,
        where: Callable[[Sequence[ContentId]], Known],
        cuts: Cuts | None = None,
    ) -> None:
        """`where` names the paths at which this device last saw contents; it is called from any thread. `cuts`
        remembers for longer than this object lives how big files were cut.
        """
        self._places = places
        self._staging = staging
        self._versions = versions
        self._where = where
        self._lasting = cuts or NoCuts()
        self.cuts = CutMemory(self._lasting)
        self._reuse = Reuse(self._lasting, self._files_with)
        self._lately: OrderedDict[ContentId, RelPath] = OrderedDict()
        self._assemblies: dict[ContentId, Assembly] = {}
        self._read_lately = Handful(READ_LATELY_BYTES_MAX)
        self._given = Handful(GIVEN_BYTES_MAX)
        self._cutting = threading.Lock()
        self._lock = threading.Lock()

    # -- whole files ----------------------------------------------------------------------------------------------

    def read(self, content: ContentId, limit: int) -> bytes | None:
        """The bytes; None if they are not here, or more than `limit`."""
        return self._read(content, limit, self._where([content]))

    def _read(self, content: ContentId, limit: int, known: Known) -> bytes | None:
        for path in self._candidates(content, known):
            with contextlib.suppress(OSError):
                data = _read_whole(path, limit)
                if data is not None and content_of(data) == content:
                    return data
        return None

    def read_several(self, contents: Sequence[ContentId], limit: int) -> list[bytes | None]:
        """Answers for the first of `contents`, at least one, together at most `limit` bytes; None for each not here."""
        answers: list[bytes | None] = []
        left = limit
        known = self._where(contents)
        for content in contents:
            data = self._read(content, limit, known)
            if data is not None and len(data) > left and answers:
                break
            answers.append(data)
            left -= len(data or b"")
        return answers

    def read_at(self, path: RelPath, offset: int, limit: int) -> bytes:
        """What a user's file holds there just now, not verified; nothing at its end, or where it cannot be read."""
        with contextlib.suppress(OSError), open_shared(self._places.where(path)) as file:
            file.seek(offset)
            return read_up_to(file.fileno(), limit)
        return b""

    def copy_to(self, content: ContentId, target: Path) -> bool:
        """Make `target`, which must not exist, a verified copy, not flushed; False if the bytes are not here.

        Raises OSError where they may be here, but the disk fails.
        """
        failure: OSError | None = None
        for source in (*self._kept(content), *self._candidates(content)):
            try:
                if os.path.isfile(source) and copy_verified(Path(source), target, content):
                    return True
            except OSError as error:
                failure = error
        if failure is not None:
            raise failure
        return False

    def locate(self, contents: Sequence[ContentId]) -> Known:
        """Where contents were last seen, to hand to `stage_from_local`; one that is left out is not on this disk.

        One question for many: a storm of new files brings thousands that are nowhere.
        """
        known = self._where(contents)
        unseen = [content for content in contents if content not in known]
        ours = {*self._staging.having(unseen), *self._versions.having(unseen), *self._lately.keys() & unseen}
        return {**known, **{content: () for content in (*ours, EMPTY_CONTENT)}}

    def stage_from_local(self, content: ContentId, known: Known | None = None) -> bool:
        """Make sure that a content waits in staging if it is anywhere on this disk; copies are verified.

        Raises OSError where our own copy cannot be written.
        """
        if self._staging.has(content):
            return True
        if content == EMPTY_CONTENT:
            self._staging.stage_empty()
            return True
        candidates = (*self._standing(content, known), self._versions.where(content))
        return any(_unless_unreadable(self._staging.stage_copy, path, content) for path in candidates)

    def hold(self, content: ContentId, path: RelPath) -> bool:
        """Put a copy of what stands at `path` into staging, for `keep`, whatever a program saves there next.

        False if it holds something else by now. True where no copy can be made: then `keep` says why.
        """
        try:
            if self._staging.has(content) or self._versions.has(content):
                return True
            return self._staging.stage_copy(self._places.path(path), content)
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def keep(self, content: ContentId, path: RelPath) -> bool:
        """Make sure that a content is among the versions, from staging or from what stands at `path`; durably.

        False if it is neither here nor there. Raises OSError where our own copy cannot be written.
        """
        if self._versions.has(content):
            return True
        staged = self._staging.path(content)
        with contextlib.suppress(FileNotFoundError):
            sync_file(staged)
            sync_directories([self._versions.adopt(staged, content).parent], self._staging.root)
            return True
        sources = (self._places.where(path), *self._candidates(content))
        return any(_unless_unreadable(self._versions.copy_in, source, content) for source in sources)

    def unstage(self, content: ContentId) -> None:
        """A content that waits in staging is not wanted after all."""
        with contextlib.suppress(OSError):  # then it is tidied up later
            self._staging.path(content).unlink(missing_ok=True)

    def remember(self, placed: Iterable[tuple[ContentId, RelPath]]) -> None:
        """These paths hold these contents now, which `where` learns later."""
        with self._lock:
            for content, path in placed:
                self._lately[content] = path
                self._lately.move_to_end(content)
            while len(self._lately) > REMEMBERED_MAX:
                self._lately.popitem(last=False)

    # -- chunks ---------------------------------------------------------------------------------------------------

    def manifest(self, content: ContentId) -> Manifest | None:
        """The chunks of a content that is here, whole or under way; the first time this reads it all."""
        assembly = self._assemblies.get(content)
        if assembly is not None:
            return assembly.manifest
        cut = self._cut_of(content)
        return cut.manifest if cut is not None else None

    def manifest_parts(self, content: ContentId) -> list[bytes] | None:
        """The manifest encoded, in parts that fit a Response."""
        manifest = self.manifest(content)
        return encode_parts(manifest) if manifest is not None else None

    def read_chunks(self, content: ContentId, indexes: Sequence[int], limit: int) -> list[bytes | None]:
        """Answers for the first of `indexes`, at least one, together at most `limit` bytes; None for each not here."""
        assembly = self._assemblies.get(content)
        if assembly is not None and not assembly.closed:
            return [assembly.read(index) for index in _within(assembly.spans, indexes, limit)]
        cut = self._cut_of(content)
        if cut is None:
            return [None] * len(indexes)
        asked = _within(cut.spans, indexes, limit)
        missing = {index: cut.spans[index] for index in asked if 0 <= index < len(cut.spans)}
        found: dict[int, bytes] = {}
        for path in self._candidates(content):
            with contextlib.suppress(OSError), open_shared(path) as file:
                found |= _read_spans(file, missing)
            missing = {index: span for index, span in missing.items() if index not in found}
            if not missing:
                break
        return [found.get(index) for index in asked]

    def holding(self, content: ContentId) -> bytes | None:
        """Which chunks can be given: a bit for each, HOLDS_ALL, or None for none. Whether they verify shows later."""
        assembly = self._assemblies.get(content)
        if assembly is not None and not assembly.closed:
            return assembly.held()
        return HOLDS_ALL if any(map(os.path.isfile, self._candidates(content))) else None

    def note_bytes(self, content: ContentId, data: bytes) -> None:
        """A small file was read: it may have been saved just now, and is to be given to others at once."""
        self._read_lately.put_one(content, data)

    def read_lately(self, contents: Sequence[ContentId]) -> list[bytes] | None:
        """What small files held that were read a moment ago, once; None unless all of it is at hand."""
        return self._read_lately.take(contents)

    def hand_over(self, given: Mapping[ContentId, bytes]) -> None:
        """Bytes for what is to be placed now, not verified yet."""
        self._given.put(given)

    @property
    def given_bytes(self) -> int:
        """That were handed over and not taken yet."""
        return self._given.bytes

    def take_given(self, contents: Iterable[ContentId]) -> dict[ContentId, bytes]:
        """Those of them that were handed over, if they are what they should be; once."""
        given = self._given.take_any(contents)
        return {content: data for content, data in given.items() if content_of(data) == content}

    def note_cut(self, content: ContentId, layout: Layout, before: ContentId | None = None) -> None:
        """See `CutMemory.add_fresh`."""
        self.cuts.add_fresh(content, layout, before)

    def cut_before(self, content: ContentId) -> Layout:
        """How a content was cut, as far as that is in memory."""
        return self.cuts.layout(content)

    def let_go(self) -> None:
        """Nothing happens just now: what can be had again is not kept in memory."""
        self.cuts.let_go()
        self._read_lately.clear()
        self._given.clear()

    def find_chunks(self, path: RelPath, hashes: Set[bytes], may_reuse: MayReuse) -> Mapping[bytes, Source]:
        """Where on this disk chunks of the big file that is wanted at a path may lie.

        What stands at that path is read for it, unless it is known how that was cut.
        """
        here = self._places.path(path)
        near = self._chunks_known_at(path, here)
        if near:
            return self._reuse.find(hashes - near.keys(), here, may_reuse) | near
        self.cuts.save()
        found = self._reuse.find(hashes, here, may_reuse)
        if self.cuts.save():  # a file was read meanwhile, and what it held before was looked for in vain
            found |= self._reuse.find(hashes, here, may_reuse)
        return found if any(file == here for file, _offset in found.values()) else self._chunks_of(here) | found

    def resembles_another(self, spans: Collection[Span]) -> bool:
        """Whether some of these chunks seem to be in another big file here."""
        self.cuts.save()
        alike = self._lasting.alike([span.hash for span in spans])
        return any(len(known) >= ALIKE_FROM for known in alike.values())

    def file_of(self, content: ContentId) -> Path | None:
        """A file on this disk that should hold it."""
        return next((Path(file) for file in self._candidates(content) if os.path.isfile(file)), None)

    def _chunks_known_at(self, path: RelPath, here: Path) -> dict[bytes, Source]:
        """Of what was placed or read there last, if it is in memory how that is cut."""
        spans = self.cuts.latest(lambda content: self._lately.get(content) == path)
        return {digest: (here, offset) for digest, offset, _ in spans}

    def _chunks_of(self, file: Path) -> dict[bytes, Source]:
        try:
            content, spans = _cut_file(file)
        except OSError:
            return {}
        self.cuts.note(content, spans)
        return {digest: (file, offset) for digest, offset, _ in spans}

    def draft(self, size: int) -> Draft:
        """For the beginning of a big file of so many bytes, of which nobody has told yet what it is."""
        return Draft(self._staging, size)

    def under_way(self, assembly: Assembly) -> None:
        """What a big file already has can be given to others while it is put together."""
        self._assemblies[assembly.manifest.content] = assembly

    def not_under_way(self, content: ContentId) -> None:
        assembly = self._assemblies.pop(content, None)
        if assembly is not None and self._staging.has(content):
            self.cuts.add(Cut(assembly.manifest, assembly.spans))

    # -- helpers --------------------------------------------------------------------------------------------------

    def _candidates(self, content: ContentId, known: Known | None = None) -> Iterator[str]:
        """Users' files first: most contents that are asked for stand there."""
        yield from self._standing(content, known)
        yield from self._kept(content)

    def _standing(self, content: ContentId, known: Known | None = None) -> Iterator[str]:
        lately = self._lately.get(content)
        if lately is not None:
            yield self._places.where(lately)
        for path in (known if known is not None else self._where([content])).get(content, ()):
            if path != lately:
                yield self._places.where(path)

    def _files_with(self, contents: Sequence[ContentId]) -> Mapping[ContentId, Sequence[Path]]:
        """The files, users' before ours, that should hold contents; those that are nowhere are left out."""
        known = self._where(contents)
        found = {c: [Path(file) for file in self._candidates(c, known) if os.path.isfile(file)] for c in contents}
        return {content: files for content, files in found.items() if files}

    def _kept(self, content: ContentId) -> tuple[str, str]:
        return self._staging.where(content), self._versions.where(content)

    def _cut_of(self, content: ContentId) -> Cut | None:
        cut = self.cuts.at_hand(content)
        if cut is not None:
            return cut
        with self._cutting:  # several peers ask for the same one at the same time
            return self.cuts.at_hand(content) or self._cut_any(content)

    def _cut_any(self, content: ContentId) -> Cut | None:
        for path in self._candidates(content):
            with contextlib.suppress(OSError):
                found, spans = _cut_file(path)
                if found == content:
                    cut = Cut(Manifest.of(content, spans), spans)
                    self.cuts.add(cut)
                    return cut
        return None


def _unless_unreadable(copy: Callable[[Path, ContentId], bool], source: str, content: ContentId) -> bool:
    """False if the source cannot be read: then its bytes are not here. Raises OSError if the copy cannot be written."""
    try:
        return os.path.isfile(source) and copy(Path(source), content)
    except OSError as error:
        if error.errno in NOT_WRITABLE:
            raise
        return False


def _read_whole(path: str, limit: int) -> bytes | None:
    """What a file holds, unless that is more than `limit` bytes. Raises OSError."""
    descriptor, found = open_descriptor(path)
    try:
        return read_up_to(descriptor, found.st_size) if found.st_size <= limit else None
    finally:
        os.close(descriptor)


def _cut_file(path: str | Path) -> tuple[ContentId, list[Span]]:
    """What a file holds, and its chunks. Raises OSError."""
    with open_shared(path) as file:
        size = os.fstat(file.fileno()).st_size
        whole = blake3()
        chunker = Chunker(size)
        spans: list[Span] = []
        for piece in pieces(file, size, chunker.room):
            whole.update(piece)
            spans += chunker.filled(len(piece))
    return ContentId(whole.digest()), [*spans, *chunker.finish()]


def _within(spans: Sequence[Span], indexes: Sequence[int], limit: int) -> Sequence[int]:
    """As many as may be answered together."""
    left = limit
    for count, index in enumerate(indexes):
        left -= spans[index].size if 0 <= index < len(spans) else 0
        if left < 0 and count:
            return indexes[:count]
    return indexes


def _read_spans(file: FileIO, spans: Mapping[int, Span]) -> dict[int, bytes]:
    """Those chunks that verify. Raises OSError."""
    found = {}
    for index, span in spans.items():
        file.seek(span.offset)
        data = read_up_to(file.fileno(), span.size)
        if blake3(data).digest() == span.hash:
            found[index] = data
    return found
