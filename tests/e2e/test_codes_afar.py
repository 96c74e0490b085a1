"""By a meeting host a spoken code works between two homes as it does in one network."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.afar import host_on
from tests.e2e.pc import agree, office
from tests.e2e.test_codes import code_of, refused, wrong
from tests.lab import Site, requires_lab, wan

pytestmark = requires_lab


def test_two_homes_pair_by_a_code(tmp_path: Path) -> None:
    """Both know the host, and nothing else of each other."""
    sites = [Site("port-restricted", ("a",)), Site("port-restricted", ("b", "c"))]
    with (
        wan(sites) as lab,
        host_on(lab, tmp_path) as host,
        office(lab, tmp_path, "a", "b", "c", options=("--rendezvous", host.address)) as (a, b, c),
    ):
        a.create()
        code = code_of(a)
        assert "not the words of this code" in refused(c, wrong(code))
        assert "was tried with wrong words" in refused(b, code)
        assert b.run("join", code_of(a), "--folder", b.folder, "--timeout", "60s")["mandate"] == "Cargo"
        agree(a, b)
