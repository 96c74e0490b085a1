"""A command of this PC's user that is run when accounting says up to which day the books are complete.

Which one stands in a file of the home, that this user alone may write: no operation, hence no page and no other device,
can set it. It is run once for each mark, also if p2psync ends meanwhile; without a shell, and with the facts as one
JSON document on its standard input, so nothing that another device says is ever part of a command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2psync.core.ids import MandateId, device_text, mandate_text
from p2psync.core.problem import Code, Problem
from p2psync.core.value import value
from p2psync.daemon.operations.shapes import time_text
from p2psync.daemon.standing import name_of
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import ConfigError, P2PSyncError
from p2psync.fs.threads import threaded
from p2psync.i18n import said
from p2psync.system.process import environment_for_others

if TYPE_CHECKING:
    from p2psync.daemon.logs import EventLog
    from p2psync.daemon.runtime import Runtime

HOOKS_FILE = "hooks.json"
ON_MARK_CURRENT = "on_mark_current"
NOTICE = "books.current"
"""What the engine says when a mark came."""
LIMIT_S = 60.0
"""How long a command may run."""
RETRY_S = 60.0
SETTING = "mark told"
"""Of a mandate: the last mark, and whether its command still runs."""


@value
class Mark:
    """Accounting's word that is new here."""

    mandate: MandateId
    key: tuple[str, bytes, int]
    """The day, who said it, and when: what tells it from others."""
    facts: Mapping[str, object]
    """For the command."""


class Hooks:
    """Of one device. All methods are for the event loop."""

    def __init__(self, home: Path, runtime: Runtime, log: EventLog) -> None:
        self._home = home
        self._runtime = runtime
        self._log = log
        self._woken = asyncio.Event()
        self._woken.set()

    def wake(self) -> None:
        """There may be a new mark."""
        self._woken.set()

    async def keep(self) -> None:
        """Run the command for each new mark, for ever; first tell what was cut off when p2psync ended."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                for mandate in await self._runtime.query(_cut_off):  # none runs here and now
                    await self._failed(mandate, P2PSyncError("p2psync ended before it did"))
                for mark in await self._runtime.query(_new_marks):
                    await self._tell(mark)
            except P2PSyncError as error:  # the database cannot be written just now, or this device stops
                self._log.event("hook.failed", reason=error)
                await asyncio.sleep(RETRY_S)
                self._woken.set()

    async def _tell(self, mark: Mark) -> None:
        try:
            words = await threaded(command, self._home)
        except ConfigError as error:
            await self._noted(mark, False)
            await self._failed(mark.mandate, error)
            return
        await self._noted(mark, words is not None)
        if words is None:
            return
        try:
            await _run(words, json.dumps(mark.facts, ensure_ascii=False).encode())
        except P2PSyncError as error:
            await self._failed(mark.mandate, error)
        else:
            self._log.event("hook.ended", mandate=mark.mandate, hook=ON_MARK_CURRENT)
        await self._noted(mark, False)

    async def _noted(self, mark: Mark, is_running: bool) -> None:
        """Committed before the command is begun, so that no mark has it run twice."""

        def note(device: Device, _: Now) -> None:
            if mark.mandate in device.mandates:
                device.mandates[mark.mandate].state.put(SETTING, [list(mark.key), is_running])

        await self._runtime.call(note)

    async def _failed(self, mandate: MandateId, error: P2PSyncError) -> None:
        self._log.event("hook.failed", mandate=mandate, hook=ON_MARK_CURRENT, reason=error)

        def note(device: Device, _: Now) -> None:
            if (one := device.mandates.get(mandate)) is not None:
                one.state.put_problems([Problem("", Code.HOOK_FAILED, said(error))])
                key, _running = _told(one)
                one.state.put(SETTING, [key, False])

        await self._runtime.call(note)


def command(home: Path) -> tuple[str, ...] | None:
    """What this PC's user set; None for nothing. Raises ConfigError if it cannot be read, or others may write it."""
    file = home / HOOKS_FILE
    try:
        with file.open("rb") as reader:
            state = os.fstat(reader.fileno())
            said: Any = json.loads(reader.read())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError("{file} cannot be read: {reason}", file=file, reason=error.strerror or error) from None
    except ValueError as error:
        raise ConfigError("{file} cannot be read: {reason}", file=file, reason=error) from None
    if sys.platform != "win32" and (state.st_uid != os.getuid() or state.st_mode & 0o022):
        raise ConfigError("{file} is not run: other users of this PC may write it", file=file)
    words = said.get(ON_MARK_CURRENT) if isinstance(said, dict) else None
    if not (isinstance(words, list) and words and all(isinstance(word, str) for word in words)):
        raise ConfigError("{file} cannot be read: {reason}", file=file, reason=ON_MARK_CURRENT)
    return tuple(words)


# -- in the engine's thread ----------------------------------------------------------------------------


def _cut_off(device: Device, _: Now) -> list[MandateId]:
    return [one.id for one in device.mandates.values() if _told(one)[1]]


def _new_marks(device: Device, _: Now) -> list[Mark]:
    several = (_mark(one, device) for one in device.mandates.values())
    return [mark for mark in several if mark is not None]


def _mark(mandate: Mandate, device: Device) -> Mark | None:
    said = mandate.periods.current()
    if said is None:
        return None
    key = (said.until.isoformat(), bytes(said.device), said.time_ms)
    if list(key) == _told(mandate)[0]:
        return None
    facts = {
        **{"event": ON_MARK_CURRENT, "mandate": mandate.name, "id": mandate_text(mandate.id), "until": key[0]},
        "note": said.note,
        **{"device": device_text(said.device), "name": name_of(mandate, said.device), "time": time_text(said.time_ms)},
        "own": said.device == device.keys.device,
    }
    return Mark(mandate.id, key, facts)


def _told(mandate: Mandate) -> tuple[list[object], bool]:
    known: Any = mandate.state.get(SETTING)
    return (list(known[0]), bool(known[1])) if known else ([], False)


# -- the command ---------------------------------------------------------------------------------------


async def _run(words: tuple[str, ...], facts: bytes) -> None:
    """Raises P2PSyncError unless it ends in time and well. It never outlives this: cancelled, it is killed."""
    kept, quiet = environment_for_others(), subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, env=kept, start_new_session=True
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise P2PSyncError("{file} cannot be started: {reason}", file=words[0], reason=reason) from None
    try:
        async with asyncio.timeout(LIMIT_S):
            await process.communicate(facts)
    except TimeoutError:
        raise P2PSyncError("it did not end within {limit} seconds", limit=round(LIMIT_S)) from None
    finally:
        await _end(process)
    if process.returncode:
        raise P2PSyncError("it ended with exit code {code}", code=process.returncode)


async def _end(process: Process) -> None:
    """With all that it began, where the system keeps them together."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
