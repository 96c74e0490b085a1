"""The simulated people: whatever they do, it is known which bytes nobody may lose and what they had before them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from p2psync.books.index import merge
from p2psync.core.ids import content_of
from p2psync.core.relpath import Folding, parse
from p2psync.core.rules import Role
from p2psync.engine.admin import Admin
from p2psync.sim.checkers import check_at_rest
from p2psync.sim.host import Host
from p2psync.sim.knobs import Knobs
from p2psync.sim.world import World
from tests.sim.lives import CALM, again, apart, mandate_of, rest, save, shown, together

A, B = parse("a.txt"), parse("b.txt")
ONE, TWO, THREE = (content_of(text) for text in (b"one", b"two", b"three"))


def over(host: Host, path: str, text: str) -> set[str | None]:
    """What stood before the user when he saved this text: the texts, None for nothing."""
    texts = {content_of(t.encode()): t for t in ("one", "two", "three")}
    found = host.world.users.wrote_over.get((host.name, parse(path), content_of(text.encode())), set())
    return {texts[content] if content is not None else None for content in found}


# -- what is remembered --------------------------------------------------------------------------------


def test_a_save_is_remembered_and_what_stood_there_is_replaced_knowingly() -> None:
    world = together()
    host, users = world.hosts[0], world.users
    save(world, host, "a.txt", "one")
    save(world, host, "a.txt", "two")
    assert shown(host) == {A: "two"}
    assert users.saved == {ONE: (host, A), TWO: (host, A)}
    assert users.replaced == {ONE}
    assert (over(host, "a.txt", "one"), over(host, "a.txt", "two")) == ({None}, {"one"})


def test_to_save_the_same_again_is_nothing() -> None:
    world = together()
    host, users = world.hosts[0], world.users
    save(world, host, "a.txt", "one")
    inode = host.disk.files[A].inode
    save(world, host, "a.txt", "one")
    assert (host.disk.files[A].inode, users.replaced) == (inode, set())


def test_what_a_user_removed_he_had_before_him_when_he_saves_anew() -> None:
    world = together()
    host, users = world.hosts[0], world.users
    save(world, host, "a.txt", "one")
    users._remove(host, A)
    assert shown(host) == {}
    assert users.replaced == {ONE}
    save(world, host, "a.txt", "two")
    assert over(host, "a.txt", "two") == {"one"}


def test_a_rename_loses_nothing_but_what_it_goes_over() -> None:
    world = together()
    host, users = world.hosts[0], world.users
    save(world, host, "a.txt", "one")
    save(world, host, "b.txt", "two")
    users._rename(host, A, A)
    assert users.replaced == set()
    users._rename(host, A, B)
    assert shown(host) == {B: "one"}
    assert users.replaced == {TWO}
    assert over(host, "b.txt", "one") == {"two"}
    rest(world)
    assert shown(world.hosts[1]) == {B: "one"}


def test_on_a_disk_that_folds_case_a_rename_to_the_other_case_replaces_nothing() -> None:
    world = together()
    host, users = world.hosts[0], world.users
    host.disk.folding = Folding(True, False)
    save(world, host, "a.txt", "one")
    users._rename(host, A, parse("A.txt"))
    assert shown(host) == {parse("A.txt"): "one"}
    assert users.replaced == set()


def test_nothing_is_saved_where_a_directory_stands_or_below_a_file() -> None:
    world = together()
    host, users = world.hosts[0], world.users
    save(world, host, "sub/a.txt", "one")
    before = dict(host.disk.files)
    users._save(host, parse("sub"))
    users._save(host, parse("sub/a.txt/deeper"))
    users._rename(host, parse("sub/a.txt"), parse("sub"))
    users._rename(host, parse("sub/a.txt"), parse("sub/a.txt/deeper"))
    assert host.disk.files == before


# -- what programs do ----------------------------------------------------------------------------------


def test_an_open_handle_goes_on_writing_until_users_go_home() -> None:
    world = together(open_handles=1.0)
    one, two = world.hosts
    world.users._save(one, A)
    first = shown(one)[A]
    rest(world)
    assert shown(one)[A] != first
    world.healed = True
    rest(world)
    assert shown(two) == shown(one)


def test_what_an_open_handle_writes_over_a_placement_is_an_edit_of_what_it_had_before_it() -> None:
    world = together()
    one, two = world.hosts
    save(world, one, "a.txt", "one")
    rest(world)
    inode = two.disk.files[A].inode
    save(world, one, "a.txt", "two")
    rest(world)
    assert shown(two) == {A: "two"}
    world.users._write_in_place(two, inode, b"three")
    assert (over(two, "a.txt", "three"), world.users.saved[THREE]) == ({"one"}, (two, A))
    rest(world)
    heads = mandate_of(one).state.heads([A])[A]
    assert {head.entry.content for head in heads} == {TWO, THREE}
    assert shown(one) == shown(two)
    check_at_rest(world)


@pytest.mark.parametrize("another_folder", [False, True])
def test_what_was_written_late_before_a_crash_is_told_unless_the_folder_has_another_past(another_folder: bool) -> None:
    world = together()
    one, two = world.hosts
    save(world, one, "a.txt", "one")
    rest(world)
    inode = two.disk.files[A].inode
    save(world, one, "a.txt", "two")
    rest(world)
    world.users._write_in_place(two, inode, b"three")
    two.crash()
    if another_folder:
        two.disk.epoch = b"another"
    two.start()
    rest(world)
    heads = mandate_of(two).state.heads([A])[A]
    assert {head.entry.content for head in heads} == ({TWO} if another_folder else {TWO, THREE})
    assert world.users.spoiled == ({ONE, THREE} if another_folder else set())


def test_an_open_handle_brings_no_removed_file_back() -> None:
    world = together(open_handles=1.0)
    host = world.hosts[0]
    world.users._save(host, A)
    world.users._remove(host, A)
    rest(world)
    assert shown(host) == {}


def test_an_index_grows_by_lines_that_can_be_merged() -> None:
    world = together()
    host = world.hosts[0]
    for _ in range(3):
        world.users._add_line(host)
    data = shown(host)[parse("Cargo.ecc")].encode()
    lines = data.split(b"\r\n")
    assert (lines[0], lines[-2:]) == (b"#FSC\t9.3\tECC", [b"#END", b""])
    assert data.count(b"#ECF") == 3
    assert merge([data]).data == data


def test_what_the_watcher_overlooks_is_dirty_until_somebody_looks() -> None:
    world = together(overlook=1.0)
    host = world.hosts[0]
    save(world, host, "a.txt", "one")
    rest(world)
    assert host.dirty == {A}
    host.look([A])
    assert host.dirty == set()


# -- deciding ------------------------------------------------------------------------------------------


def disagreeing() -> World:
    world = together()
    apart(world)
    for host, text in zip(world.hosts, ("one", "two"), strict=True):
        save(world, host, "a.txt", text)
    rest(world)
    again(world)
    return world


def test_who_decides_knows_all_versions() -> None:
    world = disagreeing()
    one = world.hosts[0]
    assert one.device is not None
    assert one.mandate is not None
    assert len(one.device.admin(one.mandate).conflicts()) == 1
    world.users._decide(one)
    rest(world)
    assert world.users.replaced == {ONE, TWO}
    for host in world.hosts:
        assert host.device is not None
        assert host.device.admin(one.mandate).conflicts() == []
    assert shown(one) == shown(world.hosts[1])


def test_who_decides_before_the_bytes_are_there_is_refused_and_loses_nothing() -> None:
    world = disagreeing()
    one = world.hosts[0]
    state = mandate_of(one).state
    state.retain_versions(set())
    blocks = len(state.logs()), state.tips()
    world.users._decide(one)
    assert world.users.replaced == set()
    assert (len(state.logs()), state.tips()) == blocks
    save(world, one, "b.txt", "three")
    rest(world)
    assert shown(world.hosts[1])[B] == "three", "it goes on"


def test_where_nothing_is_to_decide_nothing_is_done() -> None:
    world = together()
    world.users._decide(world.hosts[0])
    world.hosts[0].crash()
    world.users._decide(world.hosts[0])
    assert world.users.replaced == set()


# -- whole lives ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        (replace(CALM, decisions=1.0), "_decide"),
        (replace(CALM, merged_files=1.0), "_add_line"),
        (replace(CALM, marks=1.0), "_mark"),
        (replace(CALM, paths=3), "_touch"),
    ],
)
def test_the_knobs_say_what_users_do(knobs: Knobs, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(1, knobs)
    world._found()
    done: list[str] = []
    for name in ("_decide", "_add_line", "_mark", "_touch"):
        monkeypatch.setattr(world.users, name, lambda _, name=name: done.append(name))
    for _ in range(20):
        world.users.act()
    assert done == [said] * 20


def test_revoked_users_and_those_who_have_not_joined_do_nothing() -> None:
    world = together(3)
    _, two, three = world.hosts
    two.revoked, three.mandate = True, None
    for _ in range(20):
        world.users.act()
    assert {host for host, _ in world.users.saved.values()} == {world.hosts[0]}


def test_users_do_everything_that_people_do() -> None:
    world = together(paths=3)
    users = world.users
    for _ in range(200):
        users.act()
        rest(world, 0.5)
    assert users.saved
    assert users.replaced
    assert users._removed
    assert any(content not in users.saved or users.saved[content][1] != path for _, path, content in users.wrote_over)


def test_users_mark_what_they_may_and_take_marks_back() -> None:
    world = together(paths=2, marks=0.6)
    for _ in range(150):
        world.users.act()
        rest(world, 0.5)
    state = world.hosts[0].state
    (mandate,) = state.mandates()
    kinds = {one.mark.kind for one, _ in state.mandate(mandate).marks()}
    assert kinds == {"posted", "undone"}


def test_an_admin_freezes_what_stands_before_him_and_unfreezes_it() -> None:
    world = together(paths=2, freezes=1)
    host, users = world.hosts[0], world.users
    for path in users.paths:
        save(world, host, path, path)
    rest(world)
    users.close_books(host)
    rest(world)
    [frozen] = mandate_of(world.hosts[1]).periods.frozen()
    assert frozen.files
    users.close_books(host)
    rest(world)
    assert mandate_of(world.hosts[1]).periods.frozen() == []
    host.crash()
    users.close_books(host)


def test_who_owns_a_file_gives_it_away_and_nobody_else_but_an_admin() -> None:
    world = together(3)
    one, two, three = world.hosts
    path = parse("f.crbank")
    world.users.paths = [path]
    for member in (two.keys.device, three.keys.device):
        one.act(partial(Admin.set_role, device=member, role=Role.BANKING))
    rest(world)
    save(world, two, path, "one")
    rest(world)
    for host, owner in ((three, two), (two, three)):
        for _ in range(20):
            world.users.hand_over(host)
            rest(world)
        given = mandate_of(one).authority.given.get(path, {})
        assert given == ({} if owner is two else {two.keys.device: given[two.keys.device]})
    assert given[two.keys.device] in {one.keys.device, three.keys.device}
    for _ in range(20):
        world.users.hand_over(one)
        rest(world)
    assert path in mandate_of(three).authority.owners
    one.crash()
    world.users.hand_over(one)


def test_an_admin_who_sees_an_open_conflict_freezes_nothing() -> None:
    world = disagreeing()
    one = world.hosts[0]
    world.users.paths = [A]
    world.users.close_books(one)
    assert mandate_of(one).periods.frozen() == []
    save(world, one, "b.txt", "three")
    rest(world)
    assert shown(world.hosts[1])[B] == "three", "it goes on"
