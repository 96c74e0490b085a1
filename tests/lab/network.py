"""A lab that is up: run things on its PCs, pull their cables, make their lines bad, count what crossed them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lab import system
from tests.lab.line import Line, token_bucket
from tests.lab.system import LabError, call

WIRE = Path(__file__).with_name("wire.py")
HOSTS = "hosts"
LOOPBACK = ("127.0.0.1 localhost", "::1 localhost")
FORGETTING_S = 1.0
"""How long to wait for a router to forget; what no interface masquerades stays anyway."""
QUEUE_RULE = ["PREROUTING", "-i", "eth0", "-j", "NFQUEUE", "--queue-num", "0"]


@dataclass(slots=True)
class Node:
    """A host, router or switch: a namespace, and the switch that its eth0 is plugged into."""

    name: str
    netns: str
    switch: Node | None = None
    """None: a switch itself. The switch's port bears the node's name."""
    ipv4: str = ""
    ipv6: str = ""
    runs_programs: bool = False
    line: Line = field(default_factory=Line)
    wire: subprocess.Popen[str] | None = None
    """Holds the packets that arrive here, while the line is long or lossy."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What crossed a node's eth0 since it was made; bundled packets count once, without the headers inside."""

    sent_bytes: int
    received_bytes: int
    sent_packets: int
    received_packets: int

    def __sub__(self, before: Counters) -> Counters:
        return Counters(
            self.sent_bytes - before.sent_bytes,
            self.received_bytes - before.received_bytes,
            self.sent_packets - before.sent_packets,
            self.received_packets - before.received_packets,
        )


