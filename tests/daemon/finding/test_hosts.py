"""Meeting hosts hold until others are named, and an admin's are told to all members."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from p2psync.daemon.finding.hosts import HOSTS_MAX, hosts_of
from p2psync.errors import ConfigError
from p2psync.rendezvous.protocol.address import HostAddress, parse_address
from tests.daemon.homes import company, pcs
from tests.daemon.patience import until

HOST, OTHER = "wss://127.0.0.1:9", "wss://127.0.0.1:10"


@pytest.mark.asyncio
async def test_members_learn_of_a_host_that_is_named_later(tmp_path: Path) -> None:
    """They met in the office; now one of them takes its PC home."""
    async with company(tmp_path, "payroll") as (one, two):
        for named in ((HOST, OTHER), (OTHER,)):
            await one.stop()
            one.config = replace(one.config, rendezvous=named)
            await one.start()
            await one.in_sync(1)
            expected = tuple(sorted(map(parse_address, named), key=str))
            await until(lambda expected=expected: hosts_at(two) == expected, "two knows of them")  # type: ignore[misc]
        rows = (await two.call("status"))["rendezvous"]
        assert [row["url"] for row in rows] == [OTHER]


@pytest.mark.asyncio
async def test_hosts_hold_until_others_are_named(tmp_path: Path) -> None:
    for given, holds in (((HOST,), (HOST,)), ((), (HOST,)), (("off",), ()), ((), ())):
        async with pcs(tmp_path, "pc", rendezvous=given) as (pc,):
            assert pc.running.config.rendezvous == holds
            assert (await pc.call("status"))["rendezvous"] == [], "nobody is to be met"
    with pytest.raises(ConfigError, match="meeting host"):
        async with pcs(tmp_path, "pc", rendezvous=("no host",)):
            pass


def test_what_an_admin_wrote_may_be_anything() -> None:
    said = ("gopher://", *(f"wss://h{number}.example" for number in range(20)))
    mandate: Any = SimpleNamespace(authority=SimpleNamespace(hosts=said))
    found = hosts_of(mandate, ["wss://own.example"], ["10.0.0.1:5", "wss://ticket.example"])
    assert found[:2] == (HostAddress("own.example"), HostAddress("h0.example"))
    assert len(found) == HOSTS_MAX


def hosts_at(pc: Any) -> tuple[HostAddress, ...]:
    (mandate,) = pc.running.discovery._shared
    found: tuple[HostAddress, ...] = pc.running.discovery.hosts(mandate)
    return tuple(sorted(found, key=str))
