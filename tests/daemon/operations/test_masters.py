"""Importing master data, changing open fields and removing what was deleted, as a daemon answers."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any

import pytest

from p2psync.books import synthetic
from p2psync.errors import NotAllowed, P2PSyncError, UsageError
from tests.daemon.homes import MANDATE, Pc, company, pcs
from tests.daemon.patience import until

INVOICES = synthetic.entries_name("Cargo", 2025, "ecf")
HEAD = "record;number;name.fr;name.de;type;cash;blocked;side;deleted-by-master\r\n"
FIRST = HEAD + "account;1000;Caisse <1>;Kasse;A;true;;;\r\naccount;1100;Débiteurs;;A;;;;\r\n"


async def taken(pc: Pc, root: Path, text: str, **arguments: object) -> Any:
    file = root / "export.csv"
    file.write_bytes(text.encode("cp1252"))
    return (await pc.ask("chart.import", mandate=MANDATE, file=str(file), **arguments)).data


@pytest.mark.asyncio
async def test_an_import_says_what_changed_and_is_shown(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        dry = await taken(one, tmp_path, FIRST, dry_run=True)
        assert (dry["taken"], dry["new"]) == (False, 2)
        first = await taken(one, tmp_path, FIRST)
        assert (first["taken"], first["new"], first["changed"], first["deleted"]) == (True, 2, 0, 0)
        assert [(row["sign"], row["record"], row["number"]) for row in first["changes"]] == [
            ("+", "account", "1000"),
            ("+", "account", "1100"),
        ]
        renamed = HEAD + "account;1000;Coffre;Kasse;A;true;;;\r\naccount;1100;Débiteurs;;;;;;true\r\n"
        second = await taken(one, tmp_path, renamed + "payment-term;30N;;;;;;debtor;\r\n")
        assert [row["sign"] for row in second["changes"]] == ["~", "-", "+"]
        assert second["changes"][0]["fields"] == {"name.fr": {"before": "Caisse <1>", "after": "Coffre"}}
        shown = await one.call("chart", mandate=MANDATE)
        assert shown["file"] == "master-data.p2pmaster"
        assert [row["number"] for row in shown["accounts"]] == ["1000", "1100"]
        account = shown["accounts"][0]
        assert (account["names"], account["category"], account["cash"]) == (
            {"de": "Kasse", "fr": "Coffre"},
            "assets",
            True,
        )
        assert shown["accounts"][1]["deleted_by_master"] is True
        assert [row["side"] for row in shown["payment_terms"]] == ["debtor"]
        assert [row["code"] for row in shown["languages"]] == ["de", "fr"]
        assert (await taken(one, tmp_path, HEAD + "account;1100;Débiteurs;;A;;;;true\r\n", keep_missing=True))[
            "missing"
        ] == [{"record": "account", "number": "1000"}, {"record": "payment-term", "number": "30N"}]


@pytest.mark.asyncio
async def test_a_file_that_drops_accounts_or_has_mistakes_changes_nothing(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        await taken(one, tmp_path, FIRST)
        with pytest.raises(P2PSyncError, match="account 1100"):
            await taken(one, tmp_path, HEAD + "account;1000;Coffre;;A;;;;\r\n")
        many = "".join(f"account;{number};x;;A;;;;\r\n" for number in range(2000, 2020))
        await taken(one, tmp_path, FIRST + many)
        with pytest.raises(P2PSyncError, match=r"account 2009.*\+10"):
            await taken(one, tmp_path, FIRST)
        wrong = await one.ask(
            "chart.import", mandate=MANDATE, file=str(_file(tmp_path, HEAD + "account;1000;x;;Z;;;;\r\n"))
        )
        assert wrong.exit_code == 1
        assert isinstance(wrong.data, dict)
        assert (wrong.data["taken"], wrong.data["findings"][0]["line"]) == (False, 2)
        bomb = _file(tmp_path, '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><master-export version="1"/>')
        with pytest.raises(P2PSyncError, match="cannot be read"):
            await one.call("chart.import", mandate=MANDATE, file=str(bomb), format="xml")
        os.mkfifo(tmp_path / "pipe.xml")
        (tmp_path / "link.xml").symlink_to(tmp_path / "pipe.xml")
        for name in ("pipe.xml", "link.xml"):
            with pytest.raises(UsageError, match="cannot be read: not a regular file"):
                await one.call("chart.import", mandate=MANDATE, file=str(tmp_path / name))
        with pytest.raises(UsageError, match="cannot be read"):
            await one.call("chart.import", mandate=MANDATE, file=str(tmp_path / "none.xml"))
        names = {row["number"]: row["name"] for row in (await one.call("chart", mandate=MANDATE))["accounts"]}
        assert names["1000"] == "Kasse"
        assert len(names) == 22


def _file(root: Path, text: str) -> Path:
    file = root / "other.txt"
    file.write_text(text)
    return file


@pytest.mark.asyncio
async def test_all_that_a_record_states_is_shown(tmp_path: Path) -> None:
    records = {
        "accounts": {"type": "A", "collective": "debtor", "cost-type": "4", "blocked-from": "2025-07-01"},
        "cost_centres": {"unit": "h", "quantity": "1200", "postable-from": "2025-01-01", "postable-to": "2025-12-31"},
        "cost_objects": {"unit": "h", "project": "true", "blocked": "true"},
        "payment_terms": {"side": "debtor", "net-days": "30", "discount-2-days": "10", "discount-2-percent": "2.5"},
    }
    records["accounts"] |= {"default-cost-centre": "10", "cash": "true"}
    lines = ["<master-export version='1'>"]
    for name, fields in records.items():
        several, stated = name.replace("_", "-"), "".join(f" {key}='{value}'" for key, value in fields.items())
        one = f"<{several[:-1]} number='1'{stated}><name lang='fr'>A &lt;B&gt;</name></{several[:-1]}>"
        lines.append(f"<{several}>{one}</{several}>")
    export = tmp_path / "export.xml"
    export.write_text("\n".join([*lines, "</master-export>"]))
    async with pcs(tmp_path, "one") as (pc,):
        await pc.create()
        await pc.call("chart.import", mandate=MANDATE, file=str(export))
        shown = await pc.call("chart", mandate=MANDATE)
    for name, fields in records.items():
        (row,) = shown[name]
        assert row["names"] == {"fr": "A <B>"}
        told = {key: row[key.replace("-", "_")] for key in fields}
        assert told == {key: True if value == "true" else value for key, value in fields.items()}


@pytest.mark.asyncio
async def test_open_fields_are_set_and_only_what_is_deleted_can_be_removed(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        await taken(one, tmp_path, FIRST)
        account = {"mandate": MANDATE, "record": "account", "number": "1000"}
        with pytest.raises(NotAllowed, match="belongs to the master"):
            await one.call("chart.set", **account, field="cash", value="false")
        rules = await one.call("rules.open", mandate=MANDATE, fields=" account.cash ,payment-term.blocked")
        assert rules[-1] == {"open_fields": ["account.cash", "payment-term.blocked"]}
        with pytest.raises(UsageError, match="no field of master data"):
            await one.call("rules.open", mandate=MANDATE, fields="account.colour")
        changed = await one.call("chart.set", **account, field="cash", value="no")
        assert changed["fields"]["cash"] == "false"
        with pytest.raises(UsageError, match="no kind of record"):
            await one.call("chart.set", **{**account, "record": "person"}, field="cash", value="no")
        with pytest.raises(NotAllowed, match="only after the master marked it"):
            await one.call("chart.remove", **account)
        await taken(one, tmp_path, FIRST.replace(";true;;;\r\n", ";true;;;true\r\n"))
        assert (await one.call("chart.remove", **account))["number"] == "1000"
        assert [row["number"] for row in (await one.call("chart", mandate=MANDATE))["accounts"]] == ["1100"]
        back = await taken(one, tmp_path, FIRST)
        assert [row["sign"] for row in back["changes"]] == ["+"]
        assert (await one.call("rules.open", mandate=MANDATE, fields=""))[-1].get("open_fields") is None


@pytest.mark.asyncio
async def test_bookings_are_held_to_imported_master_data_where_there_is_no_chart(tmp_path: Path) -> None:
    async with pcs(tmp_path, "one") as (one,):
        await one.create()
        one.save(INVOICES, synthetic.entries("ECF", 12, Random(3)))
        await one.holds(1)
        (row,) = await one.call("check", mandate=MANDATE)
        assert (row["checks"], row["count"]) == ([], 0)
        await taken(one, tmp_path, HEAD + "account;1000;Caisse;;A;;true;;\r\n")
        answer = await one.ask("check", mandate=MANDATE)
        assert answer.exit_code == 3
        assert isinstance(answer.data, list)
        (row,) = answer.data
        assert row["checks"] == ["accounts"]
        assert {finding["code"] for finding in row["findings"]} & {"debit-unknown", "credit-unknown"}
        one.save("Cargo 2025.crp", synthetic.chart(2025, 60, Random(1)))
        await one.holds(3)
        assert all(row["count"] == 0 for row in await one.call("check", mandate=MANDATE)), "the chart counts"
        shown = await one.call("mandate.show", mandate=MANDATE)
        assert shown["checks"] == ["accounts", "dates", "vat-codes"]
        await taken(one, tmp_path, HEAD + "account;1000;Caisse;;A;;true;;\r\npayment-term;30N;;;;;;debtor;\r\n")
        shown = await one.call("chart", mandate=MANDATE)
        assert (shown["file"], shown["others"]) == ("Cargo 2025.crp", ["master-data.p2pmaster"])
        assert len(shown["accounts"]) > 10
        assert [row["number"] for row in shown["payment_terms"]] == ["30N"], "no .crp has any"
        shown = await one.call("chart", mandate=MANDATE, file="Cargo 2025.crp")
        assert shown["payment_terms"] == [], "of the file that was asked for"
        shown = await one.call("chart", mandate=MANDATE, file="master-data.p2pmaster")
        assert shown["others"] == ["Cargo 2025.crp"]


@pytest.mark.asyncio
async def test_a_deletion_is_told_with_when_and_how_many_know_it(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await taken(one, tmp_path, FIRST)
        await two.holds(1)
        await two.stop()
        await taken(one, tmp_path, FIRST.replace("Débiteurs;;A;;;;", "Débiteurs;;A;;;;true"))
        shown = await one.call("chart", mandate=MANDATE)
        told = {"record": "account", "number": "1100", **shown["saved"]}
        assert shown["deletions"] == [{**told, "confirmed": 0}], "nobody else knows of it"
        await two.start()

        async def confirmed() -> bool:
            rows = (await one.call("chart", mandate=MANDATE))["deletions"]
            return bool(rows == [{**told, "confirmed": 1}])

        await until(confirmed, "the deletion, confirmed")
        await taken(one, tmp_path, FIRST)
        assert (await one.call("chart", mandate=MANDATE))["deletions"] == []