class Lab:
    """Nodes that belong together; made by `lan` and `wan`, removed at the end of its `with` block."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._nodes: dict[str, Node] = {}
        self._names: tempfile.TemporaryDirectory[str] | None = None
        """Holds what stands in for /etc/hosts, where nodes have names."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    # -- what is there

    @property
    def hosts(self) -> list[str]:
        """The nodes that programs run on, in the order of their making: neither routers nor switches."""
        return [n.name for n in self._nodes.values() if n.runs_programs]

    def ip(self, node: str) -> str:
        """The node's IPv4 address; a router's is its public one."""
        return self.node(node).ipv4

    def ip6(self, node: str) -> str:
        """The node's IPv6 address, a router's the public one; "" where there is none."""
        return self.node(node).ipv6

    def link_local(self, node: str) -> str:
        """The node's link-local IPv6 address; whoever connects to it adds its own interface: "%eth0"."""
        shown = json.loads(call("ip", "-n", self.node(node).netns, "-j", "-6", "addr", "show", "dev", "eth0"))
        return next(str(a["local"]) for a in shown[0]["addr_info"] if a["scope"] == "link")

    def counters(self, node: str) -> Counters:
        """Bytes and packets so far; subtract an earlier answer."""
        shown = json.loads(call("ip", "-n", self.node(node).netns, "-j", "-s", "link", "show", "dev", "eth0"))
        sent, received = shown[0]["stats64"]["tx"], shown[0]["stats64"]["rx"]
        return Counters(sent["bytes"], received["bytes"], sent["packets"], received["packets"])

    # -- running programs

    def popen(self, host: str, argv: Sequence[object], **options: Any) -> subprocess.Popen[Any]:
        """Start a program on a host; options are those of subprocess.Popen, its pid is the program's own."""
        return subprocess.Popen(self._command(host, argv), **options)

    def run(self, host: str, argv: Sequence[object], **options: Any) -> subprocess.CompletedProcess[Any]:
        """Run a program on a host to its end; options are those of subprocess.run (which see for `check`)."""
        options.setdefault("check", False)
        return subprocess.run(self._command(host, argv), **options)

    @contextlib.contextmanager
    def inside(self, host: str) -> Iterator[None]:
        """The calling thread is on the host meanwhile: sockets that it makes belong there, also afterwards."""
        with system.entered(self.node(host).netns):
            yield

    # -- trouble

    def cut(self, node: str, *, silent: bool = False) -> None:
        """Pull the node's cable, which both sides notice; silent: the lamp stays on and packets vanish."""
        switch, port = self._port(node)
        call("ip", "-n", switch, "link", "set", "dev", port, *(["nomaster"] if silent else ["down"]))

    def restore(self, node: str) -> None:
        """Undo `cut`, of either kind."""
        switch, port = self._port(node)
        call("ip", "-n", switch, "link", "set", "dev", port, "master", "switch", "up")

    def shape(
        self,
        node: str,
        rate: str | None = None,
        delay: str | float = 0,
        loss: str | float = 0,
        queue: str | float = "50ms",
    ) -> None:
        """Give the node's cable these properties and no others; what is left out is off.

        rate: "100mbit", or "10mbit/100mbit" for up/down. delay: one way, "20ms" or seconds; a packet between two
        hosts of a LAN is delayed once, at its arrival, so that a round trip takes twice the delay. loss: "0.1%" or
        0.001, on arrival. queue: how long packets may wait for the rate before they are dropped.
        """
        self._set_line(self.node(node), Line.parse(rate, delay, loss, queue))

    def forget_nat(self, router: str) -> None:
        """The router forgets its mappings, as at a restart: those of a masqueraded interface end when it goes down,
        though the kernel may take a moment; the interface stays down for it, so that no new ones are made."""
        netns = self.node(router).netns
        system.batch(["link set dev eth0 down"], netns)
        forgotten_by = time.monotonic() + FORGETTING_S
        while system.get_kernel(netns, "netfilter__nf_conntrack_count") and time.monotonic() < forgotten_by:
            os.sched_yield()
        system.batch(["link set dev eth0 up"], netns)

    def down(self) -> None:
        """End the processes in this lab's namespaces, and remove these."""
        wires = [n.wire for n in self._nodes.values() if n.wire]
        system.end(pid for node in self._nodes.values() for pid in system.processes(node.netns))
        for wire in wires:
            _close(wire)
        system.batch(f"netns del {node.netns}" for node in self._nodes.values())
        self._nodes.clear()
        if self._names is not None:
            self._names.cleanup()

    # -- for the builders

    def add(self, node: Node) -> None:
        """Take up a node whose namespace exists."""
        self._nodes[node.name] = node

    def give_names(self, nodes: Sequence[str]) -> None:
        """Programs that are started from now on can call these by their names, with all their addresses."""
        self._names = self._names or tempfile.TemporaryDirectory(prefix=system.PREFIX)
        known = [self.node(name) for name in nodes]
        lines = [f"{address} {node.name}" for node in known for address in (node.ipv4, node.ipv6) if address]
        Path(self._names.name, HOSTS).write_text("\n".join([*LOOPBACK, *lines, ""]))

    def node(self, name: str) -> Node:
        """Raises LabError if there is none of this name."""
        if name not in self._nodes:
            raise LabError(f"no node {name!r} (there are {', '.join(self._nodes) or 'none: the lab is down'})")
        return self._nodes[name]

    def _port(self, node: str) -> tuple[str, str]:
        """The namespace and the interface at the other end of a node's cable."""
        switch = self.node(node).switch
        if switch is None:
            raise LabError(f"{node!r} is a switch: cut or shape what is plugged into it")
        return switch.netns, node

    def _command(self, host: str, argv: Sequence[object]) -> list[str]:
        within = ["ip", "netns", "exec", self.node(host).netns]
        if self._names is not None:  # `ip netns exec` has given the program mounts of its own
            hosts = Path(self._names.name, HOSTS)
            within += ["sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts)]
        return [*within, *map(str, argv)]

    def _set_line(self, node: Node, line: Line) -> None:
        switch, port = self._port(node.name)
        _set_rate(node.netns, "eth0", line.up_bit_s, line.queue_s, had_one=node.line.up_bit_s is not None)
        _set_rate(switch, port, line.down_bit_s, line.queue_s, had_one=node.line.down_bit_s is not None)
        if line.is_held:
            self._hold_packets(node, line)
        elif node.wire:
            _queue_packets(node.netns, "-D")
            _close(node.wire)
            node.wire = None
        node.line = line

    def _hold_packets(self, node: Node, line: Line) -> None:
        fresh = node.wire is None
        wire = node.wire or self.popen(
            node.name,
            [sys.executable, "-I", "-S", WIRE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        node.wire = wire
        assert wire.stdin is not None
        assert wire.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            wire.stdin.write(f"{line.delay_s!r} {line.loss!r}\n")
            wire.stdin.flush()
        answer = wire.stdout.readline().strip()
        if answer != "ready":
            raise LabError(f"the line of {node.name} cannot be made long or lossy: {answer or 'no answer'}")
        if fresh:
            _queue_packets(node.netns, "-A")


def _set_rate(netns: str, interface: str, bit_s: float | None, queue_s: float, *, had_one: bool) -> None:
    if bit_s is not None:
        call("tc", "-n", netns, "qdisc", "replace", "dev", interface, "root", *token_bucket(bit_s, queue_s))
    elif had_one:
        call("tc", "-n", netns, "qdisc", "del", "dev", interface, "root")


def _queue_packets(netns: str, verb: str) -> None:
    """Begin ("-A") or cease ("-D") to hand arriving packets to the wire; without one they are dropped."""
    for tables in ("iptables", "ip6tables"):
        call("ip", "netns", "exec", netns, tables, "-w", "-t", "raw", verb, *QUEUE_RULE)


def _close(wire: subprocess.Popen[str]) -> None:
    """A wire ends with its standard input."""
    with contextlib.suppress(BrokenPipeError):
        wire.communicate()
