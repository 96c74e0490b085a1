"""One port, several sockets: one listens, others connect from it."""

from __future__ import annotations

import socket

import pytest

from p2psync.system.sockets import shared_port_options, shared_socket


@pytest.mark.parametrize(
    ("platform", "options"),
    [
        ("linux", ("SO_REUSEADDR", "SO_REUSEPORT")),
        ("darwin", ("SO_REUSEADDR", "SO_REUSEPORT")),
        ("win32", ("SO_REUSEADDR",)),
    ],
)
def test_each_platform_has_its_rules(platform: str, options: tuple[str, ...]) -> None:
    assert shared_port_options(platform) == options


def test_a_port_is_listened_on_and_connected_from() -> None:
    with shared_socket(socket.AF_INET, 0) as listener, shared_socket(socket.AF_INET, 0) as other:
        listener.listen()
        other.listen()
        port = listener.getsockname()[1]
        with shared_socket(socket.AF_INET, port) as caller:
            caller.setblocking(True)
            caller.connect(("127.0.0.1", other.getsockname()[1]))
            assert caller.getsockname()[1] == port


def test_a_port_that_somebody_keeps_for_himself_is_refused() -> None:
    with socket.socket() as alone:
        alone.bind(("", 0))
        alone.listen()
        with pytest.raises(OSError, match="in use"):
            shared_socket(socket.AF_INET, alone.getsockname()[1])
