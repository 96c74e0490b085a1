"""Finding each other in the local network by mDNS, without saying to anybody else who is there.

One service instance with a random name announces a random nonce and tags, `announced_tag(secret, nonce)` for each
secret that is held, sorted and padded with random ones to a multiple of eight. Whoever holds one of the secrets finds
its tag; to all others it is noise that changes every hour and with every network.

Whoever fills the network with announcements costs little: when there are more than any office has, all is forgotten and
nobody listened to for a while. Links stay, and known addresses are dialled all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets as random_source
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from p2psync.core.value import mutable
from p2psync.i18n import _
from p2psync.net.addresses import OwnAddress, all_addresses, is_loopback, own_addresses, parse_ip
from p2psync.net.dialer import ADDRESSES_PER_SIGHTING_MAX, Address, Match, Sighting
from p2psync.net.trust import ANNOUNCED_TAG_BYTES, NONCE_BYTES, announced_tag

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

SERVICE_TYPE: Final = "_p2psync._tcp.local."
RENEW_S: Final = 3600.0
POLL_S: Final = 5.0
"""How often the own addresses are looked at, 0.3 ms each time."""
TAGS_MULTIPLE: Final = 8
TAGS_MAX: Final = 1000
"""8,000 bytes: an mDNS packet may have 9,000."""
TAGS_PER_STRING: Final = 30
"""A string of a TXT record has at most 255 bytes."""
SEEN_MAX: Final = 512
"""Announcements remembered, strangers' among them: they may turn out to match a secret learned later."""
INTERFACES_MAX: Final = 32
RESOLVERS: Final = 4
INCOMPLETE_MAX: Final = 64
RESOLVE_S: Final = 2.0
LEAVE_S: Final = 3.0
STALE_S: Final = 1.5
"""An answer to a question is held back for up to a second, and may then say what was announced before a change: for
this long after one, some may have heard the older last, and would keep it for an hour."""
INSTANCES_MAX: Final = 2048
"""In one network at a time; who comes and goes does not add up."""
FLOODED_S: Final = 15.0
"""How long nobody is listened to when there were more. They cost processor time, and the library some memory each."""

K = TypeVar("K", bound=bytes)
_NOTHING: Final[Mapping[bytes, tuple[bytes, ...]]] = MappingProxyType({})


