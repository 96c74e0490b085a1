"""Other networks than one with IPv4 and addresses that stay."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.pc import agree, company, until
from tests.lab import Lab, lan, requires_lab

pytestmark = requires_lab

BACK_S = 20.0


def _ip(lab: Lab, host: str, *words: str) -> None:
    assert lab.run(host, ["ip", *words]).returncode == 0


def _move(lab: Lab, host: str, address: str) -> None:
    _ip(lab, host, "addr", "del", f"{lab.ip(host)}/24", "dev", "eth0")
    _ip(lab, host, "addr", "add", f"{address}/24", "broadcast", "+", "dev", "eth0")
    _ip(lab, host, "route", "replace", "224.0.0.0/4", "dev", "eth0")


def test_a_lan_without_ipv4(tmp_path: Path) -> None:
    with lan(3) as lab:
        for host in lab.hosts:
            _ip(lab, host, "-4", "addr", "flush", "dev", "eth0")
        with company(lab, tmp_path, "payroll", "payroll") as pcs:
            a, b, c = pcs
            a.stop()
            b.restart()
            b.save("six.txt", "by IPv6")
            c.has("six.txt", "by IPv6")
            a.start()
            agree(*pcs)


def test_a_lan_with_link_local_addresses_only(tmp_path: Path) -> None:
    """Two PCs on one cable, without a router."""
    with lan(2) as lab:
        for host in lab.hosts:
            _ip(lab, host, "-4", "addr", "flush", "dev", "eth0")
            _ip(lab, host, "-6", "addr", "del", f"{lab.ip6(host)}/64", "dev", "eth0")
        with company(lab, tmp_path, "payroll") as (a, b):
            a.restart()
            b.save("local.txt", "by link-local addresses")
            a.has("local.txt", "by link-local addresses")


def test_an_address_that_changes(tmp_path: Path) -> None:
    """As when a PC goes to another network, or gets another lease."""
    with lan(2) as lab, company(lab, tmp_path, "payroll") as (a, b):
        for host in lab.hosts:
            _ip(lab, host, "-6", "addr", "flush", "dev", "eth0")
        a.restart()
        agree(a, b)
        _move(lab, "b", "10.20.30.77")
        b.save("moved.txt", "from the new address")
        a.has("moved.txt", "from the new address", BACK_S)
        agree(a, b)


def test_a_network_that_comes_later_than_the_daemon(tmp_path: Path) -> None:
    with lan(2) as lab, company(lab, tmp_path, "payroll") as (a, b):
        b.stop()
        lab.cut("b")
        _ip(lab, "b", "link", "set", "dev", "eth0", "down")
        b.start()
        a.save("waits.txt", "for the cable")
        assert b.connected() == set()
        _ip(lab, "b", "link", "set", "dev", "eth0", "up")
        lab.restore("b")
        _ip(lab, "b", "route", "replace", "224.0.0.0/4", "dev", "eth0")
        b.has("waits.txt", "for the cable", BACK_S)
        until(lambda: a.connected() == {"b"}, "connected")


def test_a_pc_with_two_network_cards(tmp_path: Path) -> None:
    """c's cable is put into a second card of b, as between a desk and a notebook: b meets both, a and c through b."""
    with lan(3) as lab, company(lab, tmp_path, "payroll", "invoicing") as (a, b, c):
        _ip(lab, "c", "link", "del", "dev", "eth0")
        _ip(lab, "b", "link", "add", "eth1", "type", "veth", "peer", "name", "eth0", "netns", lab.node("c").netns)
        for host, card, address in (("b", "eth1", "192.168.77.1"), ("c", "eth0", "192.168.77.2")):
            _ip(lab, host, "link", "set", "dev", card, "up")
            _ip(lab, host, "addr", "add", f"{address}/24", "broadcast", "+", "dev", card)
        _ip(lab, "c", "route", "replace", "224.0.0.0/4", "dev", "eth0")
        a.save("across.txt", "from one card to the other")
        c.has("across.txt", "from one card to the other")
        until(lambda: (a.connected(), b.connected(), c.connected()) == ({"b"}, {"a", "c"}, {"b"}), "each meets its own")
        b.restart()
        c.save("back.txt", "the other way")
        a.has("back.txt", "the other way")
