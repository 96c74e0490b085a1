"""Which workloads are run with which sizes on which line, and which of them somebody asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from benchmarks import workloads
from benchmarks.measuring import Sample, Stage

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """What every host's cable is like; see `tests.lab.lan`."""

    name: str
    rate: str
    delay: str
    """One way."""
    loss: str = "0%"
    first_rate: str | None = None
    """Of the first host's cable, if it differs."""


LAN = Line("LAN", "1gbit", "0.1ms")
WAN = Line("WAN", "100mbit", "20ms", "0.1%")
UPLINK = Line("uplink", "1gbit", "0.1ms", first_rate="100mbit/1gbit")
LINES = (LAN, WAN, UPLINK)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    files: int = 10_000
    many: int = 100_000
    million: int = 1_000_000
    big: int = 1024 * MIB
    big_wan: int = 128 * MIB
    changing: int = 200 * MIB
    pages: int = 64
    saves: int = 40
    stream: int = 2048 * MIB
    renamed: int = 1000
    uplink: int = 300 * MIB
    mandates: int = 100
    idle_s: float = 60.0


QUICK = Sizes(
    files=1000,
    many=5000,
    million=20_000,
    big=64 * MIB,
    big_wan=8 * MIB,
    changing=16 * MIB,
    pages=16,
    saves=10,
    stream=512 * MIB,
    renamed=200,
    uplink=32 * MIB,
    mandates=5,
    idle_s=5.0,
)
"""To see that everything works, and for continuous integration."""


@dataclass(frozen=True, slots=True)
class Case:
    """A workload with sizes and a line."""

    workload: str
    variant: str
    """ "lan", "wan" and the like; "" if there is only one of this workload."""
    title: str
    run: Callable[[Stage], Sample]
    line: Line = LAN
    hosts: int = 2
    within_s: float = 600.0
    payload_bytes: int = 0
    """What is to be carried, where a rate makes sense; 0 elsewhere."""
    only_p2psync: bool = False
    optional: bool = False
    """Run only if its full name is asked for."""
    quick: bool = False
    """Part of the quick set."""
    clears_early: bool = False
    """Its files are too many to keep those of all runs until the last."""

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.workload, self.variant)))


def all_cases(sizes: Sizes) -> list[Case]:
    """In the order in which they are run."""
    return [*_cold(sizes), *_changes(sizes), *_standing(sizes), *_growth(sizes)]


def chosen(cases: Iterable[Case], only: set[str], lines: set[str], quick: bool) -> list[Case]:
    """Those that are asked for by workload ("W1": its cases that are not optional) or by name ("W1-100k").

    With nothing asked for: all that are not optional, or the quick set. Raises ValueError if a name means nothing.
    """
    cases = list(cases)
    if unknown := only - {c.name for c in cases} - {c.workload for c in cases}:
        raise ValueError(
            f"no such workload: {', '.join(sorted(unknown))} (there are {', '.join(c.name for c in cases)})"
        )
    wanted = [c for c in cases if c.name in only or (c.workload in only and not c.optional)]
    # A workload all of whose cases are optional is not asked for by mistake.
    whole = only - {c.workload for c in wanted} - {c.name for c in wanted}
    wanted = [c for c in cases if c in wanted or c.workload in whole]
    if not only:
        wanted = [c for c in cases if (c.quick if quick else not c.optional)]
    return [c for c in wanted if not lines or c.line.name.lower() in lines]


