"""A host keeps the key that it made; what is given is used if it can be, and refused with a sentence if not."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from p2psync.errors import ConfigError
from p2psync.rendezvous.certificate import FILE, Certificate, context_of, given, own
from p2psync.rendezvous.protocol.pin import pin_of


def parts(certificate: Certificate) -> tuple[str, str]:
    """Key and certificate, PEM."""
    text = certificate.chain.read_text()
    at = text.index("-----BEGIN CERTIFICATE")
    return text[:at], text[at:]


def test_it_is_made_once(tmp_path: Path) -> None:
    first = own(tmp_path / "home" / "deeper")
    assert own(tmp_path / "home" / "deeper") == first
    assert first.self_signed
    assert own(tmp_path / "elsewhere").pin != first.pin
    assert [p.name for p in (tmp_path / "home" / "deeper").iterdir()] == [FILE]


def test_its_pin_is_that_of_what_it_shows(certificate: Certificate) -> None:
    der = ssl.PEM_cert_to_DER_cert(parts(certificate)[1])
    assert pin_of(der) == certificate.pin
    assert x509.load_der_x509_certificate(der).not_valid_after_utc.year == 9999


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_nobody_else_can_read_the_key(tmp_path: Path) -> None:
    assert own(tmp_path).key.stat().st_mode & 0o077 == 0


def test_what_is_given_may_be_in_one_file_or_two(tmp_path: Path, certificate: Certificate) -> None:
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    key.write_text(parts(certificate)[0])
    chain.write_text(parts(certificate)[1] * 2)
    for one in (given(chain, key), given(certificate.chain, None)):
        assert one.pin == certificate.pin
        assert not one.self_signed
        assert context_of(one).minimum_version is ssl.TLSVersion.TLSv1_3


def test_what_cannot_be_used_is_refused(tmp_path: Path, certificate: Certificate) -> None:
    empty, chain = tmp_path / "empty.pem", tmp_path / "chain.pem"
    empty.touch()
    chain.write_text(parts(certificate)[1])
    other = own(tmp_path / "other")
    for wrong in [(tmp_path / "none.pem", None), (empty, None), (chain, empty), (chain, None), (chain, other.key)]:
        with pytest.raises(ConfigError, match="cannot be used"):
            given(*wrong)


def test_a_key_with_a_passphrase_is_refused_without_asking(tmp_path: Path, certificate: Certificate) -> None:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    key = load_pem_private_key(parts(certificate)[0].encode(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(ConfigError, match="cannot be used"):
        given(certificate.chain, locked)


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        own(tmp_path / "file")


def test_a_damaged_one_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("nonsense")
    with pytest.raises(ConfigError):
        own(tmp_path)
    assert (tmp_path / FILE).read_text() == "nonsense"
