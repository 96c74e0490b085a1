"""What is judged before it is told of: what programs save in place, and what nobody saved just now."""

from __future__ import annotations

import time
from dataclasses import replace

from p2psync.core.entry import ABSENT
from p2psync.core.relpath import RelPath
from p2psync.engine.events import Seen
from p2psync.fs.doubt import is_bookkeeping, is_doubtful, is_old
from tests.fs.disk import OLD_NS, a_file


def test_bookkeeping_files_and_old_ones_are_judged_first() -> None:
    new = a_file(b"x", time.time_ns())
    old = a_file(b"x", OLD_NS)
    assert is_doubtful(Seen(RelPath("a.ecf"), new))
    assert is_doubtful(Seen(RelPath("a.txt"), old))
    assert not is_doubtful(Seen(RelPath("a.txt"), new))
    assert not is_doubtful(Seen(RelPath("a.ecf"), ABSENT))


def test_what_is_old_and_what_programs_save_in_place() -> None:
    assert is_bookkeeping(RelPath("directory/A.CRP"))
    assert not is_bookkeeping(RelPath("a.pdf"))
    minute_ago = a_file(b"x", time.time_ns() - 61_000_000_000)
    assert is_old(minute_ago)
    assert not is_old(replace(minute_ago, mtime_ns=time.time_ns() + 10**12))