class Mdns:
    """Announces and browses while there is something to announce or to look for; else opens no socket."""

    def __init__(
        self,
        *,
        on_sighting: Callable[[Sighting], None],
        on_gone: Callable[[bytes, str], None],
        on_nonces: Callable[[tuple[bytes, ...]], None],
        on_network: Callable[[], None],
        interfaces: Sequence[str] | None = None,
    ) -> None:
        """`on_gone` gets the nonce and name of a sighting that ended. `on_nonces` gets what this device announces and
        what it announced just before, ahead of announcing it. `on_network`: the own addresses changed. `interfaces`
        limits everything to these own IP addresses.
        """
        self._on_sighting = on_sighting
        self._on_gone = on_gone
        self._on_nonces = on_nonces
        self._on_network = on_network
        self._interfaces = interfaces
        self._announced: tuple[bytes, ...] = ()
        self._secrets: tuple[Match, ...] = ()
        self._port = 0
        self._wake = asyncio.Event()
        self._presence: _Presence | None = None
        self._addresses: frozenset[OwnAddress] = frozenset()
        self._nonces: tuple[bytes, ...] = ()
        self._seen: dict[str, _Seen] = {}
        self._incomplete: asyncio.Queue[str] = asyncio.Queue(INCOMPLETE_MAX)
        self._flooded = False
        self._deaf_until_s = 0.0
        self.problem: str | None = None
        """Why mDNS does not work here, for people; None while it does or is not wanted."""

    def update(
        self,
        announced: Mapping[K, tuple[bytes, ...]],
        port: int,
        sought: Mapping[bytes, tuple[bytes, ...]] = _NOTHING,
    ) -> None:
        """Announce the first secret of each, with the port of the listener, and recognise others by all of them.

        `announced`: mandate or invitation: its secrets, newest first. `sought` are recognised only. With nothing in
        either everything is closed.
        """
        self._port = port
        self._announced = tuple(held[0] for _key, held in sorted(announced.items()) if held)[:TAGS_MAX]
        self._secrets = tuple(
            Match(key, secret) for table in (announced, sought) for key, held in table.items() for secret in held
        )
        for name, seen in list(self._seen.items()):
            self._report(name, seen, seen.nonce, seen.tags, seen.addresses)
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; then says goodbye. For a task of the caller's."""
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(RESOLVERS):
                    group.create_task(self._resolve(), name=f"mdns resolver {number}")
                while True:
                    self._wake.clear()
                    await self._settle()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._rest_s()):
                            await self._wake.wait()
        finally:
            await self._leave()

    def _rest_s(self) -> float | None:
        if self._presence is not None and self._presence.is_stale:
            return STALE_S
        return POLL_S if self._secrets else None

    async def _resolve(self) -> None:
        while True:
            name = await self._incomplete.get()
            if self._presence is not None:
                await self._presence.resolve(name)

    async def _settle(self) -> None:
        """Bring what is on the network in line with what is wanted."""
        now_s = asyncio.get_running_loop().time()
        if self._flooded:
            self._flooded = False
            self._deaf_until_s = now_s + FLOODED_S
            self.problem = _("Somebody floods this network with announcements. p2psync looks again in a while.")
            await self._leave()
        if now_s >= self._deaf_until_s:
            await self._be_on_network()

    async def _be_on_network(self) -> None:
        if self._secrets:
            await asyncio.to_thread(_load)
        addresses = self._usable_addresses() if self._secrets else frozenset[OwnAddress]()
        if self._presence is not None and addresses != self._addresses:
            await self._leave()
            if self._secrets:
                self._on_network()
        if not addresses:
            return
        try:
            if self._presence is None:
                self._enter(addresses)
            elif asyncio.get_running_loop().time() >= self._presence.renew_at:
                self._renew(self._presence)
            assert self._presence is not None
            await self._presence.announce(self._announced, self._port)
            self.problem = None
        except (OSError, RuntimeError) as error:
            self.problem = _("mDNS does not work here: {reason}").format(reason=error)
            await self._leave()

    def _usable_addresses(self) -> frozenset[OwnAddress]:
        """Those to announce; of the chosen ones those that are set now, loopback among them."""
        if self._interfaces is None:
            return own_addresses()
        return frozenset(address for address in all_addresses() if address.ip in self._interfaces)

    def _enter(self, addresses: frozenset[OwnAddress]) -> None:
        self._presence = _Presence(
            addresses, self._on_instance, self._on_instance_gone, self._on_incomplete, self._on_flood
        )
        self._addresses = addresses
        self._renew(self._presence)
        self._presence.browse()

    def _renew(self, presence: _Presence) -> None:
        presence.renew()
        self._nonces = (presence.nonce, *self._nonces[:1])
        self._on_nonces(self._nonces)

    async def _leave(self) -> None:
        for name in list(self._seen):
            self._on_instance_gone(name)
        if self._presence is not None:
            # Forgotten only afterwards: who is cancelled in here leaves once more.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_S):
                    await self._presence.close()
            self._presence = None

    def _on_instance(self, name: str, properties: Mapping[bytes, bytes | None], addresses: Iterable[Address]) -> None:
        """Somebody's announcement, perhaps our own, perhaps nonsense."""
        announcement = parse_properties(properties)
        if announcement is None or announcement[0] in self._nonces:
            return
        seen = self._seen.get(name)
        if seen is None:
            if len(self._seen) >= SEEN_MAX and not self._forget_a_stranger():
                return
            seen = self._seen[name] = _Seen()
        self._report(name, seen, *announcement, self._sorted_addresses(addresses))

    def _report(
        self, name: str, seen: _Seen, nonce: bytes, tags: frozenset[bytes], addresses: tuple[Address, ...]
    ) -> None:
        """Tell if what we know of an announcement has changed."""
        matches = matching(nonce, tags, self._secrets)
        if (seen.nonce, seen.matches, seen.addresses) == (nonce, matches, addresses):
            seen.tags = tags
            return
        if seen.matches and (seen.nonce != nonce or not matches):
            self._on_gone(seen.nonce, name)
        seen.nonce, seen.tags, seen.matches, seen.addresses = nonce, tags, matches, addresses
        if matches:
            self._on_sighting(Sighting(nonce, matches, addresses, name))

    def _on_incomplete(self, name: str) -> None:
        if not self._incomplete.full():
            self._incomplete.put_nowait(name)

    def _on_instance_gone(self, name: str) -> None:
        seen = self._seen.pop(name, None)
        if seen is not None and seen.matches:
            self._on_gone(seen.nonce, name)

    def _on_flood(self) -> None:
        self._flooded = True
        self._wake.set()

    def _forget_a_stranger(self) -> bool:
        name = next((name for name, seen in self._seen.items() if not seen.matches), None)
        return name is not None and self._seen.pop(name) is not None

    def _sorted_addresses(self, addresses: Iterable[Address]) -> tuple[Address, ...]:
        """On one of our networks first, IPv4 first; only hosts', and loopback only if we have nothing else."""
        own = self._addresses
        loopback = any(is_loopback(address.ip) for address in own)

        def rank(address: Address) -> tuple[bool, bool, Address]:
            ip = parse_ip(address.host)
            return (not any(ip in a.network for a in own if ip is not None), ":" in address.host, address)

        usable = (a for a in addresses if _is_host(a) and (loopback or not is_loopback(a.host)))
        zoned = {zoned for address in usable for zoned in self._with_zone(address)}
        return tuple(sorted(zoned, key=rank)[:ADDRESSES_PER_SIGHTING_MAX])

    def _with_zone(self, address: Address) -> list[Address]:
        """A link-local address that came in an IPv4 packet does not say on which interface: any that has such."""
        ip = parse_ip(address.host)
        if ip is None or ip.version == 4 or not ip.is_link_local or "%" in address.host:
            return [address]
        zones = {own.interface for own in self._addresses if own.ip.startswith("fe80:")}
        return [Address(f"{address.host}%{zone}", address.port) for zone in zones]


