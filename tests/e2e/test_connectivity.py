"""Every pair of networks connects: by which way, how soon, how fast; and what goes wrong mends itself. As a table.

Pairs are measured side by side, on PCs of their own: most of what they do is wait. For figures that do not depend on
that, P2PSYNC_TABLE_AT_ONCE=1; for the whole minute on a bad line, P2PSYNC_LOSS_S=60.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.e2e.afar import Host, host_on, way
from tests.e2e.pc import Pc, agree, pause, until
from tests.lab import Lab, Site, move, renumber, requires_lab, wan

pytestmark = requires_lab

AT_ONCE = int(os.environ.get("P2PSYNC_TABLE_AT_ONCE", "3"))
LOSS_S = float(os.environ.get("P2PSYNC_LOSS_S", "10"))
LOSS = "30%"
BIG_BYTES = 4 << 20
PATIENCE_S = 180.0
"""Met only where something is broken."""
SETTLED_S = 6.0
"""A better way that exists was taken by then."""

KINDS = {
    "public": ("none", ()),
    "full-cone": ("full-cone", ()),
    "port-restricted": ("port-restricted", ()),
    "symmetric": ("symmetric", ()),
    "double NAT": ("double", ()),
    "IPv6 only": ("ipv6", ()),
    "UDP blocked": ("port-restricted", (("-p", "udp", "-j", "DROP"),)),
    "only 443 out": (
        "port-restricted",
        (("-o", "lo", "-j", "ACCEPT"), ("-p", "tcp", "--dport", "443", "-j", "ACCEPT"), ("-j", "DROP")),
    ),
}
"""A PC's router, and what its network lets out."""
PAIRS = list(combinations_with_replacement(KINDS, 2))
DIRECT = {("public", kind) for kind in KINDS if kind not in ("IPv6 only", "only 443 out")}
"""Pairs of which one can be called, and the other call it."""
NO_COMMON_IP = {pair for pair in PAIRS if "IPv6 only" in pair and pair[0] != pair[1]}
"""Only what has both can pass between them."""


def node(kind: str, number: int) -> str:
    """A host's name is short enough for an interface."""
    return f"{''.join(word[0] for word in kind.replace('-', ' ').split())}{len(kind)}{number}"


class Trouble(NamedTuple):
    """What happens to two PCs that are connected."""

    nat: str
    happen: Callable[[Lab, Pc, Pc, Host], None]
    """Returns when it is over, or when it is done and lasts."""


def forget(lab: Lab, _one: Pc, other: Pc, _host: Host) -> None:
    lab.forget_nat(router_of(lab, other))


def change_address(lab: Lab, _one: Pc, other: Pc, _host: Host) -> None:
    renumber(lab, router_of(lab, other))


def carry(lab: Lab, _one: Pc, other: Pc, _host: Host) -> None:
    move(lab, other.host, f"r{len(SITES)}")


def lose_packets(lab: Lab, one: Pc, other: Pc, _host: Host) -> None:
    """A file that is saved meanwhile gets through, then or later."""
    routers = [router_of(lab, pc) for pc in (one, other)]
    for router in routers:
        lab.shape(router, loss=LOSS)
    one.save("meanwhile.txt", "on a bad line")
    pause(LOSS_S)
    print(
        f"\nsaved at the beginning of {LOSS_S:.0f} s of loss, arrived in it: {other.read('meanwhile.txt') is not None}"
    )
    for router in routers:
        lab.shape(router)


def restart(_lab: Lab, _one: Pc, _other: Pc, host: Host) -> None:
    host.stop()
    host.start()


TROUBLES = {
    "the router forgets its mappings": Trouble("port-restricted", forget),
    "the router gets another address": Trouble("port-restricted", change_address),
    "the PC is carried elsewhere": Trouble("port-restricted", carry),
    f"{LOSS} loss for {LOSS_S:.0f} s": Trouble("port-restricted", lose_packets),
    "the host restarts under its relay": Trouble("symmetric", restart),
}
SITES = [
    *(Site(nat, (node(kind, number),)) for kind, (nat, _) in KINDS.items() for number in (1, 2)),
    *(Site(trouble.nat, (f"t{n}{side}",)) for n, trouble in enumerate(TROUBLES.values()) for side in (1, 2)),
    Site("port-restricted", ()),
]
"""Two of each kind, with a PC each; two for each trouble; and one where somebody may come to."""


class Connected(NamedTuple):
    way: str
    first_byte_s: float
    """From the start of the second PC's daemon, which knows nothing but its ticket, to its first file."""
    mb_s: float


class Recovered(NamedTuple):
    way: str
    after_s: float
    """From the end of the trouble until what both saved then is at the other."""


Result = Connected | Recovered


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with wan(SITES, ("srv", "spare")) as several:
        for kind, (_, rules) in KINDS.items():
            for number in (1, 2):
                for rule in rules:
                    several.run(node(kind, number), ["iptables", "-w", "-A", "OUTPUT", *rule], check=True)
        yield several


