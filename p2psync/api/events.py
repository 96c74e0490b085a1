"""What happens, told to every open page as it happens. A page that does not read loses events, and is told so."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager

QUEUE_MAX = 256
"""Events that wait for one client."""
CLIENTS_MAX = 32
ALIVE_EVERY_S = 15.0
"""How often something is sent where nothing happens, so that a dead connection is noticed."""

LOST = "lost"
"""Sent instead of what did not fit: look at the status again."""
ALIVE = ": alive\n\n"


class Full(Exception):
    """Too many clients listen."""


class Stream:
    """What one client is yet to be told."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._more = asyncio.Event()
        self._lost = 0
        self._closed = False

    def put(self, frame: str) -> None:
        """The oldest give way."""
        if len(self._waiting) == QUEUE_MAX:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(frame)
        self._more.set()

    def close(self) -> None:
        self._closed = True
        self._more.set()

    async def frames(self, alive_every_s: float = ALIVE_EVERY_S) -> AsyncIterator[str]:
        """What to send, until the daemon stops."""
        while not self._closed:
            try:
                async with asyncio.timeout(alive_every_s):
                    await self._more.wait()
            except TimeoutError:
                yield ALIVE
                continue
            self._more.clear()
            while self._waiting:
                if self._lost:
                    lost, self._lost = self._lost, 0
                    yield as_frame(LOST, {"events": str(lost)})
                yield self._waiting.popleft()


class Hub:
    """All clients that listen. For the event loop only."""

    def __init__(self) -> None:
        self._streams: set[Stream] = set()
        self._closed = False

    def publish(self, name: str, fields: Mapping[str, str]) -> None:
        """Tell everybody."""
        if self._streams:
            frame = as_frame(name, fields)
            for stream in self._streams:
                stream.put(frame)

    @contextmanager
    def subscribed(self) -> Iterator[Stream]:
        """A stream of everything from now on. Raises Full."""
        if len(self._streams) >= CLIENTS_MAX or self._closed:
            raise Full
        stream = Stream()
        self._streams.add(stream)
        try:
            yield stream
        finally:
            self._streams.discard(stream)

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        for stream in self._streams:
            stream.close()


def as_frame(name: str, fields: Mapping[str, str]) -> str:
    """An event as server-sent events write it: JSON has no line ends, so it is one line."""
    data = json.dumps({"event": name, **fields}, ensure_ascii=False)
    return f"data: {data}\n\n"
