"""What people decide about a mandate: who belongs, with which role, under which rules, and which version stands."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

import msgpack

from p2psync.core.authority import Member, mandate_id_of
from p2psync.core.change import Change
from p2psync.core.changelog import Stated
from p2psync.core.entry import Kind
from p2psync.core.ids import ChangeId, ContentId, DeviceId, MandateId, change_text, device_id, device_text, mandate_id
from p2psync.core.period import Period
from p2psync.core.problem import NEWS
from p2psync.core.relpath import RelPath
from p2psync.core.rules import DEFAULT_RULES, OWNER, Mode, Role, RuleTable, Setting
from p2psync.core.statement import (
    HOSTS_MAX,
    NOTE_CHARACTERS_MAX,
    PERSON_CHARACTERS_MAX,
    Admit,
    CancelIssue,
    Genesis,
    Give,
    Issue,
    Leave,
    Rename,
    Revoke,
    SetAttach,
    SetCurrent,
    SetHosts,
    SetOwner,
    SetPerson,
    SetPrimary,
    SetRole,
    SetRules,
    Share,
    is_note,
    is_person,
)
from p2psync.core.value import value
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Scope
from p2psync.errors import CodecError, InvalidId, MandateLocal, NotAllowed, UsageError

SALT_BYTES = 16


@value
class Founding:
    """What a person says when a mandate is created."""

    name: str
    role: Role
    certificate: bytes
    device_name: str
    rules: RuleTable = DEFAULT_RULES
    recovery: DeviceId | None = None
    """The public half of an offline key that is senior to every admin."""
    recovery_certificate: bytes = b""


@value
class Newcomer:
    """A device that proved to hold a ticket."""

    device: DeviceId
    certificate: bytes
    name: str
    ticket: bytes


@value
class Welcome:
    """What the inviter hands to a newcomer: enough to connect; everything else comes by the log."""

    mandate: MandateId
    name: str
    role: Role
    secrets: tuple[tuple[int, bytes], ...]
    members: tuple[tuple[DeviceId, bytes], ...]
    """Devices and certificates, the inviter first."""

    def pack(self) -> bytes:
        secrets = [list(s) for s in self.secrets]
        packed = msgpack.packb([self.mandate, self.name, self.role.value, secrets, [list(m) for m in self.members]])
        assert isinstance(packed, bytes)
        return packed

    @classmethod
    def unpack(cls, data: bytes) -> Welcome:
        """Raises CodecError."""
        try:
            mandate, name, role, secrets, members = msgpack.unpackb(data)
            return cls(
                mandate_id(mandate),
                str(name),
                Role(role),
                tuple((int(number), _bytes(secret)) for number, secret in secrets),
                tuple((device_id(device), _bytes(certificate)) for device, certificate in members),
            )
        except (ValueError, TypeError, msgpack.exceptions.UnpackException, InvalidId) as error:
            raise CodecError(f"the inviter's welcome is malformed: {error}") from error


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("no bytes where they belong")
    return value


@value
class Conflict:
    """A path whose heads differ and that no person has decided yet."""

    path: RelPath
    mode: Mode
    winner: Stated
    losers: tuple[Stated, ...]
    """Of several that say the same the best one."""


def found(founder: DeviceId, founding: Founding, rng: Random) -> tuple[MandateId, Genesis]:
    """A new mandate's id and first statement."""
    salt = rng.randbytes(SALT_BYTES)
    genesis = Genesis(
        *(salt, founding.name, founding.certificate, founding.device_name),
        *(founding.role, founding.recovery, founding.recovery_certificate, founding.rules),
    )
    return mandate_id_of(salt, founder), genesis


