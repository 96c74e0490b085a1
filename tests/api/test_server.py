"""The HTTP interface: every operation by its address, errors as JSON, strangers refused, waits given up in time."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from p2psync.api.answers import EXIT_HEADER
from p2psync.api.server import BODY_BYTES_MAX
from tests.api.serving import STATUS, served


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
async def test_a_wait_is_given_up_when_nobody_waits_for_it() -> None:
    async with served() as client, asyncio.timeout(10):
        with pytest.raises(asyncio.TimeoutError):
            await client.session.get(
                client.url("/api/wait"), headers=client.token, timeout=aiohttp.ClientTimeout(total=0.2)
            )
        await client.daemon.waiting.wait()
        await client.daemon.given_up.wait()


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
