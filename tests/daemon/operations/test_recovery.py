"""The recovery file: handed out until somebody says that it is safe, on one PC, and never again."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.core.ids import mandate_text, parse_device
from p2psync.daemon.pairing.recovery import RecoveryFile
from p2psync.errors import FolderError, UsageError
from tests.daemon.homes import MANDATE, company, pcs
from tests.daemon.patience import until


@pytest.mark.asyncio
async def test_the_file_holds_what_a_new_pc_needs(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await one.call("peer.add", mandate=MANDATE, address="192.0.2.1:4711")
        given = await one.call("mandate.recovery", mandate=MANDATE)
        file = RecoveryFile.parse(given["text"])
        assert (given["mandate"], given["id"]) == (MANDATE, mandate_text(file.mandate))
        assert {device for device, _certificate in file.members} >= {parse_device(one.device), parse_device(two.device)}
        assert {*one.running.discovery.own_addresses(), "192.0.2.1:4711"} == set(file.addresses)
        assert len(file.addresses) == len(set(file.addresses))


@pytest.mark.asyncio
async def test_it_can_be_had_again_until_it_is_said_to_be_safe_and_never_after(tmp_path: Path) -> None:
    """A printer that jams, or a PC that is switched off in between, costs nobody the key."""
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        first = RecoveryFile.parse((await pc.call("mandate.recovery", mandate=MANDATE))["text"])
        await pc.stop()
        assert holding(first.key, pc.config.home) != []
        await pc.start()
        again = RecoveryFile.parse((await pc.call("mandate.recovery", mandate=MANDATE))["text"])
        assert again.key == first.key
        for _ in range(2):  # saying it twice does no harm
            said = await pc.call("mandate.recovery.saved", mandate=MANDATE)
            assert said == {"mandate": MANDATE, "id": mandate_text(first.mandate)}
        with pytest.raises(UsageError, match="handed out once"):
            await pc.call("mandate.recovery", mandate=MANDATE)
        await pc.stop()
        assert holding(first.key, pc.config.home) == []


@pytest.mark.asyncio
async def test_a_file_is_renewed_on_any_pc_and_lets_in_after_a_revocation_too(tmp_path: Path) -> None:
    async with pcs(tmp_path, "office", "payroll", "thief", "new") as (office, payroll, thief, new):
        await office.create()
        old = (await office.call("mandate.recovery", mandate=MANDATE))["text"]
        await office.call("mandate.recovery.saved", mandate=MANDATE)
        for pc in (payroll, thief):
            await pc.join(await office.invite("payroll"))
        await office.call("devices.revoke", mandate=MANDATE, device=thief.device)
        office.save("Cargo.crp", b"chart\r\nENDOFFILE")
        await payroll.has("Cargo.crp", b"chart\r\nENDOFFILE")

        async def knows_the_new_secret() -> bool:
            renewed = RecoveryFile.parse((await payroll.call("mandate.recovery", mandate=MANDATE, old=old))["text"])
            return max(renewed.secrets) > max(RecoveryFile.parse(old).secrets)

        await until(knows_the_new_secret, "payroll's PC knows the secret of after the revocation")
        text = (await payroll.call("mandate.recovery", mandate=MANDATE, old=old))["text"]
        assert RecoveryFile.parse(text).key == RecoveryFile.parse(old).key
        await office.stop()
        await thief.stop()
        await new.join(text)
        await new.has("Cargo.crp", b"chart\r\nENDOFFILE")
        await new.call("mandate.create", name="Other", folder=str(tmp_path / "other"))
        with pytest.raises(UsageError, match="of another mandate, Cargo"):
            await new.call("mandate.recovery", mandate="Other", old=text)


def holding(secret: bytes, home: Path) -> list[str]:
    """Files in which a thief of the PC would find these bytes."""
    return [file.name for file in home.rglob("*") if file.is_file() and secret in file.read_bytes()]


@pytest.mark.asyncio
async def test_only_the_pc_that_made_the_mandate_hands_it_out(tmp_path: Path) -> None:
    async with company(tmp_path, "accounting") as (_one, two):
        with pytest.raises(UsageError, match="on the PC that created the mandate"):
            await two.call("mandate.recovery", mandate=MANDATE)


@pytest.mark.asyncio
async def test_getting_back_in_needs_a_member_and_a_folder_and_leaves_nothing_without(tmp_path: Path) -> None:
    async with pcs(tmp_path, "office", "new") as (office, new):
        await office.create()
        text = (await office.call("mandate.recovery", mandate=MANDATE))["text"]
        await office.stop()
        await new.call("mandate.create", name="Other", folder=str(tmp_path / "other"))
        with pytest.raises(FolderError, match="lie in one another"):
            await new.call("join", ticket=text, folder=str(tmp_path / "other" / "in"), timeout_s=0.1)

        result = await new.ask("join", ticket=text, folder=str(new.folder), timeout_s=0.3)
        assert result.exit_code == 5
        assert isinstance(result.data, dict)
        assert result.data["waiting_for"] == "member"
        assert "No member of Cargo was reached" in result.data["message"]
        assert not new.folder.exists()
        assert [one["name"] for one in await new.call("mandate.list")] == ["Other"]

        await office.start()
        joined = await new.join(text)
        assert {key: joined[key] for key in ("mandate", "role", "folder")} == {
            "mandate": MANDATE,
            "role": "accounting",
            "folder": str(new.folder),
        }
        members = {row["device"]: row["admin"] for row in await office.call("devices", mandate=MANDATE)}
        assert members == {office.device: True, new.device: True}
        assert [path for path in new.config.home.iterdir() if path.name.startswith("recovery-")] == []
