"""The two states, each with a mandate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from p2psync.engine.state import MandateState
from tests.contracts.rows import MANDATE, MemoryStore, SqliteStore, Store


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "state.db")
    yield made
    made.close()


@pytest.fixture
def state(store: Store) -> MandateState:
    return store.state.add_mandate(MANDATE)
