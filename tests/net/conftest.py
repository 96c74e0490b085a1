"""Alice listens, Bob dials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.net.devices import MANDATE, device, trust
from tests.net.node import NONCE, Node


@pytest_asyncio.fixture
async def alice(tmp_path: Path) -> AsyncIterator[Node]:
    """Listens for the members of a mandate that has only her yet."""
    node = Node(device(tmp_path, "alice"))
    node.table.update({MANDATE: trust(node.identity)})
    node.table.set_nonces((NONCE,))
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))
    await node.listener.start("localhost")
    yield node
    await node.listener.close()
    assert failures == []


@pytest.fixture
def bob(tmp_path: Path) -> Node:
    return Node(device(tmp_path, "bob"))
