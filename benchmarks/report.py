"""What came out: medians and ratios, as a document for programs and as a table for people."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.measuring import Sample
from benchmarks.running import Result

OURS = "p2psync"
P95_FROM = 20
"""Among fewer values, a 95th percentile is little else than the worst."""
MB = 1e6

Document = dict[str, Any]
Row = dict[str, Any]


def document(results: Iterable[Result], about: Document) -> Document:
    """{"about", "rows", "not_run"}: a row for each tool in each case, with the ratio to the others in our own.

    Seconds, bytes and MiB carry their unit in the name; what is per host is a mapping from the host's name, and a is
    the one on which files are changed. Medians are over all runs, but of memory it is the most.
    """
    results = list(results)
    rows = [row(result) for result in results if not result.unfit]
    for one in rows:
        _compare(one, [r for r in rows if r["case"] == one["case"]])
    not_run = [{"case": r.case.name, "tool": r.tool, "reason": r.unfit} for r in results if r.unfit]
    return {"about": about, "rows": rows, "not_run": not_run}


def row(result: Result) -> Row:
    """What one tool did in one case."""
    case, samples = result.case, result.samples
    seconds = spread([s for sample in samples for s in sample.seconds])
    return {
        "case": case.name,
        "workload": case.workload,
        "line": case.line.name,
        "title": case.title,
        "tool": result.tool,
        "runs": len(samples),
        "failures": result.failures,
        "seconds": seconds,
        "mb_per_s": case.payload_bytes / MB / seconds["median"] if seconds and case.payload_bytes else None,
        "sent_bytes": per_host(samples, lambda s: s.sent_bytes),
        "received_bytes": per_host(samples, lambda s: s.received_bytes),
        "cpu_s": per_host(samples, lambda s: s.cpu_s),
        "read_mib": per_host(samples, lambda s: s.read_mib),
        "memory_mib": per_host(samples, lambda s: s.memory_mib, max),
        "samples": [asdict(sample) for sample in samples],
    }


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """Median, extremes and, of many values, the 95th percentile ("p95"); None if there are none."""
    if not values:
        return None
    found = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    if len(values) >= P95_FROM:
        found["p95"] = statistics.quantiles(values, n=20, method="inclusive")[-1]
    return found


def per_host(
    samples: Sequence[Sample],
    figures: Callable[[Sample], dict[str, Any]],
    summed_up: Callable[[list[float]], float] = statistics.median,
) -> dict[str, float]:
    """One figure for each host, over all runs."""
    hosts = figures(samples[0]) if samples else {}
    return {host: summed_up([figures(sample)[host] for sample in samples]) for host in hosts}


def ratio(one: Row, other: Row) -> float | None:
    """How many times more seconds the other took, or where nothing is timed, how much more memory."""
    mine, theirs = _measure(one), _measure(other)
    return theirs / mine if mine and theirs else None


def _measure(one: Row) -> float | None:
    if one["seconds"]:
        return float(one["seconds"]["median"])
    return max(one["memory_mib"].values(), default=None)


def _compare(one: Row, alike: Sequence[Row]) -> None:
    """Put into our own row how many times slower each peer is, and into a peer's row the same number of itself."""
    ours = next((r for r in alike if r["tool"] == OURS), None)
    if one is ours:
        one["ratio"] = {r["tool"]: ratio(one, r) for r in alike if r is not one}
    else:
        one["ratio"] = ratio(ours, one) if ours else None


# -- the table

HEADINGS = (
    "workload",
    "tool",
    "median",
    "min",
    "max",
    "p95",
    "MB/s",
    "MB sent",
    "MB back",
    "CPU s, first host",
    "CPU s, others",
    "MiB, first host",
    "MiB, others",
    "x p2psync",
)


def table(result: Document) -> str:
    """Markdown: a table, then what was not run and what failed."""
    rows = result["rows"]
    lines = [_line(HEADINGS), _line(["---", "---", *["---:"] * (len(HEADINGS) - 2)])]
    before = None
    for one in rows:
        lines.append(_line(_cells(one, with_title=one["case"] != before)))
        before = one["case"]
    lines += ["", *_notes(result)]
    return "\n".join(lines)


def _cells(one: Row, *, with_title: bool) -> list[str]:
    seconds = one["seconds"] or {}
    title = f"**{one['workload']}** {one['title']}, {one['line']}" if with_title else ""
    factor = "" if one["tool"] == OURS else figure(one["ratio"])
    tool = one["tool"] if one["runs"] else f"{one['tool']} (failed)"
    return [
        title,
        tool,
        *(shown_seconds(seconds.get(key)) for key in ("median", "min", "max", "p95")),
        figure(one["mb_per_s"]),
        figure(_first(one["sent_bytes"], 1 / MB)),
        figure(_first(one["received_bytes"], 1 / MB)),
        figure(_first(one["cpu_s"])),
        figure(_most_of_others(one["cpu_s"])),
        figure(_first(one["memory_mib"])),
        figure(_most_of_others(one["memory_mib"])),
        factor,
    ]


def shown_seconds(seconds: float | None) -> str:
    """ "9.1 ms", "14.3 s"."""
    if seconds is None:
        return ""
    return f"{figure(seconds * 1000)} ms" if seconds < 0.1 else f"{figure(seconds)} s"


def figure(value: float | None) -> str:
    """No more digits than such measurements can bear: "0.12", "9.46", "14.3", "1,024"."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _first(by_host: dict[str, float], unit: float = 1.0) -> float | None:
    return next((value * unit for value in by_host.values()), None)


def _most_of_others(by_host: dict[str, float]) -> float | None:
    return max(list(by_host.values())[1:], default=None)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _notes(result: Document) -> list[str]:
    about = result["about"]
    notes = [f"{name}: {value}" for name, value in about.items() if not isinstance(value, dict)]
    notes += [f"{tool}: {version or 'not installed, skipped'}" for tool, version in about.get("tools", {}).items()]
    notes += [f"{r['case']}: not run with {r['tool']}, {r['reason']}" for r in result["not_run"]]
    notes += [f"{r['case']}: {r['tool']} failed, {why}" for r in result["rows"] for why in r["failures"]]
    return [f"* {note}" for note in notes]
