"""What other devices named must do nothing to a terminal: characters that one obeys are shown as that, or written out.

A file's name may hold any character but NUL: lines that p2psync never wrote, colours, another title of the window.
"""

from __future__ import annotations

import json
import re
from typing import Any

_OBEYED = "\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""Controls, line breaks among them, and what turns the direction of writing."""
_IN_NAMES = re.compile(f"[{_OBEYED}]")
_LINE_BREAK = re.compile("\r?\n|\t")
"""In what a program wrote of its own: the next word is another one."""
_IN_SENTENCES = re.compile(f"(?!\n)[{_OBEYED}]")


def shown(data: Any) -> Any:
    """A JSON answer whose texts may be printed, each in a line."""
    match data:
        case str():
            return _IN_NAMES.sub("\ufffd", _LINE_BREAK.sub(" ", data))
        case list():
            return [shown(one) for one in data]
        case dict():
            return {shown(name): shown(one) for name, one in data.items()}
    return data


def sentence_shown(text: str) -> str:
    """A sentence that may be printed, of several lines perhaps."""
    return _IN_SENTENCES.sub("\ufffd", text)


def json_text(data: Any, indent: int | None = None) -> str:
    """The same data for programs; such characters are written as JSON can."""
    return _IN_SENTENCES.sub(lambda c: f"\\u{ord(c[0]):04x}", json.dumps(data, ensure_ascii=False, indent=indent))
