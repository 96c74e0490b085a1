"""Contents move between real folders: many small ones, big ones from several peers, through breaks and lies."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from p2psync.core.ids import EMPTY_CONTENT, content_of
from p2psync.core.relpath import RelPath
from p2psync.engine.effects import Wanted
from p2psync.engine.orders import Output
from p2psync.fs.assembly import Assembly
from p2psync.fs.staging import Staging
from p2psync.wire.messages import Request, Response, What
from tests.daemon.patience import until
from tests.daemon.peers import LINK_MESSAGES_MAX, MANDATE, OTHER, Device, world

MIB = 1 << 20


def noise(size: int, seed: int = 1) -> bytes:
    return Random(seed).randbytes(size)


def spoiled(message: Response) -> Response:
    """The same answer with one byte changed in each item."""
    items = tuple(item and bytes([item[0] ^ 1]) + item[1:] for item in message.items)
    return replace(message, items=items)


def chunks_served(device: Device) -> set[int]:
    return {index for request in device.requests for index in request.chunks}


@pytest.mark.asyncio
async def test_two_thousand_small_files_take_few_requests(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b = w.device("a"), w.device("b")
        wanted = [a.shelf.save(f"d{i % 50}/f{i}.ecf", b"%d\n" % i * (i % 100 + 1)) for i in range(2000)]
        w.join(b, a)
        b.want(*wanted)
        await b.until_fetched(*wanted)
        assert all(content_of(b.shelf.staged(one.content)) == one.content for one in wanted)
        assert len(a.requests) <= 10


@pytest.mark.asyncio
async def test_a_big_file_arrives_whole_and_each_chunk_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b = w.device("a"), w.device("b")
        data = noise(64 * MIB)
        wanted = a.shelf.save("big", data)
        w.join(b, a)
        b.want(wanted)
        await b.until_fetched(wanted)
        assert b.shelf.staged(wanted.content) == data
        asked = [index for request in a.requests for index in request.chunks]
        assert len(asked) == len(set(asked))
        assert [file.name for file in b.shelf.staging.root.iterdir()] == [wanted.content.hex()]


@pytest.mark.asyncio
async def test_a_file_comes_from_three_peers_at_once_different_chunks_from_each(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        *givers, b = [w.device(name) for name in "acdb"]
        data = noise(24 * MIB)
        for giver in givers:
            wanted = giver.shelf.save("big", data)
            w.join(b, giver)
        b.want(wanted)
        await b.until_fetched(wanted)
        assert b.shelf.staged(wanted.content) == data
        served = [chunks_served(giver) for giver in givers]
        assert all(served)
        assert sum(map(len, served)) == len(set().union(*served))


@pytest.mark.asyncio
async def test_when_a_better_link_takes_over_nothing_is_asked_for_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("p2psync.daemon.contents.transfer.DRAIN_MIN_S", 0.01)
    async with world(tmp_path) as w:
        a, b = w.device("a"), w.device("b")
        data = noise(24 * MIB)
        wanted = a.shelf.save("big", data)
        old = w.join(b, a)
        b.want(wanted)
        await a.until(lambda: len(chunks_served(a)) > 100)
        w.join(b, a)
        await asyncio.gather(*(device.transfer.drain(old) for device in (a, b)))
        for device in (a, b):
            device.transfer.peer_left(old, MANDATE)
        await b.until_fetched(wanted)
        assert b.shelf.staged(wanted.content) == data
        asked = [chunk for request in a.requests for chunk in request.chunks]
        assert len(asked) == len(set(asked))


@pytest.mark.asyncio
async def test_what_is_here_already_is_not_asked_for(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b = w.device("a"), w.device("b")
        w.join(b, a)
        known = b.shelf.save("old/place", b"moved")
        kept = Wanted(content_of(b"kept"), 4, RelPath("k"))
        b.shelf.staging.stage_whole([(kept.content, b"kept")])
        b.shelf.versions.adopt(b.shelf.staging.path(kept.content), kept.content)
        empty = Wanted(EMPTY_CONTENT, 0, RelPath("e"))
        b.want(known, kept, empty)
        await b.until_fetched(known, kept, empty)
        assert (b.shelf.staged(known.content), b.shelf.staged(kept.content)) == (b"moved", b"kept")
        assert a.requests == []


@pytest.mark.asyncio
async def test_a_changed_big_file_needs_only_what_changed(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b = w.device("a"), w.device("b")
        before = noise(8 * MIB)
        after = before[: 3 * MIB] + b"inserted" + before[3 * MIB :]
        b.shelf.save("big", before)
        wanted = a.shelf.save("big", after)
        w.join(b, a)
        b.want(wanted)
        await b.until_fetched(wanted)
        assert b.shelf.staged(wanted.content) == after
        assert len(chunks_served(a)) <= 4


@pytest.mark.asyncio
@pytest.mark.parametrize("secret", [False, True])
async def test_an_edited_copy_needs_only_what_is_in_no_file_here(tmp_path: Path, secret: bool) -> None:
    async with world(tmp_path) as w:
        a, b = w.device("a"), w.device("b")
        data = noise(8 * MIB)
        original = a.shelf.save("original", data)
        w.join(b, a)
        b.want(original)
        await b.until_fetched(original)
        b.shelf.save("original", data)
        b.fence.apart |= {original.content} if secret else set()
        a.requests.clear()
        edited = a.shelf.save("copy", data[: 3 * MIB] + b"inserted" + data[3 * MIB :])
        b.want(edited)
        await b.until_fetched(edited)
        assert content_of(b.shelf.staged(edited.content)) == edited.content
        assert (len(chunks_served(a)) <= 4) is not secret


@pytest.mark.asyncio
async def test_a_file_that_changed_since_it_was_cut_gives_what_it_still_has(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b = w.device("a"), w.device("b")
        data = noise(8 * MIB)
        original = b.shelf.save("original", data)
        b.shelf.contents.manifest(original.content)
        b.shelf.places.path(RelPath("original")).write_bytes(noise(4 * MIB, seed=2) + data[4 * MIB :])
        wanted = a.shelf.save("copy", data + b"appended")
        w.join(b, a)
        b.want(wanted)
        await b.until_fetched(wanted)
        assert b.shelf.staged(wanted.content) == data + b"appended"
        chunks = a.shelf.contents.manifest(wanted.content)
        assert chunks is not None
        assert 0.4 < len(chunks_served(a)) / len(chunks.chunks) < 0.6


@pytest.mark.asyncio
async def test_after_a_break_only_the_rest_is_fetched(tmp_path: Path) -> None:
    """The receiver is started anew on the same folder after the link broke in the middle."""
    async with world(tmp_path) as w:
        a, b = w.device("a"), w.device("b")
        data = noise(16 * MIB)
        wanted = a.shelf.save("big", data)
        link = w.join(b, a)
        gate = a.links[link]

        def stop_in_the_middle(message: Response) -> Response:
            if gate.responses == 12:
                gate.gate.clear()
                b.news.set()
            return message

        gate.spoil = stop_in_the_middle
        b.want(wanted)
        await b.until(lambda: not gate.gate.is_set())
        await until(lambda: b.transfer.arrived(MANDATE) > 0, "some of it is on the disk")
        w.cut(b, a, link)
        await b.until(lambda: wanted.content in b.failed)
        first = chunks_served(a)
        a.requests.clear()
        await b.until(lambda: b.shelf.staging.part(wanted.content).exists())
        again = w.device("b")
        w.join(again, a)
        again.want(wanted)
        await again.until_fetched(wanted)
        assert again.shelf.staged(wanted.content) == data
        assert first - chunks_served(a), "some chunks were not asked for again"


@pytest.mark.asyncio
async def test_a_big_file_is_served_while_it_is_still_incomplete(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, c = (w.device(name) for name in "abc")
        data = noise(8 * MIB)
        wanted = a.shelf.save("big", data)
        manifest = a.shelf.contents.manifest(wanted.content)
        assert manifest is not None
        half = Assembly(b.shelf.staging, manifest)
        present = range(len(manifest.chunks) // 2)
        spans = manifest.spans()
        half.write(list(present), [data[s.offset : s.offset + s.size] for s in spans[: len(present)]])
        b.shelf.contents.under_way(half)
        given: list[bytes] = []

        def note(message: Response) -> Response:
            given.extend(item for item in message.items if item is not None)
            return message

        w.join(c, b, spoil=note)
        w.join(c, a)
        c.want(wanted)
        await c.until_fetched(wanted)
        assert c.shelf.staged(wanted.content) == data
        assert sum(map(len, given)) > MIB, "not the manifest alone"
        half.close(keep=False)


@pytest.mark.asyncio
async def test_who_puts_a_file_together_tells_what_is_to_come(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, c = (w.device(name) for name in "abc")
        wanted = a.shelf.save("big", noise(8 * MIB))

        def give_the_manifest_alone(message: Response) -> Response:
            a.links[link].gate.clear()
            return message

        link = w.join(b, a, spoil=give_the_manifest_alone)
        b.want(wanted)
        await until(lambda: bool(chunks_served(a)), "chunks are asked for")
        answers: list[Response] = []

        def note(message: Response) -> Response:
            answers.append(message)
            return message

        other = w.join(c, b, spoil=note)
        await c.links[other].send(Request(MANDATE, 7, What.HOLDING, (wanted.content,)))
        await until(lambda: bool(answers), "b answers")
        [[told]] = (answer.items for answer in answers)
        assert told is not None
        here, coming = told[: len(told) // 2], told[len(told) // 2 :]
        assert not any(here)
        to_come = {index for index in range(8 * len(coming)) if coming[index >> 3] >> (index & 7) & 1}
        manifest = a.shelf.contents.manifest(wanted.content)
        assert manifest is not None
        assert chunks_served(a) <= to_come < set(range(len(manifest.chunks)))


@pytest.mark.asyncio
async def test_what_is_due_sooner_than_anything_before_is_not_late(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        fetcher, clock = (a := w.device("a")).transfer._fetcher, a.transfer._clock
        due: list[float | None] = [None, clock() + 1000, clock() + 0.01, None]
        ticked = asyncio.Event()
        tick = fetcher.tick

        def note(now: float) -> list[Output]:
            if due[0] is not None and now >= due[0]:
                ticked.set()
            return tick(now)

        fetcher.tick, fetcher.deadline_s = note, lambda: due[0]  # type: ignore[method-assign]
        while due[1:]:
            due.pop(0)
            a.transfer._perform(())
            await asyncio.sleep(0)
            if due[0] is not None and due[0] < clock() + 100:
                await asyncio.wait_for(ticked.wait(), 60)


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [1000, 3 * MIB])
async def test_wrong_bytes_are_never_staged_and_their_sender_is_blamed(tmp_path: Path, size: int) -> None:
    async with world(tmp_path) as w:
        liar, a, b = (w.device(name) for name in ("liar", "a", "b"))
        data = noise(size)
        wanted = liar.shelf.save("f", data)
        link = w.join(b, liar, spoil=spoiled)
        b.want(wanted)
        await b.until(lambda: link in b.blamed)
        await b.until(lambda: wanted.content in b.failed)
        assert not b.shelf.staging.has(wanted.content)
        a.shelf.save("f", data)
        w.join(b, a)
        b.want(wanted)
        await b.until_fetched(wanted)
        assert b.shelf.staged(wanted.content) == data


@pytest.mark.asyncio
async def test_content_that_changes_while_it_is_served_comes_from_the_next(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, c, b = (w.device(name) for name in "acb")
        data = noise(6 * MIB)
        small = a.shelf.save("small", b"as announced")
        wanted = a.shelf.save("big", data)
        a.shelf.contents.manifest(wanted.content)
        a.shelf.places.path(RelPath("big")).write_bytes(noise(6 * MIB, seed=2))
        a.shelf.places.path(RelPath("small")).unlink()
        link = w.join(b, a)
        b.want(small, wanted)
        await b.until(lambda: {small.content, wanted.content} <= b.failed)
        c.shelf.save("big", data)
        c.shelf.save("small", b"as announced")
        w.join(b, c)
        b.want(small, wanted)
        await b.until_fetched(small, wanted)
        assert b.shelf.staged(wanted.content) == data
        assert link not in b.blamed, "a changed file is nobody's fault"


@pytest.mark.asyncio
async def test_nothing_is_given_to_who_may_not_read_it_nor_across_mandates(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b = w.device("a", (MANDATE, OTHER)), w.device("b", (MANDATE, OTHER))
        secret = a.shelf.save("payroll.ecs", b"salaries")
        big = a.shelf.save("payroll.bak", noise(MIB))
        a.fence.refuses |= {secret.content, big.content}
        elsewhere = a.shelves[OTHER].save("x", b"of another mandate")
        w.join(b, a)
        b.want(secret, big, elsewhere)
        await b.until(lambda: {secret.content, big.content, elsewhere.content} <= b.failed)
        b.transfer.on_message(1, Response(MANDATE, 999, 0, (b"unasked",), True))
        a.transfer.on_message(1, Request(OTHER, 1, What.CONTENT, (elsewhere.content,)))
        assert b.fetched == set()


@pytest.mark.asyncio
async def test_two_mandates_share_a_link_and_nothing_else(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b = w.device("a", (MANDATE, OTHER)), w.device("b", (MANDATE, OTHER))
        one, two = a.shelf.save("x", b"one"), a.shelves[OTHER].save("x", b"two")
        w.join(b, a, (MANDATE, OTHER))
        b.want(one)
        b.want(two, mandate=OTHER)
        await b.until_fetched(one, two)
        assert b.shelf.staging.has(one.content)
        assert not b.shelf.staging.has(two.content)
        assert b.shelves[OTHER].staged(two.content) == b"two"


@pytest.mark.asyncio
async def test_who_asks_without_reading_gets_little_and_then_loses_the_link(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b = w.device("a"), w.device("b")
        wanted = a.shelf.save("big", noise(MIB))
        link = w.join(b, a)
        a.links[link].gate.clear()
        for number in range(100):
            await b.links[link].send(Request(MANDATE, number, What.CHUNK, (wanted.content,), tuple(range(60))))
        await a.until(lambda: b.links[link].error != "")
        assert b.links[link].error == "the other device asks for more than it reads"
        assert a.links[link].largest_queue <= LINK_MESSAGES_MAX


@pytest.mark.asyncio
async def test_a_full_disk_is_a_problem_at_the_path_and_blames_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Staging, files: object) -> list[object]:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with world(tmp_path) as w:
        a, b = w.device("a"), w.device("b")
        wanted = a.shelf.save("f", b"bytes")
        monkeypatch.setattr(Staging, "stage_whole", full)
        w.join(b, a)
        b.want(wanted)
        await b.until(lambda: wanted.content in b.failed)
        assert (b.problems, b.blamed) == (["disk-full"], {})


@pytest.mark.asyncio
async def test_what_cannot_fit_is_not_even_asked_for(tmp_path: Path) -> None:
    """Whoever announces a file may claim any size, and its list of chunks alone would be 60 MiB."""
    async with world(tmp_path) as w:
        a, b = w.device("a"), w.device("b")
        wanted = a.shelf.save("f", noise(MIB))
        w.join(b, a)
        b.want(replace(wanted, size=1 << 49))
        await b.until(lambda: wanted.content in b.failed)
        assert (b.problems, b.blamed, a.requests) == (["disk-full"], {}, [])
        b.shelf.staging.part(wanted.content).write_bytes(b"begun")
        b.want(wanted)
        await b.until_fetched(wanted)
