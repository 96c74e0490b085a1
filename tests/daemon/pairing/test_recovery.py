"""The only admin's PC is lost: with the recovery file a new PC gets back in, and goes on as admin."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.cli.tickets import TICKET_CHARACTERS_MAX
from p2psync.core.ids import DeviceId, MandateId, device_text
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.pairing import recovery
from p2psync.daemon.pairing.recovery import Recovery, RecoveryFile, is_recovery
from p2psync.engine.admin import Newcomer
from p2psync.errors import PeerRefused, UsageError
from p2psync.net.identity import Identity
from p2psync.net.link import Link
from tests.daemon.homes import MANDATE, pcs
from tests.daemon.patience import until

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


def test_a_file_that_names_two_hundred_members_can_be_given(tmp_path: Path) -> None:
    certificate = Identity.load_or_create(tmp_path).certificate
    members = tuple((DeviceId(number.to_bytes(32, "big")), certificate) for number in range(200))
    text = replace(FILE, members=members).text()
    assert Arguments({"ticket": text}).text("ticket") == text
    assert len(text) <= TICKET_CHARACTERS_MAX


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
async def test_members_that_joined_after_the_file_was_saved_let_it_in_too(tmp_path: Path) -> None:
    async with pcs(tmp_path, "office", "payroll", "new") as (office, payroll, new):
        await office.create()
        text = (await office.call("mandate.recovery", mandate=MANDATE))["text"]
        await payroll.join(await office.invite("payroll"))
        office.save("Cargo.crp", b"chart\r\nENDOFFILE")
        await payroll.has("Cargo.crp", b"chart\r\nENDOFFILE")
        await office.stop()
        file = RecoveryFile.parse(text)
        assert payroll.device not in [device_text(device) for device, _certificate in file.members]
        await new.join(replace(file, addresses=tuple(payroll.running.discovery.own_addresses())).text())
        await new.has("Cargo.crp", b"chart\r\nENDOFFILE")


@pytest.mark.asyncio
async def test_a_device_that_is_no_member_is_no_way_in(tmp_path: Path) -> None:
    async with pcs(tmp_path, "office", "thief", "new") as (office, thief, new):
        await office.create()
        await thief.join(await office.invite("payroll"))
        await thief.in_sync(1)
        file = RecoveryFile.parse((await office.call("mandate.recovery", mandate=MANDATE))["text"])
        await office.call("devices.revoke", mandate=MANDATE, device=thief.device)

        async def is_out() -> bool:
            return bool((await thief.status())["problem_list"])

        await until(is_out, "the thief knows that it is out")
        await office.stop()
        text = replace(file, addresses=tuple(thief.running.discovery.own_addresses())).text()
        result = await new.ask("join", ticket=text, folder=str(new.folder), timeout_s=3.0)
        assert result.exit_code == 5
        assert not new.folder.exists()


@pytest.mark.asyncio
async def test_with_nobody_there_it_says_whom_it_waits_for_and_where_it_looked(tmp_path: Path) -> None:
    file = replace(FILE, addresses=("127.0.0.1:1", "127.0.0.1:2"), members=(member("a", tmp_path),))
    async with pcs(tmp_path, "new") as (new,):
        result = await new.ask("join", ticket=file.text(), folder=str(new.folder), timeout_s=1.0)
        assert result.exit_code == 5
        assert not new.folder.exists()
    assert isinstance(result.data, dict)
    assert [(one["address"], one["tries"]) for one in result.data["tried"]] == [("127.0.0.1:1", 1), ("127.0.0.1:2", 1)]
    first, tried, *places = result.data["message"].splitlines()
    assert ("No member of Cargo was reached" in first, tried) == (True, "Tried:")
    assert [place.split(": ")[0] for place in places] == ["  127.0.0.1:1", "  127.0.0.1:2"]


@pytest.mark.asyncio
async def test_a_file_without_an_address_says_so(tmp_path: Path) -> None:
    async with pcs(tmp_path, "new") as (new,):
        given = replace(FILE, addresses=()).text()
        result = await new.ask("join", ticket=given, folder=str(new.folder), timeout_s=0.2)
    assert isinstance(result.data, dict)
    assert result.data["tried"] == []
    assert "names no address" in result.data["message"]


@pytest.mark.asyncio
async def test_one_that_never_ends_does_not_hold_up_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    async def dials(host: str, port: int, *_: object, **_named: object) -> Link:
        asked.append(port)
        if port == 1:
            await asyncio.Event().wait()
        raise PeerRefused("it knows nobody")

    monkeypatch.setattr(recovery, "dial_anybody", dials)
    monkeypatch.setattr(recovery, "TRY_S", 0.05)
    file = replace(FILE, addresses=("192.0.2.1:1", "192.0.2.1:2"), secrets=((1, b"s" * 32), (2, b"t" * 32)))
    async with pcs(tmp_path, "new") as (new,):
        newcomer = Newcomer(new.running.identity.device, new.running.identity.certificate, "new", b"")
        attempt = Recovery(file, newcomer, new.running.discovery, tmp_path)
        assert await attempt.run(1.0) is None
    assert asked == [1, 2, 2], "the one that refused was asked by both secrets"
    assert [(str(p), p.reason) for p in attempt.tried()] == [
        *(("192.0.2.1:1", "it did not come to an end in time"), ("192.0.2.1:2", "it knows nobody"))
    ]


def test_it_never_looks_for_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recovery, "LONGEST_S", 0.1)

    async def look() -> None:
        async with pcs(tmp_path, "new") as (new,):
            newcomer = Newcomer(new.running.identity.device, new.running.identity.certificate, "new", b"")
            file = replace(FILE, addresses=())
            assert await Recovery(file, newcomer, new.running.discovery, tmp_path).run(1e9) is None

    asyncio.run(look())


def member(name: str, place: Path) -> tuple[DeviceId, bytes]:
    identity = Identity.of_key(name.encode() * 32, place)
    return identity.device, identity.certificate
