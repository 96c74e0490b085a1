"""Bookkeeping by the command line, with a real daemon."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

from p2psync.books import synthetic
from p2psync.books.synthetic_master import master_records, master_xml
from tests.cli.machine import Machine, until

INVOICES = synthetic.entries_name("Books", 2025, "ecf")
CHART = "Books 2025.crp"


def test_a_chart_is_shown_bookings_are_checked_and_counted(office: Machine) -> None:
    (office.folder / CHART).write_bytes(synthetic.chart(2025, 60, Random(1)))
    bad = synthetic.entries("ECF", 9, Random(1)).replace(b"\t1100\t", b"\t5999\t")
    (office.folder / INVOICES).write_bytes(bad)
    until(lambda: any(row["file"] == INVOICES for row in office.ask("pending", "Cargo")), "it is counted")
    said = office.run("pending", "Cargo").out
    assert "+9" in said
    shown = office.run("chart", "show", "Cargo", CHART).out
    assert "1100" in shown
    assert "2200" in office.run("chart", "show", "Cargo", CHART, "--vat").out
    assert "Büro Bern" in office.run("chart", "show", "Cargo", CHART, "--centers").out
    checked = office.run("check", "Cargo", INVOICES)
    assert checked.code == 3
    assert "account 5999 is not in the chart" in checked.out
    assert office.run("check", "Cargo", CHART).code == 0
    until(lambda: office.ask("status")["mandates"][0]["pending"] >= 9, "status counts them")
    assert "to post: p2psync pending Cargo" in office.run("status").out
    assert "published" in office.run("pending", "Cargo", "--all").out
    assert "+9" in office.run("pending").out
    assert "CREDIT" in office.run("pending", "--lines").out
    marked = office.run("posted", "Cargo", INVOICES)
    assert marked.code == 0
    assert INVOICES in marked.out
    assert INVOICES not in office.run("pending", "Cargo").out
    assert "posted by office" in office.run("pending", "Cargo", "--all").out
    assert "marked as posted" in office.run("log", "Cargo").out
    undone = office.run("posted", "Cargo", INVOICES, "--undo")
    assert "is not marked as posted any more" in undone.out
    assert office.run("posted", "Cargo", INVOICES, "--undo").code == 2
    missing = office.run("chart", "show", "Cargo", "none.crp")
    assert missing.code == 2
    assert CHART in missing.err


def test_master_data_are_imported_shown_and_changed(office: Machine, tmp_path: Path) -> None:
    export = tmp_path / "export.xml"
    export.write_bytes(master_xml(master_records(30, Random(1))))
    assert "Nothing was taken over" in office.run("chart", "import", "Cargo", str(export), "--dry-run").out
    taken = office.run("chart", "import", "Cargo", str(export), "--format", "xml")
    assert (taken.code, "39 records: +" in taken.out) == (0, True)
    shown = office.run("chart", "show", "Cargo", "master-data.p2pmaster", "--terms", "--centers")
    assert "PAYMENT TERM" in shown.out
    assert "COST CENTRE" in shown.out
    assert office.run("chart", "set", "Cargo", "account", "1000", "cash", "true").code == 1
    assert "account.cash" in office.run("rules", "Cargo", "--open", "account.cash").out
    assert "cash=true" in office.run("chart", "set", "Cargo", "account", "1000", "cash", "true").out
    assert "only after the master marked" in office.run("chart", "remove", "Cargo", "account", "1000").err
    office.run("chart", "import", "Cargo", str(export), "--follow")
    assert f"taken over by itself from {export}" in office.run("chart", "show", "Cargo", "master-data.p2pmaster").out
    assert str(export) in office.run("chart", "unfollow", "Cargo").out
    export.write_bytes(master_xml(master_records(20, Random(1))))
    dropping = office.run("chart", "import", "Cargo", str(export))
    assert dropping.code == 1
    assert "--keep-missing" in dropping.err


WRONG_COMMANDS = [
    ("detach {dir}/none.crp", 2, "is not attached"),
    ("migrate none.ecs --mandate Cargo --to home", 1, "never held a file"),
    ("migrate none.ecs --to home", 2, "is not attached"),
    ("deliver Nowhere", 2, "no mandate called Nowhere"),
    ("deliver Cargo none.ecf", 2, "is not attached"),
    ("pending Nowhere", 2, "no mandate called Nowhere"),
    ("posted Cargo none.ecf", 1, "p2psync pending Cargo --all"),
    ("posted Cargo --undo", 2, "Name the file"),
    ("posted Cargo none.ecf --undo", 2, "was not marked as posted"),
    ("check Cargo none.ecf", 1, "no file of bookings"),
    ("chart show Nowhere", 2, "no mandate called Nowhere"),
    ("chart import Cargo {dir}/none.xml", 2, "cannot be read"),
    ("chart import Cargo {dir}", 2, "directory"),
    ("chart import Cargo {dir}/pipe.xml", 2, "not a regular file"),
    ("chart import Cargo {export} --format pdf", 2, "Choose one of xml, csv"),
    ("chart set Cargo acount 1 cash true", 2, "Choose one of: account"),
    ("chart set Cargo account 424242 cash true", 2, "There is no account 424242"),
    ("chart remove Cargo account 424242", 2, "There is no account 424242"),
    ("period Cargo --freeze 20x5", 2, "Write a year like 2025"),
    ("period Cargo --freeze 2025-12-31..2025-01-01", 2, "Write a year like 2025"),
    ("period Cargo --unfreeze 2001", 2, "is not frozen"),
    ("period Cargo --current-until 2025-02-30", 2, "Write one like 2025-06-30"),
    ("sync Cargo --only nonsense", 2, "master or entries"),
    ("sync Cargo --timeout soon", 2, "Write 90s"),
    ("history --run x", 2, "p2psync history"),
    ("history --run 99999999999999999999999", 2, "There is no run"),
    ("overview Cargo", 2, "p2psync overview --help"),
    ("rules Cargo --set x", 2, "PATTERN=MODE"),
    ("rules Cargo --set *.crp=wrong", 2, "Choose one of prefer"),
    ("rules Cargo --set *.crp=enforce:nobody", 2, "accounting or owner"),
    ("rules Cargo --open account.number", 2, "Write one like"),
    ("attach {dir} --mandate Cargo", 2, "is a folder"),
    ("attach {dir}/pipe.xml --mandate Cargo", 2, "no ordinary file"),
    ("attach {dir}/none.crp --mandate Cargo", 2, "no file called none.crp"),
    ("attach {dir}/no/none.crp --mandate Cargo", 2, "is not there"),
    ("attach {export} --mandate Cargo --role cook", 2, "Choose one of accounting"),
    ("attach {export} --mandate Cargo --use ours", 2, "mine or theirs"),
    ("attach {export} --mandate Cargo --ask --checked", 2, "choose one"),
]


def test_what_is_wrong_is_told_with_what_to_do(office: Machine, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.xml")
    export = tmp_path / "export.xml"
    export.write_bytes(master_xml(master_records(3, Random(1))))
    for text, code, sentence in WRONG_COMMANDS:
        words = [word.format(dir=tmp_path, export=export) for word in text.split()]
        result = office.run(*words)
        assert (result.code, result.out) == (code, ""), words
        assert sentence in result.err, (words, result.err)
        assert "Traceback" not in result.err


FORBIDDEN_COMMANDS = [
    ("chart import Cargo {export}", "only a device with the role accounting"),
    ("period Cargo --freeze 2025", "no admin of Cargo"),
    ("period Cargo --current-until 2025-06-30", "Only a device with the role accounting"),
    ("rules Cargo --set *.crp=enforce", "no admin of Cargo"),
    ("rules Cargo --open account.cash", "no admin of Cargo"),
]


def test_what_a_device_has_no_right_to_is_refused_with_whom_to_ask(home: Machine, tmp_path: Path) -> None:
    export = tmp_path / "export.xml"
    export.write_bytes(master_xml(master_records(3, Random(1))))
    for text, sentence in FORBIDDEN_COMMANDS:
        result = home.run(*(word.format(export=export) for word in text.split()))
        assert (result.code, sentence in result.err) == (1, True), (text, result.err)
        assert "Traceback" not in result.err


EXPORTS: dict[str, tuple[bytes, str]] = {
    "empty.xml": (b"", "The file is empty"),
    "bytes.xml": (bytes(range(256)), "it is no text"),
    "wide.xml": ("\ufeff<master-export/>".encode("utf-16-le"), "Save it as UTF-8"),
    "bomb.xml": (b'<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;">]><a>&c;</a>', "<!DOCTYPE"),
    "outside.xml": (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>', "<!DOCTYPE"),
    "deep.xml": (b"<a>" * 10_000 + b"</a>" * 10_000, "deep"),
    "big.xml": (b"<a>" + bytes(17 << 20), "the limit"),
    "other.xml": (b"<html/>", "<master-export"),
    "torn.xml": (b'<master-export version="1">\n<accounts>\n', "Line 3"),
    "encoding.xml": (b'<?xml version="1.0" encoding="UTF-8"?>\n<a>\xff</a>', "Line 2"),
    "empty.csv": (b"", "The file is empty"),
    "other.csv": (b"\xff\xd8\xff\xe0 a picture", "record and number"),
}


def test_what_is_no_export_is_refused_whole(office: Machine, tmp_path: Path) -> None:
    before = office.run("chart", "show", "Cargo", "--json").out
    for name, (data, sentence) in EXPORTS.items():
        (tmp_path / name).write_bytes(data)
        result = office.run("chart", "import", "Cargo", str(tmp_path / name))
        assert (result.code, result.out) == (1, ""), name
        assert sentence in result.err, (name, result.err)
        assert "Traceback" not in result.err
    spoken = office.run("--lang", "fr", "chart", "import", "Cargo", str(tmp_path / "torn.xml")).err
    assert "ne peut pas être lu : Ligne 3 : ce n'est pas du XML entier" in spoken
    assert office.run("chart", "show", "Cargo", "--json").out == before


HEAD = "record;number;name.fr;type;side;net-days;discount-1-days;discount-1-percent;blocked-from\r\n"
MISTAKES = {
    "payment-term;123456789;;;debtor;30;;;": "Line 3: number has more than 8 characters",
    "account;1;a;A;;;;;": "Line 3: 1 is there twice, first in line 2",
    "account;2;a;A;;;;;31.02.2025": "Line 3: blocked-from cannot be 31.02.2025. Write a day",
    "payment-term;30N;;;debtor;30;;2;": "Line 3: 30N has discount-1-percent, but no discount-1-days",
    "account;2;a;Z;;;;;": "Line 3: type cannot be Z. Write one of: A, L, R, E, C",
    "account;2;;A;;;;;": "Line 3: 2 has no name",
}


def test_an_export_with_one_mistake_changes_nothing_and_names_its_line(office: Machine, tmp_path: Path) -> None:
    before = office.run("chart", "show", "Cargo", "master-data.p2pmaster", "--json")
    export = tmp_path / "export.csv"
    for row, sentence in MISTAKES.items():
        export.write_text(f"{HEAD}account;1;a;A;;;;;\r\n{row}\r\n", newline="")
        result = office.run("chart", "import", "Cargo", str(export), "--keep-missing")
        assert (result.code, sentence in result.out) == (1, True), result.out
        assert "1 mistake: nothing was taken over" in result.out
    after = office.run("chart", "show", "Cargo", "master-data.p2pmaster", "--json")
    assert (after.code, after.out) == (before.code, before.out)
