"""The inviter's side of a ticket: for how many devices it is still good, and what its holder is told.

Only the device that issued a ticket keeps this record, and only it decides; that is what makes a ticket one-time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum

from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.value import value
from p2psync.pair.messages import Refusal
from p2psync.pair.ticket import TicketId

USES_MAX = 100


class Claim(Enum):
    """How far a device has come with a ticket."""

    WAITING = "waiting"
    """It proved that it holds the ticket; an admin has to approve."""
    ADMITTED = "admitted"
    DECLINED = "declined"
    """An admin said no; the use is spent all the same."""


class Verdict(Enum):
    """What a device that proved to hold the ticket gets, unless it is refused."""

    ADMIT = "admit"
    """Write the admission and the claim, commit, then answer."""
    ADMIT_AGAIN = "admit again"
    """Admitted before, and the answer was lost: the same answer again, unless the device was revoked since."""
    HOLD = "hold"
    """Write the claim, commit, then let it wait for an admin."""


@value
class Invitation:
    """A ticket as its issuer keeps it."""

    ticket: TicketId
    mandate: MandateId
    secret: bytes = field(repr=False)
    expires_s: int
    """Seconds since 1970."""
    uses: int = 1
    """How many devices may join with it, 1 to USES_MAX."""
    confirm: bool = False
    """True if an admin has to approve each of them."""
    cancelled: bool = False
    claims: Mapping[DeviceId, Claim] = field(default_factory=dict)
    """Every device that ever proved to hold it in time; each has spent one use."""

    @property
    def uses_left(self) -> int:
        return max(0, self.uses - len(self.claims))


def judge(invitation: Invitation, device: DeviceId, now_s: float) -> Verdict | Refusal:
    """What to answer a device that has just proved to hold the ticket.

    What was decided about this device before stays decided, also after the ticket expired. A ticket that is used up
    says so first: its holder should know that somebody else came with it.
    """
    match invitation.claims.get(device):
        case Claim.ADMITTED:
            return Verdict.ADMIT_AGAIN
        case Claim.DECLINED:
            return Refusal.DECLINED
        case Claim.WAITING:
            return Refusal.CANCELLED if invitation.cancelled else Verdict.HOLD
    if invitation.uses_left == 0:
        return Refusal.USED
    if invitation.cancelled:
        return Refusal.CANCELLED
    if now_s >= invitation.expires_s:
        return Refusal.EXPIRED
    return Verdict.HOLD if invitation.confirm else Verdict.ADMIT
