"""The files of a mandate as people read them: by PC, with who lacks what."""

from __future__ import annotations

from p2psync.cli import holdings

FILE = {"path": "Cargo.crp", "role": "accounting", "period": "2025", "saved": "2020-06-30T14:03:00Z", "size": 45_000}


def test_each_pc_has_a_paragraph_with_what_comes_from_it() -> None:
    files = [{**FILE, "missing": []}, {**FILE, "path": "Pay.ecs", "period": None, "missing": ["PC3", "PC4"]}]
    office = {"name": "PC-Fidu", "device": "ABC-DEF", "this": True, "role": "accounting", "files": files}
    former = {**office, "name": "Laptop", "this": False, "role": None, "files": []}
    said = holdings.shown([office, former]).splitlines()
    assert said[0] == "PC-Fidu (accounting, this PC)"
    assert said[2].split()[:3] == ["Cargo.crp", "2025", "2020-06-30"]
    assert said[2].endswith("45 kB  at all devices")
    assert said[3].endswith("not yet at PC3, PC4")
    assert said[5:] == ["Laptop (was a member)", "  no bookkeeping files"]
