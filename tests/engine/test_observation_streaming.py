"""A big new file goes ahead while it is read, where it will be announced and one member alone listens."""

from __future__ import annotations

from p2psync.core.relpath import RelPath, parse
from p2psync.core.rules import Role
from p2psync.engine.effects import StreamFile
from p2psync.engine.events import FolderOpened
from p2psync.engine.observation import STREAM_FROM_BYTES
from tests.core.court import SECRET_FILES
from tests.engine.rig import Rig
from tests.engine.test_observation_pushing import Listener

SIZE = STREAM_FROM_BYTES


def streamed(rig: Rig, path: RelPath, size: int = SIZE) -> list[StreamFile]:
    rig.effects()
    rig.replica.observation.reading_begun(path, size)
    return [effect for effect in rig.effects() if isinstance(effect, StreamFile)]


def test_a_big_new_file_goes_to_the_only_one_who_listens() -> None:
    rig = Rig(rules=SECRET_FILES, role=Role.PAYROLL)
    path = parse("a.iso")
    assert streamed(rig, path) == [], "nobody listens"
    rig.followers[3] = Listener()
    assert streamed(rig, path) == [StreamFile(rig.desk.mandate, path, SIZE, 3)]
    restricted = SECRET_FILES.class_id(parse("b.ecs")) or ""
    assert streamed(rig, parse("b.ecs")) == [StreamFile(rig.desk.mandate, parse("b.ecs"), SIZE, 3, restricted)]
    assert streamed(rig, path, SIZE - 1) == [], "it is read in no time"
    rig.followers[4] = Listener()
    assert streamed(rig, path) == [], "several take different parts"


def test_what_will_not_be_announced_or_was_there_before_does_not_go_ahead() -> None:
    rig = Rig()
    rig.followers[3] = Listener()
    rig.sees("a.txt", "old")
    assert streamed(rig, parse("a.txt")) == [], "what is new in it goes ahead when it was read"
    reader = Rig(role=Role.READER)
    reader.followers[3] = Listener()
    assert streamed(reader, parse("b.txt")) == []
    restored = Rig(opened=False)
    restored.replica.opened(FolderOpened(restored.desk.mandate, False, b"epoch"))
    restored.followers[3] = Listener()
    assert streamed(restored, parse("b.txt")) == []
