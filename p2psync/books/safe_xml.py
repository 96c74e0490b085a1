"""XML from somebody else, read so that it can do no harm.

A document type is refused, and with it every entity: none can be declared, expanded or fetched. Size, depth, number of
elements and of attributes are bounded. Elements know their line, which no tree of the standard library does.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import NoReturn
from xml.parsers import expat

from p2psync.books.text import BOM, decoded
from p2psync.core.value import mutable
from p2psync.errors import CodecError

DEPTH_MAX = 8
ELEMENTS_MAX = 200_000
ATTRIBUTES_MAX = 64
"""Of one element."""
TEXT_CHARACTERS_MAX = 4096
"""Directly in one element."""
ENCODINGS = {"utf-8": "utf-8", "us-ascii": "utf-8", "iso-8859-1": "cp1252", "windows-1252": "cp1252"}

_DECLARATION = re.compile(rb"""\s*<\?xml\s[^>]{0,80}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")


@mutable
class Element:
    """An element and what is in it."""

    name: str
    line: int
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""
    """Directly in it, in one piece."""


def read_xml(data: bytes, bytes_max: int) -> Element:
    """The root of a document. Raises CodecError, with the line where there is one, if it is none or could do harm."""
    text = _text(data, bytes_max)
    reader = _Reader()
    try:
        reader.parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        raise CodecError("Line {line}: this is no whole XML: {reason}.", line=error.lineno, reason=reason) from None
    assert reader.root is not None, "a document that was parsed has a root"
    return reader.root


def _text(data: bytes, bytes_max: int) -> str:
    declared = _DECLARATION.match(data.removeprefix(BOM))
    name = declared[1].decode("ascii").lower() if declared else ""
    if declared and name not in ENCODINGS:
        raise CodecError("XML in the encoding {name} is not read.", name=name)
    if ENCODINGS.get(name) == "utf-8":
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = 1 + data.count(b"\n", 0, error.start)
            raise CodecError("Line {line}: this is not {name}, as the XML says it is.", line=line, name=name) from None
    return decoded(data, bytes_max)


class _Reader:
    def __init__(self) -> None:
        self.root: Element | None = None
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.ExternalEntityRefHandler = self._refuse
        self._open: list[Element] = []
        self._count = 0

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        self._bound(len(self._open) < DEPTH_MAX, "Line {line}: elements lie more than {limit} deep.", DEPTH_MAX)
        self._bound(self._count <= ELEMENTS_MAX, "Line {line}: there are more than {limit} elements.", ELEMENTS_MAX)
        few = len(attributes) <= ATTRIBUTES_MAX
        self._bound(few, "Line {line}: an element has more than {limit} attributes.", ATTRIBUTES_MAX)
        element = Element(name, self.parser.CurrentLineNumber, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, name: str) -> None:
        del self._open[-1]

    def _characters(self, text: str) -> None:
        element = self._open[-1]
        if text.strip() or element.text:
            short = len(element.text) + len(text) <= TEXT_CHARACTERS_MAX
            self._bound(short, "Line {line}: a text is longer than {limit} characters.", TEXT_CHARACTERS_MAX)
            element.text += text

    def _bound(self, kept: bool, sentence: str, limit: int) -> None:
        if not kept:
            raise CodecError(sentence, line=self.parser.CurrentLineNumber, limit=limit)

    def _refuse(self, *_: object) -> NoReturn:
        line = self.parser.CurrentLineNumber
        raise CodecError("Line {line}: XML with a document type (<!DOCTYPE) is not read.", line=line)
