"""XML from somebody else: read where it is harmless, refused where it could do harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.safe_xml import ATTRIBUTES_MAX, DEPTH_MAX, ELEMENTS_MAX, TEXT_CHARACTERS_MAX, Element, read_xml
from p2psync.errors import CodecError
from tests.books.damage import damaged

MAX = 16 << 20
SMALL = '<?xml version="1.0"?>\n<a x="1">\n  <b lang="fr">Zoé &lt;1&gt; &#233;</b>\n  <b/>\n</a>\n'.encode()


def test_elements_have_attributes_children_text_and_line() -> None:
    assert read_xml(SMALL, MAX) == Element(
        "a", 2, {"x": "1"}, [Element("b", 3, {"lang": "fr"}, [], "Zoé <1> é"), Element("b", 4, {})]
    )


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [("UTF-8", "utf-8"), ("utf-8", "utf-8-sig"), ("windows-1252", "cp1252"), ("ISO-8859-1", "latin-1")],
)
def test_declared_encodings_are_followed(declared: str, encoding: str) -> None:
    data = f"<?xml version='1.0' encoding='{declared}'?><a>Zoé</a>".encode(encoding)
    assert read_xml(data, MAX).text == "Zoé"


def test_without_a_declaration_it_is_utf8_or_windows() -> None:
    assert read_xml("<a>Zoé</a>".encode(), MAX).text == "Zoé"
    assert read_xml("<a>Zoé</a>".encode("cp1252"), MAX).text == "Zoé"


BOMB = b"""<!DOCTYPE a [
 <!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;"><!ENTITY z "&y;&y;&y;&y;&y;&y;&y;&y;">
]><a>&z;</a>"""
OUTSIDE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
QUADRATIC = b'<!DOCTYPE a [<!ENTITY x "' + b"A" * 10_000 + b'">]><a>' + b"&x;" * 1000 + b"</a>"
FOREIGN = b'<!DOCTYPE a SYSTEM "http://example.invalid/a.dtd"><a/>'
PARAMETER = b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://example.invalid/x"> %x;]><a/>'


@pytest.mark.parametrize("data", [BOMB, OUTSIDE, QUADRATIC, FOREIGN, PARAMETER, b"<!DOCTYPE a><a/>"])
def test_a_document_type_is_refused_with_all_its_entities(data: bytes) -> None:
    with pytest.raises(CodecError, match="document type"):
        read_xml(data, MAX)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<a>" * (DEPTH_MAX + 1), f"more than {DEPTH_MAX} deep"),
        (b"<a>" + b"<b/>" * ELEMENTS_MAX + b"</a>", f"more than {ELEMENTS_MAX} elements"),
        (b"<a " + b" ".join(b"x%d='1'" % at for at in range(ATTRIBUTES_MAX + 1)) + b"/>", "attributes"),
        (b"<a>" + b"x" * (TEXT_CHARACTERS_MAX + 1) + b"</a>", "longer than"),
        (b"<a>" + b"x\n" * TEXT_CHARACTERS_MAX + b"</a>", "longer than"),
        (b"<a/>" + b" " * MAX, "more than 16777216 bytes"),
        ("<a/>".encode("utf-16"), "Save it as UTF-8"),
        ("<a/>".encode("utf-16-le"), "zero bytes"),
        (b"<?xml version='1.0' encoding='utf-7'?><a/>", "utf-7 is not read"),
        (b"<?xml version='1.0' encoding='zlib_codec'?><a/>", "zlib_codec is not read"),
        (b"<?xml version='1.0' encoding='UTF-8'?>\n<a>\n\xff</a>", "Line 3: this is not utf-8"),
        (b"<?xml version='1.0' encoding='UTF-8'?><a>\xff</a>", "Line 1: this is not utf-8"),
        (b"", "Line 1: this is no whole XML"),
        (b"<a>\n<b>\n</a>", "Line 3: this is no whole XML"),
        (b"<a/><b/>", "no whole XML"),
        (b"<a x='1' x='2'/>", "no whole XML"),
        (b"<a>&x;</a>", "no whole XML"),
        (b"<a>\x01</a>", "no whole XML"),
    ],
)
def test_what_is_too_much_or_no_xml_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        read_xml(data, MAX)


def test_what_is_just_within_the_bounds_is_read() -> None:
    deep = read_xml(b"<a>" * DEPTH_MAX + b"</a>" * DEPTH_MAX, MAX)
    assert len(deep.children) == 1
    wide = read_xml(b"<a " + b" ".join(b"x%d='1'" % at for at in range(ATTRIBUTES_MAX)) + b"/>", MAX)
    assert len(wide.attributes) == ATTRIBUTES_MAX
    assert len(read_xml(b"<a>" + b"x" * TEXT_CHARACTERS_MAX + b"</a>", MAX).text) == TEXT_CHARACTERS_MAX
    many = read_xml(b"<a>" + b"<b/>" * (ELEMENTS_MAX - 1) + b"</a>", MAX)
    assert len(many.children) == ELEMENTS_MAX - 1


def test_blanks_between_elements_are_no_text() -> None:
    assert read_xml(b"<a>" + b" \n" * TEXT_CHARACTERS_MAX + b"<b/> </a>", MAX).text == ""


@given(damaged(SMALL))
def test_damaged_xml_is_read_or_refused(data: bytes) -> None:
    try:
        root = read_xml(data, MAX)
    except CodecError:
        return
    assert root.name
    assert 1 <= root.line <= data.count(b"\n") + data.count(b"\r") + 1


@given(st.binary(max_size=100))
def test_anything_is_read_or_refused(data: bytes) -> None:
    for one in (data, b"<a>" + data + b"</a>", b"<?xml" + data):
        try:
            read_xml(one, MAX)
        except CodecError:
            continue
