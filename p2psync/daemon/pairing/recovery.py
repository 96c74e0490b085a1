"""The way back in when the only admin's PC is lost: an offline key, senior to all, that the genesis foresaw.

With its file a new PC connects to any member as that key, takes in the log, and admits itself as an admin. The key
is used for that moment only, by a device that lives in a temporary directory.
"""

from __future__ import annotations

import asyncio
import base64
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import SystemRandom
from typing import TypeVar

import msgpack
from blake3 import blake3

from p2psync.core.block import verify_ed25519
from p2psync.core.ids import DeviceId, MandateId, device_id, mandate_id
from p2psync.core.rules import Role
from p2psync.core.value import value
from p2psync.daemon.finding.attempts import Attempts, Place
from p2psync.daemon.finding.discovery import Discovery
from p2psync.daemon.finding.places import addresses_among
from p2psync.engine.admin import Newcomer, Welcome
from p2psync.engine.device import Device
from p2psync.engine.effects import CloseLink, Effect, Send
from p2psync.engine.events import Event, LinkUp, Received, Tick
from p2psync.engine.ledger import Keys
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import (
    InvalidId,
    LinkClosed,
    LinkError,
    NotAllowed,
    P2PSyncError,
    PeerRefused,
    UsageError,
)
from p2psync.i18n import _
from p2psync.net.dialer import Address, Sighting
from p2psync.net.identity import Identity
from p2psync.net.link import Link
from p2psync.net.tls import dial_anybody
from p2psync.net.trust import tag_of
from p2psync.store.database import Database
from p2psync.store.state import SqliteDeviceState
from p2psync.wire.codec import decode, encode

PREFIX = "P2PSYNC-RECOVERY-1:"
CHECK_BYTES = 8
LONGEST_S = 3600.0
"""How long members are looked for, whatever the user's patience."""
TRY_S = 30.0
"""How long one try may take at first, and twice as long at each later one: a log may be long, or never end."""
LOOK_EVERY_S = 0.5
SECRETS_MAX = 8
"""Of those that the file knows the newest: which a member knows depends on how long it was off."""
LINK = 1

T = TypeVar("T")


@value
class RecoveryFile:
    """What a recovery file holds; whoever has it can make himself admin."""

    mandate: MandateId
    name: str
    key: bytes
    """The Ed25519 private key, 32 bytes."""
    secrets: tuple[tuple[int, bytes], ...]
    members: tuple[tuple[DeviceId, bytes], ...]
    """Devices and certificates, as of the day when the file was saved."""
    addresses: tuple[str, ...]

    def text(self) -> str:
        """A comment for people, and one line for p2psync."""
        plain = [self.mandate, self.name, self.key, self.secrets, self.members, self.addresses]
        packed = msgpack.packb(plain)
        line = base64.urlsafe_b64encode(blake3(packed).digest()[:CHECK_BYTES] + packed).decode()
        comment = _(
            "# The recovery key of the mandate {name}. Whoever has this file can make himself its admin: keep it\n"
            "# offline and locked away. When every admin's PC is lost: p2psync join THIS-FILE --folder DIR\n"
        )
        return comment.format(name=self.name) + PREFIX + line + "\n"

    @classmethod
    def parse(cls, text: str) -> RecoveryFile:
        """Raises UsageError for a file that is damaged or none."""
        line = next((x.strip() for x in text.splitlines() if x.strip().startswith(PREFIX)), "")
        try:
            raw = base64.urlsafe_b64decode(line.removeprefix(PREFIX))
            if not line or blake3(raw[CHECK_BYTES:]).digest()[:CHECK_BYTES] != raw[:CHECK_BYTES]:
                raise ValueError("checksum")
            mandate, name, key, secrets, members, addresses = msgpack.unpackb(raw[CHECK_BYTES:])
            return cls(
                mandate_id(mandate),
                str(name),
                bytes(key),
                tuple((int(number), bytes(secret)) for number, secret in secrets),
                tuple((device_id(device), bytes(certificate)) for device, certificate in members),
                tuple(str(address) for address in addresses),
            )
        except (ValueError, TypeError, InvalidId, msgpack.exceptions.UnpackException) as error:
            raise UsageError("This is no recovery file, or it is damaged. Use another copy of it.") from error


def is_recovery(text: str) -> bool:
    """Whether what was given to `join` is a recovery file and no ticket."""
    return any(line.strip().startswith(PREFIX) for line in text.splitlines())


