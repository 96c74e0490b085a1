"""What came of a big file before anybody named it counts as far as it is right, and leaves nothing where it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from p2psync.fs.assembly import Assembly
from p2psync.fs.draft import Draft
from p2psync.fs.staging import Staging
from p2psync.fs.versions import Versions
from tests.core.cutting import manifest_of

DATA = Random(1).randbytes(6 << 20)
HALF = len(DATA) // 2
MANIFEST = manifest_of(DATA)
SPANS = MANIFEST.spans()


@pytest.fixture(name="staging")
def a_staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "staging")


def drafted(staging: Staging, data: bytes) -> None:
    """It came in pieces, and then somebody named it."""
    draft = Draft(staging, len(DATA))
    for at in range(0, len(data), 700_000):
        draft.append(data[at : at + 700_000])
    draft.become(staging.part(MANIFEST.content))
    draft.drop()


def complete(assembly: Assembly) -> None:
    for index in assembly.missing:
        span = SPANS[index]
        assert assembly.write([index], [DATA[span.offset : span.offset + span.size]]) == []


def names(staging: Staging) -> list[str]:
    return [path.name for path in staging.root.iterdir()]


def test_only_what_did_not_come_is_asked_for(staging: Staging) -> None:
    drafted(staging, DATA[:HALF])
    assembly = Assembly(staging, MANIFEST)
    assert assembly.missing == [index for index, span in enumerate(SPANS) if span.offset + span.size > HALF]
    assembly.copy()
    complete(assembly)
    assert assembly.finish()
    assert staging.path(MANIFEST.content).read_bytes() == DATA
    assert names(staging) == [MANIFEST.content.hex()]


def test_it_is_hashed_while_more_comes(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2psync.fs.assembly.FOLLOW_FROM_BYTES", 1 << 20)
    drafted(staging, DATA[:HALF])
    assembly = Assembly(staging, MANIFEST)
    assembly.copy()
    assert assembly._hashed_chunks == assembly.missing[0]
    complete(assembly)
    assert assembly.finish()


def test_a_draft_of_something_else_is_found_out(staging: Staging) -> None:
    drafted(staging, DATA[:1_000_000] + b"?" + DATA[1_000_001:HALF])
    assembly = Assembly(staging, MANIFEST)
    complete(assembly)
    assert assembly.finish() is None
    [wrong] = assembly.missing
    assert SPANS[wrong].offset <= 1_000_000 < SPANS[wrong].offset + SPANS[wrong].size
    complete(assembly)
    assert assembly.finish()
    assert staging.path(MANIFEST.content).read_bytes() == DATA


@pytest.mark.parametrize("follow_from_bytes", [1 << 20, 1 << 30])
def test_a_list_of_chunks_that_lies_is_found_out(
    staging: Staging, monkeypatch: pytest.MonkeyPatch, follow_from_bytes: int
) -> None:
    """Others would be given the chunks under the names of that list."""
    monkeypatch.setattr("p2psync.fs.assembly.FOLLOW_FROM_BYTES", follow_from_bytes)
    chunks = list(MANIFEST.chunks)
    chunks[3] = chunks[3]._replace(hash=bytes(32))
    drafted(staging, DATA[:HALF])
    assembly = Assembly(staging, replace(MANIFEST, chunks=tuple(chunks)))
    assembly.copy()
    complete(assembly)
    assert assembly.missing == []
    assert assembly.finish() is None
    assert assembly.missing == [3]
    assembly.close(keep=False)


@pytest.mark.parametrize("more", [b"", b"and more"])
def test_all_of_it_may_have_come(staging: Staging, more: bytes) -> None:
    drafted(staging, DATA + more)
    assembly = Assembly(staging, MANIFEST)
    assert assembly.missing == []
    assert assembly.finish()
    assert staging.path(MANIFEST.content).read_bytes() == DATA


def test_what_an_earlier_attempt_left_stays(staging: Staging) -> None:
    earlier = Assembly(staging, MANIFEST)
    earlier.write([0], [DATA[: SPANS[0].size]])
    earlier.close(keep=True)
    drafted(staging, DATA[:HALF])
    again = Assembly(staging, MANIFEST)
    assert again.missing == list(range(1, len(SPANS)))
    again.close(keep=True)
    assert names(staging) == [staging.part(MANIFEST.content).name]


def test_what_nobody_names_leaves_nothing(staging: Staging) -> None:
    draft = Draft(staging, len(DATA))
    draft.drop()
    draft.append(DATA)
    assert names(staging) == []
    draft = Draft(staging, len(DATA))
    draft.append(DATA)
    assert len(names(staging)) == 1
    draft.drop()
    draft.drop()
    draft.become(staging.part(MANIFEST.content))
    assert names(staging) == []


def test_a_disk_without_room_for_the_whole_is_left_alone(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2psync.fs.assembly.ROOM_LEFT_BYTES", 1 << 62)
    draft = Draft(staging, len(DATA))
    draft.append(DATA)
    assert names(staging) == []
    monkeypatch.undo()
    draft.append(DATA)
    assert names(staging) == [], "what comes later would leave a gap"


@pytest.mark.parametrize("claimed", [1, len(DATA)])
def test_a_disk_that_fills_up_meanwhile_is_left_alone(
    staging: Staging, monkeypatch: pytest.MonkeyPatch, claimed: int
) -> None:
    """Room is looked for each time: others write there, too, and the size is what somebody says."""
    draft = Draft(staging, claimed)
    assert draft.append(DATA[:1000])
    monkeypatch.setattr("p2psync.fs.assembly.ROOM_LEFT_BYTES", 1 << 62)
    assert not draft.append(DATA[1000:2000])
    assert names(staging) == []


def test_a_disk_that_fails_leaves_nothing(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> None:
        raise OSError

    draft = Draft(staging, len(DATA))
    draft.append(DATA[:1000])
    monkeypatch.setattr("p2psync.fs.draft.write_all", full)
    draft.append(DATA[1000:2000])
    assert names(staging) == []


def test_a_draft_of_a_crash_is_gone_after_the_next_start(staging: Staging, tmp_path: Path) -> None:
    draft = Draft(staging, len(DATA))
    draft.append(DATA)
    staging.recover(Versions(tmp_path / "versions"))
    assert names(staging) == []
    draft.drop()