class Admin:
    """A person's acts on one mandate, by this device."""

    def __init__(self, mandate: Mandate, device: DeviceId, scope: Scope, rng: Random):
        self._mandate = mandate
        self._device = device
        self._scope = scope
        self._rng = rng

    # -- the mandate -----------------------------------------------------------------------------------

    def share(self) -> None:
        self._require_admin()
        if not self._mandate.authority.shared:
            self._mandate.state_authority(Share())

    def tick_off(self) -> int:
        """A person has looked at what had happened; returns how many things that were."""
        news = [problem for problem in self._mandate.state.problems() if problem.code in NEWS]
        self._mandate.state.clear_problems([problem.path for problem in news], NEWS)
        return len(news)

    def rename(self, name: str) -> None:
        self._require_admin()
        if name != self._mandate.authority.name:
            self._mandate.state_authority(Rename(name))

    def set_hosts(self, named: Iterable[str], dropped: Container[str] = ()) -> None:
        """Tell the members where to meet, beside what they were told; `dropped`: and where no more."""
        self._require_admin()
        known = self._mandate.authority.hosts
        hosts = tuple(sorted({*(host for host in known if host not in dropped), *named}))[:HOSTS_MAX]
        if hosts != known:
            self._mandate.state_authority(SetHosts(hosts))

    def set_rule(self, setting: Setting) -> None:
        """Raises UsageError for a rule that cannot be."""
        self._require_admin()
        rules = self._mandate.authority.rules.with_setting(setting)
        if rules != self._mandate.authority.rules:
            self._mandate.state_authority(SetRules(rules, self._mandate.ledger.cut()))

    def set_open_fields(self, fields: tuple[str, ...]) -> None:
        """Which fields of the master data others than the master may change; sorted."""
        self._require_admin()
        rules = replace(self._mandate.authority.rules, open_fields=fields)
        if rules != self._mandate.authority.rules:
            self._mandate.state_authority(SetRules(rules, self._mandate.ledger.cut()))

    # -- invitations and members -----------------------------------------------------------------------

    def issue(self, ticket: bytes, role: Role, admin: bool, uses: int, expires_s: int) -> None:
        self._require_admin()
        if not self._mandate.authority.shared:
            name = self._mandate.name
            raise MandateLocal(
                "{name} is only on this PC, nobody can join it yet: share it first, with: p2psync share {name}",
                name=name,
            )
        self._mandate.state_authority(Issue(ticket, role, admin, uses, expires_s))

    def cancel(self, ticket: bytes) -> None:
        self._require_admin()
        if ticket not in self._mandate.authority.issued:
            raise UsageError("There is no such open invitation. See: p2psync invites MANDATE")
        self._mandate.state_authority(CancelIssue(ticket))

    def admit(self, newcomer: Newcomer) -> Welcome:
        """Make a newcomer a member, as its ticket says; a second time changes nothing."""
        self._require_admin()
        authority = self._mandate.authority
        issue = authority.issued.get(newcomer.ticket)
        if issue is None:
            raise UsageError("The ticket that this device came with is not open any more. Give it a new one.")
        if newcomer.device not in authority.members:
            self._mandate.state_authority(
                Admit(
                    *(newcomer.device, newcomer.certificate, newcomer.name),
                    *(issue.role, issue.admin, newcomer.ticket),
                )
            )
        return self.welcome(issue.role)

    def welcome(self, role: Role) -> Welcome:
        """What a new member needs to connect; this device first, if it is a member."""
        members = self._mandate.members()
        first = [(device, certificate) for device, certificate in members.items() if device == self._device]
        others = [(device, certificate) for device, certificate in members.items() if device != self._device]
        secrets = tuple(self._mandate.secrets.all())
        return Welcome(self._mandate.id, self._mandate.name, role, secrets, (*first, *others))

    def admit_by_recovery(self, newcomer: Newcomer) -> None:
        """As the recovery key, which the genesis foresaw: make a device an admin.

        Raises NotAllowed if this device is not that key, or the log that names it is not here yet.
        """
        authority = self._mandate.authority
        if self._device != authority.recovery:
            raise NotAllowed("This is not the recovery key of the mandate.")
        if not authority.is_admin(newcomer.device):
            self._mandate.state_authority(
                Admit(newcomer.device, newcomer.certificate, newcomer.name, Role.ACCOUNTING, True, b"")
            )

    def revoke(self, device: DeviceId) -> None:
        """Refuse a device from now on; a new discovery secret goes to those who remain."""
        self._require_admin()
        self._require_member(device)
        if device == self._device:
            raise UsageError("A device cannot revoke itself. Use: p2psync mandate leave MANDATE")
        self._mandate.replace_secret(Revoke(device, self._mandate.ledger.cut()))

    def set_role(self, device: DeviceId, role: Role, admin: bool | None = None) -> None:
        self._require_admin()
        member = self._require_member(device)
        is_admin = member.admin if admin is None else admin
        if member.admin and not is_admin:
            self._require_another_admin(device)
        if (role, is_admin) != (member.role, member.admin):
            self._mandate.state_authority(SetRole(device, role, is_admin, self._mandate.ledger.cut()))

    def set_primary(self, device: DeviceId) -> None:
        self._require_admin()
        if self._require_member(device).role != Role.ACCOUNTING:
            raise UsageError("Only a device with the role accounting can be the primary one.")
        self._mandate.state_authority(SetPrimary(device))

    def set_owner(self, path: RelPath, device: DeviceId) -> None:
        """Move a file's home to another device; a file of its own a member may give away without being an admin.

        Raises UsageError for a restricted file, since every member reads this, and NotAllowed.
        """
        taker = self._require_member(device)
        if self._mandate.authority.rules.class_id(path) is not None:
            raise UsageError(
                "The owner of {path!r} cannot be named: members who may not see this file would read it.", path=path
            )
        if self._mandate.authority.is_admin(self._device):
            self._mandate.state_authority(SetOwner(path, device))
        else:
            self._require_gift(path, taker)
            self._mandate.state_authority(Give(path, device))

    def _require_gift(self, path: RelPath, taker: Member) -> None:
        authority, asked = self._mandate.authority, {"path": path, "admins": self._admins()}
        rule = authority.rules.rule_for(path)
        if rule.master != OWNER:
            raise NotAllowed(
                "By the rules {path} belongs to no device: only an admin may name one. Ask {admins}.", **asked
            )
        owner = authority.owner_of(path, rule, self._mandate.ledger.makers_here)
        if owner != self._device:
            if owner is None:
                raise NotAllowed("{path} does not belong to this device. Ask {admins} to move it.", **asked)
            name = authority.members[owner].title
            raise NotAllowed(
                "{path} belongs to {owner}: only from there, or by an admin, it is moved. Ask {owner} or {admins}.",
                owner=name,
                **asked,
            )
        if taker.device == self._device:
            raise UsageError("{path} belongs to this device already.", path=path)
        if not authority.may_give(self._device, path, taker.device):
            raise NotAllowed(
                "{path} cannot go to {device}, whose role is {role}: it may belong to a device whose role is one of "
                "{roles}. Name such a device, or ask {admins}.",
                **{"device": taker.title, "role": taker.role, "roles": ", ".join(rule.owner_roles), **asked},
            )

    def set_person(self, device: DeviceId, person: str) -> None:
        """Tell all members who works at a device, empty for nobody; of itself every member may. Raises UsageError."""
        if device != self._device:
            self._require_admin()
        member = self._require_member(device)
        check_person(person)
        if person != member.person:
            self._mandate.state_authority(SetPerson(device, person))

    def set_attach(self, admins: bool) -> None:
        """Whether only admins attach and detach programs' files; what is attached stays so."""
        self._require_admin()
        if admins != self._mandate.authority.attach_admins:
            self._mandate.state_authority(SetAttach(admins))

    def require_attach(self) -> None:
        """Raises NotAllowed if programs' files are attached and detached by admins alone, and this member is none."""
        member = self._mandate.authority.members.get(self._device)
        if self._mandate.authority.attach_admins and member is not None and not member.admin:
            raise NotAllowed(
                "In {mandate} only admins attach and detach files. Ask {admins}: they can make this device an admin "
                "(p2psync devices {mandate} --role DEVICE=ROLE+admin), or let everybody attach "
                "(p2psync rules {mandate} --attach all).",
                mandate=self._mandate.name,
                admins=self._admins(),
            )

    def _admins(self) -> str:
        """For people, whom to ask."""
        return ", ".join(sorted(m.title for m in self._mandate.authority.members.values() if m.admin))

    def check_may_leave(self) -> None:
        """Raises UsageError if this device is the last admin and others remain."""
        if len(self._mandate.authority.members) > 1 and self._mandate.authority.is_admin(self._device):
            self._require_another_admin(self._device)

    def leave(self) -> None:
        """Tell the others that this device goes; raises UsageError as `check_may_leave` does."""
        self.check_may_leave()
        if self._device in self._mandate.authority.members:
            self._mandate.state_authority(Leave())

    def _require_admin(self) -> None:
        if not self._mandate.authority.is_admin(self._device):
            raise NotAllowed(
                "This device is no admin of {mandate}. Ask one of its admins to do that.", mandate=self._mandate.name
            )

    def _require_member(self, device: DeviceId) -> Member:
        member = self._mandate.authority.members.get(device)
        if member is None:
            raise UsageError(
                "{device} is no member of {mandate}. See: p2psync devices {mandate}",
                device=device_text(device)[:7],
                mandate=self._mandate.name,
            )
        return member

    def _require_another_admin(self, device: DeviceId) -> None:
        if not any(m.admin for d, m in self._mandate.authority.members.items() if d != device):
            raise UsageError(
                "This is the last admin of {mandate}. Make another device admin first: "
                "p2psync devices {mandate} --role DEVICE=ROLE+admin",
                mandate=self._mandate.name,
            )

    # -- bookings --------------------------------------------------------------------------------------

    def post(self, wanted: Mapping[RelPath, ContentId | None]) -> None:
        """Mark files as posted, by what each holds; see `Postings.post`."""
        self._mandate.announce(self._mandate.postings.post(wanted))

    def unpost(self, paths: Collection[RelPath]) -> None:
        """Take back the marks that stand for these files; see `Postings.undo`."""
        self._mandate.announce(self._mandate.postings.undo(paths))

    # -- periods ---------------------------------------------------------------------------------------

    def freeze(self, period: Period, versions: Mapping[RelPath, ContentId]) -> None:
        """Let nobody change the files of a period any more; see `Periods.freeze`."""
        self._require_admin()
        self._mandate.state_authority(self._mandate.periods.freeze(period, versions))

    def unfreeze(self, period: Period) -> None:
        """Let the files of a period be changed again; see `Periods.unfreeze`."""
        self._require_admin()
        self._mandate.state_authority(self._mandate.periods.unfreeze(period))

    def set_current(self, until: date, note: str = "") -> None:
        """Tell all members up to which day the books are complete, with a note. Raises NotAllowed, UsageError."""
        member = self._mandate.authority.members.get(self._device)
        if member is None or member.role != Role.ACCOUNTING:
            raise NotAllowed("Only a device with the role accounting may say how far the books are.")
        if not is_note(note):
            raise UsageError(
                "A note is one line of at most {limit} characters, without control characters.",
                limit=NOTE_CHARACTERS_MAX,
            )
        if (until, note) != (self._mandate.authority.current_until, self._mandate.authority.current_note):
            self._mandate.state_authority(SetCurrent(until, note))

    # -- conflicts -------------------------------------------------------------------------------------

    def conflicts(self) -> list[Conflict]:
        """The open ones, sorted by path; the same list on every device that has the same log."""
        state, authority = self._mandate.state, self._mandate.authority
        paths = state.conflicted()
        heads, bases = state.heads(paths), state.bases(paths)
        found: list[Conflict] = []
        for path in paths:
            base = bases.get(path)
            verdict = self._mandate.ledger.verdict(path, heads.get(path, ()), base.heads if base else ())
            if verdict.winner is not None and verdict.losers:
                mode, losers = authority.rules.rule_for(path).mode, _distinct(verdict.losers)
                found.append(Conflict(path, mode, verdict.winner, losers))
        return found

    def resolve(self, path: RelPath, keep: ChangeId) -> None:
        """Let one head stand and close the conflict everywhere; it is a change like any other.

        Raises UsageError if `keep` is none of the heads, or the bytes of a loser are not here yet:
        nobody may settle what he does not hold.
        """
        state = self._mandate.state
        heads = list(state.heads([path]).get(path, ()))
        chosen = next((h for h in heads if h.id == keep), None)
        if chosen is None or len(heads) < 2:
            raise UsageError(
                "{version} is no version of an open conflict at {path!r}.", version=change_text(keep)[:12], path=path
            )
        base = state.bases([path]).get(path)
        self._require_bytes(heads, base.entry.content if base else None)
        if not self._mandate.ledger.may_write(path, chosen.entry.kind):
            self._mandate.periods.require_changeable(path)
            raise NotAllowed(
                "The role of this device may not decide about {path!r}. Ask accounting or an admin.", path=path
            )
        parents = tuple(h.id for h in heads if base is not None and h.id in base.heads)
        settled = tuple(h.id for h in heads if h.id not in parents)
        change = Change(path, chosen.entry, parents, settled)
        taken = self._mandate.ledger.append([change], self._mandate.ledger.class_of(path), self._scope.now.wall_ms)
        self._mandate.replica.plan.touched([path])
        self._mandate.announce(taken)

    def _require_bytes(self, heads: Sequence[Stated], standing: Any) -> None:
        contents = {h.entry.content for h in heads if h.entry.kind == Kind.FILE and h.entry.content is not None}
        missing = contents - self._mandate.state.has_version(contents) - {standing}
        if missing:
            raise UsageError("The other versions have not arrived here yet. Try again in a moment, with their PCs on.")


def check_person(person: str) -> None:
    """Raises UsageError unless somebody may be called so."""
    if not is_person(person):
        raise UsageError(
            "What a person is called is one line of at most {limit} characters, without control characters.",
            limit=PERSON_CHARACTERS_MAX,
        )


def _distinct(heads: Sequence[Stated]) -> tuple[Stated, ...]:
    return tuple(h for at, h in enumerate(heads) if not any(h.entry.same_as(other.entry) for other in heads[:at]))
