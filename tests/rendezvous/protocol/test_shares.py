"""What hosts share arrives; nothing but mail and farewells can be shared."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.errors import CodecError
from p2psync.rendezvous.protocol.hub import Share
from p2psync.rendezvous.protocol.messages import Gone, Leave, Mail, encode
from p2psync.rendezvous.protocol.shares import pack, unpack

MAIL = Mail(b"t" * 32, b"h" * 8, b"e" * 200)


@pytest.mark.parametrize("share", [Share(MAIL), Share(MAIL, b"x" * 8), Share(Gone(b"t" * 32, b"h" * 8))])
def test_it_arrives(share: Share) -> None:
    assert unpack(pack(share)) == share


@given(st.binary(max_size=300))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        unpack(data)


@pytest.mark.parametrize("fields", [[None, b""], [b"x", encode(MAIL)], [None, encode(Leave((b"t" * 32,)))], [None]])
def test_anything_else_is_refused(fields: list[object]) -> None:
    with pytest.raises(CodecError):
        unpack(msgpack.packb(fields))
