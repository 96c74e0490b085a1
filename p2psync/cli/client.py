"""Asks the running daemon, over HTTP on loopback, with the standard library alone: a command must start fast."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

from p2psync.checkup import not_running as not_running_text
from p2psync.cli.exits import FAILED, NOT_RUNNING, TIMED_OUT, CommandFailed
from p2psync.cli.home import DAEMON_LOG, Running, read_running
from p2psync.core.value import value
from p2psync.i18n import _, language

CALL_TIMEOUT_S = 60.0
"""For a call that waits for nobody."""
EXIT_HEADER = "P2psync-Exit"
LANGUAGE_HEADER = "P2psync-Language"


@value
class Reply:
    """What the daemon answered."""

    data: Any
    exit: int
    """The exit code that belongs to it: 0, or partly done, failed, timed out, with `data` telling more."""


class Client:
    """The daemon of one home."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def call(self, name: str, arguments: dict[str, Any] | None = None, timeout_s: float = CALL_TIMEOUT_S) -> Reply:
        """Have the daemon perform an operation, as "mandate.create".

        Raises CommandFailed with its sentence if it fails, or if no daemon runs, or none answers in time.
        """
        given = {key: value for key, value in (arguments or {}).items() if value is not None}
        status, exit_code, body = self._request("/api/" + name.replace(".", "/"), json.dumps(given), timeout_s)
        data = _decoded(body)
        if status == http.client.OK:
            return Reply(data, exit_code)
        if isinstance(data, dict) and "error" in data:
            raise CommandFailed(str(data["error"]), int(data.get("exit", FAILED)))
        raise CommandFailed(_("p2psync answered with {status} and said no reason.").format(status=status))

    def is_running(self) -> bool:
        """Whether the daemon answers."""
        try:
            self.call("ping", timeout_s=5.0)
        except CommandFailed:
            return False
        return True

    def _request(self, path: str, body: str, timeout_s: float) -> tuple[int, int, bytes]:
        running = read_running(self._home)
        if running is None:
            raise not_running(self._home)
        connection = http.client.HTTPConnection(running.host, running.port, timeout=timeout_s)
        try:
            connection.request("POST", path, body.encode(), _headers(running))
            with connection.getresponse() as response:
                said = response.getheader(EXIT_HEADER)
                if said is None:
                    raise not_running(self._home)  # another program took the port of a daemon that is gone
                return response.status, int(said), response.read()
        except ConnectionRefusedError:
            raise not_running(self._home) from None
        except TimeoutError:
            raise CommandFailed(
                _("p2psync did not answer within {seconds:.0f} seconds. Look into its log: {path}").format(
                    seconds=timeout_s, path=self._home / DAEMON_LOG
                ),
                TIMED_OUT,
            ) from None
        except (OSError, http.client.HTTPException, ValueError):
            raise CommandFailed(
                _("p2psync ended before it had answered. See why in its log: {path}").format(
                    path=self._home / DAEMON_LOG
                ),
                NOT_RUNNING,
            ) from None
        finally:
            connection.close()


def not_running(home: Path) -> CommandFailed:
    """The error for a home in which no daemon runs."""
    return CommandFailed(not_running_text().format(home=home), NOT_RUNNING)


def _headers(running: Running) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {running.token}",
        "Content-Type": "application/json",
        LANGUAGE_HEADER: language(),
    }


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
