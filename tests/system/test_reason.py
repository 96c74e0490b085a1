"""What the system says is told, and nothing that Python added."""

from __future__ import annotations

import errno
import os

import pytest

from p2psync.system.reason import reason_of


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 9)"), os.strerror(errno.ECONNREFUSED)),
        (OSError(987654, "of its own kind"), "of its own kind"),
        (OSError("only words"), "only words"),
    ],
)
def test_the_systems_words_come_first(error: OSError, said: str) -> None:
    assert reason_of(error) == said
