"""Where a meeting host is, as people write it: wss://HOST[:PORT][#PIN]."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from p2psync.core.value import value
from p2psync.errors import ConfigError
from p2psync.pair import base32

PORT: Final = 443
PIN_BYTES: Final = 32
CHARACTERS_MAX: Final = 300
PORT_MAX: Final = 65_535
_ADDRESS: Final = re.compile(
    r"((wss|https)://)?(\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?))"
    r"(:(?P<port>[0-9]{1,5}))?/?(#(?P<pin>.+))?",
    re.ASCII | re.IGNORECASE,
)


@value
class HostAddress:
    """A meeting host."""

    host: str
    """Name or IP address, in lower case, IPv6 without brackets."""
    port: int = PORT
    pin: bytes | None = None
    """SHA-256 of its public key; None if its certificate speaks for itself."""

    @property
    def url(self) -> str:
        """As a ticket carries it, beside the pin."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"wss://{host}" + (f":{self.port}" if self.port != PORT else "")

    def __str__(self) -> str:
        """As people pass it on, with the pin."""
        return self.url + (f"#{pin_text(self.pin)}" if self.pin is not None else "")


def parse_address(text: str, pin: bytes | None = None) -> HostAddress:
    """`wss://HOST[:PORT][#PIN]`, or the same without `wss://`; `pin` if the text has none. Raises ConfigError."""
    written = text.strip()
    found = _ADDRESS.fullmatch(written) if len(written) <= CHARACTERS_MAX else None
    if found is None or int(found["port"] or PORT) not in range(1, PORT_MAX + 1):
        raise _unfit(text)
    host = found["name"] or _ipv6(found["v6"]) or ""
    if not host:
        raise _unfit(text)
    return HostAddress(host.lower(), int(found["port"] or PORT), _parse_pin(found["pin"]) if found["pin"] else pin)


def pin_text(pin: bytes) -> str:
    """52 characters that can be copied."""
    return base32.encode(pin)


def _ipv6(text: str) -> str | None:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        return None


def _parse_pin(text: str) -> bytes:
    pin = base32.decode(text.upper().replace("-", ""))
    if pin is None or len(pin) != PIN_BYTES:
        raise ConfigError(
            "{text!r} is no key of a meeting host. Copy its address whole, with what follows the #.", text=text
        )
    return pin


def _unfit(text: str) -> ConfigError:
    return ConfigError("{text!r} is no address of a meeting host. Write wss://HOST or wss://HOST:PORT#KEY.", text=text)
