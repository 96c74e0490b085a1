"""A stream of bytes in messages, never more than the other side has room for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.errors import RemoteProtocolError
from p2psync.net.webrtc.flow import DATA, ROOM, ROOM_EVERY_BYTES, WINDOW_BYTES, Receiver, Sender


@given(st.lists(st.binary(max_size=50)), st.integers(2, 20))
def test_messages_hold_what_was_written(written: list[bytes], message_bytes: int) -> None:
    sender = Sender(message_bytes)
    for data in written:
        sender.write(data)
    messages = []
    while (message := sender.message()) is not None:
        messages.append(message)
    assert b"".join(m.removeprefix(DATA) for m in messages) == b"".join(written)
    assert all(len(m) == message_bytes for m in messages[:-1])
    assert sender.bytes == 0


def test_no_more_is_sent_than_there_is_room_for() -> None:
    sender, receiver = Sender(1 << 20), Receiver()
    sender.write(bytes(2 * WINDOW_BYTES))
    sent = 0
    while (message := sender.message()) is not None:
        sent += len(message) - 1
        receiver.arrived(len(message) - 1)
    assert sent == WINDOW_BYTES
    assert receiver.taken(ROOM_EVERY_BYTES - 1) is None
    room = receiver.taken(1)
    assert room is not None
    assert room.startswith(ROOM)
    sender.grant(room[1:])
    message = sender.message()
    assert message is not None
    assert len(message) == 1 + ROOM_EVERY_BYTES
    receiver.arrived(ROOM_EVERY_BYTES)
    with pytest.raises(RemoteProtocolError):
        receiver.arrived(1)


@pytest.mark.parametrize(
    "body", [b"", b"\0" * 7, b"\0" * 9, bytes(8), (2 * WINDOW_BYTES).to_bytes(8, "big"), b"\xff" * 8]
)
def test_room_that_cannot_be_is_refused(body: bytes) -> None:
    """Less than was promised, or more than a window."""
    sender = Sender(100)
    sender.write(b"12345")
    sender.message()
    with pytest.raises(RemoteProtocolError):
        sender.grant(body)
