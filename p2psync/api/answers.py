"""Requests read, and answers written: JSON both ways, errors as a sentence and an exit code, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from p2psync.api.table import Operation
from p2psync.errors import ConfigError, InvalidId, InvalidPath, P2PSyncError, UsageError
from p2psync.i18n import LANGUAGES, said, said_in

EXIT_HEADER = "P2psync-Exit"
LANGUAGE_HEADER = "P2psync-Language"
FAILED = 1
WRONG_USAGE = 2
USAGE_ERRORS = (UsageError, ConfigError, InvalidId, InvalidPath)
STATUSES: Mapping[int, int] = {FAILED: 409, WRONG_USAGE: 400}
"""HTTP's word for an exit code."""
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def done(data: object, exit_code: int, lang: str | None = None) -> web.Response:
    """The answer of an operation that came to its end, also where only a part is done; `lang` as in `refused`."""
    return _written(200, said_in(lang, data) if lang in LANGUAGES else data, exit_code)


def refused(error: P2PSyncError, lang: str | None = None) -> web.Response:
    """The answer of an operation that did not; in the language of whoever asked, if it is one of ours."""
    exit_code = WRONG_USAGE if isinstance(error, USAGE_ERRORS) else FAILED
    return failure(STATUSES[exit_code], said(error, lang if lang in LANGUAGES else None), exit_code)


def failure(status: int, sentence: str, exit_code: int = FAILED) -> web.Response:
    """An error for people, with the exit code of the command."""
    return _written(status, {"error": sentence, "exit": exit_code}, exit_code)


def secured(response: web.StreamResponse) -> web.StreamResponse:
    """The same, and how browsers are to treat it."""
    response.headers.update(SECURITY)
    return response


async def given(request: web.Request, operation: Operation) -> Mapping[str, Any]:
    """The arguments of a call: in the address of a GET, a JSON object in the body of a POST. Raises UsageError."""
    if request.method == "GET":
        return operation.from_query(request.query)
    body = await request.read()
    if not body:
        return {}
    if request.content_type != "application/json":
        raise UsageError("The body must be JSON, and say so: Content-Type: application/json.")
    try:
        arguments = json.loads(body)
    except (ValueError, RecursionError):
        raise UsageError("The body is not JSON.") from None
    if not isinstance(arguments, dict):
        raise UsageError("The body must be a JSON object of arguments.")
    return arguments


def _written(status: int, data: object, exit_code: int) -> web.Response:
    # What no encoding has, half of a character as a caller may send it, is escaped as JSON does.
    body = json.dumps(data, ensure_ascii=False).encode("utf-8", "backslashreplace")
    headers = {EXIT_HEADER: str(exit_code)}
    return web.Response(status=status, body=body, content_type="application/json", charset="utf-8", headers=headers)
