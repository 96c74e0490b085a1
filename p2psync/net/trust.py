"""Who may connect: tags that only members can make, and for each mandate a TLS context that trusts exactly its members.

TLS 1.3 shows a server's certificate to whoever asks. So a dialler first shows, as the server name, a *tag* made of a
secret that both sides know; a stranger's hello is answered by an alert and nothing else. A tag proves nothing more:
who is there, both sides prove by their keys.
"""

from __future__ import annotations

import hmac
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final

from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.value import value
from p2psync.errors import ConfigError, InvalidId
from p2psync.i18n import _
from p2psync.net.identity import Identity, device_of_certificate

TAG_BYTES: Final = 16
ANNOUNCED_TAG_BYTES: Final = 8
NONCE_BYTES: Final = 16
PERIOD_S: Final = 86_400
"""How long the tag for a plain address stays the same. The period before and the one after are accepted too: clocks
differ, most often by a wrong time zone. Somebody who saw such a tag go by can repeat it for that long, and gets to
see a certificate; nothing else."""

_ANNOUNCED = b"p2psync announced tag\0"
_NONCE = b"p2psync dial by nonce\0"
_PERIOD = b"p2psync dial by period\0"


@value
class Trust:
    """What a mandate's members know of each other."""

    secrets: tuple[bytes, ...]
    """Discovery secrets, newest first; older ones while some member may not have the newest yet."""
    members: Mapping[DeviceId, bytes]
    """Certificate of each member, DER. One that does not belong to its device lets nobody in."""
    former: Mapping[DeviceId, bytes] = field(default_factory=dict)
    """The same of devices that were removed and do not know it yet: let in to be told, and for nothing else."""
    outdated: tuple[bytes, ...] = ()
    """Secrets by which only those are found; they open no door here."""


@value
class Admission:
    """What a tag opens."""

    key: bytes
    """The mandate's id, or the id of the invitation."""
    pairing: bool
    context: ssl.SSLContext
    members: Mapping[bytes, DeviceId]
    """Which device each trusted certificate belongs to; empty for pairing."""


_Mandates = Mapping[MandateId, tuple[Trust, Admission]]
_Pairing = Mapping[bytes, tuple[bytes, Admission]]
"""By id of the invitation: secret of the ticket, and what it opens."""


def announced_tag(secret: bytes, nonce: bytes) -> bytes:
    """8 bytes by which holders of `secret` recognise the announcer of `nonce`."""
    return hmac.digest(secret, _ANNOUNCED + nonce, "sha256")[:ANNOUNCED_TAG_BYTES]


def nonce_tag(secret: bytes, nonce: bytes) -> bytes:
    """The tag that opens the device which announces `nonce`."""
    return hmac.digest(secret, _NONCE + nonce, "sha256")[:TAG_BYTES]


def period_tag(secret: bytes, wall_time_s: float) -> bytes:
    """The tag that opens any holder of `secret`, at about this time."""
    return hmac.digest(secret, _PERIOD + _period(wall_time_s).to_bytes(8, "big", signed=True), "sha256")[:TAG_BYTES]


def tag_of(secret: bytes, nonce: bytes | None, wall_time_s: float) -> bytes:
    """The tag that opens a holder of `secret`: the one that announced the nonce, or any if there is none."""
    return period_tag(secret, wall_time_s) if nonce is None else nonce_tag(secret, nonce)


def server_name(tag: bytes) -> str:
    """A tag in the form of a host name: one label of 32 hexadecimal digits."""
    return tag.hex()


