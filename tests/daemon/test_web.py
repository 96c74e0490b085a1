"""The HTTP interface of a node: told in a private file while it serves, gone afterwards."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession

from p2psync.daemon.config import LOOPBACK, Endpoint
from p2psync.errors import ConfigError
from tests.daemon.homes import Pc, pcs


@pytest.mark.asyncio
async def test_the_running_daemon_says_where_it_is_and_answers_there(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc", api=True) as (pc,):
        said = json.loads((pc.config.home / "daemon.json").read_text())
        assert said["pid"] == os.getpid()
        if os.name == "posix":
            assert (pc.config.home / "daemon.json").stat().st_mode & 0o077 == 0
        headers = {"Authorization": f"Bearer {said['token']}"}
        async with ClientSession(f"http://{said['address']}", headers=headers) as session:
            async with session.get("/api/status") as answer:
                assert (await answer.json())["device"]["name"] == "pc"
            async with session.post("/api/mandate/create", json={"name": "Cargo", "folder": str(pc.folder)}) as answer:
                assert (await answer.json())["state"] == "local"
            async with session.post("/api/mandate/create", json={"name": "Cargo", "folder": str(pc.folder)}) as answer:
                assert answer.status != 200
                assert "already" in (await answer.json())["error"]
        await pc.stop()
        assert not (pc.config.home / "daemon.json").exists()


@pytest.mark.asyncio
async def test_what_happens_is_told_to_whoever_listens(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc", api=True) as (pc,):
        said = json.loads((pc.config.home / "daemon.json").read_text())
        headers = {"Authorization": f"Bearer {said['token']}"}
        async with (
            ClientSession(f"http://{said['address']}", headers=headers) as session,
            session.get("/api/events") as events,
        ):
            pc.running.log.event("edit.refused", path="a.crp")
            async for line in events.content:
                if b"edit.refused" in line:
                    assert b'"path": "a.crp"' in line
                    break


@pytest.mark.asyncio
async def test_no_page_still_serves_the_command_line(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc", api=True, web=None) as (pc,):
        said = json.loads((pc.config.home / "daemon.json").read_text())
        async with ClientSession(f"http://{said['address']}") as session:
            async with session.get("/", allow_redirects=False) as answer:
                assert answer.status >= 400
            headers = {"Authorization": f"Bearer {said['token']}"}
            async with session.get("/api/status", headers=headers) as answer:
                assert answer.status == 200


@pytest.mark.asyncio
async def test_an_address_that_is_taken_is_an_error_and_leaves_nothing_running(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        pc = Pc(tmp_path, "pc", api=True, web=Endpoint(LOOPBACK, taken.getsockname()[1]))
        with pytest.raises(ConfigError, match="Cannot serve"):
            await pc.start()
        assert not (pc.config.home / "daemon.json").exists()
    await pc.start()
    await pc.stop()


def test_what_serves_is_imported_by_load_alone() -> None:
    code = """
import sys, p2psync.daemon.node
from p2psync.daemon import web
print("aiohttp" in sys.modules)
web.load()
print("aiohttp" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\nTrue\n"
