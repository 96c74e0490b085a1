"""The daemon's own end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from p2psync.daemon.operations.arguments import Arguments

if TYPE_CHECKING:
    from p2psync.daemon.node import Node


async def stop(node: Node, given: Arguments) -> object:
    """Answered at once; whoever asked waits for the process to be gone."""
    given.done()
    node.ask_to_stop()
    return {"stopping": True, "pid": os.getpid()}


OPERATIONS = {"stop": stop}
