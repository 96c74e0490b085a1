"""The recovery key: handed out once, for a file that is kept offline; and the way back in with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from p2psync.core.ids import mandate_text
from p2psync.daemon.finding.attempts import Place
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.result import WAITING, OperationResult
from p2psync.daemon.operations.shapes import find_mandate
from p2psync.daemon.pairing.recovery import Recovery, RecoveryFile
from p2psync.engine.admin import Newcomer, Welcome
from p2psync.engine.device import Device
from p2psync.engine.scope import Now
from p2psync.errors import UsageError
from p2psync.i18n import _
from p2psync.pair.fingerprint import device_fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from p2psync.daemon.node import Node

KEY_SETTING = "recovery_key"
TRIED_SHOWN_MAX = 10


async def recovery(node: Node, given: Arguments) -> object:
    """The text of the recovery file; the key stays here until `mandate.recovery.saved` says that it is safe.

    With the text of an `old` file: one with the same key, and with the members, secrets and addresses of today.
    """
    named, old = given.text("mandate"), given.text_or("old", "")
    given.done()
    before = RecoveryFile.parse(old) if old else None
    addresses = node.discovery.own_addresses()

    def look(device: Device, _: Now) -> object:
        mandate = find_mandate(device, named)
        key = before.key if before is not None else mandate.state.get(KEY_SETTING)
        if before is not None and before.mandate != mandate.id:
            raise UsageError("This is the recovery file of another mandate, {name}.", name=before.name)
        if not isinstance(key, bytes):
            raise UsageError(
                "The recovery key of {mandate} is not on this device: it is handed out once, on the PC that "
                "created the mandate.",
                mandate=mandate.name,
            )
        known = tuple(dict.fromkeys((*addresses, *node.records.addresses(mandate.id))))
        secrets, members = tuple(mandate.secrets.all()), tuple(mandate.members().items())
        file = RecoveryFile(mandate.id, mandate.name, key, secrets, members, known)
        return {"mandate": mandate.name, "id": mandate_text(mandate.id), "text": file.text()}

    return await node.runtime.query(look)


async def saved(node: Node, given: Arguments) -> object:
    """The file is safe: this device forgets the key, so that a thief of the PC does not have it."""
    named = given.text("mandate")
    given.done()

    def act(device: Device, _: Now) -> object:
        mandate = find_mandate(device, named)
        mandate.state.put(KEY_SETTING, None)
        return {"mandate": mandate.name, "id": mandate_text(mandate.id)}

    return await node.runtime.call(act)


async def get_back_in(node: Node, text: str, folder: Path, name: str, timeout_s: float) -> object:
    """Join with a recovery file instead of a ticket: as an admin."""
    file = RecoveryFile.parse(text)
    newcomer = Newcomer(node.identity.device, node.identity.certificate, name, b"")
    attempt = Recovery(file, newcomer, node.discovery, node.config.home)
    async with node.folders.prepared(folder, file.mandate) as keep_folder:
        welcome = await attempt.run(timeout_s)
        if welcome is None:
            return OperationResult(_nobody(file, attempt.tried()), WAITING)
        keep_folder()
        await _enter(node, file, welcome, folder)
    return {
        "mandate": welcome.name,
        "id": mandate_text(file.mandate),
        "role": welcome.role.value,
        "folder": str(folder),
        "fingerprint": device_fingerprint(node.identity.device),
    }


async def _enter(node: Node, file: RecoveryFile, welcome: Welcome, folder: Path) -> None:
    def act(device: Device, _: Now) -> None:
        device.join(welcome)
        for address in file.addresses:
            node.records.add_address(welcome.mandate, address)
        device.mandates[welcome.mandate].state.put("folder", str(folder))

    await node.runtime.call(act)
    await node.folders.open(welcome.mandate, folder)
    await node.discovery.renew()


def _nobody(file: RecoveryFile, tried: Sequence[Place]) -> dict[str, object]:
    message = _("No member of {mandate} was reached. Switch one of their PCs on, and use the same command again.")
    lines = [message.format(mandate=file.name)]
    if tried:
        lines.append(_("Tried:"))
        lines += [f"  {place}: {place.reason}" for place in tried[:TRIED_SHOWN_MAX]]
    else:
        lines.append(_("The recovery file names no address that was tried in this time, and nobody announced himself."))
    return {
        "waiting_for": "member",
        "fingerprint": "",
        "reason": tried[-1].reason if tried else None,
        "tried": [{"address": str(place), "tries": place.tries, "reason": place.reason} for place in tried],
        "message": "\n".join(lines),
    }


OPERATIONS = {"mandate.recovery": recovery, "mandate.recovery.saved": saved}
