"""One rendezvous host: one process, one port, TCP for visitors and relay, UDP for STUN; nothing on disk."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from random import SystemRandom
from typing import Final

from aiohttp import web

from p2psync.core.value import value
from p2psync.errors import CodecError
from p2psync.i18n import _
from p2psync.rendezvous import pages
from p2psync.rendezvous.bus import Bus
from p2psync.rendezvous.certificate import Certificate, context_of
from p2psync.rendezvous.gate import DEFAULTS as GATE_DEFAULTS
from p2psync.rendezvous.gate import Gate, GateLimits
from p2psync.rendezvous.meeting import Meeting
from p2psync.rendezvous.pages import Figure
from p2psync.rendezvous.ports import open_ports
from p2psync.rendezvous.protocol import shares
from p2psync.rendezvous.protocol.address import HostAddress, pin_text
from p2psync.rendezvous.protocol.hub import DEFAULTS as HUB_DEFAULTS
from p2psync.rendezvous.protocol.hub import Hub, HubLimits, Listen, Share
from p2psync.rendezvous.protocol.messages import MEET_PATH
from p2psync.rendezvous.protocol.networks import plain_host
from p2psync.rendezvous.reflector import Reflector
from p2psync.rendezvous.relay import DEFAULTS as RELAY_DEFAULTS
from p2psync.rendezvous.relay import Relay, RelaySettings
from p2psync.system.tasks import Crew

TOPIC_CHANNEL: Final = b"topic:"
SWEEP_EVERY_S: Final = 5.0
KEEPALIVE_S: Final = 5.0
HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@value
class Settings:
    """One host."""

    certificate: Certificate
    host: str | None = None
    """IP address or name to listen on; None for all addresses."""
    port: int = 443
    """0 for a free one."""
    relay: RelaySettings = RELAY_DEFAULTS
    redis: str | None = None
    """URL of what connects this host with others; None for a host that is alone."""
    gate: GateLimits = GATE_DEFAULTS
    hub: HubLimits = HUB_DEFAULTS


class Server:
    """`start` and `stop` once each."""

    crew: Crew
    """The owner of everything that goes on here; from `start` on."""

    def __init__(self, settings: Settings, tell: Callable[[str], None] = lambda _sentence: None) -> None:
        """`tell` gets what the operator should know: what is wrong, and that it is right again."""
        self.settings: Final = settings
        self._tell = tell
        self._told: str | None = None
        self._bus: Bus | None = None
        self._sockets = contextlib.ExitStack()
        self._reflectors: list[Reflector] = []
        self._failure: str | None = None
        self.port = 0
        """From `start` on."""

    @property
    def problem(self) -> str | None:
        """What is not as it should be, for the operator."""
        return self._failure or (self._bus.problem if self._bus is not None else None)

    @property
    def address(self) -> HostAddress:
        """As PCs may use it; the key is part of it if nobody else vouches for the certificate."""
        certificate = self.settings.certificate
        host = (self.settings.host or socket.gethostname()).lower()
        return HostAddress(host, self.port, certificate.pin if certificate.self_signed else None)

    @property
    def pin_text(self) -> str:
        """Of the certificate's key."""
        return pin_text(self.settings.certificate.pin)

    async def start(self) -> None:
        """Raises ConfigError if it cannot listen."""
        settings = self.settings
        context = context_of(settings.certificate)
        self._bus = Bus(settings.redis, self._heard) if settings.redis is not None else None
        ports = open_ports(settings.host, settings.port, self._sockets)
        self.port = ports.number
        self.crew = Crew(self._failed)
        await self.crew.open()
        self._hub = Hub(SystemRandom(), settings.hub, alone=self._bus is None)
        self._meeting = Meeting(self._hub, self.crew, settings.relay.allowed, self._share, self._listen)
        self._relay = Relay(settings.relay, self._bus)
        self._web = web.Server(self._answer, access_log=None, lingering_time=0, keepalive_timeout=KEEPALIVE_S)
        self._gate = Gate(context, self._web, self._relay.side, settings.gate)
        for sock in ports.datagrams:
            await self._reflect(sock)
        if self._bus is not None:
            self.crew.start(self._bus.run(), "bus")
        self.crew.start(self._gate.run(ports.streams), "gate")
        self.crew.start(self._sweep(), "sweep")

    async def stop(self) -> None:
        """Everybody is told or cut off; within about a second."""
        self._relay.close()
        await self._meeting.close()
        await self._web.shutdown(0)
        await self.crew.close()
        self._sockets.close()

    async def _reflect(self, sock: socket.socket) -> None:
        transport, reflector = await asyncio.get_running_loop().create_datagram_endpoint(Reflector, sock=sock)
        self._sockets.callback(transport.close)
        self._reflectors.append(reflector)

    def sweep(self) -> None:
        """Done every few seconds: who waited too long, or came for nothing, has to go."""
        self._meeting.sweep()
        self._relay.sweep()
        if self.problem != self._told:
            self._told = self.problem
            self._tell(self.problem or _("All is well again."))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            self.sweep()

    def _failed(self, name: str, error: Exception) -> None:
        self._failure = f"{name}: {type(error).__name__}: {error}"

    # -- other hosts -----------------------------------------------------------------------------------

    def _listen(self, listen: Listen) -> None:
        if self._bus is not None:
            self._bus.listen(TOPIC_CHANNEL + listen.topic, listen.on)

    def _share(self, share: Share) -> None:
        if self._bus is not None:
            self._bus.say(TOPIC_CHANNEL + share.message.topic, shares.pack(share))

    def _heard(self, channel: bytes, data: bytes) -> None:
        if not channel.startswith(TOPIC_CHANNEL):
            self._relay.heard(channel, data)
            return
        with contextlib.suppress(CodecError):
            share = shares.unpack(data)
            self._meeting.shared(share.message, share.to)

    # -- pages -----------------------------------------------------------------------------------------

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == MEET_PATH:
            return await self._meeting.visit(request)
        page = self._page(request)
        page.headers.update(HEADERS)
        page.force_close()
        return page

    def _page(self, request: web.BaseRequest) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405)
        match request.path:
            case "/":
                return web.Response(text=pages.html(self.problem is None), content_type="text/html")
            case "/health":
                text = pages.health(self.figures(), self.problem is None)
                return web.Response(
                    status=200 if self.problem is None else 503, text=text, content_type="application/json"
                )
            case "/metrics":
                return web.Response(text=pages.exposition(self.figures()))
            case "/seen":
                return web.json_response(_seen(request))
        return web.Response(status=404)

    def figures(self) -> list[Figure]:
        """How things are."""
        counters, gate, relay = self._meeting.counters, self._gate, self._relay
        dismissed = {reason.name.lower(): float(n) for reason, n in sorted(counters.dismissed.items())}
        rows: list[tuple[str, str, str, float]] = [
            ("connections", "gauge", "Connections that are open.", gate.connections),
            ("visitors", "gauge", "Devices that are here.", self._hub.visitors),
            ("topics", "gauge", "Topics that somebody is in.", self._hub.topics),
            ("entries", "gauge", "All devices' topics together.", self._hub.entries),
            ("queued_bytes", "gauge", "Messages that wait for slow readers.", self._meeting.queued_bytes),
            ("relay_streams", "gauge", "Streams through the relay.", relay.streams),
            ("visits_total", "counter", "Devices that came.", counters.visits),
            ("turned_away_total", "counter", "Connections over the limits by address.", gate.turned_away),
            ("failed_handshakes_total", "counter", "Connections without a TLS handshake.", gate.failed_handshakes),
            ("messages_in_total", "counter", "Messages from devices.", counters.messages_in),
            ("messages_out_total", "counter", "Messages to devices.", counters.messages_out),
            ("bytes_in_total", "counter", "Bytes of messages from devices.", counters.bytes_in),
            ("bytes_out_total", "counter", "Bytes of messages to devices.", counters.bytes_out),
            ("relay_bytes_total", "counter", "Bytes that were relayed.", relay.bytes_relayed),
            ("relay_refused_total", "counter", "Streams that were refused.", relay.refused),
            ("stun_answers_total", "counter", "STUN requests answered.", sum(r.answered for r in self._reflectors)),
            ("stun_ignored_total", "counter", "Datagrams not answered.", sum(r.ignored for r in self._reflectors)),
            ("cpu_seconds_total", "counter", "Processor time used.", round(time.process_time(), 3)),
        ]
        figures = [Figure(f"p2psync_rendezvous_{name}", kind, text, value) for name, kind, text, value in rows]
        name, text = "p2psync_rendezvous_dismissed_total", "Devices shown the door, by reason."
        return [*figures, Figure(name, "counter", text, dismissed, "reason")]


def _seen(request: web.BaseRequest) -> dict[str, object]:
    host, port = (request.transport.get_extra_info("peername") if request.transport else None) or ("", 0)
    return {"host": plain_host(host), "port": port}
