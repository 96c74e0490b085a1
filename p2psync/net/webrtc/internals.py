"""aiortc's SCTP with another way of sending and acknowledging data; the bytes on the wire mean the same.

This is the one module that stands on what aiortc keeps for itself. What is replaced: a window that grows by one packet
a round trip and halves at each lost one; an acknowledgement for every packet; a retransmission timer of at least a
second that never slows down; lists of all that is on its way, walked through at every packet. Messages are never given
up here, so that part of SCTP is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from importlib.metadata import version
from typing import Final

from aiortc import RTCDtlsTransport, RTCIceTransport
from aiortc.rtcsctptransport import USERDATA_MAX_LENGTH, Chunk, DataChunk, ForwardTsnChunk, RTCSctpTransport, SackChunk

from p2psync.errors import LinkError
from p2psync.i18n import _
from p2psync.net.webrtc.arrivals import Arrivals
from p2psync.net.webrtc.flight import Flight, Packet
from p2psync.net.webrtc.window import Window
from p2psync.system.tasks import Crew

KNOWN: Final = {"aiortc": "1.16.", "aioice": "0.13."}
"""What these begin with."""
PACKET_BYTES: Final = USERDATA_MAX_LENGTH
"""Data in one packet."""
RECEIVED_BYTES_MAX: Final = 6 << 20
"""Kept of messages that are not complete; beyond, chunks are ignored."""
ACKNOWLEDGE_EVERY: Final = 8
"""Packets."""
ACKNOWLEDGE_S: Final = 0.01
"""At the latest after this time."""
TIMEOUT_FIRST_S: Final = 1.0
TIMEOUT_MIN_S, TIMEOUT_MAX_S = 0.2, 4.0
RECEIVE_BUFFER_BYTES: Final = 2 << 20
"""Of a socket; systems give less if they may not give so much."""


def check_versions() -> None:
    """Raises LinkError if what this module knows of aiortc may not hold."""
    for name, known in KNOWN.items():
        found = version(name)
        if not found.startswith(known):
            raise LinkError(
                _("WebRTC needs {name} {known}*, and {found} is installed. Reinstall p2psync.").format(
                    name=name, known=known, found=found
                )
            )


def take_role(ice: RTCIceTransport, controlling: bool) -> None:
    """Say before it begins which side decides; TLS's roles follow from it."""
    ice._connection.ice_controlling = controlling


def widen(ice: RTCIceTransport) -> None:
    """Let the sockets hold what arrives while this process does something else."""
    for protocol in ice._connection._protocols:
        sock = protocol.transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)


def far_end(ice: RTCIceTransport) -> tuple[str, int]:
    """Where packets are sent to, once there is a connection."""
    for pair in ice._connection._nominated.values():
        return pair.remote_addr
    return "", 0


