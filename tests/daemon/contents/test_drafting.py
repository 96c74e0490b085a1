"""What came ahead of a big file is a draft of it: whoever sends wrong pieces wins nothing, and harms nobody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from p2psync.core.block import ORDINARY
from p2psync.daemon.contents import drafting
from p2psync.engine.orders import Compartment
from tests.daemon.contents.pieces import BIG, CONTENT, DATA, WANTED, ahead, asked, staged, two, until_written
from tests.daemon.patience import until
from tests.daemon.peers import MANDATE, world

WHERE = Compartment(MANDATE, ORDINARY), BIG


@pytest.mark.asyncio
async def test_what_comes_after_it_was_named_is_passed_over(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _a, b, link = two(w)
        assert b.transfer.on_message(link, ahead(0))
        await until_written(b, 1)
        b.want(WANTED)
        await b.until_fetched(WANTED)
        assert not b.transfer.on_message(link, ahead(1))
        assert b.shelf.staged(CONTENT) == DATA


@pytest.mark.asyncio
async def test_what_came_ahead_of_another_content_harms_nobody(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        other = Random(2).randbytes(len(DATA))
        for number in range(3):
            assert b.transfer.on_message(link, ahead(number, other))
        await until_written(b, 3)
        b.want(WANTED)
        await b.until_fetched(WANTED)
        assert b.shelf.staged(CONTENT) == DATA
        assert asked(a) == len(DATA)
        assert (b.blamed, b.problems) == ({}, [])


@pytest.mark.asyncio
async def test_a_file_that_is_here_needs_no_draft(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        b.shelf.save("copy", DATA)
        assert b.transfer.on_message(link, ahead(0))
        await until_written(b, 1)
        b.want(WANTED)
        await b.until_fetched(WANTED)
        assert (staged(b), a.requests) == ([CONTENT.hex()], [])


@pytest.mark.asyncio
async def test_pieces_without_a_beginning_and_of_strangers_are_passed_over(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = two(w)
        second = w.join(a, b)
        assert not b.transfer.on_message(link + 7, ahead(0)), "no member of the mandate"
        assert not b.transfer.on_message(link, ahead(1))
        assert b.transfer.on_message(link, ahead(0))
        assert not b.transfer.on_message(link, ahead(2)), "a gap"
        assert not b.transfer.on_message(second, ahead(1)), "somebody else began"
        assert b.transfer.on_message(link, ahead(1))
        await until_written(b, 2)
        assert b.transfer.on_message(second, ahead(0)), "begun anew"
        await until_written(b, 1)
        await until(lambda: len(staged(b)) == 1, "what came before is gone")


@pytest.mark.asyncio
async def test_who_claims_less_than_comes_does_not_fill_the_disk(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _a, b, link = two(w)
        assert not b.transfer.on_message(link, replace(ahead(0), whole=1))
        assert b.transfer.on_message(link, ahead(0))
        assert not b.transfer.on_message(link, replace(ahead(1), whole=len(DATA) + 1)), "another size than at first"
        for number in range(1, 6):
            assert b.transfer.on_message(link, ahead(number))
        assert not b.transfer.on_message(link, replace(ahead(5), offset=len(DATA))), "it was whole"
        await until_written(b, 6)


@pytest.mark.asyncio
async def test_what_is_kept_of_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting, "DRAFTS_MAX", 2)
    async with world(tmp_path) as w:
        _a, b, link = two(w)
        for name in ("one", "two"):
            assert b.transfer.on_message(link, ahead(0, path=name))
        assert not b.transfer.on_message(link, ahead(0, path="three"))


@pytest.mark.asyncio
async def test_what_nobody_names_goes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafting, "UNCLAIMED_S", 0.05)
    async with world(tmp_path) as w:
        _a, b, link = two(w)
        assert b.transfer.on_message(link, ahead(0))
        await until(lambda: not b.transfer._drafting._coming, "it is given up")
        await until(lambda: staged(b) == [], "nothing is left")


@pytest.mark.asyncio
async def test_what_more_comes_of_is_waited_for(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _a, b, link = two(w)
        expiry = b.transfer._drafting._expiry
        for number in (0, 1):
            assert b.transfer.on_message(link, ahead(number))
            expiry._due(WHERE, drafting.UNCLAIMED_S)
        await until_written(b, 2)
        expiry._due(WHERE, drafting.UNCLAIMED_S)
        assert not b.transfer.on_message(link, ahead(2)), "nothing came for so long"


@pytest.mark.asyncio
async def test_what_nobody_named_is_gone_at_the_end(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _a, b, link = two(w)
        assert b.transfer.on_message(link, ahead(0))
        await until_written(b, 1)
    assert staged(b) == []
    assert WHERE not in b.transfer._drafting._expiry