@mutable
class _Seen:
    """An instance in the network, as last reported."""

    nonce: bytes = b""
    tags: frozenset[bytes] = frozenset()
    matches: tuple[Match, ...] = ()
    addresses: tuple[Address, ...] = ()


def properties_of(nonce: bytes, secrets: Iterable[bytes], padding_secret: bytes) -> dict[str, bytes]:
    """What the TXT record of an announcement says; the padding stays the same for the same nonce."""
    tags = [announced_tag(secret, nonce) for secret in secrets]
    tags += (
        announced_tag(padding_secret, nonce + number.to_bytes(2, "big")) for number in range(-len(tags) % TAGS_MULTIPLE)
    )
    tags.sort()
    strings = [b"".join(tags[i : i + TAGS_PER_STRING]) for i in range(0, len(tags), TAGS_PER_STRING)]
    return {"n": nonce, **{f"t{i}": string for i, string in enumerate(strings)}}


def parse_properties(properties: Mapping[bytes, bytes | None]) -> tuple[bytes, frozenset[bytes]] | None:
    """(nonce, tags) of an announcement; None for anything else."""
    nonce = properties.get(b"n")
    if nonce is None or len(nonce) != NONCE_BYTES:
        return None
    strings = (value for key, value in properties.items() if key.startswith(b"t") and value)
    tags = (s[i : i + ANNOUNCED_TAG_BYTES] for s in strings for i in range(0, len(s), ANNOUNCED_TAG_BYTES))
    return nonce, frozenset(tags)


def matching(nonce: bytes, tags: frozenset[bytes], secrets: Iterable[Match]) -> tuple[Match, ...]:
    """Those of our secrets that the announcer of `nonce` holds too."""
    return tuple(match for match in secrets if announced_tag(match.secret, nonce) in tags)


def _load() -> None:
    """Import what this module does at its first use: for a thread, since it keeps an event loop waiting too long."""
    import_module("zeroconf.asyncio")


