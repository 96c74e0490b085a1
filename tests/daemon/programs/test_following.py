"""A new accounting period's files are found by their names and by what their charts say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from p2psync.core.ids import MandateId
from p2psync.core.relpath import parse
from p2psync.daemon.programs import bridging
from p2psync.daemon.programs.following import Following
from p2psync.engine.bridge import Attachment, Mode
from tests.daemon.homes import MANDATE, Pc, company
from tests.daemon.patience import until

CRP = "MAJREV=9\r\nDATEBEG=01.01.{0}\r\nDATEEND=31.12.{0}\r\nBEGIN=COMPTES\r\nEND=COMPTES\r\nENDOFFILE\r\n"
ENTRIES = "Cargo (01-01-{0} ~ 31-12-{0}).ecf"
INDEX = "#FSC\t9.3\tECC\r\n#ECF\t1; 05/01/2025; {0}; 1\r\n#ECS\t1; 05/01/2025; {1}; 2\r\n#END\r\n"
LINES = "#FSC\t9.5.0\tECF\r\n"


def chart(year: int) -> bytes:
    return CRP.format(year).encode()


class Books:
    """A folder of bookkeeping programs, some of whose files are attached."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "books"
        self.folder.mkdir()
        self.attached: list[Attachment] = []
        self.declined: list[str] = []
        self.following = Following()

    def save(self, name: str, data: bytes = b"x") -> None:
        (self.folder / name).write_bytes(data)

    def attach(self, name: str, mode: Mode = Mode.AUTO) -> None:
        where = str(self.folder / name)
        self.attached.append(Attachment(MandateId(b"m" * 16), parse(name), where, mode, "accounting"))

    def found(self) -> list[tuple[str, str]]:
        return [(like.path, file.name) for like, file in self.following.find(self.attached, self.declined)]

    def unlike(self, *elsewhere: Attachment) -> list[tuple[str, str]]:
        return [(like.path, file.name) for like, file in self.following.unlike(self.attached, elsewhere, self.declined)]

    def absent(self) -> list[tuple[str, str]]:
        return [(like.path, file.name) for like, file in self.following.absent(self.attached, self.declined)]


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def test_entries_of_the_next_period_follow_those_before(books: Books) -> None:
    books.save(ENTRIES.format(2025))
    books.attach(ENTRIES.format(2025))
    for name in (ENTRIES.format(2024), "Other (01-01-2026 ~ 31-12-2026).ecf", "Cargo.ecf", "Cargo.txt"):
        books.save(name)
    assert books.found() == []
    books.save(ENTRIES.format(2026))
    assert books.found() == [(ENTRIES.format(2025), ENTRIES.format(2026))]
    assert books.found() == [], "it is told once"
    books.save(ENTRIES.format(2026), b"more lines")
    assert books.found() == [(ENTRIES.format(2025), ENTRIES.format(2026))], "until it is saved again"


def test_a_chart_follows_by_what_it_says(books: Books) -> None:
    books.save("Cargo 2025.crp", chart(2025))
    books.attach("Cargo 2025.crp")
    books.save("New.crp", chart(2026)[:-11])
    assert books.found() == [], "it is not whole yet"
    books.save("New.crp", chart(2026))
    assert books.found() == [("Cargo 2025.crp", "New.crp")]
    os.mkfifo(books.folder / "Pipe.crp")
    assert books.found() == [], "it is not waited for"
    books.save("Copy.crp", chart(2025))
    books.save("Later.crp", chart(2028))
    assert books.found() == []


def test_the_index_of_a_new_chart_follows_where_indexes_are_attached(books: Books) -> None:
    books.save("a.crp", chart(2025))
    books.attach("a.crp")
    books.save("a.ecc")
    assert books.found() == []
    books.attach("a.ecc", Mode.ASK)
    books.attach("b.crp")
    books.save("b.ecc")
    books.save("c.ecc")
    assert books.found() == [("a.ecc", "b.ecc")]


