"""The HTTP interface: every operation by its address, errors as JSON, strangers refused, waits given up in time."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from p2psync.api.answers import EXIT_HEADER, LANGUAGE_HEADER
from p2psync.api.server import BODY_BYTES_MAX
from p2psync.api.table import operations
from tests.api.serving import STATUS, Client, served
from tests.daemon.patience import until

EVENTS = 400
EVENT_BYTES = 65_536
"""Together more than the system's buffers and the queue of one page hold."""


@pytest.mark.asyncio
async def test_get_and_post_reach_the_operation() -> None:
    async with served() as client:
        status, body, headers = await client.get("/api/status?mandate=Cargo")
        assert (status, body, headers[EXIT_HEADER]) == (200, STATUS, "0")
        await client.post("/api/conflicts/keep", {"mandate": "Cargo", "path": "a", "keep": "mine"})
        assert client.daemon.called == [
            ("status", {"mandate": "Cargo"}),
            ("conflicts.keep", {"mandate": "Cargo", "path": "a", "keep": "mine"}),
        ]


@pytest.mark.asyncio
async def test_an_exit_code_comes_with_the_answer() -> None:
    async with served() as client:
        status, body, headers = await client.post("/api/sync")
        assert (status, body, headers[EXIT_HEADER]) == (200, {"result": "partial"}, "3")


@pytest.mark.asyncio
async def test_errors_are_json_without_traces() -> None:
    async with served() as client:
        assert (await client.get("/api/mandate/show"))[:2] == (
            400,
            {"error": "there is no mandate called Nope", "exit": 2},
        )
        assert (await client.post("/api/share"))[:2] == (409, {"error": "this device is no admin", "exit": 1})
        status, body, _ = await client.get("/api/rules")
        assert (status, body["exit"]) == (500, 1)
        assert "KeyError" not in json.dumps(body)
        ((where, fault),) = client.daemon.faults
        assert (where, type(fault)) == ("/api/rules", KeyError)


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/api/nope", "/api/", "/nope", "/api/conflicts/keep/more", "/../etc/passwd"])
async def test_what_is_not_there_is_told_in_json(path: str) -> None:
    async with served() as client:
        status, body, _ = await client.get(path)
        assert (status, body["exit"]) == (404, 2)


@pytest.mark.asyncio
async def test_what_changes_something_is_not_done_by_get() -> None:
    async with served() as client:
        assert (await client.get("/api/share"))[0] == 405
        assert client.daemon.called == []


@pytest.mark.asyncio
async def test_nobody_without_token_or_cookie_is_told_anything() -> None:
    async with served() as client:
        for path in ("/api/status", "/metrics", "/api/events", "/api/openapi.json", "/api/nope", "/api/words"):
            async with client.session.get(client.url(path)) as response:
                assert response.status == 401
                assert set(await response.json()) == {"error", "exit"}
        assert client.daemon.called == []


@pytest.mark.asyncio
@pytest.mark.parametrize("headers", [{"Host": "evil.example:80"}, {"Origin": "http://evil.example"}])
async def test_strangers_are_refused_even_with_the_token(headers: dict[str, str]) -> None:
    async with served() as client:
        assert (await client.get("/api/status", **headers))[0] == 403
        assert (await client.post("/api/stop", **headers))[0] == 403
        assert client.daemon.called == []


@pytest.mark.asyncio
async def test_a_page_that_is_opened_for_a_ticket_is_given_it_once_and_nobody_else_is() -> None:
    async with served() as client:
        _, body, _ = await client.post("/api/web", {"ticket": "P2P1"})
        assert "P2P1" not in body["url"]
        async with client.session.get(body["url"], allow_redirects=False) as response:
            assert response.headers["Location"] == "/#join"
            cookie = response.cookies[client.server.guard.cookie]
        assert (await client.post("/api/web/ticket"))[1] == {"ticket": None}, "the token is no browser's"
        sent = {"Cookie": f"{cookie.key}={cookie.value}", "Origin": f"http://{client.server.address}"}
        for expected in ("P2P1", None):
            async with client.session.post(client.url("/api/web/ticket"), headers=sent) as response:
                assert await response.json() == {"ticket": expected}
        assert (await client.post("/api/web", {"ticket": 5}))[0] == 400
        assert (await client.post("/api/web", {"ticket": "x" * 110_000}))[0] == 200, "a recovery file is long"
    async with served(page=False) as client:
        assert (await client.post("/api/web", {"ticket": "P2P1"}))[0] == 404


