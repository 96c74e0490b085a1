"""Links over TCP: the listener that members and invited newcomers reach, and the ways to dial them.

A stranger learns nothing: without a tag (`trust`) the listener answers any hello by an alert, before a certificate;
he gets ten seconds at most, few connections, and no memory. When all places are taken, whoever has been at his
handshake longest makes room: a member needs milliseconds.

TLS 1.3 lets a client that is refused believe for a moment that it is connected. So a link that `dial` gives counts as
connected when its first frame is there; a refusal comes as PeerRefused out of its first `receive`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from p2psync.core.ids import DeviceId
from p2psync.core.ways import DIRECT
from p2psync.errors import ConfigError, InvalidId, LinkError, PeerRefused
from p2psync.i18n import _
from p2psync.net.addresses import is_neighbour, stranger_network, way_of
from p2psync.net.identity import Identity, device_of_certificate
from p2psync.net.link import UNKNOWN_DEVICE, FramedLink, Link
from p2psync.net.stream import TlsStream
from p2psync.net.tcp import keep_queue_short, suit_distance
from p2psync.net.trust import (
    Trust,
    TrustTable,
    client_context,
    gate_context,
    guest_client_context,
    pairing_client_context,
    server_name,
    trusted_certificates,
)
from p2psync.proxies import NO_PROXIES, Proxies
from p2psync.system.reason import reason_of

DIAL_S: Final = 10.0
STRANGERS_MAX: Final = 64
"""Connections at once that have not proven to be a member's; pairing ones stay among them."""
NEWCOMERS_MAX: Final = 32
"""Pairing ones at once: by a tag that somebody saw go by, nobody takes the places that members need."""
STRANGERS_PER_NETWORK_MAX: Final = 16
"""The same from one IPv4 address or one IPv6 /64: an office behind one router, but no more."""
LINKS_PER_DEVICE_MAX: Final = 32
"""Inbound links at once of one member: its session, lanes, and some that are just being replaced."""
BACKLOG: Final = 128
PORT_TRIES: Final = 20
ADDRESSES_PER_NAME_MAX: Final = 4

Carry = Callable[[Callable[[], TlsStream]], Awaitable[asyncio.Transport]]
"""Makes a transport to the other device that drives what the argument makes; raises LinkError or OSError."""


