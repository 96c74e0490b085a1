"""Which way to try next: a pure table of ways to the other members, of what came of each, and of who is linked.

The runtime tells it what happens (seen by mDNS, an address given, an attempt's end, a link's begin and end), starts
what `next_attempts` says, and asks again at `wake_at`. An address that leads to a linked device is left alone; one
that fails is tried again after 0.5 s to 60 s; whatever gives new hope (a new announcement, another network, a link
that had lasted and broke) is tried at once.

Anybody in the network can repeat an announcement with addresses of his own, under another name. So each is kept apart,
few of one announcer, and all that is announced together gets a limited number of calls a second.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from random import Random
from typing import Final, NamedTuple

from p2psync.core.address import host_and_port
from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.value import mutable, value

BACKOFF_MIN_S: Final = 0.5
BACKOFF_MAX_S: Final = 60.0
STAGGER_S: Final = 0.25
"""Head start of an announcement's address over its next one: the first that answers makes the others needless."""
STABLE_S: Final = 30.0
"""A link that lasted so long was good; one that breaks sooner counts as a failed attempt."""
IN_FLIGHT_MAX: Final = 16
RETRIES_IN_FLIGHT_MAX: Final = 12
"""Of these; dead addresses that take long to fail must not keep a new announcement waiting."""
CALLS_AT_ONCE: Final = 128
"""To announced addresses, after a while without any."""
CALL_EVERY_S: Final = 0.125
"""And afterwards."""
SIGHTINGS_MAX: Final = 256
COPIES_MAX: Final = 4
"""Announcements with the same nonce."""
ADDRESSES_PER_SIGHTING_MAX: Final = 8
ADDRESSES_PER_MANDATE_MAX: Final = 64


class Address(NamedTuple):
    host: str
    """IP address, with its zone if it is link-local IPv6, or a host name."""
    port: int

    def __str__(self) -> str:
        return host_and_port(self.host, self.port)


@value
class Match:
    """One secret of ours that an announcer holds too."""

    key: bytes
    """The mandate's id, or the id of an invitation."""
    secret: bytes = field(repr=False)


@value
class Sighting:
    """Somebody in this network who holds a secret of ours announces where to find him."""

    nonce: bytes
    """Names the announcer until he renews it."""
    matches: tuple[Match, ...]
    addresses: tuple[Address, ...]
    """Most promising first."""
    name: str = ""
    """Of the announcement; another one may repeat the nonce."""


@value
class Attempt:
    """One connection to try."""

    address: Address
    mandate: MandateId
    """Its members are to be trusted."""
    secret: bytes = field(repr=False)
    """Makes the tag."""
    nonce: bytes | None
    """The announcer, for `nonce_tag`; None for a known address, for `period_tag`."""
    name: str = ""
    """Of the announcement, or of the device that was heard to be there."""
    device: DeviceId | None = None
    """That was heard to be there."""


class _Source(NamedTuple):
    """Where a way to somebody comes from: an announcement, what is known of a mandate, or what a member said."""

    nonce: bytes | None
    name: str = ""
    mandate: bytes = b""


_Key = tuple[_Source, Address]


@mutable
class _Target:
    address: Address
    source: _Source
    doors: tuple[tuple[MandateId, bytes], ...]
    """(mandate, secret) to try in turn: the other side may know only some of them."""
    due: float
    failures: int = 0
    device: DeviceId | None = None
    """Who answered there last."""


