"""What `doctor` may find, in plain words: how it stands with one thing that p2psync needs, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import NamedTuple

from p2psync.core.problem import Code
from p2psync.core.value import value
from p2psync.i18n import _
from p2psync.remedies import Words, words


def not_running() -> str:
    """Of a daemon; `{home}` is to be filled in."""
    return _("p2psync is not running (home: {home}). Start it with: p2psync start")


class Check(StrEnum):
    """What is looked at, in the order in which it is told."""

    DAEMON = "daemon"
    SYSTEM = "system"
    DATABASE = "database"
    CLOCK = "clock"
    NETWORK = "network"
    MDNS = "mdns"
    NAT = "nat"
    RENDEZVOUS = "rendezvous"
    RELAY = "relay"
    MEMBER = "member"
    FOLDER = "folder"
    DISK = "disk"
    MANDATE = "mandate"


class State(StrEnum):
    """How it stands with it."""

    OK = "ok"
    WARNING = "warning"
    """It works, but not as well as it could; or it may be meant so."""
    ERROR = "error"
    """Something does not work until somebody does something."""


class Sign(StrEnum):
    """What was found."""

    DAEMON_RUNS = "daemon-runs"
    DAEMON_OFF = "daemon-off"
    SYSTEM_FIT = "system-fit"
    SYSTEM_OLD = "system-old"
    SYSTEM_UNTRIED = "system-untried"
    DATABASE_TROUBLE = "database-trouble"
    CLOCK_RIGHT = "clock-right"
    CLOCK_UNKNOWN = "clock-unknown"
    CLOCK_OFF = "clock-off"
    CLOCK_PROBLEM = "clock-problem"
    LISTENING = "listening"
    LISTENING_ALONE = "listening-alone"
    QUIET = "quiet"
    MDNS_WORKS = "mdns-works"
    MDNS_OFF = "mdns-off"
    MDNS_FAILED = "mdns-failed"
    NAT_NONE = "nat-none"
    NAT_PLAIN = "nat-plain"
    NAT_SYMMETRIC = "nat-symmetric"
    NAT_UNKNOWN = "nat-unknown"
    UDP_BLOCKED = "udp-blocked"
    HOST_NONE = "host-none"
    HOST_ANSWERS = "host-answers"
    HOST_TROUBLE = "host-trouble"
    RELAY_ALLOWED = "relay-allowed"
    RELAY_REFUSED = "relay-refused"
    MEMBER_CONNECTED = "member-connected"
    MEMBER_AWAY = "member-away"
    FOLDER_SOUND = "folder-sound"
    FOLDER_PROBLEM = "folder-problem"
    FOLDER_IN_CLOUD = "folder-in-cloud"
    DISK_ROOM = "disk-room"
    DISK_SHORT = "disk-short"
    DISK_FULL = "disk-full"
    MANDATE_PROBLEM = "mandate-problem"


PROBLEMS = frozenset({Sign.CLOCK_PROBLEM, Sign.FOLDER_PROBLEM, Sign.MANDATE_PROBLEM})
"""What these say is a `Problem`'s sentence and remedy."""


@value
class Finding:
    """One thing that was looked at."""

    sign: Sign
    about: str = ""
    """Which host, member, mandate or folder; "" where there is only one."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What its words name, ready for JSON."""

    @property
    def state(self) -> State:
        return _KINDS[self.sign].state

    @property
    def row(self) -> dict[str, object]:
        """As JSON has it."""
        kind = _KINDS[self.sign]
        return {
            "check": kind.check.value,
            "state": kind.state.value,
            "code": self.sign.value,
            "about": self.about,
            "facts": dict(self.facts),
        }


def said_of(sign: Sign, facts: Mapping[str, object]) -> Words:
    """What to say of a finding, in the language set; the remedy is "" where there is none, or the sentence has it."""
    found = _KINDS[sign].words()
    return Words(found.sentence.format(**facts), found.remedy.format(**facts))


def signs() -> Mapping[str, Words]:
    """What to say of every sign, by its word of the interface, with `{name}` for the facts that are filled in."""
    return {sign.value: kind.words() for sign, kind in _KINDS.items()}


class _Kind(NamedTuple):
    check: Check
    state: State
    words: Callable[[], Words]


def _fine(check: Check, text: Callable[[], str]) -> _Kind:
    return _Kind(check, State.OK, lambda: Words(text(), ""))


def _reason(check: Check, state: State) -> _Kind:
    """Somebody else has the words."""
    return _Kind(check, state, lambda: Words("{reason}", ""))


def _problem(check: Check) -> _Kind:
    return _Kind(check, State.ERROR, lambda: Words("{sentence}", "{remedy}"))


def _no_room(state: State) -> _Kind:
    return _Kind(
        Check.DISK,
        state,
        lambda: Words(_("The disk of {folder} is nearly full: {free} are free."), words(Code.DISK_FULL).remedy),
    )


def _addresses_remedy() -> str:
    return _("Name their addresses with: p2psync peer add MANDATE HOST:PORT")


