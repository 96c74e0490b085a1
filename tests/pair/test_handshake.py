"""Conversations of joiner and inviter: the good one, every refusal, lost answers, lies, and the whole tables."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.core.ids import MandateId
from p2psync.errors import (
    LocalProtocolError,
    RemoteProtocolError,
    TicketCancelled,
    TicketError,
    TicketExpired,
    TicketRefused,
    TicketUsed,
    UsageError,
)
from p2psync.pair import handshake
from p2psync.pair.conversation import Begin, Failed, Finished, Refuse, Reply
from p2psync.pair.handshake import (
    INVITER,
    JOINER,
    Admit,
    Decide,
    Guessed,
    Hold,
    Inviter,
    Joined,
    Joiner,
    LastPart,
    State,
    Waiting,
    WrongProof,
)
from p2psync.pair.invitation import Claim, Invitation
from p2psync.pair.messages import (
    PART_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    Accepted,
    Challenge,
    JoinRequest,
    Message,
    Part,
    Pending,
    Proof,
    Refusal,
    Refused,
    decode,
    encode,
)
from p2psync.pair.ticket import Ticket, TicketId
from tests.pair.meeting import (
    BUNDLE,
    CLERK,
    ERRORS,
    INVITATION,
    ISSUER,
    NONCES,
    THIEF,
    TICKET,
    UNKNOWN,
    Issuer,
    claimed,
    converse,
    error_of,
    frame_of,
    give,
    join,
    joiner,
)


def test_a_ticket_makes_a_member() -> None:
    issuer = Issuer(INVITATION)
    assert join(issuer) == [Joined(BUNDLE)]
    assert issuer.invitations[TICKET.id].claims == {CLERK.device: Claim.ADMITTED}
    assert issuer.guessed == []


def test_the_inviter_learns_who_comes_once_that_is_proven_and_not_before() -> None:
    newcomer, inviter = joiner(name=" Lohn\nbüro "), Issuer(INVITATION).meet()
    (hello,) = newcomer.start()
    assert isinstance(hello, Reply)
    (challenge,) = inviter.receive(hello.frame)
    assert isinstance(challenge, Reply)
    (proof,) = newcomer.receive(challenge.frame)
    assert isinstance(proof, Reply)
    (decide,) = inviter.receive(proof.frame)
    assert decide == Decide(TICKET.id, TICKET.mandate, CLERK.device, CLERK.certificate, "Lohnbüro")


@given(st.integers(1, 5), st.binary(min_size=1, max_size=20))
@settings(max_examples=20)
def test_a_payload_of_any_size_arrives_whole(repeats: int, grain: bytes) -> None:
    payload = (grain * (PAYLOAD_BYTES_MAX // len(grain)))[: repeats * PART_BYTES_MAX + len(grain) - 2]
    payload = payload or grain
    assert join(Issuer(INVITATION, payload=payload)) == [Joined(payload)]


def test_the_largest_payload_arrives_whole() -> None:
    payload = bytes(PAYLOAD_BYTES_MAX)
    assert join(Issuer(INVITATION, payload=payload)) == [Joined(payload)]


def test_a_joiner_whose_answer_was_lost_is_told_the_same_again_even_after_the_expiry() -> None:
    issuer = Issuer(INVITATION)
    join(issuer)
    assert join(issuer, now_s=5000.0) == [Joined(BUNDLE)]
    assert issuer.invitations[TICKET.id].uses_left == 0


def test_nobody_else_gets_in_with_a_used_ticket() -> None:
    issuer = Issuer(INVITATION)
    join(issuer)
    assert isinstance(error_of(join(issuer, joiner(THIEF))), TicketUsed)
    assert THIEF.device not in issuer.invitations[TICKET.id].claims


def test_a_newcomer_waits_for_an_admin_and_may_come_back_for_the_answer() -> None:
    issuer = Issuer(replace(INVITATION, confirm=True))
    first = issuer.meet()
    newcomer = joiner()
    assert converse(issuer, newcomer, first) == [Waiting()]
    assert join(issuer, now_s=5000.0) == [Waiting()]
    issuer.invitations[TICKET.id] = claimed(issuer.invitations[TICKET.id], CLERK.device, Claim.ADMITTED)
    assert give(newcomer, first.decide(Admit(BUNDLE))) == [Joined(BUNDLE)]
    assert join(issuer, now_s=5000.0) == [Joined(BUNDLE)]


def test_an_admin_may_decline() -> None:
    issuer = Issuer(replace(INVITATION, confirm=True))
    inviter, newcomer = issuer.meet(), joiner()
    converse(issuer, newcomer, inviter)
    outputs = inviter.decide(Refuse(Refusal.DECLINED))
    assert outputs[-1] == Finished()
    assert "declined" in str(error_of(give(newcomer, outputs)))


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Refusal.UNKNOWN, "does not know this ticket"),
        (Refusal.USED, "used already"),
        (Refusal.EXPIRED, "has expired"),
        (Refusal.CANCELLED, "cancelled"),
        (Refusal.TOO_MANY_TRIES, "Too many wrong tickets"),
        (Refusal.MANDATE_GONE, "may no longer admit"),
        (Refusal.DECLINED, "declined"),
        (Refusal.GUESSED, "tried to guess"),
    ],
)
def test_each_refusal_has_its_own_sentence(reason: Refusal, said: str) -> None:
    newcomer = joiner()
    newcomer.start()
    found = error_of(newcomer.receive(encode(Refused(reason))))
    assert type(found) is ERRORS[reason]
    assert said in str(found)
    assert str(found) not in {str(handshake._refusal_error(r)) for r in Refusal if r is not reason}


@pytest.mark.parametrize(
    ("record", "now_s", "error"),
    [
        (replace(INVITATION, cancelled=True), 0.0, TicketCancelled),
        (INVITATION, 1000.0, TicketExpired),
        (claimed(INVITATION, THIEF.device, Claim.ADMITTED), 0.0, TicketUsed),
    ],
)
def test_a_holder_learns_what_became_of_the_ticket(record: Invitation, now_s: float, error: type[TicketError]) -> None:
    issuer = Issuer(record)
    assert type(error_of(join(issuer, now_s=now_s))) is error
    assert issuer.invitations == {TICKET.id: record}
    assert issuer.guessed == []


@pytest.mark.parametrize("record", [INVITATION, replace(INVITATION, cancelled=True)])
@pytest.mark.parametrize(
    ("ticket", "counted"),
    [
        (UNKNOWN, None),
        (replace(TICKET, secret=b"x" * 16), TICKET.id),
        (replace(TICKET, mandate=MandateId(b"x" * 16)), TICKET.id),
    ],
)
def test_a_guess_learns_nothing_not_even_whether_there_is_such_a_ticket(
    record: Invitation, ticket: Ticket, counted: TicketId | None
) -> None:
    issuer = Issuer(record)
    inviter, newcomer = issuer.meet(), joiner(ticket=ticket)
    assert str(error_of(converse(issuer, newcomer, inviter))) == str(handshake._refusal_error(Refusal.UNKNOWN))
    assert issuer.guessed == [counted]
    assert issuer.invitations[TICKET.id].claims == {}
    assert inviter.state is State.CLOSED


def test_a_decoy_secret_opens_nothing() -> None:
    """For an unknown ticket the mac is checked against zeros, and knowing that does not help."""
    issuer = Issuer(INVITATION)
    forged = Ticket(MandateId(bytes(16)), UNKNOWN.id, bytes(16), ISSUER.device, 1000)
    assert isinstance(error_of(join(issuer, joiner(ticket=forged))), TicketRefused)
    assert issuer.guessed == [None]


def test_a_ticket_that_is_forgotten_in_between_is_unknown() -> None:
    issuer = Issuer(INVITATION)
    inviter, newcomer = issuer.meet(), joiner()
    (proof,) = newcomer.receive(frame_of(inviter.receive(frame_of(newcomer.start()))))
    issuer.invitations.clear()
    outputs = inviter.receive(frame_of([proof]))
    assert decode(frame_of(outputs)) == Refused(Refusal.UNKNOWN)
    assert outputs[1:] == [Guessed(None), Finished()]


def test_another_devices_name_cannot_be_taken() -> None:
    """The thief holds the ticket and names the clerk's device: its signature does not fit."""
    issuer = Issuer(INVITATION)
    lying = Joiner(TICKET, CLERK.device, CLERK.certificate, "", next(NONCES), THIEF.key.sign)
    assert isinstance(error_of(join(issuer, lying)), TicketRefused)
    assert issuer.guessed == [TICKET.id]


