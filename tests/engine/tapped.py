"""A village in which every message is written down."""

from __future__ import annotations

from typing import Any

from p2psync.core.problem import Code
from p2psync.core.rules import DEFAULT_RULES, Role, RuleTable
from p2psync.engine.effects import Effect, Send
from p2psync.engine.events import Received
from p2psync.wire.messages import Message
from tests.engine.village import House, Village


class Tapped(Village):
    """A village that writes down who said what to whom."""

    def __init__(self, *names: str, rules: RuleTable = DEFAULT_RULES):
        self.said: list[tuple[str, str, Message]] = []
        super().__init__(*names, rules=rules)

    def _perform_one(self, house: House, effect: Effect) -> None:
        if isinstance(effect, Send) and effect.link in self._links:
            self.said.append((house.name, self._links[effect.link][0].name, effect.message))
        super()._perform_one(house, effect)

    def heard(self, name: str, kind: type[Any]) -> list[Any]:
        """What was said to a device since this was last asked."""
        found = [m for _, to, m in self.said if to == name and isinstance(m, kind)]
        self.said = [(by, to, m) for by, to, m in self.said if to != name or not isinstance(m, kind)]
        return found

    def tell_peer(self, name: str, message: Message) -> None:
        """A message comes over the only link of a device."""
        [link] = self[name].m.peers
        self.tell(self[name], Received(link, message))
        self.settle()


def star(*names: str, admin: bool = False, rules: RuleTable = DEFAULT_RULES, **roles: Role) -> Tapped:
    """The first device admitted all others and is connected to each of them; they are not to one another."""
    village = Tapped(*names, rules=rules)
    for name in names[1:]:
        village.admit(names[0], name, roles.get(name, Role.INVOICING), admin=admin)
        village.connect(names[0], name)
        village.settle(3)
    return village


def problems(house: House) -> list[tuple[str, Code]]:
    return [(p.path, p.code) for p in house.m.state.problems()]
