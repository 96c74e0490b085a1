"""`status`: all that a person wants to see at a glance; whether the daemon is there; and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from p2psync import __version__
from p2psync.core.authority import Member
from p2psync.core.ids import DeviceId, MandateId, device_text
from p2psync.core.moment import ms_of
from p2psync.core.problem import Code, Problem
from p2psync.core.rules import Role
from p2psync.core.schedule import Run
from p2psync.core.ways import DIRECT, PUNCHED
from p2psync.daemon.actions import HARMLESS, Asked, actions, needs_person
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.mandates import described
from p2psync.daemon.operations.monitoring import Seen, tasks
from p2psync.daemon.operations.running import Result
from p2psync.daemon.operations.runs import past
from p2psync.daemon.operations.shapes import find_mandates, time_text
from p2psync.daemon.programs.mastering import open_fields_of
from p2psync.daemon.programs.shelf import marked
from p2psync.daemon.programs.tally import Totals
from p2psync.daemon.standing import name_of
from p2psync.daemon.timetable import planned
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.peer import Peer
from p2psync.engine.scope import Now
from p2psync.pair.fingerprint import device_fingerprint

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

PROBLEMS_SHOWN_MAX = 200
RUNS_LOOKED_AT = 2
"""One may be under way."""
WELL = (Result.SUCCESS.value, Result.NOTHING_NEW.value)
"""How a run ends after which all is the same."""


async def status(node: Node, given: Arguments) -> object:
    named = given.text_or("mandate", "")
    given.done()
    several = await node.runtime.query(
        lambda device, _: [
            (marked(m, open_fields_of(m.authority)), (m.ledger.tips, m.replica.waiting()), tuple(m.authority.members))
            for m in find_mandates(device, named)
        ]
    )
    waiting = await asyncio.gather(*(node.tally.waiting(one, state) for one, state, _ in several))
    coming = await node.timetable.coming() if node.config.timetable else {}
    beside = {
        one.id: Beside(
            node.transfer.arrived(one.id),
            total,
            {member: node.discovery.next_attempt(member, one.id) for member in members},
            coming[one.id][1] if one.id in coming else None,
        )
        for (one, _, members), total in zip(several, waiting, strict=True)
    }
    return await node.runtime.query(lambda device, now: whole_status(node, device, now, named, beside))


async def ping(node: Node, given: Arguments) -> object:
    given.done()
    return {"version": __version__}


async def stop(node: Node, given: Arguments) -> object:
    given.done()
    node.ask_to_stop()
    return {"stopping": True}


class Beside(NamedTuple):
    """What is known of a mandate outside of the engine."""

    arrived: int = 0
    """Bytes that are here of files that are not whole."""
    waiting: Totals = Totals()
    """To be posted."""
    calls_s: Mapping[DeviceId, float | None] = {}
    """When each member would be tried to be reached next, by the monotonic clock; None if nobody knows where it is."""
    coming: Run | None = None
    """The next by the plan."""


def whole_status(
    node: Node, device: Device, now: Now, named: str, beside: Mapping[MandateId, Beside]
) -> dict[str, object]:
    own = device.keys.device
    return {
        "device": {
            "id": device_text(own),
            "name": device.name,
            "version": __version__,
            "fingerprint": device_fingerprint(own),
            "port": node.discovery.port,
            "mapped": node.discovery.mapping.address,
            "mdns_problem": node.discovery.mdns_problem,
            "limits": asdict(node.bandwidth.limits),
        },
        "rendezvous": [
            {
                "url": address.url,
                "connected": host.connected,
                "relay": host.relay,
                "problem": host.problem,
                "proxy": host.proxy,
                "next_attempt": _at(now, node.discovery.meeting.next_visit(address)),
            }
            for address, host in node.discovery.meeting.statuses()
        ],
        "mandates": [
            mandate_status(node, device, now, m, beside.get(m.id, Beside())) for m in find_mandates(device, named)
        ],
    }


def mandate_status(node: Node, device: Device, now: Now, mandate: Mandate, beside: Beside) -> dict[str, object]:
    files, size = mandate.state.live_totals()
    wanted_files, wanted_bytes = mandate.state.todo_totals()
    own_trouble = node.runtime.trouble
    problems = [*([own_trouble] if own_trouble is not None else []), *mandate.state.problems()]
    conflicts = len(device.admin(mandate.id).conflicts())
    seen, synced_ms = node.last_seen(mandate), node.records.last_ended(mandate.id, WELL)
    sessions = {one: _session(device, mandate, one) for one in mandate.authority.members if one != device.keys.device}
    to_send = mandate.arrears.behind_together({one: session.peer for one, session in sessions.items()})
    peers = [
        {
            **_peer_row(node, now, mandate, mandate.authority.members[one], session, seen),
            "next_attempt": _at(now, beside.calls_s.get(one)) if session.link is None else None,
        }
        for one, session in sessions.items()
    ]
    peers.sort(key=lambda p: (str(p["name"]).casefold(), str(p["device"])))
    asked = _asked(node, device, mandate, beside, conflicts, [p.code for p in problems])
    return {
        **described(mandate),
        "files": files,
        "bytes": size,
        "in_sync": mandate.is_in_sync and not (to_send.files and node.activity.rests.get(mandate.id)),
        "health": _health(mandate, asked, [p.code for p in problems], _is_alone(node, mandate, peers)),
        "actions": asked,
        "to_receive": {"files": wanted_files, "bytes": max(0, wanted_bytes - beside.arrived)},
        "to_send": {"files": to_send.files, "bytes": to_send.bytes},
        "conflicts": conflicts,
        "problems": len(problems),
        "pending": beside.waiting.lines,
        "pending_files": beside.waiting.files,
        "findings": beside.waiting.findings,
        "checks": list(beside.waiting.checks) if beside.waiting.checks is not None else None,
        "run": node.runs.under_way(mandate.id),
        "verifying": _verifying(node, mandate),
        "rests": _rests(node, mandate),
        "last_sync": time_text(synced_ms) if synced_ms is not None else None,
        "current_until": until.isoformat() if (until := mandate.authority.current_until) is not None else None,
        "current_note": mandate.authority.current_note or None,
        "frozen": [str(period) for period in sorted(mandate.authority.frozen)],
        "inbox": node.bridging.undelivered(mandate.id),
        "refused": _refused(node, now, mandate, peers),
        "peers": peers,
        "tasks": tasks(_seen(node, now, mandate, beside, peers, wanted_files)),
        "problem_list": [_problem_row(mandate, problem) for problem in problems[:PROBLEMS_SHOWN_MAX]],
    }


def _seen(
    node: Node, now: Now, mandate: Mandate, beside: Beside, peers: list[dict[str, object]], wanted_files: int
) -> Seen:
    """`wanted_files`: that are to come, with those that this disk refuses."""
    rests, replica = _rests(node, mandate), mandate.replica
    to_come = max(0, wanted_files - len(replica.plan.stuck))
    blocked = replica.plan.blocked.values()
    again_s = min(blocked) if blocked and len(blocked) >= wanted_files else None
    queued, coming = node.timetable.queued(mandate.id), beside.coming
    runs = node.records.runs([mandate.id], RUNS_LOOKED_AT, items=False)
    ended = (past(run, mandate.name, False) for run in runs if not node.runs.is_under_way(run.number))
    return Seen(
        peers=[] if mandate.is_removed else peers,
        rests=rests,
        run=node.runs.under_way(mandate.id),
        queued=None if queued is None else {"trigger": queued.trigger, "full": queued.full},
        last=next(ended, None),
        coming=None if coming is None or mandate.is_held else {**planned(coming), "next_attempt": _wall(coming.at)},
        to_receive=to_come,
        receive_at=_at(now, again_s),
        stuck=len(replica.stuck),
        stuck_until=_at(now, replica.stuck_until_s),
    )


def _at(now: Now, monotonic_s: float | None) -> str | None:
    """On the wall clock; what was due before is due now."""
    if monotonic_s is None:
        return None
    return time_text(now.wall_ms + max(0.0, monotonic_s - now.monotonic_s) * 1000)


def _wall(moment: datetime) -> str:
    return time_text(ms_of(moment))


def _refused(node: Node, now: Now, mandate: Mandate, peers: list[dict[str, object]]) -> list[dict[str, object]]:
    """While nobody is there: by whom this device is refused at known addresses, and what its clock says."""
    if any(peer["connected"] for peer in peers):
        return []
    reasons = node.discovery.refused_at(mandate.id, node.records.addresses(mandate.id))
    return [{"reason": reason, "clock": time_text(now.wall_ms)} for reason in reasons]


class _Session(NamedTuple):
    """How a member is reached just now; all None if it is not connected."""

    link: int | None
    way: str | None
    peer: Peer | None
    rests: bool = False
    """It is in reach, and exchanges nothing of this mandate just now, as this device would."""


def _session(device: Device, mandate: Mandate, member: DeviceId) -> _Session:
    links = device.links_to(member)
    for link, way in links:
        if link in mandate.peers:
            return _Session(link, way, mandate.peers[link])
    is_open = not (mandate.is_held or mandate.is_silent or mandate.is_removed)
    return _Session(None, None, None, is_open and bool(links))


def _problem_row(mandate: Mandate, problem: Problem) -> dict[str, object]:
    """Of a problem with a device, `detail` is what people call that device."""
    known = (*mandate.authority.members, *mandate.authority.former) if problem.detail and not problem.path else ()
    found = next((device for device in known if device_text(device) == problem.detail), None)
    return {
        "path": problem.path,
        "code": problem.code.value,
        "detail": problem.detail if found is None else name_of(mandate, found),
        "device": None if found is None else device_text(found),
    }


def _asked(
    node: Node, device: Device, mandate: Mandate, beside: Beside, conflicts: int, codes: list[Code]
) -> list[dict[str, object]]:
    own = device.keys.device
    newcomers = len(node.records.newcomers(mandate.id)) if mandate.authority.is_admin(own) else 0
    is_accounting = mandate.own_role is Role.ACCOUNTING
    to_post = (beside.waiting.lines or beside.waiting.files) if is_accounting else 0
    is_chartless = is_accounting and not beside.waiting.is_charted
    inbox = node.bridging.undelivered(mandate.id)
    return actions(Asked(mandate.is_stopped, conflicts, codes, newcomers, inbox, is_chartless, to_post))


def _is_alone(node: Node, mandate: Mandate, peers: list[dict[str, object]]) -> bool:
    """Nobody is there though somebody should be."""
    return bool(peers) and not any(p["connected"] for p in peers) and mandate.id not in node.activity.rests


def _health(mandate: Mandate, asked: list[dict[str, object]], codes: list[Code], alone: bool) -> str:
    if needs_person(asked):
        return "action"
    troubled = any(code not in HARMLESS for code in codes)
    return "ok" if mandate.is_in_sync and not troubled and not alone else "retrying"


def _peer_row(
    node: Node, now: Now, mandate: Mandate, member: Member, session: _Session, seen: dict[DeviceId, int]
) -> dict[str, object]:
    behind = mandate.arrears.behind(member.device, session.peer)
    last_ms = seen.get(member.device) if session.link is None else now.wall_ms
    rtt_ms = node.links.rtt_ms(session.link) if session.link is not None else None
    return {
        "device": device_text(member.device),
        "name": member.name,
        "person": member.person or None,
        "role": member.role.value,
        "connected": session.link is not None,
        "resting": session.rests,
        "path": shown_path(session.way),
        "way": session.way,
        "not_better": [
            {"way": way, "reason": reason}
            for way, reason in node.discovery.ways.why_not_better(member.device, session.way)
        ],
        "rtt_ms": round(rtt_ms, 1) if rtt_ms is not None else None,
        "behind_files": behind.files,
        "behind_bytes": behind.bytes,
        "last_seen": time_text(last_ms) if last_ms is not None else None,
    }


def _rests(node: Node, mandate: Mandate) -> dict[str, object] | None:
    """Why nothing is exchanged, and until when; None while it is."""
    rest = node.activity.rests.get(mandate.id)
    if rest is None:
        return None
    return {"why": rest.why, "until": _wall(rest.until) if rest.until is not None else None}


def _verifying(node: Node, mandate: Mandate) -> dict[str, int] | None:
    """How much `verify` has read in the folder; None where none goes on."""
    found = node.verifying.get(mandate.id)
    return None if found is None else {"files": found.files, "bytes": found.bytes}


def shown_path(way: str | None) -> str | None:
    """A punched connection is a direct one, however it came about."""
    return DIRECT if way == PUNCHED else way


OPERATIONS = {"status": status, "ping": ping, "stop": stop}
