"""What comes of a big file while another device still reads it: a draft, which the change that names the file takes up.

What nobody names is given up, and whoever sends wrong pieces wins nothing: each chunk counts only if it verifies.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

from p2psync.core.ids import ContentId
from p2psync.core.relpath import RelPath
from p2psync.core.value import mutable
from p2psync.daemon.contents.compartments import Stock, Where
from p2psync.daemon.contents.serving import Send
from p2psync.daemon.expiry import Expiry
from p2psync.daemon.linking.bandwidth import Bandwidth
from p2psync.daemon.tasks import Tasks
from p2psync.engine.effects import Wanted
from p2psync.engine.orders import Compartment
from p2psync.errors import LinkError
from p2psync.fs.draft import Draft
from p2psync.wire.messages import Ahead, Credit

UNCLAIMED_S = 30.0
"""So long a draft waits for more of it, or for the change that names its file."""
DRAFTS_MAX = 8


@mutable
class _Coming:
    """A draft at work."""

    draft: Draft
    link: int
    whole: int
    """Bytes of the file."""
    end: int = 0
    """Bytes that came."""

    def goes_on_with(self, link: int, piece: Ahead) -> bool:
        is_next = (link, piece.whole, piece.offset) == (self.link, self.whole, self.end)
        return is_next and piece.offset + piece.size <= piece.whole


class Drafting:
    """The drafts of one device. All methods are for the event loop."""

    def __init__(self, tasks: Tasks, stock: Stock, send: Send, bandwidth: Bandwidth) -> None:
        """`send` returns when the link can take more."""
        self._tasks = tasks
        self._stock = stock
        self._send = send
        self._bandwidth = bandwidth
        self._coming: dict[Where, _Coming] = {}
        self._expiry: Expiry[Where] = Expiry(self._give_up)

    def came(self, link: int, piece: Ahead) -> bool:
        """False for what is not kept."""
        where = Compartment(piece.mandate, piece.file_class), RelPath(piece.path)
        if piece.offset == 0 and not self._bandwidth.limits_asking(link):
            self._begin(link, piece, where)
        coming = self._coming.get(where)
        if coming is None or not coming.goes_on_with(link, piece):
            return False
        coming.end += piece.size
        self._expiry.used(where)
        self._tasks.start(self._append(coming, piece), "draft")
        return True

    def _begin(self, link: int, piece: Ahead, where: Where) -> None:
        contents = self._stock.contents(piece.mandate)
        self._give_up(where)
        if contents is not None and len(self._coming) < DRAFTS_MAX:
            self._coming[where] = _Coming(contents.draft(piece.whole), link, piece.whole)
            self._expiry.begin(where, UNCLAIMED_S)

    async def _append(self, coming: _Coming, piece: Ahead) -> None:
        if await self._stock.threads.quick(coming.draft.append, piece.data):
            end = piece.offset + piece.size
            with contextlib.suppress(LinkError):  # who closed it tells everybody
                await self._send(coming.link, Credit(piece.mandate, piece.path, end, piece.file_class))

    def claim(self, compartment: Compartment, wanted: Iterable[Wanted]) -> Mapping[ContentId, Draft]:
        """A change names what these paths hold: what came of them, which is given over to whoever asks."""
        found = {}
        for one in wanted:
            draft = self._take((compartment, one.path))
            if draft is not None:
                found[one.content] = draft
        return found

    def close(self) -> None:
        """After the threads have ended: what was not claimed by now goes."""
        for where in tuple(self._coming):
            draft = self._take(where)
            if draft is not None:
                draft.drop()

    def _take(self, where: Where) -> Draft | None:
        self._expiry.end(where)
        coming = self._coming.pop(where, None)
        return coming.draft if coming is not None else None

    def _give_up(self, where: Where) -> None:
        draft = self._take(where)
        if draft is not None:
            self._tasks.start(self._stock.threads.quick(draft.drop), "draft")