@pytest.mark.parametrize("certificate", [b"junk", THIEF.certificate])
def test_a_newcomer_shows_its_own_certificate(certificate: bytes) -> None:
    inviter = Issuer(INVITATION).meet()
    lying = Joiner(TICKET, CLERK.device, certificate, "", next(NONCES), CLERK.key.sign)
    assert isinstance(error_of(inviter.receive(frame_of(lying.start()))), RemoteProtocolError)
    assert inviter.state is State.CLOSED


def test_a_newcomer_is_not_the_inviter() -> None:
    with pytest.raises(UsageError, match="issued by this device"):
        joiner(ISSUER)
    request = JoinRequest(TICKET.id, ISSUER.device, ISSUER.certificate, "", bytes(32))
    assert isinstance(error_of(Issuer(INVITATION).meet().receive(encode(request))), RemoteProtocolError)


def test_an_inviter_that_does_not_know_the_secret_is_not_believed() -> None:
    """Whoever stole the inviter's key alone cannot hand out a mandate of its own."""
    issuer = Issuer(INVITATION)
    inviter, newcomer = issuer.meet(), joiner()
    newcomer.receive(frame_of(inviter.receive(frame_of(newcomer.start()))))
    assert newcomer.receive(encode(Accepted(b"x" * 32, 3))) == []
    assert "did not prove" in str(error_of(newcomer.receive(encode(Part(b"abc")))))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frames: [frames[0], encode(Part(b"X" * len(BUNDLE)))],
        lambda frames: [frames[0], encode(Part(BUNDLE + b"X"))],
        lambda frames: [encode(replace_size(frames[0], len(BUNDLE) - 1)), frames[1]],
        lambda frames: [encode(replace_size(frames[0], len(BUNDLE) + 1)), frames[1], encode(Part(b"X"))],
    ],
)
def test_a_payload_that_was_changed_on_the_way_is_not_believed(spoil: Callable[[list[bytes]], list[bytes]]) -> None:
    issuer = Issuer(INVITATION)
    inviter, newcomer = issuer.meet(), joiner()
    (proof,) = newcomer.receive(frame_of(inviter.receive(frame_of(newcomer.start()))))
    inviter.receive(frame_of([proof]))
    frames = spoil([o.frame for o in inviter.decide(Admit(BUNDLE)) if isinstance(o, Reply)])
    assert isinstance(error_of([o for frame in frames for o in newcomer.receive(frame)]), RemoteProtocolError)