class _Presence:
    """Sockets on these addresses, a browser, and at most one announcement: what zeroconf does for us."""

    def __init__(
        self,
        addresses: frozenset[OwnAddress],
        on_instance: Callable[[str, Mapping[bytes, bytes | None], Iterable[Address]], None],
        on_instance_gone: Callable[[str], None],
        on_incomplete: Callable[[str], None],
        on_flood: Callable[[], None],
    ) -> None:
        """`on_flood`: there are too many instances. Raises OSError or RuntimeError if the sockets cannot be opened."""
        from zeroconf.asyncio import AsyncZeroconf

        self._on_instance = on_instance
        self._on_instance_gone = on_instance_gone
        self._on_incomplete = on_incomplete
        self._on_flood = on_flood
        self._instances: set[str] = set()
        self._ips = sorted({address.ip for address in addresses})
        self._zeroconf: AsyncZeroconf = AsyncZeroconf(interfaces=_zeroconf_interfaces(addresses))
        self._browser: AsyncServiceBrowser | None = None
        self._announced: AsyncServiceInfo | None = None
        self._changed_at: float | None = None
        """When what is announced under the same name changed, until that was said again."""
        self.renew()

    def renew(self) -> None:
        """Another name and nonce for the next announcement."""
        self._name = f"{random_source.token_hex(8)}.{SERVICE_TYPE}"
        self._server = f"{random_source.token_hex(8)}.local."
        self._padding_secret = random_source.token_bytes(32)
        self.nonce = random_source.token_bytes(NONCE_BYTES)
        self.renew_at = asyncio.get_running_loop().time() + RENEW_S

    @property
    def is_stale(self) -> bool:
        """Whether the last change is to be said again."""
        return self._changed_at is not None

    def browse(self) -> None:
        """Answers are asked for by multicast: one by unicast goes to any of this machine's programs on that port."""
        from zeroconf import DNSQuestionType
        from zeroconf.asyncio import AsyncServiceBrowser

        self._browser = AsyncServiceBrowser(
            self._zeroconf.zeroconf, SERVICE_TYPE, [self._on_change], question_type=DNSQuestionType.QM
        )

    async def announce(self, secrets: tuple[bytes, ...], port: int) -> None:
        """Be seen by the holders of these secrets; by nobody if there are none. Raises OSError if that cannot be."""
        from zeroconf import Error

        try:
            if secrets:
                await self._say(self._announcement(secrets, port))
            elif self._announced is not None:
                old, self._announced, self._changed_at = self._announced, None, None
                await (await self._zeroconf.async_unregister_service(old))
        except Error as error:
            raise OSError(str(error) or type(error).__name__) from error

    def _announcement(self, secrets: tuple[bytes, ...], port: int) -> AsyncServiceInfo:
        from zeroconf.asyncio import AsyncServiceInfo

        properties: dict[str | bytes, str | bytes | None] = {}
        properties.update(properties_of(self.nonce, secrets, self._padding_secret))
        return AsyncServiceInfo(
            SERVICE_TYPE, self._name, port, properties=properties, server=self._server, parsed_addresses=self._ips
        )

    async def _say(self, new: AsyncServiceInfo) -> None:
        """Announce this instead of what was announced before, if it is anything new."""
        old, now = self._announced, asyncio.get_running_loop().time()
        if old is not None and (old.name, old.port, old.text) == (new.name, new.port, new.text):
            if self._changed_at is not None and now >= self._changed_at + STALE_S:
                self._changed_at = None
                await (await self._zeroconf.async_update_service(new))
            return
        self._announced, self._changed_at = new, None
        if old is not None and old.name == new.name:
            self._changed_at = now
            await (await self._zeroconf.async_update_service(new))
            return
        # A random name needs no probing, which would take a second.
        await (await self._zeroconf.async_register_service(new, cooperating_responders=True))
        if old is not None:
            await (await self._zeroconf.async_unregister_service(old))

    async def resolve(self, name: str) -> None:
        """Ask for what is missing of an announcement that did not come whole."""
        from zeroconf import Error
        from zeroconf.asyncio import AsyncServiceInfo

        info = AsyncServiceInfo(SERVICE_TYPE, name)
        with contextlib.suppress(Error):
            if await info.async_request(self._zeroconf.zeroconf, RESOLVE_S * 1000):
                self._tell(info)

    async def close(self) -> None:
        """Say goodbye and close the sockets."""
        browser, self._browser = self._browser, None
        if browser is not None:
            await browser.async_cancel()
        await self._zeroconf.async_close()

    def _on_change(self, *, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        from zeroconf import BadTypeInNameException, ServiceStateChange
        from zeroconf.asyncio import AsyncServiceInfo

        if state_change is ServiceStateChange.Removed:
            self._instances.discard(name)
            self._on_instance_gone(name)
            return
        if len(self._instances) >= INSTANCES_MAX:
            self._on_flood()
            return
        self._instances.add(name)
        try:
            info = AsyncServiceInfo(service_type, name)
        except BadTypeInNameException:
            return
        if info.load_from_cache(zeroconf):
            self._tell(info)
        else:
            self._on_incomplete(name)

    def _tell(self, info: AsyncServiceInfo) -> None:
        addresses = [Address(host, info.port or 0) for host in info.parsed_scoped_addresses()]
        self._on_instance(info.name, info.properties, addresses)


def _zeroconf_interfaces(addresses: Iterable[OwnAddress]) -> list[str | int | tuple[tuple[str, int, int], int]]:
    """IPv4 by address, IPv6 by number of the interface."""
    v4 = sorted({a.ip for a in addresses if "." in a.ip})
    v6 = sorted({a.interface for a in addresses if ":" in a.ip and a.interface})
    return [*v4[:INTERFACES_MAX], *v6[:INTERFACES_MAX]]


def _is_host(address: Address) -> bool:
    ip = parse_ip(address.host)
    return ip is not None and address.port > 0 and not (ip.is_multicast or ip.is_unspecified)
