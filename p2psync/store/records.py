"""What the daemon remembers beside the mandates' states: runs, addresses, invitations, newcomers, its port.

Like the states, to be used inside of `Database.transaction` by whoever writes: what belongs to an act of the
engine is committed with it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.rules import Role
from p2psync.core.value import value
from p2psync.engine.admin import Newcomer
from p2psync.pair.code import Code
from p2psync.pair.invitation import Claim, Invitation
from p2psync.pair.ticket import TicketId
from p2psync.store.database import Database
from p2psync.store.packing import pack_value, unpack_value

RUNS_KEPT = 1000
"""Of each mandate, whatever came of them."""
TELLING_KEPT_MS = 10 * 366 * 24 * 60 * 60 * 1000
"""How long runs are kept that moved something or failed: as long as books are."""
TELLING_KEPT = 50_000
"""Of each mandate, of those."""

NOTHING_NEW = "nothing-new"
"""The result of a run that there is least to tell of."""
NTH_RUN = "SELECT number FROM run WHERE mandate = ?1 ORDER BY number DESC LIMIT 1 OFFSET"
"""Counted from the newest."""

FORGET = (
    "DELETE FROM run WHERE mandate = ?",
    "DELETE FROM address WHERE mandate = ?",
    "DELETE FROM seen WHERE mandate = ?",
    "DELETE FROM invitation WHERE mandate = ?",
    "DELETE FROM newcomer WHERE mandate = ?",
    "DELETE FROM attachment WHERE mandate = ?",
)


@value
class Run:
    """One row of `history`."""

    number: int
    mandate: MandateId
    started_ms: int
    """Wall clock, milliseconds since 1970."""
    ended_ms: int | None
    """None if it goes on, or if the program was killed in it."""
    result: str | None
    items: Sequence[Any]
    """What was moved, as `history` shows it."""
    reasons: Mapping[str, Any]
    """Why not all was moved, as `history` shows it; empty until the run ended."""


@value
class WaitingNewcomer:
    """A device that waits for an admin's approval."""

    mandate: MandateId
    newcomer: Newcomer
    asked_ms: int
    """When it asked first; wall clock, milliseconds since 1970."""


@value
class SpokenCode:
    """A code that stands for a ticket."""

    code: Code
    guessed: bool
    """Somebody came with other words: it is worthless."""


