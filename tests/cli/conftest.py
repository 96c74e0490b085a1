"""Two PCs that share the mandate Cargo, for all tests of commands that leave them as they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.machine import Machine, company


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    """The office is accounting and admin, the other one is payroll; a test uses names of its own in the folder."""
    with company(tmp_path_factory.mktemp("pair")) as both:
        yield both


@pytest.fixture
def office(pair: tuple[Machine, Machine]) -> Machine:
    return pair[0]


@pytest.fixture
def home(pair: tuple[Machine, Machine]) -> Machine:
    return pair[1]
