"""That a ticket's file is opened by p2psync, as each system is told so: files and registry values, by rule alone.

Nothing here touches the system; `registering` does. On macOS a document reaches a program by an event that only an
application bundle of its own receives, so there is no rule for it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

SUFFIX = ".p2pticket"
MIME_TYPE = "application/x-p2psync-ticket"
DESKTOP_FILE = "p2psync-ticket.desktop"
MIME_FILE = "p2psync-ticket.xml"
DEFAULTS = "[Default Applications]"
CLASSES = r"Software\Classes"
CLASS = "p2psync.ticket"

_RESERVED = re.compile(r"""[\s"'\\><~|&;$*?#()`%]""")
_ESCAPED = re.compile(r'(["`$\\])')


@dataclass(frozen=True, slots=True)
class Key:
    """A value in the registry, under HKEY_CURRENT_USER."""

    path: str
    name: str
    """Empty for the key's own value."""
    text: str


def program(python: str, home: str) -> tuple[str, ...]:
    """What opens a ticket's file, before the file's path. Without `-P` what lies beside the file could be imported."""
    return python, "-P", "-m", "p2psync", "--home", home, "open"


def windowless(platform: str, python: str) -> str:
    """The interpreter that opens no console: on Windows it stands beside the other one."""
    if platform != "win32":
        return python
    return re.sub(r"python(\.exe)?$", r"pythonw\1", python, flags=re.IGNORECASE)


# -- Linux ---------------------------------------------------------------------------------------------


def desktop_entry(words: Sequence[str], description: str) -> str:
    """A program that appears in no menu, for one type of files."""
    lines = [
        "[Desktop Entry]",
        "Type=Application",
        "Name=p2psync",
        f"Comment={description}",
        f"Exec={' '.join(map(_word, words))} %f",
        f"MimeType={MIME_TYPE};",
        "NoDisplay=true",
        "Terminal=false",
    ]
    return "\n".join(lines) + "\n"


_BACKSLASHED = r"\\\1"


def _word(word: str) -> str:
    """Quoted for `Exec`, where `%` is a field, then written as texts are in such a file."""
    quoted = f'"{_ESCAPED.sub(_BACKSLASHED, word)}"' if _RESERVED.search(word) else word
    return quoted.replace("%", "%%").replace("\\", "\\\\").replace("\n", "\\n")


def mime_package(description: str) -> str:
    """The type, known by the end of a file's name."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">\n'
        f'  <mime-type type="{MIME_TYPE}">\n'
        f"    <comment>{escape(description)}</comment>\n"
        '    <sub-class-of type="text/plain"/>\n'
        f'    <glob pattern="*{SUFFIX}"/>\n'
        "  </mime-type>\n"
        "</mime-info>\n"
    )


def with_default(text: str) -> str:
    """The user's `mimeapps.list`, in which p2psync comes first for the type; all else as it was."""
    before, section, after = _parted(without_default(text))
    if not section:
        gap = "" if not before or before[-1].endswith("\n") else "\n"
        return "".join(before) + f"{gap}{DEFAULTS}\n{MIME_TYPE}={DESKTOP_FILE}\n"
    others = [line for line in section if line.split("=")[0].strip() == MIME_TYPE]
    rest = [line for line in section[1:] if line not in others]
    programs = "".join(line.partition("=")[2].strip() for line in others)
    own = f"{MIME_TYPE}={DESKTOP_FILE}{';' + programs if programs else ''}\n"
    head = section[0] if section[0].endswith("\n") else section[0] + "\n"
    return "".join([*before, head, own, *rest, *after])


def without_default(text: str) -> str:
    """The same without p2psync; nothing is left of what `with_default` made."""
    before, section, after = _parted(text)
    kept = [line for line in map(_without_own, section) if line]
    if kept != section and [line.strip() for line in kept] == [DEFAULTS] and not after:
        kept = []
    return "".join([*before, *kept, *after])


def _parted(text: str) -> tuple[list[str], list[str], list[str]]:
    """Lines before the section of defaults, its own with its title, and those after it."""
    lines = text.splitlines(keepends=True)
    at = next((n for n, line in enumerate(lines) if line.strip() == DEFAULTS), len(lines))
    end = next((n for n in range(at + 1, len(lines)) if lines[n].startswith("[")), len(lines))
    return lines[:at], lines[at:end], lines[end:]


def _without_own(line: str) -> str:
    name, equals, programs = line.partition("=")
    if name.strip() != MIME_TYPE or not equals:
        return line
    several = [one for one in programs.strip().split(";") if one]
    if DESKTOP_FILE not in several:
        return line
    others = [one for one in several if one != DESKTOP_FILE]
    return f"{MIME_TYPE}={';'.join(others)}\n" if others else ""


# -- Windows -------------------------------------------------------------------------------------------


def registry_keys(words: Sequence[str], description: str) -> tuple[Key, ...]:
    """The type's name, what opens it, and that it is the one for the end of the file's name; this user's alone."""
    command = f'"{words[0]}" {subprocess.list2cmdline(words[1:])} "%1"'
    return (
        Key(rf"{CLASSES}\{CLASS}", "", description),
        Key(rf"{CLASSES}\{CLASS}\shell\open\command", "", command),
        Key(rf"{CLASSES}\{SUFFIX}", "", CLASS),
        Key(rf"{CLASSES}\{SUFFIX}", "Content Type", MIME_TYPE),
        Key(rf"{CLASSES}\{SUFFIX}\OpenWithProgids", CLASS, ""),
    )


def parents(keys: Sequence[Key]) -> tuple[str, ...]:
    """The keys that were made for these values, deepest first: each goes when nothing is in it any more."""
    paths = {key.path for key in keys}
    paths |= {"\\".join(path.split("\\")[:n]) for path in tuple(paths) for n in range(3, path.count("\\") + 1)}
    return tuple(sorted(paths, key=lambda path: (-path.count("\\"), path)))
