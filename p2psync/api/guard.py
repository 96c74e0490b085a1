"""Who may call: whoever holds the token of `daemon.json`, or the page in a browser that was let in by a one-time path.

A page of another site in the same browser is the enemy here. It can make the browser send requests to this address,
also under a name of its own that it lets point to 127.0.0.1; so the Host has to be an address, the Origin ours, and
the cookie goes nowhere else.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum
from secrets import token_urlsafe

TOKEN_BYTES = 32
LOGINS_MAX = 32
"""One-time paths that were handed out and not used yet; the oldest is forgotten."""
SESSIONS_MAX = 64
"""Browsers let in; the oldest has to come again."""
LOCAL_NAME = "localhost"
HTTP_PORT = "80"


class Caller(Enum):
    """What a request proves."""

    PROGRAM = "program"
    """It holds the token."""
    PAGE = "page"
    """It holds a cookie, and comes from our own page."""
    NOBODY = "nobody"
    STRANGER = "stranger"
    """It was sent by another site, or to another name: nothing is said to it."""


class Guard:
    """Tokens, cookies and one-time paths of one run of the daemon; nothing of it is stored."""

    def __init__(self, listens_on: str) -> None:
        """`listens_on` is the host that a person chose; its name is a right Host too."""
        self.token = token_urlsafe(TOKEN_BYTES)
        self.port = 0
        """Known once the port is bound."""
        self._name = listens_on.lower()
        self._loopback_only = is_loopback(listens_on)
        self._logins: OrderedDict[str, str | None] = OrderedDict()
        """With the ticket that the page is to ask its user about, if it is opened for one."""
        self._sessions: OrderedDict[str, str | None] = OrderedDict()
        """The same, as long as the page has not asked for it."""

    @property
    def cookie(self) -> str:
        """Cookies know hosts but no ports: two daemons of one PC need two names."""
        return f"p2psync-{self.port}"

    def new_login(self, ticket: str | None = None) -> str:
        """The last part of a path that works once; `ticket` waits for the browser that comes by it."""
        return self._new(self._logins, LOGINS_MAX, ticket)

    def log_in(self, once: str) -> str | None:
        """A cookie's value for a one-time path, None if it was used or is none."""
        if once not in self._logins:
            return None
        return self._new(self._sessions, SESSIONS_MAX, self._logins.pop(once))

    def has_ticket(self, session: str) -> bool:
        """Whether one waits for the page in this browser; `session` is its cookie's value."""
        return self._sessions.get(session) is not None

    def take_ticket(self, session: str) -> str | None:
        """That ticket, once."""
        ticket = self._sessions.get(session)
        if ticket is not None:
            self._sessions[session] = None
        return ticket

    def caller(self, headers: Mapping[str, str], cookies: Mapping[str, str], changes: bool) -> Caller:
        """Judge a request; `changes` is whether it would change anything."""
        origin = headers.get("Origin")
        if not self._is_ours(headers.get("Host", "")) or (origin is not None and not self._is_our_page(origin)):
            return Caller.STRANGER
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(token.strip()):
            return Caller.PROGRAM
        if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return Caller.STRANGER
        if cookies.get(self.cookie, "") not in self._sessions:
            return Caller.NOBODY
        return Caller.STRANGER if changes and origin is None else Caller.PAGE

    def is_right_host(self, host: str) -> bool:
        """Whether a request was sent to this daemon under a name that nobody else can give out."""
        return self._is_ours(host)

    def _is_token(self, given: str) -> bool:
        """In constant time; a header may hold bytes that are no text."""
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self.token.encode())

    def _is_our_page(self, origin: str) -> bool:
        scheme, found, host = origin.partition("://")
        return bool(found) and scheme == "http" and self._is_ours(host)

    def _is_ours(self, host: str) -> bool:
        name, port = _split(host.lower())
        if port != str(self.port):
            return False
        if name == self._name or name == LOCAL_NAME:
            return True
        try:
            address = ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return address.is_loopback or not self._loopback_only

    @staticmethod
    def _new(values: OrderedDict[str, str | None], limit: int, ticket: str | None) -> str:
        value = token_urlsafe(TOKEN_BYTES)
        values[value] = ticket
        while len(values) > limit:
            values.popitem(last=False)
        return value


def _split(host: str) -> tuple[str, str]:
    """Name and port of a Host; browsers leave out the port that HTTP has anyway."""
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and not host.endswith("]") else (host, HTTP_PORT)


def is_loopback(host: str) -> bool:
    """Whether only programs of this PC reach what listens there."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == LOCAL_NAME
