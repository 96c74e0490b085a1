"""TCP sockets that share a local port: one listens there while others connect from it, as punching holes needs."""

from __future__ import annotations

import socket
import sys


def shared_port_options(platform: str) -> tuple[str, ...]:
    """Names of the options that each socket on a shared port needs before it is bound; `platform` as in `sys`.

    Windows knows no SO_REUSEPORT; its SO_REUSEADDR lets a port be shared, even with one that listens. Elsewhere the
    first alone does not: not with a socket that listens (Linux), not with one that has the same address (macOS).
    """
    return ("SO_REUSEADDR",) if platform == "win32" else ("SO_REUSEADDR", "SO_REUSEPORT")


def shared_socket(family: int, port: int) -> socket.socket:
    """Bound to the port on all addresses of this machine, 0 for a free one; does not block. Raises OSError."""
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        for name in shared_port_options(sys.platform):
            made.setsockopt(socket.SOL_SOCKET, getattr(socket, name), 1)
        made.setblocking(False)
        made.bind(("", port))
    except OSError:
        made.close()
        raise
    return made
