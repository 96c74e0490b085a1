"""WebRTC on loopback: aioice would leave that address out."""

from __future__ import annotations

import pytest

LOOPBACK = "127.0.0.1"


@pytest.fixture
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Candidates are of loopback only."""
    import aioice.ice

    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: [LOOPBACK])
