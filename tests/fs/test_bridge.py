"""Programs' files are known by what they hold once their programs are done with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from p2psync.core.entry import ABSENT
from p2psync.core.ids import content_of
from p2psync.core.problem import Code
from p2psync.core.relpath import RelPath, parse
from p2psync.engine.settle import hold_s
from p2psync.fs.bridge import RETRY_S, WRITTEN_S, ProgramFiles
from p2psync.fs.stable import Stopped

CRP, ECF, TXT = parse("Cargo.crp"), parse("Cargo.ecf"), parse("Cargo.txt")
WHOLE = b"MAJREV=9\r\nTITLE=Cargo\r\nENDOFFILE\r\n"


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Programs:
    """A folder of programs' files, and the watch over them; time passes only where it is said."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "books"
        self.folder.mkdir()
        self.clock = Clock()
        self.files = ProgramFiles(self.clock)
        self.files.watch({path: str(self.folder / path) for path in (CRP, ECF, TXT)})

    def save(self, path: RelPath, data: bytes, age_s: float = 60.0) -> None:
        file = self.folder / path
        file.write_bytes(data)
        now_ns = file.stat().st_mtime_ns - int(age_s * 1e9)
        os.utime(file, ns=(now_ns, now_ns))

    def after(self, seconds: float = 0.0) -> Programs:
        """Time passes, and whatever is due is looked at."""
        self.files.poll()
        self.clock.now_s += seconds
        self.files.poll()
        return self

    def content(self, path: RelPath) -> object:
        """None while it is not known, ABSENT if it is gone."""
        known = self.files.sighting(path)
        return None if known is None else known.entry.content or ABSENT


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def test_a_whole_file_is_known_at_once(programs: Programs) -> None:
    programs.save(CRP, WHOLE)
    assert programs.after(0.1).content(CRP) == content_of(WHOLE)
    known = programs.files.sighting(CRP)
    assert known is not None
    assert known.stat is not None
    assert (known.entry.size, known.entry.mtime_ns) == (len(WHOLE), known.stat.mtime_ns)


def test_a_torn_file_is_not_known_until_it_is_whole_or_given_up(programs: Programs) -> None:
    programs.save(CRP, WHOLE)
    programs.after(0.1)
    programs.save(CRP, WHOLE[:-11])
    assert programs.after(1).content(CRP) is None, "nor is what it held before"
    known = programs.after(120).files.sighting(CRP)
    assert known is not None
    assert known.torn, "nobody will write its end"
    assert known.entry.content == content_of(WHOLE[:-11])
    assert programs.files.troubles[CRP].code is Code.INCOMPLETE
    assert CRP in programs.after(120).files.troubles, "it still stands there"
    programs.save(CRP, WHOLE + b"\r\n")
    assert programs.after(1).content(CRP) == content_of(WHOLE + b"\r\n")
    assert CRP not in programs.files.troubles


def test_entries_have_to_stand_still(programs: Programs) -> None:
    line = b"#FSC\t9.5.0\tECF\r\n"
    programs.save(ECF, line, age_s=0.0)
    assert programs.after(0.1).content(ECF) is None
    due_s = programs.files.due_in_s()
    assert due_s is not None
    assert 0 < due_s < 0.4
    programs.save(ECF, line)
    assert programs.after(0.5).content(ECF) == content_of(line)


def test_bookings_that_their_program_still_writes_wait_until_they_are_closed(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("p2psync.fs.bridge.is_written", lambda file: file == str(programs.folder / ECF))
    line = b"#FSC\t9.5.0\tECF\r\n"
    programs.save(ECF, line)
    assert programs.after(0.1).after(1).after(1).content(ECF) is None, "it thinks"
    monkeypatch.setattr("p2psync.fs.bridge.is_written", lambda file: False)
    assert programs.after(WRITTEN_S).content(ECF) == content_of(line)


def test_what_a_program_never_closes_is_known_all_the_same_and_a_whole_chart_at_once(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("p2psync.fs.bridge.is_written", lambda file: True)
    programs.save(TXT, b"text")
    programs.save(CRP, WHOLE)
    assert programs.after(0.1).content(CRP) == content_of(WHOLE)
    for _ in range(4):
        assert programs.after(1).content(TXT) is None
    assert programs.after(2).content(TXT) == content_of(b"text")


def test_a_file_is_gone_when_it_stays_so(programs: Programs) -> None:
    programs.save(CRP, WHOLE)
    programs.after(0.1)
    (programs.folder / CRP).unlink()
    assert programs.after(hold_s(CRP) / 2).content(CRP) is None
    assert programs.after(hold_s(CRP)).content(CRP) is ABSENT
    programs.save(CRP, WHOLE)
    assert programs.after(0.1).content(CRP) == content_of(WHOLE)


def test_a_folder_that_is_not_there_says_nothing_of_its_files(programs: Programs) -> None:
    programs.save(CRP, WHOLE)
    programs.after(0.1)
    programs.folder.rename(programs.folder.with_name("away"))
    assert programs.after(60).after(60).content(CRP) is None
    assert programs.files.troubles[CRP].code is Code.FOLDER_GONE
    programs.folder.with_name("away").rename(programs.folder)
    assert programs.after(RETRY_S).after(RETRY_S).content(CRP) == content_of(WHOLE)
    assert CRP not in programs.files.troubles


def test_what_cannot_be_read_is_told_and_tried_again(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.save(CRP, WHOLE)

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("p2psync.fs.bridge.read_stable", refused)
        assert programs.after(1).content(CRP) is None
        assert programs.files.troubles[CRP].code is Code.UNREADABLE
    assert programs.after(RETRY_S).after(RETRY_S).content(CRP) == content_of(WHOLE)
    assert programs.files.troubles == {}


def test_a_file_that_another_program_keeps_to_itself_is_waited_for(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.save(CRP, WHOLE)

    def locked(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    with monkeypatch.context() as patched:
        patched.setattr("p2psync.fs.bridge.read_stable", locked)
        programs.after(1).after(10).after(10)
        assert programs.files.troubles[CRP].code is Code.LOCKED
    assert programs.after(20).content(CRP) == content_of(WHOLE)


def test_only_what_is_watched_is_looked_at(programs: Programs) -> None:
    programs.save(CRP, WHOLE)
    programs.after(0.1)
    programs.files.watch({TXT: str(programs.folder / TXT)})
    assert programs.after(60).content(CRP) is None
    programs.files.watch({TXT: str(programs.folder / CRP)})
    assert programs.after(60).content(TXT) == content_of(WHOLE), "another file under the same name"


def test_what_was_found_to_be_something_else_is_read_anew(programs: Programs) -> None:
    programs.save(CRP, WHOLE)
    programs.after(0.1)
    programs.files.look_again([CRP, parse("unknown")])
    assert programs.content(CRP) is None
    assert programs.after().content(CRP) == content_of(WHOLE)


def test_a_reading_is_given_up_when_nobody_wants_to_know(programs: Programs) -> None:
    programs.save(CRP, WHOLE)
    programs.files.stop()
    with pytest.raises(Stopped):
        programs.after(0.1)
