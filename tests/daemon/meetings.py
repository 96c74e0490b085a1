"""Devices in one process that can reach each other by a meeting host alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from p2psync.daemon.finding.relaying import Relay
from p2psync.daemon.finding.wayfinding import Wayfinder
from p2psync.pair.ticket import encode, parse
from p2psync.rendezvous import certificate
from p2psync.rendezvous.server import Server
from tests.daemon.homes import Pc, pcs
from tests.rendezvous.hosting import address_of, hosting


@asynccontextmanager
async def meeting_host(root: Path, **changes: Any) -> AsyncIterator[Server]:
    """A meeting host on loopback."""
    async with hosting(certificate.own(root / "host"), **changes) as server:
        yield server


async def invite_from_afar(pc: Pc, role: str = "payroll", **arguments: object) -> str:
    """A ticket whose holder cannot reach the inviter directly."""
    return encode(replace(parse(await pc.invite(role, **arguments)), addresses=()))


@asynccontextmanager
async def far_company(root: Path, server: Server, *roles: str) -> AsyncIterator[list[Pc]]:
    """Devices that share one mandate and have the host's relay only; the joiners learn of the host by their tickets."""
    names = [f"pc{number}" for number in range(1, len(roles) + 2)]
    named = (str(address_of(server)),)
    async with relayed(), pcs(root, *names[:1], rendezvous=named) as (first,), pcs(root, *names[1:]) as others:
        await first.create()
        for pc, role in zip(others, roles, strict=True):
            await pc.join(await invite_from_afar(first, role))
        await first.in_sync(len(others))
        yield [first, *others]


@asynccontextmanager
async def relayed() -> AsyncIterator[None]:
    """On loopback every way is open: all but the relay are left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wayfinder, "_plugged", lambda _self: (Relay(),))
        yield
