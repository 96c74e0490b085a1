"""A code is exchanged for its ticket by who was told the words; whatever else is tried gets one guess at most."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.errors import (
    LocalProtocolError,
    RemoteProtocolError,
    TicketRefused,
)
from p2psync.pair import exchange
from p2psync.pair.code import Code
from p2psync.pair.conversation import Failed, Finished, Refuse, Reply
from p2psync.pair.exchange import GIVER, TAKER, Answered, Given, Giver, Hand, Proved, State, Step, Taker
from p2psync.pair.messages import Confirm, Handover, Message, Pending, Refusal, Refused, Share, decode, encode
from p2psync.pair.ticket import Ticket
from p2psync.pair.ticket import encode as encode_ticket
from p2psync.pair.vocabulary import words
from tests.pair.meeting import CLERK, ERRORS, ISSUER, THIEF, TICKET

CODE = Code(4217, (words(0)[1], words(1)[2]))
WRONG = replace(CODE, words=(words(0)[1], words(1)[3]))
SHOWN = THIEF.device
"""Whose certificate the link shows: one made for this code alone."""


@dataclass
class Desk:
    """An inviter that judges as a daemon does: a wrong guess ends the code."""

    ticket: Ticket = TICKET
    dead: bool = False
    guesses: list[bool] = field(default_factory=list)

    def meet(self, code: Code = CODE, shown: bytes = SHOWN, seed: int = 1) -> Giver:
        return Giver(code, ISSUER.device, shown, Random(seed).randbytes)  # type: ignore[arg-type]

    def answer(self, giver: Giver, frame: bytes) -> list[Step]:
        outputs = giver.receive(frame)
        for proved in [o for o in outputs if isinstance(o, Proved)]:
            self.guesses.append(proved.right)
            if self.dead or not proved.right:
                reason = Refusal.GUESSED if self.dead else Refusal.UNKNOWN
                self.dead = True
                return giver.decide(Refuse(reason))
            assert proved.device == CLERK.device
            return giver.decide(Hand(self.ticket))
        return outputs


def taker(code: Code = CODE, shown: bytes = SHOWN, seed: int = 2) -> Taker:
    return Taker(code, CLERK.device, shown, Random(seed).randbytes)  # type: ignore[arg-type]


def exchanged(desk: Desk, one: Taker, giver: Giver) -> Step:
    """The joiner's last word."""
    share = desk.answer(giver, frame(one.start()))
    assert one.receive(frame(share)) == [Answered()]
    (last,) = one.receive(frame(desk.answer(giver, frame(one.confirm()))))
    return last


def frame(outputs: list[Step]) -> bytes:
    reply = outputs[0]
    assert isinstance(reply, Reply), outputs
    return reply.frame


def error_of(outputs: list[Step] | Step) -> Exception:
    failed = outputs[0] if isinstance(outputs, list) else outputs
    assert isinstance(failed, Failed), failed
    return failed.error


def test_who_was_told_the_words_gets_the_ticket() -> None:
    desk = Desk()
    one, giver = taker(), desk.meet()
    assert exchanged(desk, one, giver) == Given(TICKET)
    assert desk.guesses == [True]
    assert (one.state, giver.state) == (State.CLOSED, State.CLOSED)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(0, 1 << 30), st.booleans())
def test_the_ticket_is_given_exactly_if_the_words_are_the_same(seed: int, other_seed: int, right: bool) -> None:
    desk = Desk()
    last = exchanged(desk, taker(CODE if right else WRONG, seed=seed), desk.meet(seed=other_seed))
    assert isinstance(last, Given) is right
    assert desk.dead is not right


def test_one_wrong_guess_ends_the_code_for_all() -> None:
    desk = Desk()
    waiting, giver = taker(), desk.meet(seed=7)
    waiting.receive(frame(desk.answer(giver, frame(waiting.start()))))
    assert "not the words of this code" in str(error_of(exchanged(desk, taker(WRONG), desk.meet())))
    (late,) = waiting.receive(frame(desk.answer(giver, frame(waiting.confirm()))))
    assert "was tried with wrong words" in str(error_of(late)), "who was under way with the right words, too"
    assert "was tried with wrong words" in str(error_of(exchanged(desk, taker(), desk.meet(seed=8))))


def test_somebody_in_between_with_a_certificate_of_his_own_is_noticed() -> None:
    """He passes on every frame, but the joiner saw his certificate and not the inviter's."""
    desk = Desk()
    assert isinstance(error_of(exchanged(desk, taker(shown=CLERK.device), desk.meet())), TicketRefused)
    assert desk.dead


def test_a_joiner_notices_it_too() -> None:
    """Somebody who knows the words could make either side's proof; with another certificate it proves nothing."""
    joiner, giver = taker(shown=CLERK.device), Desk().meet()
    joiner.receive(frame(giver.receive(frame(joiner.start()))))
    joiner.confirm()
    mac = exchange._mac(joiner._key, exchange.INVITER, SHOWN, CLERK.device, joiner._shares, ISSUER.device)
    answer = joiner.receive(encode(Handover(encode_ticket(TICKET), mac)))
    assert "not told the words" in str(error_of(answer))


def test_an_earlier_conversation_repeated_proves_nothing() -> None:
    desk = Desk()
    one, giver = taker(), desk.meet()
    said = [frame(one.start())]
    one.receive(frame(desk.answer(giver, said[0])))
    said.append(frame(one.confirm()))
    desk.answer(giver, said[1])
    again = desk.meet(seed=99)
    for one_frame in said:
        outputs = desk.answer(again, one_frame)
    assert decode(frame(outputs)) == Refused(Refusal.UNKNOWN)
    assert desk.guesses == [True, False]


