"""A visit shows a device how the host sees it, also from a port that it listens on. What fails, `test_client` tells."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import replace

import pytest

from p2psync.errors import LinkError
from p2psync.proxies import Proxy
from p2psync.rendezvous.certificate import Certificate
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.visit import call, seen_from, welcome
from tests.proxying import NAME, proxying
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


@pytest.mark.parametrize("kind", ["socks5", "http"])
@pytest.mark.asyncio
async def test_a_host_is_reached_through_a_proxy(certificate: Certificate, kind: str) -> None:
    async with hosting(certificate) as server, proxying(login=("anna", "s3cret")) as middle:
        address = replace(address_of(server), host=NAME)
        async with contextlib.AsyncExitStack() as stack:
            proxy = middle.named(kind, "anna", "s3cret")
            assert (await welcome(address, await call(address, stack, proxy=proxy))).host == LOOPBACK
        assert middle.asked == [(NAME, server.port)]
        for pin, sentence in (bytes(32), "another key"), (None, "certificate .* is not valid"):
            with pytest.raises(LinkError, match=sentence):
                async with contextlib.AsyncExitStack() as stack:
                    await call(replace(address, pin=pin), stack, proxy=proxy)
        with pytest.raises(LinkError, match="another user name and password"):
            async with contextlib.AsyncExitStack() as stack:
                await call(address, stack, proxy=middle.named(kind))


@pytest.mark.asyncio
async def test_a_proxy_that_goes_nowhere_is_named() -> None:
    async with contextlib.AsyncExitStack() as stack:
        with pytest.raises(LinkError, match=r"The proxy socks5://127\.0\.0\.1:1 cannot be reached"):
            await call(HostAddress(NAME, 443, None), stack, proxy=Proxy("socks5", LOOPBACK, 1))