class Association(RTCSctpTransport):
    """One association, for reliable data channels."""

    def __init__(self, transport: RTCDtlsTransport, crew: Crew, on_idle: Callable[[], None]) -> None:
        """`crew` does what timers begin; `on_idle` hears when all that was sent has arrived."""
        super().__init__(transport)
        self._running = asyncio.get_running_loop()
        self._local_partial_reliability = False
        self._rto = TIMEOUT_FIRST_S
        self._advertised_rwnd = RECEIVED_BYTES_MAX
        self._crew = crew
        self._on_idle = on_idle
        self._window = Window(PACKET_BYTES)
        self._flight: Flight[DataChunk] = Flight(self._local_tsn)
        self._silences = 0
        """How often the timer went off since something was acknowledged."""
        self._heard_at = 0.0
        self._arrivals: Arrivals | None = None
        self._unacknowledged = 0
        self._sack_timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """All that was sent has arrived."""
        return not (self._flight or self._outbound_queue or self._data_channel_queue)

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        super()._set_state(state)
        if state is self.State.CLOSED and self._sack_timer is not None:
            self._sack_timer.cancel()
            self._sack_timer = None

    async def _send_chunk(self, chunk: Chunk) -> None:
        """What cannot be sent is lost, as on the way; whoever owns this hears of the end from the layers below."""
        with contextlib.suppress(ConnectionError):
            await super()._send_chunk(chunk)

    # -- receiving -------------------------------------------------------------------------------------

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        if self._arrivals is None:
            if self._last_received_tsn is None:
                return
            self._arrivals = Arrivals(self._last_received_tsn)
        if len(chunk.user_data) > self._advertised_rwnd:
            return
        if not self._arrivals.takes(chunk.tsn):
            self._sack_needed = True
            return
        self._note(self._arrivals, chunk.tsn)
        stream = self._get_inbound_stream(chunk.stream_id)
        stream.add_chunk(chunk)
        self._advertised_rwnd -= len(chunk.user_data)
        for message in stream.pop_messages():
            self._advertised_rwnd += len(message[2])
            await self._receive(*message)
        await self._reset_deferred_streams()

    async def _receive_forward_tsn_chunk(self, chunk: ForwardTsnChunk) -> None:
        """Never agreed upon, so nothing is given up."""

    async def _send_sack(self) -> None:
        self._sack_needed = False
        if self._arrivals is None:
            return
        self._unacknowledged = 0
        sack = SackChunk()
        sack.cumulative_tsn = self._arrivals.last
        sack.advertised_rwnd = self._advertised_rwnd
        sack.gaps = self._arrivals.gaps()
        await self._send_chunk(sack)

    def _note(self, arrivals: Arrivals, number: int) -> None:
        """A chunk is here; acknowledge it now, or with others."""
        gap_opened = arrivals.add(number)
        self._last_received_tsn = arrivals.last
        self._unacknowledged += 1
        if gap_opened or self._unacknowledged >= ACKNOWLEDGE_EVERY:
            self._sack_needed = True
        elif self._sack_timer is None:
            self._sack_timer = self._running.call_later(ACKNOWLEDGE_S, self._acknowledge_late)

    def _acknowledge_late(self) -> None:
        self._sack_timer = None
        if self._unacknowledged:
            self._crew.start(self._send_sack(), "acknowledge")

    # -- sending ---------------------------------------------------------------------------------------

    async def _transmit(self) -> None:
        now = self._running.time()
        flight = self._flight
        if not flight and now - self._heard_at > self._rto:
            self._window.idle()
        while (chunk := self._next(now)) is not None:
            await self._send_chunk(chunk)
        if flight and self._t3_handle is None:
            self._t3_start()

    def _next(self, now: float) -> DataChunk | None:
        """What to send now, noted as sent; None if there is nothing, or too much is on its way."""
        flight = self._flight
        flight.drop_arrived()
        if flight.bytes and flight.bytes + PACKET_BYTES > self._window.size:
            return None
        if flight.lost:
            return flight.again(now).chunk
        if not self._outbound_queue:
            return None
        chunk = self._outbound_queue.popleft()
        flight.add(Packet(chunk, len(chunk.user_data)), now)
        return chunk

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        now = self._running.time()
        flight, window = self._flight, self._window
        full = flight.bytes + 2 * ACKNOWLEDGE_EVERY * PACKET_BYTES > window.size
        named = flight.acknowledge(chunk.cumulative_tsn, chunk.gaps, now - window.shortest_s)
        if named:
            self._last_sacked_tsn = flight.last_acknowledged
            self._heard_at, self._silences = now, 0
            latest = max(named, key=lambda packet: packet.number)
            trip_s = now - latest.sent_s if latest.times == 1 else None
            if trip_s is not None:
                self._update_rto(trip_s)
            window.acknowledged(sum(p.size for p in named), latest.number, flight.following, trip_s, full)
            for _ in range(flight.find_lost()):
                window.lost()
            self._t3_cancel()
        await self._data_channel_flush()
        await self._transmit()
        if named and self.idle:
            self._on_idle()

    def _update_rto(self, R: float) -> None:
        super()._update_rto(R)
        assert self._srtt is not None
        assert self._rttvar is not None
        self._rto = min(self._srtt + max(4 * self._rttvar, TIMEOUT_MIN_S), TIMEOUT_MAX_S)

    def _t3_expired(self) -> None:
        """Silence. Ask once by sending the oldest packet again; then take everything for lost."""
        self._t3_handle = None
        if not self._flight:
            return
        self._silences += 1
        if self._silences == 1:
            self._flight.probe()
        else:
            self._flight.lose_all()
            self._window.silent()
        pause_s = min(self._rto * 2.0 ** min(self._silences, 16), TIMEOUT_MAX_S)
        self._t3_handle = self._running.call_later(pause_s, self._t3_expired)
        self._crew.start(self._transmit(), "send again")
