"""Paths cannot escape, keep their exact text, and find a unique legal spelling on every platform."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from p2psync.core import relpath
from p2psync.core.problem import Code
from p2psync.core.relpath import Folding, Platform, RelPath, fold, from_disk, parse, to_disk, too_long
from p2psync.errors import InvalidPath

ORDINARY = [
    "a",
    "Cargo 2025.crp",
    "Cargo (01-01-2025 ~ 31-12-2025).ecf",
    "e\u0301te\u0301/\u00e9t\u00e9",
    ".hidden",
    "...",
    "a/..b",
]
LEGAL_SOMEWHERE = [
    "a\\b",
    "..\\..\\x",
    "ab:stream",
    "x/C:/y",
    "what?",
    "tab\there",
    "end.",
    "end ",
    "CON",
    "nul.txt",
    "a\uf03ab",
]


@pytest.mark.parametrize("text", ORDINARY + LEGAL_SOMEWHERE)
def test_names_that_any_platform_allows_are_kept_exactly(text: str) -> None:
    assert parse(text) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.NAME_ILLEGAL),
        ("a//b", Code.NAME_ILLEGAL),
        ("a/", Code.NAME_ILLEGAL),
        ("a\0b", Code.NAME_ILLEGAL),
        ("/etc/passwd", Code.NAME_ESCAPES),
        ("//server/share", Code.NAME_ESCAPES),
        ("C:/Windows", Code.NAME_ESCAPES),
        ("c:x", Code.NAME_ESCAPES),
        ("..", Code.NAME_ESCAPES),
        (".", Code.NAME_ESCAPES),
        ("a/../../b", Code.NAME_ESCAPES),
        ("a/./b", Code.NAME_ESCAPES),
        (".p2psync", Code.NAME_ESCAPES),
        (".P2Psync/staging/x", Code.NAME_ESCAPES),
        (".p2p\u017fync/x", Code.NAME_ESCAPES),
        (".p2p\u200csync/x", Code.NAME_ESCAPES),
        ("P2PSYN~1/x", Code.NAME_ESCAPES),
        ("p2A0f3~2", Code.NAME_ESCAPES),
        ("a\udc80", Code.NAME_NOT_TEXT),
        ("/\udc80", Code.NAME_NOT_TEXT),
        ("x" * 256, Code.NAME_TOO_LONG),
        ("\u00e9" * 128, Code.NAME_TOO_LONG),
        ("/".join(["x" * 100] * 11), Code.NAME_TOO_LONG),
        ("/".join("x" * 101), Code.NAME_TOO_LONG),
    ],
)
def test_a_refused_name_says_why(text: str, code: Code) -> None:
    with pytest.raises(InvalidPath) as caught:
        parse(text)
    assert caught.value.code is code
    str(caught.value).encode()


@pytest.mark.parametrize(
    "text", ["a/.p2psync", ".p2psyncignore", ".p2psync2", "p2psync", "\u00e9" * 127, "/".join("x" * 100)]
)
def test_what_merely_resembles_a_refused_name_is_allowed(text: str) -> None:
    assert parse(text) == text


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("ab:c/c?", "ab\uf03ac/c\uf03f"),
        ("..\\x", "..\uf05cx"),
        ("a\x01", "a\uf001"),
        ("end.", "end\uf02e"),
        ("dir /end..", "dir\uf020/end.\uf02e"),
        ("CON", "\uf0ffCON"),
        ("a/Aux.tar.gz", "a/\uf0ffAux.tar.gz"),
        ("com\u00b2 .x", "\uf0ffcom\u00b2 .x"),
        ("\uf0ffCON", "\uf0ff\uf0ffCON"),
        ("NUL.", "NUL\uf02e"),
        ("COM", "COM"),
        ("console", "console"),
        ("a\uf03ab", "a\uf0ff\uf03ab"),
        ("a\uf0ff:b", "a\uf0ff\uf0ff\uf03ab"),
        ("a.b c", "a.b c"),
    ],
)
def test_windows_spells_what_it_cannot_store_with_private_characters(text: str, spelled: str) -> None:
    assert to_disk(parse(text), Platform.WINDOWS) == spelled
    assert from_disk(spelled, Platform.WINDOWS) == text


def test_other_systems_store_these_names_as_they_are() -> None:
    for text in LEGAL_SOMEWHERE:
        assert to_disk(parse(text), Platform.LINUX) == text
        assert to_disk(parse(text), Platform.MACOS) == text


def test_macos_never_opens_the_second_fork_of_a_file() -> None:
    assert to_disk(parse("a.ecf/..namedfork/rsrc"), Platform.MACOS) == "a.ecf/\uf0ff..namedfork/rsrc"


@pytest.mark.parametrize("name", ["a\\b", "C:\\x", "what?", "end.", "con.txt", "\uf02e", ".\uf02e", ".p2psync/x"])
def test_names_that_no_windows_program_can_open_are_refused_there(name: str) -> None:
    with pytest.raises(InvalidPath):
        from_disk(name, Platform.WINDOWS)


HOSTILE = st.sampled_from(
    [*'<>:"|?*\\. \x01\x1f~/aA1', "\uf0ff", "\uf03a", "\uf02e", "\uf020", "CON", "com\u00b9", "NUL.", "..namedfork"]
)
TEXTS = st.one_of(st.lists(HOSTILE, max_size=8).map("".join), st.text(max_size=12))


def parsed(text: str) -> RelPath:
    try:
        return parse(text)
    except InvalidPath:
        assume(False)
        raise


PATHS = TEXTS.map(lambda text: text.strip("/")).filter(bool).map(parsed)
PLATFORMS = st.sampled_from(list(Platform))


@given(PATHS, PLATFORMS)
def test_every_path_comes_back_from_its_spelling(rel: RelPath, platform: Platform) -> None:
    assert from_disk(to_disk(rel, platform), platform) == rel


@given(PATHS)
def test_every_spelling_is_legal_on_windows_and_stays_inside(rel: RelPath) -> None:
    for part in to_disk(rel, Platform.WINDOWS).split("/"):
        assert part not in {"", ".", ".."}
        assert not re.search(r'[<>:"|?*\\\x00-\x1f]|[. ]\Z', part)
        assert not re.match(r"(con|prn|aux|nul|(com|lpt)[1-9¹²³])( *\.| *\Z)", part, re.IGNORECASE)
    assert not to_disk(rel, Platform.WINDOWS).lower().startswith(".p2psync/")


@given(TEXTS, PLATFORMS)
def test_a_name_found_on_disk_is_the_spelling_of_its_path(name: str, platform: Platform) -> None:
    """Otherwise a file that stands there would be taken for absent."""
    try:
        rel = from_disk(name, platform)
    except InvalidPath:
        return
    assert to_disk(rel, platform) == name


@given(st.text(st.characters(categories=["Cs", "Lu", "Po", "Cc"]), max_size=20))
def test_parse_is_total(text: str) -> None:
    try:
        rel = parse(text)
    except InvalidPath as error:
        Code(error.code)
        return
    assert rel == text


@given(st.text("aZ0_/.-~ ()p2sync:", max_size=30) | st.sampled_from(["a/" * n + "a" for n in (98, 99, 100, 101)]))
def test_plain_paths_are_told_by_a_look_that_refuses_nothing_else(text: str) -> None:
    """The quick look says of no path what the thorough one would not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relpath, "_PLAIN_MAX", -1)
        thorough = refusal(text)
    assert refusal(text) == thorough


