"""Who belongs, with which rights: the mandate's constitution at one view, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import field
from datetime import date

from blake3 import blake3

from p2psync.core.entry import Kind
from p2psync.core.ids import MANDATE_ID_BYTES, DeviceId, MandateId
from p2psync.core.period import Period, period_in_name
from p2psync.core.relpath import RelPath, name
from p2psync.core.rules import DATED, DEFAULT_RULES, OWNER, Mode, Role, Rule, RuleTable, fold
from p2psync.core.statement import Issue
from p2psync.core.value import value

# Asked of each change. Through its class, a member of an enumeration takes Python 3.11 as long as a call.
_RECEIVERS = frozenset({Role.READER, Role.KEEPER})
_ONCE, _ENFORCE, _ABSENT = Mode.ONCE, Mode.ENFORCE, Kind.ABSENT

RANK_RECOVERY = 0
RANK_CREATOR = 1
RANK_STRANGER = 1 << 30
GIVEN_MAX = 5000
"""Files that members may have given to each other without an admin: any of them could go on with that for ever."""


@value
class Member:
    device: DeviceId
    certificate: bytes
    name: str
    role: Role
    admin: bool
    rank: int
    """Seniority: lower is senior."""
    person: str = ""
    """Who works there, for people; empty if nobody said so."""

    @property
    def title(self) -> str:
        """As people look for it: the device's name, and who works there."""
        return f"{self.name} ({self.person})" if self.person else self.name


