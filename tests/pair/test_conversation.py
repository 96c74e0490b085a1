"""A table says what may come next; what may not is the fault of whoever did it."""

from __future__ import annotations

from enum import Enum

import pytest

from p2psync.errors import LocalProtocolError, RemoteProtocolError
from p2psync.pair.conversation import Begin, Reply, done, heard


class Light(Enum):
    RED = "red"
    GREEN = "green"


TABLE: dict[tuple[Light, type], Light] = {(Light.RED, Begin): Light.GREEN, (Light.GREEN, Reply): Light.RED}


def test_the_table_says_where_an_event_leads() -> None:
    for step in (heard, done):
        assert step(TABLE, Light.RED, Begin) is Light.GREEN
        assert step(TABLE, Light.GREEN, Reply) is Light.RED


def test_what_is_not_in_the_table_is_the_fault_of_whoever_did_it() -> None:
    with pytest.raises(RemoteProtocolError, match="Reply while pairing is in state 'red'"):
        heard(TABLE, Light.RED, Reply)
    with pytest.raises(LocalProtocolError, match="Reply while pairing is in state 'red'"):
        done(TABLE, Light.RED, Reply)
