"""What goes along with its name: new small files, where whoever listens is served best by it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from p2psync.core.entry import FileStat
from p2psync.core.relpath import parse
from p2psync.core.rules import Role
from p2psync.engine.effects import PushContents
from p2psync.engine.events import Seen
from p2psync.wire.messages import PUSH_BYTES_MAX
from tests.core.court import SECRET_FILES
from tests.engine.rig import Rig, content, file, seen


def pushed(rig: Rig) -> list[PushContents]:
    return [effect for effect in rig.effects() if isinstance(effect, PushContents)]


def test_what_was_just_saved_goes_along_with_its_name() -> None:
    rig = Rig(rules=SECRET_FILES, role=Role.PAYROLL)
    rig.look(seen("a.txt", "common"), seen("b.ecs", "secret"), seen("empty", ""), seen("a", None))
    restricted = SECRET_FILES.class_id(parse("b.ecs")) or ""
    assert pushed(rig) == [
        PushContents(rig.desk.mandate, (content("common"),)),
        PushContents(rig.desk.mandate, (content("secret"),), restricted),
    ]


def test_what_others_have_or_had_better_ask_for_is_not_pushed() -> None:
    rig = Rig()
    rig.sees("a.txt", "one")
    pushed(rig)
    rig.look(seen("b.txt", "one"), seen("a.txt", None))
    assert pushed(rig) == [], "a rename"
    large = replace(file("large"), size=PUSH_BYTES_MAX + 1)
    rig.look(Seen(parse("large"), large, FileStat(large.size, 1, 1)))
    assert pushed(rig) == []


@dataclass
class Listener:
    keeps_up: bool = True
    waiting: int = 0


def test_many_new_files_go_along_where_one_member_alone_listens_and_keeps_up() -> None:
    rig = Rig()
    rig.sees("known", "0")
    pushed(rig)

    def pushed_of_many(name: str) -> int:
        rig.look(*(seen(f"{name} {number}", f"{name} {number}" if number else "0") for number in range(20)))
        return sum(len(effect.contents) for effect in pushed(rig))

    assert pushed_of_many("nobody") == 0
    rig.followers[1] = Listener()
    assert pushed_of_many("one") == 19, "but for what stands elsewhere"
    rig.followers[1] = Listener(keeps_up=False)
    assert pushed_of_many("slow") == 0
    rig.followers[1] = rig.followers[2] = Listener()
    assert pushed_of_many("two") == 0, "they share"