class Recovery:
    """One attempt to get back in, by all known ways."""

    def __init__(self, file: RecoveryFile, newcomer: Newcomer, discovery: Discovery, home: Path) -> None:
        """`newcomer`: this device as it is to be admitted; `home`: where the temporary directory is made."""
        self._file = file
        self._newcomer = newcomer
        self._discovery = discovery
        self._home = home
        self._secrets = sorted(file.secrets, reverse=True)[:SECRETS_MAX]
        self._attempts = Attempts(addresses_among(file.addresses), time.monotonic())

    def tried(self) -> list[Place]:
        """Where nobody let this device in, and why."""
        return self._attempts.tried()

    async def run(self, timeout_s: float) -> Welcome | None:
        """What this device is to join with; None if no member was reached in time, which is LONGEST_S at most."""
        for _number, secret in self._secrets:
            self._discovery.seek(secret, secret, self._saw)
        try:
            async with asyncio.timeout(min(timeout_s, LONGEST_S)):
                return await self._try_all()
        except TimeoutError:
            return None
        finally:
            for _number, secret in self._secrets:
                self._discovery.stop_seeking(secret)

    def _saw(self, sighting: Sighting) -> None:
        self._attempts.saw(sighting.addresses, sighting.nonce, time.monotonic())

    async def _try_all(self) -> Welcome:
        while True:
            place = self._attempts.due(time.monotonic())
            if place is None:
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            try:
                async with asyncio.timeout(TRY_S * 2.0**place.tries) as limit:
                    return await self._try_at(place)
            except (P2PSyncError, OSError) as error:  # TimeoutError is an OSError
                reason = _("it did not come to an end in time") if limit.expired() else str(error)
                self._attempts.failed(place, reason, time.monotonic())

    async def _try_at(self, place: Place) -> Welcome:
        """With the secrets that whoever is there may know, the newest first."""
        for number, (_number, secret) in enumerate(self._secrets):
            try:
                return await self._try(place.address, tag_of(secret, place.nonce, time.time()))
            except PeerRefused:
                if number == len(self._secrets) - 1:
                    raise
        raise LinkError("The recovery file holds no secret to find members with.")

    async def _try(self, address: Address, tag: bytes) -> Welcome:
        with tempfile.TemporaryDirectory(dir=self._home, prefix="recovery-") as place:
            identity = Identity.of_key(self._file.key, Path(place))
            # Members that joined after the file was saved are in no list of it: the log tells whether one belongs.
            link, certificate = await dial_anybody(
                address.host, address.port, tag, identity, proxies=self._discovery.proxies
            )
            try:
                with _Guest(self._file, identity, Path(place)) as guest:
                    return await guest.get_in(link, certificate, self._newcomer)
            finally:
                await link.close()


class _Guest:
    """The recovery key as a device, for as long as it takes to read the log and to write one statement."""

    def __init__(self, file: RecoveryFile, identity: Identity, place: Path) -> None:
        self._file = file
        self._identity = identity
        self._database = Database.open(place / "recovery.db")
        self._thread = ThreadPoolExecutor(1, "recovery")
        keys = Keys(identity.device, identity.sign, verify_ed25519)
        state = SqliteDeviceState(self._database)
        self._device = Device(keys, state, SystemRandom(), "recovery", "p2psync recovery")

    def __enter__(self) -> _Guest:
        return self

    def __exit__(self, *_error: object) -> None:
        self._thread.shutdown()
        self._database.close()

    async def get_in(self, link: Link, certificate: bytes, newcomer: Newcomer) -> Welcome:
        """Read the log over this link, admit the newcomer, and wait until the member has taken that in.

        Raises NotAllowed if, by that log, whoever answered with this certificate is no member.
        """
        file = self._file
        known = {**dict(file.members), link.remote: certificate}
        welcome = Welcome(file.mandate, file.name, Role.ACCOUNTING, file.secrets, tuple(known.items()))
        await self._act(link, lambda device: device.join(welcome))
        await self._tell(link, LinkUp(LINK, link.remote, True, link.way))
        while not await self._in_thread(self._knows_the_mandate):
            await self._hear(link)
        if link.remote not in await self._in_thread(lambda: self._mandate.members()):
            raise NotAllowed("The device that answered is no member any more.")
        await self._act(link, lambda device: device.admin(file.mandate).admit_by_recovery(newcomer))
        while not await self._in_thread(self._is_heard):
            await self._hear(link)
        return await self._in_thread(lambda: self._device.admin(file.mandate).welcome(Role.ACCOUNTING))

    @property
    def _mandate(self) -> Mandate:
        return self._device.mandates[self._file.mandate]

    def _knows_the_mandate(self) -> bool:
        peer = self._mandate.peers.get(LINK)
        return peer is not None and peer.has_caught_us_up() and self._mandate.authority.is_founded

    def _is_heard(self) -> bool:
        peer = self._mandate.peers.get(LINK)
        return peer is not None and peer.has_taken_everything()

    async def _hear(self, link: Link) -> None:
        try:
            message = decode(await link.receive())
        except LinkClosed as error:
            raise LinkError("The member closed the connection; it is tried again.") from error
        await self._tell(link, Received(LINK, message), Tick())

    async def _tell(self, link: Link, *events: Event) -> None:
        await self._perform(link, lambda: self._device.handle_all(events, _now()))

    async def _act(self, link: Link, deed: Callable[[Device], object]) -> None:
        def work() -> Sequence[Effect]:
            self._device.act(_now())
            deed(self._device)
            return self._device.finish()

        await self._perform(link, work)

    async def _perform(self, link: Link, work: Callable[[], Sequence[Effect]]) -> None:
        def durably() -> Sequence[Effect]:
            with self._database.transaction():
                return work()

        for effect in await self._in_thread(durably):
            match effect:
                case Send(message=message):
                    await link.send(encode(message))
                case CloseLink(reason=reason):
                    raise LinkError(reason)
                case _:
                    pass  # nothing is placed and nobody is told: this device only reads the log

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _now() -> Now:
    return Now(time.monotonic(), time.time_ns() // 1_000_000)
