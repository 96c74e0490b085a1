"""What is needed to begin anew is written whenever it changed, and is written again where that failed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from p2psync.daemon import rescue
from p2psync.daemon.rescue import Card
from tests.daemon.homes import pcs
from tests.daemon.patience import until


@pytest.mark.asyncio
async def test_it_is_written_after_each_change_and_a_full_disk_is_only_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        await pc.create()
        file = pc.config.home / rescue.RESCUE_FILE
        await until(file.exists)
        file.unlink()
        real_write, refused = rescue.write, list[Path]()

        def write(home: Path, cards: Sequence[Card]) -> None:
            if not refused:
                refused.append(home)
                raise OSError("no space left")
            real_write(home, cards)

        monkeypatch.setattr(rescue, "write", write)
        pc.running.rescuing.changed()
        await until(lambda: bool(refused))
        pc.running.rescuing.changed()
        await until(file.exists)
        assert "rescue.failed" in (pc.config.home / "p2psync.log").read_text("utf-8")
