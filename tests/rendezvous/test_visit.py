"""A visit shows a device how the host sees it, also from a port that it listens on. What fails, `test_client` tells."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import replace

import pytest

from p2psync.errors import LinkError
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.visit import call, seen_from, welcome
from tests.rendezvous.hosting import LOOPBACK, address_of, hosting


@pytest.mark.asyncio
async def test_a_port_is_seen_as_what_it_is_where_nothing_translates(certificate: Certificate) -> None:
    async with hosting(certificate) as server:
        with socket.socket() as ears:
            ears.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            ears.bind((LOOPBACK, 0))
            ears.listen()
            port = ears.getsockname()[1]
            assert await seen_from(address_of(server), port) == (LOOPBACK, port)


@pytest.mark.asyncio
async def test_the_pinned_key_counts(certificate: Certificate) -> None:
    async with hosting(certificate) as server, contextlib.AsyncExitStack() as stack:
        address = address_of(server)
        assert (await welcome(address, await call(address, stack))).relay
        with pytest.raises(LinkError, match="another key"):
            await seen_from(replace(address, pin=bytes(32)), 0)
