"""Putting big files together in staging, of all mandates: from a manifest to a verified file.

What the disk does takes its time here, in threads; what is asked of whom, `engine.fetch` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial

from p2psync.core.chunking import Manifest, decode_manifest
from p2psync.core.difference import decode_difference
from p2psync.core.ids import ContentId, MandateId
from p2psync.engine.effects import Wanted
from p2psync.engine.orders import Begin, Compartment, Drop, Finish, Piece, Write
from p2psync.errors import CodecError
from p2psync.fs.assembly import Assembly, FindChunks
from p2psync.fs.contents import Contents
from p2psync.fs.staging import Staging

MayReuse = Callable[[Compartment, Sequence[ContentId]], Set[ContentId]]


@dataclass(frozen=True, slots=True)
class MandateContents:
    """What the transfer needs of one mandate's folder."""

    staging: Staging
    contents: Contents


@dataclass(frozen=True, slots=True)
class Written:
    order: Write
    bad: Collection[int]


@dataclass(frozen=True, slots=True)
class Begun:
    order: Begin
    pieces: Sequence[Piece] | None
    malformed: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    order: Finish
    whole: bool


@dataclass(frozen=True, slots=True)
class Lacking:
    order: Finish
    pieces: Sequence[Piece]


class Assembling:
    """The files that are under way. All methods raise OSError where this disk fails."""

    def __init__(self, folders: Mapping[MandateId, MandateContents], may_reuse: MayReuse) -> None:
        """`folders` is looked into at every use."""
        self._folders = folders
        self._may_reuse = may_reuse
        self._under_way: dict[tuple[Compartment, ContentId], Assembly] = {}

    def begin(self, begin: Begin, wanted: Wanted | None) -> Begun:
        """Take up a file: what of it is to be asked for. What lies elsewhere on this disk comes by `copy`."""
        try:
            manifest = self._manifest(begin, wanted)
        except CodecError:
            return Begun(begin, None, malformed=True)
        if manifest is None or wanted is None or manifest.content != begin.content or manifest.size != wanted.size:
            return Begun(begin, None)  # the size may be the author's lie and not the peer's
        folder = self._folders[begin.compartment.mandate]
        before = self._under_way.pop((begin.compartment, begin.content), None)
        if before is not None:
            before.close(keep=True)
        assembly = Assembly(folder.staging, manifest, begin.compartment.file_class)
        self._under_way[begin.compartment, begin.content] = assembly
        if assembly.missing:
            assembly.reuse(self._finder(begin, wanted, folder.contents))
        folder.contents.under_way(assembly)
        return Begun(begin, assembly.pieces())

    def _finder(self, begin: Begin, wanted: Wanted, contents: Contents) -> FindChunks:
        if begin.base is not None:
            base = begin.base
            return lambda hashes: contents.chunks_of(base)
        may_reuse = partial(self._may_reuse, begin.compartment)
        return lambda hashes: contents.find_chunks(wanted.path, hashes, may_reuse)

    def _manifest(self, begin: Begin, wanted: Wanted | None) -> Manifest | None:
        """None if it tells nothing here. Raises CodecError."""
        if begin.base is None:
            return decode_manifest(begin.manifest)
        if wanted is None or begin.base not in self._may_reuse(begin.compartment, [begin.base]):
            return None
        base = self._folders[begin.compartment.mandate].contents.cuts.at_hand(begin.base)
        if base is None:
            return None
        return decode_difference(begin.manifest, begin.content, wanted.size, base.manifest)

    def copy(self, begin: Begin) -> None:
        """Bring what lies elsewhere on this disk, while the rest is on its way."""
        assembly = self._under_way.get((begin.compartment, begin.content))
        if assembly is not None:
            assembly.copy()

    def write(self, write: Write) -> Written:
        assembly = self._under_way.get((write.compartment, write.content))
        return Written(write, assembly.write(write.chunks, write.data) if assembly is not None else ())

    def finish(self, finish: Finish) -> Finished | Lacking:
        """Verify it; what of it was not elsewhere on this disk after all is to be asked for, too."""
        key = finish.compartment, finish.content
        assembly = self._under_way.get(key)
        if assembly is None:
            return Finished(finish, False)
        whole: bool | None = False
        try:
            whole = assembly.finish()
        finally:
            if whole is not None:
                self._forget(*key)
        return Finished(finish, whole) if whole is not None else Lacking(finish, assembly.pieces())

    def drop(self, drop: Drop) -> None:
        """What is half done stays for the next time."""
        assembly = self._under_way.get((drop.compartment, drop.content))
        if assembly is not None:
            try:
                assembly.close(keep=True)
            finally:
                self._forget(drop.compartment, drop.content)

    def close(self) -> None:
        """At the end: what is half done stays for the next time."""
        for assembly in self._under_way.values():
            assembly.close(keep=True)
        self._under_way.clear()

    def _forget(self, compartment: Compartment, content: ContentId) -> None:
        del self._under_way[compartment, content]
        self._folders[compartment.mandate].contents.not_under_way(content)
