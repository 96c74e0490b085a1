"""A proxy is found as other programs find it, leads to nothing near, and what it refuses is said with the remedy."""

from __future__ import annotations

import asyncio
import socket

import pytest

from p2psync import proxies
from p2psync.errors import LinkError
from p2psync.proxies import OFF, SYSTEM, Proxies, Proxy, is_local
from tests.proxying import LOOPBACK, NAME, proxying

KINDS = ("socks5", "http")


@pytest.mark.parametrize(
    ("text", "shown", "login"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128", ("", "")),
        ("proxy.example:3128", "http://proxy.example:3128", ("", "")),
        ("http://proxy.example", "http://proxy.example:8080", ("", "")),
        ("http://anna:s3c%40ret@10.0.0.1:81/", "http://10.0.0.1:81", ("anna", "s3c@ret")),
        ("socks5h://anna:s3@[fd00::1]", "socks5://[fd00::1]:1080", ("anna", "s3")),
        ("socks4://10.0.0.1", "socks4://10.0.0.1:1080", ("", "")),
    ],
)
def test_addresses_are_written_as_people_do(text: str, shown: str, login: tuple[str, str]) -> None:
    proxy = Proxy.parse(text)
    assert (str(proxy), (proxy.user, proxy.password)) == (shown, login)
    assert not login[1] or login[1] not in repr(proxy)


@pytest.mark.parametrize(
    "text",
    [
        "https://u:s3cret@proxy:1",
        "ftp://u:s3cret@proxy",
        "http://u:s3cret@:80",
        "u:s3cret@a b",
        "http://h:99999",
        "a%3Ab:s3cret@h",
    ],
)
def test_what_is_no_proxy_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(LinkError, match=r"Write http://HOST:PORT or socks5://HOST:PORT") as caught:
        Proxy.parse(text)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "near"),
    [
        *((host, True) for host in ("127.0.0.1", "::1", "10.1.2.3", "192.168.1.9", "fe80::1%eth0", "100.64.0.9")),
        *((host, True) for host in ("localhost", "nas", "nas.local", "PC.Home.arpa.")),
        *((host, False) for host in ("45.77.10.1", "2a00::1", "meet.example.ch")),
    ],
)
def test_what_is_near_is_known(host: str, near: bool) -> None:
    assert is_local(host) == near


def found(named: str, host: str = "meet.example.ch") -> str | None:
    proxy = asyncio.run(Proxies(named).leading_to(host))
    return str(proxy) if proxy is not None else None


def test_the_environment_is_read_as_by_other_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(SYSTEM) is None
    monkeypatch.setenv("ALL_PROXY", "socks5://all")
    assert found(SYSTEM) == "socks5://all:1080"
    monkeypatch.setenv("https_proxy", "http://u:p@secure:3128")
    assert found(SYSTEM) == "http://secure:3128"
    assert found("socks5://named") == "socks5://named:1080"
    assert found(OFF) is None
    monkeypatch.setenv("NO_PROXY", "localhost,.example.ch")
    assert found(SYSTEM) is None
    assert found(SYSTEM, "meet.example.com") == "http://secure:3128"
    assert found("socks5://named", "192.168.1.5") is None
    monkeypatch.setenv("https_proxy", "gopher://secure")
    with pytest.raises(LinkError, match="gopher"):
        found(SYSTEM, "meet.example.com")


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_where_asking_may_take_long_the_loop_goes_on(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def slow(_host: str) -> str:
        threads.append(_is_loop_here())
        return "http://slow"

    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(proxies, "_of_system", slow)
    assert found(SYSTEM) == "http://slow:8080"
    assert threads == [False]


def _is_loop_here() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def greeting(proxy: Proxy) -> bytes:
    """What a server says that only the proxy finds."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.readexactly(2)
        writer.write(data + b" to you too")
        writer.close()

    server = await asyncio.start_server(greet, LOOPBACK, 0)
    async with server:
        made = await proxy.connect(NAME, server.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection(sock=made)
        writer.write(b"hi")
        said = await reader.read()
        writer.close()
        await writer.wait_closed()
    return said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("login", [None, ("anna", "s3c:ret")])
@pytest.mark.asyncio
async def test_a_proxy_is_gone_through(kind: str, login: tuple[str, str] | None) -> None:
    async with proxying(login=login) as middle:
        assert await greeting(middle.named(kind, *(login or ()))) == b"hi to you too"
        assert [host for host, _port in middle.asked] == [NAME]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("given", [(), ("anna", "wrong"), ("anna", "süss")])
@pytest.mark.asyncio
async def test_a_wrong_login_is_said(kind: str, given: tuple[str, ...]) -> None:
    async with proxying(login=("anna", "s3cret")) as middle:
        with pytest.raises(LinkError, match=rf"another user name and password.*{kind}://USER:PASSWORD@HOST:PORT"):
            await middle.named(kind, *given).connect(NAME, 443)
        assert middle.asked == []


@pytest.mark.parametrize(
    ("kind", "answer", "sentence"),
    [
        ("http", b"HTTP/1.1 403 Forbidden\r\n\r\n", "lets nobody connect to far.example, port 22"),
        ("socks5", b"\x05\x02\x00", "lets nobody connect to far.example, port 22"),
        ("http", b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "does not get through to far.example, port 22: 502 Bad Gateway"),
        ("socks5", b"\x05\x04\x00", "does not get through to far.example, port 22: Host unreachable"),
        ("http", b"SSH-2.0\r\n", "no such proxy"),
        ("socks5", b"SSH-2.0\r\n", "no such proxy"),
    ],
)
@pytest.mark.asyncio
async def test_what_a_proxy_refuses_is_said(kind: str, answer: bytes, sentence: str) -> None:
    async with proxying(answer=answer) as middle:
        with pytest.raises(LinkError, match=sentence):
            await middle.named(kind).connect(NAME, 22)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.asyncio
async def test_a_proxy_that_says_nothing_is_not_waited_for(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxies, "PROXY_S", 0.2)
    async with proxying(answer=b"") as middle:
        with pytest.raises(LinkError, match="took too long"):
            await middle.named(kind).connect(NAME, 443)


@pytest.mark.asyncio
async def test_a_proxy_that_is_not_there_is_said() -> None:
    with socket.socket() as nobody:
        nobody.bind((LOOPBACK, 0))
        port = nobody.getsockname()[1]
        with pytest.raises(LinkError, match=rf"socks5://127.0.0.1:{port} cannot be reached: .*--proxy URL"):
            await Proxy("socks5", LOOPBACK, port).connect(NAME, 443)
    with pytest.raises(LinkError, match="there is no host of this name"):
        await Proxy("http", "no.such.host.invalid", 80).connect(NAME, 443)