def test_an_earlier_handover_repeated_gives_nothing() -> None:
    desk = Desk()
    one, giver = taker(), desk.meet()
    share = frame(desk.answer(giver, frame(one.start())))
    one.receive(share)
    handover = frame(desk.answer(giver, frame(one.confirm())))
    other = taker(seed=50)
    other.start()
    other.receive(share)
    other.confirm()
    assert isinstance(error_of(other.receive(handover)), RemoteProtocolError)


def test_who_echoes_what_it_hears_is_found_out_before_anything_is_proved() -> None:
    one = taker()
    assert isinstance(error_of(one.receive(frame(one.start()))), RemoteProtocolError)
    giver = Desk().meet()
    with_own = giver._side.start
    echo = encode(Share(with_own()))
    giver._side = exchange._inviter_side(CODE, Random(1).randbytes)
    assert isinstance(error_of(giver.receive(echo)), RemoteProtocolError)


def test_an_echoed_proof_is_none() -> None:
    desk = Desk()
    one, giver = taker(), desk.meet()
    one.receive(frame(desk.answer(giver, frame(one.start()))))
    proof = decode(frame(one.confirm()))
    assert isinstance(proof, Confirm)
    echo = encode(Handover(encode_ticket(TICKET), proof.mac))
    assert isinstance(error_of(one.receive(echo)), RemoteProtocolError)


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32, b"\xec" + b"\xff" * 30 + b"\x7f"])
@pytest.mark.parametrize("side", [b"A", b"B", b"S", b"\0"])
def test_an_element_that_is_none_gives_no_key(side: bytes, point: bytes) -> None:
    one = taker()
    one.start()
    assert isinstance(error_of(one.receive(encode(Share(side + point)))), RemoteProtocolError)
    assert isinstance(error_of(Desk().meet().receive(encode(Share(side + point)))), RemoteProtocolError)


def test_another_ticket_than_the_one_proved_is_refused() -> None:
    desk = Desk()
    one, giver = taker(), desk.meet()
    one.receive(frame(desk.answer(giver, frame(one.start()))))
    handover = decode(frame(desk.answer(giver, frame(one.confirm()))))
    assert isinstance(handover, Handover)
    for line in (encode_ticket(replace(TICKET, inviter=THIEF.device)), "P2P1ABC"):
        other = taker()
        other._key, other._shares, other.state = one._key, one._shares, State.EXPECT_HANDOVER
        assert isinstance(error_of(other.receive(encode(Handover(line, handover.mac)))), RemoteProtocolError)


def test_who_the_joiner_is_nobody_reads_without_the_words() -> None:
    one, giver = taker(), Desk().meet()
    first = frame(one.start())
    one.receive(frame(giver.receive(first)))
    assert bytes(CLERK.device) not in first + frame(one.confirm())


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Refusal.UNKNOWN, "not the words"),
        (Refusal.GUESSED, "tried with wrong words"),
        (Refusal.USED, "used already"),
        (Refusal.EXPIRED, "expired"),
        (Refusal.CANCELLED, "cancelled"),
        (Refusal.TOO_MANY_TRIES, "Too many wrong codes"),
        (Refusal.MANDATE_GONE, "may no longer admit"),
        (Refusal.DECLINED, "may no longer admit"),
    ],
)
def test_each_refusal_is_told_of_the_code_and_not_of_a_ticket(reason: Refusal, said: str) -> None:
    one = taker()
    one.start()
    found = error_of(one.receive(frame(Desk().meet().decide(Refuse(reason)))))
    assert type(found) is ERRORS[reason]
    assert said in str(found)
    assert "ticket" not in str(found)


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_noise_breaks_neither_side(frames: list[bytes]) -> None:
    one, giver = taker(), Desk().meet()
    one.start()
    for noise in frames:
        for machine in (one, giver):
            if machine.state is not State.CLOSED:
                assert isinstance(error_of(machine.receive(noise)), RemoteProtocolError)


def test_every_other_message_ends_it() -> None:
    others: list[Message] = [
        Pending(),
        Refused(Refusal.USED),
        Share(bytes(33)),
        Confirm(bytes(32), bytes(32)),
        Handover("P", bytes(32)),
    ]
    for state in (State.EXPECT_SHARE, State.EXPECT_CONFIRM):
        for message in [m for m in others if (state, type(m)) not in GIVER]:
            giver = Desk().meet()
            giver.state = state
            assert isinstance(error_of(giver.receive(encode(message))), RemoteProtocolError)
            assert giver.state is State.CLOSED
    for state in (State.EXPECT_SHARE, State.EXPECT_HANDOVER):
        for message in [m for m in others if (state, type(m)) not in TAKER]:
            one = taker()
            one.state = state
            assert isinstance(error_of(one.receive(encode(message))), RemoteProtocolError)


def test_the_machines_refuse_what_their_own_side_does_at_the_wrong_time() -> None:
    giver, one = Desk().meet(), taker()
    with pytest.raises(LocalProtocolError):
        giver.decide(Hand(TICKET))
    with pytest.raises(LocalProtocolError):
        one.confirm()
    with pytest.raises(LocalProtocolError):
        one.receive(b"")
    one.start()
    with pytest.raises(LocalProtocolError):
        one.start()
    assert giver.decide(Refuse(Refusal.EXPIRED))[-1] == Finished()
    with pytest.raises(LocalProtocolError):
        giver.receive(b"")
