"""A visit to a meeting host: the connection, with what may go wrong with it in sentences for people."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Final

import aiohttp

from p2psync.errors import CodecError
from p2psync.proxies import PROXY_S, Proxy
from p2psync.rendezvous import words
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.protocol.messages import (
    MEET_PATH,
    MESSAGE_BYTES_MAX,
    VERSION,
    Message,
    Reason,
    Welcome,
    decode,
)
from p2psync.rendezvous.trust import WrongKey, check_key, context_for
from p2psync.system.sockets import shared_socket

CONNECT_S: Final = 15.0
ALIVE_S: Final = 40.0
"""How often the host is asked whether it is still there; it has half of that to answer."""


async def call(
    address: HostAddress, stack: contextlib.AsyncExitStack, local_port: int = 0, proxy: Proxy | None = None
) -> aiohttp.ClientWebSocketResponse:
    """A connection that ends with `stack`; from a port that others use too, if one is named. Raises LinkError."""
    try:
        if proxy is None:
            return await _connect(address, stack, _direct(local_port), proxied=False)
        with proxy.explained(address.host, address.port):
            return await _connect(address, stack, _through(proxy), proxied=True)
    except (aiohttp.ServerFingerprintMismatch, WrongKey):
        raise words.wrong_key(address) from None
    except aiohttp.ClientConnectorCertificateError as error:
        raise words.unverified(address, error.certificate_error) from error
    except aiohttp.ClientConnectorError as error:
        raise words.described(address, error.os_error) from error
    except aiohttp.WSServerHandshakeError as error:
        raise words.no_host(address) from error
    except TimeoutError as error:
        raise words.silent(address) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        if isinstance(error.__cause__, ssl.SSLError):
            raise words.described(address, error.__cause__) from error
        raise (words.described(address, OSError(str(error))) if str(error) else words.silent(address)) from error


async def welcome(address: HostAddress, connection: aiohttp.ClientWebSocketResponse) -> Welcome:
    """What a host says first. Raises LinkError if it is none, or of another version."""
    first = await receive(address, connection)
    if not isinstance(first, Welcome):
        raise words.no_host(address)
    if first.version != VERSION:
        raise words.other_version(address)
    return first


async def receive(address: HostAddress, connection: aiohttp.ClientWebSocketResponse) -> Message:
    """The next message. Raises LinkError."""
    message = await connection.receive()
    if message.type is not aiohttp.WSMsgType.BINARY:
        raise words.refusal(address, Reason.ENDING)
    try:
        return decode(message.data)
    except CodecError:
        raise words.other_version(address) from None


async def seen_from(address: HostAddress, local_port: int) -> tuple[str, int]:
    """The IP address and TCP port under which the host sees a connection from this local port. Raises LinkError."""
    async with contextlib.AsyncExitStack() as stack:
        connection = await call(address, stack, local_port)
        async with asyncio.timeout(CONNECT_S):
            said = await welcome(address, connection)
    return said.host, said.port


async def _connect(
    address: HostAddress, stack: contextlib.AsyncExitStack, connector: aiohttp.TCPConnector, proxied: bool
) -> aiohttp.ClientWebSocketResponse:
    patience = aiohttp.ClientTimeout(sock_connect=PROXY_S)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=patience))
    async with asyncio.timeout(CONNECT_S):
        connection = await session.ws_connect(
            address.url.replace("wss://", "https://") + MEET_PATH,
            ssl=_Pinned(address, proxied) if address.pin is not None else context_for(address),
            heartbeat=ALIVE_S,
            max_msg_size=MESSAGE_BYTES_MAX,
            compress=0,
            timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
        )
    stack.push_async_callback(connection.close)
    return connection


def _direct(local_port: int) -> aiohttp.TCPConnector:
    def shared(info: aiohttp.AddrInfoType) -> socket.socket:
        return shared_socket(info[0], local_port)

    return aiohttp.TCPConnector(limit=1, force_close=True, socket_factory=shared if local_port else None)


def _through(proxy: Proxy) -> aiohttp.TCPConnector:
    from aiohttp_socks import ProxyConnector, ProxyType

    return ProxyConnector(
        *(proxy.host, proxy.port, ProxyType[proxy.kind.upper()], proxy.user, proxy.password),
        rdns=True,
        limit=1,
        force_close=True,
    )


class _Pinned(aiohttp.Fingerprint):
    """aiohttp asks this once TLS is up, before it says anything."""

    def __init__(self, address: HostAddress, proxied: bool) -> None:
        super().__init__(address.pin or b"")
        self._proxied = proxied
        self._address = address

    def check(self, transport: asyncio.Transport) -> None:
        try:
            check_key(self._address, transport)
        except WrongKey:
            if self._proxied:
                transport.abort()
                raise
            # What aiohttp expects: it closes the connection, and tries the host's other addresses, which a proxy hides.
            raise aiohttp.ServerFingerprintMismatch(
                self.fingerprint, b"", self._address.host, self._address.port
            ) from None
