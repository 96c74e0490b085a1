"""A user's own command hears of each mark once, gets facts and no secrets, and its failure is told."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from p2psync.daemon.programs import hooks as module
from p2psync.daemon.programs.hooks import HOOKS_FILE, ON_MARK_CURRENT, _told, command
from p2psync.engine.device import Device
from p2psync.engine.scope import Now
from p2psync.errors import ConfigError, StoreError
from tests.daemon.homes import MANDATE, Pc, company, pcs
from tests.daemon.patience import until

WRITE = "import os, sys; open(sys.argv[1], 'a').write(sys.stdin.read() + os.environ.get('P2PSYNC_PROXY', '') + '\\n')"
HANG = "import sys, time; print('begun', end='', flush=True, file=open(sys.argv[1], 'a')); time.sleep(600)"


def set_hook(home: Path, *words: str) -> Path:
    home.mkdir(exist_ok=True)
    file = home / HOOKS_FILE
    file.write_text(json.dumps({ON_MARK_CURRENT: words}))
    file.chmod(0o600)
    return file


async def mark(pc: Pc, day: str, note: str = "") -> None:
    await pc.call("period.current", mandate=MANDATE, until=day, note=note)


async def has_noted(pc: Pc, day: str) -> None:
    def last(device: Device, _: Now) -> list[object]:
        (mandate,) = device.mandates.values()
        key, is_running = _told(mandate)
        return [*key[:1], is_running]

    async def noted() -> bool:
        return await pc.running.runtime.query(last) == [day, False]

    await until(noted, f"{pc.name} has noted {day}, and no command runs")


async def fails(pc: Pc, reason: str) -> None:
    async def told() -> bool:
        status = await pc.status()
        details = [one["detail"] for one in status["problem_list"] if one["code"] == "hook-failed"]
        return len(details) == 1 and reason in details[0] and status["health"] == "action"

    await until(told, reason)


@pytest.mark.asyncio
async def test_each_mark_runs_it_once_with_the_facts_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "told"

    def lines() -> list[Any]:
        return [json.loads(line) for line in out.read_text("utf-8").splitlines()] if out.exists() else []

    async with company(tmp_path, "payroll") as (one, two):
        await mark(one, "2025-03-31")
        await has_noted(two, "2025-03-31")
        set_hook(two.config.home, sys.executable, "-c", WRITE, str(out))
        monkeypatch.setenv("P2PSYNC_PROXY", "http://user:secret@proxy:8080")
        await mark(one, "2025-06-30", "VAT return sent")
        await until(lambda: len(lines()) == 1, "the command ran")
        (said,) = lines()
        expected = {"event": ON_MARK_CURRENT, "mandate": MANDATE, "until": "2025-06-30", "device": one.device}
        expected["note"] = "VAT return sent"
        assert {name: said[name] for name in expected} == expected
        assert (said["name"], said["own"]) == ("pc1", False)
        await has_noted(two, "2025-06-30")
        await two.stop()
        monkeypatch.delenv("P2PSYNC_PROXY")
        await two.start()
        await mark(one, "2025-07-31")
        await until(lambda: len(lines()) == 2, "the command ran again")
        assert [line["until"] for line in lines()] == ["2025-06-30", "2025-07-31"], "a restart told nothing twice"
        assert (await two.status())["problem_list"] == []


@pytest.mark.asyncio
async def test_a_failure_is_told_until_somebody_has_looked_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with company(tmp_path) as (one,):
        file = set_hook(one.config.home, sys.executable, "-c", "raise SystemExit(3)")
        await mark(one, "2025-01-31")
        await fails(one, "exit code 3")
        assert "hook.failed" in (one.config.home / "p2psync.log").read_text("utf-8")
        assert (await one.call("seen", mandate=MANDATE))["seen"] == 1
        assert (await one.status())["problem_list"] == []
        set_hook(one.config.home, str(tmp_path / "nowhere"))
        await mark(one, "2025-02-28")
        await fails(one, "cannot be started")
        await one.call("seen", mandate=MANDATE)
        file.write_text("[]")
        await mark(one, "2025-03-31")
        await fails(one, "cannot be read")
        await one.call("seen", mandate=MANDATE)
        monkeypatch.setattr(module, "LIMIT_S", 0.3)
        set_hook(one.config.home, sys.executable, "-c", HANG, str(tmp_path / "begun"))
        await mark(one, "2025-04-30")
        await fails(one, "did not end within")


@pytest.mark.asyncio
async def test_what_p2psync_cut_off_is_told_and_not_run_again(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    async with company(tmp_path) as (one,):
        set_hook(one.config.home, sys.executable, "-c", HANG, str(begun))
        await mark(one, "2025-01-31")
        await until(lambda: begun.exists() and begun.read_text() == "begun", "it runs")
        assert (await one.status())["current_until"] == "2025-01-31", "nothing waits for it"
        await one.stop()
        await one.start()
        await fails(one, "p2psync ended before it did")
        await mark(one, "2025-02-28")
        await until(lambda: len(begun.read_text()) > len("begun"), "the next mark runs it")
        assert begun.read_text() == "begunbegun", "the first one did not run it again"


def test_what_others_could_write_is_not_run(tmp_path: Path) -> None:
    assert command(tmp_path) is None
    file = set_hook(tmp_path, "/bin/true", "-x")
    assert command(tmp_path) == ("/bin/true", "-x")
    if os.name == "posix":
        file.chmod(0o620)
        with pytest.raises(ConfigError, match="other users"):
            command(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"on_mark_current": []}', '{"on_mark_current": "rm -r x"}'])
def test_what_is_no_list_of_words_is_not_run(tmp_path: Path, text: str) -> None:
    set_hook(tmp_path, "x").write_text(text)
    with pytest.raises(ConfigError, match="cannot be read"):
        command(tmp_path)


@pytest.mark.asyncio
async def test_what_cannot_be_noted_is_noted_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()

        def cut_off(device: Device, _: Now) -> None:
            (mandate,) = device.mandates.values()
            mandate.state.put(module.SETTING, [["2025-01-31", b"", 0], True])

        await pc.running.runtime.call(cut_off)
        runtime, full = pc.running.runtime, [StoreError("the disk is full")] * 5
        call = runtime.call

        async def fail_first(act: Callable[[Device, Now], None]) -> None:
            if full:
                raise full.pop()
            await call(act)

        monkeypatch.setattr(runtime, "call", fail_first)
        async with asyncio.TaskGroup() as group:
            kept = group.create_task(module.Hooks(pc.config.home, runtime, pc.running.log).keep())
            await fails(pc, "ended before it did")
            assert not full
            kept.cancel()
