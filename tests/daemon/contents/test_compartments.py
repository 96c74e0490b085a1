"""What is known of restricted files stays with those who may read them, whatever others guess."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, cast

import pytest

from p2psync.core.block import AUTHORITY, ORDINARY
from p2psync.core.entry import Entry, Kind
from p2psync.core.ids import EMPTY_CONTENT, ContentId, MandateId, content_of
from p2psync.core.relpath import RelPath, parse
from p2psync.core.rules import DEFAULT_RULES
from p2psync.daemon.contents.compartments import Compartments
from p2psync.engine import placement
from p2psync.engine.orders import Compartment
from p2psync.fs.assembly import Source
from p2psync.fs.reuse import MayReuse, Reuse
from tests.core.court import SECRET_FILES, STRANGER
from tests.core.test_authority_rights import INV, PAY, with_roles
from tests.daemon.homes import Pc, company
from tests.daemon.patience import until

MANDATE = MandateId(b"m" * 16)
OPEN = Compartment(MANDATE, ORDINARY)
SECRET = Compartment(MANDATE, SECRET_FILES.class_id(parse("x.ecs")) or "")
COMMON, SALARY, BOTH, NOWHERE = (ContentId(name * 32) for name in (b"c", b"s", b"b", b"n"))
PAYROLL, INVOICING, OUTSIDE, NOBODY = 1, 2, 3, 4
"""Links."""


class Rows:
    """A database in which a stranger to the restricted class has named all contents in files of his own."""

    def named_in(self, file_class: str, contents: Sequence[ContentId]) -> Set[ContentId]:
        return {SALARY, BOTH}.intersection(contents) if file_class == SECRET.file_class else set(contents)

    def holders(self, contents: Sequence[ContentId]) -> Mapping[ContentId, Set[RelPath]]:
        common, salary = parse("letter.txt"), parse("mueller.ecs")
        paths = {COMMON: {common}, SALARY: {salary}, BOTH: {common, salary}}
        return {c: paths.get(c, set()) for c in contents}


def bounds(*, restricted: bool = True, here: bool = True) -> Compartments:
    authority = with_roles(SECRET_FILES if restricted else DEFAULT_RULES)
    members = {PAYROLL: PAY, INVOICING: INV, OUTSIDE: STRANGER}
    return Compartments(
        lambda link, mandate: members.get(link) if mandate == MANDATE else None,
        lambda mandate: authority if mandate == MANDATE else None,
        lambda mandate: cast(Any, Rows()) if here else None,
    )


def given(link: int, compartment: Compartment, **how: bool) -> set[ContentId]:
    asked = [COMMON, SALARY, BOTH, NOWHERE]
    answers = bounds(**how).may_give(link, compartment, asked)
    return {content for content, may in zip(asked, answers, strict=True) if may}


def test_what_lies_in_restricted_files_alone_is_not_given_for_others() -> None:
    assert given(INVOICING, OPEN) == {COMMON, BOTH}
    assert given(PAYROLL, OPEN) == {COMMON, BOTH}, "nor does another member bring it out"
    assert given(PAYROLL, SECRET) == {SALARY, BOTH}
    assert given(INVOICING, SECRET) == set()


def test_where_nothing_is_restricted_all_that_is_named_is_given() -> None:
    assert given(INVOICING, OPEN, restricted=False) == {COMMON, SALARY, BOTH, NOWHERE}


@pytest.mark.parametrize("link", [OUTSIDE, NOBODY])
def test_who_is_no_member_gets_nothing(link: int) -> None:
    assert given(link, OPEN) == given(link, SECRET) == given(link, OPEN, restricted=False) == set()


def test_nothing_is_given_of_a_folder_that_is_gone_or_in_the_name_of_no_files() -> None:
    assert given(PAYROLL, OPEN, here=False) == set()
    assert given(PAYROLL, Compartment(MANDATE, AUTHORITY)) == set()
    assert given(PAYROLL, Compartment(MandateId(b"x" * 16), ORDINARY)) == set()
    assert given(PAYROLL, SECRET, restricted=False) == set()


def test_bytes_are_reused_within_a_class() -> None:
    asked = [COMMON, SALARY, BOTH, NOWHERE, EMPTY_CONTENT]
    assert bounds().may_reuse(OPEN, asked) == {COMMON, BOTH, EMPTY_CONTENT}
    assert bounds().may_reuse(SECRET, asked) == {SALARY, BOTH, EMPTY_CONTENT}
    assert bounds(restricted=False).may_reuse(OPEN, asked) == set(asked)


def test_only_readers_of_a_class_are_asked_for_its_files() -> None:
    assert bounds().is_open_to(PAYROLL, SECRET)
    assert not bounds().is_open_to(INVOICING, SECRET)
    assert bounds().is_open_to(INVOICING, OPEN)
    assert not bounds().is_open_to(OUTSIDE, OPEN)


# -- whole devices -------------------------------------------------------------------------------------------------


async def claim(pc: Pc, path: str, data: bytes) -> None:
    """Say that a file with these bytes was saved, without having them."""
    entry = Entry(Kind.FILE, len(data), 1, 0, content_of(data))
    (mandate,) = pc.running.folders.roots()
    await pc.running.runtime.call(lambda device, _now: device.submit(mandate, RelPath(path), entry, ()))


async def lacks(pc: Pc, path: str) -> None:
    """Wait until a device says that nobody gives it the content of a file."""

    async def says() -> bool:
        return any(problem["path"] == path for problem in (await pc.status())["problem_list"])

    await until(says, f"{pc.name} cannot get {path}")


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [300, 1_500_000])
async def test_naming_what_one_may_not_read_brings_it_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(placement, "MISSING_AFTER_S", 0.0)
    secret = (b"Mueller 7200.00;" * (size // 16)) + b"\r\nENDOFFILE\r\n"
    async with company(tmp_path, "payroll", "invoicing", restrict=["*.ecs=accounting,payroll"]) as pcs:
        accounting, payroll, invoicing = pcs
        payroll.save("salaries.ecs", secret)
        await accounting.has("salaries.ecs", secret)
        await claim(invoicing, "guess.txt", secret)
        for pc in pcs:
            await lacks(pc, "guess.txt")
        assert [pc.read("guess.txt") for pc in pcs] == [None] * 3
        payroll.save("given.txt", secret)
        for pc in pcs:
            await pc.has("given.txt", secret)
            await pc.has("guess.txt", secret)
        assert invoicing.read("salaries.ecs") is None


@pytest.mark.asyncio
async def test_chunks_are_taken_from_files_of_the_same_class_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or who guesses a part of a restricted file would hear, by what is not asked of him, that it is one."""
    found: list[int] = []
    real = Reuse.find

    def find(self: Reuse, hashes: Collection[bytes], here: Path, may_reuse: MayReuse) -> dict[bytes, Source]:
        sources = real(self, hashes, here, may_reuse)
        found.append(len(sources))
        return sources

    monkeypatch.setattr(Reuse, "find", find)
    secret = os.urandom(2 << 20) + b"\r\nENDOFFILE\r\n"
    async with company(tmp_path, "payroll", "invoicing", restrict=["*.ecs=accounting,payroll"]) as pcs:
        accounting, payroll, invoicing = pcs
        payroll.save("salaries.ecs", secret)
        await accounting.has("salaries.ecs", secret)
        invoicing.save("guess.bak", b"guessed: " + secret)
        await accounting.has("guess.bak", b"guessed: " + secret)
        await payroll.has("guess.bak", b"guessed: " + secret)
        assert len(found) >= 3
        assert not any(found)
        payroll.save("again.ecs", b"again: " + secret)
        await accounting.has("again.ecs", b"again: " + secret)
        assert found[-1] > 0
        accounting.save("copy.bak", b"copy: " + secret)
        await invoicing.has("copy.bak", b"copy: " + secret)
        assert found[-1] > 0
