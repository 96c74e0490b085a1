"""TCP and UDP, IPv4 and IPv6 have the same port number; what cannot be had is told."""

from __future__ import annotations

import contextlib
import socket

import pytest

from p2psync.errors import ConfigError
from p2psync.rendezvous import ports
from p2psync.rendezvous.ports import open_ports, parse_listen


def test_one_number_for_all() -> None:
    with contextlib.ExitStack() as stack:
        opened = open_ports(None, 0, stack)
        everything = [*opened.streams, *opened.datagrams]
        assert {sock.getsockname()[1] for sock in everything} == {opened.number}
        kinds = [(sock.family, sock.type) for sock in everything]
        assert (socket.AF_INET, socket.SOCK_STREAM) in kinds
        assert (socket.AF_INET, socket.SOCK_DGRAM) in kinds
        assert len(opened.streams) == len(opened.datagrams)
    assert all(sock.fileno() == -1 for sock in everything)


def test_an_address_of_ones_own() -> None:
    with contextlib.ExitStack() as stack:
        opened = open_ports("127.0.0.1", 0, stack)
        assert [sock.getsockname()[0] for sock in opened.streams] == ["127.0.0.1"]


def test_what_is_taken_is_told() -> None:
    with contextlib.ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}: "):
            open_ports("127.0.0.1", port, stack)


def test_a_number_whose_half_is_taken_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """UDP finds its number taken twice, then there is one that is free for both."""
    refused: list[socket.socket] = []
    bind = ports._socket

    def sometimes(family: int, kind: int, host: str, port: int) -> socket.socket:
        if kind == socket.SOCK_DGRAM and len(refused) < 2:
            taken = bind(family, kind, host, port)
            refused.append(taken)
            return bind(family, kind, host, port)
        return bind(family, kind, host, port)

    monkeypatch.setattr(ports, "_socket", sometimes)
    try:
        with contextlib.ExitStack() as stack:
            opened = open_ports("127.0.0.1", 0, stack)
            assert opened.number not in {sock.getsockname()[1] for sock in refused}
            assert len(opened.streams) == 1
    finally:
        for sock in refused:
            sock.close()


@pytest.mark.parametrize("host", ["192.0.2.77", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_told(host: str) -> None:
    with contextlib.ExitStack() as stack, pytest.raises(ConfigError, match=host):
        open_ports(host, 0, stack)


def test_a_port_that_one_may_not_have_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> socket.socket:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ports, "_socket", refuse)
    with contextlib.ExitStack() as stack, pytest.raises(ConfigError, match="--listen HOST:PORT"):
        open_ports(None, 443, stack)


def test_a_machine_without_ipv6_listens_on_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    bind = ports._socket

    def no_ipv6(family: int, kind: int, host: str, port: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return bind(family, kind, host, port)

    monkeypatch.setattr(ports, "_socket", no_ipv6)
    with contextlib.ExitStack() as stack:
        assert [s.family for s in open_ports(None, 0, stack).streams] == [socket.AF_INET]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (None, 443)),
        ("8443", (None, 8443)),
        (":8443", (None, 8443)),
        ("0.0.0.0:443", ("0.0.0.0", 443)),
        (" meet.example.com ", ("meet.example.com", 443)),
        ("[::1]:0", ("::1", 0)),
        ("[::1]", ("::1", 443)),
    ],
)
def test_where_to_listen(text: str, expected: tuple[str | None, int]) -> None:
    assert parse_listen(text) == expected


@pytest.mark.parametrize("text", ["::1", "a:b", "a:99999", "a:1:2", "[::1", "a b", "[x]:1"])
def test_where_one_cannot_listen(text: str) -> None:
    with pytest.raises(ConfigError, match="no address to listen on"):
        parse_listen(text)
