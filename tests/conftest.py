"""What holds for all tests: those that need root say why they are skipped, and busy machines break no deadline."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.lab.system import why_not

settings.register_profile("p2psync", deadline=None, print_blob=True)
settings.load_profile("p2psync")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and (reason := why_not()):
        pytest.skip(reason)
