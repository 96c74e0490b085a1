"""What holds for all tests: those that need root say why they are skipped, and busy machines break no deadline."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.lab.system import why_not

for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "P2PSYNC_PROXY"):
    os.environ.pop(name, None)  # what leads out of this machine leads out of a test's network
    os.environ.pop(name.lower(), None)

settings.register_profile("p2psync", deadline=None, print_blob=True)
settings.load_profile("p2psync")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and (reason := why_not()):
        pytest.skip(reason)
