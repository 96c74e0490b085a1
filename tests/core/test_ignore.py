"""`.p2psyncignore` means what a `.gitignore` means, tells the line of a mistake, and costs no time."""

from __future__ import annotations

import re
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.ignore import DEFAULT_RULES, LINE_CHARACTERS_MAX, LINES_MAX, IgnoreRules, is_live_database
from p2psync.core.relpath import RelPath, parse
from p2psync.errors import ConfigError


def ignored(text: str, path: str) -> bool:
    """A path that ends in "/" is a directory."""
    return IgnoreRules.parse(text).ignores(parse(path.rstrip("/")), path.endswith("/"))


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [
        ("*.bak", "a.bak x/y.bak .bak d.bak/x a.BAK", "a.bakx abak"),
        ("x", "x a/x x/ x/y a/x/y", "xx"),
        ("/x", "x x/y", "a/x"),
        ("a/b", "a/b a/b/c", "x/a/b b"),
        ("old/", "old/ a/old/ old/x a/old/x", "old a/old"),
        ("/a/b/", "a/b/ a/b/c", "a/b x/a/b/"),
        ("?.ecf", "a.ecf x/é.ecf", ".ecf ab.ecf"),
        ("a?b", "a.b a\nb", "a/b"),
        ("**/x", "x a/x a/b/x", "xx"),
        ("a/**", "a/b a/b/c a/b/", "a a/ b/a/c"),
        ("a/**/b", "a/b a/x/b a/x/y/b", "ab a/xb x/a/b"),
        ("a/**/x/y/**/b", "a/x/y/b a/x/x/y/b a/x/q/x/y/z/b", "a/x/b a/x/y/q"),
        ("**/x/*y/**", "x/y/z a/x/by/z", "x/y x/y/"),
        ("**", "a a/b", ""),
        ("**/", "a/ a/b", "a"),
        ("a*b*c", "abc aXbXc abcbc", "ab abcd a/bc"),
        ("a**b", "ab axb", "a/b"),
        ("*a*b", "ab xaxb aab abab", "ba"),
        ("[a-c]x[!0-9]", "axy cx-", "dxy ax1 ax/"),
        ("[]x]", "] x", "a"),
        ("[^a]", "b", "a"),
        ("[-+]", "- +", ","),
        (r"\#x", "#x", "x"),
        (r"\!x", "!x", "x"),
        (r"a\*", "a*", "ab"),
        (r"\[a]", "[a]", "a"),
        ("# a comment\n\n   \nx  \t", "x", "# y"),
        ("x\\ ", "x\u0020", "x"),
        ("x\\   ", "x\u0020", "x"),
        ("\ufeffx\r\ny\r\n", "x y", "z"),
        ("*.bak\n!keep.bak", "a.bak", "keep.bak d/keep.bak"),
        ("!keep.bak\n*.bak", "keep.bak", "keep"),
        ("d/\n!d/keep", "d/keep d/x", "keep"),
        ("/d/*\n!/d/keep", "d/x", "d/keep d/"),
        ("!*.sav", "a.cre", "a.sav a.SAV/x A.sav"),
        ("É\u2028x", "é\u2028X", "x"),
        ("a.b+c(d)", "a.b+c(d)", "aXb+c(d) a.bbc(d)"),
    ],
)
def test_patterns(text: str, yes: str, no: str) -> None:
    for path in yes.split(" ") if "\\ " not in text else ["x "]:
        assert ignored(text, path), path
    for path in no.split(" "):
        assert not path or not ignored(text, path), path


@pytest.mark.parametrize("path", ["a.cre", "x/A.NMC", "b.fac", "c.salx", "d.sav", "d.sav/1", "e/d.Sav/x/y"])
def test_live_databases_are_ignored_and_known_as_such(path: str) -> None:
    assert DEFAULT_RULES.ignores(parse(path), False)
    assert is_live_database(parse(path))


@pytest.mark.parametrize(
    "path", ["~$Lohn.xlsx", "x/.~lock.a.ods#", "thumbs.db", "Desktop.ini", ".DS_Store", "a.ecf.p2psync-part"]
)
def test_temporary_files_are_ignored_silently(path: str) -> None:
    assert DEFAULT_RULES.ignores(parse(path), False)
    assert not is_live_database(parse(path))


@pytest.mark.parametrize(
    "path", ["a.crp", "a.ecf", "a.ecc", "~a", "a.tmp", "a.bak", ".p2psyncignore", "cre", "a.cres", "a.cre.zip"]
)
def test_everything_else_is_replicated(path: str) -> None:
    assert not DEFAULT_RULES.ignores(parse(path), False)
    assert not is_live_database(parse(path))


@pytest.mark.parametrize(
    "pattern",
    [
        "[a",
        "a/[b/c]",
        "x\\",
        "a\\b",
        "!",
        "/",
        "//x",
        "a//b",
        "./a",
        "../a",
        "a/..",
        "[z-a]",
        "x" * (LINE_CHARACTERS_MAX + 1),
    ],
)
def test_a_mistake_names_its_line(pattern: str) -> None:
    with pytest.raises(ConfigError, match="line 3: "):
        IgnoreRules.parse(f"*.bak\n# fine\n{pattern}\n")


def test_the_number_of_lines_is_bounded() -> None:
    IgnoreRules.parse("x\n" * LINES_MAX)
    with pytest.raises(ConfigError, match=f"more than {LINES_MAX} lines"):
        IgnoreRules.parse("x\n" * (LINES_MAX + 1))


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 127 + "b",
        "a*" * 127 + "b",
        "?*" * 127,
        "**/a/" * 50 + "b",
        "**/*a*/" * 36 + "b",
        "[ab]*" * 50 + "c",
        "*" * 255,
    ],
)
def test_no_pattern_takes_long(pattern: str) -> None:
    """Naive expressions take years for these; the bound is generous for a busy machine."""
    rules = IgnoreRules.parse(pattern)
    started_s = process_time()
    for path in ("a" * 255, "a" * 254 + "c", "/".join("a" * 100), "/".join(["aa"] * 100), "ab" * 120):
        rules.ignores(RelPath(path), False)
    assert process_time() - started_s < 5


@given(
    st.text(st.sampled_from("ab*?[]!-\\/# \n."), max_size=20),
    st.text(st.sampled_from("ab-]/"), min_size=1, max_size=10),
)
def test_parsing_and_matching_are_total(text: str, path: str) -> None:
    try:
        rules = IgnoreRules.parse(text)
    except ConfigError:
        return
    rules.ignores(RelPath(path), True)


@given(
    st.lists(st.sampled_from(["a", "b", "*", "?", "*a", "a*b", "**"]), min_size=2, max_size=6),
    st.lists(st.sampled_from(["a", "b", "ab", "ba", "aab"]), min_size=1, max_size=6),
)
def test_the_fast_expressions_match_what_plain_ones_do(parts: list[str], path: list[str]) -> None:
    """Held against a translation that backtracks; directories above are asked for by themselves."""

    def plain(rest: list[str], names: list[str]) -> bool:
        if not rest:
            return not names
        if rest == ["**"]:
            return bool(names)
        if rest[0] == "**":
            return plain(rest[1:], names) or (bool(names) and plain(rest, names[1:]))
        expression = rest[0].replace("*", ".*").replace("?", ".")
        return bool(names) and bool(re.fullmatch(expression, names[0])) and plain(rest[1:], names[1:])

    expected = any(plain(parts, path[:end]) for end in range(1, len(path) + 1))
    assert ignored("/" + "/".join(parts), "/".join(path)) is expected
