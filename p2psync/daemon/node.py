"""One device, whole: everything that runs for one home directory, started and stopped together.

A `Node` has no globals and handles no signals, so that several can live in one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from random import SystemRandom
from typing import Any

from p2psync import __version__
from p2psync.core.authority import Authority
from p2psync.core.block import verify_ed25519
from p2psync.core.ids import DeviceId, MandateId
from p2psync.daemon import limits, rescue, web
from p2psync.daemon.activity import Activity
from p2psync.daemon.config import DETAILED, Config, make_home
from p2psync.daemon.contents.compartments import Compartments
from p2psync.daemon.contents.transfer import Transfer
from p2psync.daemon.detail import details
from p2psync.daemon.disk.folders import Folders
from p2psync.daemon.disk.verifying import Found
from p2psync.daemon.finding import hosts, way_out
from p2psync.daemon.finding.discovery import Discovery, Survey
from p2psync.daemon.finding.places import addresses_among, rendezvous_of
from p2psync.daemon.intervals import Intervals
from p2psync.daemon.linking.bandwidth import Bandwidth
from p2psync.daemon.linking.links import Links
from p2psync.daemon.logs import EventLog
from p2psync.daemon.operations import Operations
from p2psync.daemon.operations.mandates import default_folder
from p2psync.daemon.operations.running import Runs
from p2psync.daemon.pairing.code_inviting import CodeInviting
from p2psync.daemon.pairing.code_joining import CodeJoining
from p2psync.daemon.pairing.inviting import Inviting
from p2psync.daemon.programs.bridging import Bridging
from p2psync.daemon.programs.exporting import Exporting
from p2psync.daemon.programs.hooks import NOTICE, Hooks
from p2psync.daemon.programs.indexes import Indexes
from p2psync.daemon.programs.mastering import Mastering
from p2psync.daemon.programs.shelf import Shelf
from p2psync.daemon.programs.tally import Tally
from p2psync.daemon.rescuing import Rescuing
from p2psync.daemon.runtime import Runtime
from p2psync.daemon.tasks import Tasks
from p2psync.daemon.timetable import Timetable, WallClock
from p2psync.engine.device import CALLED, Device
from p2psync.engine.effects import (
    CloseLink,
    Drain,
    Effect,
    Fetch,
    HoldBack,
    KeepVersion,
    MembersChanged,
    Merge,
    Notice,
    OfferContent,
    PeerJoined,
    PeerLeft,
    Place,
    PushContents,
    Rescan,
    Send,
    StreamFile,
)
from p2psync.engine.ledger import Keys
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import P2PSyncError, StoreDamaged, UsageError
from p2psync.net.identity import Identity
from p2psync.net.link import Link
from p2psync.net.trust import Trust
from p2psync.pair.code import behind
from p2psync.pair.invitation import Invitation
from p2psync.pair.ticket import Ticket
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.store.cuts import CUTS_FILE, CutFile
from p2psync.store.database import Database
from p2psync.store.lock import HomeLock
from p2psync.store.records import Records
from p2psync.store.state import SqliteDeviceState
from p2psync.wire.messages import ContentMessage, Request

PROGRAM = f"p2psync {__version__}"
EARLY_MAX = 64
"""Requests of one link that wait for their session."""


class Node:
    """Made by `start`. All methods are for the event loop."""

    def __init__(self, config: Config, log: EventLog, identity: Identity, database: Database) -> None:
        self.config = config
        self.log = log
        self.identity = identity
        self.database = database
        self.records = Records(database)
        self.tasks = Tasks(log, self.broken)
        self.runtime = Runtime(database, self._make_device, self, log)
        self.bandwidth = Bandwidth()
        self.links = self._make_links()
        self.cuts = CutFile(config.home / CUTS_FILE)
        self.folders = Folders(database, self.cuts, self.runtime, self.tasks, log, self.links.give_way)
        self.shelf = Shelf(self.folders)
        self.tally = Tally(self.shelf, self.tasks)
        self.mastering = Mastering(self.runtime, self.folders, self.shelf, identity.device)
        self.transfer = self._make_transfer()
        self.rescuing = Rescuing(config.home, self.runtime, self.records, log)
        self.inviting = Inviting(identity.device, self.runtime, self.records, self.tasks, log)
        self.code_inviting = CodeInviting(identity.device, self.runtime, self.records, self.tasks, self.ticket_of, log)
        self.discovery = Discovery(
            *(config, identity, self.links, self.tasks, lambda: self.runtime.query(self._look_around)),
            *(self._keep_port, self._newcomer, log),
        )
        self.code_joining = CodeJoining(identity, self.discovery, log)
        self.bridging = Bridging(database, self.runtime, self.folders, self.shelf, self.tasks, log)
        self.runs = Runs(self)
        self.timetable = Timetable(self, WallClock())
        self.activity = Activity(self, WallClock())
        self.intervals = Intervals(self, WallClock())
        self.operations = Operations(self)
        self.exporting = Exporting(self.runtime, self.operations.call, log)
        self.indexes = Indexes(self.runtime, database, self.shelf, log)
        self.hooks = Hooks(config.home, self.runtime, log)
        self.verifying: dict[MandateId, Found] = {}
        """What is being read of a mandate, and found in it."""
        self.web: web.Web | None = None
        self.dropped_hosts: frozenset[str] = frozenset()
        """Meeting hosts that were named in an earlier run and are not to be used any more."""
        self.broken_by: BaseException | None = None
        """Why the engine has stopped for good."""
        self._end_wanted = asyncio.Event()
        self._undo = AsyncExitStack()
        self._sessions: dict[int, dict[MandateId, DeviceId]] = {}
        """By link: the mandates whose sessions are open on it."""
        self._early: dict[int, deque[Request]] = {}
        """By link: what was asked before the engine opened the session that it belongs to."""
        self._authorities: Mapping[MandateId, Authority] = {}
        self._performers: Mapping[type[Effect], Callable[[Any], None]] = {
            Send: lambda e: self.links.send(e.link, e.message),
            CloseLink: lambda e: self.links.close(e.link, e.reason),
            Drain: self._drain,
            Fetch: self.transfer.fetch,
            PushContents: self.transfer.push,
            OfferContent: self.transfer.offer,
            StreamFile: lambda e: self.transfer.stream(e, self.folders.being_read(e.mandate, e.path)),
            Place: self._place,
            KeepVersion: self.folders.keep,
            Merge: self.folders.keep,
            Rescan: self.folders.rescan,
            HoldBack: lambda e: self.folders.hold_back(e.mandate, e.link is not None and self.links.is_near(e.link)),
            MembersChanged: lambda _: self._members_changed(),
            Notice: self._note,
            PeerJoined: self._peer_joined,
            PeerLeft: self._peer_left,
        }

    def _make_transfer(self) -> Transfer:
        return Transfer(
            self.tasks,
            send=self.links.send_content,
            push=self.links.push,
            is_near=self.links.is_near,
            emit=self.runtime.post,
            folders=self.folders.contents,
            bounds=Compartments(self._member, lambda one: self._authorities.get(one), self.folders.reading),
            misbehaved=self._misbehaved,
            bandwidth=self.bandwidth,
        )

    def _make_links(self) -> Links:
        return Links(
            self.runtime,
            self.tasks,
            self._on_content,
            self._forget_link,
            self.log,
            self._lane_changed,
            lambda link: self.transfer.is_hungry(link),
            self.bandwidth,
        )

    # -- life ------------------------------------------------------------------------------------------

    @classmethod
    async def start(cls, config: Config) -> Node:
        """Run a device until `stop`. Raises ConfigError, HomeInUse among them, or StoreError."""
        async with AsyncExitStack() as undo:
            home = config.home
            await asyncio.to_thread(make_home, home)
            undo.callback(HomeLock(home).release)
            log = EventLog(home, config.log == DETAILED)
            undo.callback(log.close)
            identity = await asyncio.to_thread(Identity.load_or_create, home)
            database, aside = await asyncio.to_thread(_open_database, home, identity)
            undo.callback(database.close)
            if aside is not None:
                log.event("database.rebuilt", damaged=aside)
            config = await asyncio.to_thread(_called, config, database)
            config = await asyncio.to_thread(way_out.settled, config, database)
            config, dropped = await asyncio.to_thread(hosts.settled, config, database)
            node = cls(config, log, identity, database)
            node.dropped_hosts = dropped
            await node._begin(undo)
            node._undo = undo.pop_all()
        return node

    async def _begin(self, undo: AsyncExitStack) -> None:
        undo.callback(self.cuts.close)
        undo.callback(self.transfer.close)
        await self.tasks.open()
        undo.push_async_callback(self.tasks.close)
        await self.runtime.start()
        undo.push_async_callback(self.runtime.stop)
        undo.callback(self.folders.release)
        self.transfer.start()
        self.tasks.keep(self.rescuing.keep, "rescue file")
        self.log.event("started", device=self.identity.device, name=self.config.name, version=__version__)
        undo.push_async_callback(self._part)
        await limits.load(self)
        await self.activity.look()
        roots = await self.runtime.query(_folders_of)
        await asyncio.gather(*(self.folders.open(mandate, root) for mandate, root in roots))
        self.bridging.start()
        for one in (self.exporting, self.indexes, self.activity, self.hooks):
            self.tasks.keep(one.keep, type(one).__name__.lower())
        if self.config.timetable:
            self.tasks.keep(self.timetable.keep, "timetable")
            self.tasks.keep(self.intervals.keep, "intervals")
        if self.config.rendezvous or self.dropped_hosts:
            await self.runtime.call(lambda device, _: hosts.publish(device, self.config.rendezvous, self.dropped_hosts))
        self.discovery.preferred_port = await self.runtime.query(lambda *_: self.records.port())
        await self.discovery.start()
        if self.config.api:
            await asyncio.to_thread(web.load)
            self.web = web.Web(self)
            await self.web.start()
            undo.push_async_callback(self.web.stop)

    def ask_to_stop(self) -> None:
        """Whoever runs this node is to stop it."""
        self._end_wanted.set()

    async def wait_for_end(self) -> None:
        """Until somebody asked for it, or the engine broke."""
        await self._end_wanted.wait()

    async def let_go(self) -> None:
        """Nothing happens just now: what can be had again is not kept in memory."""
        with contextlib.suppress(P2PSyncError):  # it is no loss when this device stops just now
            await self.runtime.query(lambda *_: self.database.let_go())
        await asyncio.to_thread(self.folders.let_go)
        await asyncio.to_thread(self.cuts.close)

    async def stop(self) -> None:
        """Say goodbye to everybody, finish what is being placed, and let go of everything."""
        undo, self._undo = self._undo, AsyncExitStack()
        await undo.aclose()

    async def _part(self) -> None:
        """All that takes time at the end, at once: goodbyes to those who may not answer, placements under way."""
        await asyncio.gather(self.discovery.stop(), self.links.say_goodbye(), self.folders.close_all())

    # -- effects ---------------------------------------------------------------------------------------

    def know(self, authorities: Mapping[MandateId, Authority]) -> None:
        """Who belongs, as of the effects that follow."""
        self._authorities = authorities

    def foresee(self, effect: Place) -> None:
        """What will be placed is written meanwhile."""
        self.transfer.hand_over(effect)
        self.folders.prepare(effect)

    def perform(self, effects: Sequence[Effect]) -> None:
        """Carry out effects in their order. What they say is durable by now: commit before send."""
        for effect in effects:
            if self.log.is_detailed:
                for line in details(effect):
                    self.log.detail(*line)
            self._performers[type(effect)](effect)
        self.bridging.wake()

    def rebuilt(self) -> None:
        """The device was made anew from its rows: every link and folder is introduced to it again."""
        self.log.event("engine.rebuilt")
        for link, sessions in tuple(self._sessions.items()):
            for mandate, device in tuple(sessions.items()):
                self._peer_left(PeerLeft(link, mandate, device))
        self.links.close_all("this device had to begin anew")
        self.tasks.start(self.folders.reopen_all(), "reopen folders")

    def broken(self, error: BaseException) -> None:
        """The engine has stopped for good: whoever runs this node should stop it."""
        self.log.event("engine.stopped", reason=error)
        self.broken_by = error
        if isinstance(error, StoreDamaged):
            rescue.mark_damaged(self.config.home)
        self._end_wanted.set()

    def _members_changed(self) -> None:
        self.transfer.roles_changed()
        self.discovery.changed()
        self.rescuing.changed()

    def _on_content(self, link: int, message: ContentMessage) -> bool:
        """A peer may ask as soon as it has our Hello; its own, which came before, may still be with the engine."""
        if isinstance(message, Request) and message.mandate not in self._sessions.get(link, ()):
            early = self._early.setdefault(link, deque(maxlen=EARLY_MAX))
            early.append(message)
            return True
        return self.transfer.on_message(link, message)

    def _peer_joined(self, effect: PeerJoined) -> None:
        self._join(effect.link, effect.mandate, effect.device)
        for lane in self.links.lanes(effect.link):
            self._join(lane, effect.mandate, effect.device, effect.link)
        self.tasks.start(self._meet(effect.mandate, effect.device), "last seen")
        self.log.event("peer.joined", mandate=effect.mandate, device=effect.device, link=effect.link)

    def _join(self, link: int, mandate: MandateId, device: DeviceId, lane_of: int | None = None) -> None:
        self._sessions.setdefault(link, {})[mandate] = device
        self.transfer.peer_joined(link, mandate, lane_of)
        for request in self._early.pop(link, ()):
            self._on_content(link, request)

    def _peer_left(self, effect: PeerLeft) -> None:
        for lane in self.links.lanes(effect.link):
            self._leave(lane, effect.mandate)
        if self._leave(effect.link, effect.mandate):
            self.tasks.start(self._note_seen(effect.mandate, effect.device), "last seen")
            self.log.event("peer.left", mandate=effect.mandate, device=effect.device, link=effect.link)

    def _leave(self, link: int, mandate: MandateId) -> bool:
        """False if it was not there."""
        sessions = self._sessions.get(link, {})
        if sessions.pop(mandate, None) is None:
            return False
        if not sessions:
            del self._sessions[link]
        self.transfer.peer_left(link, mandate)
        return True

    def _lane_changed(self, link: int, lane: int, is_up: bool) -> None:
        """A lane of a link is there, or is gone."""
        if is_up:
            for mandate, device in self._sessions.get(link, {}).items():
                self._join(lane, mandate, device, link)
        else:
            for mandate in tuple(self._sessions.get(lane, ())):
                self._leave(lane, mandate)

    async def _meet(self, mandate: MandateId, device: DeviceId) -> None:
        with contextlib.suppress(P2PSyncError):
            seen_ms = await self.runtime.query(lambda *_: self.records.last_seen(mandate).get(device))
            self.timetable.met(mandate, device, seen_ms)
            self.intervals.wake()
        await self._note_seen(mandate, device)

    async def _note_seen(self, mandate: MandateId, device: DeviceId) -> None:
        with contextlib.suppress(P2PSyncError):  # it is no loss when this device stops just now
            await self.runtime.call(lambda _, now: self.records.note_seen(mandate, device, now.wall_ms))

    def _place(self, effect: Place) -> None:
        self.transfer.hand_over(effect)
        self.folders.place(effect)

    def _drain(self, effect: Drain) -> None:
        self.tasks.start(self._drained(effect), f"drain link {effect.link}")

    async def _drained(self, effect: Drain) -> None:
        await self.transfer.drain(effect.link)
        if effect.close:
            self.links.replace(effect.link)

    def _forget_link(self, link: int) -> None:
        self._early.pop(link, None)

    def _note(self, notice: Notice) -> None:
        self.log.event(notice.name, mandate=notice.mandate, **dict(notice.fields))
        if notice.name == NOTICE:
            self.hooks.wake()
        if notice.name == CALLED and notice.mandate is not None:
            self.tasks.start(self.activity.called(notice.mandate), "called")

    async def _misbehaved(self, link: int, reason: str) -> None:
        self.log.event("peer.misbehaved", link=link, reason=reason)
        self.links.cast_out(link, reason)

    # -- what the parts ask of the device --------------------------------------------------------------

    def _make_device(self) -> Device:
        state = SqliteDeviceState(self.database)
        device = Device(_keys(self.identity), state, SystemRandom(), self.config.name, PROGRAM)
        device.hold(self.activity.held, self.activity.silent)
        return device

    async def _keep_port(self, port: int) -> None:
        await self.runtime.call(lambda *_: self.records.set_port(port))

    def _look_around(self, device: Device, now: Now) -> Survey:
        shared = {m.id: _trust_of(m) for m in device.mandates.values() if m.is_shared and m.secrets.recognised}
        places = {m: self.records.addresses(m) for m in shared}
        by_code = self.code_inviting.doors(now.wall_ms / 1000, shared)
        doors = (*self.inviting.doors(now.wall_ms / 1000, shared), *by_code)
        met: dict[bytes, tuple[HostAddress, ...]] = {
            m: hosts.hosts_of(device.mandates[m], self.config.rendezvous, places[m]) for m in shared
        }
        met |= {door.id: met[door.mandate] for door in doors}
        return Survey(
            shared,
            {m: addresses_among(places[m]) for m in shared},
            {door.id: door.secret for door in doors},
            frozenset(m for m in shared if device.mandates[m].is_removed),
            met,
            self.code_inviting.keys([door.id for door in by_code]),
        )

    def _newcomer(self, link: Link, door: bytes) -> None:
        ticket = behind(door)
        if ticket is None:
            self.inviting.on_link(link, door)
        else:
            self.code_inviting.on_link(link, ticket)

    def _member(self, link: int, mandate: MandateId) -> DeviceId | None:
        """Who a mandate's session on a link is with."""
        return self._sessions.get(link, {}).get(mandate)

    # -- what operations use ---------------------------------------------------------------------------

    def ticket_of(self, invitation: Invitation) -> Ticket:
        """What its holder gets."""
        return Ticket(
            invitation.mandate,
            invitation.ticket,
            invitation.secret,
            self.identity.device,
            invitation.expires_s,
            addresses=self.discovery.own_addresses(),
            rendezvous=next(map(rendezvous_of, self.discovery.hosts(invitation.mandate)), None),
        )

    def chosen_folder(self, text: str, name: str) -> Path:
        """The folder that a person named, or the one that a mandate's name suggests."""
        if not text and not name:
            raise UsageError("Say which folder, with --folder DIR.")
        return Path(text).expanduser().absolute() if text else default_folder(self.config.documents, name)

    def last_seen(self, mandate: Mandate) -> dict[DeviceId, int]:
        """When members were connected last, milliseconds since 1970. For the engine's thread."""
        return self.records.last_seen(mandate.id)


def _called(config: Config, database: Database) -> Config:
    """A name that was given once holds until another one is given."""
    records = Records(database)
    if config.is_named:
        with database.transaction():
            records.put_setting("name", config.name)
        return config
    kept = records.setting("name")
    return replace(config, name=kept) if isinstance(kept, str) else config


def _trust_of(mandate: Mandate) -> Trust:
    untold = sorted(mandate.farewells.untold) if not mandate.is_removed else []
    former = {device: mandate.authority.former[device].certificate for device in untold}
    outdated = mandate.secrets.outdated if former else ()
    return Trust(mandate.secrets.recognised, mandate.members(), former, outdated)


def _keys(identity: Identity) -> Keys:
    return Keys(identity.device, identity.sign, verify_ed25519)


def _open_database(home: Path, identity: Identity) -> tuple[Database, Path | None]:
    return rescue.open_database(home, _keys(identity), SystemRandom(), time.strftime("%Y%m%d-%H%M%S"))


def _folders_of(device: Device, _now: Now) -> list[tuple[MandateId, Path]]:
    folders = {mandate.id: mandate.state.get("folder") for mandate in device.mandates.values()}
    return [(mandate, Path(folder)) for mandate, folder in folders.items() if isinstance(folder, str)]
