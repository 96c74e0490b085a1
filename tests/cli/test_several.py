"""What is done in several mandates at once goes on where it can, and says where it could not."""

from __future__ import annotations

import pytest

from p2psync.cli.client import Reply
from p2psync.cli.exits import CommandFailed
from p2psync.cli.several import in_each


def act(mandate: str) -> Reply:
    if mandate.startswith("No"):
        raise CommandFailed("There is none.")
    return Reply(mandate.upper(), 0)


def test_each_mandate_is_done_once_and_failures_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_each(["A", "B", "A"], act) == ([("A", "A"), ("B", "B")], 0)
    assert in_each(["A", "Nowhere"], act) == ([("A", "A")], 3)
    assert capsys.readouterr().err == "Nowhere: There is none.\n"
    with pytest.raises(CommandFailed, match="There is none"):
        in_each(["Nowhere", "None"], act)