def _cold(s: Sizes) -> list[Case]:
    files = partial(workloads.many_files, count=s.files, size=4096)
    w1 = Case("W1", "lan", f"{s.files:,} files of 4 KiB, cold", files, payload_bytes=s.files * 4096, quick=True)
    w2 = Case(
        "W2",
        "lan",
        f"one file of {s.big // MIB} MiB, cold",
        partial(workloads.big_file, size=s.big),
        payload_bytes=s.big,
        quick=True,
    )
    return [
        w1,
        replace(w1, variant="wan", line=WAN, quick=False),
        replace(
            w1,
            variant="100k",
            title=f"{s.many:,} files of 4 KiB, cold",
            run=partial(workloads.many_files, count=s.many, size=4096),
            payload_bytes=s.many * 4096,
            within_s=1800,
            optional=True,
            quick=False,
        ),
        w2,
        replace(
            w2,
            variant="wan",
            title=f"one file of {s.big_wan // MIB} MiB, cold",
            run=partial(workloads.big_file, size=s.big_wan),
            line=WAN,
            payload_bytes=s.big_wan,
            quick=False,
        ),
    ]


def _changes(s: Sizes) -> list[Case]:
    size = f"{s.changing // MIB} MiB"
    pages = partial(workloads.rewritten_pages, size=s.changing, pages=s.pages)
    inserted = partial(workloads.inserted_bytes, size=s.changing)
    beside = partial(workloads.saves_beside, count=s.saves, stream_size=s.stream)
    on_lan = [
        Case("W3a", "lan", f"{s.pages} pages of 4 KiB rewritten in {size}", pages, quick=True),
        Case("W3b", "lan", f"1 KiB inserted in {size}", inserted, quick=True),
        Case("W4", "lan", "save of 64 KiB", partial(workloads.saves, count=s.saves), quick=True),
        Case("W4b", "lan", f"save of 64 KiB beside a file of {s.stream // MIB} MiB", beside),
    ]
    return [c for case in on_lan for c in (case, replace(case, variant="wan", line=WAN, quick=False))]


def _standing(s: Sizes) -> list[Case]:
    restart = Case(
        "W6", "", f"restart, {s.files:,} unchanged files", partial(workloads.restart, count=s.files), quick=True
    )
    return [
        Case(
            "W5",
            "",
            f"idle {s.idle_s:g} s with {s.files:,} files (memory: PSS)",
            partial(workloads.idle, count=s.files, seconds=s.idle_s),
            quick=True,
        ),
        restart,
        replace(
            restart,
            variant="100k",
            title=f"restart, {s.many:,} unchanged files",
            run=partial(workloads.restart, count=s.many),
            within_s=1800,
            optional=True,
            quick=False,
        ),
        Case(
            "W7",
            "",
            f"directory of {s.renamed:,} files renamed",
            partial(workloads.renamed_directory, count=s.renamed),
            quick=True,
        ),
        Case(
            "W8",
            "",
            f"{s.uplink // MIB} MiB from one 100 Mbit/s uplink to two",
            partial(workloads.big_file, size=s.uplink),
            line=UPLINK,
            hosts=3,
            payload_bytes=s.uplink,
        ),
    ]


def _growth(s: Sizes) -> list[Case]:
    few = Case(
        "W10",
        "few",
        f"{s.files:,} files of 1 KiB, cold",
        partial(workloads.many_files, count=s.files, size=1024),
        payload_bytes=s.files * 1024,
        optional=True,
    )
    million = replace(
        few,
        variant="million",
        title=f"{s.million:,} files of 1 KiB, cold",
        run=partial(workloads.many_files, count=s.million, size=1024),
        payload_bytes=s.million * 1024,
        within_s=7200,
        clears_early=True,
    )
    changes = partial(workloads.saves, count=s.saves)
    pcs = [
        Case("W11", f"{n}", f"save of 64 KiB among {n} PCs", changes, hosts=n, only_p2psync=True, optional=True)
        for n in (2, 4, 8, 16)
    ]
    mandates = Case(
        "W11",
        "mandates",
        f"idle {s.idle_s:g} s with {s.mandates} mandates (memory: PSS)",
        partial(workloads.idle_mandates, count=s.mandates, seconds=s.idle_s),
        hosts=1,
        only_p2psync=True,
        optional=True,
    )
    return [few, million, *pcs, mandates]