@pytest.mark.asyncio
async def test_the_page_is_not_shown_under_another_name() -> None:
    async with served() as client:
        assert (await client.get("/", Host="evil.example:80"))[0] == 403


@pytest.mark.asyncio
async def test_a_body_has_a_limit() -> None:
    async with served() as client:
        status, body, _ = await client.post("/api/join", {"ticket": "x" * BODY_BYTES_MAX})
        assert (status, body["exit"]) == (413, 2)
        assert client.daemon.called == []


@pytest.mark.asyncio
async def test_a_body_that_comes_in_pieces_has_the_same_limit() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(2 * BODY_BYTES_MAX // 1024):
            yield b" " * 1024

    async with served() as client:
        headers = {**client.token, "Content-Type": "application/json"}
        async with client.session.post(client.url("/api/join"), data=endless(), headers=headers) as response:
            assert response.status == 413
        assert client.daemon.called == []


@pytest.mark.asyncio
async def test_every_operation_has_its_address() -> None:
    async with served() as client:
        for one in operations():
            if one.name == "wait":  # answers never here
                continue
            posted, _, _ = await client.post(one.path, {"mandate": "Cargo"})
            got, _, _ = await client.get(one.path + "?mandate=Cargo")
            assert posted in (200, 400, 409, 500), one.name
            assert got == (posted if one.reads else 405), one.name
            expected = [(one.name, {"mandate": "Cargo"})] * (2 if one.reads else 1)
            assert client.daemon.called[-len(expected) :] == expected


@pytest.mark.asyncio
async def test_bytes_that_are_no_text_are_no_token_and_no_fault() -> None:
    async with served() as client:
        reader, writer = await asyncio.open_connection(*client.server.address.split(":"))
        host = client.server.address.encode()
        writer.write(b"GET /api/status HTTP/1.1\r\nHost: " + host + b"\r\nAuthorization: Bearer \xff\r\n\r\n")
        assert b" 401 " in await reader.readline()
        writer.close()
        assert client.daemon.faults == []


@pytest.mark.asyncio
async def test_a_wait_is_given_up_when_nobody_waits_for_it() -> None:
    async with served() as client, asyncio.timeout(10):
        with pytest.raises(asyncio.TimeoutError):
            await client.session.get(
                client.url("/api/wait"), headers=client.token, timeout=aiohttp.ClientTimeout(total=0.2)
            )
        await client.daemon.waiting.wait()
        await client.daemon.given_up.wait()


@pytest.mark.asyncio
async def test_what_a_page_began_to_check_goes_on_when_it_is_loaded_anew() -> None:
    async with served() as client, asyncio.timeout(20):
        sent = {"Cookie": await client.cookie(), "Origin": f"http://{client.server.address}"}
        address, soon = client.url("/api/verify"), aiohttp.ClientTimeout(total=0.2)
        for who, headers in (("page", sent), ("command", client.token)):
            client.daemon.waiting.clear()
            with pytest.raises(asyncio.TimeoutError):
                await client.session.post(address, headers=headers, json={"repair": who}, timeout=soon)
            await client.daemon.waiting.wait()
        await client.daemon.given_up.wait()  # what a command asked for, later than the page
        client.daemon.ending.set()
        await until(lambda: client.daemon.ended)
        assert client.daemon.ended == [{"repair": "page"}]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("lang", "reason"), [("de", "Die Datei ist leer."), ("en", "The file is empty."), ("xx", "The file is empty.")]
)
async def test_whoever_asks_is_answered_in_his_language(lang: str, reason: str) -> None:
    async with served() as client:
        answer = await client.get("/api/inbox", **{LANGUAGE_HEADER: lang})
        assert answer[1] == [{"file": "a", "reason": reason}]


