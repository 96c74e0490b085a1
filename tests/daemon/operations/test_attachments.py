"""Attach, detach, inbox, deliver and migrate, as they are asked for over the interface."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, cast

import pytest

from p2psync.books import synthetic
from p2psync.daemon.operations import attachments
from p2psync.daemon.programs import delivering
from p2psync.errors import FolderError, UsageError
from p2psync.i18n import said_in
from tests.daemon.homes import MANDATE, Pc, company
from tests.daemon.patience import until

WHOLE = b"MAJREV=9\r\nTITLE=%s\r\nENDOFFILE\r\n"


def book(root: Path, name: str = "Cargo.crp", title: bytes = b"first") -> Path:
    file = root / "books" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(WHOLE % title)
    return file


async def attach(pc: Pc, *files: Path, **arguments: object) -> Any:
    named = [str(file) for file in files]
    return (await pc.ask("attach", mandate=MANDATE, files=named, **arguments)).data


async def states(pc: Pc) -> dict[str, str]:
    return {row["path"]: row["state"] for row in await pc.call("attached", mandate=MANDATE)}


async def current(pc: Pc, *paths: str) -> None:
    async def are() -> bool:
        return await states(pc) == dict.fromkeys(paths, "current")

    await until(are, f"{paths} are up to date")


@pytest.mark.asyncio
async def test_files_are_attached_listed_and_detached(tmp_path: Path) -> None:
    async with company(tmp_path) as (one,):
        file = book(tmp_path)
        answer = await attach(one, file, role="payroll", ask=True)
        assert answer == {
            "attached": [{"file": str(file), "path": "Cargo.crp", "mode": "ask", "role": "payroll"}],
            **{"refused": [], "proposed": [], "missing": [], "twins": []},
        }
        await current(one, "Cargo.crp")
        (row,) = await one.call("attached")
        assert (row["file"], row["from"], row["mode"]) == (str(file), "pc1", "ask")
        assert row["published"] is not None
        assert row["delivered"] is None
        assert (await one.status())["inbox"] == 0
        with pytest.raises(UsageError, match="already"):
            await attach(one, file)
        told = await one.call("detach", file=str(file))
        assert told["path"] == "Cargo.crp"
        assert await one.call("attached") == []
        assert file.read_bytes() == one.read("Cargo.crp") == WHOLE % b"first"
        with pytest.raises(UsageError, match="is not attached"):
            await one.call("detach", file=str(file))


@pytest.mark.asyncio
async def test_some_may_be_refused(tmp_path: Path) -> None:
    async with company(tmp_path) as (one,):
        file, database = book(tmp_path), book(tmp_path, "Cargo.cre")
        with pytest.raises(UsageError, match=r"Attach what the program exchanges: Cargo.crp"):
            await attach(one, database)
        with pytest.raises(UsageError, match="p2psync chart import MANDATE FILE --follow"):
            await one.call("attach", mandate=MANDATE, files=["export.xml"], role="master-export")
        with pytest.raises(UsageError, match="Name the files"):
            await attach(one)
        with pytest.raises(UsageError, match="mine or theirs"):
            await attach(one, file, use="both")
        with pytest.raises(UsageError):
            await attach(one, file, role="nobody")
        result = await one.ask("attach", mandate=MANDATE, files=[str(database), str(file)])
        assert result.exit_code == 3
        assert [row["file"] for row in result.data["attached"]] == [str(file)]  # type: ignore[index]
        assert [row["file"] for row in result.data["refused"]] == [str(database)]  # type: ignore[index]
        inside = one.folder / "Inside.crp"
        inside.write_bytes(WHOLE % b"x")
        with pytest.raises(UsageError, match="exchanged already"):
            await attach(one, inside)


@pytest.mark.asyncio
async def test_the_siblings_of_an_exchange_file_are_proposed_and_attached_if_wanted(tmp_path: Path) -> None:
    async with company(tmp_path) as (one,):
        file = book(tmp_path)
        entries = file.with_name("Cargo.ecf")
        entries.write_bytes(b"#FSC\t9.5.0\tECF\r\n")
        index = file.with_name("Cargo.ecc")
        index.write_bytes(b"#FSC\t9.3\tECC\r\n#ECF\t1; 05/01/2025 09:00:00; Cargo.ecf; 1\r\n#END\r\n")
        assert (await attach(one, file, ask=True))["proposed"] == [str(index), str(entries)]
        answer = await attach(one, file, siblings=True)
        modes = {row["path"]: row["mode"] for row in answer["attached"]}
        assert modes == {"Cargo.crp": "ask", "Cargo.ecc": "auto", "Cargo.ecf": "auto"}, "one was attached before"
        assert answer["proposed"] == []
        await current(one, "Cargo.crp", "Cargo.ecc", "Cargo.ecf")


@pytest.mark.asyncio
async def test_what_others_made_is_delivered_where_no_file_is_yet(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save("Cargo.crp", WHOLE % b"first")
        await two.has("Cargo.crp", WHOLE % b"first")
        books = tmp_path / "books"
        books.mkdir()
        index = books / "Cargo.ecc"
        index.write_bytes(b"#FSC\t9.3\tECC\r\n#ECF\t1; 05/01/2025 09:00:00; Cargo.ecf; 1\r\n#END\r\n")
        answer = await attach(two, books / "Cargo.crp", index, use="theirs")
        assert (answer["refused"], answer["missing"]) == ([], [str(books / "Cargo.ecf")])
        await until(lambda: (books / "Cargo.crp").exists(), "it is delivered")
        assert (books / "Cargo.crp").read_bytes() == WHOLE % b"first"
        one.save("Other.ecf", b"#FSC\t9.5.0\tECF\r\n")
        await two.has("Other.ecf", b"#FSC\t9.5.0\tECF\r\n")
        assert (await attach(two, index, siblings=True))["missing"] == [str(books / "Cargo.ecf")]
        one.save("Cargo.ecf", b"#FSC\t9.5.0\tECF\r\n")
        await two.has("Cargo.ecf", b"#FSC\t9.5.0\tECF\r\n")
        answer = await attach(two, index, siblings=True)
        assert [row["path"] for row in answer["attached"]] == ["Cargo.ecc", "Cargo.ecf"]
        assert answer["missing"] == []
        await attach(two, books / "Other.ecf", ask=True)
        await until(lambda: _is_waiting(two), "it waits for a word")
        assert not (books / "Other.ecf").exists()
        assert await _counts(two) == (0, 0, 0)
        (row,) = await two.call("inbox")
        assert row["reason"] == f"it waits for your word: p2psync deliver {MANDATE}", "as one types it"
        (german,) = cast("list[dict[str, Any]]", said_in("de", [row]))
        assert german["reason"] not in ("", row["reason"]), "whoever asks in German is answered so"
        await two.call("deliver", mandate=MANDATE, file="Other.ecf")
        assert (books / "Other.ecf").exists()


async def _counts(pc: Pc) -> tuple[int | None, ...]:
    """What the one delivery that waits would change."""
    (row,) = await pc.call("inbox")
    return row["new"], row["changed"], row["removed"]


@pytest.mark.asyncio
async def test_what_a_delivery_would_change_is_counted_in_bookings(tmp_path: Path) -> None:
    async with company(tmp_path, "accounting") as (one, two):
        first = synthetic.entries("ECF", 8, Random(1))
        second = synthetic.edited_entries(first, Random(2), new=3, changed=2, removed=1)
        one.save("Cargo.ecf", first)
        await two.has("Cargo.ecf", first)
        file = tmp_path / "books" / "Cargo.ecf"
        file.parent.mkdir()
        file.write_bytes(first)
        await attach(two, file, ask=True)
        await current(two, "Cargo.ecf")
        for data, expected in ((second, (3, 2, 1)), (b"torn by hand", (None, None, None))):
            one.save("Cargo.ecf", data)

            async def waits(expected: object = expected) -> bool:
                return [(r["new"], r["changed"], r["removed"]) for r in await two.call("inbox")] == [expected]

            await two.has("Cargo.ecf", data)
            await until(waits, f"{expected} wait")
            (row,) = await two.call("inbox", lines=True)
            assert counted(row["lines"]) == expected
            assert row["left_out"] == 0
        assert "lines" not in (await two.call("inbox"))[0]


def counted(lines: list[dict[str, Any]] | None) -> tuple[int | None, ...]:
    """How many are new, changed and removed."""
    changes = ("new", "changed", "removed")
    return tuple(None if lines is None else sum(one["change"] == change for one in lines) for change in changes)


@pytest.mark.asyncio
async def test_only_so_many_lines_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "LINES_SHOWN", 2)
    async with company(tmp_path, "accounting") as (one, two):
        data = synthetic.entries("ECF", 8, Random(1))
        one.save("Cargo.ecf", data)
        await two.has("Cargo.ecf", data)
        file = tmp_path / "books" / "Cargo.ecf"
        file.parent.mkdir()
        await attach(two, file, ask=True)

        async def waits() -> bool:
            return [row["new"] for row in await two.call("inbox")] == [8]

        await until(waits, "they wait")
        (row,) = await two.call("inbox", lines=True)
        assert (row["left_out"], [line["before"] for line in row["lines"]]) == (6, [None, None])
        first = row["lines"][0]["after"]
        raw = data.decode("cp1252").splitlines()[first["line"] - 1].split("\t")
        assert [first[name] for name in ("debit", "credit", "text", "amount")] == [
            raw[at].strip() for at in (1, 2, 4, 5)
        ]


async def _is_waiting(pc: Pc) -> bool:
    return (await states(pc)).get("Other.ecf") == "waiting"


@pytest.mark.asyncio
@pytest.mark.parametrize(("use", "stands"), [("mine", b"mine"), ("theirs", b"theirs")])
async def test_another_file_of_that_name_is_a_question(tmp_path: Path, use: str, stands: bytes) -> None:
    async with company(tmp_path, "accounting") as (one, two):
        one.save("Cargo.crp", WHOLE % b"theirs")
        await two.has("Cargo.crp", WHOLE % b"theirs")
        file = book(tmp_path, title=b"mine")
        with pytest.raises(UsageError, match="--use"):
            await attach(two, file)
        await attach(two, file, use=use)
        await until(lambda: file.read_bytes() == WHOLE % stands, f"{stands!r} stands")
        await one.has("Cargo.crp", WHOLE % stands)
        assert await one.call("conflicts") == []
        kept = await two.call("versions", mandate=MANDATE, path="Cargo.crp")
        assert len({row["content"] for row in kept}) == 2


@pytest.mark.asyncio
async def test_what_waits_is_counted_and_delivered_by_name(tmp_path: Path) -> None:
    async with company(tmp_path, "accounting") as (one, two):
        one.save("Cargo.crp", WHOLE % b"first")
        await two.has("Cargo.crp", WHOLE % b"first")
        file = book(tmp_path)
        await attach(two, file, ask=True)
        await current(two, "Cargo.crp")
        one.save("Cargo.crp", WHOLE % b"second")

        async def waits() -> bool:
            return [row["path"] for row in await two.call("inbox")] == ["Cargo.crp"]

        await until(waits, "it waits")
        assert (await two.status())["inbox"] == 1
        with pytest.raises(UsageError, match="is not attached"):
            await two.call("deliver", mandate=MANDATE, file="Other.crp")
        (told,) = await two.call("deliver", mandate=MANDATE, file="Cargo.crp")
        assert told == {
            **{"path": "Cargo.crp", "file": str(file), "result": "delivered", "state": "current", "reason": ""},
        }
        assert file.read_bytes() == WHOLE % b"second"
        assert await one.call("deliver", mandate=MANDATE) == []


@pytest.mark.asyncio
async def test_a_folder_that_is_not_there_keeps_nothing(tmp_path: Path) -> None:
    async with company(tmp_path, "accounting") as (one, two):
        one.save("Cargo.crp", WHOLE % b"theirs")
        await two.has("Cargo.crp", WHOLE % b"theirs")
        mandate = next(iter(two.running.folders.roots()))
        await two.running.folders.close(mandate)
        with pytest.raises(FolderError, match="not there"):
            await attach(two, book(tmp_path, title=b"mine"), use="theirs")


@pytest.mark.asyncio
async def test_trouble_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bool:
        raise OSError(28, "No space left on device")

    async with company(tmp_path, "accounting") as (one, two):
        one.save("Cargo.crp", WHOLE % b"first")
        await two.has("Cargo.crp", WHOLE % b"first")
        file = book(tmp_path)
        await attach(two, file)
        await current(two, "Cargo.crp")
        monkeypatch.setattr(delivering, "prepare", full)
        one.save("Cargo.crp", WHOLE % b"second")

        async def told() -> bool:
            return ["disk is full" in row["reason"] for row in await two.call("inbox")] == [True]

        await until(told, "it is told")
        assert file.read_bytes() == WHOLE % b"first"
        result = await two.ask("deliver", mandate=MANDATE)
        assert (result.exit_code, result.data[0]["result"]) == (5, "held")  # type: ignore[index]
        assert "Make room on the disk" in result.data[0]["reason"]  # type: ignore[index]
        file.parent.rename(tmp_path / "away")

        async def gone() -> bool:
            return [row["reason"] for row in await two.call("attached")] == [
                f"{file.parent} is not there; p2psync goes on when it comes back"
            ]

        await until(gone, "that its folder is gone is told")
