"""One mandate on this device: its ledger, its folder and its peers, tied together.

From "saved on A" to "placed on B" there are eight verbs, each a method with its name:
observe -> append -> announce -> join -> plan -> fetch -> place -> (observe).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any

from blake3 import blake3

from p2psync.core.authority import Authority
from p2psync.core.block import AUTHORITY
from p2psync.core.ids import DeviceId, LogId, MandateId, device_text
from p2psync.core.moment import moment_of
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding
from p2psync.core.rules import Role
from p2psync.core.statement import SetPerson
from p2psync.engine.arrears import Arrears
from p2psync.engine.conduct import Conduct
from p2psync.engine.effects import MembersChanged, PeerJoined, PeerLeft, Rescan, Send
from p2psync.engine.events import (
    DiskEvent,
    EpochRenewed,
    Fetched,
    FetchFailed,
    FolderOpened,
    Kept,
    Merged,
    Observed,
    ReadingBegun,
    ScanFinished,
    Suspected,
    WrittenLate,
)
from p2psync.engine.events import Placed as PathsPlaced
from p2psync.engine.farewell import Farewells
from p2psync.engine.ledger import Keys, Ledger, MissingBlock, Taken
from p2psync.engine.pace import Pace
from p2psync.engine.peer import Parted, Peer
from p2psync.engine.periods import Periods
from p2psync.engine.postings import Postings
from p2psync.engine.receipts import Receipts
from p2psync.engine.refusals import Refusals
from p2psync.engine.replica import Replica
from p2psync.engine.scope import Scope
from p2psync.engine.secrets import Secrets
from p2psync.engine.site import Site
from p2psync.engine.state import MandateState
from p2psync.wire.messages import UNPLACED_MAX, Have, IndexUpdate, Placed, Secret

SECRET_MISSED_S = 10.0
"""After this time without the newest discovery secret, in reach of others, there is to be a newer one."""
PROGRESS_EVERY_S = 1.0
PROGRESS_PATHS = 500
"""How often those who have much left to place say how much: after so many paths, too."""
"""How often a device that is busy placing tells the others how much is left."""


FOLDER_CODES = frozenset({Code.FOLDER_GONE, Code.FOLDER_MARKER_GONE, Code.READ_ONLY, Code.DISK_ERROR})
"""Problems of the folder as a whole that keep everything from being placed."""
OF_ONE_RUN = (Code.DEVICE_CLONED, Code.PEER_MISBEHAVED)
"""What is found out anew in the next run, if it is still so."""


class Mandate:
    def __init__(
        self, mandate: MandateId, state: MandateState, keys: Keys, scope: Scope, rng: Random, folding: Folding
    ):
        self.id = mandate
        self.state = state
        self.ledger = Ledger(mandate, state, keys, rng)
        self.peers: dict[int, Peer] = {}
        """By link."""
        self._site = Site(mandate, state, self.ledger, keys, scope, folding, self.peers)
        self.replica = Replica(self._site)
        self.pace = Pace(self._site)
        self.secrets = Secrets(state)
        self.arrears = Arrears(mandate, state, self.ledger)
        self.receipts = Receipts(self._site, self.arrears)
        self.postings = Postings(self._site, keys.device)
        self.periods = Periods(self._site, keys.device)
        self.refusals = Refusals(self._site, keys.device)
        self.farewells = Farewells(mandate, state, self.ledger, scope)
        self.conduct = Conduct(state, scope)
        self.is_held = False
        """True while nothing of it is exchanged or placed, as a person or the hours of activity want it."""
        self.is_silent = False
        """True between two exchanges where it has an interval: what is here is placed and delivered all the same."""
        self.parted: dict[DeviceId, Parted] = {}
        self._keys = keys
        self._scope = scope
        self._rng = rng
        self._progress_said = (-PROGRESS_EVERY_S, 0)
        """When (monotonic seconds), and how much was left."""
        self._folder_trouble: Code | None = None
        self._was_removed = self.is_removed
        self._secret_missed_s: float | None = None
        """Since when (monotonic seconds) the newest discovery secret is missed."""

    @property
    def authority(self) -> Authority:
        return self.ledger.authority

    @property
    def name(self) -> str:
        return self.authority.name or str(self.state.get("name") or "")

    @property
    def is_shared(self) -> bool:
        return self.authority.shared or bool(self._provisional())

    @property
    def is_stopped(self) -> bool:
        """A newer version wrote what this one cannot judge: nothing is changed until it is updated."""
        return self.ledger.constitution.unknown is not None

    @property
    def is_removed(self) -> bool:
        """This device belonged and does no more: its folder stays as it is, and nothing is exchanged."""
        return self._keys.device in self.authority.former

    def counts_out(self, device: DeviceId) -> bool:
        """Whether a device belonged and does no more, as far as this one, which does, knows."""
        return device in self.authority.former and not self.is_removed

    def members(self) -> dict[DeviceId, bytes]:
        """Who may connect, with their certificates; a newcomer trusts whom its ticket named until it has the log."""
        members = {device: m.certificate for device, m in self.authority.members.items()}
        if self.authority.recovery is not None:
            members[self.authority.recovery] = self.authority.recovery_certificate
        return members if self._keys.device in members else {**self._provisional(), **members}

    def _provisional(self) -> dict[DeviceId, bytes]:
        stored: Any = self.state.get("provisional") or []
        return {DeviceId(device): certificate for device, certificate in stored}

    def set_folding(self, folding: Folding) -> None:
        """How the disk folds names; said before the folder is opened."""
        self._site.folding = folding

    # -- the disk --------------------------------------------------------------------------------------

    def on_disk(self, event: DiskEvent) -> None:
        if self.is_stopped:
            return
        if self.is_removed:
            self._keep_books(event)
            return
        match event:
            case Observed():
                self._note_folder(event)
                self.announce(self.replica.observation.observe(event))
            case Suspected(_, seen):
                self.replica.observation.suspect(seen)
            case ReadingBegun(_, path, size):
                self.replica.observation.reading_begun(path, size)
            case PathsPlaced():
                self.announce(self.replica.placed(event))
                self.receipts.placed(o.path for o in event.outcomes if o.placed)
            case Fetched(_, contents, file_class):
                self.replica.fetched(file_class, contents)
            case FetchFailed(_, contents, file_class):
                self.replica.fetch_failed(file_class, contents)
            case Kept(_, path, entry, reason, change):
                self._site.add_version(path, entry, reason, change)
                if entry.content is not None:
                    self.replica.keeping.kept(path, entry.content)
            case WrittenLate(_, writes):
                self.announce(self.replica.observation.written_late(writes))
            case Merged():
                self.replica.placement.merged(event)
            case FolderOpened():
                self.state.clear_problems([""], [Code.UPDATE_NEEDED, *OF_ONE_RUN])
                self.replica.opened(event)
            case EpochRenewed(_, epoch):
                self.state.put("epoch", epoch)
            case ScanFinished(_, complete):
                self.replica.observation.scan_finished(complete)

    def _keep_books(self, event: DiskEvent) -> None:
        """While nothing is exchanged: only what the folder has to be compared with if this device belongs again."""
        match event:
            case PathsPlaced():
                self.replica.placement.placed(event)
            case FolderOpened():
                self.replica.opened(event)
            case EpochRenewed(_, epoch):
                self.state.put("epoch", epoch)
            case _:
                pass

    def _note_folder(self, event: Observed) -> None:
        """Whether the folder as a whole is there: while it is not, nothing is placed, and the others are told."""
        if "" in event.cleared:
            self._folder_trouble = None
        troubles = [p.code for p in event.problems if p.path == "" and p.code in FOLDER_CODES]
        if troubles:
            self._folder_trouble = troubles[0]

    # -- peers -----------------------------------------------------------------------------------------

    def open_peer(self, link: int, device: DeviceId) -> None:
        if link in self.peers:
            return
        peer = Peer(link, device, self.id, self.state, self.ledger, self._scope)
        self.peers[link] = peer
        self._scope.emit(PeerJoined(link, self.id, device))
        peer.begin(self.secrets.newest)
        self.replica.peer_came()

    def close_peer(self, link: int) -> None:
        peer = self.peers.pop(link, None)
        if peer is not None:
            self.parted[peer.device] = Parted(self._scope.now.monotonic_s, peer.placed, peer.has_caught_us_up())
            self._scope.emit(PeerLeft(link, self.id, peer.device))

    def on_message(self, link: int, message: Have | IndexUpdate | Placed | Secret) -> None:
        """Raises RemoteProtocolError, CodecError or SignatureInvalid for what no honest member sends."""
        peer = self.peers.get(link)
        if peer is None:
            return  # the session was closed while the message was on its way
        match message:
            case Have():
                peer.on_have(message)
                self.replica.peer_came()
            case IndexUpdate(_, blocks):
                self._join(peer, blocks)
            case Placed():
                if message.tips and message != peer.placed:
                    self.replica.peer_placed()
                peer.placed = message
                self.arrears.placed(peer.device, message, self._scope.now.wall_ms)
            case Secret(_, number, secret):
                self._learn_secret(peer, number, secret)

    def _join(self, peer: Peer, blocks: Sequence[bytes]) -> None:
        """Take in blocks, plan the paths that they touch, and pass them on; what came before a bad one counts."""
        taken: list[Taken] = []
        missing: LogId | None = None
        try:
            for raw in blocks:
                one = self.ledger.join(raw, peer.device)
                if one is not None:
                    taken.append(one)
        except MissingBlock as error:
            missing = error.log
        finally:
            self.replica.plan.touched(path for one in taken for path in one.paths)
            self.refusals.tell(taken)
            self.postings.keep_marked(mark for one in taken for mark in one.marks)
            for one in taken:
                self.arrears.received(one)
                self.replica.placement.urgent.saved(self.ledger.author(one.row.log), one.paths)
                self._after_join(one, peer)
        if peer.link in self.peers:  # else what it sent says that it does not belong here any more
            if missing is not None:
                peer.ask_again(missing)
            peer.acknowledge({one.row.log for one in taken})
        for other in self.peers.values():
            if other is not peer:
                other.say_have()

    def hear_out(self, link: int, device: DeviceId, blocks: Sequence[bytes]) -> None:
        """A member that counts this device out says why; raises as `on_message` does."""
        taken: list[Taken] = []
        with suppress(MissingBlock):
            for raw in blocks:
                one = self.ledger.join(raw, device)
                if one is not None:
                    taken.append(one)
        self.replica.plan.touched(path for one in taken for path in one.paths)
        self.refusals.tell(taken)
        for one in taken:
            self._after_join(one, None)
        if self.is_removed:
            known = {log: tips for log, tips in self.ledger.tips.items() if self.ledger.file_class(log) == AUTHORITY}
            self._scope.emit(Send(link, Have(self.id, known)))

    def heard_out(self, device: DeviceId, have: Have) -> bool:
        """A device without a session says what it has; whether it knows now that it was removed."""
        if not self.farewells.answered(device, have):
            return False
        if not self.farewells.untold:
            self.secrets.forget_outdated()
        self._scope.emit(MembersChanged(self.id))
        return True

    def _after_join(self, taken: Taken, source: Peer | None) -> None:
        for other in self.peers.values():
            if other is not source:
                other.forward(taken.row)
        if taken.forked:
            author = self.ledger.author(taken.row.log)
            self.state.put_problems([Problem("", Code.LOG_FORKED, device_text(author))])
            self._scope.notice("log.forked", self.id, device=author.hex())
            for other in self.peers.values():
                other.refresh()
        if taken.marks:
            self._scope.notice("entries.marked", self.id, device=self.ledger.author(taken.row.log).hex())
        if taken.authority_changed:
            self.authority_changed()

    def _learn_secret(self, peer: Peer, number: int, secret: bytes) -> None:
        """Only the log says which secret is the newest: one that it does not know waits until it grows.

        Two admins may have made one of the same number each; then all go on with the one that counts.
        """
        authority, before = self.authority, self.secrets.recognised
        peer.claimed = None
        if number == authority.secret_number and blake3(secret).digest() == authority.secret_digest:
            fresh = self.secrets.add(number, secret)
        elif number < authority.secret_number:
            newest = self.secrets.newest
            fresh = (newest is None or number > newest[0]) and self.secrets.add(number, secret)
        else:
            peer.claimed = (number, secret)
            return
        peer.secret_number = number
        self.secrets.shown_by(peer.device, number, authority.members)
        if fresh:
            self.secrets.shown_by(self._keys.device, number, authority.members)
        if self.secrets.recognised != before:
            self._scope.emit(MembersChanged(self.id))
        if fresh:
            for other in self.peers.values():
                if other is not peer:
                    other.say_secret((number, secret))

    def tell_secret(self) -> None:
        newest = self.secrets.newest
        if newest is not None:
            for peer in self.peers.values():
                if peer.secret_number < newest[0]:
                    peer.say_secret(newest)

    def replace_secret(self, *statements: Any) -> None:
        """Make a new discovery secret and give it to those who remain; `statements` go before it."""
        secret = self.secrets.make_next(self._rng, self.authority.secret_number)
        self.secrets.shown_by(self._keys.device, secret.number, self.authority.members)
        self.state_authority(*statements, secret)
        self.tell_secret()

    def _replace_secret_if_due(self) -> None:
        """Any admin does it, but of several that are connected only the most senior."""
        if not self.authority.is_admin(self._keys.device):
            return
        if not self.authority.secret_is_stale and not self._secret_is_lost():
            return
        rank = self.authority.rank(self._keys.device)
        admins = (peer.device for peer in self.peers.values() if self.authority.is_admin(peer.device))
        if all(self.authority.rank(other) > rank for other in admins):
            self.replace_secret()

    def _secret_is_lost(self) -> bool:
        """Whether nobody in reach has known the newest secret for a while: backups took it from all who did."""
        newest, now_s = self.secrets.newest, self._scope.now.monotonic_s
        known = newest is not None and newest[0] == self.authority.secret_number
        if newest is not None and known and blake3(newest[1]).digest() == self.authority.secret_digest:
            self._secret_missed_s = None
            return False
        if not any(peer.has_caught_us_up() for peer in self.peers.values()):
            return False
        if self._secret_missed_s is None:
            self._secret_missed_s = now_s
            self._scope.wake_in(SECRET_MISSED_S)
        return now_s - self._secret_missed_s >= SECRET_MISSED_S

    # -- announce --------------------------------------------------------------------------------------

    def announce(self, taken: Sequence[Taken]) -> None:
        for one in taken:
            for peer in self.peers.values():
                peer.announce(one.row)

    def state_authority(self, *statements: Any) -> Taken:
        """Write statements as this device, which has to be an admin, and tell everybody."""
        taken = self.ledger.state_authority(statements, self._scope.now.wall_ms)
        self.replica.plan.touched(taken.paths)
        self.announce([taken])
        self.authority_changed()
        return taken

    def authority_changed(self) -> None:
        """Who may connect and read may be others now: sessions of those who may not are closed."""
        if self.is_stopped:
            self.state.put_problems([Problem("", Code.UPDATE_NEEDED, self.ledger.constitution.unknown or "")])
        else:
            self.state.clear_problems([""], [Code.UPDATE_NEEDED])
        if self._keys.device in self.authority.members and self.state.get("provisional"):
            self.state.put("provisional", [])
            self._introduce()
        # Roles and rules choose between heads: every conflict may have another winner now.
        self.replica.plan.touched(self.state.conflicted())
        members = self.members()
        gone = {device_text(device) for device in self.authority.former}
        if any(p.code is Code.DEVICE_CLONED and p.detail in gone for p in self.state.problems()):
            self.state.clear_problems([""], [Code.DEVICE_CLONED])
        self.farewells.forget_members()
        self._note_removal()
        self.periods.tell()
        for link in [link for link, peer in self.peers.items() if peer.device not in members]:
            self.close_peer(link)
        for peer in self.peers.values():
            peer.refresh()
            if peer.claimed is not None:
                self._learn_secret(peer, *peer.claimed)
        self._scope.emit(MembersChanged(self.id))

    def _introduce(self) -> None:
        """Tell who works at this device, if a person said so before it was a member."""
        person = self.state.get("person")
        if isinstance(person, str) and person:
            self.state.put("person", "")
            self.state_authority(SetPerson(self._keys.device, person))

    def _note_removal(self) -> None:
        """Say who removed this device, or go on where it was left when it belongs again."""
        removal = self.ledger.constitution.removal_of(self._keys.device)
        if removal is not None:
            by = self.authority.members.get(removal.by) or self.authority.former.get(removal.by)
            when = moment_of(removal.time_ms)
            detail = f"{by.name if by else device_text(removal.by)}, {when:%Y-%m-%d %H:%M} UTC"
            self.state.put_problems([Problem("", Code.REMOVED, detail)])
        elif self._was_removed:
            self.state.clear_problems([""], [Code.REMOVED])
            self.replica.forget()
            self._scope.emit(Rescan(self.id))
        self._was_removed = removal is not None

    # -- after every event -----------------------------------------------------------------------------

    def settle(self) -> None:
        """Start what may start, say what is due."""
        if not self.is_stopped and not self.is_removed:
            self._replace_secret_if_due()
            self._update_readiness()
            if not self.is_held:
                self.announce(self.replica.pump())
                self.announce(self.receipts.pump(self.peers.values()))
        for peer in self.peers.values():
            peer.flush()
        self._say_placed()
        self.pace.keep()

    def tick(self) -> None:
        self.conduct.tick()
        self.replica.plan.retry()
        for peer in self.peers.values():
            peer.forward_due()

    def _update_readiness(self) -> None:
        """Files found in a discontinuous folder are judged once it is known what the mandate holds."""
        if self.replica.observation.ready_to_judge:
            return
        alone = set(self.authority.members) == {self._keys.device}
        if alone or any(peer.has_caught_us_up() for peer in self.peers.values()):
            self.replica.observation.ready_to_judge = True

    def _say_placed(self) -> None:
        """All placed: say so at once. Busy: say from time to time how much is left."""
        if not self.peers or self.is_removed:
            return
        waiting, stuck, busy = self.replica.waiting(), self.replica.stuck, self.replica.is_busy
        now_s = self._scope.now.monotonic_s
        if busy:
            said_s, said = self._progress_said
            if now_s - said_s < PROGRESS_EVERY_S and abs(waiting - said) < PROGRESS_PATHS:
                self._scope.wake_in(PROGRESS_EVERY_S)
                return
            self._progress_said = now_s, waiting
        unplaced: tuple[tuple[str, str], ...] = tuple(
            sorted((path, code.value) for path, code in stuck.items())[: UNPLACED_MAX - 1]
        )
        if self._folder_trouble is not None:
            unplaced = (("", self._folder_trouble.value), *unplaced)
        for peer in self.peers.values():
            tips = {} if busy else self.ledger.readable_tips(peer.device)
            visible = tuple(u for u in unplaced if self._may_know(peer.device, u[0]))
            peer.say_placed(Placed(self.id, tips, waiting if busy else len(visible), visible))

    def _may_know(self, device: DeviceId, path: str) -> bool:
        return self.authority.may_read(device, self.authority.rules.class_id(path) or "")  # type: ignore[arg-type]

    @property
    def own_role(self) -> Role | None:
        member = self.authority.members.get(self._keys.device)
        return member.role if member else None

    @property
    def is_in_sync(self) -> bool:
        """Nothing to receive, and each connected member has placed what this device knows."""
        if self.is_removed or self.replica.waiting() or self.replica.is_busy:
            return False
        return all(peer.has_caught_us_up() and peer.has_placed_everything() for peer in self.peers.values())
