"""Where a meeting host is, as people write it: wss://HOST[:PORT][#PIN]."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from p2psync.errors import ConfigError
from p2psync.pair import base32

PORT: Final = 443
PIN_BYTES: Final = 32
CHARACTERS_MAX: Final = 300
_HOST_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
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
    try:
        parts = urlsplit(written if "://" in written else f"wss://{written}")
        host, port = (parts.hostname or "").lower(), parts.port or PORT
    except ValueError:
        raise _unfit(text) from None
    right = parts.scheme in ("wss", "https") and parts.path in ("", "/") and not parts.query and "@" not in parts.netloc
    if not right or len(written) > CHARACTERS_MAX or not (":" in host or _HOST_NAME.fullmatch(host)):
        raise _unfit(text)
    return HostAddress(host, port, _parse_pin(parts.fragment) if parts.fragment else pin)


def pin_text(pin: bytes) -> str:
    """52 characters that can be copied."""
    return base32.encode(pin)


def _parse_pin(text: str) -> bytes:
    pin = base32.decode(text.upper().replace("-", ""))
    if pin is None or len(pin) != PIN_BYTES:
        raise ConfigError(
            "{text!r} is no key of a meeting host. Copy its address whole, with what follows the #.", text=text
        )
    return pin


def _unfit(text: str) -> ConfigError:
    return ConfigError("{text!r} is no address of a meeting host. Write wss://HOST or wss://HOST:PORT#KEY.", text=text)
