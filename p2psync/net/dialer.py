"""Which way to try next: a pure table of ways to the other members, of what came of each, and of who is linked.

The runtime tells it what happens (seen by mDNS, an address given, an attempt's end, a link's begin and end), starts
what `next_attempts` says, and asks again at `wake_at`. An address that leads to a linked device is left alone; one
that fails is tried again after 0.5 s to 60 s; whatever gives new hope (a new announcement, another network, a link
that had lasted and broke) is tried at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

from p2psync.core.ids import DeviceId, MandateId

BACKOFF_MIN_S: Final = 0.5
BACKOFF_MAX_S: Final = 60.0
STAGGER_S: Final = 0.25
"""Head start of an announcement's address over its next one: the first that answers makes the others needless."""
STABLE_S: Final = 30.0
"""A link that lasted so long was good; one that breaks sooner counts as a failed attempt."""
IN_FLIGHT_MAX: Final = 16
RETRIES_IN_FLIGHT_MAX: Final = 12
"""Of these; dead addresses that take long to fail must not keep a new announcement waiting."""
SIGHTINGS_MAX: Final = 256
ADDRESSES_PER_SIGHTING_MAX: Final = 8
ADDRESSES_PER_MANDATE_MAX: Final = 64


class Address(NamedTuple):
    host: str
    """IP address, with its zone if it is link-local IPv6, or a host name."""
    port: int


@dataclass(frozen=True, slots=True)
class Match:
    """One secret of ours that an announcer holds too."""

    key: bytes
    """The mandate's id, or the id of an invitation."""
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sighting:
    """Somebody in this network who holds a secret of ours announces where to find him."""

    nonce: bytes
    """Names the announcer until he renews it."""
    matches: tuple[Match, ...]
    addresses: tuple[Address, ...]
    """Most promising first."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One connection to try."""

    address: Address
    mandate: MandateId
    """Its members are to be trusted."""
    secret: bytes = field(repr=False)
    """Makes the tag."""
    nonce: bytes | None
    """The announcer, for `nonce_tag`; None for a known address, for `period_tag`."""


_Key = tuple[bytes, Address]
"""(announcement or mandate, address)"""


