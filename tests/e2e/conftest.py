"""A lab for each module, and the daemons' last words in the report of a test that failed."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.e2e.afar import Host, host_on
from tests.e2e.pc import RUNNING, Pc, office
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


@pytest.fixture(scope="module")
def host(lab: Lab, root: Path) -> Iterator[Host]:
    """For a lab with a place in the Internet."""
    with host_on(lab, root) as one:
        yield one


@pytest.fixture(scope="module")
def pcs(lab: Lab, root: Path) -> Iterator[list[Pc]]:
    """Three that know nothing of each other, of which the first has a mandate; many modules have PCs of their own."""
    with office(lab, root) as three:
        three[0].create()
        yield three


@pytest.fixture
def guest(pcs: list[Pc]) -> Iterator[Pc]:
    """Joined nothing, before and after: what fails leaves nothing behind."""
    guest = pcs[2]
    yield guest
    assert guest.run("mandate", "list") == []
    assert guest.overall()["device"]["port"] == 0
    assert not (guest.folder / ".p2psync" / "marker").exists()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections += [(f"daemon on {pc.host}", pc.said()) for pc in RUNNING]
    return report
