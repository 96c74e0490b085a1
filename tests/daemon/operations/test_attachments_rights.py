"""Who may say whose a file is, and who may attach: as it is asked for over the interface, and told to all."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.errors import NotAllowed, P2PSyncError, UsageError
from tests.daemon.homes import MANDATE, Pc, company
from tests.daemon.patience import until

WHOLE = "MAJREV=9\r\nTITLE=first\r\nENDOFFILE\r\n"


async def kinds(pc: Pc) -> list[str]:
    """What was stated about files' homes, in the order in which the log lists it."""
    rows = await pc.call("log", mandate=MANDATE)
    return [row["kind"] for row in rows if row["kind"] in ("owner", "give")]


async def home(pc: Pc, path: str) -> list[str]:
    rows = await pc.call("mandate.files", mandate=MANDATE)
    return [row["name"] for row in rows if path in [one["path"] for one in row["files"]]]


@pytest.mark.asyncio
async def test_a_files_home_moves_by_its_owners_or_an_admins_signed_word(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll", "payroll", "invoicing") as (one, two, three, four):
        two.save("Pay.ecs", "old")
        for pc in (one, three, four):
            await pc.has("Pay.ecs", "old")
        moved = {"file": "Pay.ecs", "mandate": MANDATE}
        with pytest.raises(NotAllowed, match=r"belongs to pc2: only from there, or by an admin.* Ask pc2 or pc1"):
            await three.call("migrate", to="pc3", **moved)
        with pytest.raises(NotAllowed, match=r"cannot go to pc4, whose role is invoicing.* payroll.* ask pc1"):
            await two.call("migrate", to="pc4", **moved)
        with pytest.raises(UsageError, match="this device already"):
            await two.call("migrate", to="pc2", **moved)
        told = await two.call("migrate", to="pc3", **moved)
        assert (told["path"], told["name"], told["device"]) == ("Pay.ecs", "pc3", three.device)

        async def all_know() -> bool:
            return [await home(pc, "Pay.ecs") for pc in (one, two, three, four)] == [["pc3"]] * 4

        await until(all_know, "it is another PC's now, for all")
        with pytest.raises(NotAllowed, match="belongs to pc3"):
            await two.call("migrate", to="pc2", **moved)
        with pytest.raises(P2PSyncError, match="never held"):
            await one.call("migrate", file="none.ecs", to="pc3", mandate=MANDATE)
        with pytest.raises(UsageError, match="is not attached"):
            await one.call("migrate", file="Pay.ecs", to="pc3")
        assert (await one.call("migrate", to="pc4", **moved))["name"] == "pc4"
        assert sorted(await kinds(one)) == ["give", "owner"]


@pytest.mark.asyncio
async def test_where_only_admins_attach_others_are_refused_and_what_is_attached_stays(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll", person="Anna") as (one, two):
        files = [tmp_path / "books" / name for name in ("Cargo.crp", "Other.crp")]
        files[0].parent.mkdir()
        for file in files:
            file.write_text(WHOLE, newline="")
        await two.call("attach", mandate=MANDATE, files=[str(files[0])])
        assert {"attach": "admins"} in await one.call("rules.attach", mandate=MANDATE, who="admins")

        async def knows() -> bool:
            return {"attach": "admins"} in await two.call("rules", mandate=MANDATE)

        await until(knows, "the rule has come")
        whom = r"only admins attach and detach files\. Ask pc1 \(Anna\)"
        with pytest.raises(NotAllowed, match=whom):
            await two.call("attach", mandate=MANDATE, files=[str(files[1])])
        with pytest.raises(NotAllowed, match=whom):
            await two.call("detach", file=str(files[0]))
        with pytest.raises(NotAllowed):
            await two.call("rules.attach", mandate=MANDATE, who="all")
        with pytest.raises(UsageError, match="neither admins nor all"):
            await one.call("rules.attach", mandate=MANDATE, who="everybody")
        files[0].write_text(WHOLE.replace("first", "second"), newline="")
        await one.has("Cargo.crp", WHOLE.replace("first", "second"))
        assert [row["file"] for row in await two.call("attached")] == [str(files[0])]
        await one.call("attach", mandate=MANDATE, files=[str(files[1])])
        await one.call("detach", file=str(files[1]))
        abouts = [row["about"] for row in await one.call("log", mandate=MANDATE) if row["kind"] == "attach"]
        assert abouts == ["admins"]
        rules = await one.call("rules.attach", mandate=MANDATE, who="all")
        assert [rule for rule in rules if "attach" in rule] == []

        async def is_free() -> bool:
            return {"attach": "admins"} not in await two.call("rules", mandate=MANDATE)

        await until(is_free, "everybody may again")
        await two.call("detach", file=str(files[0]))
