"""What is given, asked and reused within which bounds: a mandate's files of one class, where rules restrict any.

A member outside a restricted class may name a content that he only guesses at in a file of his own. Nobody may place
it for him from files of that class, nor give it to him: so it counts for what files a content is here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Protocol

from p2psync.core.authority import Authority
from p2psync.core.block import AUTHORITY, ORDINARY
from p2psync.core.ids import EMPTY_CONTENT, ContentId, DeviceId, MandateId
from p2psync.core.relpath import RelPath
from p2psync.core.value import value
from p2psync.daemon.contents.reading import Reading
from p2psync.daemon.threads import Threads
from p2psync.engine.orders import Compartment
from p2psync.fs.contents import Contents


class Bounds(Protocol):
    """What the transfer asks; may be called from any thread."""

    def is_open_to(self, link: int, compartment: Compartment) -> bool:
        """Whether the member on a link may be asked for contents of these files, and hear which are wanted."""
        ...

    def may_give(self, link: int, compartment: Compartment, contents: Sequence[ContentId]) -> Sequence[bool]:
        """Whether the member on a link may have each content for such files."""
        ...

    def may_reuse(self, compartment: Compartment, contents: Sequence[ContentId]) -> Set[ContentId]:
        """Of these contents, those that may be looked for on this disk."""
        ...


@value
class Stock:
    """What this device can give to others."""

    contents: Callable[[MandateId], Contents | None]
    """Of a mandate; None while its folder is not there."""
    bounds: Bounds
    """Asked for every content."""
    threads: Threads
    """In which it is read."""


Where = tuple[Compartment, RelPath]
"""A file of which the content has no name yet."""


class Compartments:
    """The bounds of all mandates of one device."""

    def __init__(
        self,
        member: Callable[[int, MandateId], DeviceId | None],
        authority: Callable[[MandateId], Authority | None],
        reading: Callable[[MandateId], Reading | None],
    ) -> None:
        """`member` is who a mandate's session on a link is with; all give None for what is not there (any more)."""
        self._member = member
        self._authority = authority
        self._reading = reading

    def is_open_to(self, link: int, compartment: Compartment) -> bool:
        device, authority = self._member(link, compartment.mandate), self._authority(compartment.mandate)
        return device is not None and authority is not None and authority.may_read(device, compartment.file_class)

    def may_give(self, link: int, compartment: Compartment, contents: Sequence[ContentId]) -> Sequence[bool]:
        reading = self._reading(compartment.mandate)
        if reading is None or compartment.file_class == AUTHORITY or not self.is_open_to(link, compartment):
            return [False] * len(contents)
        given = reading.named_in(compartment.file_class, contents) & self.may_reuse(compartment, contents)
        return [content in given for content in contents]

    def may_reuse(self, compartment: Compartment, contents: Sequence[ContentId]) -> Set[ContentId]:
        authority, reading = self._authority(compartment.mandate), self._reading(compartment.mandate)
        if authority is None or reading is None:
            return frozenset()
        if not authority.rules.restrictions:
            return frozenset(contents) if compartment.file_class == ORDINARY else frozenset()
        holders = reading.holders(contents)

        def is_here(content: ContentId) -> bool:
            paths = holders.get(content, ())
            return content == EMPTY_CONTENT or any(_class(authority, path) == compartment.file_class for path in paths)

        return {content for content in contents if is_here(content)}


def _class(authority: Authority, path: RelPath) -> str:
    return authority.rules.class_id(path) or ORDINARY
