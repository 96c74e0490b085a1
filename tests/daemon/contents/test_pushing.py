"""What was just saved goes along with its name; nobody has to trust it, want it, or keep it for long."""

from __future__ import annotations

from pathlib import Path

import pytest

from p2psync.core.block import ORDINARY
from p2psync.core.entry import ABSENT, Entry, Kind
from p2psync.core.ids import MandateId, content_of
from p2psync.core.relpath import RelPath
from p2psync.daemon.contents import pushing
from p2psync.engine.effects import Effect, Fetch, Place, PlaceItem, PushContents
from p2psync.engine.orders import Compartment
from p2psync.engine.urgent import SAVE_PATHS_MAX
from p2psync.fs.contents import GIVEN_BYTES_MAX
from p2psync.fs.handful import ITEM_BYTES
from p2psync.wire.messages import PUSH_BYTES_MAX, PUSH_ITEMS_MAX, Push
from tests.daemon.homes import company
from tests.daemon.patience import until
from tests.daemon.peers import MANDATE, OTHER, Device, World, world

OPEN = Compartment(MANDATE, ORDINARY)


def paired(w: World) -> tuple[Device, Device, int]:
    a, b = w.device("a"), w.device("b", (MANDATE, OTHER))
    return a, b, w.join(a, b)


