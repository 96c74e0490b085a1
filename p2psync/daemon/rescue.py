"""What a device keeps beside its database, so that it can begin anew when that is lost: who belongs, and where.

The files come back from the folder and the other members; the keys of the mandates and their admins' statements
would not, if this device is the only member. A rebuilt mandate goes on in new logs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from random import Random

import msgpack

from p2psync.core.block import AUTHORITY
from p2psync.core.ids import DeviceId, MandateId, mandate_id
from p2psync.core.problem import Code, Problem
from p2psync.core.value import value
from p2psync.engine.device import Device
from p2psync.engine.ledger import Keys, Ledger, MissingBlock
from p2psync.engine.mandate import Mandate
from p2psync.engine.state import DeviceState
from p2psync.errors import P2PSyncError, StoreDamaged, StoreError
from p2psync.fs.durable import sync_descriptor
from p2psync.store.database import Database, set_aside
from p2psync.store.records import Records
from p2psync.store.state import SqliteDeviceState

DATABASE_FILE = "p2psync.db"
DAMAGED_FILE = "p2psync.db.found-damaged"
RESCUE_FILE = "mandates.rescue"
FORMAT = 1
FILE_BYTES_MAX = 256 << 20


@value
class Card:
    """One mandate, as far as it cannot be learned again from its folder."""

    mandate: MandateId
    name: str
    role: str
    folder: str
    secrets: tuple[tuple[int, bytes], ...] = field(repr=False)
    members: tuple[tuple[DeviceId, bytes], ...]
    """Devices and certificates."""
    blocks: tuple[bytes, ...] = field(repr=False)
    """Of the authority logs, each after those that it names."""
    addresses: tuple[str, ...]
    """Where members may be found, as people said."""


def cards(device: Device, records: Records) -> list[Card]:
    """Of all mandates; for the engine's thread."""
    return [_card(mandate, tuple(records.addresses(mandate.id))) for mandate in device.mandates.values()]


def open_database(home: Path, keys: Keys, rng: Random, stamp: str) -> tuple[Database, Path | None]:
    """The database of a home. One that is damaged is set aside and made anew from the cards; returns where it lies.

    One that is gone, while the cards are there, is made anew likewise; where it would lie is returned all the same.
    `stamp`: the time as it shall stand in the name. Raises StoreError.
    """
    path = home / DATABASE_FILE
    try:
        if (home / DAMAGED_FILE).exists():
            raise StoreDamaged("The database {path} was found damaged", path=path)
        if not path.exists() and (home / RESCUE_FILE).exists():
            raise StoreDamaged("The database {path} is gone", path=path)
        return Database.open(path), None
    except StoreDamaged:
        several = read(home)
        mark_damaged(home)  # until it is made anew: a crash before that must not leave an empty one in its place
        aside = set_aside(path, stamp)
    database = Database.open(path)
    with database.transaction():
        rebuild(SqliteDeviceState(database), Records(database), several, keys, rng)
    (home / DAMAGED_FILE).unlink()
    return database, aside


def mark_damaged(home: Path) -> None:
    """Found while running: the next start sets the database aside. Raises OSError."""
    (home / DAMAGED_FILE).touch(mode=0o600)


def write(home: Path, several: Sequence[Card]) -> None:
    """Durable and whole, readable by this user alone. Raises OSError."""
    path = home / RESCUE_FILE
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "wb") as file:
        file.write(msgpack.packb([FORMAT, [_fields(card) for card in several]]))
        file.flush()
        sync_descriptor(file.fileno())
    os.replace(fresh, path)


def read(home: Path) -> list[Card]:
    """None is there in a new home. Raises StoreError if the file cannot be understood."""
    path = home / RESCUE_FILE
    try:
        with path.open("rb") as file:
            version, several = msgpack.unpackb(file.read(FILE_BYTES_MAX), use_list=False)
        if version != FORMAT:
            raise ValueError(f"format {version}")
        return [_card_of(*one) for one in several]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, P2PSyncError, msgpack.exceptions.UnpackException) as error:
        raise StoreError(
            "The database of this device is damaged, and {path}, from which it could be rebuilt, cannot be read: "
            "{reason}. Restore {home} from a backup, or join the mandates again with a new --home.",
            path=path,
            reason=error,
            home=home,
        ) from error


def rebuild(state: DeviceState, records: Records, several: Sequence[Card], keys: Keys, rng: Random) -> None:
    """Put the mandates of the cards into an empty database; what lies in their folders is then judged as found."""
    for card in several:
        rows = state.add_mandate(card.mandate)
        rows.put("discontinuous", True)
        rows.put("name", card.name)
        rows.put("role", card.role)
        rows.put("folder", card.folder)
        rows.put("secrets", [list(one) for one in card.secrets])
        ledger = Ledger(card.mandate, rows, keys, rng)
        for block in card.blocks:
            with contextlib.suppress(MissingBlock):  # then the others have to bring what it names
                ledger.join(block)
        if keys.device not in ledger.authority.members:
            rows.put("provisional", [list(one) for one in card.members])
        rows.put_problems([Problem("", Code.DATABASE_REBUILT)])
        for address in card.addresses:
            records.add_address(card.mandate, address)


def _card(mandate: Mandate, addresses: tuple[str, ...]) -> Card:
    rows = [row for row, _block in mandate.state.parsed_blocks(AUTHORITY)]
    role = mandate.own_role or mandate.state.get("role")
    return Card(
        mandate.id,
        mandate.name,
        str(role or ""),
        str(mandate.state.get("folder") or ""),
        tuple(mandate.secrets.all()),
        tuple(mandate.members().items()),
        tuple(mandate.state.raw_blocks([row.intake for row in rows])),
        addresses,
    )


def _fields(card: Card) -> list[object]:
    return [card.mandate, card.name, card.role, card.folder, card.secrets, card.members, card.blocks, card.addresses]


def _card_of(mandate: bytes, name: str, role: str, folder: str, *tables: tuple[object, ...]) -> Card:
    """Raises InvalidId, ValueError or TypeError."""
    secrets, members, blocks, addresses = tables
    return Card(mandate_id(mandate), name, role, folder, secrets, members, blocks, addresses)  # type: ignore[arg-type]
