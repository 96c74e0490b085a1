"""The daemon's HTTP interface on loopback: a call for every command, what happens as it happens, and the page."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from p2psync.api.answers import LANGUAGE_HEADER, done, failure, given, refused, secured
from p2psync.api.events import Full, Hub
from p2psync.api.guard import Caller, Guard
from p2psync.api.metrics import exposition
from p2psync.api.openapi import document
from p2psync.api.page import Page
from p2psync.api.table import Argument, Operation, operations
from p2psync.core.address import host_and_port
from p2psync.errors import P2PSyncError, UsageError
from p2psync.i18n import _

BODY_BYTES_MAX = 128 * 1024
"""Of a request; what is given to join with is longest: a recovery file names all members."""
GONE_EVERY_S = 0.5
"""How often a call that waits looks whether anybody still waits for its answer."""
SHUTDOWN_S = 0.5
"""How long calls that are under way get at the end."""
WEB = Operation("web", "An address that lets one browser in, once.", (Argument("ticket"),))
PROMETHEUS = "version=0.0.4"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
OnFault = Callable[[str, BaseException], None]
"""Told the operation's name and an error that nobody foresaw."""


class Answer(Protocol):
    """What an operation ended with."""

    @property
    def data(self) -> object:
        """Ready for JSON."""

    @property
    def exit_code(self) -> int:
        """Of the command; 0 if all is done."""


class Performing(Protocol):
    """The daemon as this interface sees it."""

    async def call(self, name: str, arguments: Mapping[str, object]) -> Answer:
        """Perform an operation of the table; raises P2PSyncError with a sentence for people."""


class Server:
    """One daemon's interface; `start` and `stop` once each."""

    guard: Guard
    """There from `start` on."""
    address: str
    """HOST:PORT, from `start` on."""

    def __init__(self, performing: Performing, on_fault: OnFault, page: bool = True) -> None:
        """`page`: whether browsers are served too."""
        self.hub = Hub()
        self._performing = performing
        self._on_fault = on_fault
        self._page = page
        self._started_s = time.monotonic()

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one. Raises OSError."""
        self.guard = Guard(host)
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=SHUTDOWN_S)
        self._runner = runner
        await runner.setup()
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.guard.port = listening.getsockname()[1]
        self.address = host_and_port(host, self.guard.port)
        await web.SockSite(runner, listening).start()

    async def stop(self) -> None:
        """Close every connection."""
        self.hub.close()
        await self._runner.cleanup()

    def login_url(self, ticket: str | None = None) -> str:
        """An address that lets one browser in, once; its page asks about the ticket, which is not in the address."""
        return f"http://{self.address}/login/{self.guard.new_login(ticket)}"

    # -- routes ----------------------------------------------------------------------------------------

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._admitted])
        for one in operations():
            app.router.add_post(one.path, self._handler(one))
            if one.reads:
                app.router.add_get(one.path, self._handler(one), allow_head=False)
        app.router.add_get("/api/events", self._events, allow_head=False)
        app.router.add_get("/api/openapi.json", self._openapi)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/api/web", self._web)
        app.router.add_post("/api/web/ticket", self._handed)
        if self._page:
            Page(lambda: self.guard).add_to(app.router)
        return app

    @web.middleware
    async def _admitted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Nobody who may not reaches a handler; every answer says how browsers are to treat it."""
        try:
            refusal = self._refusal(request)
            response = refusal if refusal is not None else await handler(request)
        except web.HTTPRequestEntityTooLarge:
            response = failure(413, _("The request is larger than {n} bytes.").format(n=BODY_BYTES_MAX), 2)
        except web.HTTPException as error:
            response = failure(error.status, _("There is nothing like that at {path}.").format(path=request.path), 2)
        except Exception as error:
            self._on_fault(request.path, error)
            response = failure(500, _("Something went wrong that should not have; the log of p2psync tells more."))
        return response if response.prepared else secured(response)

    def _refusal(self, request: web.Request) -> web.Response | None:
        public = not (request.path.startswith("/api/") or request.path == "/metrics")
        if public and self.guard.is_right_host(request.headers.get("Host", "")):
            return None
        changes = request.method not in ("GET", "HEAD")
        caller = self.guard.caller(request.headers, request.cookies, changes)
        if public or caller is Caller.STRANGER:
            return failure(403, _("This address is for programs of this PC only."))
        if caller is Caller.NOBODY:
            return failure(401, _("This needs the token of daemon.json, or a login with: p2psync web"))
        return None

    # -- handlers --------------------------------------------------------------------------------------

    def _handler(self, operation: Operation) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            try:
                arguments = await given(request, operation)
                answer = await self._perform(request, operation, arguments)
            except P2PSyncError as error:
                return refused(error, request.headers.get(LANGUAGE_HEADER))
            return done(answer.data, answer.exit_code, request.headers.get(LANGUAGE_HEADER))

        return handle

    async def _perform(self, request: web.Request, operation: Operation, arguments: Mapping[str, Any]) -> Answer:
        """What waits for other devices is given up when whoever asked has gone away, by some not when a page has."""
        if not operation.waits or (operation.outlives_page and self._is_page(request)):
            return await self._performing.call(operation.name, arguments)
        async with asyncio.TaskGroup() as group:
            work = group.create_task(_outcome(self._performing.call(operation.name, arguments)), name=operation.name)
            while not work.done():
                await asyncio.wait([work], timeout=GONE_EVERY_S)
                if request.transport is None or request.transport.is_closing():
                    work.cancel()
                    break
        outcome = P2PSyncError("Nobody waits for this any more.") if work.cancelled() else work.result()
        if isinstance(outcome, P2PSyncError):
            raise outcome
        return outcome

    def _is_page(self, request: web.Request) -> bool:
        return self.guard.caller(request.headers, request.cookies, changes=True) is Caller.PAGE

    async def _events(self, request: web.Request) -> web.StreamResponse:
        try:
            with self.hub.subscribed() as stream:
                response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
                await secured(response).prepare(request)
                with contextlib.suppress(ConnectionResetError):  # a page that was closed
                    async for frame in stream.frames():
                        await response.write(frame.encode("utf-8", "backslashreplace"))
                return response
        except Full:
            return failure(503, _("Too many pages are open; close some of them."))

    async def _web(self, request: web.Request) -> web.Response:
        if not self._page:
            return failure(404, _("The web page is off. To have it, start p2psync without: --web off"))
        try:
            ticket = (await given(request, WEB)).get("ticket")
            if not (ticket is None or isinstance(ticket, str)):
                raise UsageError("{name} must be a text", name="ticket")
        except UsageError as error:
            return refused(error, request.headers.get(LANGUAGE_HEADER))
        return done({"url": self.login_url(ticket)}, 0)

    async def _handed(self, request: web.Request) -> web.Response:
        return done({"ticket": self.guard.take_ticket(request.cookies.get(self.guard.cookie, ""))}, 0)

    async def _openapi(self, request: web.Request) -> web.Response:
        return done(document(operations(), f"http://{self.address}"), 0)

    async def _metrics(self, request: web.Request) -> web.Response:
        answer: Any = await self._performing.call("status", {})
        text = exposition(answer.data, time.monotonic() - self._started_s)
        return web.Response(text=text, headers={"Content-Type": f"text/plain; {PROMETHEUS}; charset=utf-8"})


async def _outcome(call: Awaitable[Answer]) -> Answer | P2PSyncError:
    """An expected failure as a value: raised in a task group, it would come out in a group of its own."""
    try:
        return await call
    except P2PSyncError as error:
        return error
