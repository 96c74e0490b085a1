"""How far a mandate's exchange has come: who has confirmed, what is stuck, and what moved since when."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from p2psync.core.ids import DeviceId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.daemon.standing import (
    Item,
    is_of,
    look,
    marks_here,
    marks_of_peers,
    moved,
    name_of,
    to_place,
)
from p2psync.engine.mandate import Mandate
from p2psync.engine.state import TodoKind, TodoRow
from tests.daemon.homes import Pc, company
from tests.daemon.patience import until

T = TypeVar("T")


async def ask(pc: Pc, question: Callable[[Mandate, DeviceId], T]) -> T:
    """Ask a PC's one mandate something."""
    return await pc.running.runtime.query(
        lambda device, _: question(next(iter(device.mandates.values())), device.keys.device)
    )


@pytest.mark.asyncio
async def test_all_have_confirmed_and_nothing_is_to_be_placed(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save("a.crp", "x\r\nENDOFFILE\r\n")
        await two.has("a.crp", "x\r\nENDOFFILE\r\n")
        await one.in_sync(1)
        standing = await ask(one, lambda mandate, own: look(mandate, own, None, None))
        assert standing.is_done
        assert (len(standing.others), len(standing.connected)) == (1, 1)
        assert standing.troubles == ()
        assert await ask(one, lambda mandate, _: list(to_place(mandate))) == []


@pytest.mark.asyncio
async def test_who_confirmed_all_and_went_since_then_is_no_missing_one(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        begun_s = time.monotonic()
        await two.call("pause")
        await one.in_sync(0)
        standing = await ask(one, lambda mandate, own: look(mandate, own, None, None, begun_s))
        assert standing.is_done
        assert standing.connected == standing.others
        later_s = time.monotonic()
        standing = await ask(one, lambda mandate, own: look(mandate, own, None, None, later_s))
        assert standing.connected == frozenset(), "it went before"
        one.save("a.txt", "x")
        await one.holds(1)
        standing = await ask(one, lambda mandate, own: look(mandate, own, None, None, begun_s))
        assert standing.connected == frozenset(), "it does not have that"


@pytest.mark.asyncio
async def test_what_moved_since_a_mark(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        before = await ask(one, lambda mandate, _: marks_here(mandate))
        assert await ask(one, lambda m, own: moved(m, own, before, {}, None)) == []
        one.save("sent.crp", "x\r\nENDOFFILE\r\n")
        two.save("received.txt", "x")
        await two.has("sent.crp", "x\r\nENDOFFILE\r\n")
        await one.has("received.txt", "x")
        await one.in_sync(1)
        items = await ask(one, lambda m, own: moved(m, own, before, {}, None))
        two_ = frozenset([two.running.identity.device])
        assert items == [
            Item(RelPath("received.txt"), False, "file", 1, two_),
            Item(RelPath("sent.crp"), True, "file", 14, two_),
        ]
        only = await ask(one, lambda m, own: moved(m, own, before, {}, "master"))
        assert [item.path for item in only] == ["sent.crp"]


@pytest.mark.asyncio
async def test_what_another_lacked_moved_too(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        lacked = await ask(one, lambda mandate, _: marks_of_peers(mandate))
        one.save("a.txt", "x")
        await two.has("a.txt", "x")
        now = await ask(one, lambda mandate, _: marks_here(mandate))
        items = await ask(one, lambda m, own: moved(m, own, now, lacked, None))
        assert [(item.path, item.sent) for item in items] == [("a.txt", True)]


@pytest.mark.asyncio
async def test_a_file_that_cannot_be_placed_is_a_trouble_of_whom_it_is(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        (tmp_path / "elsewhere").mkdir()
        (two.folder / "papers").symlink_to(tmp_path / "elsewhere")
        one.save("papers/a.txt", "x")

        async def troubles(pc: Pc, only: str | None = None) -> list[tuple[bool, str]]:
            standing = await ask(pc, lambda mandate, own: look(mandate, own, None, only))
            return [(trouble.device is None, trouble.path) for trouble in standing.troubles]

        async def told() -> bool:
            return bool(await troubles(one)) and bool(await troubles(two))

        await until(told, "both know")
        assert await troubles(one) == [(False, "papers/a.txt")]
        assert await troubles(two) == [(True, "papers/a.txt")]
        assert await troubles(one, "master") == []


@pytest.mark.asyncio
async def test_a_loser_that_is_not_kept_yet_is_waited_for_and_one_that_nobody_has_is_a_trouble(tmp_path: Path) -> None:
    async with company(tmp_path) as (one,):
        path = RelPath("a.crp")

        def losing(mandate: Mandate, own: DeviceId) -> list[tuple[bool, int]]:
            mandate.state.add_todo([TodoRow(path, TodoKind.KEEP)])
            found = [look(mandate, own, None, only) for only in (None, "master", "entries")]
            mandate.replica.keeping.stuck[path] = Code.CONTENT_MISSING
            mandate.state.put_problems([Problem(path, Code.CONTENT_MISSING)])
            found += [look(mandate, own, None, only) for only in (None, "master", "entries")]
            return [(standing.is_placing, len(standing.troubles)) for standing in found]

        answers = await one.running.runtime.call(
            lambda device, _: losing(next(iter(device.mandates.values())), device.keys.device)
        )
        assert answers == [(True, 0), (True, 0), (False, 0), (False, 1), (False, 1), (False, 0)]


@pytest.mark.asyncio
async def test_classes_and_names(tmp_path: Path) -> None:
    async with company(tmp_path) as (one,):
        entries = ("a.ecs", "a.ecc", "a.eca", "bank.ecb")
        classes = [("a.crp", "master"), *((path, "entries") for path in entries), ("", "master")]
        for path, only in classes:
            assert await ask(one, lambda mandate, _, p=path, o=only: is_of(mandate, p, o))  # type: ignore[misc]
        assert not await ask(one, lambda mandate, _: is_of(mandate, "a.crp", "entries"))
        assert await ask(one, lambda mandate, own: name_of(mandate, own)) == "pc1"
        assert len(await ask(one, lambda mandate, _: name_of(mandate, DeviceId(b"x" * 32)))) == 7
