"""What each side tells the other comes out as it went in; anything else is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.errors import CodecError
from p2psync.net.webrtc.description import CANDIDATES_MAX, FORMAT, Candidate, Description

HOST = Candidate("host", "192.168.1.2", 40000, 2130706431, "abc")
SEEN = Candidate("srflx", "2001:db8::1", 65535, 1694498815, "d/+1")
IT = Description("user", "p" * 22, bytes(range(32)), (HOST, SEEN))


def packed(**changes: Any) -> bytes:
    fields = {"format": FORMAT, "user": "user", "password": "p" * 22, "print": bytes(32), "candidates": []} | changes
    data: bytes = msgpack.packb(list(fields.values()))
    return data


def test_it_comes_out_as_it_went_in() -> None:
    assert Description.parse(IT.pack()) == IT


def test_the_most_promising_candidates_are_told() -> None:
    many = replace(IT, candidates=tuple(replace(HOST, priority=1 + n) for n in range(100)))
    told = Description.parse(many.pack()).candidates
    assert [c.priority for c in told] == list(range(100, 100 - CANDIDATES_MAX, -1))
    assert len(many.pack()) < 8192


@pytest.mark.parametrize(
    "changes",
    [
        {"format": FORMAT + 1},
        {"user": ""},
        {"user": "a\r\nb"},
        {"user": 7},
        {"password": b"bytes"},
        {"print": bytes(31)},
        {"print": "text"},
        {"candidates": [7]},
        {"candidates": 7},
        {"candidates": [["host", "192.168.1.2", 1, 1]]},
        {"candidates": [["prflx", "192.168.1.2", 1, 1, "f"]]},
        {"candidates": [["host", "a-name.local", 1, 1, "f"]]},
        {"candidates": [["host", "224.0.0.251", 1, 1, "f"]]},
        {"candidates": [["host", "0.0.0.0", 1, 1, "f"]]},
        {"candidates": [["host", 3232235778, 1, 1, "f"]]},
        {"candidates": [["host", "192.168.1.2", 0, 1, "f"]]},
        {"candidates": [["host", "192.168.1.2", 65536, 1, "f"]]},
        {"candidates": [["host", "192.168.1.2", 1, 1 << 32, "f"]]},
        {"candidates": [["host", "192.168.1.2", 1, True, "f"]]},
        {"candidates": [["host", "192.168.1.2", 1, 1, "f"]] * (CANDIDATES_MAX + 1)},
        {"more": 1},
    ],
)
def test_anything_else_is_refused(changes: dict[str, Any]) -> None:
    assert Description.parse(packed()).candidates == ()
    with pytest.raises(CodecError):
        Description.parse(packed(**changes))


@given(st.binary())
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        Description.parse(data)
