"""What goes on in a mandate, and what will by itself: as tasks, each with its state and its next attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from p2psync.core.value import value
from p2psync.daemon.operations.running import Result

Row = Mapping[str, Any]


class State(StrEnum):
    """The values are part of the interface."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    """For those that `waiting_for` names."""
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"


class Kind(StrEnum):
    """What a task does. The values are part of the interface."""

    RUN = "run"
    RECEIVE = "receive"
    SEND = "send"
    CONNECT = "connect"
    PLACE = "place"
    """What this disk refused, or what nobody could give, is tried again."""


@value
class Seen:
    """One look at a mandate. Times are texts of RFC 3339."""

    peers: Sequence[Row] = ()
    """The other members: `name`, `connected`, `behind_files`, `next_attempt`."""
    rests: Row | None = None
    """`until` when nothing is exchanged."""
    run: Row | None = None
    """The one under way: `trigger`, `full`, `started`."""
    queued: Row | None = None
    """One that waits for its turn: `trigger`, `full`."""
    last: Row | None = None
    """The newest that ended: `result`, `trigger`, `full`, `ended`, `message`."""
    coming: Row | None = None
    """The next by the plan: `trigger`, `full`, `next_attempt`."""
    to_receive: int = 0
    """Files, beside those that are stuck."""
    receive_at: str | None = None
    """When what nobody could give is asked for again; None unless this holds for all that is to come."""
    stuck: int = 0
    """Files."""
    stuck_until: str | None = None


_ENDED = {
    Result.NOTHING_NEW.value: State.DONE,
    Result.SUCCESS.value: State.DONE,
    Result.PARTIAL.value: State.PARTIAL,
}
_NONE: Row = {
    **{"device": None, "files": None, "trigger": None, "full": False, "time": None},
    **{"waiting_for": [], "next_attempt": None, "message": ""},
}


def tasks(seen: Seen) -> list[dict[str, Any]]:
    """What goes on first, then what comes, then how the last run ended."""
    exchange = [*_receiving(seen), *_sending(seen)]
    return [*_under_way(seen), *exchange, *_placing(seen), *_coming(seen), *_ended(seen)]


def _task(kind: Kind, state: State, **facts: object) -> dict[str, Any]:
    return {"task": kind.value, "state": state.value, **_NONE, **facts}


def _absent(seen: Seen) -> list[str]:
    """Everybody, if nobody is there."""
    names = [peer["name"] for peer in seen.peers]
    return [] if any(peer["connected"] for peer in seen.peers) else names


def _soonest(seen: Seen) -> str | None:
    """When one of those that are not there is tried to be reached."""
    times = (peer["next_attempt"] for peer in seen.peers if not peer["connected"])
    return min((at for at in times if at is not None), default=None)


def _why(run: Row) -> dict[str, Any]:
    return {"trigger": run["trigger"], "full": run["full"]}


def _under_way(seen: Seen) -> list[dict[str, Any]]:
    rows = []
    if seen.run is not None:
        absent = _absent(seen)
        state = State.WAITING if absent else State.RUNNING
        next_attempt = _soonest(seen) if absent else None
        facts = {"time": seen.run["started"], "waiting_for": absent, "next_attempt": next_attempt}
        rows.append(_task(Kind.RUN, state, **_why(seen.run), **facts))
    if seen.queued is not None:
        rows.append(_task(Kind.RUN, State.QUEUED, **_why(seen.queued)))
    return rows


def _receiving(seen: Seen) -> list[dict[str, Any]]:
    if not seen.to_receive:
        return []
    if seen.rests is not None:
        return [_task(Kind.RECEIVE, State.QUEUED, files=seen.to_receive, next_attempt=seen.rests["until"])]
    absent, again = _absent(seen), seen.receive_at
    if absent:
        again = _soonest(seen)
    elif again is not None:
        absent = [peer["name"] for peer in seen.peers if not peer["connected"]]
    state = State.WAITING if absent else State.QUEUED if again is not None else State.RUNNING
    return [_task(Kind.RECEIVE, state, files=seen.to_receive, waiting_for=absent, next_attempt=again)]


def _sending(seen: Seen) -> list[dict[str, Any]]:
    """A task for each member that lacks something, or is not there."""
    rows = []
    for peer in seen.peers:
        files, name = peer["behind_files"] or 0, peer["name"]
        if not files and (peer["connected"] or seen.rests is not None):
            continue
        facts: dict[str, Any] = {"device": name, "files": files or None}
        if seen.rests is not None:
            facts, state = {**facts, "next_attempt": seen.rests["until"]}, State.QUEUED
        elif peer["connected"]:
            state = State.RUNNING
        else:
            facts, state = {**facts, "waiting_for": [name], "next_attempt": peer["next_attempt"]}, State.WAITING
        rows.append(_task(Kind.SEND if files else Kind.CONNECT, state, **facts))
    return rows


def _placing(seen: Seen) -> list[dict[str, Any]]:
    """The reasons are among the problems."""
    if not seen.stuck:
        return []
    return [_task(Kind.PLACE, State.FAILED, files=seen.stuck, next_attempt=seen.stuck_until)]


def _coming(seen: Seen) -> list[dict[str, Any]]:
    if seen.coming is None:
        return []
    return [_task(Kind.RUN, State.QUEUED, **_why(seen.coming), next_attempt=seen.coming["next_attempt"])]


def _ended(seen: Seen) -> list[dict[str, Any]]:
    if seen.last is None:
        return []
    state = _ENDED.get(seen.last["result"], State.FAILED)
    facts = {"time": seen.last["ended"], "message": seen.last["message"]}
    return [_task(Kind.RUN, state, **_why(seen.last), **facts)]
