"""What the tests of the rendezvous share: a host's key, made once."""

from __future__ import annotations

import pytest

from p2psync.rendezvous.certificate import Certificate, own


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return own(tmp_path_factory.mktemp("rendezvous"))
