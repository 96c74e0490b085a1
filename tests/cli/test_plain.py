"""Nothing that another device named moves the cursor, colours a line, or makes one that p2psync never wrote."""

from __future__ import annotations

import json

import pytest

from p2psync.cli.plain import json_text, sentence_shown, shown

HOSTILE = ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "a\rb", "\x7f", "a\u202egpj", "\u2066", "a\u2028b"]
PLAIN = ["Bücher 2025.crp", "Écran à 3.45.11\u202fPM.png", "請求書.pdf", "👩\u200d💼", "e\u0301", "\\x1b", ""]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_one_line_of_what_can_be_seen(name: str) -> None:
    told = shown({"files": [{"path": name}], name: [name]})
    [key] = set(told) - {"files"}
    assert told["files"][0]["path"] == key == told[key][0]
    assert "\ufffd" in key
    assert len(key.splitlines()) == 1
    assert "\x1b" not in key


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\tb", "a b"])
def test_a_text_of_several_lines_is_shown_in_one(text: str) -> None:
    assert shown(text) == "a b"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_sentence_may_have_several_lines(text: str) -> None:
    said = sentence_shown(f"First.\nSecond: {text}")
    assert said.split("\n")[0] == "First."
    assert len(said.splitlines()) == 2
    assert "\ufffd" in said


@pytest.mark.parametrize("name", PLAIN)
def test_what_people_write_stays(name: str) -> None:
    assert shown([name, 1, None, True, 1.5]) == [name, 1, None, True, 1.5]
    assert sentence_shown(name) == name
    assert json_text(name) == json.dumps(name, ensure_ascii=False)


@pytest.mark.parametrize("name", [*HOSTILE, *PLAIN, "a\nb"])
def test_json_says_exactly_what_there_is(name: str) -> None:
    text = json_text({"path": name}, 2)
    assert json.loads(text) == {"path": name}
    assert sentence_shown(text) == text