@pytest.mark.asyncio
async def test_events_are_streamed() -> None:
    async with (
        served() as client,
        asyncio.timeout(10),
        client.session.get(client.url("/api/events"), headers=client.token) as response,
    ):
        assert response.headers["Content-Type"] == "text/event-stream"
        client.server.hub.publish("place.done", {"path": "Löhne.ecs"})
        line = await response.content.readline()
        assert json.loads(line.removeprefix(b"data: ")) == {"event": "place.done", "path": "Löhne.ecs"}


@pytest.mark.asyncio
async def test_a_page_that_was_closed_is_no_fault_and_makes_room() -> None:
    async with served() as client:
        response = await client.session.get(client.url("/api/events"), headers=client.token)
        listening = client.server.hub._streams
        assert len(listening) == 1
        response.close()

        def is_gone() -> bool:
            client.server.hub.publish("place.done", {})
            return not listening

        await until(is_gone, "the page is forgotten")
        assert client.daemon.faults == []


@pytest.mark.asyncio
async def test_a_page_that_does_not_read_holds_up_nobody_and_is_told_what_it_lost() -> None:
    loop = asyncio.get_running_loop()
    async with served() as client:
        hub, token, (host, port) = client.server.hub, client.token["Authorization"], client.server.address.split(":")
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)
            await loop.sock_connect(slow, (host, int(port)))
            request = f"GET /api/events HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: {token}\r\n\r\n"
            await loop.sock_sendall(slow, request.encode())
            await until(lambda: hub._streams)
            async with client.session.get(client.url("/api/events"), headers=client.token) as quick:
                for number in range(EVENTS):
                    hub.publish("n", {"number": str(number), "more": "x" * EVENT_BYTES})
                    line = await quick.content.readuntil(b"\n\n")
                    assert json.loads(line.removeprefix(b"data: "))["number"] == str(number)
            assert (await client.get("/api/status"))[0] == 200
            told = bytearray()
            while f'"number": "{EVENTS - 1}"'.encode() not in told[-2 * EVENT_BYTES :]:
                told += await loop.sock_recv(slow, 1 << 20)
        assert told.count(b'"event": "lost"') == 1
        assert told.count(b'"event": "n"') < EVENTS


@pytest.mark.asyncio
async def test_the_end_of_the_server_ends_what_is_open() -> None:
    async with served() as client, asyncio.timeout(10):
        events = await client.session.get(client.url("/api/events"), headers=client.token)
        group = asyncio.TaskGroup()
        async with group:
            wait = group.create_task(_broken_off(client))
            await client.daemon.waiting.wait()
            await client.server.stop()
            assert await wait
        assert await events.content.read() == b""
        assert client.daemon.given_up.is_set()


async def _broken_off(client: Client) -> bool:
    try:
        await client.post("/api/wait")
    except aiohttp.ClientError:
        return True
    return False


@pytest.mark.asyncio
async def test_numbers_and_description() -> None:
    async with served() as client:
        status, text, headers = await client.get("/metrics")
        assert (status, headers["Content-Type"].split(";")[0]) == (200, "text/plain")
        assert 'p2psync_files{mandate="Cargo"} 3' in text
        _, described, _ = await client.get("/api/openapi.json")
        assert described["servers"] == [{"url": f"http://{client.server.address}"}]


@pytest.mark.asyncio
async def test_a_program_can_ask_for_an_address_that_lets_a_browser_in() -> None:
    async with served() as client:
        _, body, _ = await client.post("/api/web")
        async with client.session.get(body["url"], allow_redirects=False) as response:
            assert response.status == 303