@pytest.fixture(scope="module")
def results(lab: Lab, root: Path, request: pytest.FixtureRequest) -> Iterator[Mapping[Hashable, Future[Result]]]:
    """By pair, and by trouble, as many as were asked for: each is there when it is there."""
    asked = [
        item for item in request.session.items if isinstance(item, pytest.Function) and item.module is request.module
    ]
    wanted = [value for item in asked if hasattr(item, "callspec") for value in item.callspec.params.values()]
    futures: dict[Hashable, Future[Result]] = {}
    with host_on(lab, root) as host, host_on(lab, root, "spare") as spare, ThreadPoolExecutor(AT_ONCE) as pool:
        for trouble in (one for one in TROUBLES if one in wanted):
            futures[trouble] = pool.submit(told, recover, lab, root, spare, trouble)
        for pair in (pair for pair in apart() if pair in wanted):
            futures[pair] = pool.submit(told, connect, lab, root, host, pair)
        try:
            yield futures
        finally:
            pool.shutdown(cancel_futures=True)
    show(futures)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_a_pair_connects(pair: tuple[str, str], results: Mapping[Hashable, Future[Result]]) -> None:
    found = results[pair].result()
    assert isinstance(found, Connected)
    if pair in DIRECT:
        assert found.way == "direct"
    if pair in NO_COMMON_IP:
        assert found.way == "relay"


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_went_wrong_mends_itself(trouble: str, results: Mapping[Hashable, Future[Result]]) -> None:
    assert isinstance(results[trouble].result(), Recovered)


# -- one row -----------------------------------------------------------------------------------------------------------


def connect(lab: Lab, place: Path, host: Host, pair: tuple[str, str], pcs: list[Pc]) -> Connected:
    one, other = Pc(lab, node(pair[0], 1), place), Pc(lab, node(pair[1], 2), place)
    pcs += [one, other]
    first_byte_s = met(one, other, host)
    if pair in DIRECT:
        until(lambda: way(one, other) == way(other, one) == "direct", "a plain connection took over", PATIENCE_S)
    else:
        settle(one, other)
    data = os.urandom(BIG_BYTES)
    began_s = time.monotonic()
    one.save("big", data)
    other.has("big", data, PATIENCE_S)
    mb_s = BIG_BYTES / 1e6 / (time.monotonic() - began_s)
    return Connected(way(one, other) or "none", first_byte_s, mb_s)


def recover(lab: Lab, place: Path, host: Host, name: str, pcs: list[Pc]) -> Recovered:
    number = list(TROUBLES).index(name)
    one, other = (Pc(lab, f"t{number}{side}", place) for side in (1, 2))
    pcs += [one, other]
    met(one, other, host)
    settle(one, other)
    TROUBLES[name].happen(lab, one, other, host)
    over_s = time.monotonic()
    one.save("to the other.txt", name)
    other.save("from the other.txt", name)
    other.has("to the other.txt", name, PATIENCE_S)
    one.has("from the other.txt", name, PATIENCE_S)
    after_s = time.monotonic() - over_s
    agree(one, other, within_s=PATIENCE_S)
    settle(one, other)
    return Recovered(way(one, other) or "none", after_s)


def met(one: Pc, other: Pc, host: Host) -> float:
    """Two PCs that share a mandate from now on; returns how long the second took to its first file."""
    one.start("--no-mdns", "--rendezvous", host.address)
    one.create()
    one.save("first.txt", "the first byte")
    ticket = one.invite()
    begun_s = time.monotonic()
    other.start("--no-mdns")
    other.join(ticket)
    other.has("first.txt", "the first byte", PATIENCE_S)
    first_byte_s = time.monotonic() - begun_s
    agree(one, other, within_s=PATIENCE_S)
    return first_byte_s


def settle(one: Pc, other: Pc) -> None:
    """Wait until the way has not changed for a while."""
    seen, since_s = way(one, other), time.monotonic()

    def stands() -> bool:
        nonlocal seen, since_s
        if seen is None or way(one, other) != seen or seen != way(other, one):
            seen, since_s = way(one, other), time.monotonic()
        return time.monotonic() - since_s > SETTLED_S

    until(stands, "one way stays in use", PATIENCE_S)


def router_of(lab: Lab, pc: Pc) -> str:
    switch = lab.node(pc.host).switch
    assert switch is not None
    return switch.name


# -- all rows ----------------------------------------------------------------------------------------------------------

USED: dict[str, threading.Lock] = {node(kind, number): threading.Lock() for kind in KINDS for number in (1, 2)}
"""A PC is in one pair at a time."""


def apart() -> Iterator[tuple[str, str]]:
    """All pairs, so ordered that those beside each other have no PC in common."""
    kinds = list(KINDS)
    for step in range(len(kinds)):
        yield from ((one, other) for one, other in zip(kinds, kinds[step:], strict=False))


def told(
    make: Callable[[Lab, Path, Host, Any, list[Pc]], Result], lab: Lab, root: Path, host: Host, what: Hashable
) -> Result:
    """What a row is made of; if it fails, with the last words of its PCs, which are off afterwards in any case."""
    names = what if isinstance(what, tuple) else (what,)
    place = root / "-".join(map(str, names)).replace(" ", "_")
    pcs: list[Pc] = []
    with contextlib.ExitStack() as stack:
        if isinstance(what, tuple):
            for number, kind in enumerate(what, 1):
                stack.enter_context(USED[node(kind, number)])
        try:
            return make(lab, place, host, what, pcs)
        except BaseException as error:
            for pc in pcs:
                error.add_note(f"-- daemon on {pc.host}\n{pc.said()}")
            raise
        finally:
            for pc in pcs:
                pc.kill()


def show(futures: Mapping[Hashable, Future[Result]]) -> None:
    """The table; what failed, or was not asked for, is not in it."""
    done = {what: one.result() for what, one in futures.items() if one.done() and not one.exception()}
    print(f"\n{'':34} way      first byte    throughput")
    for pair in PAIRS:
        if isinstance(found := done.get(pair), Connected):
            print(f"{' - '.join(pair):34} {found.way:8} {found.first_byte_s:8.1f} s {found.mb_s:8.1f} MB/s")
    print(f"\n{'':34} way         recovered")
    for trouble in TROUBLES:
        if isinstance(again := done.get(trouble), Recovered):
            print(f"{trouble:34} {again.way:8} {again.after_s:8.1f} s")
