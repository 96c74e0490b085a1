"""A port is asked for while somebody far away may call, kept, told, and given back."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from p2psync.daemon.finding import port_mapping
from p2psync.daemon.finding.port_mapping import LEASE_S, PortMapping
from p2psync.daemon.logs import EventLog
from p2psync.errors import LinkError
from p2psync.net import igd
from tests.daemon.patience import until


class Gateway:
    """A router without a network."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.refuses = False
        self.searches: list[list[str]] = []

    async def find(self, own: list[str]) -> Gateway:
        self.searches.append(own)
        return self

    async def open(self, port: int, lease_s: int) -> tuple[str, int]:
        assert lease_s == LEASE_S
        if self.refuses:
            raise LinkError("no")
        self.heard.append(("open", port))
        return "45.77.10.9", port + 1

    async def close(self) -> None:
        self.heard.append(("close", 0))
        if self.refuses:
            await asyncio.Event().wait()


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    made = Gateway()
    monkeypatch.setattr(igd, "find", made.find)
    monkeypatch.setattr(port_mapping, "RETRY_S", 0.01)
    monkeypatch.setattr(port_mapping, "CLOSE_S", 0.05)
    return made


@contextlib.asynccontextmanager
async def kept(tmp_path: Path, *own: str, port: int = 4711) -> AsyncIterator[tuple[PortMapping, list[str | None]]]:
    told: list[str | None] = []
    log = EventLog(tmp_path)
    mapping = PortMapping(lambda: own, lambda: port, lambda: told.append(mapping.address), log)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(mapping.keep())
        try:
            yield mapping, told
        finally:
            task.cancel()
    log.close()


@pytest.mark.asyncio
async def test_it_is_open_while_it_is_wanted(tmp_path: Path, gateway: Gateway) -> None:
    async with kept(tmp_path, "192.168.1.5", "fe80::1", "127.0.0.1") as (mapping, told):
        for _ in range(2):
            mapping.want(True)
            await until(lambda: mapping.address == "45.77.10.9:4712")
            mapping.want(False)
            await until(lambda: mapping.address is None)
        mapping.want(True)
        await until(lambda: mapping.address)
    assert told == ["45.77.10.9:4712", None] * 3
    assert gateway.heard == [("open", 4711), ("close", 0)] * 3
    assert gateway.searches == [["192.168.1.5"]] * 3


@pytest.mark.asyncio
async def test_it_is_kept_open(tmp_path: Path, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_mapping, "RENEW_S", 0.01)
    async with kept(tmp_path, "192.168.1.5") as (mapping, told):
        mapping.want(True)
        await until(lambda: gateway.heard.count(("open", 4711)) > 3)
        assert told == ["45.77.10.9:4712"]
        gateway.refuses = True
        await until(lambda: mapping.address is None)
        await until(lambda: len(gateway.searches) > 2)
        gateway.refuses = False
        await until(lambda: mapping.address)


@pytest.mark.asyncio
async def test_in_another_network_it_is_asked_for_again(tmp_path: Path, gateway: Gateway) -> None:
    async with kept(tmp_path, "192.168.1.5") as (mapping, told):
        mapping.want(True)
        await until(lambda: mapping.address)
        mapping.network_changed()
        await until(lambda: len(told) == 3)
        assert gateway.heard == [("open", 4711), ("close", 0), ("open", 4711)]


@pytest.mark.asyncio
async def test_nobody_is_asked_where_there_is_nothing_to_open(tmp_path: Path, gateway: Gateway) -> None:
    for own, port in ((("45.77.10.1", "2a00::1", "127.0.0.1", "169.254.1.1"), 4711), (("192.168.1.5",), 0)):
        async with kept(tmp_path, *own, port=port) as (mapping, told):
            mapping.want(True)
            assert await mapping._find() is None
            assert (gateway.searches, told) == ([], [])


def test_the_library_is_loaded_when_it_is_wanted() -> None:

    code = "import sys, p2psync.daemon.node; assert not any('upnp' in name or 'socks' in name for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
