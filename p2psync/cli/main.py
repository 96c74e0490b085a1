"""The command `p2psync`: finds out which language to speak, then lets typer choose the command, except for `up`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from p2psync.cli import foreground
from p2psync.cli.exits import WRONG_USAGE
from p2psync.errors import ConfigError
from p2psync.i18n import set_language


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        set_language(chosen_language(words))
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(WRONG_USAGE)
    up = foreground.plain(words)
    if up is not None:
        sys.exit(foreground.become(up))
    from p2psync.cli.app import app  # its help texts are translated while it is imported
    from p2psync.cli.wording import run

    sys.exit(run(app, words))


def chosen_language(words: Sequence[str]) -> str | None:
    """What `--lang` says, wherever it stands; None if it does not."""
    for word, following in zip(words, (*words[1:], ""), strict=False):
        if word == "--":
            return None
        if word == "--lang":
            return following
        if word.startswith("--lang="):
            return word.removeprefix("--lang=")
    return None
