"""Who is told of changes that count nowhere, since their author may not, or might not any more, make them."""

from __future__ import annotations

from collections.abc import Sequence

from p2psync.core.changelog import Stated
from p2psync.core.ids import DeviceId, device_text
from p2psync.core.problem import Code, Problem
from p2psync.engine.ledger import Taken
from p2psync.engine.site import Site

REFUSED_SEEN_MAX = 500
"""Of the changes that count nowhere, those taken in last that are looked at."""


class Refusals:
    """Of one mandate."""

    def __init__(self, site: Site, device: DeviceId):
        self._site = site
        self._device = device
        self._told = {change.id for change in site.state.refused(REFUSED_SEEN_MAX)}
        self._count = site.state.refused_count()

    def tell(self, taken: Sequence[Taken]) -> None:
        """After blocks came in: whoever made what counts nowhere since then hears of which files, admins of whom."""
        count, self._count = self._count, self._site.state.refused_count()
        if count == self._count and not any(one.authority_changed for one in taken):
            return
        refused = self._site.state.refused(REFUSED_SEEN_MAX)
        news = [change for change in refused if change.id not in self._told]
        self._told = {change.id for change in refused}
        if self._device in self._site.ledger.authority.members:
            self._tell(news)

    def _tell(self, news: Sequence[Stated]) -> None:
        own = sorted({change.path for change in news if change.author == self._device})
        problems = {self._site.refused(path) for path in own}
        if self._site.ledger.authority.is_admin(self._device):
            problems.update(self._of_another(change) for change in news if change.author != self._device)
        self._site.state.put_problems(sorted(problems))
        for path in own:
            self._site.scope.notice("edit.refused", self._site.mandate, path=path)

    def _of_another(self, change: Stated) -> Problem:
        found = self._site.refused(change.path)
        return (
            found if found.code is Code.PERIOD_FROZEN else Problem("", Code.BLOCK_REFUSED, device_text(change.author))
        )
