"""Getting the files of a batch ready in staging: verified, with their final time and mode, flushed together.

Most files of a storm come along with their changes: their bytes are in memory, and each is written once, under a name
that a crash leaves behind as nothing worth keeping.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Protocol

from p2psync.core.ids import ContentId
from p2psync.core.problem import Code, Problem
from p2psync.core.relpath import RelPath
from p2psync.engine.effects import PlaceItem
from p2psync.engine.events import Outcome
from p2psync.fs.attributes import set_attributes
from p2psync.fs.batch import Batch, Ready
from p2psync.fs.clone import copy_verified
from p2psync.fs.durable import sync_files
from p2psync.fs.look import disk_problem
from p2psync.fs.staging import TEMPORARY_PREFIX, Staging
from p2psync.fs.traits import Traits


class Local(Protocol):
    """Where the bytes of a content may be had on this disk."""

    def take_given(self, contents: Iterable[ContentId]) -> Mapping[ContentId, bytes]:
        """The verified bytes of those that are in memory, for the only time."""

    def stage_from_local(self, content: ContentId) -> bool:
        """Put a verified copy into staging; False if no file here holds it."""

    def remember(self, placed: Iterable[tuple[ContentId, RelPath]]) -> None:
        """These paths hold these contents now, which the database learns later."""


def write_given(batch: Batch, staging: Staging, local: Local, traits: Traits) -> None:
    """Fills in `batch.ready`, not flushed yet, for what is in memory and does not wait in staging."""
    given = local.take_given(batch.contents - staging.having(batch.contents))
    for item in batch.files_to_put() if given else ():
        content = item.put.content
        if content is not None and content in given:
            try:
                staged, found = staging.write_fresh(given[content], item.put, traits.mode_bits)
                batch.ready[item.path] = Ready(content, staged, traits.stat(found))
            except OSError as error:
                batch.outcomes[item.path] = Outcome(item.path, False, problem=disk_problem(item.path, error))


def write_others(batch: Batch, staging: Staging, local: Local, traits: Traits) -> None:
    """The same for what lies on this disk, waiting or elsewhere; what cannot be had or written has its outcome then."""
    others = [item for item in batch.files_to_put() if item.path not in batch.ready and item.path not in batch.outcomes]
    waiting = staging.having([item.put.content for item in others if item.put.content is not None])
    for item in others:
        content = item.put.content
        assert content is not None
        try:
            ready = _from_disk(item, content, waiting, batch, staging, local, traits)
            if ready is not None:
                batch.ready[item.path] = ready
            else:
                batch.outcomes[item.path] = Outcome(item.path, False, problem=Problem(item.path, Code.CONTENT_MISSING))
        except OSError as error:
            batch.outcomes[item.path] = Outcome(item.path, False, problem=disk_problem(item.path, error))


def flush_ready(batch: Batch, staging: Staging) -> None:
    """Returns when what is ready is on the medium, or has failed."""
    fresh = {path: ready for path, ready in batch.ready.items() if not ready.is_flushed}
    try:
        sync_files([ready.staged for ready in fresh.values()], staging.root)
    except OSError as error:
        batch.outcomes |= {path: Outcome(path, False, problem=disk_problem(path, error)) for path in fresh}
    for ready in fresh.values():
        ready.is_flushed = True


def _from_disk(
    item: PlaceItem,
    content: ContentId,
    waiting: Set[ContentId],
    batch: Batch,
    staging: Staging,
    local: Local,
    traits: Traits,
) -> Ready | None:
    """None if the content is nowhere here. Raises OSError."""
    again = batch.used_again(content)
    if content not in waiting and not local.stage_from_local(content):
        return None
    batch.shares_staging = True
    staged = staging.where(content)
    if again:  # what waits is for a later item
        copy = staging.fresh(TEMPORARY_PREFIX)
        if not copy_verified(staging.path(content), copy, content):
            return None
        staged = str(copy)
    return Ready(content, staged, traits.stat(set_attributes(staged, item.put, traits.mode_bits)))