class Dialer:
    """All times are seconds of one monotonic clock."""

    def __init__(self, random: Random) -> None:
        """`random` is for jitter, so that devices do not call each other in step."""
        self._random = random
        self._secrets: dict[MandateId, tuple[bytes, ...]] = {}
        self._known: dict[MandateId, tuple[Address, ...]] = {}
        self._heard: dict[_Source, tuple[DeviceId, tuple[Address, ...]]] = {}
        self._sightings: dict[_Source, Sighting] = {}
        self._called_until = -math.inf
        """When all calls to announced addresses would be over, if they had been CALL_EVERY_S apart."""
        self._own_nonces: frozenset[bytes] = frozenset()
        self._targets: dict[_Key, _Target] = {}
        self._in_flight: dict[_Key, tuple[Attempt, bool]] = {}
        """(attempt, whether it failed before)"""
        self._linked: dict[DeviceId, float] = {}
        self._leads_to: dict[Address, DeviceId] = {}

    def set_mandates(self, secrets: Mapping[MandateId, tuple[bytes, ...]], now: float) -> None:
        """The shared mandates and their discovery secrets, newest first. Ways to others are forgotten."""
        self._secrets = dict(secrets)
        for source in self._sightings:
            self._refresh_sighting(source, now)
        for mandate in self._known.keys() | secrets.keys():
            self._refresh_known(mandate, now)
        for source in tuple(self._heard):
            self._refresh_heard(source, now)

    def heard(self, device: DeviceId, mandate: MandateId, addresses: Iterable[Address], now: float) -> None:
        """A member says that it may be found there, now; replaces what it said before. None: it is gone."""
        source = _Source(None, device.hex(), mandate)
        several = tuple(dict.fromkeys(addresses))[:ADDRESSES_PER_SIGHTING_MAX]
        if several and (source in self._heard or len(self._heard) < SIGHTINGS_MAX):
            self._heard[source] = device, several
            for address in several:
                self._hope(source, address, now)
            self._refresh_heard(source, now)
        elif not several and self._heard.pop(source, None) is not None:
            self._drop_targets(source, keep=())

    def set_addresses(self, mandate: MandateId, addresses: Iterable[Address], now: float) -> None:
        """Where members of a mandate may be found, as people said or as was learned; replaces what was there."""
        self._known[mandate] = tuple(dict.fromkeys(addresses))[:ADDRESSES_PER_MANDATE_MAX]
        if not self._known[mandate]:
            del self._known[mandate]
        self._refresh_known(mandate, now)

    def set_own_nonces(self, nonces: Iterable[bytes]) -> None:
        """What this device announces itself by: not to be dialled."""
        self._own_nonces = frozenset(nonces)
        for source in [source for source in self._sightings if source.nonce in self._own_nonces]:
            self._forget(source)

    def sighted(self, sighting: Sighting, now: float) -> None:
        """An announcement is new or has changed."""
        if sighting.nonce in self._own_nonces:
            return
        source = _Source(sighting.nonce, sighting.name)
        if source in self._sightings or self._make_room(source):
            self._sightings[source] = sighting
            self._refresh_sighting(source, now)

    def gone(self, nonce: bytes, name: str = "") -> None:
        """An announcement was taken back or ran out."""
        self._forget(_Source(nonce, name))

    def network_changed(self, now: float) -> None:
        """Other interfaces or addresses: what failed before may work now."""
        for target in self._targets.values():
            target.failures = 0
            target.due = min(target.due, now)

    def next_attempts(self, now: float) -> list[Attempt]:
        """What to start now. Each attempt is reported back once, by `failed` or `connected`."""
        attempts = []
        for target in sorted(self._startable(), key=lambda target: (target.failures, target.due)):
            retry = self._is_patient(target)
            if self._startable_at(target) <= now and self._has_room(retry):
                if target.source.nonce is not None:
                    self._called_until = max(self._called_until, now) + CALL_EVERY_S
                attempt = self._attempt(target)
                self._in_flight[target.source, target.address] = (attempt, retry)
                attempts.append(attempt)
        return attempts

    def wake_at(self) -> float | None:
        """When `next_attempts` has more to say, if nothing happens before; None if only then."""
        return min(map(self._startable_at, self._startable()), default=None)

    def next_call(self, device: DeviceId, mandate: MandateId, now: float) -> float | None:
        """When an address is tried next that may be this member's: `now` while one is, None without any."""
        return min(
            (
                max(now, self._startable_at(target))
                for target in self._targets.values()
                if target.device in (None, device)
                and not self._is_linked(target)
                and any(door == mandate for door, _ in target.doors)
            ),
            default=None,
        )

    def failed(self, attempt: Attempt, now: float) -> None:
        """It led to no device."""
        target = self._land(attempt)
        if target is not None:
            self._leads_to.pop(target.address, None)
            if target.source.nonce is None and target.source not in self._heard:
                target.device = None  # An announcement stays its device's, whichever of its addresses fail.
            self._back_off(target, now)

    def connected(self, attempt: Attempt, device: DeviceId, now: float) -> None:
        """It led to this device, also if the link is not kept because there is one already."""
        self._land(attempt)
        self._leads_to[attempt.address] = device
        for target in self._targets.values():
            nonce = target.source.nonce
            known_at = target.address == attempt.address and (nonce is None or target.device is None)
            known_at = known_at and target.source not in self._heard
            seen_as = nonce is not None and nonce == attempt.nonce
            if known_at or seen_as:
                target.device = device
        self.linked(device, now)

    def linked(self, device: DeviceId, now: float) -> None:
        """There is a link to the device, whoever dialled."""
        self._linked.setdefault(device, now)

    def lost(self, device: DeviceId, now: float) -> None:
        """The last link to the device is gone."""
        since = self._linked.pop(device, None)
        if since is None:
            return
        self._leads_to = {address: d for address, d in self._leads_to.items() if d != device}
        for target in self._targets.values():
            if target.device != device:
                continue
            if now - since >= STABLE_S:
                target.failures = 0
                target.due = now
            else:
                self._back_off(target, now)

    def _startable(self) -> Iterator[_Target]:
        """What could be started, were it due."""
        for key, target in self._targets.items():
            if not self._is_linked(target) and key not in self._in_flight and self._has_room(self._is_patient(target)):
                yield target

    def _is_patient(self, target: _Target) -> bool:
        """What failed, or was heard from afar, leaves room for what is new and near."""
        return target.failures > 0 or target.source in self._heard

    def _is_linked(self, target: _Target) -> bool:
        announced = target.source.nonce is not None or target.source in self._heard
        device = self._leads_to.get(target.address, target.device) if announced else target.device
        return device is not None and device in self._linked

    def _startable_at(self, target: _Target) -> float:
        """When it is due and, if it was only announced, there is a call left for it."""
        if target.source.nonce is None:
            return target.due
        return max(target.due, self._called_until - CALLS_AT_ONCE * CALL_EVERY_S)

    def _has_room(self, retry: bool) -> bool:
        retries = sum(retrying for _, retrying in self._in_flight.values())
        return len(self._in_flight) < IN_FLIGHT_MAX and not (retry and retries >= RETRIES_IN_FLIGHT_MAX)

    def _attempt(self, target: _Target) -> Attempt:
        mandate, secret = target.doors[target.failures % len(target.doors)]
        heard = self._heard.get(target.source)
        device = heard[0] if heard is not None else None
        return Attempt(target.address, mandate, secret, target.source.nonce, target.source.name, device)

    def _land(self, attempt: Attempt) -> _Target | None:
        known = _Source(None, attempt.name, attempt.mandate)
        key = (known if attempt.nonce is None else _Source(attempt.nonce, attempt.name), attempt.address)
        if key not in self._in_flight or self._in_flight[key][0] != attempt:
            return None
        del self._in_flight[key]
        return self._targets.get(key)

    def _back_off(self, target: _Target, now: float) -> None:
        target.failures += 1
        # Beyond the seventh the power is over the maximum anyway; a float overflows at the thousandth.
        step_s = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2.0 ** min(target.failures, 10))
        target.due = now + self._random.uniform(step_s / 2, step_s)

    def _refresh_sighting(self, source: _Source, now: float) -> None:
        sighting = self._sightings[source]
        doors = tuple(
            (MandateId(match.key), match.secret)
            for match in sighting.matches
            if match.secret in self._secrets.get(MandateId(match.key), ())
        )
        addresses = tuple(dict.fromkeys(sighting.addresses))[:ADDRESSES_PER_SIGHTING_MAX]
        self._set_targets(source, addresses, doors, now)

    def _refresh_known(self, mandate: MandateId, now: float) -> None:
        doors = tuple((mandate, secret) for secret in self._secrets.get(mandate, ()))
        self._set_targets(_Source(None, mandate=mandate), self._known.get(mandate, ()), doors, now)

    def _refresh_heard(self, source: _Source, now: float) -> None:
        device, addresses = self._heard[source]
        mandate = MandateId(source.mandate)
        doors = tuple((mandate, secret) for secret in self._secrets.get(mandate, ()))
        self._set_targets(source, addresses, doors, now)
        for address in addresses:
            if (source, address) in self._targets:
                self._targets[source, address].device = device
        if not doors:
            del self._heard[source]

    def _hope(self, source: _Source, address: Address, now: float) -> None:
        target = self._targets.get((source, address))
        if target is not None:
            target.failures = 0
            target.due = min(target.due, now)

    def _set_targets(
        self, source: _Source, addresses: tuple[Address, ...], doors: tuple[tuple[MandateId, bytes], ...], now: float
    ) -> None:
        """The ways from one source. Those that stay keep their history, unless the doors changed."""
        if not doors:
            addresses = ()
        self._drop_targets(source, keep=addresses)
        device = self._announcer(source.nonce, addresses) if source.nonce is not None else None
        stagger_s = STAGGER_S if source.nonce is not None else 0.0
        for place, address in enumerate(addresses):
            old = self._targets.get((source, address))
            if old is None or old.doors != doors:
                due = now + place * stagger_s
                self._targets[source, address] = _Target(
                    address, source, doors, due, device=old.device if old else device
                )

    def _announcer(self, nonce: bytes, addresses: tuple[Address, ...]) -> DeviceId | None:
        """Who announces this, if that is known: who renews his announcement still listens where he did."""
        known = (t.device for t in self._targets.values() if t.source.nonce == nonce and t.device)
        return next(known, None) or next((self._leads_to[a] for a in addresses if a in self._leads_to), None)

    def _drop_targets(self, source: _Source, keep: tuple[Address, ...]) -> None:
        for key in [key for key in self._targets if key[0] == source and key[1] not in keep]:
            del self._targets[key]

    def _forget(self, source: _Source) -> None:
        self._sightings.pop(source, None)
        self._drop_targets(source, keep=())

    def _make_room(self, source: _Source) -> bool:
        """Let an announcement go that is less promising than this new one, if there are too many; False if none is."""
        copies = [other for other in self._sightings if other.nonce == source.nonce]
        if len(copies) >= COPIES_MAX:
            failed = {other: self._failures(other) for other in copies}
            worst = max(copies, key=lambda other: failed[other])
            if not failed[worst]:
                return False
            self._forget(worst)
        elif len(self._sightings) >= SIGHTINGS_MAX:
            self._forget(self._least_promising())
        return True

    def _least_promising(self) -> _Source:
        """Of those that lead to nobody linked that which failed most; the oldest of several such."""
        failures = dict.fromkeys(self._sightings, 0)
        linked = set()
        for target in self._targets.values():
            if target.source in failures:
                failures[target.source] = max(failures[target.source], target.failures)
                if self._is_linked(target):
                    linked.add(target.source)
        return max(failures, key=lambda source: (source not in linked, failures[source]))

    def _failures(self, source: _Source) -> int:
        return max((t.failures for (owner, _), t in self._targets.items() if owner == source), default=0)
