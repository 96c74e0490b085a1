"""What waits to be posted, who posted what, and how far each version of a file of bookings has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from functools import partial
from typing import TYPE_CHECKING, Any

from p2psync.books.finding import Finding
from p2psync.books.pending import Count, Differences, Pending, State
from p2psync.books.posting import Mark, Progress, Step, progress
from p2psync.core.ids import ContentId, DeviceId, device_text
from p2psync.core.relpath import RelPath
from p2psync.core.rules import Role
from p2psync.daemon.operations.arguments import Arguments
from p2psync.daemon.operations.books import LINES_SHOWN, finding_row, lines_row, named_file
from p2psync.daemon.operations.shapes import find_mandates, time_text
from p2psync.daemon.programs.mastering import open_fields_of
from p2psync.daemon.programs.shelf import Marked, Waiting, marked
from p2psync.daemon.standing import name_of
from p2psync.engine.device import Device
from p2psync.engine.mandate import Mandate
from p2psync.engine.scope import Now
from p2psync.errors import FolderError, P2PSyncError, UsageError
from p2psync.findings import sentence
from p2psync.i18n import Worded, said

if TYPE_CHECKING:
    from p2psync.daemon.node import Node

Row = dict[str, Any]


async def pending(node: Node, given: Arguments) -> object:
    named, everything, lines = given.text_or("mandate", ""), given.flag("all"), given.flag("lines")
    given.done()
    rows: list[Row] = []
    for one in await _marked(node, named):
        try:
            found = await node.shelf.pending(one)
            told = await node.runtime.query(_teller(node, one, found, everything))
            more = await _lines(node, one, found) if lines else {}
        except FolderError as error:
            if named:
                raise
            reason = Worded(partial(said, error))
            told = [{**_numbers(None), **_NOTHING, "mandate": one.name, "file": "", "message": reason}]
            more = {"": lines_row(None)} if lines else {}
        rows += [{**row, **more.get(row["file"], {})} for row in told]
    return rows


async def _lines(node: Node, one: Marked, found: Sequence[Waiting]) -> dict[str, Row]:
    """The lines of each file that are counted, all periods together; None for what has no number."""
    return {file.path: lines_row(await _differences(node, one, file)) for file in found}


async def _differences(node: Node, one: Marked, file: Waiting) -> Differences | None:
    match file.pending.state:
        case State.PENDING:
            return await node.shelf.differences(one.id, one.posted.get(file.path), file.content, LINES_SHOWN)
        case State.POSTED:
            return Differences((), 0)
        case State.UNCOUNTED:
            return None


async def posted(node: Node, given: Arguments) -> object:
    """Mark what waits, or one file, as posted; with `undo` take the mark back that stands."""
    named, file = given.text("mandate"), given.text_or("file", "")
    undo, content = given.flag("undo"), given.text_or("content", "")
    given.done()
    path = (await named_file(node, named, file))[2]
    (one,) = await _marked(node, named)
    if undo:
        return await _undone(node, one, path)
    found = await node.shelf.pending(one)
    return await _posted(node, one, _to_mark(found, one, path, content))


# -- marking -------------------------------------------------------------------------------------------


def _to_mark(
    found: Sequence[Waiting], one: Marked, path: RelPath | None, content: str
) -> dict[RelPath, ContentId | None]:
    """What each file holds that is to be marked: the one that is named, or all that waits and can be read."""
    if path is None:
        waiting = [file for file in found if file.pending.state is State.PENDING or file.pending.rewritten]
        return {file.path: file.content for file in waiting}
    for file in found:
        if file.path == path:
            if content and (file.content is None or not file.content.hex().startswith(content.lower())):
                raise UsageError("{path!r} was changed meanwhile. Look at it again: p2psync pending", path=path)
            return {path: file.content}
    raise P2PSyncError(
        "{path} is no file of bookings in the folder of {mandate}. See: p2psync pending {mandate} --all",
        path=path,
        mandate=one.name,
    )


async def _posted(node: Node, one: Marked, wanted: Mapping[RelPath, ContentId | None]) -> list[Row]:
    def act(device: Device, _: Now) -> list[Row]:
        device.admin(one.id).post(wanted)
        mandate = device.mandates[one.id]
        standing = mandate.postings.standing()
        return [_mark_row(mandate, standing[path]) for path in sorted(wanted)]

    return await node.runtime.call(act)


async def _undone(node: Node, one: Marked, path: RelPath | None) -> list[Row]:
    """Which marks stood until now. Raises UsageError if there is none."""
    if path is None:
        raise UsageError(
            "Name the file whose mark is to be taken back. See: p2psync pending {mandate} --all", mandate=one.name
        )

    def act(device: Device, _now: Now) -> list[Row]:
        mandate = device.mandates[one.id]
        mark = mandate.postings.standing().get(path)
        if mark is None:
            raise UsageError("{path} was not marked as posted.", path=path)
        row = _mark_row(mandate, mark)
        device.admin(one.id).unpost([path])
        return [row]

    return await node.runtime.call(act)


def _mark_row(mandate: Mandate, mark: Mark) -> Row:
    content = mark.content.hex() if mark.content is not None else None
    return {"mandate": mandate.name, "file": mark.path, "content": content, **_who(mandate, mark.device, mark.time_ns)}


# -- what waits ----------------------------------------------------------------------------------------


async def _marked(node: Node, named: str) -> list[Marked]:
    return await node.runtime.query(
        lambda device, _: [marked(m, open_fields_of(m.authority)) for m in find_mandates(device, named)]
    )


def _teller(node: Node, one: Marked, found: Sequence[Waiting], everything: bool) -> Any:
    def tell(device: Device, _: Now) -> list[Row]:
        mandate = device.mandates.get(one.id)
        if mandate is None:
            return []
        shown = [
            file for file in found if everything or file.pending.state is not State.POSTED or file.pending.rewritten
        ]
        attached = {linked.path for linked in node.bridging.attachments.all() if linked.mandate == one.id}
        told = _Told(mandate, [file.path for file in shown], attached)
        return [row for file in shown for row in told.rows(file)]

    return tell


_NOTHING: Row = {
    **{"content": None, "saved": None, "since": None, "state": State.UNCOUNTED.value, "rewritten": False},
    **{
        "finding": None,
        "step": None,
        "deliveries": [],
        "posted": None,
        "may_post": False,
        "unattached": False,
        "findings": 0,
        "first_finding": None,
    },
}
"""What a row has that tells of no file."""


class _Told:
    """Rows about files of one mandate, with what its log says of them."""

    def __init__(self, mandate: Mandate, paths: Sequence[RelPath], attached: Set[RelPath]) -> None:
        self._mandate = mandate
        self._attached = attached
        self._standing = mandate.postings.standing()
        self._heads = mandate.state.heads(paths)
        delivered = mandate.arrears.deliveries.of_device
        self._deliveries = [one for device in sorted(mandate.authority.members) for one in delivered(device)]

    def rows(self, file: Waiting) -> Iterable[Row]:
        common = self._common(file)
        found = file.pending
        if found.state is State.UNCOUNTED:
            return [{**_numbers(None), **common, **_why(found)}]
        return [{**_numbers(count), **common} for count in found.counts or (Count(None, 0, 0, 0),)]

    def _common(self, file: Waiting) -> Row:
        mark = self._standing.get(file.path)
        head = next((h for h in self._heads.get(file.path, ()) if h.entry.content == file.content), None)
        return {
            "mandate": self._mandate.name,
            "file": file.path,
            "content": file.content.hex() if file.content is not None else None,
            "saved": _who(self._mandate, head.author, head.time_ms * 1_000_000) if head is not None else None,
            "since": time_text(mark.time_ns / 1_000_000) if mark is not None else None,
            "state": file.pending.state.value,
            "rewritten": file.pending.rewritten,
            "message": "",
            "finding": None,
            "findings": file.findings.count,
            "first_finding": finding_row(file.findings.items[0]) if file.findings else None,
            "may_post": self._mandate.postings.may_post(file.path),
            "unattached": self._is_unattached(file),
            **self._progress(file, mark),
        }

    def _is_unattached(self, file: Waiting) -> bool:
        """It reaches no program on this PC, whose programs have files of their own."""
        is_held = bool(self._attached) and file.content is not None
        return is_held and file.path not in self._attached and self._mandate.postings.may_post(file.path)

    def _progress(self, file: Waiting, mark: Mark | None) -> Row:
        """Delivered means: to accounting."""
        found = Progress(Step.PUBLISHED)
        if file.content is not None:
            found = progress(file.path, file.content, self._deliveries, mark)
        elif mark is not None and mark.content is None:
            found = Progress(Step.POSTED, mark=mark)
        members = self._mandate.authority.members
        deliveries = [one for one in found.deliveries if members[one.device].role is Role.ACCOUNTING]
        is_on_its_way = found.step is Step.DELIVERED and not deliveries
        return {
            "step": Step.PUBLISHED.value if is_on_its_way else found.step.value,
            "deliveries": [
                {**_who(self._mandate, one.device, one.time_ns), "signed": one.signed} for one in deliveries
            ],
            "posted": _who(self._mandate, found.mark.device, found.mark.time_ns) if found.mark is not None else None,
        }


def _numbers(count: Count | None) -> Row:
    """None: there is no number."""
    if count is None:
        return {"period": None, "new": None, "changed": None, "removed": None}
    period = str(count.period) if count.period is not None else None
    return {"period": period, "new": count.new, "changed": count.changed, "removed": count.removed}


def _why(found: Pending) -> Row:
    if isinstance(found.why, Finding):
        row = finding_row(found.why)
        return {"finding": row, "message": Worded(partial(sentence, row["code"], row["line"], row["facts"]))}
    return {"message": Worded(partial(said, found.why)) if found.why is not None else ""}


def _who(mandate: Mandate, device: DeviceId, time_ns: int) -> Row:
    time = time_text(time_ns / 1_000_000)
    return {"device": device_text(device), "name": name_of(mandate, device), "time": time}


OPERATIONS = {"pending": pending, "posted": posted}
