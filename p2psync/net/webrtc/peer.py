"""One side of a WebRTC connection: aiortc's layers put together, without media and without SDP."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

from aiortc import (
    RTCCertificate,
    RTCDataChannel,
    RTCDataChannelParameters,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceServer,
    RTCIceTransport,
    RTCSctpCapabilities,
)

from p2psync.core.value import value
from p2psync.errors import LinkClosed, LinkError, RemoteProtocolError
from p2psync.i18n import _
from p2psync.net.webrtc import internals
from p2psync.net.webrtc.description import KINDS, Candidate, Description
from p2psync.net.webrtc.flow import WINDOW_BYTES
from p2psync.net.webrtc.servers import Servers
from p2psync.net.webrtc.transport import CHANNEL_BYTES_MAX, ChannelTransport
from p2psync.system.tasks import Crew

MESSAGE_BYTES: Final = 12 * internals.PACKET_BYTES
"""A message fills its packets."""
SCTP_PORT: Final = 5000
FINGERPRINT: Final = "sha-256"
STOP_S: Final = 2.0
"""How long an end may take: a TURN server is told, and may not answer."""


@value
class _Outlet:
    """The channel as the transport sees it."""

    channel: RTCDataChannel
    association: internals.Association

    @property
    def waiting_bytes(self) -> int:
        return self.channel.bufferedAmount

    @property
    def idle(self) -> bool:
        return self.association.idle

    def send(self, message: bytes) -> None:
        if self.channel.readyState == "open":
            self.channel.send(message)


class Peer:
    """`async with` it: `describe`, `connect`, and what `open` returns lives until the end of the block."""

    def __init__(self, initiator: bool, servers: Servers) -> None:
        """One side is the initiator, the other is not. Raises LinkError if aiortc is none that this knows."""
        internals.check_versions()
        self._crew = Crew(self._failed)
        self._gatherer = RTCIceGatherer(iceServers=[RTCIceServer(*entry) for entry in servers.entries()])
        self._ice = RTCIceTransport(self._gatherer)
        internals.take_role(self._ice, initiator)
        self._dtls = RTCDtlsTransport(self._ice, [RTCCertificate.generateCertificate()])
        self._sctp = internals.Association(self._dtls, self._crew, self._pump)
        self._channel = RTCDataChannel(self._sctp, RTCDataChannelParameters("p2psync", negotiated=True, id=0))
        self._channel.bufferedAmountLowThreshold = CHANNEL_BYTES_MAX // 2
        self._channel.on("bufferedamountlow", self._pump)
        self._channel.on("message", self._heard)
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._channel.on("open", self._open)
        self._dtls.on("statechange", self._look)
        self._channel.on("close", self._lost)
        self._early: list[bytes] = []
        """What came before the channel was open on this side."""
        self._transport: ChannelTransport | None = None

    async def __aenter__(self) -> Self:
        await self._crew.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.cancel()
        cancelled = False
        stopping = self._crew.start(self._stop(), "stop")  # aiortc leaves sockets and tasks if this is cancelled
        loop = asyncio.get_running_loop()
        deadline = loop.time() + STOP_S
        while not stopping.done() and loop.time() < deadline:
            try:
                await asyncio.wait([stopping], timeout=deadline - loop.time())
            except asyncio.CancelledError:
                cancelled = True
        await self._crew.close()
        if cancelled:
            raise asyncio.CancelledError

    async def describe(self) -> Description:
        """How this side can be reached."""
        await self._gatherer.gather()
        internals.widen(self._ice)
        own = self._gatherer.getLocalParameters()
        prints = self._dtls.getLocalParameters().fingerprints
        value = next(p.value for p in prints if p.algorithm == FINGERPRINT)
        candidates = tuple(
            Candidate(c.type, c.ip, c.port, c.priority, c.foundation)
            for c in self._gatherer.getLocalCandidates()
            if c.type in KINDS
        )
        assert own.usernameFragment is not None
        assert own.password is not None
        return Description(own.usernameFragment, own.password, bytes.fromhex(value.replace(":", "")), candidates)

    async def connect(self, other: Description) -> None:
        """Until there is a channel to whoever described himself so. Raises LinkError if there is no way."""
        for c in other.candidates:
            candidate = RTCIceCandidate(1, c.foundation, c.host, c.port, c.priority, "udp", c.kind)
            await self._ice.addRemoteCandidate(candidate)
        await self._ice.addRemoteCandidate(None)
        await self._ice.start(RTCIceParameters(other.user, other.password))
        if self._ice.state != "completed":
            raise LinkError(_("No packet of WebRTC gets through between the two networks."))
        fingerprint = RTCDtlsFingerprint(FINGERPRINT, other.fingerprint.hex(":"))
        await self._dtls.start(RTCDtlsParameters([fingerprint]))
        if self._dtls.state != "connected":
            raise LinkError(_("The other device did not agree on keys for WebRTC."))
        await self._sctp.start(RTCSctpCapabilities(maxMessageSize=MESSAGE_BYTES), SCTP_PORT)
        await self._opened

    def open(self, protocol: asyncio.BaseProtocol) -> ChannelTransport:
        """The stream; `protocol` is told that it is connected."""
        outlet = _Outlet(self._channel, self._sctp)
        self._transport = ChannelTransport(outlet, protocol, MESSAGE_BYTES, internals.far_end(self._ice))
        early, self._early = self._early, []
        for message in early:
            self._heard(message)
        self._look()
        return self._transport

    async def _stop(self) -> None:
        await self._sctp.stop()
        await self._dtls.stop()
        await self._ice.stop()

    # What aiortc calls.

    def _open(self) -> None:
        if not self._opened.done():
            self._opened.set_result(None)

    def _heard(self, message: bytes | str) -> None:
        if self._transport is None:
            if isinstance(message, str) or sum(map(len, self._early)) > WINDOW_BYTES:
                self._lost()
            else:
                self._early.append(message)
            return
        try:
            if isinstance(message, str):
                raise RemoteProtocolError("text instead of bytes")
            self._transport.received(message)
        except RemoteProtocolError as error:
            self._transport.lost(error)

    def _pump(self) -> None:
        if self._transport is not None and not self._transport.over.done():
            self._transport.pump()

    def _look(self) -> None:
        """DTLS has another state; it ends with what is below it."""
        if self._dtls.state in ("failed", "closed"):
            self._lost()

    def _lost(self) -> None:
        self._end(LinkClosed(_("The WebRTC connection was lost.")))

    def _failed(self, _name: str, error: Exception) -> None:
        self._end(error)

    def _end(self, error: Exception) -> None:
        if self._transport is not None:
            self._transport.lost(error)
        elif not self._opened.done():
            self._opened.set_exception(error)
