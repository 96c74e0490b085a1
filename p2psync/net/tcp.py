"""What is asked of the system for a TCP socket: it may say no, and then things go on as they are."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Final

UNSENT_BYTES_MAX: Final = 128 * 1024
"""Not sent yet in the kernel: more would stand before every control frame."""
STEADY: Final = "bbr"
"""Congestion control that does not take a lost packet for a jam: on a long path that loses one in a thousand it is six
times as fast as the usual one."""

_OFFERED = (
    Path("/proc/sys/net/ipv4/tcp_available_congestion_control"),
    Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control"),
)


def keep_queue_short(sock: socket.socket | None) -> None:
    """Keep the kernel from queueing bulk in front of control frames, where it can be asked to."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None and sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES_MAX)


def suit_distance(sock: socket.socket | None) -> bool:
    """The other side is far away: use what copes with lost packets. False if this system does not offer that."""
    option = getattr(socket, "TCP_CONGESTION", None)
    if option is None or sock is None or not offers(*map(_read, _OFFERED)):
        return False
    try:
        sock.setsockopt(socket.IPPROTO_TCP, option, STEADY.encode())
    except OSError:
        return False
    return True


def offers(available: str, allowed: str) -> bool:
    """Whether a program may choose STEADY, by what Linux says; asking for one that is not there would load it."""
    return STEADY in available.split() and STEADY in allowed.split()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
