"""Mandates as people handle them: made, shown, renamed, shared, left; their rules and known addresses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from p2psync.daemon.operations.mandates import checked_name, default_folder, folder_name
from p2psync.errors import FolderError, NotAllowed, UsageError
from tests.daemon.homes import company, pcs
from tests.daemon.patience import until
from tests.daemon.program_files import chart


@pytest.mark.asyncio
async def test_a_new_mandate_is_local_and_lies_among_the_documents(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        made = await pc.call("mandate.create", name="Cargo AG")
        folder = pc.config.documents / "Cargo AG.crsync"
        expected = {"name": "Cargo AG", "state": "local", "role": "accounting", "folder": str(folder)}
        assert {key: made[key] for key in expected} == expected
        assert folder.is_dir()
        assert await pc.call("mandate.list") == [made]
        assert made["members"] == 1
        shown = await pc.call("mandate.show", mandate="cargo ag")
        assert shown["rules"][0] == {
            "pattern": "*.crp",
            "class": "master data",
            "mode": "prefer",
            "master": "accounting",
            "parts": {
                **dict.fromkeys(("accounting", "invoicing", "payroll", "banking"), "changes"),
                **dict.fromkeys(("reader", "keeper"), "receives"),
            },
        }


@pytest.mark.asyncio
async def test_a_folder_that_cannot_be_used_leaves_no_mandate(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        inside = pc.folder / "inside"
        long = tmp_path / ("x" * 256)
        for folder, reason in (
            (inside, "lie in one another"),
            (tmp_path / "Dropbox" / "x", "Dropbox"),
            (long, "name too long"),
        ):
            with pytest.raises(FolderError, match=reason):
                await pc.call("mandate.create", name="Other", folder=str(folder))
            assert not os.path.exists(folder)
        assert len(await pc.call("mandate.list")) == 1


@pytest.mark.asyncio
async def test_what_cannot_be_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        other = str(tmp_path / "other")
        for wrong in (
            {"name": "Cargo"},
            {"name": " "},
            {"name": "x", "role": "boss"},
            {"name": "x", "restrict": ["*.ecs"]},
            {"name": "x", "fodler": "y"},
        ):
            with pytest.raises(UsageError):
                await pc.call("mandate.create", **{"folder": other, **wrong})
        assert not Path(other).exists()
        for name in ("", " ", "a\nb"):
            for call, given in (("mandate.create", {"folder": other}), ("mandate.rename", {"mandate": "Cargo"})):
                with pytest.raises(UsageError, match="1 to 200 characters that can be shown"):
                    await pc.call(call, name=name, **given)


@pytest.mark.asyncio
async def test_a_mandate_begins_with_the_files_of_its_accounting(tmp_path: Path) -> None:
    books = tmp_path / "books"
    books.mkdir()
    index = b"#FSC\t9.3\tECC\r\n#ECF\t1; 05/01/2025 09:00:00; Sales.ecf; 1\r\n#END\r\n"
    for name, data in {"Cargo.cre": b"\0", "Cargo.crp": chart("Cargo"), "Cargo.ecc": index, "Sales.ecf": b""}.items():
        (books / name).write_bytes(data)
    async with pcs(tmp_path, "pc") as (pc,):
        made = await pc.call("mandate.create", name="Cargo", folder=str(pc.folder), accounting=str(books / "Cargo.cre"))
        assert (made["state"], made["role"], made["refused"]) == ("local", "accounting", [])
        assert [one["path"] for one in made["attached"]] == ["Cargo.crp", "Cargo.ecc", "Sales.ecf"]
        await pc.has("Cargo.crp", chart("Cargo"))
        with pytest.raises(UsageError, match="is attached to a mandate already"):
            await pc.ask("mandate.create", name="Other", accounting=str(books / "Cargo.crp"))
        with pytest.raises(UsageError, match="has the role accounting"):
            await pc.ask("mandate.create", name="Other", role="payroll", accounting=str(books / "Cargo.crp"))
        with pytest.raises(UsageError, match="is no file of accounting"):
            await pc.ask("mandate.create", name="Other", accounting=str(books / "Sales.ecf"))
        (tmp_path / "Dropbox").mkdir()
        (tmp_path / "Dropbox" / "Away.crp").write_bytes(chart("Away"))
        with pytest.raises(FolderError, match="Dropbox"):
            await pc.ask("mandate.create", name="Other", accounting=str(tmp_path / "Dropbox" / "Away.crp"))
        assert len(await pc.call("mandate.list")) == 1, "nothing is made before the file is known to do"


@pytest.mark.asyncio
async def test_a_renamed_mandate_is_renamed_everywhere(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        assert (await one.call("mandate.rename", mandate="Cargo", name="Cargo AG"))["name"] == "Cargo AG"

        async def is_renamed() -> bool:
            return bool((await two.call("mandate.list"))[0]["name"] == "Cargo AG")

        await until(is_renamed)
        with pytest.raises(NotAllowed, match="admin"):
            await two.call("mandate.rename", mandate="Cargo AG", name="mine")


@pytest.mark.asyncio
async def test_leaving_keeps_the_folder_unless_it_is_wiped(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll", "payroll") as (one, two, three):
        one.save("a.txt", "a")
        await two.has("a.txt", "a")
        await three.has("a.txt", "a")
        with pytest.raises(UsageError, match="last admin"):
            await one.call("mandate.leave", mandate="Cargo")
        assert (await two.call("mandate.leave", mandate="Cargo"))["told"]
        assert two.files() == {"a.txt": b"a"}
        assert await two.call("mandate.list") == []
        await three.call("mandate.leave", mandate="Cargo", wipe=True)
        assert not three.folder.exists()
        one.save("a.txt", "changed")
        await one.in_sync(0)
        assert two.files() == {"a.txt": b"a"}


@pytest.mark.asyncio
async def test_leaving_says_whether_anybody_heard_of_it(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll", "payroll") as (one, two, three):
        await two.call("mandate.leave", mandate="Cargo")

        async def knows() -> bool:
            rows = await one.call("devices", mandate="Cargo")
            return {str(row["name"]): str(row["state"]) for row in rows}["pc2"] == "left"

        await until(knows)
        await one.stop()

        async def alone() -> bool:
            return not any(peer["connected"] for peer in (await three.status())["peers"])

        await until(alone)
        left = await three.call("mandate.leave", mandate="Cargo")
        assert (left["told"], left["name"], left["device"]) == (False, "Cargo", three.device)


@pytest.mark.asyncio
async def test_a_folder_that_was_left_can_be_used_again(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        pc.save("a.txt", "a")
        await pc.holds(1)
        await pc.call("mandate.leave", mandate="Cargo")
        await pc.create()
        await pc.holds(1)


@pytest.mark.asyncio
async def test_rules_are_shown_and_set(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create(restrict=["*.ecs=accounting,payroll"])
        rules = await pc.call("rules.set", mandate="Cargo", setting="*.crp=enforce:accounting")
        assert (rules[0]["pattern"], rules[0]["mode"]) == ("*.crp", "enforce")
        assert rules[-1] == {"pattern": "*.ecs", "readers": ["accounting", "payroll"]}
        assert await pc.call("rules", mandate="Cargo") == rules
        with pytest.raises(UsageError, match="is no mode"):
            await pc.call("rules.set", mandate="Cargo", setting="*.crp=strict")


@pytest.mark.asyncio
async def test_addresses_are_checked_and_listed(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        await pc.call("peer.add", mandate="Cargo", address="PC-Lohn.local:4000")
        listed = await pc.call("peer.add", mandate="Cargo", address="192.0.2.1:4000")
        assert listed == [{"address": "192.0.2.1:4000"}, {"address": "pc-lohn.local:4000"}]
        with pytest.raises(UsageError, match="HOST:PORT"):
            await pc.call("peer.add", mandate="Cargo", address="nowhere")
        with pytest.raises(UsageError, match="not among the known"):
            await pc.call("peer.remove", mandate="Cargo", address="192.0.2.2:4000")
        assert await pc.call("peer.remove", mandate="Cargo", address="192.0.2.1:4000") == listed[1:]


def test_names_that_cannot_be_shown_are_refused() -> None:
    assert checked_name("  Müller & Söhne ") == "Müller & Söhne"
    for name in ("", " ", "a\nb", "x" * 201):
        with pytest.raises(UsageError):
            checked_name(name)


def test_every_name_makes_a_folder_name() -> None:
    assert folder_name("Müller/Söhne: 2025?") == "Müller_Söhne_ 2025_.crsync"
    assert default_folder(Path("docs"), "Cargo") == Path("docs/Cargo.crsync")


@pytest.mark.asyncio
async def test_rules_tell_what_each_role_does_with_a_kind_of_files(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create(restrict=["*.ecs=payroll,accounting"])
        rows = {row["pattern"]: row.get("parts") for row in await pc.call("rules", mandate="Cargo") if "mode" in row}
        assert (rows["*.ecs"]["payroll"], rows["*.ecs"]["invoicing"]) == ("changes", "nothing")
        assert rows["*.p2pmaster"]["payroll"] == "receives"
        assert rows["*.crp"]["payroll"] == "changes"
        ruled = await pc.call("rules.set", mandate="Cargo", setting="*.crp=enforce")
        assert ruled[0]["parts"]["payroll"] == "receives"
