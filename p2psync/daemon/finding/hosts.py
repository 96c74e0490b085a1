"""The meeting hosts of a device and of its mandates: what a person names at the start holds until others are named.

An admin's are told to all members in the mandate's signed log; what a ticket named is known to its holder alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from p2psync.daemon.config import Config
from p2psync.daemon.finding.places import hosts_among
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.errors import ConfigError
from p2psync.rendezvous.protocol.address import HostAddress, parse_address
from p2psync.store.database import Database
from p2psync.store.records import Records

OFF = "off"
"""Instead of a host: none from now on."""
SETTING = "rendezvous"
HOSTS_MAX = 8
"""Of one mandate."""


def settled(config: Config, database: Database) -> tuple[Config, frozenset[str]]:
    """The hosts of this run, and those that were named before and are no more. Raises ConfigError."""
    records = Records(database)
    found = records.setting(SETTING)
    kept = tuple(str(one) for one in found) if isinstance(found, list | tuple) else ()
    if not config.rendezvous:
        return replace(config, rendezvous=kept), frozenset()
    texts = () if config.rendezvous == (OFF,) else config.rendezvous
    named = tuple(dict.fromkeys(str(parse_address(text)) for text in texts))
    with database.transaction():
        records.put_setting(SETTING, list(named))
    return replace(config, rendezvous=named), frozenset(kept) - frozenset(named)


def publish(device: Device, named: Sequence[str], dropped: frozenset[str]) -> None:
    """Tell the members of all mandates that this device is an admin of."""
    for mandate in list(device.mandates.values()):
        if mandate.is_shared and mandate.authority.is_admin(device.keys.device):
            device.admin(mandate.id).set_hosts(named, dropped)


def hosts_of(mandate: Mandate, own: Iterable[str], places: Iterable[str]) -> tuple[HostAddress, ...]:
    """Where the members of a mandate meet; `own`: as this device was told, `places`: as its ticket said."""
    told = (*hosts_among(own), *_readable(mandate.authority.hosts), *hosts_among(places))
    return tuple(dict.fromkeys(told))[:HOSTS_MAX]


def _readable(texts: Iterable[str]) -> list[HostAddress]:
    """An admin may have written anything."""
    found = []
    for text in texts:
        try:
            found.append(parse_address(text))
        except ConfigError:
            continue
    return found
