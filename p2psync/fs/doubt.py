"""Which of the files that were seen are judged before they are told of: a program may save them again and again, or
nobody saved them just now.
"""

from __future__ import annotations

import time

from p2psync.books.completeness import SAVED_IN_PLACE, suffix_of
from p2psync.core.entry import Entry, Kind
from p2psync.core.relpath import RelPath
from p2psync.engine.events import Seen

OLD_NS = 60_000_000_000


def is_doubtful(seen: Seen) -> bool:
    """True for files that are judged before they are told of."""
    return seen.entry.kind is Kind.FILE and (is_bookkeeping(seen.path) or is_old(seen.entry))


def is_bookkeeping(path: RelPath) -> bool:
    """True for the files that programs save in place, again and again."""
    return suffix_of(path) in SAVED_IN_PLACE


def is_old(entry: Entry) -> bool:
    """True for a file that was not saved just now but moved or copied here, if anything happened to it at all."""
    return time.time_ns() - entry.mtime_ns > OLD_NS