def refusal(text: str) -> str:
    """Why a path is refused; "" if it is not."""
    try:
        return "" if parse(text) == text else "changed"
    except InvalidPath as error:
        return error.code


@pytest.mark.parametrize(
    ("text", "platform", "root_length", "expected"),
    [
        ("x" * 200, Platform.WINDOWS, 58, False),
        ("x" * 200, Platform.WINDOWS, 59, True),
        ("\u00e9" * 100, Platform.WINDOWS, 158, False),
        ("\U0001f600" * 50, Platform.WINDOWS, 158, False),
        ("\U0001f600" * 50, Platform.WINDOWS, 159, True),
        ("x" * 255, Platform.LINUX, 3839, False),
        ("x" * 255, Platform.LINUX, 3840, True),
        ("x" * 255, Platform.MACOS, 768, True),
        ("\uf03a" * 64, Platform.WINDOWS, 0, False),
        ("\uf0ff" * 84 + ":", Platform.WINDOWS, 80, False),
        ("\uf0ff" * 84 + ":", Platform.WINDOWS, 100, True),
        ("..namedfork", Platform.MACOS, 0, False),
    ],
)
def test_too_long_counts_in_the_units_of_the_platform(
    text: str, platform: Platform, root_length: int, expected: bool
) -> None:
    assert too_long(parse(text), platform, root_length) is expected


