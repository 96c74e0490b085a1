"""All commands in one page, made from the commands themselves: `python -m p2psync.cli.manual > docs/commands.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer.main

from p2psync.i18n import set_language

COMMON = ("--home", "--json", "--lang", "--help")
HEAD = """# Commands

`p2psync COMMAND --help` tells the same. Every command takes `--home DIR` (where this device keeps its identity,
settings and database; also `P2PSYNC_HOME`), `--json` (one JSON document instead of text) and `--lang en|fr|de|it`.

Exit codes: **0** done, or nothing to do; **1** failed; **2** wrong usage; **3** partly done, what failed is listed;
**4** p2psync is not running; **5** timed out, or waiting for a device.
"""


def leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it, in the order of the help."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    for name, one in inner.items():
        yield from leaves(one, (*words, name))


def page() -> str:
    """The page, in the language that is set."""
    from p2psync.cli.app import app

    found = sorted(leaves(typer.main.get_command(app)), key=lambda pair: pair[0])
    contents = "\n".join(f"* [{' '.join(words)}](#p2psync-{'-'.join(words)})" for words, _ in found)
    return "\n".join([HEAD, contents, "", *(_section(words, command) for words, command in found)])


def _section(words: tuple[str, ...], command: Any) -> str:
    lines = [f"## p2psync {' '.join(words)}", "", "\n\n".join(_paragraphs(command.help)), ""]
    rows = [_row(parameter) for parameter in command.params if parameter.opts[0] not in COMMON]
    if rows:
        lines += ["| | |", "|---|---|", *rows, ""]
    return "\n".join([*lines, "```", *examples(command), "```", ""])


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split("\n\n")]


def _row(parameter: Any) -> str:
    name = parameter.opts[0]
    metavar = (parameter.metavar or name).strip("[]{}").upper() if not name.startswith("-") else parameter.metavar
    shown = metavar if not name.startswith("-") else f"{name} {metavar}" if metavar else name
    default = parameter.default
    told = f" (default: {default})" if name.startswith("-") and isinstance(default, str | int) and default else ""
    text = f"`{shown}`".replace("|", "\\|")
    return f"| {text} | {' '.join((parameter.help or '').split())}{told if default is not True else ''} |"


def examples(command: Any) -> list[str]:
    """The lines of a command's example."""
    return [line.strip() for line in (command.epilog or "").splitlines() if line.strip().startswith("p2psync")]


if __name__ == "__main__":
    set_language("en")
    sys.stdout.write(page())
