"""The lab: PCs, cables, home routers and bad lines on one Linux machine, for tests and benchmarks.

::

    from tests.lab import lan, requires_lab

    @requires_lab
    def test_two_pcs(tmp_path):
        with lan(2, rate="1gbit", delay="0.1ms") as lab:
            daemon = lab.popen("b", [sys.executable, "-m", "p2psync", "--home", tmp_path / "b", "up"])
            with lab.inside("a"):
                link = socket.create_connection((lab.ip("b"), 8000))
            lab.cut("b")

A PC is a network namespace: its processes, sockets and multicast groups are its own, its files are everybody's, so
give each PC a home and a folder of its own. It lives among the tests, as a package, since nothing that users install
needs it; benchmarks import it from here when they run from a clone.

* `network.Lab`: run something on a PC, cut and restore its cable, make its line slow, long or lossy, count its bytes;
* `build`: `lan` puts PCs on one switch, `wan` puts sites behind NAT routers, with public hosts between them; `move`
  carries a PC behind another router, `renumber` gives a router another address;
* `nat`: what the routers do; `line`: rates and times as text; `wire`: the process that holds packets back;
* `system`: commands, namespaces, ending processes, and `why_not`, which says what this machine lacks.

Everything it makes is in namespaces whose names begin with `p2plab-`; `down`, or the end of the `with` block, ends the
processes in its own ones and removes them.
"""

from __future__ import annotations

import pytest

from tests.lab.build import Site, lan, move, renumber, wan
from tests.lab.network import Counters, Lab
from tests.lab.system import LabError, why_not

requires_lab = pytest.mark.root
"""Marks a test that needs the lab; `tests/conftest.py` skips it, with `why_not()`, where there can be none."""

__all__ = ["Counters", "Lab", "LabError", "Site", "lan", "move", "renumber", "requires_lab", "wan", "why_not"]
