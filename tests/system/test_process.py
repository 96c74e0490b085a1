"""What a process that serves asks of the system."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from p2psync.system.process import allow_open_files, ended_by_signals, environment_for_others


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_more_files_may_be_open() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        allow_open_files(1000)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(before[1], 1000)
        allow_open_files(300)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(before[1], 1000), "never less than there is"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to send to oneself")
@pytest.mark.asyncio
async def test_a_signal_ends_and_the_old_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    stop = asyncio.Event()
    with ended_by_signals(stop):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 10)
    assert signal.getsignal(signal.SIGTERM) == before


def test_other_programs_inherit_nothing_that_p2psync_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P2PSYNC_PROXY", "socks5://me:secret@proxy:1080")
    monkeypatch.setenv("ANOTHER", "kept")
    inherited = environment_for_others()
    assert inherited["ANOTHER"] == "kept"
    assert not any("secret" in text for text in inherited.values())
