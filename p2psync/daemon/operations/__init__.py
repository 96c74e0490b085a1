"""What a running daemon can be asked to do, by name: the command line, the web page and programs all come here.

Each module gathers the operations about one noun in its `OPERATIONS`, and stands in `OFTEN` or `SELDOM` here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from p2psync.daemon.operations import mandates, runs, status
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.result import OperationResult
from p2psync.errors import UsageError

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

Operation = Callable[["Node", Arguments], Awaitable[object]]
"""Returns what is ready for JSON, or an OperationResult where the exit code is not 0."""

OFTEN = (status, mandates, runs)
SELDOM: Mapping[str, Sequence[str]] = {
    "members": (
        *("devices", "devices.approve", "devices.person", "devices.primary", "devices.revoke", "devices.role"),
        *("invite", "invites", "invites.cancel"),
    ),
    "joining": ("join", "join.show"),
    "recovery": ("mandate.recovery", "mandate.recovery.saved"),
    "conflicts": ("conflicts", "conflicts.keep"),
    "versions": ("restore", "versions"),
    "attachments": ("attach", "attach.follow", "attached", "deliver", "detach", "inbox", "migrate"),
    "books": ("chart", "check"),
    "masters": ("chart.import", "chart.remove", "chart.set", "chart.unfollow", "rules.open"),
    "postings": ("pending", "posted"),
    "periods": ("period", "period.current", "period.freeze", "period.preview", "period.unfreeze"),
    "log": ("log", "log.export", "log.verify"),
    "verify": ("verify", "verify.last"),
    "doctor": ("doctor",),
    "holdings": ("mandate.files", "mandate.open"),
}
"""Module: its operations. It is imported when somebody wants one of them; on most days nobody does."""
MODULE_OF = {name: module for module, names in SELDOM.items() for name in names}


class Operations:
    """The operations of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._table: dict[str, Operation] = {}
        for module in OFTEN:
            self._table.update(module.OPERATIONS)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all operations, sorted."""
        return tuple(sorted({*self._table, *MODULE_OF}))

    async def call(self, name: str, arguments: Mapping[str, object]) -> OperationResult:
        """Perform one. Raises UsageError for wrong arguments, another P2PSyncError if it fails."""
        if name not in self._table:
            await self._learn(name)
        result = await self._table[name](self._node, Arguments(arguments))
        return result if isinstance(result, OperationResult) else OperationResult(result)

    async def _learn(self, name: str) -> None:
        """In a thread: an import may take longer than the event loop should be kept waiting."""
        if name not in MODULE_OF:
            raise UsageError("There is no operation {name}.", name=name)
        module = await asyncio.to_thread(import_module, f"{__name__}.{MODULE_OF[name]}")
        self._table.update(module.OPERATIONS)
