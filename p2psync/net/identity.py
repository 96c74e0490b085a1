"""This device's key: made once, kept in the home directory, shown to members as a certificate.

The certificate is rebuilt from the key whenever it is needed: every field but the key and its signature is fixed.
So a certificate from outside is compared with the one form there is, instead of being taken apart; a key in its file
has one form, too. That keeps `cryptography.x509` and its serialization with their memory out of the daemon.
"""

from __future__ import annotations

import base64
import os
import ssl
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from p2psync.core.ids import DEVICE_ID_BYTES, DeviceId
from p2psync.errors import ConfigError, InvalidId
from p2psync.i18n import _
from p2psync.system.private import write_private

IDENTITY_FILE: Final = "identity.pem"
IDENTITY_BYTES_MAX: Final = 16 * 1024
SIGNATURE_BYTES: Final = 64


class Identity:
    """An Ed25519 key, the certificate that shows it, and the file that holds both."""

    __slots__ = ("_key", "_path", "certificate", "device")

    def __init__(self, key: Ed25519PrivateKey, path: Path) -> None:
        """`path` is the PEM file with this key and its certificate."""
        self._key = key
        self._path = path
        self.device: Final = DeviceId(key.public_key().public_bytes_raw())
        self.certificate: Final = _certificate(key, self.device)
        """DER; the same bytes whenever it is built from this key."""

    @classmethod
    def load_or_create(cls, home: Path) -> Identity:
        """The identity of `home`; at the first start it is made, readable by this user alone.

        Raises ConfigError if it cannot be read or written, or is damaged; a damaged one is never replaced.
        """
        path = home / IDENTITY_FILE
        try:
            home.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                return cls._create(path)
            if os.name == "posix" and path.stat().st_mode & 0o077:
                path.chmod(0o600)
            with path.open("rb") as file:
                text = file.read(IDENTITY_BYTES_MAX)
        except OSError as error:
            raise ConfigError(
                _("The key of this device cannot be read or written: {path}: {reason}").format(
                    path=path, reason=error.strerror or error
                )
            ) from error
        return cls._parse(text, path)

    @classmethod
    def of_key(cls, raw: bytes, directory: Path) -> Identity:
        """An identity whose key is kept elsewhere; its file lies in `directory` for as long as it is used.

        Raises ConfigError if the key is none or the file cannot be written.
        """
        try:
            key = Ed25519PrivateKey.from_private_bytes(raw)
        except ValueError as error:
            raise ConfigError(_("This is no private key")) from error
        return cls._create(directory / IDENTITY_FILE, key)

    @classmethod
    def unkept(cls) -> Identity:
        """A key that lies in no file, for what is forgotten with the process; no TLS context can show it."""
        return cls(Ed25519PrivateKey.generate(), Path(IDENTITY_FILE))

    @property
    def home(self) -> Path:
        """Where its file lies: a place that this user alone can read."""
        return self._path.parent

    def sign(self, data: bytes) -> bytes:
        """64 bytes; the same for the same data."""
        return self._key.sign(data)

    def load_into(self, context: ssl.SSLContext) -> None:
        """Let `context` prove that it is this device. Raises ConfigError if the key's file is gone or damaged."""
        try:
            context.load_cert_chain(self._path)
        except OSError as error:
            raise _damaged(self._path) from error

    @classmethod
    def _create(cls, path: Path, key_made: Ed25519PrivateKey | None = None) -> Identity:
        identity = cls(key_made or Ed25519PrivateKey.generate(), path)
        write_private(path, _key_text(identity._key) + ssl.DER_cert_to_PEM_cert(identity.certificate).encode())
        return identity

    @classmethod
    def _parse(cls, text: bytes, path: Path) -> Identity:
        try:
            key = _key_in(text)
            pem = text[text.index(b"-----BEGIN CERTIFICATE-----") :].decode("ascii")
            certificate = ssl.PEM_cert_to_DER_cert(pem.strip())
        except ValueError as error:
            raise _damaged(path) from error
        identity = cls(key, path)
        if identity.certificate != certificate:
            raise _damaged(path)
        return identity


