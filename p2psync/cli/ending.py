"""How a command ends: whatever it raises becomes a sentence on stderr and an exit code."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from pathlib import Path

from p2psync.cli.exits import FAILED, WRONG_USAGE, CommandFailed
from p2psync.cli.home import note_failure
from p2psync.cli.plain import json_text, sentence_shown
from p2psync.errors import ConfigError, HomeInUse, InvalidId, P2PSyncError, UsageError
from p2psync.i18n import _, said


def guarded(act: Callable[[], int | None], home: Path, as_json: bool) -> int:
    """Run a command; whatever happens ends in an exit code."""
    try:
        return act() or 0
    except CommandFailed as failure:
        return fail(str(failure), failure.exit_code, as_json)
    except P2PSyncError as error:
        wrong_usage = isinstance(error, UsageError | ConfigError | InvalidId) and not isinstance(error, HomeInUse)
        return fail(said(error), WRONG_USAGE if wrong_usage else FAILED, as_json)
    except KeyboardInterrupt:
        return fail(_("Stopped by you."), FAILED, as_json)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            raise  # whoever read our output has seen enough
        return fail(unexpected(error, home), FAILED, as_json)


def unexpected(error: BaseException, home: Path) -> str:
    """The sentence for an error that nobody foresaw, with the file that tells more."""
    path = note_failure(home, error)
    what = str(error) or type(error).__name__
    return _("Something went wrong that should not have: {what}. Details: {path}").format(what=what, path=path or "-")


def fail(sentence: str, exit_code: int, as_json: bool) -> int:
    """Say why, on stderr; a program that reads JSON gets its document too."""
    if as_json:
        print(json_text({"error": sentence, "exit": exit_code}), flush=True)
    print(sentence_shown(sentence), file=sys.stderr)
    return exit_code