def replace_size(frame: bytes, size: int) -> Accepted:
    accepted = decode(frame)
    assert isinstance(accepted, Accepted)
    return replace(accepted, size=size)


def test_a_conversation_cannot_be_replayed() -> None:
    """The same frames to a second meeting: its nonce is another, so the old proof proves nothing."""
    issuer = Issuer(INVITATION)
    newcomer, first = joiner(), issuer.meet()
    hello = frame_of(newcomer.start())
    proof = frame_of(newcomer.receive(frame_of(first.receive(hello))))
    second = issuer.meet()
    second.receive(hello)
    assert decode(frame_of(second.receive(proof))) == Refused(Refusal.UNKNOWN)


def test_who_tries_too_often_is_turned_away_before_saying_anything() -> None:
    inviter = Issuer(INVITATION).meet()
    outputs = inviter.decide(Refuse(Refusal.TOO_MANY_TRIES))
    assert outputs[-1] == Finished()
    newcomer = joiner()
    newcomer.start()
    assert "Too many" in str(error_of(give(newcomer, outputs)))


@pytest.mark.parametrize("decision", [Admit(BUNDLE), Hold(), Refuse(Refusal.USED)])
def test_a_decision_that_comes_too_late_is_dropped(decision: Admit | Hold | Refuse) -> None:
    inviter = at_inviter(State.DECIDING)
    assert isinstance(error_of(inviter.receive(b"junk")), RemoteProtocolError)
    assert inviter.decide(decision) == []


def test_a_machine_that_has_ended_takes_no_more() -> None:
    with pytest.raises(LocalProtocolError):
        at_inviter(State.CLOSED).receive(encode(Pending()))
    with pytest.raises(LocalProtocolError):
        at_joiner(State.CLOSED).receive(encode(Pending()))
    with pytest.raises(LocalProtocolError):
        at_joiner(State.START).receive(encode(Pending()))
    with pytest.raises(LocalProtocolError):
        at_joiner(State.EXPECT_ANSWER).start()


@given(st.binary(max_size=100))
def test_noise_ends_either_machine_and_nothing_else(data: bytes) -> None:
    for machine in (at_inviter(State.EXPECT_PROOF), at_joiner(State.EXPECT_ANSWER)):
        outputs = machine.receive(data)
        assert all(isinstance(o, Failed | Waiting) for o in outputs)


# -- the tables, walked whole ---------------------------------------------------------------------------------------

