"""A desk gives small things first, and holds no more than an honest peer asks for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from p2psync.core.ids import content_of
from p2psync.daemon.contents.serving import REQUESTS_MAX, Desk, Job
from p2psync.errors import RemoteProtocolError
from p2psync.wire.messages import HOLDS_ALL, Request, Response, What
from tests.daemon.peers import MANDATE, OTHER, world

A, B = content_of(b"a"), content_of(b"b")


def job(what: What, number: int = 1) -> Job:
    return Job(Request(MANDATE, number, what, (A,), (0,) if what is What.CHUNK else ()))


@pytest.mark.asyncio
async def test_files_and_manifests_go_before_chunks() -> None:
    desk = Desk()
    jobs = [job(What.CHUNK), job(What.CONTENT), job(What.MANIFEST), job(What.CHUNK)]
    for one in jobs:
        desk.put(one)
    assert [await desk.take() for _ in jobs] == [jobs[1], jobs[2], jobs[0], jobs[3]]
    desk.put(jobs[3])
    desk.put_back(jobs[0])
    assert await desk.take() is jobs[0], "what is half answered goes on first"


@pytest.mark.asyncio
async def test_while_a_chunk_waits_for_the_line_only_small_things_are_taken_up() -> None:
    desk = Desk(held=True)
    chunk, small = job(What.CHUNK), job(What.CONTENT)
    desk.put(chunk)
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(desk.take())
        await asyncio.sleep(0)
        assert not taking.done()
        desk.put(small)
    assert taking.result() is small
    desk.held = False
    assert await desk.take() is chunk


@pytest.mark.asyncio
async def test_one_answer_says_which_items_it_answers(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b = w.device("a"), w.device("b")
        for path in "ab":
            a.shelf.save(path, path.encode())
        a.fence.refuses.add(A)
        link = w.join(b, a)
        answers: list[Response] = []

        def note(message: Response) -> Response:
            answers.append(message)
            return message

        a.links[link].spoil = note
        await b.links[link].send(Request(MANDATE, 7, What.CONTENT, (A, B, content_of(b"gone"))))
        await b.links[link].send(Request(MANDATE, 8, What.CHUNK, (B,), (0, 1)))
        await b.links[link].send(Request(MANDATE, 9, What.MANIFEST, (A,)))
        await b.links[link].send(Request(MANDATE, 10, What.HOLDING, (A,)))
        await b.links[link].send(Request(MANDATE, 11, What.HOLDING, (B,)))
        await b.until(lambda: sum(answer.last for answer in answers) == 5)
        found = sorted((answer.number, answer.first, answer.items, answer.last) for answer in answers)
        assert found == [
            (7, 0, (None,), False),
            (7, 1, (b"b", None), True),
            (8, 0, (b"b", None), True),
            (9, 0, (None,), True),
            (10, 0, (None,), True),
            (11, 0, (HOLDS_ALL,), True),
        ]


@pytest.mark.asyncio
async def test_a_mandate_that_is_not_open_on_the_link_is_silent(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b = w.device("a", (MANDATE, OTHER)), w.device("b")
        a.shelves[OTHER].save("a", b"a")
        a.shelf.save("b", b"b")
        link = w.join(b, a)
        await b.links[link].send(Request(OTHER, 1, What.CONTENT, (A,)))
        await b.links[link].send(Request(MANDATE, 2, What.CONTENT, (B,)))
        await b.until(lambda: a.links[link].responses == 1)


@pytest.mark.asyncio
async def test_what_no_honest_peer_asks_closes_the_link(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b = w.device("a"), w.device("b")
        link = w.join(b, a)
        with pytest.raises(RemoteProtocolError, match="several"):
            a.transfer.on_message(link, Request(MANDATE, 1, What.CHUNK, (A, B), (0,)))
        with pytest.raises(RemoteProtocolError, match="no file"):
            a.transfer.on_message(link, Request(MANDATE, 1, What.MANIFEST, ()))
        for number in range(REQUESTS_MAX):
            a.transfer.on_message(link, Request(MANDATE, number, What.CONTENT, (A,)))
        with pytest.raises(RemoteProtocolError, match="more than it reads"):
            a.transfer.on_message(link, Request(MANDATE, 1, What.CONTENT, (A,)))
