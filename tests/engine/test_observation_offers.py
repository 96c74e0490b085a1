"""What is new in big files is told ahead of the changes that name them, where they will be announced."""

from __future__ import annotations

from dataclasses import replace

from p2psync.core.relpath import parse
from p2psync.core.rules import Role
from p2psync.engine.effects import OfferContent
from tests.engine.rig import Rig, content, seen

PATH = parse("a.txt")
OLD, NEW, NEWER = ("old" * 200_000, "new" * 200_000, "newer" * 200_000)


def offered(rig: Rig) -> list[OfferContent]:
    return [effect for effect in rig.effects() if isinstance(effect, OfferContent)]


def test_what_is_new_in_a_big_file_goes_ahead_of_its_name() -> None:
    rig = Rig()
    rig.sees("a.txt", OLD)
    assert offered(rig) == [], "nobody has an older version"
    rig.sees("a.txt", NEW)
    offer = OfferContent(rig.desk.mandate, PATH, content(NEW), len(NEW), content(OLD))
    assert offered(rig) == [offer]
    rig.replica.observation.suspect([seen("a.txt", NEWER), seen("small", "x"), seen("unknown", NEW)])
    assert offered(rig) == [replace(offer, content=content(NEWER), size=len(NEWER), base=content(NEW))]
    [head] = rig.desk.heads("a.txt")
    assert head.entry.content == content(NEW), "it is not announced"
    rig.replica.observation.suspect([seen("a.txt", NEW)])
    assert offered(rig) == [], "it is as it was"


def test_what_will_not_be_announced_is_not_offered_either() -> None:
    rig = Rig(role=Role.READER)
    rig.look(seen("a.txt", OLD))
    rig.replica.observation.suspect([seen("a.txt", NEW)])
    assert offered(rig) == []
    rig = Rig(opened=False).open({"a.txt": OLD}, continuous=False)
    rig.replica.observation.suspect([seen("a.txt", NEW)])
    assert offered(rig) == []
