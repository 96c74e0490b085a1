"""One device: routes events to its mandates and links, and collects the effects. Nothing is decided here.

`handle` is total: whatever a peer sends ends in effects, at worst in a closed link, never in an exception.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from random import Random

from p2psync.core.entry import Entry
from p2psync.core.ids import ChangeId, DeviceId, MandateId, device_text, mandate_text
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import Folding, RelPath
from p2psync.core.value import mutable
from p2psync.core.ways import rank
from p2psync.engine.admin import Admin, Founding, Welcome, found
from p2psync.engine.effects import CloseLink, Drain, Effect, MembersChanged, Send, WakeAt
from p2psync.engine.events import Event, LinkDown, LinkUp, Received, Seen, Tick
from p2psync.engine.ledger import Keys
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now, Scope
from p2psync.engine.state import DeviceState
from p2psync.errors import CodecError, ProtocolError, SignatureInvalid, UsageError
from p2psync.wire.messages import (
    MANDATES_MAX,
    PROTOCOL_VERSION,
    Close,
    CloseCode,
    Have,
    Hello,
    IndexUpdate,
    Message,
    Ping,
    Placed,
    Pong,
    Push,
    Secret,
)
from p2psync.wire.session import Conversation

CLOCK_TOLERANCE_S = 24 * 3600
"""Clocks further apart than this are shown as a Problem; they decide nothing."""
NONCES_REMEMBERED = 8
CALLED = "exchange.called"
"""The notice that a member wants to exchange a mandate that is silent here."""
PARTING_S = 10.0
"""How long a link stays open on which a device was told that it is no member any more."""


@mutable
class _Link:
    number: int
    device: DeviceId
    initiator: bool
    way: str
    conversation: Conversation
    listed: tuple[MandateId, ...] = ()
    """The mandates of our last Hello."""
    parted: set[MandateId] = field(default_factory=set)
    """Those of which the other side was told that it belongs no more."""
    parting_at_s: float | None = None
    """When the link is closed if nothing else is shared; monotonic seconds."""
    hello: Hello | None = None
    """Theirs."""


class Mandates(dict[MandateId, Mandate]):
    """By their ids. Whoever looks again, after it waited for something, may find that a person left one meanwhile."""

    def __missing__(self, mandate: MandateId) -> Mandate:
        raise UsageError(
            "This device is a member of no mandate called {name}. See: p2psync mandate list", name=mandate_text(mandate)
        )


class Device:
    def __init__(self, keys: Keys, state: DeviceState, rng: Random, name: str, program: str):
        self.keys = keys
        self.name = name
        self._state = state
        self._rng = rng
        self._program = program
        self._scope = Scope()
        self._folding: dict[MandateId, Folding] = {}
        self._links: dict[int, _Link] = {}
        self._nonces: dict[DeviceId, list[bytes]] = {}
        """Run nonces of each device in the order of their first sight."""
        self._woken_for: float | None = None
        self._held: frozenset[MandateId] = frozenset()
        self._silent: frozenset[MandateId] = frozenset()
        self._touched: set[MandateId] = set()
        """Mandates to which something happened since the last effects: a hundred idle ones cost nothing."""
        self.run_nonce = rng.randbytes(16)
        self.mandates = Mandates((m, self._load(m)) for m in state.mandates())

    def handle(self, event: Event, now: Now) -> Sequence[Effect]:
        return self.handle_all((event,), now)

    def handle_all(self, events: Iterable[Event], now: Now) -> Sequence[Effect]:
        """Take in a batch of events; the effects are to be performed after all of it is durable."""
        self._scope.now = now
        for event in events:
            self._route(event)
        return self._finish()

    def act(self, now: Now) -> None:
        """Begin a person's act: call `admin(...)` and the like, then `finish()` for its effects."""
        self._scope.now = now

    def finish(self) -> Sequence[Effect]:
        return self._finish()

    # -- mandates --------------------------------------------------------------------------------------

    def admin(self, mandate: MandateId) -> Admin:
        self._touched.add(mandate)
        return Admin(self.mandates[mandate], self.keys.device, self._scope, self._rng)

    def create(self, founding: Founding) -> MandateId:
        """Found a mandate with this device as its admin; it is local until it is shared."""
        mandate, genesis = found(self.keys.device, founding, self._rng)
        state = self._state.add_mandate(mandate)
        state.put("discontinuous", True)
        fresh = self._load(mandate)
        self.mandates[mandate] = fresh
        secret = fresh.secrets.make_next(self._rng)
        fresh.state_authority(genesis, secret)
        return mandate

    def join(self, welcome: Welcome) -> MandateId:
        """Become a member as the inviter's welcome says. Raises UsageError if this device is one already."""
        if welcome.mandate in self.mandates:
            raise UsageError("This device is a member of {mandate} already.", mandate=welcome.name)
        state = self._state.add_mandate(welcome.mandate)
        state.put("discontinuous", True)
        state.put("name", welcome.name)
        state.put("role", welcome.role.value)
        state.put("secrets", [[number, secret] for number, secret in welcome.secrets])
        state.put("provisional", [[device, certificate] for device, certificate in welcome.members])
        self.mandates[welcome.mandate] = self._load(welcome.mandate)
        self._scope.emit(MembersChanged(welcome.mandate))
        return welcome.mandate

    def leave(self, mandate: MandateId) -> None:
        """Say goodbye and forget a mandate on this device; raises UsageError if it is its last admin."""
        self.admin(mandate).leave()
        self.mandates[mandate].settle()
        for link in list(self.mandates[mandate].peers):
            self.mandates[mandate].close_peer(link)
        del self.mandates[mandate]
        self._state.remove_mandate(mandate)
        self._scope.emit(MembersChanged(mandate))

    def submit(
        self, mandate: MandateId, path: RelPath, entry: Entry, parents: Sequence[ChangeId]
    ) -> tuple[ChangeId, ...]:
        """Announce what a program saved outside of the folder as an edit of `parents`; returns the heads that it is.

        None where this device may not change the path. The bytes are among the kept versions.
        """
        self._touched.add(mandate)
        taken, heads = self.mandates[mandate].replica.observation.submit(path, entry, parents)
        self.mandates[mandate].announce(taken)
        return heads

    def mend(self, mandate: MandateId, damaged: Sequence[Seen]) -> None:
        """Have what was accepted placed again where a disk lost it: what stands there, though nobody saved it."""
        self._touched.add(mandate)
        self.mandates[mandate].replica.observation.mend(damaged)

    def hold(self, held: frozenset[MandateId], silent: frozenset[MandateId] = frozenset()) -> None:
        """Exchange and place nothing of the mandates `held`, exchange nothing of those that are `silent`, and keep
        back no others; what is saved in them is noted.
        """
        self._held, self._silent = held, silent
        for mandate in self.mandates.values():
            mandate.is_held, mandate.is_silent = mandate.id in held, mandate.id in silent
        self._touched.update(self.mandates)

    def call(self, mandate: MandateId) -> None:
        """Tell members in reach for whom it is silent that there is something to exchange now."""
        for link in self._links.values():
            if mandate in link.listed and link.hello is not None and mandate not in link.hello.mandates:
                self._say_hello(link)

    def set_folding(self, mandate: MandateId, folding: Folding) -> None:
        """How the disk of the mandate's folder folds names; said before the folder is opened."""
        if self._folding.get(mandate) != folding:
            self._folding[mandate] = folding
            self.mandates[mandate].set_folding(folding)

    def _load(self, mandate: MandateId) -> Mandate:
        folding = self._folding.get(mandate, Folding())
        made = Mandate(mandate, self._state.mandate(mandate), self.keys, self._scope, self._rng, folding)
        made.is_held, made.is_silent = mandate in self._held, mandate in self._silent
        return made

    # -- routing ---------------------------------------------------------------------------------------

    def _route(self, event: Event) -> None:
        match event:
            case LinkUp():
                self._link_up(event)
            case LinkDown(link, _, blamed):
                if blamed:
                    self._show_blame(link)
                self._link_down(link)
            case Received(link, message):
                self._receive(link, message)
            case Tick():
                self._scope.wake_at_s = None
                for mandate in self.mandates.values():
                    mandate.tick()
                self._touched.update(self.mandates)
                self._part_in_time()
            case _:
                mandate_there = self._touch(event.mandate)
                if mandate_there is not None:
                    mandate_there.on_disk(event)

    def _touch(self, mandate: MandateId) -> Mandate | None:
        """A mandate to which something happens now; None if this device has no such mandate."""
        if mandate in self.mandates:
            self._touched.add(mandate)
        return self.mandates.get(mandate)

    def _finish(self) -> Sequence[Effect]:
        self._renew_hellos()
        for touched in sorted(self._touched.intersection(self.mandates)):
            self.mandates[touched].settle()
        self._touched.clear()
        wake = self._scope.wake_at_s
        if wake is not None and wake != self._woken_for:
            self._scope.emit(WakeAt(wake))
        self._woken_for = wake
        return self._scope.take_effects()

    # -- links -----------------------------------------------------------------------------------------

    def _link_up(self, up: LinkUp) -> None:
        link = _Link(up.link, up.device, up.initiator, up.way, Conversation())
        self._links[up.link] = link
        self._say_hello(link)

    def _link_down(self, number: int) -> None:
        if self._links.pop(number, None) is not None:
            for mandate in self.mandates.values():
                mandate.close_peer(number)

    def _shared_with(self, device: DeviceId) -> tuple[MandateId, ...]:
        open_ = (m for m in self.mandates.values() if m.is_shared and not m.is_held and not m.is_silent)
        shared = [m.id for m in open_ if device in m.members()]
        return tuple(sorted(shared)[:MANDATES_MAX])

    def _say_hello(self, link: _Link) -> None:
        link.listed = self._shared_with(link.device)
        wall_s = self._scope.now.wall_ms / 1000
        hello = Hello(PROTOCOL_VERSION, self.name, self._program, self.run_nonce, wall_s, link.listed)
        self._send(link, hello)

    def _renew_hellos(self) -> None:
        """Who is a member of what may have changed: say it again where it has."""
        for link in self._links.values():
            if link.listed != self._shared_with(link.device):
                self._say_hello(link)
                self._open_sessions(link)
                self._part(link)

    def _send(self, link: _Link, message: Message) -> None:
        link.conversation.sent(message)
        self._scope.emit(Send(link.number, message))

    def _receive(self, number: int, message: Message) -> None:
        link = self._links.get(number)
        if link is None:
            return
        try:
            link.conversation.received(message)
            self._on_message(link, message)
        except (ProtocolError, CodecError, SignatureInvalid) as error:
            self._blame(link, str(error))

    def _on_message(self, link: _Link, message: Message) -> None:
        match message:
            case Hello():
                self._on_hello(link, message)
            case Ping(count):
                self._send(link, Pong(count))
            case Close(_, reason):
                self._close(link, reason or "closed by the other side")
            case Have() | IndexUpdate() | Placed() | Secret():
                mandate = self._touch(message.mandate)
                if mandate is not None and link.number in mandate.peers:
                    mandate.on_message(link.number, message)
                elif mandate is not None:
                    self._on_stray(link, mandate, message)
            case Push():
                giving = self.mandates.get(message.mandate)
                if giving is not None and link.number in giving.peers:
                    giving.replica.placement.given(message.file_class, message.contents)
            case _:
                pass  # requests and responses are the transfer's; pongs only keep the link alive

    def _on_stray(self, link: _Link, mandate: Mandate, message: Message) -> None:
        """Without a session only farewells count; anything else was on its way when the session was closed."""
        match message:
            case IndexUpdate(_, blocks) if link.device in mandate.members():
                mandate.hear_out(link.number, link.device, blocks)
            case Have() if mandate.heard_out(link.device, message):
                self._close_parted(link)
            case _:
                pass

    def _part(self, link: _Link) -> None:
        """Tell a device why we share less with it than it thinks: once on a link, before that is closed."""
        for listed in link.hello.mandates if link.hello is not None else ():
            mandate = self.mandates.get(listed)
            if mandate is not None and listed not in link.parted and mandate.counts_out(link.device):
                link.parted.add(listed)
                link.parting_at_s = self._scope.now.monotonic_s + PARTING_S
                self._scope.wake_in(PARTING_S)
                mandate.farewells.tell(link.number, link.device)

    def _part_in_time(self) -> None:
        now_s = self._scope.now.monotonic_s
        for link in [link for link in self._links.values() if link.parting_at_s is not None]:
            if link.parting_at_s is not None and link.parting_at_s <= now_s:
                self._close_parted(link)
            elif link.parting_at_s is not None:
                self._scope.wake_in(link.parting_at_s - now_s)

    def _close_parted(self, link: _Link) -> None:
        link.parting_at_s = None
        if not any(link.number in mandate.peers for mandate in self.mandates.values()):
            self._send(link, Close(CloseCode.NOT_A_MEMBER, ""))
            self._close(link, "the other device is no member of any shared mandate any more")

    def _blame(self, link: _Link, reason: str) -> None:
        """The other side broke the rules: its link ends, and it is shown."""
        self._show_blame(link.number)
        self._scope.notice("peer.misbehaved", None, device=link.device.hex(), reason=reason)
        self._send(link, Close(CloseCode.PROTOCOL_ERROR, reason[:200]))
        self._close(link, reason)

    def _show_blame(self, number: int) -> None:
        for mandate in self.mandates.values():
            if number in mandate.peers:
                mandate.conduct.blame(mandate.peers[number].device)

    def _close(self, link: _Link, reason: str) -> None:
        self._link_down(link.number)
        self._scope.emit(CloseLink(link.number, reason))

    def _on_hello(self, link: _Link, hello: Hello) -> None:
        if hello.version != PROTOCOL_VERSION:
            self._send(link, Close(CloseCode.VERSION, "update p2psync"))
            self._close(link, "the other device speaks another version of the protocol: update p2psync there and here")
            return
        if link.device == self.keys.device:
            self._meet_itself(link, hello)
            return
        before, link.hello = link.hello, hello
        if before is not None:
            self._hear_call(link, before, hello)
        else:
            self._check_clock(link, hello)
            self._note_nonce(link, hello.run_nonce)
            if self._is_duplicate(link):
                return
        self._open_sessions(link)
        self._part(link)

    def _hear_call(self, link: _Link, before: Hello, hello: Hello) -> None:
        """Who says a mandate that it did not say before, or says all the same again, wants to exchange now."""
        again = hello.mandates == before.mandates
        for listed in hello.mandates:
            mandate = self.mandates.get(listed)
            is_asked = mandate is not None and mandate.is_silent and link.device in mandate.members()
            if is_asked and (again or listed not in before.mandates):
                self._scope.notice(CALLED, listed)

    def _meet_itself(self, link: _Link, hello: Hello) -> None:
        """Another run under this device's own id is a copy of it, with which nothing can be exchanged."""
        if hello.run_nonce != self.run_nonce:
            self._tell_of_clone(link)
        self._close(link, "this is the same device")

    def _open_sessions(self, link: _Link) -> None:
        if link.hello is None:
            return
        common = set(link.listed).intersection(link.hello.mandates)
        for mandate in self.mandates.values():
            if mandate.id in common:
                self._touched.add(mandate.id)
                mandate.open_peer(link.number, link.device)
            else:
                mandate.close_peer(link.number)

    def _check_clock(self, link: _Link, hello: Hello) -> None:
        apart_s = abs(hello.wall_time_s - self._scope.now.wall_ms / 1000)
        for mandate in (m for m in self.mandates.values() if m.id in link.listed):
            if apart_s > CLOCK_TOLERANCE_S:
                mandate.state.put_problems([Problem("", Code.CLOCK_WRONG, hello.name)])
            else:
                mandate.state.clear_problems([""], [Code.CLOCK_WRONG])

    def _note_nonce(self, link: _Link, nonce: bytes) -> None:
        """A run nonce that comes back after another one was seen: two live devices share one identity."""
        seen = self._nonces.setdefault(link.device, [])
        if nonce in seen and seen[-1] != nonce:
            self._tell_of_clone(link)
        if nonce in seen:
            seen.remove(nonce)
        seen.append(nonce)
        del seen[:-NONCES_REMEMBERED]

    def _tell_of_clone(self, link: _Link) -> None:
        for mandate in (m for m in self.mandates.values() if m.id in link.listed):
            mandate.state.put_problems([Problem("", Code.DEVICE_CLONED, device_text(link.device))])
        self._scope.notice("device.cloned", None, device=link.device.hex())

    def _is_duplicate(self, link: _Link) -> bool:
        """Whether this link goes, of two to one running device; of two runs the older one's links go."""
        for other in list(self._links.values()):
            same_device = other is not link and other.device == link.device and other.hello is not None
            if not same_device or other.hello is None or link.hello is None:
                continue
            if other.hello.run_nonce != link.hello.run_nonce:
                self._retire(other, "the other device was started anew")
            elif rank(other.way) != rank(link.way):
                if self._is_worse(link, other):
                    return True
            elif self._is_second(link, other):
                return True
        return False

    def _is_worse(self, link: _Link, other: _Link) -> bool:
        """A better way takes over at once, the worse one ends without losing what is on its way. Only the lower id
        ends one: the higher may not know yet that its better link is dead.
        """
        decides = self.keys.device < link.device
        if rank(link.way) < rank(other.way):
            self._scope.emit(Drain(other.number, decides))
        elif decides:
            self._retire(link, "a better connection to the same device is in use")
            return True
        return False

    def _is_second(self, link: _Link, other: _Link) -> bool:
        """Of two links that are as good as each other the one that the lower id dialled stays."""
        preferred_initiator = self.keys.device < link.device
        loser = other if link.initiator == preferred_initiator else link
        if link.initiator == other.initiator:
            loser = other  # the same side dialled again: it knows that its older link is dead
        self._retire(loser, "another connection to the same device is in use")
        return loser is link

    def _retire(self, link: _Link, reason: str) -> None:
        self._send(link, Close(CloseCode.REPLACED, reason))
        self._close(link, reason)

    # -- asked by the runtime --------------------------------------------------------------------------

    def links_to(self, device: DeviceId) -> list[tuple[int, str]]:
        """(link, way) of the open links to a device, the best way first."""
        found = [(n, link.way) for n, link in self._links.items() if link.device == device and link.hello is not None]
        return sorted(found, key=lambda one: rank(one[1]))

    def way_of(self, link: int) -> str | None:
        found_link = self._links.get(link)
        return found_link.way if found_link else None