def fresh_key() -> tuple[bytes, DeviceId, bytes]:
    """A new private key of 32 bytes, the device that it makes, and its certificate; kept nowhere."""
    key = Ed25519PrivateKey.generate()
    device = DeviceId(key.public_key().public_bytes_raw())
    return key.private_bytes_raw(), device, _certificate(key, device)


def device_of_certificate(der: bytes) -> DeviceId:
    """The device that a certificate belongs to.

    Raises InvalidId unless it is exactly what an `Identity` makes of an Ed25519 key, rightly signed.
    """
    if len(der) != _LENGTH:
        raise InvalidId("not the certificate of a device")
    device = DeviceId(bytes(der[_KEY_AT : _KEY_AT + DEVICE_ID_BYTES]))
    signature = bytes(der[-SIGNATURE_BYTES:])
    if der != _assemble(device, signature):
        raise InvalidId("not the certificate of a device")
    try:
        Ed25519PublicKey.from_public_bytes(device).verify(signature, _to_be_signed(device))
    except (InvalidSignature, ValueError):
        raise InvalidId("the certificate of a device is not signed by its key") from None
    return device


# RFC 8410 in DER: what comes before the 32 bytes of an Ed25519 key.
_KEY_FORM = bytes.fromhex("302e020100300506032b657004220420")
_KEY_BEGIN, _KEY_END = b"-----BEGIN PRIVATE KEY-----\n", b"\n-----END PRIVATE KEY-----\n"


def _key_text(key: Ed25519PrivateKey) -> bytes:
    return _KEY_BEGIN + base64.b64encode(_KEY_FORM + key.private_bytes_raw()) + _KEY_END


def _key_in(text: bytes) -> Ed25519PrivateKey:
    """Raises ValueError if there is none."""
    der = base64.b64decode(text.partition(_KEY_BEGIN)[2].partition(_KEY_END)[0], validate=True)
    if not der.startswith(_KEY_FORM):
        raise ValueError("no Ed25519 key")
    return Ed25519PrivateKey.from_private_bytes(der.removeprefix(_KEY_FORM))


def _certificate(key: Ed25519PrivateKey, device: DeviceId) -> bytes:
    return _assemble(device, key.sign(_to_be_signed(device)))


# RFC 5280 in DER. Version 3, serial number 1, valid from 1970 to 9999 because a PC's clock may be years off. The
# common name is the key in hexadecimal: OpenSSL looks trust roots up by name. No authority over other certificates
# (basicConstraints CA:FALSE, keyUsage digitalSignature), both critical.
_ED25519 = bytes.fromhex("300506032b6570")
_HEAD = bytes.fromhex("a003020102020101") + _ED25519
_NAME_HEAD = bytes.fromhex("304b3149304706035504030c40")
_VALIDITY = b"\x30\x20\x17\x0d700101000000Z\x18\x0f99991231235959Z"
_KEY_HEAD = bytes.fromhex("302a300506032b6570032100")
_EXTENSIONS = bytes.fromhex("a320301e300c0603551d130101ff04023000300e0603551d0f0101ff040403020780")


def _to_be_signed(device: DeviceId) -> bytes:
    name = _NAME_HEAD + device.hex().encode()
    return _sequence(_HEAD + name + _VALIDITY + name + _KEY_HEAD + device + _EXTENSIONS)


def _assemble(device: DeviceId, signature: bytes) -> bytes:
    return _sequence(_to_be_signed(device) + _ED25519 + b"\x03\x41\x00" + signature)


def _sequence(body: bytes) -> bytes:
    return b"\x30\x82" + len(body).to_bytes(2, "big") + body


_PROBE = _assemble(DeviceId(b"\xff" * DEVICE_ID_BYTES), bytes(SIGNATURE_BYTES))
_LENGTH = len(_PROBE)
_KEY_AT = _PROBE.index(b"\xff" * DEVICE_ID_BYTES)


def _damaged(path: Path) -> ConfigError:
    return ConfigError(
        _(
            "The key of this device is damaged: {path}. Restore the file from a backup; or move it away, and this PC "
            "gets a new key and must be invited again."
        ).format(path=path)
    )