def test_what_was_detached_and_what_is_gone_follow_nothing(books: Books) -> None:
    books.attach(ENTRIES.format(2025))
    books.save(ENTRIES.format(2026))
    books.declined.append(str(books.folder / ENTRIES.format(2026)))
    assert books.found() == []
    books.declined.clear()
    os.rename(books.folder, books.folder.with_name("away"))
    assert books.found() == []


def test_what_an_index_names_and_is_not_there(books: Books) -> None:
    books.save("Cargo.ecc", INDEX.format("a.ecf", "b.ecs").encode())
    books.save("a.ecf")
    books.save("Other.ecc", INDEX.format("c.ecf", "d.ecf").encode())
    assert books.absent() == [], "no index is attached"
    books.attach("Cargo.ecc")
    assert books.absent() == [("Cargo.ecc", "b.ecs")]
    assert books.absent() == [("Cargo.ecc", "b.ecs")], "until it is there"
    books.declined = [str(books.folder / "b.ecs")]
    assert books.absent() == []
    books.save("Cargo.ecc", INDEX.format("a.ecf", "e.ecs").encode())
    assert books.absent() == [("Cargo.ecc", "e.ecs")]
    books.attach("e.ecs")
    assert books.absent() == []
    (books.folder / "Cargo.ecc").unlink()
    books.attached.pop()
    assert books.absent() == []


def test_a_person_is_asked_about_entries_that_are_called_otherwise(books: Books) -> None:
    new = "Wages 26 (01-01-2026 ~ 31-12-2026).ecf"
    books.save(new)
    books.save("Wages 26.ecf")
    assert books.unlike() == []
    books.attach(ENTRIES.format(2025))
    assert (books.found(), books.unlike()) == ([], [(ENTRIES.format(2025), new)])
    other = Attachment(MandateId(b"o" * 16), parse("a"), str(books.folder / "a"), Mode.AUTO, "")
    assert books.unlike(other) == [], "it may be of the mandate whose files lie there, too"
    books.declined.append(str(books.folder / new))
    assert books.unlike() == []
    books.declined.clear()
    books.attach(new)
    assert books.unlike() == []


@pytest.mark.asyncio
async def test_the_question_is_asked_once_and_ends_when_the_file_is_attached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridging, "FOLLOW_EVERY_S", 0.2)
    async with company(tmp_path) as (one,):
        books = await _attached(one, tmp_path / "books", {ENTRIES.format(2025): LINES.encode()})
        others = [books / f"{name} (01-01-2026 ~ 31-12-2026).ecf" for name in ("Wages 26", "Foreign")]

        async def asked() -> list[str]:
            rows = (await one.status())["problem_list"]
            assert {row["code"] for row in rows} <= {"named-otherwise"}
            return [row["detail"] for row in rows]

        async def are_asked(*files: Path) -> None:
            async def holds() -> bool:
                return await asked() == sorted(map(str, files))

            await until(holds, f"it is asked about {files}")

        for file in others:
            file.write_text(LINES)
        await are_asked(*others)
        assert {"what": "problems", "count": 2} in (await one.status())["actions"]
        await one.call("seen", mandate=MANDATE)
        await one.stop()
        await one.start()
        await _looked(one)
        assert await asked() == []
        others.append(books / "Other (01-01-2026 ~ 31-12-2026).ecf")
        others[-1].write_text(LINES)
        await are_asked(others[-1])
        await one.call("attach", mandate=MANDATE, files=[str(others[-1])])
        await are_asked()


