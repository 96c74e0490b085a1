"""A host is known by its key, or by an authority that the system trusts; otherwise nothing is said to it."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from p2psync.rendezvous.certificate import Certificate, given
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.server import Server
from p2psync.rendezvous.trust import WrongKey, check_key, context_for
from tests.rendezvous.hosting import LOOPBACK, Daemon, address_of, hosting, met, running
from tests.rendezvous.people import ALICE, BOB


async def shake(server: Server, address: HostAddress) -> None:
    """A handshake with the host, checked as this address wants it."""
    _, writer = await asyncio.open_connection(
        LOOPBACK, server.port, ssl=context_for(address), server_hostname=address.host
    )
    try:
        check_key(address, writer.transport)
    finally:
        writer.transport.abort()


@pytest.mark.asyncio
async def test_the_pinned_key(certificate: Certificate) -> None:
    async with hosting(certificate) as server:
        await shake(server, address_of(server))
        with pytest.raises(WrongKey):
            await shake(server, HostAddress(LOOPBACK, server.port, bytes(32)))
        with pytest.raises(ssl.SSLCertVerificationError):
            await shake(server, HostAddress(LOOPBACK, server.port))


@pytest.mark.asyncio
async def test_a_connection_without_tls_has_no_key() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), LOOPBACK, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(LOOPBACK, port)
        with pytest.raises(WrongKey):
            check_key(HostAddress(LOOPBACK, port, bytes(32)), writer.transport)
        writer.transport.abort()


@pytest.mark.asyncio
async def test_an_authority_that_the_system_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a daemon, which lets OpenSSL read no authorities of itself."""
    authority, chain = issued(tmp_path)
    defaults = ssl.get_default_verify_paths()._replace(openssl_cafile=str(authority), openssl_capath="")
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: defaults)
    async with hosting(given(chain, None)) as server:
        await shake(server, HostAddress(LOOPBACK, server.port))
        with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)hostname|doesn't match|mismatch"):
            await shake(server, HostAddress("meet.example.com", server.port))


def issued(directory: Path) -> tuple[Path, Path]:
    """An authority's certificate, and a host's with its key, PEM."""
    keys = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("authority", "host")]
    built = [
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(names[0])
        .public_key(key.public_key())
        .serial_number(number + 1)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2090, 1, 1))
        .add_extension(x509.BasicConstraints(ca=number == 0, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))]), critical=False)
        .sign(keys[0], hashes.SHA256())
        .public_bytes(Encoding.PEM)
        for number, (name, key) in enumerate(zip(names, keys, strict=True))
    ]
    authority, chain = directory / "authority.pem", directory / "chain.pem"
    authority.write_bytes(built[0])
    chain.write_bytes(built[1] + keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return authority, chain


@pytest.mark.asyncio
async def test_members_meet_at_a_host_that_an_authority_vouches_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, chain = issued(tmp_path)
    defaults = ssl.get_default_verify_paths()._replace(openssl_cafile=str(authority), openssl_capath="")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: defaults)
    async with hosting(given(chain, None)) as server:
        address = HostAddress(LOOPBACK, server.port)
        alice, bob = Daemon(ALICE, address), Daemon(BOB, address)
        async with running(alice, bob):
            await met(alice, bob)
