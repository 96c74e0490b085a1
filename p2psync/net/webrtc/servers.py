"""Who helps two devices to find a way to each other through their NATs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from typing import Final

from p2psync.core.value import value
from p2psync.errors import ConfigError
from p2psync.i18n import _

TURN_PORT: Final = 3478
_TURN: Final = re.compile(
    r"turn:(?P<user>[^:@]+):(?P<password>[^@]+)@(?P<host>[^:@?\[\]]+)(:(?P<port>[0-9]{1,5}))?"
    r"(\?transport=(?P<transport>udp|tcp))?"
)


@value
class Turn:
    """A server that passes packets on for those with a name and a password."""

    host: str
    """Name or IPv4 address."""
    port: int
    user: str
    password: str = field(repr=False)
    by_tcp: bool = False
    """For networks that let no UDP out."""

    @classmethod
    def parse(cls, text: str) -> Turn:
        """From `turn:USER:PASSWORD@HOST:PORT`, with `?transport=tcp` behind it if wanted. Raises ConfigError."""
        found = _TURN.fullmatch(text)
        port = int(found["port"] or TURN_PORT) if found else 0
        if found is None or not 0 < port < 1 << 16:
            raise ConfigError(_("This names no TURN server. Write turn:USER:PASSWORD@HOST:PORT."))
        return cls(found["host"], port, found["user"], found["password"], found["transport"] == "tcp")

    @property
    def url(self) -> str:
        """As WebRTC writes it."""
        return f"turn:{self.host}:{self.port}?transport={'tcp' if self.by_tcp else 'udp'}"


@value
class Servers:
    stun: tuple[str, int] | None = None
    """Host and UDP port; tells under which address a packet arrives."""
    turn: Turn | None = None

    def entries(self) -> Iterator[tuple[str, str | None, str | None]]:
        """(URL, user, password) of each that aiortc can use: it knows none by an IPv6 address."""
        if self.stun is not None and ":" not in self.stun[0]:
            yield f"stun:{self.stun[0]}:{self.stun[1]}", None, None
        if self.turn is not None:
            yield self.turn.url, self.turn.user, self.turn.password
