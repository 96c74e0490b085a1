"""TLS for thousands of connections that are mostly silent: all of them read into one buffer.

asyncio's own TLS keeps 256 KiB for each connection, used or not. Here what arrives is handed to OpenSSL at once, so
that nothing of it has to stay where it was read.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Any, Final, cast

READ_BYTES: Final = 256 * 1024
"""Read from the network at once, and handed to a protocol at once."""
WRITE_BUFFER_BYTES: Final = 64 * 1024


def read_buffer() -> memoryview:
    """Where all connections of one event loop read to: what is read is taken out before anything else can be."""
    return memoryview(bytearray(READ_BYTES))


class TlsConnection(asyncio.BufferedProtocol):
    """The server's end of one connection; `TlsTransport` is what the protocol inside sees of it."""

    def __init__(
        self,
        context: ssl.SSLContext,
        inner: asyncio.Protocol,
        buffer: memoryview,
        handshake_s: float,
        on_lost: Callable[[TlsConnection], None],
    ) -> None:
        """`inner` begins when the handshake is done. `buffer` is a `read_buffer`, for any number of connections.
        `on_lost` is called once, at the very end.
        """
        self._buffer = buffer
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._handshake_s = handshake_s
        self._deadline: asyncio.TimerHandle | None = None
        self._on_lost = on_lost
        self._raw: asyncio.Transport
        self.opened = False
        """The handshake was done."""
        self._reading = True
        self.closing = False
        self.inner: asyncio.BaseProtocol = inner
        self.transport = TlsTransport(self)

    # What the network calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._raw = cast(asyncio.Transport, transport)
        self._raw.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._deadline = asyncio.get_running_loop().call_later(self._handshake_s, self.abort)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._incoming.write(self._buffer[:nbytes])
        self._advance()

    def eof_received(self) -> bool:
        self.close()
        return False

    def pause_writing(self) -> None:
        if self.opened:
            self.inner.pause_writing()

    def resume_writing(self) -> None:
        if self.opened:
            self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing = True
        self._in_time()
        if self.opened:
            self.inner.connection_lost(exc)
        self._on_lost(self)

    # What the transport inside calls.

    def extra(self, name: str, default: Any) -> Any:
        match name:
            case "ssl_object":
                return self._tls
            case "sslcontext":
                return self._tls.context
        return self._raw.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if data and not self.closing:
            self._tls.write(data)
            self._flush()

    def set_write_limits(self, high: int | None, low: int | None) -> None:
        self._raw.set_write_buffer_limits(high, low)

    def write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    def pause_reading(self) -> None:
        if self._reading and not self.closing:
            self._reading = False
            self._raw.pause_reading()

    def resume_reading(self) -> None:
        if not self._reading and not self.closing:
            self._reading = True
            self._raw.resume_reading()
            asyncio.get_running_loop().call_soon(self._advance)

    @property
    def is_reading(self) -> bool:
        return self._reading and not self.closing

    def close(self) -> None:
        """What was written goes out; nothing more is read."""
        if self.closing:
            return
        self.closing = True
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        self._raw.close()

    def abort(self) -> None:
        self.closing = True
        self._raw.abort()

    # Inside.

    def _advance(self) -> None:
        """Do what the bytes at hand allow: handshake first, then plaintext for the protocol inside."""
        try:
            if not self.opened:
                self._tls.do_handshake()
                self.opened = True
                self._in_time()
                self._flush()
                self.inner.connection_made(self.transport)
            self._deliver()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:
            self._flush()  # the alert that says why
            self._raw.close()
            self.closing = True

    def _deliver(self) -> None:
        while self.is_reading:
            data, over = self._read()
            if data:
                cast(asyncio.Protocol, self.inner).data_received(data)
            if over:
                self.close()
            if not data:
                return

    def _read(self) -> tuple[bytes, bool]:
        """What is at hand, up to READ_BYTES, and whether the other side has said that there will be no more."""
        records: list[bytes] = []
        size = 0
        try:
            while size < READ_BYTES:
                record = self._tls.read(READ_BYTES)
                if not record:
                    return b"".join(records), True
                records.append(record)
                size += len(record)
        except ssl.SSLWantReadError:
            self._flush()
        return b"".join(records), False

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data and not self._raw.is_closing():
            self._raw.write(data)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class TlsTransport(asyncio.Transport):
    """What a protocol sees of its `TlsConnection`."""

    def __init__(self, connection: TlsConnection) -> None:
        super().__init__()
        self._connection = connection

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._connection.extra(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._connection.inner

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._connection.inner = protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._connection.write(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._connection.set_write_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._connection.write_buffer_size()

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self._connection.pause_reading()

    def resume_reading(self) -> None:
        self._connection.resume_reading()

    def is_reading(self) -> bool:
        return self._connection.is_reading

    def is_closing(self) -> bool:
        return self._connection.closing

    def close(self) -> None:
        self._connection.close()

    def abort(self) -> None:
        self._connection.abort()
