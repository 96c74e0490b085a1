"""The HTTP interface of one node, and the file that tells the command line where it is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from p2psync.daemon.config import LOCAL, LOOPBACK
from p2psync.daemon.logs import LogEvent
from p2psync.errors import ConfigError

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

RUNNING_FILE = "daemon.json"


def load() -> None:
    """Import what serves: for a thread, since it takes a tenth of a second while folders are looked at."""
    import_module("p2psync.api.server")


class Web:
    """Made and started when its node is ready."""

    def __init__(self, node: Node) -> None:
        from p2psync.api.server import Server

        self._node = node
        self._loop = asyncio.get_running_loop()
        self._server = Server(node.operations, self._fault, page=node.config.web is not None)
        self._file = node.config.home / RUNNING_FILE

    async def start(self) -> None:
        """Serve, and say where. Raises ConfigError if the chosen address cannot be had."""
        host, port = self._node.config.web or LOCAL
        try:
            await self._server.start(host or LOOPBACK, port)
        except OSError as error:
            raise ConfigError(
                "Cannot serve the web page on {host}:{port}: {reason}",
                host=host or LOOPBACK,
                port=port,
                reason=error.strerror or error,
            ) from error
        self._unlisten = self._node.log.listen(self._tell)
        said = {"address": self._server.address, "token": self._server.guard.token, "pid": os.getpid()}
        await asyncio.to_thread(_write_private, self._file, json.dumps(said))

    async def stop(self) -> None:
        self._unlisten()
        await self._server.stop()
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._file.unlink)

    @property
    def url(self) -> str:
        """Of the page, without what lets a browser in."""
        return f"http://{self._server.address}"

    def login_url(self) -> str:
        """Lets one browser in, once."""
        return self._server.login_url()

    def _tell(self, event: LogEvent) -> None:
        self._loop.call_soon_threadsafe(self._server.hub.publish, event.name, dict(event.fields))

    def _fault(self, operation: str, error: BaseException) -> None:
        self._node.log.failure("operation.failed", error, operation=operation)


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, readable by this user alone."""
    fresh = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(fresh, path)
