"""Owners of background work: all of it ends when they do, and what fails is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

CANCEL_AGAIN_S: Final = 0.25

Expected = type[Exception] | tuple[type[Exception], ...]


class Crew:
    """A task group that no failing task brings down; `close` cancels and awaits everything."""

    def __init__(self, on_failure: Callable[[str, Exception], None]) -> None:
        """`on_failure` gets the name of the work, and what went wrong."""
        self._on_failure = on_failure
        self._group = asyncio.TaskGroup()
        self._running: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        await self._group.__aenter__()

    def start(self, work: Coroutine[Any, Any, object], name: str) -> asyncio.Task[None]:
        task = self._group.create_task(self._guarded(work, name), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: work.close())  # one that was cancelled before it began
        return task

    async def close(self) -> None:
        while pending := [task for task in self._running if not task.done()]:  # a done one leaves a moment later
            await cancelled(pending)
        await self._group.__aexit__(None, None, None)

    async def _guarded(self, work: Coroutine[Any, Any, object], name: str) -> None:
        try:
            await work
        except Exception as error:
            self._on_failure(name, error)


async def until_one_ends(expected: Expected, *works: Coroutine[Any, Any, None]) -> None:
    """Do all of these at once until one of them ends, by itself or by an `expected` error, which is raised here."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_ending(work, expected)) for work in works]
        try:
            done, _rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancelled(tasks)
    for error in [task.result() for task in done]:
        if error is not None:
            raise error


async def pause(every_s: float) -> None:
    """Until the next of the moments for which all wait that pause for so long: a hundred folders at rest wake a process
    once, not a hundred times. A first pause is shorter than those that follow.
    """
    await asyncio.sleep(every_s - asyncio.get_running_loop().time() % every_s)


async def cancelled(tasks: Iterable[asyncio.Task[Any]], again_s: float = CANCEL_AGAIN_S) -> None:
    """When all have ended. They are cancelled more than once, as Python may swallow a cancellation: `wait_for` of 3.11
    does, and up to 3.12 a TaskGroup of which a task fails just then.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _done, pending = await asyncio.wait(pending, timeout=again_s)


async def _ending(work: Coroutine[Any, Any, None], expected: Expected) -> Exception | None:
    """An expected error as a value: raised in a task group, it would come out in a group of its own."""
    try:
        await work
    except expected as error:
        return error
    return None
