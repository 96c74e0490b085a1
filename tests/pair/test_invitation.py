"""What the inviter decides: every state a ticket can be in, for the device that used it and for others."""

from __future__ import annotations

import pytest

from p2psync.core.ids import DeviceId, MandateId
from p2psync.pair.invitation import Claim, Invitation, Verdict, judge
from p2psync.pair.messages import Refusal
from p2psync.pair.ticket import TicketId
from tests.pair.meeting import claimed

ME, OTHER = DeviceId(b"m" * 32), DeviceId(b"o" * 32)
EXPIRY_S = 1000


def invitation(
    claims: dict[DeviceId, Claim] | None = None, *, uses: int = 1, confirm: bool = False, cancelled: bool = False
) -> Invitation:
    return Invitation(
        TicketId(bytes(8)), MandateId(bytes(16)), b"s" * 16, EXPIRY_S, uses, confirm, cancelled, claims or {}
    )


@pytest.mark.parametrize(
    ("record", "now_s", "answer"),
    [
        (invitation(), 999.9, Verdict.ADMIT),
        (invitation(confirm=True), 999.9, Verdict.HOLD),
        (invitation(), 1000, Refusal.EXPIRED),
        (invitation(confirm=True), 1000, Refusal.EXPIRED),
        (invitation(cancelled=True), 0, Refusal.CANCELLED),
        (invitation(cancelled=True), 1000, Refusal.CANCELLED),
        # Somebody else came with it: that is said first.
        (invitation({OTHER: Claim.ADMITTED}), 0, Refusal.USED),
        (invitation({OTHER: Claim.WAITING}), 0, Refusal.USED),
        (invitation({OTHER: Claim.DECLINED}), 0, Refusal.USED),
        (invitation({OTHER: Claim.ADMITTED}), 1000, Refusal.USED),
        (invitation({OTHER: Claim.ADMITTED}, cancelled=True), 0, Refusal.USED),
        # A ticket for several devices.
        (invitation({OTHER: Claim.ADMITTED}, uses=2), 0, Verdict.ADMIT),
        (invitation({OTHER: Claim.ADMITTED}, uses=2), 1000, Refusal.EXPIRED),
        # What was decided about this device stays decided.
        (invitation({ME: Claim.ADMITTED}), 0, Verdict.ADMIT_AGAIN),
        (invitation({ME: Claim.ADMITTED}), 1000, Verdict.ADMIT_AGAIN),
        (invitation({ME: Claim.ADMITTED}, cancelled=True), 1000, Verdict.ADMIT_AGAIN),
        (invitation({ME: Claim.WAITING}), 0, Verdict.HOLD),
        (invitation({ME: Claim.WAITING}), 1000, Verdict.HOLD),
        (invitation({ME: Claim.WAITING}, cancelled=True), 0, Refusal.CANCELLED),
        (invitation({ME: Claim.DECLINED}), 0, Refusal.DECLINED),
        (invitation({ME: Claim.DECLINED}, uses=2), 0, Refusal.DECLINED),
    ],
)
def test_what_a_holder_is_told(record: Invitation, now_s: float, answer: Verdict | Refusal) -> None:
    assert judge(record, ME, now_s) == answer


def test_each_device_spends_one_use_however_far_it_came() -> None:
    record = invitation(uses=2, confirm=True)
    record = claimed(record, ME, Claim.WAITING)
    assert record.uses_left == 1
    record = claimed(record, ME, Claim.ADMITTED)
    assert record.uses_left == 1
    record = claimed(record, OTHER, Claim.DECLINED)
    assert record.uses_left == 0
    assert judge(record, ME, 0) is Verdict.ADMIT_AGAIN
    assert judge(record, DeviceId(bytes(32)), 0) is Refusal.USED


def test_a_record_does_not_show_its_secret() -> None:
    assert "ssss" not in repr(invitation())