@value
class Authority:
    """The mandate's constitution at one view."""

    name: str = ""
    shared: bool = False
    members: Mapping[DeviceId, Member] = field(default_factory=dict)
    former: Mapping[DeviceId, Member] = field(default_factory=dict)
    left: frozenset[DeviceId] = frozenset()
    """Of the former members those who went by their own word."""
    rules: RuleTable = DEFAULT_RULES
    owners: Mapping[str, DeviceId] = field(default_factory=dict)
    """Whose a file is, where an admin said that."""
    given: Mapping[str, Mapping[DeviceId, DeviceId]] = field(default_factory=dict)
    """Where none did: for those that gave away what is theirs of a file if they made it, who has that now.

    Who made a file stands in no authority block; so each gives its own claim, whether there is anything to it or not.
    """
    attach_admins: bool = False
    """Programs' files are attached and detached by admins alone."""
    primary: DeviceId | None = None
    recovery: DeviceId | None = None
    """The offline key that is senior to every admin; it belongs without being a member."""
    recovery_certificate: bytes = b""
    secret_number: int = 0
    secret_digest: bytes = b""
    secret_is_stale: bool = False
    """Somebody who belongs no more knows the newest discovery secret: an admin has to make another."""
    issued: Mapping[bytes, Issue] = field(default_factory=dict)
    """Invitations that were issued and not cancelled, whether used or not."""
    admitted_by_ticket: Mapping[bytes, tuple[DeviceId, ...]] = field(default_factory=dict)
    frozen: Mapping[Period, frozenset[str]] = field(default_factory=dict)
    """Of each frozen period the files that its freeze names, folded."""
    current_until: date | None = None
    """The day up to which the books are complete, as accounting says."""
    current_note: str = ""
    """What it tells the members with that."""
    hosts: tuple[str, ...] = ()
    """Where members meet across the Internet, as an admin said: wss://HOST:PORT#KEY each, not looked at yet."""
    next_rank: int = RANK_CREATOR

    @property
    def is_founded(self) -> bool:
        """Whether the genesis counted."""
        return self.next_rank > RANK_CREATOR

    def is_admin(self, device: DeviceId) -> bool:
        member = self.members.get(device)
        return device == self.recovery or (member is not None and member.admin)

    def rank(self, device: DeviceId) -> int:
        if device == self.recovery:
            return RANK_RECOVERY
        member = self.members.get(device) or self.former.get(device)
        return member.rank if member else RANK_STRANGER

    def may_read(self, device: DeviceId, file_class: str) -> bool:
        """Whether a member may see the logs and contents of a class ("" is the ordinary one)."""
        member = self.members.get(device)
        if member is None:
            return device == self.recovery
        readers = self.rules.readers_of(file_class)
        return readers is None or member.admin or member.role == Role.KEEPER or member.role in readers

    def may_write(
        self,
        device: DeviceId,
        path: RelPath,
        makers: Callable[[RelPath], Set[DeviceId]] = lambda path: frozenset(),
        kind: Kind = Kind.FILE,
        replaces: Callable[[RelPath], bool] = lambda path: False,
    ) -> bool:
        """Whether a change of the path by this device, to that kind of entry, is accepted.

        `makers` gives the authors of the first changes that this one follows from, none for a new file; asked only
        where nobody but the file's owner may change it. `replaces` says whether it takes the place of a file; asked
        only where nobody may do that.
        """
        member = self.members.get(device)
        if member is None or member.role in _RECEIVERS:
            return False
        if self.frozen and self.frozen_period(path) is not None:
            return False
        rule = self.rules.rule_for(path)
        if rule.readers is not None and not self.may_read(device, self.rules.class_id(path) or ""):
            return False
        if rule.mode == _ONCE:
            return not replaces(path)
        if rule.mode != _ENFORCE:
            return kind != _ABSENT or self._may_remove(member, rule)
        return self._owns(member, path, rule, makers) if rule.master == OWNER else self.is_master(device, path, rule)

    def frozen_period(self, path: RelPath) -> Period | None:
        """The frozen period that keeps a file from being changed: one that names it, or has the days in its name."""
        if not self.frozen:
            return None
        folded = fold(path)
        stated = period_in_name(name(path)) if self.rules.rule_for(path).file_class in DATED else None
        for period, files in sorted(self.frozen.items()):
            if folded in files or (stated is not None and period.includes(stated)):
                return period
        return None

    def may_post(self, device: DeviceId, path: RelPath) -> bool:
        """Whether a mark by this device that the file was posted, or was not, is accepted: accounting posts."""
        member = self.members.get(device)
        if member is None or member.role != Role.ACCOUNTING:
            return False
        file_class = self.rules.class_id(path)
        return file_class is None or self.may_read(device, file_class)

    def _may_remove(self, member: Member, rule: Rule) -> bool:
        """What accounting is the master of is removed by accounting alone, where there is any."""
        if rule.mode != Mode.PREFER or rule.master != Role.ACCOUNTING or member.role == Role.ACCOUNTING:
            return True
        return all(other.role != Role.ACCOUNTING for other in self.members.values())

    def _owns(self, member: Member, path: RelPath, rule: Rule, makers: Callable[[RelPath], Set[DeviceId]]) -> bool:
        """Whether a file is this member's: it was given to it, or it made it; an orphan is accounting's."""
        owner = self.owner_of(path, rule, makers)
        if owner is None and path not in self.owners and not makers(path):
            return member.role in rule.owner_roles
        return owner == member.device if owner is not None else member.role == Role.ACCOUNTING

    def owner_of(self, path: RelPath, rule: Rule, makers: Callable[[RelPath], Set[DeviceId]]) -> DeviceId | None:
        """Whose a file of a rule is whose master is its owner; None if it is nobody's any more, or not yet.

        By an admin's word, else it is of the first of those who made it, or of whom that one gave it to.
        """
        named = self.owners.get(path)
        if named is not None:
            return named if named in self.members else None
        given = self.given.get(path, {})
        holders = (given.get(maker, maker) for maker in sorted(makers(path)))
        return next((d for d in holders if d in self.members and self.members[d].role in rule.owner_roles), None)

    def may_give(self, device: DeviceId, path: RelPath, to: DeviceId) -> bool:
        """Whether this member's own word moves to another what is its own of a file: if it made it, the file.

        Only where files have owners, to whom the rules let own such a file, and of no file that some may not know of.
        """
        giver, taker, rule = self.members.get(device), self.members.get(to), self.rules.rule_for(path)
        if giver is None or taker is None or giver is taker or rule.master != OWNER:
            return False
        if taker.role not in rule.owner_roles or self.rules.class_id(path) is not None:
            return False
        if path in self.owners:
            return self.owners[path] == device
        given = self.given.get(path)
        if given is None:
            return giver.role in rule.owner_roles and len(self.given) < GIVEN_MAX
        return giver.role in rule.owner_roles and (device not in given or device in given.values())

    def is_master(self, device: DeviceId, path: RelPath, rule: Rule) -> bool:
        """Whether the rule's master is this device: accounting, or the file's owner."""
        member = self.members.get(device)
        if member is None:
            return False
        if rule.master == OWNER:
            owner = self.owners.get(path)
            if owner is not None and owner in self.members:
                return owner == device
            return member.role in rule.owner_roles or (owner is not None and member.role == Role.ACCOUNTING)
        return rule.master == Role.ACCOUNTING and member.role == Role.ACCOUNTING


def mandate_id_of(salt: bytes, creator: DeviceId) -> MandateId:
    """A mandate's id: nobody can write another genesis for it."""
    return MandateId(blake3(b"p2psync mandate\0" + creator + salt).digest()[:MANDATE_ID_BYTES])
