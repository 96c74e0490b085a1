"""Programs' own files by the command line, with daemons of their own."""

from __future__ import annotations

from pathlib import Path

from tests.cli.machine import Machine, until

WHOLE = "MAJREV=9\r\nTITLE={}\r\nENDOFFILE\r\n"


def test_a_file_goes_from_program_to_program(office: Machine, home: Machine, tmp_path: Path) -> None:
    mine, theirs = tmp_path / "office.crp", tmp_path / "home" / "office.crp"
    theirs.parent.mkdir()
    mine.write_text(WHOLE.format("first"), newline="")
    result = office.run("attach", str(mine), "--mandate", "Cargo")
    assert (result.code, result.out) == (0, f"Attached: {mine}, what arrives is delivered\n")
    until(lambda: home.read("office.crp") is not None, "it arrived")
    theirs.write_text(WHOLE.format("first"), newline="")
    assert home.run("attach", str(theirs), "--mandate", "Cargo", "--ask").code == 0
    until(lambda: [row["state"] for row in home.ask("attach")] == ["current"], "both agree")
    assert home.run("inbox").out.startswith("Nothing waits")
    mine.write_text(WHOLE.format("second"), newline="")
    until(lambda: home.ask("inbox", "Cargo") != [], "it waits")
    assert "waits for you" in home.run("inbox").out
    assert [row["lines"] for row in home.ask("inbox", "Cargo", "--lines")] == [None], "a chart has no bookings"
    assert "first" in theirs.read_text()
    result = home.run("deliver", "Cargo", str(theirs))
    assert (result.code, result.out) == (0, f"delivered: {theirs}\n1 file delivered.\n")
    assert "second" in theirs.read_text()
    until(lambda: "up to date" in home.run("attach", "--mandate", "Cargo").out, "it was looked at after it stood still")
    for machine, file in ((office, mine), (home, theirs)):
        result = machine.run("detach", str(file))
        assert (result.code, result.out) == (0, f"Detached: {file}. It stays as it is.\n")


def test_new_periods_files_may_be_kept_from_joining(office: Machine, tmp_path: Path) -> None:
    result = office.run("attach", "--mandate", "Cargo", "--no-follow")
    assert (result.code, "do not join Cargo" in result.out) == (0, True)
    file = tmp_path / "Year.crp"
    file.write_text(WHOLE.format("year"), newline="")
    result = office.run("attach", str(file), "--mandate", "Cargo", "--follow")
    assert (result.code, result.out) == (0, f"Attached: {file}, what arrives is delivered\n")
    until(lambda: [row["follows"] for row in office.ask("attach")] == [True], "files join again")
    assert office.run("detach", str(file)).code == 0
    result = office.run("attach", "--follow")
    assert (result.code, "--mandate" in result.err) == (2, True)


def test_what_is_wrong_is_told(office: Machine, tmp_path: Path) -> None:
    database = tmp_path / "Cargo.cre"
    database.write_bytes(b"x")
    result = office.run("attach", str(database), "--mandate", "Cargo")
    assert result.code == 2
    assert "keeps open" in result.err
    result = office.run("attach", str(database))
    assert (result.code, "--mandate" in result.err) == (2, True)
    assert office.run("detach", str(database)).code == 2
    assert "No file is attached" in office.run("deliver", "Cargo").out


def test_a_files_home_moves(office: Machine) -> None:
    office.save("Pay.ecs", "x")
    until(lambda: "Pay.ecs" in [row["path"] for row in office.ask("log", "Cargo")], "it is known")
    result = office.run("migrate", "Pay.ecs", "--mandate", "Cargo", "--to", "home")
    assert (result.code, result.out) == (0, "Pay.ecs belongs to home now.\n")


def test_who_may_not_give_a_file_away_is_told_whom_to_ask(office: Machine, home: Machine) -> None:
    home.save("Wages.ecs", "x")
    office.has("Wages.ecs", "x")
    result = home.run("migrate", "Wages.ecs", "--mandate", "Cargo", "--to", "office")
    assert (result.code, result.out) == (1, "")
    assert "whose role is accounting" in result.err
    assert "ask office" in result.err
