"""TLS over any asyncio transport, done here with MemoryBIO: the carrier of a `FramedLink`.

asyncio's own TLS drops the alert that says why a handshake failed, and needs a socket; a relay and a data channel
have none. Here an alert always goes out before the connection is closed, and a transport is whatever takes bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Final, cast

from p2psync.core.address import host_and_port
from p2psync.errors import LinkClosed, LinkError, PeerRefused
from p2psync.i18n import _
from p2psync.net.link import FramedLink

READ_BYTES: Final = 256 * 1024
"""Taken from the transport at once; a whole bulk frame."""
HANDSHAKE_READ_BYTES: Final = 8 * 1024
"""The same of somebody who is not known yet, and may be one of thousands."""
RECORD_BYTES: Final = 16 * 1024
"""The most that one TLS record carries."""
WRITE_BUFFER_BYTES_MAX: Final = 256 * 1024
"""Ciphertext that the transport may hold before bulk waits."""
HANDSHAKE_S: Final = 10.0
LINGER_S: Final = 1.0
"""After a refusal the other side may still be talking; closing at once would reset the connection under the alert."""

_REFUSALS = (
    "ALERT_UNKNOWN_CA",
    "ALERT_BAD_CERTIFICATE",
    "ALERT_CERTIFICATE",
    "ALERT_ACCESS_DENIED",
    "UNRECOGNIZED_NAME",
)
"""Parts of OpenSSL's names for the alerts by which the other side says: not you."""


class TlsStream(asyncio.BufferedProtocol):
    """One TLS connection: a handshake, then a carrier.

    `on_open` is called when the handshake is done, looks at `certificate`, and gives the link that carries on, or
    raises LinkError to refuse. `on_closed` is called once, at the very end, also of a handshake that failed; its
    argument tells why there never was a link, or is None.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        server_name: str | None,
        on_open: Callable[[TlsStream], FramedLink],
        on_closed: Callable[[TlsStream, LinkError | None], None],
        admit: Callable[[TlsStream], bool] = lambda _stream: True,
    ) -> None:
        """`server_name` is what a client asks for; None makes this the server. `admit` sees `host` before anything is
        read, and says whether to go on.
        """
        self._context = context
        self._server_name = server_name
        self._tls: ssl.SSLObject
        """Made when it is known that the connection goes on."""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._on_open = on_open
        self._on_closed = on_closed
        self._admit = admit
        self._buffer = memoryview(bytearray(HANDSHAKE_READ_BYTES))
        self._transport: asyncio.Transport | None = None
        self._link: FramedLink | None = None
        self._error: LinkError | None = None
        self._over = False
        """Nothing is read or written any more."""
        self._lost = False
        """The transport is closed."""
        self._timer: asyncio.TimerHandle | None = None
        self.host = ""
        """The other end's IP address."""
        self.address = ""
        """The other end, for people: HOST:PORT."""
        self.local = ""
        """This end's IP address."""

    @property
    def certificate(self) -> bytes:
        """The other side's certificate, DER; empty if it showed none. Proven once the handshake is done."""
        return self._tls.getpeercert(binary_form=True) or b""

    @property
    def context(self) -> ssl.SSLContext:
        """The context that the handshake settled on."""
        return self._tls.context

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)
        self.host, self.address = _peer(self._transport.get_extra_info("peername"))
        self.local, _own = _peer(self._transport.get_extra_info("sockname"))
        if not self._admit(self):
            self.abort()
            return
        is_server = self._server_name is None
        self._tls = self._context.wrap_bio(self._incoming, self._outgoing, is_server, self._server_name)
        self._timer = asyncio.get_running_loop().call_later(HANDSHAKE_S, self._too_slow)
        self._advance()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._over:
            return
        self._incoming.write(self._buffer[:nbytes])
        self._advance()

    def eof_received(self) -> bool:
        self._abort_soon()
        return False

    def pause_writing(self) -> None:
        if self._link is not None:
            self._link.pause_writing()

    def resume_writing(self) -> None:
        if self._link is not None:
            self._link.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = self._lost = True
        if self._timer is not None:
            self._timer.cancel()
        error = self._error
        if error is None and exc is not None:
            error = LinkClosed(
                _("The connection to {address} was lost: {reason}").format(address=self.address, reason=exc)
            )
        link, on_closed = self._link, self._on_closed
        # They know this stream: a circle would keep them all, with their buffers, until the interpreter looks for such.
        del self._link, self._on_open, self._on_closed
        if link is not None:
            link.lost(error)
            on_closed(self, None)
        else:
            on_closed(self, error or LinkClosed(_("{address} hung up").format(address=self.address)))

    # What the link calls.

    def write(self, *chunks: bytes) -> None:
        if self._over:
            return
        for chunk in chunks:
            self._tls.write(chunk)
        self._flush()

    def pause_reading(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def finish(self) -> None:
        if self._over:
            return
        self._over = True
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        self.transport.close()

    def abort(self) -> None:
        self._over = True
        if self._transport is not None and not self._lost:  # asyncio trips over an abort after the end.
            self._transport.abort()

    # Inside.

    def _advance(self) -> None:
        """Do what the bytes at hand allow: handshake first, then plaintext for the link."""
        try:
            if self._link is None:
                self._tls.do_handshake()
                self._open()
            self._deliver()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._fail(_link_error(error, self.address))
        except LinkError as error:
            self._fail(error)

    def _open(self) -> None:
        assert self._timer is not None
        self._flush()
        self._link = self._on_open(self)
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._timer.cancel()

    def _deliver(self) -> None:
        """Raises SSLWantReadError when everything at hand is delivered."""
        assert self._link is not None
        while not self._over:
            data = self._tls.read(RECORD_BYTES)
            if not data:
                self.finish()
                self._abort_soon()
                return
            self._link.feed(data)

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data and not self.transport.is_closing():  # into one that is, asyncio complains of each write
            self.transport.write(data)

    def _fail(self, error: LinkError) -> None:
        """Let the alert out and hang up; then listen a moment longer, so that it arrives."""
        if self._error is None:
            self._error = error
        self._over = True
        self._flush()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._abort_soon()

    def _abort_soon(self) -> None:
        """Whatever is still on its way out gets a moment, not for ever."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(LINGER_S, self.abort)

    def _too_slow(self) -> None:
        self._error = LinkClosed(
            _("The device at {address} did not finish the handshake in {seconds} s").format(
                address=self.address, seconds=round(HANDSHAKE_S)
            )
        )
        self.abort()


def _peer(address: object) -> tuple[str, str]:
    """Host, and HOST:PORT with an IPv6 host in brackets, of a socket address."""
    if not isinstance(address, tuple) or len(address) < 2:
        return "", "?"
    host, port = str(address[0]), address[1]
    return host, host_and_port(host, port)


def _link_error(error: ssl.SSLError, address: str) -> LinkError:
    reason = error.reason or str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return PeerRefused(
            _("The device at {address} is not a member: its certificate is none that this device trusts").format(
                address=address
            )
        )
    if any(part in reason for part in _REFUSALS):
        return PeerRefused(
            _("The device at {address} refused the connection: it does not know this device (any more)").format(
                address=address
            )
        )
    return LinkClosed(_("The connection to {address} failed: {reason}").format(address=address, reason=reason))
