"""Master data in a mandate: only accounting states them, open fields merge, and every member has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.books.export import Record, RecordKind
from p2psync.books.master import Key, MasterData, edited, imported, records_of
from p2psync.books.master_files import STATED_FILE, changed_file
from p2psync.core.ids import MandateId, content_of, parse_mandate
from p2psync.daemon.programs import mastering as module
from p2psync.daemon.programs.mastering import Make, Mastering
from p2psync.errors import NotAllowed
from tests.daemon.homes import MANDATE, Pc, company
from tests.daemon.patience import until

CASH = Key(RecordKind.ACCOUNT, "1000")


def stating(**fields: str) -> Make:
    record = Record(*CASH, {"name.fr": "Caisse", **fields})
    return lambda known: imported(known.data, [record], known.device)


def changing(value: str) -> Make:
    return lambda known: edited(known.data, CASH, "cash", value, known.device, known.open_fields)


async def of(pc: Pc) -> tuple[Mastering, MandateId]:
    return pc.running.mastering, parse_mandate((await pc.status())["id"])


async def cash(pc: Pc) -> str | None:
    mastering, mandate = await of(pc)
    known = await mastering.known(mandate)
    found = records_of(known.data, known.open_fields).get(CASH)
    return found.fields.get("cash") if found is not None else None


async def is_seen(pc: Pc, value: str | None) -> None:
    async def holds() -> bool:
        return await cash(pc) == value

    await until(holds, f"{pc.name} sees {value}")


@pytest.mark.asyncio
async def test_what_the_master_states_is_on_every_pc_and_nobody_else_may_state_it(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll", "reader") as (one, two, three):
        mastering, mandate = await of(one)
        known = await mastering.state(mandate, stating(cash="true"))
        assert known.content == content_of((one.folder / STATED_FILE).read_bytes())
        again = await mastering.state(mandate, stating(cash="true"))
        assert again == known, "the same export writes nothing"
        for pc in (two, three):
            await is_seen(pc, "true")
            theirs, _ = await of(pc)
            with pytest.raises(NotAllowed, match="only a device with the role accounting"):
                await theirs.state(mandate, stating(cash="false"))
        assert await cash(one) == "true"


@pytest.mark.asyncio
async def test_a_master_file_that_somebody_else_writes_is_refused_and_comes_back(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        mastering, mandate = await of(one)
        await mastering.state(mandate, stating(cash="true"))
        await is_seen(two, "true")
        stated = (one.folder / STATED_FILE).read_bytes()
        two.save(STATED_FILE, b"forged")
        await two.has(STATED_FILE, stated)
        (two.folder / STATED_FILE).unlink()
        await two.has(STATED_FILE, stated)
        assert one.read(STATED_FILE) == stated
        codes = {problem["code"] for problem in (await two.status())["problem_list"]}
        assert "edit-refused" in codes


@pytest.mark.asyncio
async def test_open_fields_of_several_pcs_merge_and_hold_until_the_master_changes_its_own(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll", "invoicing", "reader") as (one, two, three, reader):
        mastering, mandate = await of(one)
        await mastering.state(mandate, stating(cash="false"))
        await is_seen(two, "false")
        with pytest.raises(NotAllowed, match="belongs to the master"):
            await (await of(two))[0].change(mandate, changing("true"))
        await one.call("rules.open", mandate=MANDATE, fields="account.cash")
        await two.in_sync()

        async def is_open() -> bool:
            return bool((await (await of(two))[0].known(mandate)).open_fields)

        await until(is_open, "the rules are there")
        await (await of(two))[0].change(mandate, changing("true"))
        for pc in (one, two, three):
            await is_seen(pc, "true")
        await (await of(three))[0].change(mandate, changing("false"))
        for pc in (one, two, three):
            await is_seen(pc, "false")
        await mastering.state(mandate, stating(cash="false", blocked="true"))
        await is_seen(two, "false")
        await mastering.state(mandate, stating(cash="true"))
        for pc in (one, two, three):
            await is_seen(pc, "true")
        await is_seen(reader, "true")
        with pytest.raises(NotAllowed, match="role of this device"):
            await (await of(reader))[0].change(mandate, changing("true"))
        names = {changed_file(pc.running.identity.device) for pc in (two, three)}
        assert {name for name in one.files() if name.startswith("master-data.")} == {STATED_FILE, *names}


@pytest.mark.asyncio
async def test_rules_that_do_not_protect_the_files_are_said(tmp_path: Path) -> None:
    async with company(tmp_path) as (one,):
        mastering, mandate = await of(one)
        await one.call("rules.set", mandate=MANDATE, setting="*.p2pmaster=newest")
        await one.call("rules.set", mandate=MANDATE, setting="*.p2pfields=newest")
        with pytest.raises(NotAllowed, match=r"p2psync rules Cargo --set '\*\.p2pmaster=enforce:accounting'"):
            await mastering.state(mandate, stating())
        with pytest.raises(NotAllowed, match=r"\*\.p2pfields=enforce:owner"):
            await mastering.change(mandate, lambda known: MasterData())


@pytest.mark.asyncio
async def test_two_accounting_pcs_that_import_apart_end_with_one_and_the_other_is_kept_and_listed(
    tmp_path: Path,
) -> None:
    async with company(tmp_path, "accounting") as (one, two):
        mastering, mandate = await of(one)
        await mastering.state(mandate, stating(cash="true"))
        await is_seen(two, "true")
        await one.in_sync(1)
        held = {}
        for pc, other, names in ((one, two, "Caisse du bureau"), (two, one, "Caisse du domicile")):
            await other.stop()
            if pc.node is None:
                await pc.start()
            known = await (await of(pc))[0].state(mandate, stating(cash="false", **{"name.de": names}))
            held[pc.name] = known.content
            await pc.stop()
        await one.start()
        await two.start()
        for pc in (one, two):
            await pc.in_sync(1)
        assert one.read(STATED_FILE) == two.read(STATED_FILE)
        stated = one.read(STATED_FILE)
        assert stated is not None
        stands = content_of(stated)
        assert stands in held.values()
        (lost,) = {content for content in held.values() if content is not None} - {stands}
        for pc in (one, two):
            (conflict,) = await pc.call("conflicts", mandate=MANDATE)
            assert conflict["path"] == STATED_FILE
            assert conflict["winner"]["content"] == stands.hex()
            assert [loser["content"] for loser in conflict["losers"]] == [lost.hex()]
            assert await cash(pc) == "false"
        loser = one if held[one.name] == lost else two
        await loser.call("conflicts.keep", mandate=MANDATE, path=STATED_FILE, keep="mine")
        await until(lambda: content_of(loser.read(STATED_FILE) or b"") == lost, "the other import stands")
        for pc in (one, two):
            await pc.has(STATED_FILE, loser.read(STATED_FILE))
            assert await pc.call("conflicts", mandate=MANDATE) == []


@pytest.mark.asyncio
async def test_a_deletion_is_dated_by_the_import_that_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with company(tmp_path) as (one,):
        mastering, mandate = await of(one)
        await mastering.state(mandate, stating(cash="true"))
        assert await mastering.deletions(mandate) == []
        made = (await mastering.state(mandate, stating(**{"deleted-by-master": "true"}))).content
        later = (await mastering.state(mandate, stating(**{"deleted-by-master": "true", "type": "A"}))).content
        (found,) = await mastering.deletions(mandate)
        assert found.key == CASH
        assert found.stated is not None
        assert found.stated.entry.content == made
        assert found.contents == {made, later}
        monkeypatch.setattr(module, "VERSIONS_READ_MAX", 2)
        (found,) = await mastering.deletions(mandate)
        assert found.stated is None, "it may have been deleted earlier"
