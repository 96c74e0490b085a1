"""Why a file cannot be attached is told in a sentence that says what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from p2psync.core.entry import ABSENT, EMPTY_DIRECTORY, Entry
from p2psync.core.ids import BlockHash, ChangeId, MandateId, content_of
from p2psync.core.relpath import RelPath, parse
from p2psync.core.rules import Role
from p2psync.daemon.programs.attaching import MINE, THEIRS, Beside, Found, Wanted, chart_of, find, link, proposals
from p2psync.engine.bridge import Mode, Shown
from p2psync.errors import FolderError, NotAllowed, UsageError
from p2psync.store.attachments import Attachments
from p2psync.store.database import Database
from tests.engine.rig import file as entry_of

WHOLE = b"MAJREV=9\r\nENDOFFILE\r\n"
MANDATE, OTHER = MandateId(b"m" * 16), MandateId(b"o" * 16)
AUTO = Wanted(Mode.AUTO, "", "")
PATH = parse("Cargo.crp")
MADE = ChangeId(BlockHash(b"b" * 32), 0)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    (folder / "Cargo.crp").write_bytes(WHOLE)
    return folder


def test_the_chart_of_an_accounting_file_lies_beside_it(books: Path) -> None:
    for name in ("Cargo.cre", "Cargo.crp", "Cargo.nmc"):
        assert chart_of(str(books / name)) == books / "Cargo.crp"
    with pytest.raises(UsageError, match=r"There is no .*Other.crp yet"):
        chart_of(str(books / "Other.cre"))
    for name in ("Sales.ecf", "Sales.fac", "Pay.salx", "letter.txt", ""):
        with pytest.raises(UsageError, match="is no file of accounting"):
            chart_of(str(books / name))


def test_a_file_is_found_with_what_it_holds(books: Path) -> None:
    found = find(str(books / "Cargo.crp"), {}, False)
    assert (found.file, found.path) == (books / "Cargo.crp", "Cargo.crp")
    assert found.entry is not None
    assert (found.entry.content, found.entry.size) == (content_of(WHOLE), len(WHOLE))
    (books / "link.crp").symlink_to(books / "Cargo.crp")
    assert find(str(books / "link.crp"), {}, False) == found, "what the link leads to"
    (books / "Cargo.crp").write_bytes(WHOLE[:-3])
    assert find(str(books / "Cargo.crp"), {}, False).entry is None, "it is being written"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("none/Cargo.crp", "is not there"),
        ("none.cre", "a database that its program keeps open"),
        ("", "is a folder"),
        ("pipe", "no ordinary file"),
        ("Cargo.cre", r"a database that its program keeps open.*Attach what the program exchanges: Cargo.crp"),
        ("Pay.salx", r"Attach what the program exchanges: \*.ecs"),
        (".a.crp.0a.p2psync-part", "p2psync's own"),
    ],
)
def test_what_cannot_be_attached(books: Path, name: str, sentence: str) -> None:
    for made in ("Cargo.cre", "Pay.salx", ".a.crp.0a.p2psync-part"):
        (books / made).write_bytes(b"x")
    os.mkfifo(books / "pipe")
    with pytest.raises(UsageError, match=sentence):
        find(str(books / name), {}, False)


def test_a_file_that_is_not_there_yet_is_found_by_its_place(books: Path) -> None:
    found = find(str(books / "Pay.ecs"), {}, False)
    assert found == Found(books / "Pay.ecs", parse("Pay.ecs"), None, is_there=False)
    with pytest.raises(UsageError, match="exchanged already"):
        find(str(books / "Pay.ecs"), {MANDATE: books}, False)


def test_a_file_in_a_mandates_folder_is_exchanged_already(books: Path) -> None:
    with pytest.raises(UsageError, match="exchanged already"):
        find(str(books / "Cargo.crp"), {MANDATE: books.parent}, False)


def test_a_folder_that_a_cloud_service_keeps_is_refused_unless_it_is_meant(tmp_path: Path) -> None:
    file = tmp_path / "Dropbox" / "Cargo.crp"
    file.parent.mkdir()
    file.write_bytes(WHOLE)
    with pytest.raises(FolderError, match=r"Dropbox synchronises.*--allow-cloud"):
        find(str(file), {}, False)
    assert find(str(file), {}, True).file == file


def test_the_files_of_an_index_are_proposed(books: Path) -> None:
    def index(name: str, *named: str) -> None:
        lines = [f"#ECF\t1; 05/01/2025 09:00:00; {one}; {number}" for number, one in enumerate(named)]
        (books / name).write_text("\r\n".join(["#FSC\t9.3\tECC", *lines, "#END", ""]))

    index("Cargo.ecc", "a.ecf", "gone.ecf", "Cargo.cre")
    index("Other.ecc", "b.ecf")
    for name in ("a.ecf", "b.ecf", "Cargo.cre"):
        (books / name).write_bytes(b"")

    def proposed(name: str, *attached: str) -> list[str]:
        beside = proposals(books / name, [str(books / one) for one in attached])
        return [Path(one).name for one in beside.present]

    assert proposed("Cargo.crp") == ["Cargo.ecc", "a.ecf"], "that of its name, and no database"
    assert proposed("a.ecf") == ["Cargo.ecc"], "that which names it"
    assert proposed("Cargo.ecc") == ["a.ecf"]
    assert proposed("Cargo.crp", "a.ecf") == ["Cargo.ecc"]
    assert proposed("c.ecf") == []
    assert proposals(books / "Cargo.crp", []).absent == (str(books / "gone.ecf"),)
    assert proposals(books / "Cargo.crp", [str(books / "gone.ecf")]).absent == ()
    assert proposals(books / "gone.ecf", []) == Beside((str(books / "Cargo.ecc"), str(books / "a.ecf")), ())
    assert proposals(books / "none" / "a.ecf", []) == Beside((), ())


# -- what both sides hold at the beginning ---------------------------------------------------------------------------


class Head:
    def __init__(self, entry: Entry) -> None:
        self.id = MADE
        self.entry = entry


class State:
    """Of a mandate in which one change stands at the path, and another was there before."""

    def __init__(self, entry: Entry | None) -> None:
        self._heads = [Head(entry)] if entry is not None else []

    def heads(self, paths: list[RelPath]) -> dict[RelPath, list[Head]]:
        return dict.fromkeys(paths, self._heads)

    def with_content(self, path: RelPath, content: bytes) -> list[ChangeId]:
        return [MADE._replace(position=1)] if content == entry_of("older").content else []


class Mandate:
    """As much of one as linking asks for."""

    name = "Cargo"
    id = MANDATE

    def __init__(self, standing: str = "", **shown: Any) -> None:
        entry = entry_of(standing) if standing else None
        self.state = State(entry)
        self.replica = self
        self._shown = replace(Shown(entry or ABSENT, (MADE,) if entry else ()), **shown)

    def shown(self, path: RelPath) -> Shown:
        return self._shown


@pytest.fixture
def attachments(tmp_path: Path) -> Iterator[Attachments]:
    database = Database.open(tmp_path / "state.db")
    yield Attachments(database)
    database.close()


def found(text: str = "mine", name: str = "Cargo.crp", folder: str = "/books") -> Found:
    return Found(Path(folder) / name, parse(name), entry_of(text) if text else None)


def begin(attachments: Attachments, mandate: Mandate, one: Found, wanted: Wanted = AUTO) -> object:
    made = link(attachments, mandate, one, wanted, {MANDATE: "Cargo", OTHER: "Other"})  # type: ignore[arg-type]
    attachments.put(made)
    return made.agreed, made.heads


def test_what_both_agree_about_at_first(attachments: Attachments) -> None:
    for mandate, text, agreed in (
        (Mandate(), "mine", (None, ())),
        (Mandate(), "", (None, ())),
        (Mandate("mine"), "mine", (entry_of("mine").content, (MADE,))),
        (Mandate("theirs"), "older", (entry_of("older").content, (MADE._replace(position=1),))),
    ):
        assert begin(attachments, mandate, found(text)) == agreed
        attachments.drop(MANDATE, PATH)


def test_another_file_of_that_name_is_a_question(attachments: Attachments) -> None:
    mandate = Mandate("theirs")
    with pytest.raises(UsageError, match=r"--use mine.*--use theirs"):
        begin(attachments, mandate, found())
    assert begin(attachments, mandate, found(), replace(AUTO, use=THEIRS)) == (entry_of("mine").content, ())
    attachments.drop(MANDATE, PATH)
    assert begin(attachments, mandate, found(), replace(AUTO, use=MINE)) == (entry_of("theirs").content, (MADE,))


def test_what_cannot_be_begun_yet(attachments: Attachments) -> None:
    mine = replace(AUTO, use=MINE)
    with pytest.raises(UsageError, match="is being written"):
        begin(attachments, Mandate("theirs"), found(""))
    with pytest.raises(UsageError, match="still on its way"):
        begin(attachments, Mandate("theirs", arriving=True), found(), mine)
    with pytest.raises(UsageError, match="has a folder called"):
        begin(attachments, Mandate(entry=EMPTY_DIRECTORY), found())


def test_who_may_not_publish_attaches_what_is_there(attachments: Attachments) -> None:
    with pytest.raises(NotAllowed, match="may not publish"):
        begin(attachments, Mandate(may_publish=False), found())
    with pytest.raises(NotAllowed, match="--use theirs"):
        begin(attachments, Mandate("theirs", may_publish=False), found(), replace(AUTO, use=MINE))
    assert begin(attachments, Mandate("mine", may_publish=False), found()) == (entry_of("mine").content, (MADE,))


def test_a_file_that_is_not_there_is_what_the_mandate_has(attachments: Attachments) -> None:
    absent = replace(found(""), is_there=False)
    assert begin(attachments, Mandate("theirs", may_publish=False), absent) == (None, ())
    attachments.drop(MANDATE, PATH)
    for mandate in (Mandate(), Mandate(may_publish=False)):
        with pytest.raises(UsageError, match=r"not there, and Cargo has no file called Cargo.crp"):
            begin(attachments, mandate, absent)
    with pytest.raises(UsageError, match="not there"):
        begin(attachments, Mandate("theirs"), absent, replace(AUTO, use=MINE))


def test_each_file_is_attached_once(attachments: Attachments) -> None:
    begin(attachments, Mandate(), found())
    with pytest.raises(UsageError, match="attached to Cargo already"):
        begin(attachments, Mandate(), found())
    with pytest.raises(UsageError, match="Both would be the same file"):
        begin(attachments, Mandate(), found(name="CARGO.crp", folder="/elsewhere"))
    other = Mandate()
    other.id = OTHER
    with pytest.raises(UsageError, match=r"attached to Cargo. Detach it there first"):
        begin(attachments, other, found())


def test_an_attached_file_gets_the_mode_that_is_asked_for(attachments: Attachments) -> None:
    made = link(attachments, Mandate(), found(), AUTO, {})  # type: ignore[arg-type]
    attachments.put(made)
    for mode in (Mode.CHECKED, Mode.ASK):
        changed = link(attachments, Mandate(), found(), replace(AUTO, mode=mode), {})  # type: ignore[arg-type]
        assert changed == replace(made, mode=mode)
        attachments.put(changed)
    with pytest.raises(UsageError, match="attached to Cargo already"):
        link(attachments, Mandate(), found(), AUTO, {})  # type: ignore[arg-type]


def test_whose_it_is_is_told_by_its_name_unless_it_is_said(attachments: Attachments) -> None:
    told = link(attachments, Mandate(), found(), AUTO, {})  # type: ignore[arg-type]
    assert (told.role, told.mode) == ("accounting", Mode.AUTO)
    said = replace(AUTO, role=Role.PAYROLL.value, mode=Mode.ASK)
    told = link(attachments, Mandate(), found(), said, {})  # type: ignore[arg-type]
    assert (told.role, told.mode) == ("payroll", Mode.ASK)
