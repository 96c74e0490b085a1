"""Who keeps up, so that contents may be given along unasked."""

from __future__ import annotations

from p2psync.engine.peer import WAITING_MAX
from p2psync.wire.messages import Placed
from tests.engine.test_peer import Session, pair


def test_who_has_much_left_to_place_does_not_keep_up() -> None:
    side = Session(*pair()).begin().a
    for waiting, keeps_up in ((WAITING_MAX, True), (WAITING_MAX + 1, False), (0, True)):
        side.hears(Placed(side.desk.mandate, {}, waiting, ()))
        assert side.peer.keeps_up is keeps_up
