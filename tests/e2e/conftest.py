"""A lab for each module, and the daemons' last words in the report of a test that failed."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.e2e.pc import RUNNING
from tests.lab import Lab, lan


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """Three PCs, a, b and c, on one switch."""
    with lan(3) as three:
        yield three


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Path]:
    """For homes and folders that a module's tests share; removed at once, since it may be large."""
    path = tmp_path_factory.mktemp("pcs")
    yield path
    shutil.rmtree(path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += [(f"daemon on {pc.host}", pc.said()) for pc in RUNNING]
    return report
