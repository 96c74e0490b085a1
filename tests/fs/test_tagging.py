"""A tag tells parts of files from each other."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from random import Random

from p2psync.core.chunking import STRETCH_BYTES
from p2psync.fs.tagging import tag_of

DATA = Random(1).randbytes(STRETCH_BYTES + 1)


def test_what_differs_has_another_tag() -> None:
    stretch = DATA[1:]
    assert tag_of(stretch) == tag_of(memoryview(bytearray(stretch)))
    others = [DATA, DATA[:-1], stretch[:-1], stretch + b"\0", b"", b"\0", bytes(16)]
    for bit in (0, STRETCH_BYTES * 4, STRETCH_BYTES * 8 - 1):
        changed = bytearray(stretch)
        changed[bit // 8] ^= 1 << bit % 8
        others.append(bytes(changed))
    assert len({tag_of(stretch), *map(tag_of, others)}) == 1 + len(others)


def test_several_threads_may_ask() -> None:
    parts = [DATA[i : i + 100_000] for i in range(64)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(tag_of, parts * 20)) == [tag_of(part) for part in parts] * 20


def test_no_other_process_has_the_same_tags() -> None:
    ask = "from p2psync.fs.tagging import tag_of; print(tag_of(b'data').hex())"
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert told.stdout.strip() != tag_of(b"data").hex()
    assert len(told.stdout.strip()) == len(tag_of(b"data").hex()) == 32
