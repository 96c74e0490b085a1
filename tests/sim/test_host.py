"""A simulated PC: what it performs comes later, what a crash took does not come, what was committed is still there."""

from __future__ import annotations

import pytest

from p2psync.core.entry import Entry, Kind
from p2psync.core.ids import content_of
from p2psync.core.relpath import parse
from p2psync.engine.effects import KeepVersion, PlaceItem, Rescan
from p2psync.engine.events import Outcome
from p2psync.sim.checkers import check_at_rest
from p2psync.sim.disk import Disk
from p2psync.sim.host import Host, keyed
from p2psync.sim.world import World
from tests.sim.lives import again, apart, mandate_of, rest, save, shown, together

A = parse("a.txt")


def known(host: Host) -> list[str]:
    """The contents of the changes at `a.txt` that this device knows of, as text."""
    state = mandate_of(host).state
    heads = state.heads([A]).get(A, ())
    return [content.hex() for content in (head.entry.content for head in heads) if content is not None]


# -- time ----------------------------------------------------------------------------------------------


def test_what_is_saved_is_seen_later_and_placed_elsewhere_later_still() -> None:
    world = together(notice_s=1.0, disk_s=1.0)
    one, two = world.hosts
    content = save(world, one, "a.txt", "one")
    assert (known(one), shown(two)) == ([], {})
    rest(world)
    assert known(one) == known(two) == [content.hex()]
    assert shown(two) == {A: "one"}


def test_what_was_to_come_in_an_earlier_life_does_not_come() -> None:
    world = together()
    one = world.hosts[0]
    happened: list[str] = []
    one.later(1.0, lambda: happened.append("later"))
    one.later_at(world.now.monotonic_s + 1.0, lambda: happened.append("at"))
    one.crash()
    world.network.cut()
    world._restart(one)
    one.later(1.0, lambda: happened.append("this life"))
    rest(world)
    assert happened == ["this life"]


# -- crashes -------------------------------------------------------------------------------------------


def test_a_crash_leaves_what_was_committed_and_the_folder() -> None:
    world = together()
    one, two = world.hosts
    save(world, one, "a.txt", "before")
    rest(world)
    one.disk.staged[content_of(b"half")] = b"half"
    before = known(one)
    one.crash()
    world.network.cut()
    assert one.device is None
    assert one.disk.staged == {}
    save(world, two, "b.txt", "meanwhile")
    one.disk.write(A, b"while it was off", world.now.wall_ms * 1_000_000)
    rest(world, 5)
    world._restart(one)
    assert known(one) == before
    rest(world)
    assert shown(one) == shown(two) == {A: "while it was off", parse("b.txt"): "meanwhile"}


def test_who_saves_after_a_crash_may_have_seen_what_was_placed_or_what_was_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = together()
    one, two = world.hosts
    save(world, one, "a.txt", "old")
    rest(world)
    place = Disk.place

    def place_and_crash(disk: Disk, item: PlaceItem) -> Outcome:
        outcome = place(disk, item)
        two.crash()
        return outcome

    monkeypatch.setattr(Disk, "place", place_and_crash)
    save(world, one, "a.txt", "new")
    rest(world, 5)
    monkeypatch.undo()
    world.network.cut()
    assert shown(two) == {A: "new"}
    save(world, two, "a.txt", "newer")
    world._restart(two)
    assert world.users.cut_off == {(two.name, A): {content_of(b"old")}}
    rest(world)
    world.healed = True
    check_at_rest(world)


def test_who_leaves_forgets_the_mandate_and_keeps_its_folder() -> None:
    world = together(3)
    one, two, three = world.hosts
    save(world, one, "a.txt", "of all")
    rest(world)
    two.leave()
    rest(world)
    save(world, one, "b.txt", "of the others")
    rest(world)
    assert (two.revoked, two.state.mandates()) == (True, [])
    assert (shown(two), shown(three)) == ({A: "of all"}, {A: "of all", parse("b.txt"): "of the others"})
    two.crash()
    world._restart(two)
    rest(world)
    check_at_rest(world)


def test_a_pc_that_is_off_hears_nothing() -> None:
    world = together()
    one = world.hosts[0]
    one.crash()
    world.network.cut()
    events = world.events
    one.handle()
    one.scan()
    one.look([A])
    assert world.events == events
    assert one.device is None


