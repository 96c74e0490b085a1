"""Who helps two devices to find a way to each other through their NATs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """A server that passes packets on for those with a name and a password."""

    host: str
    port: int
    user: str
    password: str
    by_tcp: bool = False
    """Where no UDP gets out."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Who helps to get through NATs."""

    stun: tuple[str, int] | None = None
    """Host and UDP port; tells under which address a packet arrives."""
    turn: Turn | None = None
