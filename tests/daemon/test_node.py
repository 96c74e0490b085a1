"""Whole devices on loopback: what is saved on one is on the others, whatever happens in between."""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.core.ids import DeviceId, MandateId
from p2psync.daemon.config import DETAILED, Config
from p2psync.daemon.linking.links import Links
from p2psync.daemon.node import EARLY_MAX, Node
from p2psync.engine import mandate, pace
from p2psync.engine.device import Device
from p2psync.engine.effects import PeerJoined
from p2psync.engine.events import Event, Observed
from p2psync.errors import HomeInUse
from p2psync.fs import sight
from p2psync.fs.observer import Observer
from p2psync.wire.messages import Request, Response, What
from tests.daemon.homes import company, pcs
from tests.daemon.patience import until


@pytest.mark.asyncio
async def test_what_is_saved_on_one_is_on_the_other_in_both_directions(tmp_path: Path) -> None:
    async with pcs(tmp_path, "office", "home") as (office, home):
        office.folder.mkdir()
        office.save("before.crp", "chart\r\nENDOFFILE\r\n")
        await office.create(role="accounting")
        joined = await home.join(await office.invite("payroll"))
        assert (joined["mandate"], joined["role"]) == ("Cargo", "payroll")
        await home.has("before.crp", "chart\r\nENDOFFILE\r\n")
        office.save("sub/letter.txt", "from the office")
        await home.has("sub/letter.txt", "from the office")
        home.save("answer.txt", "from home")
        await office.has("answer.txt", "from home")
        home.save("sub/letter.txt", "corrected at home")
        await office.has("sub/letter.txt", "corrected at home")
        (office.folder / "answer.txt").unlink()
        await home.has("answer.txt", None)
        await office.in_sync(1)
        await home.in_sync(1)
        assert office.files() == home.files()


