"""Several links to one device, several runs of it, and copies: of others, and of oneself."""

from __future__ import annotations

import pytest

from p2psync.core.ids import DeviceId, device_text
from p2psync.core.problem import Code, Problem
from p2psync.engine.device import NONCES_REMEMBERED
from p2psync.engine.effects import CloseLink, Drain, Notice, PeerJoined
from p2psync.engine.events import FolderOpened
from p2psync.wire.messages import CloseCode, Hello
from tests.engine.links import MEMBER, NOW, Office, closed
from tests.engine.village import fake_keys


def test_a_link_to_oneself() -> None:
    office = Office()
    office.link(1, office.device.keys.device).hello(1, run_nonce=office.device.run_nonce)
    assert office.of(CloseLink) == [CloseLink(1, "this is the same device")]
    assert office.problems == []
    assert office.of(PeerJoined) == []
    office.effects.clear()
    office.hello(1)
    assert office.effects == []


def test_a_copy_of_oneself_is_told_who_it_meets_and_closed() -> None:
    office = Office()
    own = office.device.keys.device
    office.link(1, own)
    (hello,) = office.sent(1)
    assert isinstance(hello, Hello), "so that the copy learns of it too"
    office.hello(1, run_nonce=b"2" * 16)
    assert office.of(CloseLink) == [CloseLink(1, "this is the same device")]
    assert office.of(PeerJoined) == []
    [problem] = office.state.mandate(office.mandate).problems()
    assert problem == Problem("", Code.DEVICE_CLONED, device_text(own))
    office << FolderOpened(office.mandate, True, b"epoch")
    assert office.problems == [], "found out anew in the next run, if it is still so"


def test_a_copy_that_was_revoked_is_no_problem_any_more() -> None:
    office = Office()
    for number, nonce in enumerate([b"1" * 16, b"2" * 16, b"1" * 16]):
        office.link(number).hello(number, run_nonce=nonce)
    assert office.problems == [Code.DEVICE_CLONED]
    office.device.act(NOW)
    office.device.admin(office.mandate).revoke(MEMBER)
    assert office.problems == []


# -- duplicates and clones ---------------------------------------------------------------------------


@pytest.mark.parametrize("first_dialled", [True, False])
@pytest.mark.parametrize("we_are_lower", [True, False])
def test_of_two_dials_the_lower_ids_stays(we_are_lower: bool, first_dialled: bool) -> None:
    """Both sides close the same link, whichever came up first."""
    office, other = with_member(we_are_lower)
    office.link(1, other, initiator=first_dialled).hello(1)
    office.effects.clear()
    office.link(2, other, initiator=not first_dialled).hello(2)
    stays = 1 if first_dialled == we_are_lower else 2
    assert [number for number, _ in office.device.links_to(other)] == [stays]
    assert list(office.device.mandates[office.mandate].peers) == [stays]
    assert "another connection" in closed(office, 3 - stays, CloseCode.REPLACED)


@pytest.mark.parametrize("initiator", [True, False])
def test_a_second_dial_by_the_same_side_replaces_the_first(initiator: bool) -> None:
    office = Office()
    office.link(1, initiator=initiator).hello(1).link(2, initiator=initiator).hello(2)
    assert [number for number, _ in office.device.links_to(MEMBER)] == [2]
    closed(office, 1, CloseCode.REPLACED)


def test_a_link_on_which_nothing_was_said_is_no_duplicate() -> None:
    office = Office().link(1).link(2)
    office.hello(2)
    assert office.of(CloseLink) == []
    office.hello(1)
    assert len(office.of(CloseLink)) == 1


@pytest.mark.parametrize("we_are_lower", [True, False])
@pytest.mark.parametrize("better_first", [True, False])
def test_a_better_way_takes_over_and_the_lower_id_ends_the_worse(better_first: bool, we_are_lower: bool) -> None:
    """An established one is drained first; a fresh one has nothing on its way. Who dialled does not matter."""
    office, other = with_member(we_are_lower)
    ways = ("direct", "relay") if better_first else ("relay", "direct")
    office.link(1, other, way=ways[0]).hello(1)
    office.effects.clear()
    office.link(2, other, way=ways[1]).hello(2)
    if not better_first:
        assert office.of(Drain) == [Drain(1, we_are_lower)]
        assert office.device.links_to(other) == [(2, "direct"), (1, "relay")]
    elif we_are_lower:
        assert "better connection" in closed(office, 2, CloseCode.REPLACED)
    else:
        assert office.of(CloseLink) == office.of(Drain) == []
        assert office.device.links_to(other) == [(1, "direct"), (2, "relay")]


def test_a_new_run_replaces_the_links_of_the_old_one() -> None:
    office = Office()
    office.link(1, initiator=True).hello(1).link(2, initiator=False).hello(2, run_nonce=b"2" * 16)
    assert [number for number, _ in office.device.links_to(MEMBER)] == [2]
    assert "started anew" in closed(office, 1, CloseCode.REPLACED)
    assert office.problems == []


def test_a_run_that_comes_back_after_another_is_a_clone() -> None:
    office = Office()
    for number, nonce in enumerate([b"1" * 16, b"2" * 16, b"2" * 16]):
        office.link(number).hello(number, run_nonce=nonce)
    assert office.problems == []
    office.link(9).hello(9, run_nonce=b"1" * 16)
    assert office.problems == [Code.DEVICE_CLONED]
    assert ("device.cloned", (("device", MEMBER.hex()),)) in [(n.name, n.fields) for n in office.of(Notice)]
    assert list(office.device.mandates[office.mandate].peers) == [9], "synchronising goes on"


def test_few_runs_are_remembered() -> None:
    office = Office()
    for number in range(NONCES_REMEMBERED + 1):
        office.link(number).hello(number, run_nonce=bytes([number]) * 16)
    office.link(99).hello(99, run_nonce=bytes(16))
    assert office.problems == []
    office.link(100).hello(100, run_nonce=bytes([NONCES_REMEMBERED - 1]) * 16)
    assert office.problems == [Code.DEVICE_CLONED]


def with_member(we_are_lower: bool) -> tuple[Office, DeviceId]:
    """An office with a member of a lower or a higher id."""
    name = "office"
    other = next(
        device
        for device in (fake_keys(f"{i}").device for i in range(99))
        if (fake_keys(name).device < device) == we_are_lower
    )
    office = Office(name)
    office.admit(office.mandate, other)
    return office, other
