"""The proof covers everything that matters: whatever changes, it is another proof."""

from __future__ import annotations

from dataclasses import replace

from p2psync.core.ids import DeviceId, MandateId
from p2psync.pair.messages import JoinRequest
from p2psync.pair.proof import Statement
from p2psync.pair.ticket import TicketId

REQUEST = JoinRequest(TicketId(b"ticketid"), DeviceId(b"j" * 32), b"certificate", "Büro", b"n" * 32)
STATEMENT = Statement(MandateId(b"m" * 16), b"s" * 16, DeviceId(b"i" * 32), REQUEST, b"c" * 32)


def test_whatever_changes_changes_every_proof() -> None:
    others = [
        replace(STATEMENT, mandate=MandateId(b"x" * 16)),
        replace(STATEMENT, inviter=DeviceId(b"x" * 32)),
        replace(STATEMENT, challenge=b"x" * 32),
        replace(STATEMENT, request=replace(REQUEST, ticket=TicketId(b"xxxxxxxx"))),
        replace(STATEMENT, request=replace(REQUEST, device=DeviceId(b"x" * 32))),
        replace(STATEMENT, request=replace(REQUEST, certificate=b"certificat", name="eBüro")),
        replace(STATEMENT, request=replace(REQUEST, name="Buro")),
        replace(STATEMENT, request=replace(REQUEST, nonce=b"x" * 32)),
    ]
    for proof in (Statement.joiner_mac, Statement.to_sign, lambda s: s.inviter_mac(b"payload")):
        assert len({proof(s) for s in [STATEMENT, *others]}) == len(others) + 1


def test_the_secret_makes_the_macs_and_is_not_in_what_is_signed() -> None:
    other = replace(STATEMENT, secret=b"x" * 16)
    assert other.joiner_mac() != STATEMENT.joiner_mac()
    assert other.inviter_mac(b"") != STATEMENT.inviter_mac(b"")
    assert other.to_sign() == STATEMENT.to_sign()
    assert STATEMENT.secret not in STATEMENT.to_sign()
    assert "ssss" not in repr(STATEMENT)


def test_no_proof_can_be_shown_in_another_ones_place() -> None:
    assert STATEMENT.joiner_mac() != STATEMENT.inviter_mac(b"")
    assert STATEMENT.inviter_mac(b"a") != STATEMENT.inviter_mac(b"b")
    assert STATEMENT.to_sign().startswith(b"p2psync pairing 1 device key\0")
