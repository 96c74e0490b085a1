"""The page that browsers see: its files, the login by a one-time path, and the words that it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from string import Template
from typing import NamedTuple

from p2psync.api.guard import Guard
from p2psync.api.http import Request, Response, Routes
from p2psync.api.texts import frame, told
from p2psync.i18n import _


class File(NamedTuple):
    name: str
    content_type: str


FILES = {
    "/": File("index.html", "text/html; charset=utf-8"),
    "/page.css": File("page.css", "text/css; charset=utf-8"),
    "/page.js": File("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": File("icon.svg", "image/svg+xml; charset=utf-8"),
}


class Page:
    """The routes of the page, of one server."""

    def __init__(self, guard: Callable[[], Guard]) -> None:
        """`guard` is asked when a browser comes: it is not there yet when routes are made."""
        self._guard = guard

    def add_to(self, routes: Routes) -> None:
        for path in FILES:
            routes.add(("GET", "HEAD"), path, self._file)
        routes.add(("GET",), "/login/*", self._log_in)
        routes.add(("GET", "HEAD"), "/api/words", self._words)

    async def _file(self, request: Request) -> Response:
        file = FILES[request.path]
        body = filled_in(content(file.name)) if request.path == "/" else content(file.name)
        return Response(200, body, file.content_type)

    async def _log_in(self, request: Request) -> Response:
        """A HEAD by a mail program or a chat would use the path up, so only GET does."""
        guard = self._guard()
        value = guard.log_in(request.path.rpartition("/")[2])
        if value is None:
            sentence = _("This address was used already, or is too old. Get a new one with: p2psync web")
            return Response(403, sentence.encode())
        cookie = f"{guard.cookie}={value}; HttpOnly; Path=/; SameSite=Strict"
        return Response(303, headers={"Location": "/", "Set-Cookie": cookie})

    async def _words(self, request: Request) -> Response:
        return Response(200, json.dumps(told()).encode(), "application/json; charset=utf-8")


def filled_in(page: bytes) -> bytes:
    """The page with its words in the language that is set."""
    import html  # its table of characters takes a megabyte

    words = {name: html.escape(text) for name, text in frame().items()}
    return Template(page.decode()).substitute(words).encode()


@cache
def content(name: str) -> bytes:
    """One file of the page."""
    return Path(__file__).with_name("static").joinpath(name).read_bytes()
