"""The files and values by which each system knows who opens a ticket; users' own choices beside them stay."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
from xml.etree import ElementTree

import pytest

from p2psync.system.filetype import (
    DESKTOP_FILE,
    MIME_TYPE,
    Key,
    desktop_entry,
    mime_package,
    parents,
    program,
    registry_keys,
    windowless,
    with_default,
    without_default,
)

WORDS = program("/usr/bin/python3", "/home/zoe/.local/share/p2psync")
OWN = f"{MIME_TYPE}={DESKTOP_FILE}\n"


def test_nothing_that_lies_beside_a_file_is_imported() -> None:
    assert WORDS[:4] == ("/usr/bin/python3", "-P", "-m", "p2psync")


def test_linux_knows_the_program() -> None:
    assert desktop_entry(WORDS, "Invitation") == (
        "[Desktop Entry]\n"
        "Type=Application\n"
        "Name=p2psync\n"
        "Comment=Invitation\n"
        "Exec=/usr/bin/python3 -P -m p2psync --home /home/zoe/.local/share/p2psync open %f\n"
        "MimeType=application/x-p2psync-ticket;\n"
        "NoDisplay=true\n"
        "Terminal=false\n"
    )


@pytest.mark.skipif(os.name == "nt", reason="needs a shell to read words")
@pytest.mark.parametrize(
    "home",
    ["/home/a b", "/h/$(touch x)", "/h/`x`", '/h/"x"', "/h/back\\slash", "/h/50 %f", "/h/%", "/h/it's", "/h/ä;&"],
)
def test_a_path_of_any_characters_is_one_word_of_the_command(home: str) -> None:
    """As programs read it: first the text of a desktop file, then words as a shell quotes them, then fields."""
    entry = configparser.RawConfigParser()
    entry.read_string(desktop_entry(program("/py thon", home), "x"))
    line = entry["Desktop Entry"]["Exec"]
    line = re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), line)
    read = subprocess.run(["sh", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True).stdout.decode()
    words = [re.sub("%(.)", lambda found: "%" if found[1] == "%" else "FILE", one) for one in read.split("\0")[:-1]]
    assert words == ["/py thon", "-P", "-m", "p2psync", "--home", home, "open", "FILE"]


def test_linux_knows_the_type_by_the_end_of_a_name() -> None:
    text = mime_package("Tickets & <more>")
    assert text == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<mime-info xmlns="http://www.freedesktop.org/standards/shared-mime-info">\n'
        '  <mime-type type="application/x-p2psync-ticket">\n'
        "    <comment>Tickets &amp; &lt;more&gt;</comment>\n"
        '    <sub-class-of type="text/plain"/>\n'
        '    <glob pattern="*.p2pticket"/>\n'
        "  </mime-type>\n"
        "</mime-info>\n"
    )
    assert ElementTree.fromstring(text).tag.endswith("mime-info")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"[Default Applications]\n{OWN}"),
        (
            "[Added Associations]\na/b=c.desktop;",
            f"[Added Associations]\na/b=c.desktop;\n[Default Applications]\n{OWN}",
        ),
        ("[Default Applications]\na/b=c.desktop\n", f"[Default Applications]\n{OWN}a/b=c.desktop\n"),
        (
            "[Default Applications]\na/b=c\n\n[Removed Associations]\nd/e=f\n",
            f"[Default Applications]\n{OWN}a/b=c\n\n[Removed Associations]\nd/e=f\n",
        ),
        (
            f"[Default Applications]\n{MIME_TYPE}=editor.desktop\n",
            f"[Default Applications]\n{MIME_TYPE}={DESKTOP_FILE};editor.desktop\n",
        ),
    ],
)
def test_the_users_list_of_defaults_is_left_as_it_was(before: str, after: str) -> None:
    assert with_default(before) == after
    assert with_default(after) == after
    restored = without_default(after)
    assert restored == before or restored == before + "\n", "but for the end of a last line"
    assert without_default(before) == before


def test_another_program_that_was_chosen_since_stays() -> None:
    chosen = f"[Default Applications]\n{MIME_TYPE}=editor.desktop\n"
    assert without_default(chosen) == chosen


def test_windows_knows_it_in_the_users_own_part() -> None:
    words = program(r"C:\Program Files\Python\pythonw.exe", r"C:\Users\Zoé M\p2psync")
    assert registry_keys(words, "Invitation") == (
        Key(r"Software\Classes\p2psync.ticket", "", "Invitation"),
        Key(
            r"Software\Classes\p2psync.ticket\shell\open\command",
            "",
            r'"C:\Program Files\Python\pythonw.exe" -P -m p2psync --home "C:\Users\Zoé M\p2psync" open "%1"',
        ),
        Key(r"Software\Classes\.p2pticket", "", "p2psync.ticket"),
        Key(r"Software\Classes\.p2pticket", "Content Type", "application/x-p2psync-ticket"),
        Key(r"Software\Classes\.p2pticket\OpenWithProgids", "p2psync.ticket", ""),
    )


def test_keys_go_from_the_deepest_on_and_none_that_is_windows_own() -> None:
    assert parents(registry_keys(WORDS, "x")) == (
        r"Software\Classes\p2psync.ticket\shell\open\command",
        r"Software\Classes\p2psync.ticket\shell\open",
        r"Software\Classes\.p2pticket\OpenWithProgids",
        r"Software\Classes\p2psync.ticket\shell",
        r"Software\Classes\.p2pticket",
        r"Software\Classes\p2psync.ticket",
    )


@pytest.mark.parametrize(
    ("platform", "python", "expected"),
    [
        ("win32", r"C:\P\python.exe", r"C:\P\pythonw.exe"),
        ("win32", r"C:\P\pythonw.exe", r"C:\P\pythonw.exe"),
        ("linux", "/usr/bin/python3", "/usr/bin/python3"),
    ],
)
def test_no_console_opens_with_a_double_click(platform: str, python: str, expected: str) -> None:
    assert windowless(platform, python) == expected
