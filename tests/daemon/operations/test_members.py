"""Members as people handle them: invited, listed, given other roles, revoked."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.errors import MandateLocal, NotAllowed, UsageError
from p2psync.pair.fingerprint import device_fingerprint
from p2psync.pair.ticket import parse
from tests.daemon.homes import company, pcs
from tests.daemon.patience import until


@pytest.mark.asyncio
async def test_a_local_mandate_must_be_shared_before_anybody_is_invited(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.call("mandate.create", name="Cargo", folder=str(pc.folder))
        with pytest.raises(MandateLocal, match="share it first"):
            await pc.invite("payroll")


@pytest.mark.asyncio
async def test_an_invitation_says_when_it_ends_and_where_the_inviter_is(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        made = await pc.call("invite", mandate="Cargo", role="payroll", expires_s=3600, uses=3)
        ticket = parse(made["ticket"])
        assert ticket.addresses == (f"127.0.0.1:{pc.running.discovery.port}",)
        assert ticket.inviter == pc.running.identity.device
        (shown,) = await pc.call("invites", mandate="Cargo")
        assert shown == {
            "id": made["id"],
            "role": "payroll",
            "admin": False,
            "expires": made["expires"],
            "uses_left": 3,
            "confirm": False,
            "number": None,
        }
        for wrong in ({"role": "boss"}, {"uses": 0}, {"expires_s": 0}, {"role": ""}):
            with pytest.raises(UsageError):
                await pc.call("invite", **{"mandate": "Cargo", "role": "payroll", **wrong})


@pytest.mark.asyncio
async def test_members_are_listed_with_what_they_may_do(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        rows = {row["name"]: row for row in await one.call("devices", mandate="Cargo")}
        assert list(rows) == ["pc1", "pc2"]
        assert (rows["pc1"]["admin"], rows["pc1"]["primary"], rows["pc1"]["this_device"]) == (True, True, True)
        assert (rows["pc2"]["role"], rows["pc2"]["admin"], rows["pc2"]["path"]) == ("payroll", False, "lan")
        assert rows["pc2"]["device"] == two.device
        assert rows["pc2"]["fingerprint"] == device_fingerprint(two.running.identity.device)
        assert rows["pc1"]["admitted"] is None, "who made it was let in by nobody"
        assert rows["pc2"]["admitted"]["name"] == "pc1"
        assert await two.call("devices", mandate="Cargo") != []
        await two.stop()
        await one.in_sync(0)
        (gone,) = [row for row in await one.call("devices", mandate="Cargo") if row["name"] == "pc2"]
        assert gone["path"] is None
        assert gone["last_seen"] is not None


@pytest.mark.asyncio
async def test_roles_and_the_primary_device_are_set_by_admins(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        with pytest.raises(UsageError, match="accounting"):
            await one.call("devices.primary", mandate="Cargo", device="pc2")
        await one.call("devices.role", mandate="Cargo", device=two.device[:9], role="accounting")
        rows = await one.call("devices.primary", mandate="Cargo", device="pc2")
        assert [row["primary"] for row in rows] == [False, True]

        async def knows() -> bool:
            (itself,) = [row for row in await two.call("devices", mandate="Cargo") if row["this_device"]]
            return bool(itself["role"] == "accounting" and itself["primary"])

        await until(knows)
        with pytest.raises(NotAllowed):
            await two.call("devices.role", mandate="Cargo", device="pc1", role="reader")


@pytest.mark.asyncio
async def test_who_works_where_is_told_to_all(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc1", "pc2", "pc3") as (one, two, three):
        await one.create(person="Anna Müller")
        await two.join(await one.invite("payroll"), person=" Berta ")
        await three.join(await one.invite("invoicing"))

        async def told(*persons: str | None) -> None:
            async def is_known() -> bool:
                lists = [await pc.call("devices", mandate="Cargo") for pc in (one, two, three)]
                return [[row["person"] for row in rows] for rows in lists] == [list(persons)] * 3

            await until(is_known, f"all know that {persons} work there")

        await told("Anna Müller", "Berta", None)
        await one.call("devices.person", mandate="Cargo", device="pc3", person="Carl")
        await two.call("devices.person", mandate="Cargo", device="pc2", person="")
        await told("Anna Müller", None, "Carl")
        peers = {peer["name"]: peer["person"] for peer in (await two.status())["peers"]}
        assert peers == {"pc1": "Anna Müller", "pc3": "Carl"}
        abouts = [row["about"] for row in await two.call("log", mandate="Cargo") if row["kind"] == "person"]
        assert any(about.endswith(" Carl") for about in abouts)
        with pytest.raises(NotAllowed):
            await two.call("devices.person", mandate="Cargo", device="pc1", person="Dora")
        for wrong in ("two\nlines", "\x1b[2J", "x" * 81):
            with pytest.raises(UsageError, match="at most 80 characters"):
                await two.call("devices.person", mandate="Cargo", device="pc2", person=wrong)
            with pytest.raises(UsageError, match="at most 80 characters"):
                await two.call("mandate.create", name="Other", person=wrong)
            with pytest.raises(UsageError, match="at most 80 characters"):
                await two.call("join", ticket="any", person=wrong)
        assert len(await two.call("mandate.list")) == 1


@pytest.mark.asyncio
async def test_nobody_revokes_himself_or_a_stranger(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        with pytest.raises(UsageError, match="mandate leave"):
            await one.call("devices.revoke", mandate="Cargo", device="pc1")
        with pytest.raises(UsageError, match="no device"):
            await one.call("devices.revoke", mandate="Cargo", device="stranger")
        with pytest.raises(NotAllowed):
            await two.call("devices.revoke", mandate="Cargo", device="pc1")
        rows = await one.call("devices.revoke", mandate="Cargo", device="pc2")
        assert [(row["name"], row["state"]) for row in rows] == [("pc1", "member"), ("pc2", "revoked")]


@pytest.mark.asyncio
async def test_an_admin_by_ticket_may_invite(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one", "two", "three") as (one, two, three):
        await one.create()
        await two.join(await one.invite("accounting", admin=True))
        await two.in_sync(1)
        await three.join(await two.invite("payroll"))
        one.save("a.txt", "a")
        await three.has("a.txt", "a")


@pytest.mark.asyncio
async def test_a_member_is_made_admin_and_only_then_the_first_one_may_leave(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (first, second):
        with pytest.raises(UsageError, match=r"--role DEVICE=ROLE\+admin"):
            await first.call("mandate.leave", mandate="Cargo", wipe=False)
        rows = await first.call("devices.role", mandate="Cargo", device=second.device, role="payroll+admin")
        assert {row["device"]: (row["role"], row["admin"]) for row in rows}[second.device] == ("payroll", True)
        rows = await first.call("devices.role", mandate="Cargo", device=second.device, role="reader")
        assert {row["device"]: (row["role"], row["admin"]) for row in rows}[second.device] == ("reader", True)
        await first.call("mandate.leave", mandate="Cargo", wipe=False)
