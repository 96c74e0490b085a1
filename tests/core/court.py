"""A constitution in which blocks have names, for the tests of who belongs."""

from __future__ import annotations

from typing import Any

from p2psync.core.authority import Authority, mandate_id_of
from p2psync.core.block import Block
from p2psync.core.constitution import Constitution
from p2psync.core.cut import Cut
from p2psync.core.ids import DeviceId, LogId
from p2psync.core.rules import DEFAULT_RULES, Role, RuleTable, parse_restriction
from p2psync.core.statement import Admit, Genesis, Revoke
from tests.core.making import ANNA, digest

SALT = b"s" * 16
MANDATE = mandate_id_of(SALT, ANNA)
RECOVERY = DeviceId(b"r" * 32)
STRANGER = DeviceId(b"x" * 32)
SECRET_FILES = DEFAULT_RULES.with_restriction(parse_restriction("*.ecs=accounting,payroll"))


def genesis(
    salt: bytes = SALT, name: str = "Cargo", rules: RuleTable = DEFAULT_RULES, role: Role = Role.ACCOUNTING
) -> Genesis:
    return Genesis(salt, name, b"cert", "PC", role, RECOVERY, b"key", rules)


def admit(device: DeviceId, role: Role = Role.INVOICING, admin: bool = False, ticket: bytes = b"") -> Admit:
    return Admit(device, b"cert " + device[:1], "PC", role, admin, ticket)


def revoke(device: DeviceId, cut: Cut | None = None) -> Revoke:
    return Revoke(device, cut or Cut())


class Court:
    """A constitution whose blocks have names; each says after which others it was written."""

    def __init__(self, *founding: Any):
        self.constitution = Constitution(MANDATE)
        if founding:
            self.say("genesis", ANNA, *founding)

    def say(self, name: str, author: DeviceId, *statements: Any, after: str = "", seq: int = 1) -> bool:
        """Take in a block; returns whether blocks judged before may be judged otherwise now."""
        before = [digest(one) for one in after.split()]
        block = Block(LogId(digest(name)[:16]), seq, None, 0, (), None, (), statements)
        return self.constitution.add(digest(name), block, author, before)

    @property
    def now(self) -> Authority:
        return self.constitution.current

    @property
    def members(self) -> set[DeviceId]:
        return set(self.now.members)

    def seen_from(self, after: str, *, outside: bool = False) -> Authority:
        """The state by which a block is judged whose author had read these."""
        view = self.constitution.view(digest(one) for one in after.split())
        return self.constitution.at(view, lambda cut: outside)

    @property
    def void(self) -> list[str]:
        """The kinds of statements that had no effect, in their turn."""
        return [type(turn.statement).__name__ for turn in self.constitution.turns if turn.void]