@pytest.mark.asyncio
async def test_what_was_pushed_is_not_asked_for(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, _link = paired(w)
        saved = [a.shelf.save(f"{number}.txt", bytes([number]) * 100) for number in range(SAVE_PATHS_MAX)]
        a.transfer.push(PushContents(MANDATE, tuple(one.content for one in saved)))
        await b.until(lambda: b.pushes == 1)
        b.want(*saved)
        await b.until_fetched(*saved)
        assert a.requests == []
        assert b.shelf.staged(saved[3].content) == bytes([3]) * 100


@pytest.mark.asyncio
async def test_much_goes_in_several_messages_and_what_is_gone_is_left_out(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, _link = paired(w)
        saved = [a.shelf.save(f"{number}.txt", bytes([number]) * PUSH_BYTES_MAX) for number in range(3)]
        (a.shelf.places.root / "1.txt").write_bytes(b"another")
        a.transfer.push(PushContents(MANDATE, tuple(one.content for one in saved)))
        await b.until(lambda: b.pushes == 2)
        b.want(saved[0], saved[2])
        await b.until_fetched(saved[0], saved[2])
        assert a.requests == []


@pytest.mark.asyncio
async def test_other_bytes_than_promised_are_asked_for_as_if_nothing_had_come(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = paired(w)
        saved = a.shelf.save("a.txt", b"right")
        b.transfer.on_message(link, Push(MANDATE, (saved.content,), (b"wrong",)))
        b.want(saved)
        await b.until_fetched(saved)
        assert b.shelf.staged(saved.content) == b"right"
        assert len(a.requests) == 1


@pytest.mark.asyncio
async def test_only_who_may_know_of_a_class_of_files_gets_it(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, link = paired(w)
        c = w.device("c")
        other = w.join(a, c)
        a.fence.closed.add((link, "restricted *.ecs"))
        saved = a.shelf.save("a.ecs", b"salaries")
        a.transfer.push(PushContents(MANDATE, (saved.content,), "restricted *.ecs"))
        await c.until(lambda: c.pushes == 1)
        assert (b.pushes, other) == (0, 2)
        c.want(saved)
        c.want(saved, file_class="restricted *.ecs")
        await c.until_fetched(saved)
        assert [request.file_class for request in a.requests] == [ORDINARY], "it was not given for other files"


@pytest.mark.asyncio
async def test_who_pushes_without_end_or_for_nobody_fills_no_memory(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        _a, b, link = paired(w)
        kept = b.transfer._pushing
        many = [number.to_bytes(2) * (PUSH_BYTES_MAX // 2) for number in range(2 * GIVEN_BYTES_MAX // PUSH_BYTES_MAX)]
        for data in many:
            b.transfer.on_message(link, Push(MANDATE, (content_of(data),), (data,)))
            b.transfer.on_message(link, Push(OTHER, (content_of(data),), (data,)))
            b.transfer.on_message(link + 1, Push(MANDATE, (content_of(data),), (data,)))
        found = kept.take(OPEN, [content_of(data) for data in many])
        assert GIVEN_BYTES_MAX - 2 * PUSH_BYTES_MAX < sum(map(len, found.values())) <= GIVEN_BYTES_MAX
        assert list(found.values()) == many[: len(found)], "the first: they are asked for next"
        assert kept.take(Compartment(OTHER, ORDINARY), [content_of(data) for data in many]) == {}, "no member there"


@pytest.mark.asyncio
async def test_what_was_kept_stays_until_it_is_placed_and_who_gives_more_is_told_of_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "GIVEN_BYTES_MAX", 2 * (ITEM_BYTES + 1))
    async with world(tmp_path) as w:
        _a, b, link = paired(w)
        contents = [content_of(data) for data in (b"1", b"2", b"3")]
        give = [Push(MANDATE, (content,), (b"%d" % n,)) for n, content in enumerate(contents, 1)]
        assert b.transfer.on_message(link, give[0])
        item = PlaceItem(RelPath("a"), ABSENT, None, Entry(Kind.FILE, 1, 0, 0, contents[0]), "replaced")
        b.transfer.hand_over(Place(MANDATE, (item,)))
        assert [b.transfer.on_message(link, one) for one in give[1:]] == [True, False]
        assert b.shelf.contents.take_given(contents) == {contents[0]: b"1"}
        assert b.transfer.on_message(link, give[2])
        assert b.transfer._pushing.take(OPEN, contents) == {contents[1]: b"2", contents[2]: b"3"}


@pytest.mark.asyncio
async def test_items_without_a_byte_fill_no_memory_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "GIVEN_BYTES_MAX", 5 * ITEM_BYTES)
    async with world(tmp_path) as w:
        _a, b, link = paired(w)
        for number in range(10):
            b.transfer.on_message(link, Push(MANDATE, (content_of(b"%d" % number),), (b"",)))
            b.transfer.on_message(link, Push(MANDATE, (), (), f"restricted {number}"))
        assert len(b.transfer._pushing.take(OPEN, [content_of(b"%d" % number) for number in range(10)])) == 5
        assert b.transfer._pushing._kept[link].compartments == {OPEN}


@pytest.mark.asyncio
async def test_many_files_go_along_only_as_they_are_at_hand_and_to_who_is_near(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as w:
        a, b, _link = paired(w)
        many = {content_of(data): data for data in (b"%d" % number for number in range(PUSH_ITEMS_MAX + 1))}
        effect = PushContents(MANDATE, tuple(many))
        for content, data in many.items():
            a.shelf.contents.note_bytes(content, data)
        a.is_near = False
        a.transfer.push(effect)
        assert b.pushes == 0
        a.is_near = True
        a.transfer.push(effect)
        assert b.pushes == 2
        assert b.transfer._pushing.take(OPEN, many) == many
        saved = [a.shelf.save(f"{number}.txt", b"%d" % number) for number in range(20)]
        a.transfer.push(PushContents(MANDATE, tuple(one.content for one in saved)))
        a.transfer.push(PushContents(MANDATE, (saved[0].content,)))
        await b.until(lambda: b.pushes == 3)
        assert b.transfer._pushing.take(OPEN, many) == {saved[0].content: b"0"}, "the others were not at hand any more"


@pytest.mark.asyncio
async def test_what_waits_is_kept_as_long_as_some_of_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as w:
        _a, b, link = paired(w)
        pushing_there = b.transfer._pushing
        many = [b"1", b"2"]
        b.transfer.on_message(link, Push(MANDATE, tuple(map(content_of, many)), tuple(many)))
        pushing_there.take(OPEN, [content_of(b"1")])
        pushing_there._expiry._due(link, pushing.KEPT_S)
        assert pushing_there.take(OPEN, [content_of(b"2")]) == {content_of(b"2"): b"2"}
        b.transfer.on_message(link, Push(MANDATE, (content_of(b"3"),), (b"3",)))
        pushing_there._expiry._due(link, pushing.KEPT_S)
        pushing_there._expiry._due(link, pushing.KEPT_S)
        assert pushing_there.take(OPEN, [content_of(b"3")]) == {}


@pytest.mark.asyncio
async def test_what_nobody_came_for_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushing, "KEPT_S", 0.0)
    async with world(tmp_path) as w:
        a, b, link = paired(w)
        b.transfer.on_message(link, Push(MANDATE, (content_of(b"x"),), (b"x",)))
        await until(lambda: not b.transfer._pushing._kept, "it is forgotten")
        monkeypatch.setattr(pushing, "KEPT_S", 1000.0)
        b.transfer.on_message(link, Push(MANDATE, (content_of(b"x"),), (b"x",)))
        w.cut(a, b, link)
        assert b.transfer._pushing.take(OPEN, [content_of(b"x")]) == {}


@pytest.mark.asyncio
async def test_what_was_read_just_now_is_pushed_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        a, b, _link = paired(w)
        content = content_of(b"saved")
        a.shelf.contents.note_bytes(content, b"saved")
        a.transfer.push(PushContents(MANDATE, (content,)))
        assert b.pushes == 1
        item = PlaceItem(RelPath("a"), ABSENT, None, Entry(Kind.FILE, 5, 0, 0, content), "replaced")
        gone = PlaceItem(RelPath("b"), ABSENT, None, ABSENT, "removed")
        b.transfer.hand_over(Place(OTHER, (item,)))
        b.transfer.hand_over(Place(MandateId(b"?" * 16), (item,)))
        assert not b.shelf.contents.take_given([content]), "it was given for another mandate"
        b.transfer.hand_over(Place(MANDATE, (item, gone)))
        assert b.shelf.contents.take_given([content]) == {content: b"saved"}


@pytest.mark.asyncio
async def test_devices_push_what_is_saved(tmp_path: Path) -> None:
    """It is placed without being fetched."""
    async with company(tmp_path, "payroll") as (one, two):
        got: list[Push] = []
        pushing_there = two.running.transfer._pushing
        take_in = pushing_there.pushed

        def note(link: int, message: Push) -> bool:
            got.append(message)
            return take_in(link, message)

        pushing_there.pushed = note  # type: ignore[method-assign]
        fetched: list[Effect] = []
        two.running._performers[Fetch] = fetched.append  # type: ignore[index]
        one.save("letter.txt", "pushed")
        await two.has("letter.txt", "pushed")
        await until(lambda: [message.items for message in got] == [(b"pushed",)], "it was pushed")
        assert fetched == []
