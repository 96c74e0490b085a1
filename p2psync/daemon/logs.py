"""What happened, one line an event: a fixed name and named facts, to a rotating file and to whoever listens.

A fact is never a secret: no ticket, token, key or file content is ever given to `event`.
"""

from __future__ import annotations

import json
import logging
import os
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from p2psync.core.value import value

LOG_FILE = "p2psync.log"
FILE_BYTES_MAX = 2 << 20
FILES_KEPT = 3
BYTES_SHOWN = 6
"""Of an id: enough to tell it from others in a log."""
VALUE_CHARACTERS_MAX = 1000


@value
class LogEvent:
    """One thing that happened."""

    time_ns: int
    """Wall clock, nanoseconds since 1970."""
    name: str
    """Static, like "place.refused"."""
    fields: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        facts = (f"{key}={_quoted(value)}" for key, value in self.fields)
        return " ".join((time_text(self.time_ns), self.name, *facts))


Listener = Callable[[LogEvent], None]


class EventLog:
    """The event log of one daemon; safe to use from several threads."""

    def __init__(self, home: Path | None, is_detailed: bool = False) -> None:
        """Writes to `p2psync.log` in `home`; None writes nowhere and only tells listeners. Raises OSError."""
        self.is_detailed = is_detailed
        """Whether each message and each file is noted too."""
        self._handler: logging.Handler | None = None
        if home is not None:
            self._handler = _PrivateFile(home / LOG_FILE, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT)
        self._listeners: list[Listener] = []

    def event(self, name: str, /, **fields: object) -> None:
        """Note what happened; ids are shortened, None is left out."""
        self._tell(_event(name, fields))

    def detail(self, name: str, fields: Mapping[str, object]) -> None:
        """Note what only somebody who looks for a fault wants to know: in a detailed log, and to no listener."""
        if self.is_detailed:
            self._write(str(_event(name, fields)))

    def failure(self, name: str, error: BaseException, /, **fields: object) -> None:
        """The same for an error that nobody expected, with where it came from below the line."""
        self.event(name, **fields, error=repr(error))
        self._write("".join(f"    {line}\n" for line in _trace(error)).rstrip("\n"))

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` for every event from now on, in the thread that notes it; returns how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def close(self) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.close()

    def _tell(self, event: LogEvent) -> None:
        self._write(str(event))
        for listener in tuple(self._listeners):
            listener(event)

    def _write(self, text: str) -> None:
        if self._handler is not None:
            self._handler.handle(logging.makeLogRecord({"msg": text}))


class _PrivateFile(RotatingFileHandler):
    """Readable by this user alone, also after it was turned over: the log has names of files."""

    def _open(self) -> TextIOWrapper:
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return open(handle, "a", encoding="utf-8")


def _event(name: str, fields: Mapping[str, object]) -> LogEvent:
    facts = tuple((key, _text(value)) for key, value in fields.items() if value is not None)
    return LogEvent(time.time_ns(), name, facts)


def time_text(time_ns: int) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    when = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{time_ns // 1_000_000 % 1000:03d}Z"


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value[:BYTES_SHOWN].hex()
    return str(value)[:VALUE_CHARACTERS_MAX]


def _quoted(value: str) -> str:
    plain = value and value.isprintable() and not set(value) & set(' "=\\')
    return value if plain else json.dumps(value, ensure_ascii=False)


def _trace(error: BaseException) -> list[str]:
    return "".join(traceback.format_exception(error)).splitlines()
