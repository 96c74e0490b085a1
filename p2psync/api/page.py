"""The page that browsers see: its files, the login by a one-time path, and the words that it says."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import cache
from pathlib import Path
from string import Template
from typing import NamedTuple

from aiohttp import web

from p2psync.api.guard import Guard
from p2psync.api.texts import frame, told
from p2psync.i18n import _


class File(NamedTuple):
    name: str
    content_type: str


SCRIPTS = (
    *("parts.js", "mandates.js", "mandate.js", "rules.js", "books.js", "work.js", "joining.js", "places.js"),
    "page.js",
)
"""In the order in which the page runs them."""
FILES = {
    "/": File("index.html", "text/html"),
    "/page.css": File("page.css", "text/css"),
    **{f"/{name}": File(name, "text/javascript") for name in SCRIPTS},
    "/icon.svg": File("icon.svg", "image/svg+xml"),
}


class Page:
    """The routes of the page, of one server."""

    def __init__(self, guard: Callable[[], Guard]) -> None:
        """`guard` is asked when a browser comes: it is not there yet when routes are made."""
        self._guard = guard

    def add_to(self, router: web.UrlDispatcher) -> None:
        for path in FILES:
            router.add_get(path, self._file)
        router.add_get("/login/{once}", self._log_in, allow_head=False)
        router.add_get("/api/words", self._words)

    async def _file(self, request: web.Request) -> web.Response:
        file = FILES[request.path]
        body = filled_in(content(file.name)) if request.path == "/" else content(file.name)
        return web.Response(body=body, content_type=file.content_type, charset="utf-8")

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        """A HEAD by a mail program or a chat would use the path up, so only GET does."""
        guard = self._guard()
        value = guard.log_in(request.match_info["once"])
        if value is None:
            sentence = _("This address was used already, or is too old. Get a new one with: p2psync web")
            return web.Response(status=403, text=sentence)
        way = "/#join" if guard.has_ticket(value) else "/"
        response = web.Response(status=303, headers={"Location": way})
        response.set_cookie(guard.cookie, value, httponly=True, samesite="Strict", path="/")
        return response

    async def _words(self, request: web.Request) -> web.Response:
        return web.json_response(told())


def filled_in(page: bytes) -> bytes:
    """The page with its words in the language that is set."""

    words = {name: html.escape(text) for name, text in frame().items()}
    return Template(page.decode()).substitute(words).encode()


@cache
def content(name: str) -> bytes:
    """One file of the page."""
    return Path(__file__).with_name("static").joinpath(name).read_bytes()
