"""A home router that opens ports (miniupnpd): a PC that no hole leads to is called directly, and leaves none behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL

import pytest

from tests.e2e.afar import far_company, host_on, way
from tests.e2e.pc import END_S, Pc, agree, until
from tests.lab import Lab, Site, requires_lab, wan

pytestmark = [
    requires_lab,
    pytest.mark.skipif(
        shutil.which("miniupnpd") is None, reason="needs miniupnpd (Debian: apt-get install miniupnpd-nftables)"
    ),
]

PORT = 5000
TABLE = """
table inet mapped {
    chain arriving { type nat hook prerouting priority dstnat; jump to_pcs; }
    chain leaving { type nat hook postrouting priority srcnat; jump from_pcs; }
    chain passing { type filter hook forward priority filter; jump let_in; }
    chain to_pcs {}
    chain from_pcs {}
    chain let_in {}
}
"""
SETTINGS = f"""
ext_ifname=eth0
listening_ip=switch
port={PORT}
enable_upnp=yes
enable_natpmp=no
secure_mode=yes
uuid=00000000-0000-4000-8000-000000000001
upnp_table_name=mapped
upnp_nat_table_name=mapped
upnp_forward_chain=let_in
upnp_nat_chain=to_pcs
upnp_nat_postrouting_chain=from_pcs
allow 1024-65535 192.168.0.0/16 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


@pytest.fixture(scope="module")
def lab(root: Path) -> Iterator[Lab]:
    """Two routers that nothing leads through, of which the first opens ports."""
    with wan([Site("symmetric", ("a",)), Site("symmetric", ("b",))]) as homes:
        homes.run("r1", ["nft", "-f", "-"], input=TABLE, text=True, check=True)
        settings = root / "miniupnpd.conf"
        settings.write_text(SETTINGS)
        files = ["-P", root / "miniupnpd.pid"]
        router = homes.popen("r1", ["miniupnpd", "-d", "-f", settings, *files], stdout=DEVNULL, stderr=DEVNULL)
        try:
            until(lambda: f":{PORT} " in shown(homes, "ss", "-Hlnt"), "the router listens to its network")
            yield homes
        finally:
            router.terminate()
            router.wait(END_S)


def shown(lab: Lab, *command: str) -> str:
    return str(lab.run("r1", command, capture_output=True, text=True).stdout)


def opened(lab: Lab) -> str:
    return shown(lab, "nft", "list", "chain", "inet", "mapped", "to_pcs")


def mapped(pc: Pc) -> str | None:
    return pc.overall()["device"]["mapped"]  # type: ignore[no-any-return]


def test_a_mapped_port_is_a_direct_way(lab: Lab, root: Path) -> None:
    with host_on(lab, root) as host, far_company(lab, root, host, "a", "b") as (a, b):
        until(lambda: way(a, b) == way(b, a) == "direct", "they are connected directly")
        assert (mapped(a), mapped(b)) == (f"{lab.ip('r1')}:{a.overall()['device']['port']}", None)
        assert f"dnat ip to {lab.ip('a')}:" in opened(lab)
        b.save("from b.txt", "b")
        a.has("from b.txt", "b")
        a.stop()
        assert "dnat" not in opened(lab), "it gave back what it had"
        a.start("--no-port-mapping")
        agree(a, b)
        until(lambda: way(a, b) == way(b, a) not in (None, "direct"), "they are connected by another way")
        assert "dnat" not in opened(lab)
