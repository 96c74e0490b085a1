"""The way out of an office that lets only a proxy out: SOCKS5, or HTTP with its method CONNECT.

What a person named counts, else what the environment or the system says, as for other programs. What lies in the local
network is never reached through a proxy. Which one leads somewhere is looked up each time: a laptop is carried about.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import sys
from collections.abc import Iterator
from dataclasses import field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from p2psync.core.address import host_and_port
from p2psync.core.value import value
from p2psync.errors import LinkError
from p2psync.i18n import _
from p2psync.system.reason import reason_of

OFF: Final = "off"
"""Instead of a proxy: none, whatever the environment says."""
SYSTEM: Final = "system"
"""The one that the environment or the system names, if any."""
PROXY_S: Final = 8.0
"""How long one may take to get through; a little less than a call does."""
PORTS: Final = {"http": 8080, "socks5": 1080, "socks4": 1080}
"""By kind: the port where an address names none."""
ALIASES: Final = {"socks5h": "socks5", "socks": "socks5", "socks4a": "socks4"}
"""Names are always looked up by the proxy: behind one there may be nobody else who can."""
LOOK_NAMES_UP: Final = frozenset({"win32", "darwin"})
"""Where to ask for the system's proxy may take as long as the network takes to look up a name."""
LOCAL_ENDINGS: Final = (".local", ".localhost", ".lan", ".home.arpa", ".internal")
WANTS_LOGIN: Final = frozenset({401, 407})
FORBIDS: Final = frozenset({403, 405, 2})
"""Answers by HTTP, and by SOCKS."""


@value
class Proxy:
    """One proxy; `str` gives its address without user and password."""

    kind: str
    """One of PORTS."""
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.kind}://{host_and_port(self.host, self.port)}"

    @classmethod
    def parse(cls, text: str) -> Proxy:
        """`KIND://USER:PASSWORD@HOST:PORT`, of which HOST is needed. Raises LinkError."""
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
            kind = ALIASES.get(parts.scheme, parts.scheme)
            usual = PORTS[kind]
            proxy = cls(kind, parts.hostname or "", parts.port or usual, *_login(parts))
        except (ValueError, KeyError):
            proxy = None
        if proxy is None or not proxy.host or any(c.isspace() for c in proxy.host):
            raise LinkError(
                _(
                    "{address} is no address of a proxy. Write http://HOST:PORT or socks5://HOST:PORT, with "
                    "USER:PASSWORD@ before HOST if the proxy asks for them."
                ).format(address=repr(text.rpartition("@")[2]))
            )
        return proxy

    async def connect(self, host: str, port: int) -> socket.socket:
        """A connection through it. Raises LinkError, which says whose fault it is."""
        from python_socks import ProxyType
        from python_socks.async_.asyncio import Proxy as Caller

        with self.explained(host, port):
            caller = Caller(ProxyType[self.kind.upper()], self.host, self.port, self.user, self.password, rdns=True)
            return await caller.connect(host, port, timeout=PROXY_S)

    @contextlib.contextmanager
    def explained(self, host: str, port: int) -> Iterator[None]:
        """What python_socks raises inside becomes a LinkError, in a sentence with the remedy."""
        from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

        ours = (ProxyConnectionError, ProxyError, ProxyTimeoutError)
        try:
            yield
        except Exception as error:
            fault = error if isinstance(error, ours) else error.__cause__
            if isinstance(fault, ProxyConnectionError):
                raise self._unreachable(fault) from error
            if isinstance(fault, ProxyTimeoutError):
                raise self._not_through(host, port, _("it took too long")) from error
            if isinstance(fault, ProxyError):
                raise self._refused(host, port, fault.error_code, str(fault)) from error
            if isinstance(error, UnicodeError):
                raise self._wants_login() from error
            raise

    def _unreachable(self, error: OSError) -> LinkError:
        cause = error.__cause__
        if isinstance(cause, socket.gaierror):
            reason = _("there is no host of this name, or names cannot be looked up now")
        else:
            reason = reason_of(error)
        return LinkError(
            _(
                "The proxy {proxy} cannot be reached: {reason}. Check that it is on and that this is its address; "
                "p2psync restart --proxy URL names another one, --proxy off none."
            ).format(proxy=self, reason=reason)
        )

    def _refused(self, host: str, port: int, code: int | None, said: str) -> LinkError:
        if code in WANTS_LOGIN or (code is None and "authentication" in said.lower()):
            return self._wants_login()
        if code in FORBIDS:
            return LinkError(
                _(
                    "The proxy {proxy} lets nobody connect to {host}, port {port}. Ask who runs it to allow this; "
                    "port 443 is allowed by most."
                ).format(proxy=self, host=host, port=port)
            )
        if code is not None:
            return self._not_through(host, port, said)
        return LinkError(
            _(
                "What answers at {proxy} is no such proxy ({reason}). Check the address, and whether it begins with "
                "http:// or socks5://."
            ).format(proxy=self, reason=said)
        )

    def _not_through(self, host: str, port: int, reason: str) -> LinkError:
        return LinkError(
            _("The proxy {proxy} does not get through to {host}, port {port}: {reason}. It is tried again.").format(
                proxy=self, host=host, port=port, reason=reason
            )
        )

    def _wants_login(self) -> LinkError:
        return LinkError(
            _(
                "The proxy {proxy} wants another user name and password. Write them into its address: "
                "{kind}://USER:PASSWORD@HOST:PORT"
            ).format(proxy=self, kind=self.kind)
        )


@value
class Proxies:
    """Which proxy leads where."""

    named: str = field(default=SYSTEM, repr=False)
    """A proxy's address, OFF or SYSTEM."""

    async def leading_to(self, host: str) -> Proxy | None:
        """The proxy by which a host is to be reached; None: directly. Raises LinkError if its address is none."""
        if self.named == OFF or is_local(host):
            return None
        if self.named != SYSTEM:
            text = self.named
        elif sys.platform in LOOK_NAMES_UP:
            text = await asyncio.to_thread(_of_system, host)
        else:
            text = _of_system(host)
        return Proxy.parse(text) if text else None


NO_PROXIES: Final = Proxies(OFF)


def is_local(host: str) -> bool:
    """Whether a host is in the local network as far as its name or address tells."""
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_global
    except ValueError:
        name = host.casefold().rstrip(".")
        return "." not in name or name.endswith(LOCAL_ENDINGS)


def _login(parts: SplitResult) -> tuple[str, str]:
    """Raises ValueError for a user that no proxy can be told."""
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if ":" in user:
        raise ValueError("a colon ends the user's name")
    return user, password


def _of_system(host: str) -> str:
    """As other programs read it: the environment, else what Windows and macOS are set to."""
    from urllib.request import getproxies, proxy_bypass

    known = getproxies()
    text = known.get("https") or known.get("all") or ""
    return "" if not text or proxy_bypass(host) else text
