"""A member's end of a stream through the relay: a transport on which the two members' own TLS runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, cast

from p2psync.errors import CodecError, LinkError
from p2psync.i18n import _
from p2psync.proxies import Proxy
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.protocol.messages import Reason
from p2psync.rendezvous.protocol.streams import Join, reason_of
from p2psync.rendezvous.trust import WrongKey, check_key, context_for
from p2psync.rendezvous.words import described, other_version, refusal, wrong_key

OPEN_S: Final = 25.0
"""A little longer than a host waits for the other side."""
SHUTDOWN_S: Final = 1.0


async def open_stream(
    address: HostAddress,
    join: Join,
    protocol: Callable[[], asyncio.BaseProtocol],
    timeout_s: float = OPEN_S,
    proxy: Proxy | None = None,
) -> asyncio.Transport:
    """A stream to the member that joins it too, driving what `protocol` makes: to it, this is like any connection.

    Raises LinkError if the host cannot be reached or refuses, or nobody comes.
    """
    beginning = _Beginning(address, join, protocol)
    try:
        async with asyncio.timeout(timeout_s):
            transport = await _connect(address, beginning, proxy)
            try:
                await beginning.over
            except BaseException:
                transport.abort()
                raise
    except WrongKey:
        raise wrong_key(address) from None
    except TimeoutError:
        raise LinkError(
            _("The meeting host {host} did not answer within {seconds:g} s").format(host=address.url, seconds=timeout_s)
        ) from None
    except OSError as error:
        raise described(address, error) from error
    finally:
        if not beginning.over.cancel() and not beginning.over.cancelled():
            beginning.over.exception()  # looked at, lest asyncio complains where something else failed first
    return transport


async def _connect(address: HostAddress, beginning: _Beginning, proxy: Proxy | None) -> asyncio.Transport:
    """Raises LinkError, or OSError."""
    tls = partial(
        asyncio.get_running_loop().create_connection,
        ssl=context_for(address),
        server_hostname=address.host,
        ssl_shutdown_timeout=SHUTDOWN_S,
    )
    if proxy is None:
        transport, _made = await tls(lambda: beginning, address.host, address.port)
    else:
        transport, _made = await tls(lambda: beginning, sock=await proxy.connect(address.host, address.port))
    return transport


class _Beginning(asyncio.BufferedProtocol):
    """Until the host says that both sides are there. It reads a single byte: the next one is the other side's."""

    def __init__(self, address: HostAddress, join: Join, protocol: Callable[[], asyncio.BaseProtocol]) -> None:
        self._address = address
        self._join = join
        self._protocol = protocol
        self._answer = bytearray(1)
        self._transport: asyncio.Transport
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        try:
            check_key(self._address, transport)
        except WrongKey as error:
            self._fail(error)
            return
        self._transport.write(self._join.pack())

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self._answer)

    def buffer_updated(self, nbytes: int) -> None:
        try:
            reason = reason_of(self._answer[0])
        except CodecError:
            self._fail(other_version(self._address))
            return
        if reason is not None:
            self._fail(refusal(self._address, reason))
        elif not self.over.done():
            protocol = self._protocol()
            self._transport.set_protocol(protocol)
            protocol.connection_made(self._transport)
            self.over.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(refusal(self._address, Reason.ENDING))

    def _fail(self, error: Exception) -> None:
        self._transport.abort()
        if not self.over.done():
            self.over.set_exception(error)