class TrustTable:
    """Finds the context that a tag opens; every change makes new contexts, since a live one cannot forget a member.

    Making them takes milliseconds: `update` and `set_pairing` may run in another thread than the rest.
    """

    def __init__(self, identity: Identity, wall_clock: Callable[[], float] = time.time) -> None:
        """`wall_clock`: seconds since 1970."""
        self._identity = identity
        self._wall_clock = wall_clock
        self._mandates: _Mandates = {}
        self._pairing: _Pairing = {}
        self._nonces: tuple[bytes, ...] = ()
        self._names = _Names.write(self._mandates, self._pairing, self._nonces, wall_clock())

    def __bool__(self) -> bool:
        """False if there is nobody who could be let in."""
        return bool(self._mandates or self._pairing)

    def update(self, mandates: Mapping[MandateId, Trust]) -> None:
        """These mandates are shared, with these members and secrets, and no others.

        Raises ConfigError if this device's key cannot be read.
        """
        old = self._mandates
        self._mandates = {
            key: old[key] if key in old and old[key][0] == trust else (trust, self._admit_members(key, trust))
            for key, trust in mandates.items()
        }

    def set_pairing(self, secrets: Mapping[bytes, bytes], keys: Mapping[bytes, bytes] = MappingProxyType({})) -> None:
        """These invitations are open (id: secret of the ticket), and no others.

        `keys`: for those by whose tag strangers may come, the private key that is shown instead of this device's.
        Raises ConfigError if this device's key cannot be read.
        """
        old = self._pairing
        self._pairing = {
            key: old[key]
            if key in old and old[key][0] == secret
            else (secret, self._admit_newcomer(key, keys.get(key)))
            for key, secret in secrets.items()
        }

    def set_nonces(self, nonces: tuple[bytes, ...]) -> None:
        """What this device announces, and what it announced just before."""
        self._nonces = nonces

    def find(self, name: str | None) -> Admission | None:
        """What a server name opens; None for a stranger's."""
        now_s = self._wall_clock()
        old, mandates, pairing, nonces = self._names, self._mandates, self._pairing, self._nonces
        # Compared by identity: a change from another thread, whenever it comes, is seen here or at the next call.
        unchanged = old.mandates is mandates and old.pairing is pairing and old.nonces is nonces
        if not unchanged or old.period != _period(now_s):
            self._names = _Names.write(mandates, pairing, nonces, now_s)
        return self._names.opens.get(name) if name is not None else None

    def admission_of(self, context: ssl.SSLContext) -> Admission | None:
        """What a handshake that settled on `context` was let in by; None if that holds no longer."""
        return next((a for a in self._admissions() if a.context is context), None)

    def _admissions(self) -> Iterator[Admission]:
        yield from (admission for _, admission in self._mandates.values())
        yield from (admission for _, admission in self._pairing.values())

    def _admit_members(self, key: bytes, trust: Trust) -> Admission:
        members = trusted_certificates(trust)
        return Admission(key, False, server_context(self._identity, members), members)

    def _admit_newcomer(self, key: bytes, shown: bytes | None) -> Admission:
        if shown is None:
            return Admission(key, True, server_context(self._identity, {}), {})
        home = self._identity.home
        try:
            with TemporaryDirectory(dir=home, prefix="code-") as place:
                return Admission(key, True, server_context(Identity.of_key(shown, Path(place)), {}), {})
        except OSError as error:
            raise ConfigError(
                _("The key of this device cannot be read or written: {path}: {reason}").format(
                    path=home, reason=error.strerror or error
                )
            ) from error


@value
class _Names:
    """Every server name that opens something, and what was known when it was written down."""

    mandates: _Mandates
    pairing: _Pairing
    nonces: tuple[bytes, ...]
    period: int
    opens: Mapping[str, Admission]

    @classmethod
    def write(cls, mandates: _Mandates, pairing: _Pairing, nonces: tuple[bytes, ...], now_s: float) -> _Names:
        doors = [(secret, admission) for secret, admission in pairing.values()]
        doors += [(secret, admission) for trust, admission in mandates.values() for secret in trust.secrets]
        opens = {}
        for secret, admission in doors:
            tags = [nonce_tag(secret, nonce) for nonce in nonces]
            tags += [period_tag(secret, now_s + shift_s) for shift_s in (-PERIOD_S, 0, PERIOD_S)]
            opens.update(dict.fromkeys(map(server_name, tags), admission))
        return cls(mandates, pairing, nonces, _period(now_s), opens)


def trusted_certificates(trust: Trust) -> dict[bytes, DeviceId]:
    """The certificates of all who may connect, without those that are not their device's.

    One's own is among them: only on a link that is up can a device tell a copy of itself from itself.
    """
    return {der: device for device, der in {**trust.former, **trust.members}.items() if _belongs(der, device)}


def gate_context(find: Callable[[str | None], Admission | None]) -> ssl.SSLContext:
    """The context in which every inbound handshake begins. It has no certificate: it changes over to the context
    that the tag opens, or ends with an alert.

    Of a context that is changed to, OpenSSL takes certificate and trust roots, but neither verify mode nor flags.
    Pairing needs a mode that takes clients without certificate; so they are optional here, and whoever opens the
    link compares the certificate with the members'.
    """

    def choose(tls: ssl.SSLObject, name: str | None, _gate: ssl.SSLContext) -> int | None:
        admission = find(name)
        if admission is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        tls.context = admission.context
        return None

    context = _context(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.sni_callback = choose
    return context


def server_context(identity: Identity, members: Mapping[bytes, DeviceId]) -> ssl.SSLContext:
    """Shows this device's certificate and trusts these. Raises ConfigError if the own key cannot be read."""
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_OPTIONAL
    identity.load_into(context)
    _load_roots(context, members)
    return context


def client_context(identity: Identity, members: Mapping[bytes, DeviceId]) -> ssl.SSLContext:
    """The same for the dialling side."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    identity.load_into(context)
    _load_roots(context, members)
    return context


def guest_client_context(identity: Identity) -> ssl.SSLContext:
    """Shows this device's certificate and takes any: the caller learns from a signed log who answered."""
    context = pairing_client_context()
    identity.load_into(context)
    return context


def pairing_client_context() -> ssl.SSLContext:
    """Shows nothing and takes any certificate: the caller compares its key with the one it expects."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.options |= ssl.OP_NO_TICKET
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    return context


def _load_roots(context: ssl.SSLContext, members: Mapping[bytes, DeviceId]) -> None:
    if members:
        context.load_verify_locations(cadata=b"".join(members))


def _belongs(der: bytes, device: DeviceId) -> bool:
    try:
        return device_of_certificate(der) == device
    except InvalidId:
        return False


def _period(wall_time_s: float) -> int:
    return int(wall_time_s // PERIOD_S)
