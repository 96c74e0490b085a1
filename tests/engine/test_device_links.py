"""Whatever comes over a link ends in effects: at worst the link is closed, and everything else goes on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.core.clock import Tip
from p2psync.core.ids import BlockHash, LogId
from p2psync.core.problem import Code, Problem
from p2psync.core.rules import Role
from p2psync.engine.conduct import FORGIVEN_S
from p2psync.engine.device import CLOCK_TOLERANCE_S
from p2psync.engine.effects import CloseLink, Notice, PeerJoined, PeerLeft, Send, WakeAt
from p2psync.engine.events import Event, FolderOpened, LinkDown, LinkUp, Received, ScanFinished, Tick
from p2psync.engine.scope import Now
from p2psync.errors import NotAllowed, UsageError
from p2psync.wire.messages import (
    PROTOCOL_VERSION,
    Close,
    CloseCode,
    Have,
    Hello,
    IndexUpdate,
    Message,
    Ping,
    Placed,
    Pong,
    Request,
    Response,
    Secret,
    What,
)
from tests.engine.links import GARBAGE, MEMBER, NONCE, NOW, STRANGER, UNKNOWN, Office, closed, greeting

# -- beginning ---------------------------------------------------------------------------------------


def test_a_link_begins_with_a_hello_that_lists_what_both_share() -> None:
    office = Office()
    office.found("not theirs")
    both = office.found("both", MEMBER)
    office.effects.clear()
    office.link(1).link(2, STRANGER)
    [hello], [to_stranger] = office.sent(1), office.sent(2)
    assert isinstance(hello, Hello)
    assert isinstance(to_stranger, Hello)
    assert hello.mandates == tuple(sorted([office.mandate, both]))
    assert to_stranger.mandates == ()
    assert (hello.name, hello.program, hello.version) == ("office", "p2psync test", PROTOCOL_VERSION)
    assert hello.run_nonce == office.device.run_nonce
    assert office.of(PeerJoined) == []


def test_a_local_mandate_is_told_to_nobody() -> None:
    office = Office()
    local = office.found("local", share=False)
    office.link(1)
    [hello] = office.sent(1)
    assert isinstance(hello, Hello)
    assert local not in hello.mandates


def test_a_session_opens_for_what_both_list() -> None:
    office = Office()
    other = office.found("other", MEMBER)
    office.effects.clear()
    office.link(1).hello(1, office.mandate, UNKNOWN)
    assert office.of(PeerJoined) == [PeerJoined(1, office.mandate, MEMBER)]
    assert [type(m) for m in office.sent(1)] == [Hello, Secret, Have, Placed]
    office.hello(1, other)
    assert office.of(PeerJoined) == [PeerJoined(1, other, MEMBER)]
    assert office.of(PeerLeft) == [PeerLeft(1, office.mandate, MEMBER)], "they list it no more"


def test_a_stranger_learns_nothing() -> None:
    office = Office()
    office.link(1, STRANGER).hello(1)
    assert office.of(PeerJoined) == []
    assert [type(m) for m in office.sent(1)] == [Hello]


def test_a_newcomer_is_greeted_again() -> None:
    office = Office()
    office.link(1, STRANGER).hello(1)
    office.effects.clear()
    office.admit(office.mandate, STRANGER)
    office.effects += office.device.finish()
    assert office.of(PeerJoined) == [PeerJoined(1, office.mandate, STRANGER)]
    [hello, *rest] = office.sent(1)
    assert isinstance(hello, Hello)
    assert hello.mandates == (office.mandate,)
    assert [type(m) for m in rest] == [Secret, Have, Placed]


def test_who_is_revoked_is_told_why_and_no_more() -> None:
    office = Office()
    office.link(1).hello(1)
    office.effects.clear()
    office.device.admin(office.mandate).revoke(MEMBER)
    office.effects += office.device.finish()
    assert office.of(PeerLeft) == [PeerLeft(1, office.mandate, MEMBER)]
    [hello, farewell] = office.sent(1)
    assert isinstance(hello, Hello)
    assert hello.mandates == ()
    assert isinstance(farewell, IndexUpdate)
    office << Received(1, Have(office.mandate, {}))
    assert office.sent(1) == []


def test_pings_are_answered() -> None:
    office = Office().link(1)
    office.hello(1).sent(1)
    office << Received(1, Ping(7))
    assert office.sent(1) == [Pong(7)]


# -- what is passed over -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        *(Have(UNKNOWN, {}), IndexUpdate(UNKNOWN, (GARBAGE,)), Placed(UNKNOWN, {}, 0, ()), Secret(UNKNOWN, 1, NONCE)),
        *(Request(UNKNOWN, 1, What.CONTENT, ()), Response(UNKNOWN, 1, 0, (), True), Pong(1)),
    ],
    ids=lambda m: type(m).__name__,
)
def test_what_is_not_for_us_has_no_effect(message: Message) -> None:
    office = Office().link(1)
    office.hello(1).effects.clear()
    office << Received(1, message)
    assert office.effects == []


@pytest.mark.parametrize(
    "of", [lambda m: Have(m, {}), lambda m: IndexUpdate(m, (GARBAGE,)), lambda m: Secret(m, 9, NONCE)]
)
def test_a_mandate_without_a_session_hears_nothing(of: Any) -> None:
    office = Office().link(1, STRANGER)
    office.hello(1).effects.clear()
    office << Received(1, of(office.mandate))
    assert office.effects == []
    assert office.problems == []


def test_events_about_what_is_gone_are_passed_over() -> None:
    office = Office()
    office << Received(9, Ping(1)) << LinkDown(9, "gone") << FolderOpened(UNKNOWN, True, b"")
    office << ScanFinished(UNKNOWN, True)
    assert office.effects == []
    office.link(1).hello(1)
    office << LinkDown(1, "cut")
    assert office.of(PeerLeft) == [PeerLeft(1, office.mandate, MEMBER)]
    office.effects.clear()
    office << LinkDown(1, "again") << Received(1, Ping(1))
    assert office.effects == []


# -- what closes the link ----------------------------------------------------------------------------


@pytest.mark.parametrize("message", [Have(UNKNOWN, {}), Ping(1), Response(UNKNOWN, 1, 0, (), True)])
def test_a_link_that_begins_with_anything_else_than_hello(message: Message) -> None:
    office = Office().link(1)
    office << Received(1, message)
    assert "AWAIT_HELLO" in closed(office, 1, CloseCode.PROTOCOL_ERROR)
    assert [n.name for n in office.of(Notice)] == ["peer.misbehaved"]


@pytest.mark.parametrize("version", [0, PROTOCOL_VERSION + 1])
def test_another_version_of_the_protocol(version: int) -> None:
    office = Office().link(1).hello(1, version=version)
    assert "update p2psync" in closed(office, 1, CloseCode.VERSION)
    assert office.of(Notice) == [], "nobody misbehaved"


@pytest.mark.parametrize("raw", [GARBAGE, b"", bytes(64), b"\x00" * 300])
def test_a_member_that_sends_garbage(raw: bytes) -> None:
    office = Office().link(1).link(2, STRANGER)
    office.hello(1).hello(2).effects.clear()
    office << Received(1, IndexUpdate(office.mandate, (raw,)))
    closed(office, 1, CloseCode.PROTOCOL_ERROR)
    assert office.of(PeerLeft) == [PeerLeft(1, office.mandate, MEMBER)]
    assert office.problems == [Code.PEER_MISBEHAVED]
    office << Received(2, Ping(1))
    assert office.sent(2) == [Pong(1)], "the others do not suffer"


@pytest.mark.parametrize("blamed", [True, False])
def test_a_member_that_broke_the_rules_of_the_link_is_shown(blamed: bool) -> None:
    office = Office().link(1).hello(1)
    office << LinkDown(1, "asks for too much", blamed)
    assert office.problems == ([Code.PEER_MISBEHAVED] if blamed else [])
    assert office.of(PeerLeft) == [PeerLeft(1, office.mandate, MEMBER)]


def test_a_member_that_behaves_again_is_forgiven() -> None:
    office = Office().link(1).hello(1)
    office << Received(1, IndexUpdate(office.mandate, (GARBAGE,)))
    office.device.handle(Tick(), Now(NOW.monotonic_s + FORGIVEN_S - 1, NOW.wall_ms))
    assert office.problems == [Code.PEER_MISBEHAVED]
    office.device.handle(Tick(), Now(NOW.monotonic_s + FORGIVEN_S, NOW.wall_ms))
    assert office.problems == []


def test_a_long_reason_is_cut() -> None:
    office = Office().link(1)
    office.hello(1).effects.clear()
    raw = bytes(64) + b"\x99\x01" + b"\xc4\x10" + bytes(16) + b"\xd9\xff" + b"x" * 255 + b"\xc0" * 6
    office << Received(1, IndexUpdate(office.mandate, (raw,)))
    close = office.sent(1)[-1]
    assert isinstance(close, Close)
    assert len(close.reason) <= 200


def test_a_goodbye_is_not_answered() -> None:
    office = Office().link(1).link(2)
    office.hello(1).effects.clear()
    office << Received(1, Close(CloseCode.GOODBYE, "shutting down")) << Received(2, Close(CloseCode.GOODBYE, ""))
    assert office.of(CloseLink) == [CloseLink(1, "shutting down"), CloseLink(2, "closed by the other side")]
    assert office.of(Send) == []


# -- clocks, times, ways -----------------------------------------------------------------------------


def test_a_clock_that_is_far_off_is_shown_and_decides_nothing() -> None:
    office = Office()
    office.link(1).hello(1, wall_time_s=NOW.wall_ms / 1000 + CLOCK_TOLERANCE_S + 1)
    assert office.state.mandate(office.mandate).problems() == [Problem("", Code.CLOCK_WRONG, "PC")]
    assert office.of(PeerJoined) == [PeerJoined(1, office.mandate, MEMBER)]
    office << LinkDown(1, "")
    office.link(2).hello(2, wall_time_s=NOW.wall_ms / 1000 - CLOCK_TOLERANCE_S + 1)
    assert office.problems == []


def test_a_tick_is_asked_for_once() -> None:
    office = Office().link(1).hello(1)
    office.effects.clear()
    office.device.mandates[office.mandate]._scope.wake_in(5)
    office << Received(1, Ping(1))
    assert office.of(WakeAt) == [WakeAt(NOW.monotonic_s + 5)]
    office << Received(1, Ping(2))
    assert office.of(WakeAt) == []
    office << Tick() << Received(1, Ping(3))
    assert office.of(WakeAt) == []


def test_it_knows_its_links() -> None:
    office = Office().link(1, way="relay").link(2, STRANGER)
    assert office.device.links_to(MEMBER) == [], "nothing was said on it yet"
    office.hello(1)
    assert office.device.links_to(MEMBER) == [(1, "relay")]
    assert [office.device.way_of(n) for n in (1, 2, 3)] == ["relay", "lan", None]


# -- mandates come and go ----------------------------------------------------------------------------


def test_joining_twice_is_refused() -> None:
    office = Office()
    inviter = Office("inviter")
    invited = inviter.admit(inviter.mandate, office.device.keys.device)
    assert office.device.join(invited) == inviter.mandate
    with pytest.raises(UsageError, match="already"):
        office.device.join(invited)
    with pytest.raises(NotAllowed):
        office.device.admin(inviter.mandate).rename("mine")


def test_leaving_ends_the_sessions() -> None:
    office = Office()
    other = office.found("other")
    office.link(1).hello(1)
    office.effects.clear()
    office.device.leave(other)
    with pytest.raises(UsageError, match="last admin"):
        office.device.leave(office.mandate)
    office.device.admin(office.mandate).set_role(MEMBER, Role.INVOICING, True)
    office.device.leave(office.mandate)
    office.effects += office.device.finish()
    assert office.of(PeerLeft) == [PeerLeft(1, office.mandate, MEMBER)]
    assert office.state.mandates() == []
    hello = office.sent(1)[-1]
    assert isinstance(hello, Hello)
    assert hello.mandates == ()


# -- anything at all ---------------------------------------------------------------------------------

M = Office().mandate
some_mandate = st.sampled_from([M, UNKNOWN])
tips = st.builds(Tip, st.integers(1, 9), st.binary(min_size=32, max_size=32).map(BlockHash))
claims = st.dictionaries(
    st.binary(min_size=16, max_size=16).map(LogId), st.lists(tips, max_size=3).map(tuple), max_size=3
)
messages = st.one_of(
    st.builds(greeting, st.just(M), run_nonce=st.sampled_from([b"1" * 16, b"2" * 16])),
    st.builds(greeting, some_mandate, version=st.integers(0, 2)),
    st.builds(Have, some_mandate, claims),
    st.builds(IndexUpdate, some_mandate, st.lists(st.binary(min_size=1, max_size=300), max_size=3).map(tuple)),
    st.builds(
        Placed,
        some_mandate,
        claims,
        st.integers(0, 9),
        st.lists(st.tuples(st.text(), st.text()), max_size=2).map(tuple),
    ),
    st.builds(Secret, some_mandate, st.integers(0, (1 << 63) - 1), st.binary(min_size=16, max_size=64)),
    st.builds(Request, some_mandate, st.integers(0, 9), st.sampled_from(What), st.just(())),
    st.builds(Response, some_mandate, st.integers(0, 9), st.integers(0, 9), st.just(()), st.booleans()),
    st.builds(Ping, st.integers(0, 9)),
    st.builds(Pong, st.integers(0, 9)),
    st.builds(Close, st.sampled_from(CloseCode), st.text(max_size=9)),
)
links = st.integers(1, 3)
happenings = st.one_of(
    st.builds(Received, links, messages),
    st.builds(Received, links, messages),
    st.builds(LinkUp, links, st.sampled_from([MEMBER, STRANGER]), st.booleans(), st.just("lan")),
    st.builds(LinkDown, links, st.just("")),
    st.just(Tick()),
)


@settings(max_examples=200)
@given(st.lists(happenings, max_size=25))
def test_nothing_that_comes_raises(events: list[Event]) -> None:
    office = Office()
    open_links: set[int] = set()
    for event in events:
        if isinstance(event, LinkUp) and event.link in open_links:
            continue  # a number is never used again while its link is open
        office << event
        open_links |= {event.link} if isinstance(event, LinkUp) else set()
        open_links -= {event.link} if isinstance(event, LinkDown) else set()
        open_links -= {closing.link for closing in office.of(CloseLink)}
        assert set(office.device.mandates[M].peers) <= open_links
        office.effects.clear()
