"""Everything that `doctor` may find has its words, filled in from its facts."""

from __future__ import annotations

import pytest

from p2psync.checkup import PROBLEMS, Check, Finding, Sign, State, said_of, signs

FACTS = {
    name: f"<{name}>"
    for name in (
        *("home", "version", "reason", "host", "addresses", "address", "mandate", "member", "way", "seen"),
        *("folder", "free", "sentence", "remedy", "system", "release"),
    )
}


@pytest.mark.parametrize("sign", Sign)
def test_no_sign_lacks_its_words(sign: Sign) -> None:
    said = said_of(sign, FACTS)
    assert said.sentence
    assert "{" not in said.sentence + said.remedy
    row = Finding(sign, "it", {"a": 1}).row
    assert (row["code"], row["about"], row["facts"]) == (sign.value, "it", {"a": 1})
    assert row["check"] in set(Check)
    assert row["state"] in set(State)


@pytest.mark.parametrize("sign", [sign for sign in Sign if sign not in PROBLEMS])
def test_what_is_no_good_has_a_remedy(sign: Sign) -> None:
    """In words of its own, or in those of whoever tells what is wrong."""
    said = said_of(sign, FACTS)
    told_elsewhere = said.sentence == FACTS["reason"] or "p2psync start" in said.sentence
    assert bool(said.remedy) != (Finding(sign).state is State.OK or told_elsewhere)


def test_words_are_handed_out_before_they_are_filled_in() -> None:
    assert set(signs()) == {sign.value for sign in Sign}
    assert signs()[Sign.DAEMON_RUNS.value].sentence == "p2psync {version} is running."


def test_what_is_missing_is_filled_in() -> None:
    said = said_of(Sign.MDNS_FAILED, {"reason": "no multicast."})
    assert said.sentence == "Other PCs are not found by themselves: no multicast."
    assert "p2psync peer add" in said.remedy
