"""The index of entries files: read however it is spelled, merged alike by everybody, and never losing a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.index import (
    INDEX_BYTES_MAX,
    LINE_BYTES_MAX,
    UNKNOWN_MOMENT,
    merge,
    moment_of,
    parse,
)
from p2psync.errors import CodecError


def index(*lines: str, header: str = "#FSC\t9.3\tECC", encoding: str = "cp1252", end: str = "\r\n") -> bytes:
    """An index file of these lines."""
    return "".join(f"{line}{end}" for line in [header, *lines, "#END"]).encode(encoding)


def ecf(name: str, uid: int, date: str = "05/01/2025 09:00:00", tag: str = "ECF") -> str:
    return f"#{tag}\t1; {date}; {name}; {uid}"


OWN = ecf("Cargo (01-01-2025 ~ 31-12-2025).ecf", 1)
ASSETS = ecf("Cargo Assets.eca", 2, tag="ECA")
SALARY = ecf("Löhne.ecs", 3, tag="ECS")
BACKUP = "#BACKUP\tbase|%1.salx|%1.ecs/n"

LINES = st.one_of(
    st.builds(
        ecf,
        st.sampled_from(["a.ecf", "b.ecf", '"a.ecf"', "Müller.ecf", "Mu\u0308ller.ecf", "x; y.ecf", " "]),
        st.integers(1, 3),
        st.sampled_from(["05/01/2025 09:00:00", "2025-02-01", "06.01.2025 08:00", "soon", ""]),
        st.sampled_from(["ECF", "ECS", "FSC", "BACKUP"]),
    ),
    st.sampled_from([BACKUP, "", "  ", "free text", "#ECF", "#ECF\t1; 2", "#FSC\t10\tECC"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10).filter(lambda text: "#END" not in text),
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "cp1252"])


@st.composite
def versions(draw: st.DrawFn) -> bytes:
    """An index in any spelling, each line perhaps by another program."""
    rows = [draw(st.sampled_from(["#FSC\t9.3\tECC", "#FSC\t9.5.0\tECC", "#FSC\t10.0\tECC"])), *draw(st.lists(LINES))]
    end = draw(st.sampled_from(["\r\n", "\n", "\r", "\r\r\n"]))
    encodings = [draw(ENCODINGS), *(draw(st.sampled_from(["utf-8", "cp1252"])) for _ in rows)]
    encoded = (f"{row}{end}".encode(e, "replace") for row, e in zip([*rows, "#END"], encodings, strict=True))
    return b"".join(encoded)


@given(st.lists(versions(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_the_versions_does_not_matter(heads: list[bytes], rng: object) -> None:
    shuffled = list(heads)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merge(shuffled) == merge(heads)


@given(versions(), versions(), versions())
def test_it_does_not_matter_what_is_merged_first(a: bytes, b: bytes, c: bytes) -> None:
    assert merge([merge([a, b]).data, c]) == merge([a, merge([b, c]).data]) == merge([a, b, c])


@given(st.lists(versions(), min_size=1, max_size=3), st.data())
def test_merging_again_changes_nothing(heads: list[bytes], data: st.DataObject) -> None:
    merged = merge(heads)
    assert merge([merged.data]) == merged
    assert merge([merged.data, data.draw(st.sampled_from(heads))]) == merged


@given(st.lists(versions(), min_size=1, max_size=3))
def test_every_file_and_every_line_that_is_not_understood_is_kept(heads: list[bytes]) -> None:
    merged, parsed = parse(merge(heads).data), [parse(head) for head in heads]
    assert {line.key for line in merged.lines} == {line.key for one in parsed for line in one.lines}
    assert set(merged.others) == {other for one in parsed for other in one.others}
    assert {line.raw for line in merged.lines} <= {line.raw for one in parsed for line in one.lines}
    for line in merged.lines:
        moments = [other.moment for one in parsed for other in one.lines if other.key == line.key]
        assert line.moment == max(moments)


def test_two_producers_that_were_apart_both_stay() -> None:
    merged = merge([index(OWN, ASSETS), index(OWN, SALARY, BACKUP)])
    assert merged.data == index(OWN, ASSETS, SALARY, BACKUP)
    assert merged.problems == ()


def test_the_newest_line_of_a_file_stays() -> None:
    old, new = ecf("a.ecf", 1, "31/12/2024 23:59:59"), ecf("a.ecf", 1, "01/01/2025 00:00:00")
    assert merge([index(old), index(new)]).data == index(new)


def test_the_same_file_however_its_name_is_spelled() -> None:
    composed, decomposed = ecf("Müller.ecf", 1, "02/01/2025"), ecf("Mu\u0308ller.ecf", 1, "01/01/2025")
    quoted = ecf('"Müller.ecf"', 1, "03/01/2025")
    heads = [index(composed), index(decomposed, encoding="utf-8"), index(quoted)]
    assert merge(heads).data == index(quoted)
    assert merge(heads[:2]).data == index(composed)


def test_files_of_the_same_name_and_another_tag_are_two() -> None:
    assert len(parse(merge([index(ecf("a", 1)), index(ecf("a", 2, tag="ECS"))]).data).lines) == 2


def test_one_number_for_two_files_keeps_both_lines_and_says_so() -> None:
    merged = merge([index(OWN, ecf("b.ecf", 2)), index(OWN, ecf("Assets.ecf", 2))])
    assert merged.data == index(OWN, ecf("Assets.ecf", 2), ecf("b.ecf", 2))
    assert merged.problems == ("2 (Assets.ecf, b.ecf)",)


def test_a_line_is_kept_as_its_program_wrote_it() -> None:
    western, unicode_ = index(SALARY), index(ecf("Dupré.ecf", 4), encoding="utf-8")
    data = merge([western, unicode_]).data
    assert "Löhne".encode("cp1252") in data
    assert "Dupré".encode() in data
    assert [line.name for line in parse(data).lines] == ["Löhne.ecs", "Dupré.ecf"]


def test_of_two_lines_of_the_same_second_all_devices_show_the_same() -> None:
    one, other = index(ecf("a.ecf", 1)), index(ecf("a.ecf", 2))
    assert merge([one, other]).data == merge([other, one]).data == other


def test_padding_after_the_end_is_left_out() -> None:
    assert merge([index(OWN) + b"\x1a\0\0\0"]).data == index(OWN)


def test_the_mark_of_utf_8_stays() -> None:
    data = merge([index(OWN), index(SALARY, encoding="utf-8-sig")]).data
    assert data.startswith(b"\xef\xbb\xbf#FSC\t")
    assert data.count(b"\xef\xbb\xbf") == 1


def test_the_newest_header_stays() -> None:
    heads = [index(header=f"#FSC\t{text}") for text in ("9.3\tECC", "10.0\tecc", "10.0\tECC", "9.12\tECC")]
    assert merge(heads).data == merge(heads[::-1]).data == index(header="#FSC\t10.0\tecc")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\r\r\n", "\r\n\r\n"])
def test_line_ends_of_any_kind_are_read(end: str) -> None:
    assert merge([index(OWN, BACKUP, end=end)]).data == index(OWN, BACKUP)


@pytest.mark.parametrize(
    ("line", "name", "moment", "uid"),
    [
        (OWN, "Cargo (01-01-2025 ~ 31-12-2025).ecf", (2025, 1, 5, 9, 0, 0), 1),
        ("#ECF\t1;05.01.2025 09:00;a.ecf;007", "a.ecf", (2025, 1, 5, 9, 0, 0), 7),
        ("#ECS\t1; 2025-01-05T9:00:01; a.ecs; 1", "a.ecs", (2025, 1, 5, 9, 0, 1), 1),
        ("#ECF\t1; 5/1/25; a.ecf; 1", "a.ecf", (2025, 1, 5, 0, 0, 0), 1),
        ("#ECF\t1; 1/25/2025; a.ecf; 1", "a.ecf", (2025, 1, 25, 0, 0, 0), 1),
        ("#ECF\t1; 13/13/2025; a.ecf; 1", "a.ecf", UNKNOWN_MOMENT, 1),
        ("#ECF\t1; 01/01/2025 24:00; a.ecf; 1", "a.ecf", UNKNOWN_MOMENT, 1),
        ("#ECF\t1; hier; a.ecf; 1", "a.ecf", UNKNOWN_MOMENT, 1),
        ("#ECF\t1; ; a.ecf; 1", "a.ecf", UNKNOWN_MOMENT, 1),
        ("#ECASSETS\t1; 01/01/2025; Meier; Söhne.ecassets; 12", "Meier; Söhne.ecassets", (2025, 1, 1, 0, 0, 0), 12),
        ('#ECF\t1; 01/01/2025; "a;b.ecf"; 1', "a;b.ecf", (2025, 1, 1, 0, 0, 0), 1),
        ('#ECF\t1; 01/01/2025; "; 1', '"', (2025, 1, 1, 0, 0, 0), 1),
    ],
)
def test_a_line_is_read_tolerantly(line: str, name: str, moment: tuple[int, ...], uid: int) -> None:
    (read,) = parse(index(line)).lines
    assert (read.name, read.moment, read.uid) == (name, moment, uid)
    assert read.raw == line.encode("cp1252")


@pytest.mark.parametrize(
    "line",
    [
        BACKUP,
        "#ECF",
        "#ECF 1; 01/01/2025; a.ecf; 1",
        "#ECF\t1; 01/01/2025; 1",
        "#ECF\t1; 01/01/2025; ; 1",
        '#ECF\t1; 01/01/2025; ""; 1',
        "#ECF\t1; 01/01/2025; a.ecf; one",
        "#ECF\t1; 01/01/2025; a.ecf; \u00b2",
        f"#ECF\t1; 01/01/2025; a.ecf; {'1' * 19}",
        "#ECÄ\t1; 01/01/2025; a.ecf; 1",
        "ECF\t1; 01/01/2025; a.ecf; 1",
        "whatever a later version writes",
    ],
)
def test_a_line_that_is_not_understood_is_kept_as_it_is(line: str) -> None:
    found = parse(index(OWN, line))
    assert found.others == (line.encode("cp1252"),)
    assert merge([index(line, OWN), index(OWN, line)]).data == index(OWN, line)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"#END\r\n",
        b"#FSC\t9.3\tECC\r\n",
        index(OWN).removesuffix(b"#END\r\n"),
        index(OWN).removesuffix(b"ND\r\n"),
        index(OWN) + b"#ECF\t1; the rest of a longer file",
        index(OWN)[5:],
        index(OWN, "a\0b"),
        index(OWN).decode("cp1252").encode("utf-16"),
        index("x" * (LINE_BYTES_MAX + 1)),
        index(*["x" * 4000] * (INDEX_BYTES_MAX // 4000 + 1)),
        b"\xef\xbb\xbf" * 2 + index(OWN),
    ],
    ids=lambda data: repr(data[:20]),
)
def test_a_torn_file_or_something_else_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError, match="index"):
        parse(data)
    with pytest.raises(CodecError, match="index"):
        merge([index(OWN), data])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for candidate in (data, b"#FSC" + data + b"\n#END"):
        try:
            found = parse(candidate)
        except CodecError:
            continue
        assert parse(merge([candidate]).data).header == found.header


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("05/01/2025 09:00:00", (2025, 1, 5, 9, 0, 0)),
        ("2025-02-01", (2025, 2, 1, 0, 0, 0)),
        ("05.13.25 1:02", (2025, 5, 13, 1, 2, 0)),
        ("soon", UNKNOWN_MOMENT),
        ("31.12.2025 24:00:00", UNKNOWN_MOMENT),
    ],
)
def test_moments_are_read_in_any_spelling(text: str, moment: tuple[int, ...]) -> None:
    assert moment_of(text) == moment
