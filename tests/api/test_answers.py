"""Errors become a sentence, an exit code and HTTP's word for it; what callers send is read without trust."""

from __future__ import annotations

import json

import pytest

from p2psync.api.answers import EXIT_HEADER, done, failure, refused, secured
from p2psync.errors import ConfigError, InvalidId, InvalidPath, NotAllowed, P2PSyncError, TicketUsed, UsageError
from tests.api.serving import served


@pytest.mark.parametrize(
    ("error", "status", "exit_code"),
    [
        (UsageError("x"), 400, 2),
        (ConfigError("x"), 400, 2),
        (InvalidId("x"), 400, 2),
        (InvalidPath("x"), 400, 2),
        (NotAllowed("x"), 409, 1),
        (TicketUsed("x"), 409, 1),
    ],
)
def test_an_error_has_its_exit_code(error: P2PSyncError, status: int, exit_code: int) -> None:
    response = refused(error)
    assert (response.status, response.headers[EXIT_HEADER]) == (status, str(exit_code))
    assert json.loads(response.body or b"") == {"error": "x", "exit": exit_code}  # type: ignore[arg-type]


@pytest.mark.parametrize(("lang", "sentence"), [("de", "Benennen Sie die Datei um."), ("xx", "Rename the file.")])
def test_whoever_asks_is_answered_in_his_language(lang: str, sentence: str) -> None:
    body = refused(UsageError("Rename the file."), lang).body
    assert json.loads(body or b"")["error"] == sentence  # type: ignore[arg-type]


def test_what_is_done_in_part_is_an_answer() -> None:
    response = done({"result": "partial"}, 3)
    assert (response.status, response.headers[EXIT_HEADER]) == (200, "3")


@pytest.mark.parametrize("text", ["Löhne 2025.ecs", "\U0001f9fe", "half of a character: \ud83d", 'a"b\n'])
def test_any_text_can_be_answered_with(text: str) -> None:
    body = done({"path": text}, 0).body
    assert json.loads(body or b"") == {"path": text}  # type: ignore[arg-type]


def test_a_failure_without_a_code_of_its_own_is_1() -> None:
    assert failure(500, "x").headers[EXIT_HEADER] == "1"


def test_browsers_are_told_to_run_and_keep_nothing_foreign() -> None:
    headers = secured(done({}, 0)).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.asyncio
@pytest.mark.parametrize("body", [b"{", b"[1]", b"null", b'"x"', b"\xff\xfe", b"[" * 10_000])
async def test_a_body_that_is_no_object_is_wrong_usage(body: bytes) -> None:
    async with served() as client:
        headers = {**client.token, "Content-Type": "application/json"}
        async with client.session.post(client.url("/api/status"), data=body, headers=headers) as response:
            assert response.status == 400
            assert (await response.json())["exit"] == 2
        assert client.daemon.called == []


@pytest.mark.asyncio
async def test_a_form_of_another_site_is_no_json() -> None:
    async with served() as client:
        headers = {**client.token, "Content-Type": "text/plain"}
        async with client.session.post(client.url("/api/stop"), data=b"{}", headers=headers) as response:
            assert response.status == 400
        assert client.daemon.called == []
