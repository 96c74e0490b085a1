"""What a running daemon can be asked to do, by name: the command line, the web page and programs all come here.

Each module gathers the operations about one noun in its `OPERATIONS`; adding a module to `MODULES` is all it takes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from p2psync.daemon.operations import (
    attachments,
    books,
    conflicts,
    doctor,
    holdings,
    log,
    mandates,
    masters,
    members,
    periods,
    postings,
    recovery,
    runs,
    status,
    verify,
    versions,
)
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.result import OperationResult
from p2psync.errors import UsageError

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

Operation = Callable[["Node", Arguments], Awaitable[object]]
"""Returns what is ready for JSON, or an OperationResult where the exit code is not 0."""

MODULES = (
    *(status, mandates, members, recovery, runs, conflicts, versions, attachments, books, masters, postings, periods),
    *(log, verify, doctor, holdings),
)


class Operations:
    """The operations of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._table: dict[str, Operation] = {}
        for module in MODULES:
            self._table.update(module.OPERATIONS)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all operations, sorted."""
        return tuple(sorted(self._table))

    async def call(self, name: str, arguments: Mapping[str, object]) -> OperationResult:
        """Perform one. Raises UsageError for wrong arguments, another P2PSyncError if it fails."""
        operation = self._table.get(name)
        if operation is None:
            raise UsageError("There is no operation {name}.", name=name)
        result = await operation(self._node, Arguments(arguments))
        return result if isinstance(result, OperationResult) else OperationResult(result)
