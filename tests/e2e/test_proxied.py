"""PCs in offices that let only a proxy out: one that speaks HTTP, and one that speaks SOCKS5 and wants a password."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL

import pytest

from tests.e2e.afar import Host, way
from tests.e2e.pc import END_S, Pc, agree, ended, until
from tests.lab import Lab, Site, requires_lab, wan

pytestmark = [
    requires_lab,
    pytest.mark.skipif(
        not (shutil.which("tinyproxy") and shutil.which("microsocks")),
        reason="needs tinyproxy and microsocks (Debian: apt-get install tinyproxy-bin microsocks)",
    ),
]

HTTP_PORT, SOCKS_PORT = 8888, 1080
BYTES = b"through two proxies and a relay " * 50_000


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """In each office a PC, whose packets go nowhere but to the office's proxy."""
    with wan([Site("port-restricted", ("a", "p")), Site("port-restricted", ("b", "q"))]) as offices:
        for pc, proxy in (("a", "p"), ("b", "q")):
            for rule in (["-o", "lo", "-j", "ACCEPT"], ["-d", offices.ip(proxy), "-j", "ACCEPT"], ["-j", "DROP"]):
                offices.run(pc, ["iptables", "-w", "-A", "OUTPUT", *rule], check=True)
        yield offices


@pytest.fixture(scope="module")
def proxies(lab: Lab, root: Path) -> Iterator[tuple[str, str]]:
    """How the PCs name them."""
    settings = root / "tinyproxy.conf"
    settings.write_text(f"Port {HTTP_PORT}\nTimeout 600\nConnectPort 443\nLogLevel Error\n")
    http = lab.popen("p", ["tinyproxy", "-d", "-c", settings], stdout=DEVNULL, stderr=DEVNULL)
    socks = lab.popen("q", ["microsocks", "-p", SOCKS_PORT, "-u", "anna", "-P", "s3cret"], stderr=DEVNULL)
    try:
        for node, port in (("p", HTTP_PORT), ("q", SOCKS_PORT)):
            until(lambda node=node, port=port: f":{port} " in listening(lab, node), "the proxy listens")  # type: ignore[misc]
        yield f"http://{lab.ip('p')}:{HTTP_PORT}", f"socks5://anna:s3cret@{lab.ip('q')}:{SOCKS_PORT}"
    finally:
        for process in (http, socks):
            process.terminate()
            process.wait(END_S)


def listening(lab: Lab, node: str) -> str:
    return str(lab.run(node, ["ss", "-Hlnt"], capture_output=True, text=True).stdout)


def test_both_offices_sync(lab: Lab, root: Path, host: Host, proxies: tuple[str, str]) -> None:
    a, b = Pc(lab, "a", root), Pc(lab, "b", root)
    with ended([a, b]):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("https_proxy", proxies[0])
            a.start("--rendezvous", host.address)
        a.create()
        b.start("--rendezvous", host.address)
        ticket = a.invite()
        b.restart("--proxy", proxies[1])
        b.join(ticket)
        agree(a, b)
        a.save("from a.bin", BYTES)
        b.save("from b.txt", "b")
        b.has("from a.bin", BYTES)
        a.has("from b.txt", "b")
        agree(a, b)
        assert way(a, b) == way(b, a) == "relay"
        assert [shown(pc) for pc in (a, b)] == [(None, proxies[0]), (None, proxies[1].replace("anna:s3cret@", ""))]
        b.restart("--proxy", proxies[1].replace("s3cret", "wrong"))
        until(lambda: "wants another user name and password" in (shown(b)[0] or ""), "b says what is wrong")
        b.restart("--proxy", "off")
        until(lambda: "cannot be reached" in (shown(b)[0] or ""), "nothing gets out but through the proxy")
        b.restart("--proxy", proxies[1])
        a.save("again.txt", "again")
        b.has("again.txt", "again")


def shown(pc: Pc) -> tuple[str | None, str | None]:
    """What is wrong with the meeting host, and by which proxy it is reached."""
    (host,) = pc.overall()["rendezvous"]
    return host["problem"], host["proxy"]
