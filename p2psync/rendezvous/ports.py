"""The host's sockets: TCP and UDP, IPv4 and IPv6, all on one port number."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
from collections.abc import Iterator
from typing import Final

from p2psync.core.value import value
from p2psync.errors import ConfigError
from p2psync.i18n import _
from p2psync.rendezvous.protocol.address import PORT, PORT_MAX
from p2psync.system.reason import reason_of

ANYWHERE_V4, ANYWHERE_V6 = "0.0.0.0", "::"
BACKLOG: Final = 1024
TRIES: Final = 20
"""To find a port number that is free for all of them."""
_LISTEN: Final = re.compile(
    r"(?P<only>[0-9]{1,5})|(\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:\[\]]*))(:(?P<port>[0-9]{1,5}))?", re.ASCII
)
_NO_IPV6: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


@value
class Ports:
    """Bound; those for streams listen."""

    number: int
    streams: tuple[socket.socket, ...]
    datagrams: tuple[socket.socket, ...]


def parse_listen(text: str) -> tuple[str | None, int]:
    """(host, port) of `HOST:PORT`, `HOST`, `:PORT` or `PORT`, IPv6 in brackets. Raises ConfigError."""
    found = _LISTEN.fullmatch(text.strip())
    port = int((found["port"] or found["only"] or PORT) if found else -1)
    if found is None or port > PORT_MAX:
        raise ConfigError(_("{text!r} is no address to listen on. Write HOST:PORT, or [IPV6]:PORT.").format(text=text))
    return found["v6"] or found["host"] or None, port


def open_ports(host: str | None, port: int, stack: contextlib.ExitStack) -> Ports:
    """On all addresses, or on those of `host`; port 0 takes a free one. `stack` closes them. Raises ConfigError."""
    for tries_left in reversed(range(TRIES)):
        try:
            with contextlib.ExitStack() as unless_bound:
                ports = _bind(host, port, unless_bound)
                stack.push(unless_bound.pop_all())
                return ports
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE or not tries_left:
                raise _cannot_listen(host, port, error) from error
    raise AssertionError("the last try returns or raises")


def _bind(host: str | None, port: int, stack: contextlib.ExitStack) -> Ports:
    streams, datagrams = [], []
    for family, address in _addresses(host):
        try:
            stream = stack.enter_context(_socket(family, socket.SOCK_STREAM, address, port))
        except OSError as error:
            if host is None and family == socket.AF_INET6 and error.errno in _NO_IPV6:
                continue
            raise
        port = stream.getsockname()[1]
        datagrams.append(stack.enter_context(_socket(family, socket.SOCK_DGRAM, address, port)))
        stream.listen(BACKLOG)
        streams.append(stream)
    return Ports(port, tuple(streams), tuple(datagrams))


def _addresses(host: str | None) -> Iterator[tuple[int, str]]:
    """(family, address) to listen on; at least one."""
    if host is None:
        yield socket.AF_INET, ANYWHERE_V4
        if socket.has_ipv6:
            yield socket.AF_INET6, ANYWHERE_V6
        return
    infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    yield from dict.fromkeys((info[0], str(info[4][0])) for info in infos)


def _socket(family: int, kind: int, host: str, port: int) -> socket.socket:
    with contextlib.ExitStack() as unless_bound:
        sock = unless_bound.enter_context(socket.socket(family, kind))
        sock.setblocking(False)
        if os.name == "posix" and kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        unless_bound.pop_all()
    return sock


def _cannot_listen(host: str | None, port: int, error: OSError) -> ConfigError:
    reason = reason_of(error)
    if error.errno == errno.EACCES:
        reason = _("ports below 1024 need a right that this user does not have; choose another with --listen HOST:PORT")
    where = host or "*"
    return ConfigError(_("Cannot listen on {host}:{port}: {reason}").format(host=where, port=port, reason=reason))
