"""What is done to the files. Each workload gets a stage whose hosts are connected, and returns what it measured.

The clock begins just before files appear on the first host, and ends when their bytes are seen on all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.clock import now_s, pause, wait_until
from benchmarks.content import Arrival, Patch, insert, make_blob, make_tree, rewrite, shows
from benchmarks.hosts import ToolFailed
from benchmarks.measuring import Sample, Stage
from benchmarks.tools.p2psync import P2psync

PAGE = 4096
LOOK_FOR_SAVE_EVERY_S = 0.0005
"""What is between two looks counts as time that the program took, half of it on average."""
SAVE_SIZE = 64 * 1024
TREE_FILE_SIZE = 4096
SAVES_BUDGET_S = 90.0
"""A tool that takes seconds for a save is not asked for as many."""
SAVES_MIN = 5
STREAM_BEGUN = 256
"""The saves begin when this fraction of the big file has left."""
BETWEEN_SAVES_S = (0.05, 0.25)
"""People do not save in step with anybody's timers."""
READY_S = 90.0
"""How long the first file may take."""
CALM_S = 10.0
"""Between the last work and the begin of idleness: by then a program has tidied up after it."""


def many_files(stage: Stage, count: int, size: int) -> Sample:
    """A tree of small files is moved into the folder."""
    names = make_tree(stage.aside / "many", count, size, stage.rng)
    with stage.measured() as sample:
        sample.seconds.append(_deliver(stage, "many", size, names))
    stage.compare()
    return sample


def big_file(stage: Stage, size: int) -> Sample:
    """A file of random bytes is moved into the folder."""
    make_blob(stage.aside / "big.bin", size, stage.rng)
    with stage.measured() as sample:
        sample.seconds.append(_deliver(stage, "big.bin", size))
    stage.compare()
    return sample


