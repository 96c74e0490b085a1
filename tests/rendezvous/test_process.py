"""A host runs until a signal ends it, and then cleanly."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from p2psync.errors import ConfigError
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.process import run, serve
from p2psync.rendezvous.server import Server, Settings
from tests.rendezvous.hosting import LOOPBACK, PATIENCE_S


@pytest.mark.skipif(os.name != "posix", reason="signals are sent by POSIX's kill")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.asyncio
async def test_a_signal_ends_it(certificate: Certificate, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    ports: list[int] = []
    told: list[str] = []

    def ready(server: Server) -> None:
        ports.append(server.port)
        os.kill(os.getpid(), number)

    async with asyncio.timeout(PATIENCE_S):
        assert await serve(Settings(certificate, LOOPBACK, 0), ready, told.append) == 0
    assert ports[0] > 0
    assert told == []
    assert signal.getsignal(number) is before


def test_what_it_cannot_begin_with_is_told(certificate: Certificate) -> None:
    with pytest.raises(ConfigError, match="no-such-host"):
        run(Settings(certificate, "no-such-host.invalid", 0), lambda _server: None, lambda _text: None)
