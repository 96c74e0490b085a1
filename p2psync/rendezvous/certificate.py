"""The host's certificate: one that is given, or one made at the first start, whose key members pin."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path
from typing import Final

from p2psync.core.value import value
from p2psync.errors import CodecError, ConfigError
from p2psync.i18n import _
from p2psync.rendezvous.protocol.pin import pin_of
from p2psync.system.private import write_private

FILE: Final = "rendezvous.pem"
FILE_BYTES_MAX: Final = 256 * 1024
COMMON_NAME: Final = "p2psync rendezvous"


@value
class Certificate:
    """What the host shows, and proves to be."""

    chain: Path
    """PEM."""
    key: Path
    pin: bytes
    """SHA-256 of its public key."""
    self_signed: bool
    """Made here: worth something only to those who were told the pin."""


def given(chain: Path, key: Path | None) -> Certificate:
    """A certificate of the operator's; the key may stand in the same file. Raises ConfigError."""
    return _checked(Certificate(chain, key or chain, _pin(chain), False))


def own(directory: Path) -> Certificate:
    """The one that was made here, now if there is none yet. Raises ConfigError."""
    path = directory / FILE
    try:
        if not path.exists():
            directory.mkdir(parents=True, exist_ok=True)
            write_private(path, _made())
    except OSError as error:
        raise ConfigError(
            _("The key of the meeting host cannot be written: {path}: {reason}").format(
                path=path, reason=error.strerror or error
            )
        ) from error
    return _checked(Certificate(path, path, _pin(path), True))


def context_of(certificate: Certificate) -> ssl.SSLContext:
    """What the host speaks: TLS 1.3 and nothing older. Raises ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    try:
        context.load_cert_chain(certificate.chain, certificate.key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise _unreadable(certificate.key, getattr(error, "reason", None) or error) from error
    return context


def _checked(certificate: Certificate) -> Certificate:
    context_of(certificate)
    return certificate


def _pin(chain: Path) -> bytes:
    """Of the first certificate in a PEM file."""
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    try:
        with chain.open("rb") as file:
            text = file.read(FILE_BYTES_MAX)
        first = text[text.index(begin) : text.index(end) + len(end)].decode("ascii")
        return pin_of(ssl.PEM_cert_to_DER_cert(first))
    except OSError as error:
        raise _unreadable(chain, error.strerror or error) from error
    except (ValueError, CodecError) as error:
        raise _unreadable(chain, _("there is no certificate in it")) from error


def _unreadable(path: Path, reason: object) -> ConfigError:
    return ConfigError(
        _("The certificate or its key cannot be used: {path}: {reason}").format(path=path, reason=reason)
    )


def _made() -> bytes:
    """A new key and its certificate, PEM. P-256, since programs that watch hosts do not know Ed25519."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(1970, 1, 1))
        .not_valid_after(datetime.datetime(9999, 12, 31))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem + certificate.public_bytes(Encoding.PEM)
