"""`verify` as people read it: what was read, what is damaged and how to bring it back, and who holds the same."""

from __future__ import annotations

from typing import Any

from p2psync.cli import verifying

LOG = {"ok": True, "blocks": 3, "devices": 2, "first_bad": None}
THIS = {"name": "PC-Fidu", "device": "ABC-DEF", "state": "this", "identical": True, "problems": [], "last_seen": None}
SOUND: dict[str, Any] = {
    **{"mandate": "Cargo AG", "time": "2020-06-30T14:03:00Z", "left_out": 0},
    **{"files": 2, "bytes": 3000, "versions": 1, "log": LOG, "identical": 1},
    **{"damaged": [], "damaged_versions": [], "changing": [], "unreadable": [], "replicas": [THIS]},
}


def test_what_is_sound_is_said_in_a_few_lines() -> None:
    assert verifying.verified(SOUND).splitlines() == [
        "Read 2 files (3.0 kB) and 1 kept version.",
        "Every byte is as it was saved.",
        "The log is whole: 3 signed entries by 2 devices, every signature and link verified.",
        "Identical on 1/1 devices:",
        "  PC-Fidu: identical (this PC)",
    ]


def test_what_is_damaged_is_listed_with_the_command_that_brings_it_back() -> None:
    damaged = [{"path": "a.txt", "repaired": False}, {"path": "b.txt", "repaired": True}]
    answer = {**SOUND, "damaged": damaged, "damaged_versions": ["0f" * 32], "changing": ["c.txt"]}
    answer["unreadable"] = [{"path": "d.txt", "code": "unreadable", "detail": "gone bad"}]
    said = verifying.verified({**answer, "replicas": [{**THIS, "identical": False}]}).splitlines()
    assert said[1:3] == ["Damaged on this disk, though nobody saved it:", "  a.txt"]
    assert 'p2psync verify "Cargo AG" --repair' in said[3]
    assert said[5] == "  b.txt"
    assert said[7] == "  0f0f0f0f0f0f"
    assert said[9] == "  c.txt"
    assert said[10].startswith("! d.txt")
    assert said[-1] == "  PC-Fidu: not as the log says (this PC)"
    assert "Every byte is as it was saved." not in said


def test_long_lists_are_cut() -> None:
    many = [{"path": f"{number}.txt", "repaired": False} for number in range(25)]
    said = verifying.verified({**SOUND, "damaged": many})
    assert "19.txt" in said
    assert "20.txt" not in said
    assert "and 5 files more" in said


def test_what_was_found_last_is_told_with_its_time_and_how_much_it_leaves_out() -> None:
    said = verifying.last({**SOUND, "left_out": 3}, "Cargo AG").splitlines()
    assert said[0].startswith("Verified 2020-06-30")
    assert said[1:-1] == verifying.verified(SOUND).splitlines()
    assert said[-1] == "and 3 more"
    assert verifying.last(None, "Cargo AG").endswith('To do so: p2psync verify "Cargo AG"')


def test_each_device_is_named_with_what_is_known_of_it() -> None:
    problem = {"path": "letter.txt", "code": "disk-full", "detail": ""}
    others = [
        {**THIS, "name": "PC2", "state": "connected"},
        {**THIS, "name": "PC3", "state": "connected", "identical": False, "problems": [problem]},
        {**THIS, "name": "PC4", "state": "off", "identical": None},
        {**THIS, "name": "PC5", "state": "off", "identical": None, "last_seen": "2020-06-30T14:03:00Z"},
    ]
    said = verifying.verified({**SOUND, "replicas": others}).splitlines()[4:]
    assert said[0] == "  PC2: identical, as it confirmed"
    assert said[1] == "  PC3: has not everything yet"
    assert said[2].startswith("    ! ")
    assert "letter.txt" in said[2]
    assert said[4] == "  PC4: not connected, and not seen yet"
    assert said[5].startswith("  PC5: not connected, last seen 2020-06-30")