def test_a_lost_database_is_made_anew_from_the_welcome_and_the_folder_deletes_nothing() -> None:
    world = together()
    one, two = world.hosts
    save(world, one, "a.txt", "kept")
    rest(world)
    two.crash()
    two.lose_state()
    world.network.cut()
    assert not two.state.mandates()
    world._restart(two)
    rest(world)
    assert shown(one) == shown(two) == {A: "kept"}
    assert known(one) == known(two)


def test_a_restored_folder_brings_no_old_bytes_back() -> None:
    """Another epoch in the database than in the folder: what lies there is behind, not an edit."""
    world = together()
    one, two = world.hosts
    save(world, one, "a.txt", "old")
    rest(world)
    backup = two.disk.copy()
    save(world, one, "a.txt", "new")
    two.renew_epoch()
    rest(world)
    two.crash()
    world.network.cut()
    two.disk = backup
    world._restart(two)
    rest(world)
    assert shown(one) == shown(two) == {A: "new"}


def test_an_undo_in_an_unbroken_folder_is_an_edit() -> None:
    world = together()
    one, two = world.hosts
    for text in ("old", "new"):
        save(world, one, "a.txt", text)
        rest(world)
    one.crash()
    world.network.cut()
    one.disk.write(A, b"old", world.now.wall_ms * 1_000_000)
    world._restart(one)
    rest(world)
    assert shown(one) == shown(two) == {A: "old"}


# -- effects -------------------------------------------------------------------------------------------


def keep(host: Host, data: bytes) -> None:
    assert host.mandate is not None
    entry = Entry(Kind.FILE, len(data), 0, 0, content_of(data))
    host._keep(KeepVersion(host.mandate, A, entry, "conflict", None))


def versions(world: World, host: Host) -> list[str]:
    return [row.content.hex() for row in mandate_of(host).state.versions(A)]


def test_bytes_that_are_here_are_kept_and_listed_others_are_not() -> None:
    world = together()
    one = world.hosts[0]
    one.disk.staged[content_of(b"here")] = b"here"
    keep(one, b"here")
    keep(one, b"nowhere")
    assert one.disk.versions == {content_of(b"here"): b"here"}
    assert versions(world, one) == [content_of(b"here").hex()]


def test_a_rescan_finds_what_nobody_noticed() -> None:
    world = together(overlook=1.0)
    one, two = world.hosts
    save(world, one, "a.txt", "overlooked")
    save(world, one, "b.txt", "too")
    rest(world)
    assert shown(two) == {}
    assert one.mandate is not None
    assert one.dirty == {A, parse("b.txt")}
    one._perform(Rescan(one.mandate, (A,)))
    rest(world)
    assert shown(two) == {A: "overlooked"}
    one._perform(Rescan(one.mandate, ()))
    rest(world)
    assert shown(two) == shown(one)
    assert one.dirty == set()


def test_a_scan_finds_what_is_gone() -> None:
    world = together(overlook=1.0)
    one, two = world.hosts
    save(world, one, "a.txt", "a")
    one.scan()
    rest(world)
    assert shown(two) == {A: "a"}
    del one.disk.files[A]
    one.scan()
    rest(world)
    assert shown(two) == {}
    assert two.disk.versions == {content_of(b"a"): b"a"}


def test_both_disagreeing_indexes_are_merged_alike() -> None:
    world = together()
    one, two = world.hosts
    head = "#FSC\t9.3\tECC\r\n"
    apart(world)
    for number, host in enumerate(world.hosts):
        line = f"#ECF\t1; 05/01/2025 09:0{number}:00; f{number}.ecf; {number}\r\n"
        save(world, host, "Cargo.ecc", head + line + "#END\r\n")
    rest(world)
    again(world)
    merged = shown(one)[parse("Cargo.ecc")]
    assert merged == shown(two)[parse("Cargo.ecc")]
    assert "f0.ecf" in merged
    assert "f1.ecf" in merged


def test_a_signature_holds_for_its_device_and_its_bytes_alone() -> None:
    one, two = together().hosts
    signature = one.keys.sign(b"data")
    assert signature == keyed(one.keys.device, b"data")
    assert one.keys.verify(one.keys.device, b"data", signature)
    assert not one.keys.verify(two.keys.device, b"data", signature)
    assert not one.keys.verify(one.keys.device, b"other", signature)
