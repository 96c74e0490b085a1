"""The only admin's PC is lost: with the recovery file a new PC gets back in, and goes on as admin."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.core.ids import DeviceId, MandateId
from p2psync.daemon.recovery import RecoveryFile, is_recovery
from p2psync.errors import UsageError
from tests.daemon.homes import MANDATE, pcs

FILE = RecoveryFile(
    MandateId(b"m" * 16),
    "Cargo",
    b"k" * 32,
    ((1, b"s" * 32),),
    ((DeviceId(b"d" * 32), b"certificate"),),
    ("1.2.3.4:5",),
)


def test_a_file_says_what_it_is_and_is_read_back_whole() -> None:
    text = FILE.text()
    assert text.startswith("# The recovery key of the mandate Cargo.")
    assert is_recovery(text)
    assert RecoveryFile.parse(text) == FILE


@pytest.mark.parametrize(
    "damage", ["", "P2PSYNC-RECOVERY-1:", FILE.text()[:-20], FILE.text().replace("A", "B", 1)[:-9]]
)
def test_a_damaged_file_is_refused_in_words(damage: str) -> None:
    with pytest.raises(UsageError, match="no recovery file, or it is damaged"):
        RecoveryFile.parse(damage)


def test_a_ticket_is_no_recovery_file() -> None:
    assert not is_recovery("P2P1ABCDEFGH")


@pytest.mark.asyncio
async def test_a_new_pc_gets_back_in_as_admin_and_revokes_the_lost_one(tmp_path: Path) -> None:
    async with pcs(tmp_path, "office", "payroll", "new") as (office, payroll, new):
        await office.create()
        await payroll.join(await office.invite("payroll"))
        office.save("Cargo.crp", b"chart\r\nENDOFFILE")
        await payroll.has("Cargo.crp", b"chart\r\nENDOFFILE")
        [address, *_] = payroll.running.discovery.own_addresses()
        await office.call("peer.add", mandate=MANDATE, address=address)
        text = (await office.call("mandate.recovery", mandate=MANDATE))["text"]
        await office.call("mandate.recovery.saved", mandate=MANDATE)
        with pytest.raises(UsageError, match="handed out once"):
            await office.call("mandate.recovery", mandate=MANDATE)
        lost = office.device
        await office.stop()

        await new.join(text)

        await new.has("Cargo.crp", b"chart\r\nENDOFFILE")
        await new.call("devices.revoke", mandate=MANDATE, device=lost)
        members = {row["device"]: row for row in await new.call("devices", mandate=MANDATE)}
        assert members[new.device]["admin"]
        assert members[lost]["state"] != "member"


@pytest.mark.asyncio
async def test_with_nobody_there_it_says_whom_it_waits_for(tmp_path: Path) -> None:
    async with pcs(tmp_path, "new") as (new,):
        result = await new.ask("join", ticket=FILE.text(), folder=str(new.folder), timeout_s=0.2)
        assert result.exit_code == 5
        assert not new.folder.exists()