_KINDS: Mapping[Sign, _Kind] = {
    Sign.DAEMON_RUNS: _fine(Check.DAEMON, lambda: _("p2psync {version} is running.")),
    Sign.DAEMON_OFF: _Kind(Check.DAEMON, State.ERROR, lambda: Words(not_running(), "")),
    Sign.SYSTEM_FIT: _fine(Check.SYSTEM, lambda: _("p2psync can run on this system: {system} {release}.")),
    Sign.SYSTEM_OLD: _Kind(
        Check.SYSTEM,
        State.ERROR,
        lambda: Words(_("{system} {release} is too old for p2psync."), _("Update the system of this PC.")),
    ),
    Sign.SYSTEM_UNTRIED: _Kind(
        Check.SYSTEM,
        State.WARNING,
        lambda: Words(
            _("p2psync is meant for Linux, macOS and Windows, not for {system} {release}."),
            _("Use a PC with one of these systems, or look closely whether all goes well."),
        ),
    ),
    Sign.DATABASE_TROUBLE: _reason(Check.DATABASE, State.ERROR),
    Sign.CLOCK_RIGHT: _fine(Check.CLOCK, lambda: _("This PC's clock agrees with that of the meeting host {host}.")),
    Sign.CLOCK_UNKNOWN: _fine(Check.CLOCK, lambda: _("No meeting host answers with which to compare this PC's clock.")),
    Sign.CLOCK_OFF: _reason(Check.CLOCK, State.ERROR),
    Sign.CLOCK_PROBLEM: _problem(Check.CLOCK),
    Sign.LISTENING: _fine(
        Check.NETWORK,
        lambda: _(
            "p2psync can be called at {addresses}. If nobody gets through, allow it in this PC's firewall and the "
            "router's."
        ),
    ),
    Sign.LISTENING_ALONE: _Kind(
        Check.NETWORK,
        State.WARNING,
        lambda: Words(
            _("p2psync can be called from this PC alone ({addresses})."),
            _("Connect the PC to a network, and start p2psync without --listen or with an address of that network."),
        ),
    ),
    Sign.QUIET: _fine(Check.NETWORK, lambda: _("No mandate is shared: there is nobody to be called by.")),
    Sign.MDNS_WORKS: _fine(Check.MDNS, lambda: _("PCs in the same network are found by themselves.")),
    Sign.MDNS_OFF: _Kind(
        Check.MDNS,
        State.WARNING,
        lambda: Words(
            _("PCs in the same network are not looked for: p2psync runs with --no-mdns."), _addresses_remedy()
        ),
    ),
    Sign.MDNS_FAILED: _Kind(
        Check.MDNS,
        State.ERROR,
        lambda: Words(_("Other PCs are not found by themselves: {reason}"), _addresses_remedy()),
    ),
    Sign.NAT_NONE: _fine(Check.NAT, lambda: _("No router translates this PC's address {address}.")),
    Sign.NAT_PLAIN: _fine(
        Check.NAT,
        lambda: _("A router makes {address} of this PC's address; most ways to other PCs are open all the same."),
    ),
    Sign.NAT_SYMMETRIC: _Kind(
        Check.NAT,
        State.WARNING,
        lambda: Words(
            _("The router shows this PC to everybody under another port ({address}): few PCs can be reached directly."),
            _("Open a port on the router, and name it with --listen; else a meeting host's relay is used."),
        ),
    ),
    Sign.NAT_UNKNOWN: _fine(
        Check.NAT, lambda: _("No meeting host answers that could tell how this PC appears on the Internet.")
    ),
    Sign.UDP_BLOCKED: _Kind(
        Check.NAT,
        State.WARNING,
        lambda: Words(
            _("This network carries no UDP to the meeting host {host}: WebRTC cannot be used."),
            _("Allow UDP in the firewall. Until then plain connections and the relay are used."),
        ),
    ),
    Sign.HOST_NONE: _fine(
        Check.RENDEZVOUS,
        lambda: _(
            "No meeting host is named: PCs elsewhere are found only at known addresses. Name one with: p2psync up "
            "--rendezvous ADDRESS"
        ),
    ),
    Sign.HOST_ANSWERS: _fine(Check.RENDEZVOUS, lambda: _("The meeting host {host} answers.")),
    Sign.HOST_TROUBLE: _reason(Check.RENDEZVOUS, State.ERROR),
    Sign.RELAY_ALLOWED: _fine(Check.RELAY, lambda: _("The meeting host {host} relays where nothing else works.")),
    Sign.RELAY_REFUSED: _reason(Check.RELAY, State.WARNING),
    Sign.MEMBER_CONNECTED: _fine(Check.MEMBER, lambda: _("{mandate}: {member} is connected ({way}).")),
    Sign.MEMBER_AWAY: _Kind(
        Check.MEMBER,
        State.WARNING,
        lambda: Words(
            _("{mandate}: {member} is not connected, last seen: {seen}."),
            _("If it is switched on and has a network, look there with: p2psync doctor"),
        ),
    ),
    Sign.FOLDER_SOUND: _fine(Check.FOLDER, lambda: _("{mandate}: the folder {folder} is there and can be written.")),
    Sign.FOLDER_PROBLEM: _problem(Check.FOLDER),
    Sign.FOLDER_IN_CLOUD: _reason(Check.FOLDER, State.ERROR),
    Sign.DISK_ROOM: _fine(Check.DISK, lambda: _("The disk of {folder} has {free} free.")),
    Sign.DISK_SHORT: _no_room(State.WARNING),
    Sign.DISK_FULL: _no_room(State.ERROR),
    Sign.MANDATE_PROBLEM: _problem(Check.MANDATE),
}