class Listener:
    """Accepts connections for everything that its `TrustTable` opens, and for nothing else."""

    def __init__(
        self,
        table: TrustTable,
        on_link: Callable[[Link], None],
        on_pairing: Callable[[Link, bytes], None],
    ) -> None:
        """`on_link` gets links of members. `on_pairing` gets links of unknown devices that hold a ticket, and the id
        of the invitation; guesses are counted there. Whoever gets a link closes it.
        """
        self._on_link = on_link
        self._on_pairing = on_pairing
        self._table = table
        self._context = gate_context(table.find)
        self._server: asyncio.Server | None = None
        self._strangers: dict[TlsStream, str] = {}
        """Those that have not proven to be a member's, oldest first, with their networks."""
        self._newcomers: set[TlsStream] = set()
        """Of these, those that hold a ticket."""
        self._members: dict[TlsStream, DeviceId] = {}
        self._per_network: Counter[str] = Counter()
        self._per_device: Counter[DeviceId] = Counter()
        self._fewer = asyncio.Event()

    @property
    def port(self) -> int:
        """The TCP port, the same for IPv4 and IPv6; 0 while closed."""
        if self._server is None or not self._server.sockets:
            return 0
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str | None = None, port: int = 0) -> None:
        """Listen on all addresses, or on those of `host`; port 0 takes a free one, the same for IPv4 and IPv6.

        Raises ConfigError if that cannot be.
        """
        loop = asyncio.get_running_loop()
        for tries_left in reversed(range(PORT_TRIES)):
            try:
                chosen = port or _free_port()
                self._server = await loop.create_server(self._accept, host, chosen, backlog=BACKLOG)
                return
            except OSError as error:
                if port or error.errno != errno.EADDRINUSE or not tries_left:
                    raise ConfigError(
                        _("Cannot listen on {host}:{port}: {reason}").format(
                            host=host or "*", port=port, reason=reason_of(error)
                        )
                    ) from error

    async def close(self) -> None:
        """Stop listening and drop strangers; members' links go on, they belong to whoever got them."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for stream in list(self._strangers):
            stream.abort()
        while self._strangers:
            self._fewer.clear()
            await self._fewer.wait()

    async def take_in(self, carry: Carry, way: str) -> None:
        """Be the server on a stream that was agreed on with a member or a newcomer, until the handshake is done.

        Raises PeerRefused for nobody that may be here, LinkError or OSError if it comes to nothing.
        """
        result: asyncio.Future[FramedLink] = asyncio.get_running_loop().create_future()

        def opened(stream: TlsStream) -> FramedLink:
            return _tell(result, self._open(stream, way))

        def closed(stream: TlsStream, error: LinkError | None) -> None:
            self._closed(stream, error)
            _fail(result, error)

        await _settle(carry, lambda: TlsStream(self._context, None, opened, closed, partial(self._note, way)), result)

    def _accept(self) -> TlsStream:
        return TlsStream(self._context, None, self._open, self._closed, admit=self._admit)

    def _note(self, way: str, stream: TlsStream) -> bool:
        """Whoever lets such streams come bounds their number."""
        if self._server is None:
            return False
        self._strangers[stream] = way
        self._per_network[way] += 1
        return True

    def _admit(self, stream: TlsStream) -> bool:
        """Whether one more stranger may begin a handshake."""
        network = stranger_network(stream.host)
        if self._server is None or not self._make_room(network):
            return False
        self._strangers[stream] = network
        self._per_network[network] += 1
        return True

    def _make_room(self, network: str) -> bool:
        """Let somebody go if all places are taken; False if none of those there can be let go."""
        if self._per_network[network] >= STRANGERS_PER_NETWORK_MAX:
            leaving = self._oldest_of(network)
        elif len(self._strangers) >= STRANGERS_MAX:
            leaving = self._oldest_of(None)
        else:
            return True
        if leaving is not None:
            self._forget_stranger(leaving)
            leaving.abort()
        return leaving is not None

    def _oldest_of(self, network: str | None) -> TlsStream | None:
        """The oldest handshake of a network, or of that which has most."""
        shaking = {stream: of for stream, of in self._strangers.items() if stream not in self._newcomers}
        if network is None and shaking:
            ((network, _count),) = Counter(shaking.values()).most_common(1)
        return next((stream for stream, of in shaking.items() if of == network), None)

    def _open(self, stream: TlsStream, way: str = "") -> FramedLink:
        """The handshake is done: who is it? Raises PeerRefused for nobody that may be here (any more)."""
        admission = self._table.admission_of(stream.context)
        if admission is None:
            raise PeerRefused("what {address} was let in by holds no longer", address=stream.address)
        if admission.pairing:
            if len(self._newcomers) >= NEWCOMERS_MAX:
                raise PeerRefused("{address} is one newcomer too many", address=stream.address)
            self._newcomers.add(stream)
            link = _link(stream, UNKNOWN_DEVICE, initiator=False, way=way)
            self._on_pairing(link, admission.key)
            return link
        device = admission.members.get(stream.certificate)
        if device is None:
            raise PeerRefused("{address} is not a member", address=stream.address)
        if self._per_device[device] >= LINKS_PER_DEVICE_MAX:
            raise PeerRefused("{address} has too many links", address=stream.address)
        self._forget_stranger(stream)
        self._members[stream] = device
        self._per_device[device] += 1
        link = _link(stream, device, initiator=False, way=way)
        self._on_link(link)
        return link

    def _closed(self, stream: TlsStream, _error: LinkError | None) -> None:
        self._forget_stranger(stream)
        device = self._members.pop(stream, None)
        if device is not None:
            self._per_device[device] -= 1
            self._per_device += Counter()

    def _forget_stranger(self, stream: TlsStream) -> None:
        network = self._strangers.pop(stream, None)
        self._newcomers.discard(stream)
        if network is not None:
            self._per_network[network] -= 1
            self._per_network += Counter()
            self._fewer.set()


async def dial(
    host: str,
    port: int,
    tag: bytes,
    trust: Trust,
    identity: Identity,
    timeout_s: float = DIAL_S,
    proxies: Proxies = NO_PROXIES,
) -> Link:
    """A link to whichever member of `trust` listens there.

    `tag` is `nonce_tag` or `period_tag` of one of the mandate's secrets. Raises PeerRefused if the other side knows
    the tag or this device not, or is no member; LinkError if it cannot be reached; ConfigError if this device's own
    key cannot be read.
    """
    members = trusted_certificates(trust)
    who = partial(_member, host, members)
    return await _connect(host, port, client_context(identity, members), tag, who, timeout_s, proxies)


async def dial_anybody(
    host: str, port: int, tag: bytes, identity: Identity, timeout_s: float = DIAL_S, proxies: Proxies = NO_PROXIES
) -> tuple[Link, bytes]:
    """A link to whoever knows the tag there, and the certificate that it shows: whether it belongs is to be found out.

    Raises as `dial` does.
    """
    shown: list[bytes] = []

    def who(certificate: bytes) -> DeviceId:
        shown.append(certificate)
        return _somebody(host, certificate)

    return await _connect(host, port, guest_client_context(identity), tag, who, timeout_s, proxies), shown[-1]


async def dial_through(carry: Carry, way: str, device: DeviceId, tag: bytes, trust: Trust, identity: Identity) -> Link:
    """A link to this member of `trust` on a stream that was agreed on with it, which is the server there.

    Raises as `dial` does, and OSError.
    """
    members = {der: one for der, one in trusted_certificates(trust).items() if one == device}
    who = partial(_member, way, members)
    return await _shake_hands(carry, client_context(identity, members), tag, who, way)


async def dial_pairing(
    host: str,
    port: int,
    tag: bytes,
    pinned: DeviceId | None,
    timeout_s: float = DIAL_S,
    proxies: Proxies = NO_PROXIES,
) -> Link:
    """A link to the device that issued a ticket, on which this side is unknown.

    `tag` is `nonce_tag` or `period_tag` of the ticket's secret. Without `pinned`, `remote` is whoever answered.
    Raises PeerRefused if another device answers than the one pinned, or it does not know the ticket; LinkError if it
    cannot be reached.
    """
    who = partial(_inviter, host, pinned)
    return await _connect(host, port, pairing_client_context(), tag, who, timeout_s, proxies)


async def dial_pairing_through(carry: Carry, way: str, tag: bytes, pinned: DeviceId | None) -> Link:
    """The same on a stream that was agreed on. Raises OSError too."""
    return await _shake_hands(carry, pairing_client_context(), tag, partial(_inviter, way, pinned), way)


def _member(where: str, members: Mapping[bytes, DeviceId], certificate: bytes) -> DeviceId:
    if certificate not in members:
        raise PeerRefused(_("The device at {host} is not a member").format(host=where))
    return members[certificate]


def _somebody(where: str, certificate: bytes) -> DeviceId:
    try:
        return device_of_certificate(certificate)
    except InvalidId:
        raise PeerRefused(_("The device at {host} is not a member").format(host=where)) from None


def _inviter(where: str, pinned: DeviceId | None, certificate: bytes) -> DeviceId:
    try:
        device = device_of_certificate(certificate)
    except InvalidId:
        device = UNKNOWN_DEVICE
    if device == UNKNOWN_DEVICE or pinned not in (None, device):
        raise PeerRefused(_("The device at {host} is not the one that issued the ticket").format(host=where))
    return device


async def _connect(
    host: str,
    port: int,
    context: ssl.SSLContext,
    tag: bytes,
    who: Callable[[bytes], DeviceId],
    timeout_s: float,
    proxies: Proxies,
) -> Link:
    proxy = await proxies.leading_to(host)
    if proxy is not None and is_neighbour(host):
        proxy = None

    async def carry(make: Callable[[], TlsStream]) -> asyncio.Transport:
        sock = await (_reach(host, port, timeout_s) if proxy is None else proxy.connect(host, port))
        transport, _stream = await asyncio.get_running_loop().create_connection(make, sock=sock)
        return transport

    try:
        async with asyncio.timeout(timeout_s):
            return await _shake_hands(carry, context, tag, who, "" if proxy is None else DIRECT)
    except TimeoutError:
        raise LinkError(
            _("{host}:{port} did not answer within {seconds:g} s").format(host=host, port=port, seconds=timeout_s)
        ) from None
    except OSError as error:
        raise LinkError(
            _("{host}:{port} cannot be reached: {reason}").format(host=host, port=port, reason=reason_of(error))
        ) from error


async def _shake_hands(
    carry: Carry, context: ssl.SSLContext, tag: bytes, who: Callable[[bytes], DeviceId], way: str = ""
) -> Link:
    """Be the client on what `carry` makes."""
    result: asyncio.Future[FramedLink] = asyncio.get_running_loop().create_future()

    def opened(stream: TlsStream) -> FramedLink:
        return _tell(result, _link(stream, who(stream.certificate), initiator=True, way=way))

    def closed(_stream: TlsStream, error: LinkError | None) -> None:
        _fail(result, error)

    return await _settle(carry, lambda: TlsStream(context, server_name(tag), opened, closed), result)


async def _settle(carry: Carry, make: Callable[[], TlsStream], result: asyncio.Future[FramedLink]) -> Link:
    """The link, when the handshake is done; whatever else happens, nothing stays open."""
    try:
        transport = await carry(make)
        try:
            return await result
        except BaseException:
            transport.abort()
            raise
    finally:
        if not result.cancel() and not result.cancelled():
            result.exception()  # looked at, lest asyncio complains where something else failed first


def _tell(result: asyncio.Future[FramedLink], link: FramedLink) -> FramedLink:
    if not result.done():
        result.set_result(link)
    return link


def _fail(result: asyncio.Future[FramedLink], error: LinkError | None) -> None:
    if error is not None and not result.done():
        result.set_exception(error)


async def _reach(host: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to the first of the host's addresses that answers; each gets its share of the time.

    asyncio's own way of trying several loses connections when it is cancelled. Raises OSError.
    """
    infos = (await _resolve(host, port))[:ADDRESSES_PER_NAME_MAX]
    error = OSError(_("the name has no address"))
    for family, kind, protocol, _name, address in infos:
        try:
            with contextlib.ExitStack() as unless_connected:
                sock = unless_connected.enter_context(socket.socket(family, kind, protocol))
                sock.setblocking(False)
                async with asyncio.timeout(timeout_s / len(infos)):
                    await asyncio.get_running_loop().sock_connect(sock, address)
                unless_connected.pop_all()
                return sock
        except OSError as failed:
            error = failed
    raise error


async def _resolve(host: str, port: int) -> list[Any]:
    """What getaddrinfo says; for an IP address without the thread that waiting for a name takes."""
    try:
        try:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (UnicodeError, OverflowError, ValueError) as error:
        raise OSError(_("this is no address")) from error


def _link(stream: TlsStream, remote: DeviceId, *, initiator: bool, way: str = "") -> FramedLink:
    """`way`: as agreed; where it is none, the address tells."""
    sock = stream.transport.get_extra_info("socket")
    keep_queue_short(sock)
    return FramedLink(
        stream,
        remote=remote,
        initiator=initiator,
        way=way or way_of(stream.host),
        address=stream.address,
        local=stream.local,
        on_distance=partial(suit_distance, sock),
    )


def _free_port() -> int:
    """A port that nobody has on IPv4 right now."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
