"""What a path held: every content once, and what stood there at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.core.relpath import RelPath
from p2psync.daemon.disk.past import Version, at_time, by_name, history_of, versions_of
from p2psync.errors import UsageError
from tests.daemon.homes import Pc, company
from tests.daemon.patience import until

PATH = RelPath("a.crp")


def chart(text: str) -> str:
    return f"{text}\r\nENDOFFILE\r\n"


async def versions(pc: Pc) -> list[Version]:
    return await pc.running.runtime.query(lambda device, _: versions_of(next(iter(device.mandates.values())), PATH))


async def stood(pc: Pc, at_ms: int) -> bytes | None:
    """The content, as saved, that stood at a time."""

    found = await pc.running.runtime.query(
        lambda device, _: at_time(
            mandate := next(iter(device.mandates.values())), PATH, versions_of(mandate, PATH), at_ms
        )
    )
    return found.content if found is not None else None


async def saved(pc: Pc, other: Pc, *texts: str) -> None:
    """Each is saved on one PC, and waited for on the other until its copy is kept."""
    for number, text in enumerate(texts, 1):
        pc.save(PATH, chart(text))
        await other.has(PATH, chart(text))

        async def kept(count: int = number) -> bool:
            return len(await versions(pc)) == count and len(await versions(other)) == count

        await until(kept, f"version {number} is known")


@pytest.mark.asyncio
async def test_every_content_is_there_once_with_its_author(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await saved(one, two, "1", "2", "3")
        found = await versions(two)
        assert [v.reason for v in found] == ["current", "replaced", "replaced"]
        assert {v.device for v in found} == {one.running.identity.device}
        assert [v.saved_ms for v in found] == sorted((v.saved_ms for v in found), reverse=True)
        stated = await two.running.runtime.query(
            lambda device, _: list(history_of(next(iter(device.mandates.values())), PATH))
        )
        assert len(stated) == 3


@pytest.mark.asyncio
async def test_what_stood_there_at_each_time(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await saved(one, two, "1", "2")
        (one.folder / PATH).unlink()
        await two.has(PATH, None)
        for pc in (one, two):
            newest, oldest = await versions(pc)
            assert await stood(pc, oldest.saved_ms - 1) is None
            assert await stood(pc, oldest.saved_ms) == oldest.content
            later_ms = newest.saved_ms + 500  # it has arrived on the other PC, and the removal waits for two seconds
            assert await stood(pc, later_ms) == newest.content
            assert await stood(pc, newest.saved_ms + 3_600_000) is None


@pytest.mark.asyncio
async def test_a_version_is_named_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await saved(one, two, "1", "2")
        newest, oldest = found = await versions(one)
        assert by_name(found, oldest.id[:10].upper(), PATH) == oldest
        assert by_name(found, newest.content.hex(), PATH) == newest
        for wrong in ("zzzz", newest.id[:3], ""):
            with pytest.raises(UsageError, match="version"):
                by_name(found, wrong, PATH)