@pytest.mark.asyncio
async def test_what_payroll_makes_comes_where_accountings_index_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridging, "FOLLOW_EVERY_S", 0.2)
    async with company(tmp_path, "payroll") as (one, two):
        for pc in (one, two):
            books = tmp_path / f"{pc.name}.books"
            books.mkdir()
            (books / "Cargo.ecc").write_bytes(INDEX.format("a.ecf", "b.ecs").encode())
        one.save("a.ecf", LINES)
        await two.has("a.ecf", LINES)
        for pc in (two, one):
            await pc.call("attach", mandate=MANDATE, files=[str(tmp_path / f"{pc.name}.books" / "Cargo.ecc")])
        two.save("b.ecs", LINES)
        for name in ("a.ecf", "b.ecs"):
            delivered = tmp_path / "pc1.books" / name
            await until(delivered.exists, f"{name} lies beside accounting's index")
            assert delivered.read_bytes() == LINES.encode()
        assert {row["path"]: row["role"] for row in await one.call("attached")} == {
            **{"Cargo.ecc": "accounting", "a.ecf": "invoicing", "b.ecs": "payroll"}
        }
        await _looked(two)
        assert [row["path"] for row in await two.call("attached")] == ["Cargo.ecc"], "payroll needs no invoices"
        await one.call("detach", file=str(delivered))
        delivered.unlink()
        await _looked(one)
        assert not delivered.exists()


@pytest.mark.asyncio
async def test_a_new_periods_files_join_the_mandate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridging, "FOLLOW_EVERY_S", 0.2)
    async with company(tmp_path, "accounting") as (one, two):
        old = {"Cargo 2025.crp": chart(2025), ENTRIES.format(2025): LINES.encode()}
        books = await _attached(one, tmp_path / "books", old, ask=True)
        (books / "Cargo 2026.crp").write_bytes(chart(2026))
        (books / ENTRIES.format(2026)).write_bytes(LINES.encode())
        await two.has("Cargo 2026.crp", chart(2026))
        await two.has(ENTRIES.format(2026), LINES)
        rows = {row["path"]: row["mode"] for row in await one.call("attached")}
        assert rows == dict.fromkeys([*rows], "ask")
        assert len(rows) == 4
        news = (await one.status())["problem_list"]
        assert {(one["path"], one["code"]) for one in news} == {
            (name, "joined") for name in ("Cargo 2026.crp", ENTRIES.format(2026))
        }
        assert [row["detail"] for row in news] == [str(books / row["path"]) for row in news]
        assert (await one.status())["actions"] == [], "it is told, and nothing is wrong"
        await one.call("detach", file=str(books / "Cargo 2026.crp"))
        assert [row["path"] for row in (await one.status())["problem_list"]] == [ENTRIES.format(2026)]
        (books / "Cargo 2026.crp").write_bytes(chart(2026) + b"\r\n")
        await _looked(one)
        assert "Cargo 2026.crp" not in {row["path"] for row in await one.call("attached")}


@pytest.mark.asyncio
async def test_no_new_periods_file_joins_where_that_is_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridging, "FOLLOW_EVERY_S", 0.2)
    async with company(tmp_path) as (one,):
        books = await _attached(one, tmp_path / "books", {"Cargo 2025.crp": chart(2025)})
        assert await one.call("attach.follow", mandate=MANDATE, off=True) == {"mandate": MANDATE, "follows": False}
        (books / "Cargo 2026.crp").write_bytes(chart(2026))
        for _ in range(2):  # a look may have been under way
            await _looked(one)
        assert (await one.status())["problem_list"] == [], "none joined"
        await until(lambda: bool(one.running.bridging.standings()), "it was looked at")
        assert [(row["path"], row["follows"]) for row in await one.call("attached")] == [("Cargo 2025.crp", False)]
        assert not (await one.call("mandate.show", mandate=MANDATE))["follows"]
        await one.call("attach.follow", mandate=MANDATE)
        await one.has("Cargo 2026.crp", chart(2026))
        await until(lambda: len(one.running.bridging.standings()) == 2, "both are attached")
        assert {row["follows"] for row in await one.call("attached")} == {True}


async def _attached(pc: Pc, folder: Path, files: Mapping[str, bytes], **how: object) -> Path:
    """A program's folder whose files are attached."""
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
        await pc.call("attach", mandate=MANDATE, files=[str(folder / name)], **how)
    return folder


async def _looked(pc: Pc) -> None:
    """Until it was looked for followers once more."""
    at_s = pc.running.bridging._follow_at_s
    await until(lambda: pc.running.bridging._follow_at_s > at_s + 0.2, "it was looked twice")