class Records:
    def __init__(self, database: Database):
        self._connection = database.connection

    # -- settings of the device ------------------------------------------------------------------------
    def setting(self, name: str) -> object:
        """None if it was never put."""
        found = self._connection.execute("SELECT value FROM device_setting WHERE name = ?", (name,)).fetchone()
        return unpack_value(found[0]) if found else None

    def put_setting(self, name: str, value: object) -> None:
        self._connection.execute("INSERT OR REPLACE INTO device_setting VALUES (?, ?)", (name, pack_value(value)))

    def port(self) -> int:
        """The TCP port that this device listened on last, so that addresses others know stay right; 0 if none."""
        port = self.setting("port")
        return port if isinstance(port, int) else 0

    def set_port(self, port: int) -> None:
        self.put_setting("port", port)

    # -- runs ------------------------------------------------------------------------------------------
    def begin_run(self, mandate: MandateId, started_ms: int) -> int:
        """Returns the number of the run; the oldest ones are forgotten, sooner if they found nothing new."""
        number = self._connection.execute(
            "INSERT INTO run (mandate, started_ms) VALUES (?, ?)", (mandate, started_ms)
        ).lastrowid
        assert number is not None
        self._connection.execute(
            f"DELETE FROM run WHERE mandate = ?1 AND number <= ({NTH_RUN} ?2) "
            f"AND (result = '{NOTHING_NEW}' OR started_ms < ?3 OR number <= ({NTH_RUN} ?4))",
            (mandate, RUNS_KEPT, started_ms - TELLING_KEPT_MS, TELLING_KEPT),
        )
        return number

    def end_run(
        self, number: int, ended_ms: int, result: str, items: Sequence[Any], reasons: Mapping[str, Any]
    ) -> None:
        """`items` and `reasons` are told as they are: values of JSON."""
        self._connection.execute(
            "UPDATE run SET ended_ms = ?, result = ?, items = ?, reasons = ? WHERE number = ?",
            (ended_ms, result, json.dumps(items), json.dumps(reasons), number),
        )

    def forget_repeated(self, number: int) -> None:
        """Forget the mandate's run before this one if both found nothing new, and ran for the same reason."""
        two = "number <= ?1 AND mandate = (SELECT mandate FROM run WHERE number = ?1) ORDER BY number DESC LIMIT 2"
        told = {one.number: (one.result, one.reasons.get("trigger")) for one in self._runs("'[]'", two, (number,))}
        if len(told) == 2 and len(set(told.values())) == 1 and told[number][0] == NOTHING_NEW:
            self._connection.execute("DELETE FROM run WHERE number = ?", (min(told),))

    def runs(self, mandates: Sequence[MandateId], limit: int, items: bool = True) -> Sequence[Run]:
        """The newest of these mandates, newest first; without `items` they name no files, which may be thousands."""
        listed = "items" if items else "'[]'"
        marks = ", ".join("?" * len(mandates))
        return self._runs(listed, f"mandate IN ({marks}) ORDER BY number DESC LIMIT ?", (*mandates, limit))

    def run(self, number: int) -> Run | None:
        """Of any mandate; None if there was none, or it was forgotten."""
        return next(iter(self._runs("items", "number = ?", (number,))), None)

    def _runs(self, listed: str, wanted: str, given: Sequence[object]) -> list[Run]:
        found = self._connection.execute(
            f"SELECT number, mandate, started_ms, ended_ms, result, {listed}, reasons FROM run WHERE {wanted}", given
        )
        return [
            Run(number, MandateId(mandate), started_ms, ended_ms, result, json.loads(items), json.loads(reasons))
            for number, mandate, started_ms, ended_ms, result, items, reasons in found
        ]

    def last_ended(self, mandate: MandateId, results: Collection[str]) -> int | None:
        """When the newest run with one of these results ended; wall clock, milliseconds since 1970."""
        marks = ", ".join("?" * len(results))
        found = self._connection.execute(
            f"SELECT ended_ms FROM run WHERE mandate = ? AND result IN ({marks}) ORDER BY number DESC LIMIT 1",
            (mandate, *results),
        ).fetchone()
        return found[0] if found else None

    # -- where members are -----------------------------------------------------------------------------
    def addresses(self, mandate: MandateId) -> Sequence[str]:
        """As people gave them, sorted."""
        found = self._connection.execute("SELECT address FROM address WHERE mandate = ? ORDER BY address", (mandate,))
        return [address for (address,) in found]

    def add_address(self, mandate: MandateId, address: str) -> None:
        self._connection.execute("INSERT OR IGNORE INTO address VALUES (?, ?)", (mandate, address))

    def remove_address(self, mandate: MandateId, address: str) -> None:
        self._connection.execute("DELETE FROM address WHERE mandate = ? AND address = ?", (mandate, address))

    def note_seen(self, mandate: MandateId, device: DeviceId, seen_ms: int) -> None:
        self._connection.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", (mandate, device, seen_ms))

    def last_seen(self, mandate: MandateId) -> dict[DeviceId, int]:
        """Wall clock, milliseconds since 1970, of each member that was connected once."""
        found = self._connection.execute("SELECT device, seen_ms FROM seen WHERE mandate = ?", (mandate,))
        return {DeviceId(device): seen_ms for device, seen_ms in found}

    # -- invitations -----------------------------------------------------------------------------------
    def add_invitation(self, invitation: Invitation, role: Role, admin: bool) -> None:
        assert not invitation.claims, "nobody has come with a new ticket yet"
        promised = (invitation.secret, role.value, admin)
        limits = (invitation.expires_s, invitation.uses, invitation.confirm, invitation.cancelled)
        self._connection.execute(
            "INSERT INTO invitation VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (invitation.ticket, invitation.mandate, *promised, *limits),
        )

    def cancel_invitation(self, ticket: TicketId) -> None:
        self._connection.execute("UPDATE invitation SET cancelled = 1 WHERE ticket = ?", (ticket,))

    def invitations(self) -> Mapping[TicketId, Invitation]:
        """All that were ever issued here: a ticket that expired or was used is told so, not called unknown."""
        claims: dict[bytes, dict[DeviceId, Claim]] = {}
        for ticket, device, claim in self._connection.execute("SELECT ticket, device, claim FROM claim"):
            claims.setdefault(ticket, {})[DeviceId(device)] = Claim(claim)
        found = self._connection.execute(
            "SELECT ticket, mandate, secret, expires_s, uses, confirm, cancelled FROM invitation"
        )
        return {
            TicketId(ticket): Invitation(
                *(TicketId(ticket), MandateId(mandate), secret, expires_s, uses, bool(confirm), bool(cancelled)),
                claims.get(ticket, {}),
            )
            for ticket, mandate, secret, expires_s, uses, confirm, cancelled in found
        }

    def add_code(self, ticket: TicketId, code: Code) -> None:
        """The ticket was issued before."""
        self._connection.execute("INSERT INTO code VALUES (?, ?, ?, ?, 0)", (ticket, code.number, *code.words))

    def end_code(self, ticket: TicketId) -> None:
        """Somebody guessed."""
        self._connection.execute("UPDATE code SET guessed = 1 WHERE ticket = ?", (ticket,))

    def codes(self) -> Mapping[TicketId, SpokenCode]:
        """All that were ever made here, as with `invitations`."""
        found = self._connection.execute("SELECT ticket, number, first_word, second_word, guessed FROM code")
        return {
            TicketId(ticket): SpokenCode(Code(number, (first, second)), bool(guessed))
            for ticket, number, first, second, guessed in found
        }

    def put_claim(self, ticket: TicketId, device: DeviceId, claim: Claim, at_ms: int) -> None:
        """How far a device came with a ticket, in place of what was put before."""
        self._connection.execute(
            "INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?)", (ticket, device, claim.value, at_ms)
        )

    def hold_newcomer(self, waiting: WaitingNewcomer) -> None:
        """A device that asks again still waits since it asked first."""
        one = waiting.newcomer
        self._connection.execute(
            "INSERT INTO newcomer VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (mandate, device) DO UPDATE SET "
            "certificate = excluded.certificate, name = excluded.name, ticket = excluded.ticket",
            (waiting.mandate, one.device, one.certificate, one.name, one.ticket, waiting.asked_ms),
        )

    def newcomers(self, mandate: MandateId) -> Sequence[WaitingNewcomer]:
        """Who waits longest first."""
        found = self._connection.execute(
            "SELECT device, certificate, name, ticket, asked_ms FROM newcomer WHERE mandate = ? "
            "ORDER BY asked_ms, device",
            (mandate,),
        )
        return [
            WaitingNewcomer(mandate, Newcomer(DeviceId(device), certificate, name, ticket), asked_ms)
            for device, certificate, name, ticket, asked_ms in found
        ]

    def drop_newcomer(self, mandate: MandateId, device: DeviceId) -> None:
        self._connection.execute("DELETE FROM newcomer WHERE mandate = ? AND device = ?", (mandate, device))

    def forget_mandate(self, mandate: MandateId) -> None:
        for statement in FORGET:
            self._connection.execute(statement, (mandate,))
