"""Pages tell totals, in the forms that browsers and Prometheus read."""

from __future__ import annotations

import json

from p2psync.rendezvous.pages import Figure, exposition, health, html

FIGURES = [
    Figure("p2psync_rendezvous_visitors", "gauge", "Devices that are here.", 3),
    Figure("p2psync_rendezvous_cpu_seconds_total", "counter", "Processor time used.", 1.25),
    Figure("p2psync_rendezvous_dismissed_total", "counter", "By reason.", {"idle": 2.0, "too_fast": 1.0}, "reason"),
]


def test_prometheus() -> None:
    assert exposition(FIGURES).splitlines() == [
        "# HELP p2psync_rendezvous_visitors Devices that are here.",
        "# TYPE p2psync_rendezvous_visitors gauge",
        "p2psync_rendezvous_visitors 3",
        "# HELP p2psync_rendezvous_cpu_seconds_total Processor time used.",
        "# TYPE p2psync_rendezvous_cpu_seconds_total counter",
        "p2psync_rendezvous_cpu_seconds_total 1.25",
        "# HELP p2psync_rendezvous_dismissed_total By reason.",
        "# TYPE p2psync_rendezvous_dismissed_total counter",
        'p2psync_rendezvous_dismissed_total{reason="idle"} 2',
        'p2psync_rendezvous_dismissed_total{reason="too_fast"} 1',
    ]


def test_health() -> None:
    assert json.loads(health(FIGURES, True)).items() >= {"status": "ok", "visitors": 3}.items()
    assert json.loads(health(FIGURES, False))["status"] == "degraded"


def test_the_page_for_people() -> None:
    assert "All is well" in html(True)
    assert "Not all is well" in html(False)