MESSAGES: dict[type, Message] = {
    JoinRequest: JoinRequest(TICKET.id, CLERK.device, CLERK.certificate, "", bytes(32)),
    Challenge: Challenge(bytes(32)),
    Proof: Proof(bytes(32), bytes(64)),
    WrongProof: Proof(bytes(32), bytes(64)),
    Pending: Pending(),
    Accepted: Accepted(bytes(32), 4),
    Part: Part(b"1"),
    LastPart: Part(b"1234"),
    Refused: Refused(Refusal.USED),
}
DECISIONS: dict[type, Admit | Hold | Refuse] = {
    Admit: Admit(BUNDLE),
    Hold: Hold(),
    Refuse: Refuse(Refusal.USED),
}


def at_inviter(state: State) -> Inviter:
    """An inviter in this state."""
    issuer = Issuer(replace(INVITATION, confirm=state is State.HOLDING))
    inviter, newcomer = issuer.meet(), joiner()
    if state is not State.EXPECT_REQUEST:
        challenge = inviter.receive(frame_of(newcomer.start()))
        proof = newcomer.receive(frame_of(challenge))
        if state is not State.EXPECT_PROOF:
            (request,) = inviter.receive(frame_of(proof))
            if state is not State.DECIDING:
                assert isinstance(request, Decide)
                issuer.answer(inviter, request, 0.0)
    assert inviter.state is state
    return inviter


def at_joiner(state: State) -> Joiner:
    """A joiner in this state."""
    newcomer = joiner()
    if state is not State.START:
        newcomer.start()
    if state in (State.EXPECT_ANSWER, State.EXPECT_PART):
        newcomer.receive(encode(Challenge(bytes(32))))
    if state is State.EXPECT_PART:
        newcomer.receive(encode(Accepted(bytes(32), 4)))
    if state is State.CLOSED:
        newcomer.receive(encode(Refused(Refusal.USED)))
    assert newcomer.state is state
    return newcomer


INVITER_STATES = (State.EXPECT_REQUEST, State.EXPECT_PROOF, State.DECIDING, State.HOLDING)
JOINER_STATES = (State.EXPECT_CHALLENGE, State.EXPECT_ANSWER, State.EXPECT_PART)


def test_the_tables_name_no_state_that_the_walk_leaves_out() -> None:
    assert {state for state, _ in INVITER} == {*INVITER_STATES, State.CLOSED}
    assert {state for state, _ in JOINER} == {State.START, *JOINER_STATES}
    assert {event for _, event in INVITER} <= {*MESSAGES, *DECISIONS}
    assert {event for _, event in JOINER} <= {Begin, *MESSAGES}


@pytest.mark.parametrize(
    ("state", "event"),
    # A right proof depends on the nonce: `at_inviter` takes that way.
    [pair for pair in itertools.product(INVITER_STATES, MESSAGES) if pair != (State.EXPECT_PROOF, Proof)],
    ids=lambda x: x.value if isinstance(x, State) else x.__name__,
)
def test_the_inviter_takes_what_its_table_says_and_refuses_the_rest(state: State, event: type) -> None:
    inviter = at_inviter(state)
    outputs = inviter.receive(encode(MESSAGES[event]))
    if (state, event) in INVITER:
        assert inviter.state is INVITER[state, event]
        assert not any(isinstance(o, Failed) for o in outputs)
    else:
        assert inviter.state is State.CLOSED
        assert isinstance(error_of(outputs), RemoteProtocolError)


@pytest.mark.parametrize("state", INVITER_STATES, ids=lambda s: s.value)
@pytest.mark.parametrize("event", DECISIONS, ids=lambda e: e.__name__)
def test_the_inviter_lets_be_decided_what_its_table_says(state: State, event: type) -> None:
    inviter = at_inviter(state)
    if (state, event) in INVITER:
        outputs = inviter.decide(DECISIONS[event])
        assert inviter.state is INVITER[state, event]
        assert isinstance(outputs[0], Reply)
        assert (outputs[-1] == Finished()) is (inviter.state is State.CLOSED)
    else:
        with pytest.raises(LocalProtocolError):
            inviter.decide(DECISIONS[event])
        assert inviter.state is state


@pytest.mark.parametrize("state", JOINER_STATES, ids=lambda s: s.value)
@pytest.mark.parametrize("event", MESSAGES, ids=lambda e: e.__name__)
def test_the_joiner_takes_what_its_table_says_and_refuses_the_rest(state: State, event: type) -> None:
    newcomer = at_joiner(state)
    outputs = newcomer.receive(encode(MESSAGES[event]))
    if (state, event) in JOINER:
        assert newcomer.state is JOINER[state, event]
    else:
        assert newcomer.state is State.CLOSED
        assert isinstance(error_of(outputs), RemoteProtocolError)