@dataclass(slots=True)
class _Target:
    address: Address
    nonce: bytes | None
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
        self._sightings: dict[bytes, Sighting] = {}
        self._own_nonces: frozenset[bytes] = frozenset()
        self._targets: dict[_Key, _Target] = {}
        self._in_flight: dict[_Key, tuple[Attempt, bool]] = {}
        """(attempt, whether it failed before)"""
        self._linked: dict[DeviceId, float] = {}
        self._leads_to: dict[Address, DeviceId] = {}

    def set_mandates(self, secrets: Mapping[MandateId, tuple[bytes, ...]], now: float) -> None:
        """The shared mandates and their discovery secrets, newest first. Ways to others are forgotten."""
        self._secrets = dict(secrets)
        for nonce in list(self._sightings):
            self._refresh_sighting(nonce, now)
        for mandate in self._known.keys() | secrets.keys():
            self._refresh_known(mandate, now)

    def set_addresses(self, mandate: MandateId, addresses: Iterable[Address], now: float) -> None:
        """Where members of a mandate may be found, as people said or as was learned; replaces what was there."""
        self._known[mandate] = tuple(dict.fromkeys(addresses))[:ADDRESSES_PER_MANDATE_MAX]
        if not self._known[mandate]:
            del self._known[mandate]
        self._refresh_known(mandate, now)

    def set_own_nonces(self, nonces: Iterable[bytes]) -> None:
        """What this device announces itself by: not to be dialled."""
        self._own_nonces = frozenset(nonces)
        for nonce in self._own_nonces & self._sightings.keys():
            self.gone(nonce)

    def sighted(self, sighting: Sighting, now: float) -> None:
        """An announcement is new or has changed."""
        if sighting.nonce in self._own_nonces:
            return
        if sighting.nonce not in self._sightings and len(self._sightings) >= SIGHTINGS_MAX:
            self.gone(self._least_promising())
        self._sightings[sighting.nonce] = sighting
        self._refresh_sighting(sighting.nonce, now)

    def gone(self, nonce: bytes) -> None:
        """An announcement was taken back or ran out."""
        self._sightings.pop(nonce, None)
        self._drop_targets(_of_sighting(nonce), keep=())

    def network_changed(self, now: float) -> None:
        """Other interfaces or addresses: what failed before may work now."""
        for target in self._targets.values():
            target.failures = 0
            target.due = min(target.due, now)

    def next_attempts(self, now: float) -> list[Attempt]:
        """What to start now. Each attempt is reported back once, by `failed` or `connected`."""
        attempts = []
        for _, due, key in sorted(self._startable()):
            retry = self._targets[key].failures > 0
            if due <= now and self._has_room(retry):
                attempt = self._attempt(self._targets[key])
                self._in_flight[key] = (attempt, retry)
                attempts.append(attempt)
        return attempts

    def wake_at(self) -> float | None:
        """When `next_attempts` has more to say, if nothing happens before; None if only then."""
        return min((due for _, due, _ in self._startable()), default=None)

    def failed(self, attempt: Attempt, now: float) -> None:
        """It led to no device."""
        target = self._land(attempt)
        if target is not None:
            self._leads_to.pop(target.address, None)
            if target.nonce is None:  # An announcement stays its device's, whichever of its addresses fail.
                target.device = None
            self._back_off(target, now)

    def connected(self, attempt: Attempt, device: DeviceId, now: float) -> None:
        """It led to this device, also if the link is not kept because there is one already."""
        self._land(attempt)
        self._leads_to[attempt.address] = device
        for target in self._targets.values():
            known_at = target.address == attempt.address and (target.nonce is None or target.device is None)
            seen_as = target.nonce is not None and target.nonce == attempt.nonce
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

    def _startable(self) -> Iterator[tuple[int, float, _Key]]:
        """(failures, due, key) of what could be started, were it due; new hopes sort first."""
        for key, target in self._targets.items():
            linked = target.device is not None and target.device in self._linked
            if not linked and key not in self._in_flight and self._has_room(target.failures > 0):
                yield target.failures, target.due, key

    def _has_room(self, retry: bool) -> bool:
        retries = sum(retrying for _, retrying in self._in_flight.values())
        return len(self._in_flight) < IN_FLIGHT_MAX and not (retry and retries >= RETRIES_IN_FLIGHT_MAX)

    def _attempt(self, target: _Target) -> Attempt:
        mandate, secret = target.doors[target.failures % len(target.doors)]
        return Attempt(target.address, mandate, secret, target.nonce)

    def _land(self, attempt: Attempt) -> _Target | None:
        owner = _of_mandate(attempt.mandate) if attempt.nonce is None else _of_sighting(attempt.nonce)
        key = (owner, attempt.address)
        if key not in self._in_flight or self._in_flight[key][0] != attempt:
            return None
        del self._in_flight[key]
        return self._targets.get(key)

    def _back_off(self, target: _Target, now: float) -> None:
        target.failures += 1
        # Beyond the seventh the power is over the maximum anyway; a float overflows at the thousandth.
        step_s = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2.0 ** min(target.failures, 10))
        target.due = now + self._random.uniform(step_s / 2, step_s)

    def _refresh_sighting(self, nonce: bytes, now: float) -> None:
        sighting = self._sightings[nonce]
        doors = tuple(
            (MandateId(match.key), match.secret)
            for match in sighting.matches
            if match.secret in self._secrets.get(MandateId(match.key), ())
        )
        addresses = tuple(dict.fromkeys(sighting.addresses))[:ADDRESSES_PER_SIGHTING_MAX]
        self._set_targets(_of_sighting(nonce), nonce, addresses, doors, now, STAGGER_S)

    def _refresh_known(self, mandate: MandateId, now: float) -> None:
        doors = tuple((mandate, secret) for secret in self._secrets.get(mandate, ()))
        self._set_targets(_of_mandate(mandate), None, self._known.get(mandate, ()), doors, now, 0.0)

    def _set_targets(
        self,
        owner: bytes,
        nonce: bytes | None,
        addresses: tuple[Address, ...],
        doors: tuple[tuple[MandateId, bytes], ...],
        now: float,
        stagger_s: float,
    ) -> None:
        """The targets of one announcement or mandate. Those that stay keep their history, unless the doors changed."""
        if not doors:
            addresses = ()
        self._drop_targets(owner, keep=addresses)
        # Who renews his announcement still listens where he did: no need to dial to learn that.
        device = next((t.device for key, t in self._targets.items() if nonce and key[0] == owner and t.device), None)
        device = device or next((self._leads_to[a] for a in addresses if nonce and a in self._leads_to), None)
        for place, address in enumerate(addresses):
            old = self._targets.get((owner, address))
            if old is None or old.doors != doors:
                due = now + place * stagger_s
                self._targets[owner, address] = _Target(
                    address, nonce, doors, due, device=old.device if old else device
                )

    def _drop_targets(self, owner: bytes, keep: tuple[Address, ...]) -> None:
        for key in [key for key in self._targets if key[0] == owner and key[1] not in keep]:
            del self._targets[key]

    def _least_promising(self) -> bytes:
        """The announcement that failed most; the oldest of several such."""
        failures = dict.fromkeys(self._sightings, 0)
        for target in self._targets.values():
            if target.nonce is not None:
                failures[target.nonce] = max(failures[target.nonce], target.failures)
        return max(failures, key=lambda nonce: failures[nonce])


def _of_sighting(nonce: bytes) -> bytes:
    return b"nonce" + nonce


def _of_mandate(mandate: MandateId) -> bytes:
    return b"mandate" + mandate
