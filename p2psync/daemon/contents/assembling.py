"""Putting big files together in staging, of all mandates: from a manifest to a verified file.

What the disk does takes its time here, in threads; what is asked of whom, `engine.fetch` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial

from p2psync.core.chunking import Manifest, decode_manifest
from p2psync.core.difference import Taken, decode_difference
from p2psync.core.ids import ContentId, MandateId
from p2psync.engine.effects import Wanted
from p2psync.engine.orders import Begin, Compartment, Drop, Finish, Piece, Write
from p2psync.errors import CodecError
from p2psync.fs.assembly import Assembly
from p2psync.fs.contents import Contents
from p2psync.fs.cut_memory import Cut
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
        folder = self._folders[begin.compartment.mandate]
        base = self._base(begin, folder.contents)
        try:
            decoded = _decoded(begin, wanted, base)
        except CodecError:
            return Begun(begin, None, malformed=True)
        if decoded is None or wanted is None:
            return Begun(begin, None)
        manifest, taken = decoded
        if manifest.content != begin.content or manifest.size != wanted.size:
            return Begun(begin, None)  # the size may be the author's lie and not the peer's
        before = self._under_way.pop((begin.compartment, begin.content), None)
        if before is not None:
            before.close(keep=True)
        assembly = Assembly(folder.staging, manifest, begin.compartment.file_class)
        self._under_way[begin.compartment, begin.content] = assembly
        if base is not None:
            file = folder.contents.file_of(base.manifest.content)
            if file is not None:
                assembly.reuse_version(file, base.spans, taken)
        elif assembly.missing:
            may_reuse = partial(self._may_reuse, begin.compartment)
            assembly.reuse(lambda hashes: folder.contents.find_chunks(wanted.path, hashes, may_reuse))
        folder.contents.under_way(assembly)
        return Begun(begin, assembly.pieces())

    def _base(self, begin: Begin, contents: Contents) -> Cut | None:
        """How the version is cut that the manifest starts from, if it does and that may be known here."""
        if begin.base is None or begin.base not in self._may_reuse(begin.compartment, [begin.base]):
            return None
        return contents.cuts.at_hand(begin.base)

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


def _decoded(begin: Begin, wanted: Wanted | None, base: Cut | None) -> tuple[Manifest, list[Taken]] | None:
    """And what the base has of it; None if it tells nothing here. Raises CodecError."""
    if begin.base is None:
        return decode_manifest(begin.manifest), []
    if wanted is None or base is None:
        return None
    return decode_difference(begin.manifest, begin.content, wanted.size, base.manifest)