def test_a_spelling_can_be_too_long_for_a_part() -> None:
    rel = parse("/".join(["\uf0ff" * 70 + ":"]))
    assert not too_long(rel, Platform.WINDOWS, 10)
    assert all(len(part) <= 255 for part in to_disk(rel, Platform.WINDOWS).split("/"))


@pytest.mark.parametrize(
    ("folding", "one", "other", "same"),
    [
        (Folding(), "A", "a", False),
        (Folding(case_insensitive=True), "A/Caf\u00c9", "a/caf\u00e9", True),
        (Folding(case_insensitive=True), "caf\u00e9", "cafe\u0301", False),
        (Folding(normalising=True), "caf\u00e9", "cafe\u0301", True),
        (Folding(normalising=True), "Caf\u00e9", "cafe\u0301", False),
        (Folding(True, True), "CAF\u00c9", "cafe\u0301", True),
        (Folding(case_insensitive=True), "Stra\u00dfe", "STRASSE", True),
    ],
)
def test_names_that_a_disk_takes_for_one_share_a_slot(folding: Folding, one: str, other: str, same: bool) -> None:
    assert (fold(parse(one), folding) == fold(parse(other), folding)) is same


@given(PATHS, st.builds(Folding, st.booleans(), st.booleans()))
def test_folding_a_folded_path_changes_nothing(rel: RelPath, folding: Folding) -> None:
    slot = fold(rel, folding)
    assert fold(RelPath(slot), folding) == slot


def test_ancestors_of_several_are_those_of_each() -> None:
    paths = [parse(text) for text in ("a/b/c/one", "a/b/two", "d/three", "four")]
    assert relpath.all_ancestors(paths) == {above for path in paths for above in relpath.ancestors(path)}
    assert relpath.all_ancestors([parse("four")]) == relpath.all_ancestors([]) == set()


def test_parents_and_ancestors() -> None:
    rel = parse("a/b/c.ecf")
    assert relpath.ancestors(rel) == ("a", "a/b")
    assert relpath.parent(rel) == "a/b"
    assert relpath.parent(parse("a")) is None
    assert relpath.ancestors(parse("a")) == ()
    assert relpath.name(rel) == "c.ecf"
    assert relpath.name(parse("a")) == "a"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A.ECF", ".ecf"),
        ("a.tar.gz", ".gz"),
        (".hidden", ""),
        ("d.x/file", ""),
        ("end.", ""),
        ("plain", ""),
        ("a/.b.crp", ".crp"),
    ],
)
def test_suffix(text: str, expected: str) -> None:
    assert relpath.suffix(parse(text)) == expected


@given(PATHS, PATHS)
def test_the_range_of_a_directory_holds_exactly_what_is_below_it(directory: RelPath, other: RelPath) -> None:
    low, high = relpath.prefix_range(directory)
    for rel in (directory, other, RelPath(f"{directory}/{other}"), RelPath(f"{directory}{other}")):
        in_range = low.encode() <= rel.encode() < high.encode()
        assert in_range is rel.startswith(f"{directory}/")
        assert in_range is (directory in relpath.ancestors(rel))
