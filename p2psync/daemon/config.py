"""What a person may choose for one daemon: where it keeps its things, where it listens, what it is called."""

from __future__ import annotations

import os
import socket
from dataclasses import field
from pathlib import Path
from typing import NamedTuple

from p2psync.core.value import value
from p2psync.errors import ConfigError
from p2psync.net.webrtc.servers import Turn

TURN_VARIABLE = "P2PSYNC_TURN"
"""Not an option: what stands on a command line can be read by every program on the PC."""
PROXY_VARIABLE = "P2PSYNC_PROXY"
"""The same as the option: for an address with a password in it."""
LOG_VARIABLE = "P2PSYNC_LOG"
"""How much the log says: NORMAL or DETAILED."""
NORMAL, DETAILED = "normal", "detailed"
LOOPBACK = "127.0.0.1"
PORT_MAX = 65_535
NAME_CHARACTERS_MAX = 100


class Endpoint(NamedTuple):
    """Where to listen."""

    host: str | None
    """IP address or host name; None for all addresses."""
    port: int
    """0 for a free one."""


ANYWHERE = Endpoint(None, 0)
LOCAL = Endpoint(LOOPBACK, 0)


def make_home(home: Path) -> None:
    """For this user alone, where it is not there yet. Raises ConfigError."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(
            "The home directory {home} cannot be made: {reason}", home=home, reason=error.strerror or error
        ) from error


def default_documents() -> Path:
    """Where new mandates' folders go unless a person says otherwise."""
    from platformdirs import user_documents_path

    return user_documents_path()


def default_turn() -> Turn | None:
    """The server that P2PSYNC_TURN names, if it is set. Raises ConfigError if it names none."""
    named = os.environ.get(TURN_VARIABLE)
    return Turn.parse(named) if named else None


def default_proxy() -> str:
    """What P2PSYNC_PROXY names; "" if it is not set."""
    return os.environ.get(PROXY_VARIABLE, "")


def default_log() -> str:
    """What P2PSYNC_LOG names; NORMAL if it is not set."""
    return os.environ.get(LOG_VARIABLE) or NORMAL


@value
class Config:
    """One daemon's settings. Raises ConfigError for one that cannot be."""

    home: Path
    """Identity, database, log; made when missing, readable by this user alone."""
    listen: Endpoint = ANYWHERE
    """For other devices. The free port of one run is tried first in the next."""
    web: Endpoint | None = LOCAL
    """For the web page and the command line; None serves no page, and the command line on a free loopback port."""
    api: bool = True
    """False serves neither: for devices that are embedded in another program."""
    name: str = ""
    """What this device calls itself, for people: unless given, what it was called before, else the host's name."""
    mdns: bool = True
    """Whether to announce and to look for others in the local network."""
    mdns_interfaces: tuple[str, ...] | None = None
    """Own IP addresses that mDNS is limited to; None for all."""
    rendezvous: tuple[str, ...] = ()
    """Addresses of meeting hosts; "off" alone: none, and none of those that were named before."""
    proxy: str = field(default_factory=default_proxy, repr=False)
    """By which this device goes out: a proxy's address, "off", or "system" for what other programs use; "": as named
    before, else "system"."""
    turn: Turn | None = field(default_factory=default_turn)
    """Passes packets on where two routers let none through."""
    documents: Path = field(default_factory=default_documents)
    """Where a mandate's folder goes when none is named."""
    port_mapping: bool = True
    """Whether to ask the home router to let others in, where somebody far away may call."""
    timetable: bool = True
    """Whether runs are started by themselves."""
    log: str = field(default_factory=default_log)
    """NORMAL, or DETAILED: each message and each file is noted too."""
    is_named: bool = field(init=False)
    """True if `name` was given."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_named", bool(self.name))
        name = "".join(c for c in self.name or socket.gethostname() if c.isprintable()).strip()
        if not name or len(name) > NAME_CHARACTERS_MAX:
            raise ConfigError("The name of this device must have 1 to {limit} characters.", limit=NAME_CHARACTERS_MAX)
        if self.log not in (NORMAL, DETAILED):
            raise ConfigError(
                "The log cannot be {text!r}: it is {normal} or {detailed}.",
                text=self.log,
                normal=NORMAL,
                detailed=DETAILED,
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "home", Path(os.path.abspath(self.home)))


def parse_endpoint(text: str, host: str | None = None) -> Endpoint:
    """`HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `PORT`; `host` where none is named. Raises ConfigError."""
    before, colon, after = text.strip().rpartition(":")
    if not (after.isascii() and after.isdigit() and int(after) <= PORT_MAX):
        raise ConfigError("{text!r} is no address to listen on. Write HOST:PORT.", text=text)
    named = before.removeprefix("[").removesuffix("]") if colon else ""
    if ":" in named and not before.startswith("["):
        raise ConfigError(
            "{text!r} is no address to listen on. Write an IPv6 address in brackets: [::1]:PORT.", text=text
        )
    return Endpoint(named or host, int(after))
