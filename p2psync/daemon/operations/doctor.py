"""`doctor` while the daemon runs: what it knows of its network, hosts, members and folders, each judged."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from p2psync import __version__
from p2psync.checkup import Finding, Sign, State
from p2psync.core.ids import parse_mandate
from p2psync.daemon import examining
from p2psync.daemon.finding.places import hosts_among
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.result import DONE, PARTLY_DONE, OperationResult
from p2psync.daemon.operations.status import status

if TYPE_CHECKING:
    from p2psync.daemon.node import Node


async def doctor(node: Node, given: Arguments) -> object:
    given.done()
    now = cast(dict[str, Any], await status(node, Arguments({})))
    mandates = now["mandates"]
    found = [
        Finding(Sign.DAEMON_RUNS, facts={"version": __version__}),
        examining.of_system(),
        *await examining.of_hosts(node.discovery.meeting.statuses(), _named(node, mandates), node.discovery.proxies),
        *_of_this_pc(node, mandates),
        *[examining.of_member(one["name"], peer) for one in mandates for peer in one["peers"]],
        *await asyncio.to_thread(_of_folders, mandates),
    ]
    return answer(found)


def answer(found: list[Finding]) -> OperationResult:
    """All findings, and whether something is wrong."""
    failed = any(one.state is State.ERROR for one in found)
    return OperationResult([one.row for one in found], PARTLY_DONE if failed else DONE)


def _named(node: Node, mandates: list[dict[str, Any]]) -> list[Any]:
    met = [node.discovery.hosts(parse_mandate(one["id"])) for one in mandates]
    return [*hosts_among(node.config.rendezvous), *(host for several in met for host in several)]


def _of_this_pc(node: Node, mandates: list[dict[str, Any]]) -> list[Finding]:
    port = node.discovery.port
    found = [examining.of_network(port, node.discovery.own_addresses() if port else ())]
    if any(one["state"] == "shared" for one in mandates):
        found.append(examining.of_mdns(node.config.mdns, node.discovery.mdns_problem))
    return found


def _of_folders(mandates: list[dict[str, Any]]) -> list[Finding]:
    """A problem that is seen on the disk just now is told once."""
    found = examining.of_folders([(one["name"], Path(one["folder"])) for one in mandates if one["folder"]])
    seen = {(one.about, one.facts.get("code")) for one in found}
    known = [
        examining.of_problem(one["name"], row) for one in mandates for row in one["problem_list"] if not row["path"]
    ]
    return found + [one for one in known if (one.about, one.facts["code"]) not in seen]


OPERATIONS = {"doctor": doctor}
