"""A device has one key for ever, shows it by one certificate, and a damaged key is never replaced by a new one."""

from __future__ import annotations

import ssl
import stat
import sys
from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.ids import DeviceId
from p2psync.errors import ConfigError, InvalidId
from p2psync.net.identity import IDENTITY_FILE, Identity, device_of_certificate

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")


def test_the_first_start_makes_a_key_and_the_next_finds_it(tmp_path: Path) -> None:
    home = tmp_path / "a" / "home"
    first = Identity.load_or_create(home)
    second = Identity.load_or_create(home)
    assert (first.device, first.certificate) == (second.device, second.certificate)
    assert [file.name for file in home.iterdir()] == [IDENTITY_FILE]


def test_two_homes_are_two_devices(tmp_path: Path) -> None:
    assert Identity.load_or_create(tmp_path / "a").device != Identity.load_or_create(tmp_path / "b").device


@on_posix
def test_only_its_user_may_read_the_key(tmp_path: Path) -> None:
    Identity.load_or_create(tmp_path)
    file = tmp_path / IDENTITY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    Identity.load_or_create(tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_its_signature_verifies_by_the_device_id(tmp_path: Path) -> None:
    identity = Identity.load_or_create(tmp_path)
    Ed25519PublicKey.from_public_bytes(identity.device).verify(identity.sign(b"data"), b"data")


@pytest.mark.parametrize("cut", [0, 1, 60, 200, 400])
def test_a_damaged_file_is_told_and_kept(tmp_path: Path, cut: int) -> None:
    Identity.load_or_create(tmp_path)
    file = tmp_path / IDENTITY_FILE
    damaged = file.read_bytes()[:cut]
    file.write_bytes(damaged)
    with pytest.raises(ConfigError, match=r"damaged.*invited again"):
        Identity.load_or_create(tmp_path)
    assert file.read_bytes() == damaged


def test_a_key_with_another_devices_certificate_is_damaged(tmp_path: Path) -> None:
    Identity.load_or_create(tmp_path / "a")
    Identity.load_or_create(tmp_path / "b")
    mark = b"-----BEGIN CERTIFICATE-----"
    key = (tmp_path / "a" / IDENTITY_FILE).read_bytes().partition(mark)[0]
    certificate = (tmp_path / "b" / IDENTITY_FILE).read_bytes().partition(mark)[2]
    (tmp_path / "a" / IDENTITY_FILE).write_bytes(key + mark + certificate)
    with pytest.raises(ConfigError, match="damaged"):
        Identity.load_or_create(tmp_path / "a")


def test_a_key_of_another_kind_is_damaged(tmp_path: Path) -> None:
    certificate = Identity.load_or_create(tmp_path).certificate
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / IDENTITY_FILE).write_bytes(pem + ssl.DER_cert_to_PEM_cert(certificate).encode())
    with pytest.raises(ConfigError, match="damaged"):
        Identity.load_or_create(tmp_path)


def test_the_key_stands_in_its_file_as_a_library_would_write_it(tmp_path: Path) -> None:
    identity = Identity.of_key(b"k" * 32, tmp_path)
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert (tmp_path / IDENTITY_FILE).read_bytes().startswith(pem)
    assert Identity.load_or_create(tmp_path).device == identity.device


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a directory")
    with pytest.raises(ConfigError, match="cannot be read or written"):
        Identity.load_or_create(tmp_path / "home")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        Identity.load_or_create(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_openssl_takes_key_and_certificate(tmp_path: Path) -> None:
    identity = Identity.load_or_create(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity.load_into(context)
    context.load_verify_locations(cadata=identity.certificate)
    (tmp_path / IDENTITY_FILE).unlink()
    with pytest.raises(ConfigError, match="damaged"):
        identity.load_into(context)


def test_the_certificate_is_what_a_library_would_make(tmp_path: Path) -> None:
    """Its bytes are put together here by hand; `cryptography` must call each field by its name."""
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, key.public_key().public_bytes_raw().hex())])
    expected = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(1)
        .not_valid_before(datetime(1970, 1, 1))
        .not_valid_after(datetime(9999, 12, 31, 23, 59, 59))
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, *[False] * 8), critical=True)
        .sign(key, None)
    )
    assert Identity(key, tmp_path).certificate == expected.public_bytes(Encoding.DER)


KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
CERTIFICATE = Identity(KEY, Path()).certificate


def test_a_certificate_tells_its_device() -> None:
    assert device_of_certificate(CERTIFICATE) == DeviceId(KEY.public_key().public_bytes_raw())


@given(st.integers(0, len(CERTIFICATE) - 1), st.integers(1, 255))
def test_a_certificate_with_any_byte_changed_is_none(position: int, change: int) -> None:
    forged = bytearray(CERTIFICATE)
    forged[position] ^= change
    with pytest.raises(InvalidId):
        device_of_certificate(bytes(forged))


@given(st.binary(max_size=500) | st.integers(0, len(CERTIFICATE) - 1).map(lambda size: CERTIFICATE[:size]))
def test_other_bytes_are_no_certificate(data: bytes) -> None:
    with pytest.raises(InvalidId):
        device_of_certificate(data)
