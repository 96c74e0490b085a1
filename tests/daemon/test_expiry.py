"""What nobody comes for is given up, and what somebody uses is not."""

from __future__ import annotations

import asyncio

import pytest

from p2psync.daemon.expiry import Expiry
from tests.daemon.patience import until

LONG_S = 1000.0


@pytest.mark.asyncio
async def test_what_nobody_uses_is_given_up_once() -> None:
    given: list[str] = []
    expiry: Expiry[str] = Expiry(given.append)
    expiry.begin("a", 0.0)
    expiry.begin("b", LONG_S)
    assert "a" in expiry
    await until(lambda: given == ["a"], "a is given up")
    assert "a" not in expiry
    assert "b" in expiry
    expiry.close()


@pytest.mark.asyncio
async def test_what_is_used_is_waited_for_once_more() -> None:
    given: list[str] = []
    expiry: Expiry[str] = Expiry(given.append)
    expiry.used("a")
    expiry.begin("a", LONG_S)
    expiry.used("a")
    expiry._due("a", LONG_S)
    assert (given, "a" in expiry) == ([], True)
    expiry._due("a", LONG_S)
    assert (given, "a" in expiry) == (["a"], False)
    expiry.begin("a", LONG_S)
    expiry._due("a", LONG_S)
    assert given == ["a", "a"], "the use before it began anew does not count"


@pytest.mark.asyncio
async def test_what_ended_is_not_given_up() -> None:
    given: list[str] = []
    expiry: Expiry[str] = Expiry(given.append)
    expiry.begin("a", 0.0)
    expiry.begin("b", 0.0)
    expiry.end("a")
    expiry.end("never begun")
    expiry.close()
    later: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.0, later.set_result, None)
    await later
    assert given == []
