"""The public key that is found in a certificate is the one that a whole parser finds."""

from __future__ import annotations

import contextlib
import datetime
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from p2psync.errors import CodecError
from p2psync.rendezvous.protocol.pin import CERTIFICATE_BYTES_MAX, pin_of, public_key_of

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@cache
def keys() -> dict[str, Key]:
    return {
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "rsa": rsa.generate_private_key(65537, 2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
    }


@cache
def certificate(kind: str, name: str = "host", names: int = 1) -> bytes:
    key = keys()[kind]
    whose = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(whose)
        .issuer_name(whose)
        .public_key(key.public_key())
        .serial_number(1 << 140)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2050, 1, 1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(f"h{n}.example") for n in range(names)]), False)
    )
    return builder.sign(key, None if kind == "ed25519" else hashes.SHA256()).public_bytes(Encoding.DER)


def by_the_library(der: bytes) -> bytes:
    key = x509.load_der_x509_certificate(der).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa", "ed25519"])
@pytest.mark.parametrize(("name", "names"), [("host", 1), ("a very long name " * 3, 300)])
def test_the_key_is_found(kind: str, name: str, names: int) -> None:
    der = certificate(kind, name, names)
    assert public_key_of(der) == by_the_library(der)


def test_the_same_key_has_the_same_pin_in_every_certificate() -> None:
    assert pin_of(certificate("p256")) == pin_of(certificate("p256", "renewed", 3))
    assert pin_of(certificate("p256")) != pin_of(certificate("p384"))


@given(st.data())
def test_what_is_found_in_a_damaged_one_is_what_the_library_finds(data: st.DataObject) -> None:
    """Were there a certificate in which we see one key and OpenSSL another, a pin would mean nothing."""
    der = bytearray(certificate("p256"))
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        theirs = by_the_library(bytes(der))
    except Exception:
        return
    with contextlib.suppress(CodecError):
        assert public_key_of(bytes(der)) == theirs


@given(st.binary(max_size=400))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(CodecError):
        public_key_of(noise)


@pytest.mark.parametrize("cut", [0, 1, 2, 5, 50, 200])
def test_what_is_cut_off_or_followed_by_more_is_refused(cut: int) -> None:
    der = certificate("p256")
    for wrong in (der[:cut], der[: -1 - cut], der + bytes(cut + 1), bytes(CERTIFICATE_BYTES_MAX + 1)):
        with pytest.raises(CodecError):
            public_key_of(wrong)


@pytest.mark.parametrize("length", [b"\x80", b"\x81\x05", b"\x82\x00\x90", b"\x84\x00\x00\x01\x00", b"\xff"])
def test_a_length_has_one_right_form(length: bytes) -> None:
    with pytest.raises(CodecError):
        public_key_of(b"\x30" + length + bytes(400))
