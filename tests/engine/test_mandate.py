"""A mandate ties ledger, folder and peers together: what comes in is taken in, planned, answered and passed on."""

from __future__ import annotations

from p2psync.core.rules import Role
from tests.engine.village import Village


def star(*names: str, admin: bool = True) -> Village:
    """The first device admitted all others and is connected to each of them; they are not to one another."""
    village = Village(*names)
    for name in names[1:]:
        village.admit(names[0], name, Role.INVOICING, admin=admin)
        village.connect(names[0], name)
        village.settle(3)
    return village


def test_what_a_device_saves_right_after_it_received_something_is_understood_by_the_next() -> None:
    village = star("middle", "left", "right")
    for round_ in range(12):
        village.save("left", "x.txt", b"left %d" % round_)
        village.settle()
        village.save("middle", "y.txt", b"middle %d" % round_)
        village.settle()
        assert village["right"].disk == {"x.txt": b"left %d" % round_, "y.txt": b"middle %d" % round_}
    village.settle(3)
    village.assert_equal()
    assert village["right"].closed == []


def test_two_admins_who_revoke_at_the_same_time_agree_on_one_secret() -> None:
    village = star("a", "b", "c", "x", "y")
    village.disconnect()
    village.settle(1)
    village.act("a", lambda admin: admin.revoke(village["x"].id))
    village.act("b", lambda admin: admin.revoke(village["y"].id))
    village.connect("b", "c")
    village.settle(3)
    assert village["b"].m.secrets.newest != village["a"].m.secrets.newest
    village.connect("a", "b")
    village.settle(3)
    assert [village[n].closed for n in "abc"] == [[], [], []]
    assert village["a"].m.authority == village["b"].m.authority == village["c"].m.authority
    assert village["a"].m.secrets.newest == village["b"].m.secrets.newest == village["c"].m.secrets.newest
    assert set(village["a"].m.authority.members) == {village[n].id for n in "abc"}
