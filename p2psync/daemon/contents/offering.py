"""How a big file that is being saved is cut goes ahead of the change that names it, as what is new in it.

Its quiet time, and the time until somebody has read the change and asked, are time in which the others can put it
together. An offer is a hint as a push is: who does not know the version before passes it over.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Set

from p2psync.core.ids import ContentId
from p2psync.daemon.contents.compartments import Stock
from p2psync.daemon.contents.pushing import SendPush
from p2psync.daemon.expiry import Expiry
from p2psync.daemon.tasks import Tasks
from p2psync.engine.effects import OfferContent
from p2psync.engine.orders import Compartment
from p2psync.wire.codec import encode
from p2psync.wire.messages import Offer

OFFERED_MAX = 64
"""Contents that may be given though no change names them yet; the others were offered long ago."""
UNCLAIMED_S = 30.0
"""So long a file waits here for the change that names it: by then it was announced, or saved again."""


class Offering:
    """The offers of one device, out and in. All methods are for the event loop."""

    def __init__(self, tasks: Tasks, stock: Stock, send: SendPush) -> None:
        self._tasks = tasks
        self._stock = stock
        self._send = send
        self._offered: OrderedDict[tuple[Compartment, ContentId], None] = OrderedDict()
        self._unclaimed: Expiry[tuple[Compartment, ContentId]] = Expiry(self._expire)

    def offer(self, effect: OfferContent, links: Iterable[int]) -> None:
        """Tell the members on these links who may read the file; what is new is told once each time it was read."""
        compartment = Compartment(effect.mandate, effect.file_class)
        contents = self._stock.contents(effect.mandate)
        open_links = [link for link in links if self._stock.bounds.is_open_to(link, compartment)]
        if contents is None or not open_links:
            return
        difference = contents.cuts.difference(effect.content, effect.base)
        if difference is None:
            return
        self._offered[compartment, effect.content] = None
        if len(self._offered) > OFFERED_MAX:
            self._offered.popitem(last=False)
        contents.remember([(effect.content, effect.path)])
        frame = encode(Offer(effect.mandate, effect.content, effect.size, effect.base, difference, effect.file_class))
        for link in open_links:
            self._send(link, frame)

    def is_offered(self, compartment: Compartment, content: ContentId) -> bool:
        """Whether who may read files of this class may have the content, whatever changes name."""
        return (compartment, content) in self._offered

    def came(self, compartment: Compartment, content: ContentId) -> None:
        """A file was put together because a peer offered it, and lies in staging: it goes if it is not claimed soon."""
        self._unclaimed.begin((compartment, content), UNCLAIMED_S)

    def claim(self, compartment: Compartment, contents: Iterable[ContentId]) -> Set[ContentId]:
        """A change names these contents; returns those that were put together before."""
        claimed = {content for content in contents if (compartment, content) in self._unclaimed}
        for content in claimed:
            self._unclaimed.end((compartment, content))
        return claimed

    def close(self) -> None:
        """What was not claimed by now waits for the next start to be sorted out."""
        self._unclaimed.close()

    def _expire(self, key: tuple[Compartment, ContentId]) -> None:
        compartment, content = key
        contents = self._stock.contents(compartment.mandate)
        if contents is not None:
            self._tasks.start(self._stock.threads.local(contents.unstage, content), "unclaimed")