def rewritten_pages(stage: Stage, size: int, pages: int) -> Sample:
    """In a file that all have, some pages are written anew in place."""
    _deliver_blob(stage, "data.bin", size)
    places = stage.rng.sample(range(size // PAGE), pages)
    patches = [Patch(place * PAGE, stage.rng.randbytes(PAGE)) for place in places]
    with stage.measured() as sample:
        change = partial(rewrite, stage.folder / "data.bin", patches)
        sample.seconds.append(stage.time(change, partial(_all_show, stage, "data.bin", size, patches)))
    stage.compare()
    return sample


def inserted_bytes(stage: Stage, size: int) -> Sample:
    """A file that all have is saved, by rename, with 1 KiB inserted near its begin."""
    _deliver_blob(stage, "data.bin", size)
    patch = Patch(size // 100, stage.rng.randbytes(1024))
    insert(stage.folder / "data.bin", stage.aside / "data.bin", patch)
    with stage.measured() as sample:
        change = partial((stage.aside / "data.bin").rename, stage.folder / "data.bin")
        sample.seconds.append(
            stage.time(change, partial(_all_show, stage, "data.bin", size + len(patch.data), [patch]))
        )
    stage.compare()
    return sample


def saves(stage: Stage, count: int) -> Sample:
    """One file is saved, by rename, again and again."""
    with stage.measured() as sample:
        _save_often(stage, count, sample.seconds)
    stage.compare()
    return sample


def saves_beside(stage: Stage, count: int, stream_size: int) -> Sample:
    """The same while a big file travels the same way; it is stopped when the saves are over."""
    make_blob(stage.aside / "stream.bin", stream_size, stage.rng)
    _save(stage)
    with stage.measured(settle=False) as sample:
        _begin_stream(stage, stream_size)
        _save_often(stage, count, sample.seconds, lambda: _is_at_others(stage, "stream.bin"))
    if not sample.seconds:
        raise ToolFailed("the big file was there before the first save")
    return sample


def idle(stage: Stage, count: int, seconds: float) -> Sample:
    """Nothing happens, with so many files in the folder."""
    _deliver_tree(stage, "many", count)
    pause(CALM_S)
    with stage.measured(settle=False) as sample:
        pause(seconds)
    sample.memory_mib = {host.name: host.pss_mib() for host in stage.hosts}
    return sample


def restart(stage: Stage, count: int) -> Sample:
    """All hosts' programs are started anew, with so many unchanged files: until they say that all is in sync."""
    _deliver_tree(stage, "many", count)
    stage.tool.stop()
    with stage.measured() as sample:
        begun = now_s()
        stage.tool.launch()
        stage.tool.changed()
        stage.settle()
        sample.seconds.append(now_s() - begun)
    stage.compare()
    return sample


def renamed_directory(stage: Stage, count: int) -> Sample:
    """A directory of files that all have gets another name."""
    names = _deliver_tree(stage, "before", count)
    arrival = _arrival(stage, "after", TREE_FILE_SIZE, names)

    def seen() -> bool:
        return arrival.is_complete() and not _is_at_others(stage, "before")

    with stage.measured() as sample:
        sample.seconds.append(stage.time(partial((stage.folder / "before").rename, stage.folder / "after"), seen))
    stage.compare()
    return sample


def idle_mandates(stage: Stage, count: int, seconds: float) -> Sample:
    """One PC alone, in many shared mandates, while nothing happens."""
    assert isinstance(stage.tool, P2psync)
    for number in range(count):
        folder = stage.tool.first.directory / f"{number}.crsync"
        stage.tool.command(stage.tool.first, "mandate", "create", f"M{number}", "--folder", folder)
        stage.tool.command(stage.tool.first, "share", f"M{number}")
    pause(CALM_S)
    with stage.measured(settle=False) as sample:
        pause(seconds)
    sample.memory_mib = {host.name: host.pss_mib() for host in stage.hosts}
    return sample


def warm_up(stage: Stage) -> None:
    """A first small file has arrived everywhere: connections stand, watchers watch."""
    (stage.aside / "first.txt").write_bytes(b"first")
    usual_s, stage.within_s = stage.within_s, READY_S
    _deliver(stage, "first.txt", 5)
    stage.settle()
    stage.within_s = usual_s


def _deliver(stage: Stage, name: str, size: int, files: Sequence[str] = ()) -> float:
    """Move what is aside under this name into the folder; seconds until it, or these files below it, are everywhere."""
    arrival = _arrival(stage, name, size, files)
    return stage.time(partial((stage.aside / name).rename, stage.folder / name), arrival.is_complete, name)


def _arrival(stage: Stage, name: str, size: int, files: Sequence[str]) -> Arrival:
    targets = [folder / name for folder in stage.other_folders]
    return Arrival([f"{target}/{file}" for target in targets for file in files] or map(str, targets), size)


def _deliver_tree(stage: Stage, name: str, count: int) -> list[str]:
    """Before the clock runs: let all have a tree."""
    names = make_tree(stage.aside / name, count, TREE_FILE_SIZE, stage.rng)
    _deliver(stage, name, TREE_FILE_SIZE, names)
    stage.settle()
    return names


def _deliver_blob(stage: Stage, name: str, size: int) -> None:
    """Before the clock runs: let all have a file."""
    make_blob(stage.aside / name, size, stage.rng)
    _deliver(stage, name, size)
    stage.settle()


def _save(stage: Stage) -> float:
    """Seconds of one save."""
    patch = Patch(0, stage.rng.randbytes(SAVE_SIZE))
    written = stage.aside / "saved.bin"
    written.write_bytes(patch.data)
    change = partial(written.rename, stage.folder / "saved.bin")
    seen = partial(_all_show, stage, "saved.bin", SAVE_SIZE, [patch])
    return stage.time(change, seen, "saved.bin", LOOK_FOR_SAVE_EVERY_S)


def _save_often(stage: Stage, count: int, seconds: list[float], over: Callable[[], bool] = lambda: False) -> None:
    """Add the seconds of each save, until there are enough or it is over."""
    deadline_s = now_s() + SAVES_BUDGET_S
    while len(seconds) < count and (now_s() < deadline_s or len(seconds) < SAVES_MIN) and not over():
        seconds.append(_save(stage))
        pause(stage.rng.uniform(*BETWEEN_SAVES_S))


def _begin_stream(stage: Stage, size: int) -> None:
    """Returns when the first part of the big file has left."""
    before = stage.tool.first.wire().sent_bytes
    (stage.aside / "stream.bin").rename(stage.folder / "stream.bin")
    stage.tool.changed("stream.bin")

    def is_on_its_way() -> bool:
        return stage.tool.first.wire().sent_bytes - before > size // STREAM_BEGUN

    wait_until(is_on_its_way, stage.within_s, "the big file was not sent", every_s=0.05, check=stage.tool.check)


def _is_at_others(stage: Stage, name: str) -> bool:
    return any((folder / name).exists() for folder in stage.other_folders)


def _all_show(stage: Stage, name: str, size: int, patches: list[Patch]) -> bool:
    return all(shows(folder / name, size, patches) for folder in stage.other_folders)
