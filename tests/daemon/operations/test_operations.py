"""Every operation is found in the module that has it, and those of seldom use are imported when they are wanted."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from p2psync.daemon import operations
from p2psync.daemon.operations import MODULE_OF, OFTEN, SELDOM
from p2psync.errors import UsageError
from tests.daemon.homes import pcs

LOADED = """
import sys
import p2psync.daemon.node
print(*(name.rpartition(".")[2] for name in sys.modules if name.startswith("p2psync.daemon.operations.")))
"""


def test_each_module_has_the_operations_that_are_looked_for_in_it() -> None:
    found = {}
    for module in pkgutil.iter_modules(operations.__path__):
        table = getattr(import_module(f"{operations.__name__}.{module.name}"), "OPERATIONS", None)
        if table is not None:
            found[module.name] = sorted(table)
    often = {module.__name__.rpartition(".")[2]: sorted(module.OPERATIONS) for module in OFTEN}
    assert found == often | {module: sorted(names) for module, names in SELDOM.items()}
    assert len(MODULE_OF) == sum(map(len, SELDOM.values()))


def test_what_is_seldom_wanted_is_not_loaded_at_the_start() -> None:
    loaded = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout.split()
    assert "status" in loaded
    assert not set(loaded) & (SELDOM.keys() - {"recovery"})


@pytest.mark.asyncio
async def test_all_are_called_by_name(tmp_path: Path) -> None:
    async with pcs(tmp_path, "pc") as (pc,):
        assert {"ping", "doctor"} <= set(pc.running.operations.names)
        assert (await pc.running.operations.call("conflicts", {})).data == []
        with pytest.raises(UsageError, match="no operation nonsense"):
            await pc.running.operations.call("nonsense", {})
