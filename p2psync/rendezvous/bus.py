"""What several hosts say to each other: channels of a Redis, on which each hears all others and not itself.

A channel is listened to from when Redis has confirmed it; what is said on it before waits for that, so that no answer
is missed. While Redis is away, every host goes on for its own visitors, and what is said meanwhile is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from p2psync.errors import ConfigError
from p2psync.i18n import _
from p2psync.system.tasks import until_one_ends

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import PubSub

PREFIX: Final = b"p2psync:rendezvous:1:"
KEEP_OPEN: Final = PREFIX + b"hosts"
"""Always listened to: with no channel at all, Redis would have nothing to read from."""
HOST_BYTES: Final = 8
DATA_BYTES_MAX: Final = 128 * 1024
OUTBOX_MAX: Final = 20_000
"""Messages that wait for Redis; the oldest go first."""
WAITING_MAX: Final = 256
"""The same of a channel that is not confirmed yet."""
BATCH_MAX: Final = 256
CONNECT_S: Final = 5.0
ALIVE_S: Final = 20.0
RETRY_S: Final = 1.0


class Bus:
    """One host's connection to the others; `run` does the work."""

    def __init__(self, url: str, heard: Callable[[bytes, bytes], None]) -> None:
        """`heard` gets channel and data of what another host said. Raises ConfigError if there is no such Redis URL,
        or no library for it.
        """
        self._redis, self._failures = _client(url)
        self._heard = heard
        self._me = secrets.token_bytes(HOST_BYTES)
        self._wanted: set[bytes] = {KEEP_OPEN}
        self._confirmed: set[bytes] = set()
        self._waiting: dict[bytes, deque[bytes]] = {}
        self._outbox: deque[tuple[bytes, bytes]] = deque(maxlen=OUTBOX_MAX)
        self._changed = asyncio.Event()
        self._to_send = asyncio.Event()
        self.problem: str | None = _("Redis is not connected yet")
        """Why other hosts are not reached; None while they are."""

    def listen(self, channel: bytes, on: bool) -> None:
        """From now on (or no longer) `heard` is to get what is said there."""
        if on:
            self._wanted.add(PREFIX + channel)
        else:
            self._wanted.discard(PREFIX + channel)
            self._waiting.pop(PREFIX + channel, None)
        self._changed.set()

    def say(self, channel: bytes, data: bytes) -> None:
        """To all other hosts that listen there."""
        name = PREFIX + channel
        if name in self._confirmed or name not in self._wanted:
            self._outbox.append((name, self._me + data))
            self._to_send.set()
        else:
            self._waiting.setdefault(name, deque(maxlen=WAITING_MAX)).append(data)

    async def run(self) -> None:
        """Until cancelled: be connected."""
        try:
            while True:
                try:
                    await self._converse()
                except self._failures as error:
                    self.problem = _("Redis cannot be reached: {reason}").format(reason=error)
                self._confirmed.clear()
                await asyncio.sleep(RETRY_S)
        finally:
            await self._redis.aclose()

    async def _converse(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            pubsub = self._redis.pubsub()
            stack.push_async_callback(pubsub.aclose)
            asked: set[bytes] = {KEEP_OPEN}
            await pubsub.subscribe(KEEP_OPEN)
            await until_one_ends(self._failures, self._hear(pubsub), self._ask(pubsub, asked), self._send())

    async def _hear(self, pubsub: PubSub) -> None:
        """Raises TimeoutError if Redis is silent though it was asked."""
        while True:
            message = await pubsub.get_message(timeout=ALIVE_S)
            if message is None:
                async with asyncio.timeout(CONNECT_S):
                    await self._redis.ping()
                continue
            self._take(message["type"], message["channel"], message["data"])

    def _take(self, kind: str, channel: bytes, data: Any) -> None:
        if kind == "subscribe":
            self.problem = None
            self._confirmed.add(channel)
            for waiting in self._waiting.pop(channel, ()):
                self.say(channel.removeprefix(PREFIX), waiting)
        elif kind == "unsubscribe":
            self._confirmed.discard(channel)
        elif kind == "message" and channel in self._wanted and self._is_of_another(data):
            self._heard(channel.removeprefix(PREFIX), data[HOST_BYTES:])

    def _is_of_another(self, data: bytes) -> bool:
        return HOST_BYTES < len(data) <= DATA_BYTES_MAX and not data.startswith(self._me)

    async def _ask(self, pubsub: PubSub, asked: set[bytes]) -> None:
        """Let Redis know which channels we listen to."""
        while True:
            self._changed.clear()
            new, old = list(self._wanted - asked)[:BATCH_MAX], list(asked - self._wanted)[:BATCH_MAX]
            if new:
                await pubsub.subscribe(*new)
            if old:
                self._confirmed.difference_update(old)
                await pubsub.unsubscribe(*old)
            asked |= set(new)
            asked -= set(old)
            if not new and not old:
                await self._changed.wait()

    async def _send(self) -> None:
        while True:
            self._to_send.clear()
            batch = [self._outbox.popleft() for _ in range(min(BATCH_MAX, len(self._outbox)))]
            if not batch:
                await self._to_send.wait()
                continue
            pipeline = self._redis.pipeline(transaction=False)
            for channel, data in batch:
                pipeline.publish(channel, data)
            async with asyncio.timeout(CONNECT_S):
                await pipeline.execute()


def _client(url: str) -> tuple[Redis, tuple[type[Exception], ...]]:
    """A client, and the errors with which it fails."""
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
        from redis.exceptions import RedisError
    except ImportError:
        raise ConfigError(_("For --redis, install p2psync with it: pip install 'p2psync[rendezvous]'")) from None
    try:
        never = Retry(NoBackoff(), 0)  # `run` begins anew, and knows then that nothing was confirmed
        redis = Redis.from_url(url, socket_connect_timeout=CONNECT_S, socket_keepalive=True, retry=never)
        return redis, (RedisError, OSError, TimeoutError)
    except ValueError as error:
        raise ConfigError(_("{url!r} is no address of a Redis: {reason}").format(url=url, reason=error)) from error
