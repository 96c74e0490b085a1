"""Devices with keys, and mandates that they share, for the tests of the network."""

from __future__ import annotations

from pathlib import Path

from p2psync.core.ids import MandateId
from p2psync.net.identity import Identity
from p2psync.net.trust import Trust

MANDATE = MandateId(b"M" * 16)
OTHER_MANDATE = MandateId(b"O" * 16)
SECRET = b"secret of the mandate"
TICKET = b"id of the ticket"
TICKET_SECRET = b"secret of the ticket"


def device(tmp_path: Path, name: str) -> Identity:
    return Identity.load_or_create(tmp_path / name)


def trust(*members: Identity, secrets: tuple[bytes, ...] = (SECRET,)) -> Trust:
    return Trust(secrets, {member.device: member.certificate for member in members})