@pytest.mark.asyncio
async def test_what_was_saved_while_the_other_was_off_comes_when_it_is_back(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        await two.stop()
        one.save("while-away.txt", "one")
        (two.folder / "offline.txt").write_bytes(b"two")
        await one.in_sync(0)
        await two.start()
        await two.has("while-away.txt", "one")
        await one.has("offline.txt", "two")
        await one.stop()
        two.save("other-way.txt", "two")
        await one.start()
        await one.has("other-way.txt", "two")


@pytest.mark.asyncio
async def test_three_devices_pass_on_what_they_have(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll", "invoicing") as (one, two, three):
        two.save("a.txt", "by two")
        await three.has("a.txt", "by two")
        await two.stop()
        three.save("b.txt", "by three")
        await one.has("b.txt", "by three")
        await three.stop()
        await two.start()
        await two.has("b.txt", "by three")


@pytest.mark.asyncio
async def test_cut_cables_are_got_over(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        for number in range(3):
            one.cut()
            one.save(f"{number}.txt", "from one")
            two.save(f"{number}-back.txt", "from two")
            await two.has(f"{number}.txt", "from one")
            await one.has(f"{number}-back.txt", "from two")
        await one.in_sync(1)


@pytest.mark.asyncio
async def test_what_is_asked_before_a_session_is_open_is_answered_when_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        node, asked = pc.running, list[tuple[int, Request | Response]]()
        monkeypatch.setattr(node.transfer, "on_message", lambda link, message: asked.append((link, message)))
        mandate, other = MandateId(b"m" * 16), MandateId(b"o" * 16)
        early, late, lost = (Request(mandate, number, What.CONTENT, ()) for number in range(3))
        node._on_content(1, early)
        node._on_content(1, Request(other, 0, What.CONTENT, ()))
        node._on_content(2, lost)
        assert asked == []
        node._forget_link(2)
        for link in (1, 2):
            node.perform([PeerJoined(link, mandate, DeviceId(b"d" * 32))])
        node._on_content(1, late)
        assert asked == [(1, early), (1, late)]
        for number in range(2 * EARLY_MAX):
            node._on_content(3, Request(mandate, number, What.CONTENT, ()))
        assert len(node._early[3]) == EARLY_MAX


@pytest.mark.asyncio
@pytest.mark.parametrize("is_near", [True, False])
async def test_very_many_files_are_told_of_as_quickly_as_the_other_places_them_if_it_is_near(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_near: bool
) -> None:
    held: list[bool] = []
    real_hold = Observer.hold_back

    def hold_back(self: Observer, is_held: bool) -> None:
        held.append(is_held)
        real_hold(self, is_held)

    monkeypatch.setattr(Observer, "hold_back", hold_back)
    monkeypatch.setattr(Links, "is_near", lambda *_: is_near)
    monkeypatch.setattr(sight, "SIGHT_PATHS_MAX", 20)
    monkeypatch.setattr(mandate, "PROGRESS_PATHS", 20)
    monkeypatch.setattr(pace, "AHEAD_MAX", 20)
    async with company(tmp_path, "payroll") as (one, two):
        aside = tmp_path / "many"
        aside.mkdir()
        for number in range(600):
            (aside / str(number)).write_text(f"{number}")
        aside.rename(one.folder / "many")
        await until(lambda: two.files() == one.files())
        await until(lambda: len(held) > 1 and not held[-1])
        assert held[:2] == [is_near, False]


@pytest.mark.asyncio
async def test_a_fault_of_the_engine_costs_a_moment_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        route, faults = Device._route, [ZeroDivisionError("ours")]

        def route_or_fail(device: Device, event: Event) -> None:
            if isinstance(event, Observed) and event.seen and device.name == "pc1" and faults:
                raise faults.pop()
            route(device, event)

        monkeypatch.setattr(Device, "_route", route_or_fail)
        one.save("a.txt", "saved in the moment of the fault")
        await two.has("a.txt", "saved in the moment of the fault")
        two.save("b.txt", "afterwards")
        await one.has("b.txt", "afterwards")
        await one.in_sync(1)
        assert faults == []
        assert one.running.broken_by is None


@pytest.mark.asyncio
async def test_both_edited_the_same_file_while_apart(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        one.save("chart.crp", "first\r\nENDOFFILE\r\n")
        await two.has("chart.crp", "first\r\nENDOFFILE\r\n")
        await two.stop()
        one.save("chart.crp", "by accounting\r\nENDOFFILE\r\n")
        (two.folder / "chart.crp").write_bytes(b"by payroll\r\nENDOFFILE\r\n")
        await one.in_sync(0)
        await two.start()
        await two.has("chart.crp", "by accounting\r\nENDOFFILE\r\n")
        await one.in_sync(1)
        assert one.read("chart.crp") == b"by accounting\r\nENDOFFILE\r\n"
        assert [(await pc.status())["conflicts"] for pc in (one, two)] == [1, 1]


@pytest.mark.asyncio
async def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    async with company(tmp_path, "reader") as (one, reader):
        one.save("report.txt", "as it is")
        await reader.has("report.txt", "as it is")
        reader.save("report.txt", "as the reader wants it")
        await reader.has("report.txt", "as it is")
        status = await reader.status()
        assert [(p["path"], p["code"]) for p in status["problem_list"]] == [("report.txt", "edit-refused")]
        assert one.read("report.txt") == b"as it is"


@pytest.mark.asyncio
async def test_a_revoked_device_gets_nothing_more(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll", "payroll") as (one, two, three):
        await one.call("devices.revoke", mandate="Cargo", device=two.device)
        one.save("secret.txt", "for members")
        await three.has("secret.txt", "for members")
        await one.in_sync(1)
        assert two.read("secret.txt") is None
        states = {row["name"]: row["state"] for row in await three.call("devices", mandate="Cargo")}
        assert states == {"pc1": "member", "pc2": "revoked", "pc3": "member"}


@pytest.mark.asyncio
async def test_nothing_is_shared_so_no_socket_is_open(tmp_path: Path) -> None:
    async with pcs(tmp_path, "alone") as (pc,):
        await pc.call("mandate.create", name="Cargo", folder=str(pc.folder))
        assert pc.running.discovery.port == 0
        await pc.call("share", mandate="Cargo")
        assert pc.running.discovery.port > 0


@pytest.mark.asyncio
async def test_one_daemon_a_home(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        with pytest.raises(HomeInUse):
            await Node.start(pc.config)
        await pc.stop()
        await pc.start()


@pytest.mark.asyncio
async def test_stopping_is_quick(tmp_path: Path) -> None:
    async with company(tmp_path, "payroll") as (one, two):
        begun_s = time.monotonic()
        await one.stop()
        assert time.monotonic() - begun_s < 5
        assert two.node is not None


@pytest.mark.asyncio
async def test_a_device_at_rest_lets_go_of_what_it_has_read(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        node, said = pc.running, list[str]()
        node.database.connection.set_trace_callback(said.append)
        await node.let_go()
        assert said == ["PRAGMA shrink_memory"]
        await pc.stop()
        await node.let_go()


@pytest.mark.asyncio
async def test_a_name_once_given_holds_until_another_is_given(tmp_path: Path) -> None:
    async def name(given: str = "") -> str:
        node = await Node.start(Config(home=tmp_path, name=given, mdns=False, api=False))
        try:
            return str((await node.operations.call("status", {})).data["device"]["name"])  # type: ignore[index]
        finally:
            await node.stop()

    assert await name() == socket.gethostname()
    assert await name("Office") == "Office"
    assert await name() == "Office"
    assert await name("Home") == "Home"


@pytest.mark.asyncio
async def test_a_detailed_log_names_the_files_that_were_moved(tmp_path: Path) -> None:
    async with pcs(tmp_path, "office", "home") as (office, home):
        await home.stop()
        home.config = replace(home.config, log=DETAILED)
        await home.start()
        await office.create()
        await home.join(await office.invite("payroll"))
        office.save("a b.txt", "four")
        await home.has("a b.txt", "four")
        logs = [(pc.config.home / "p2psync.log").read_text("utf-8") for pc in (office, home)]
        assert ["detail." in log for log in logs] == [False, True]
        assert 'path="a b.txt" kind=file size=4' in logs[1]
        assert "detail.send link=" in logs[1]
