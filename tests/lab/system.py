"""What the lab asks of Linux: commands, namespaces, and the end of the processes in them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from functools import cache

PREFIX = "p2plab-"
TOOLS = ("ip", "tc", "nft", "iptables", "ip6tables")
GRACE_S = 3.0
"""How long a process may take after SIGTERM, and after SIGKILL."""


class LabError(RuntimeError):
    """The lab could not do what it was asked; the message holds the command and what it said."""


@cache
def why_not() -> str | None:
    """Why no lab can be built on this machine, as a reason for skipping; None if one can."""
    if not sys.platform.startswith("linux"):
        return "needs Linux network namespaces"
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        return f"needs {', '.join(missing)} (apt-get install iproute2 nftables iptables)"
    probe = f"{PREFIX}{os.getpid()}-probe"
    try:
        call("ip", "netns", "add", probe)
        call("ip", "netns", "del", probe)
    except LabError as error:
        return f"may not make network namespaces ({error})"
    return None


def call(*argv: object, given: str | None = None) -> str:
    """Run a command with `given` on its standard input and return what it prints. Raises LabError if it fails."""
    done = subprocess.run([str(a) for a in argv], input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(map(str, argv))}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def batch(commands: Iterable[str], netns: str | None = None) -> None:
    """Let one `ip` do many things, in the namespace given. Raises LabError at the first that fails."""
    call("ip", *(["-n", netns] if netns else []), "-batch", "-", given="".join(f"{c}\n" for c in commands))


@contextlib.contextmanager
def entered(netns: str) -> Iterator[None]:
    """The calling thread is in the namespace meanwhile; sockets that it makes stay there for good."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{netns}") as there:
        _set_namespace(libc, there.fileno())
        try:
            yield
        finally:
            _set_namespace(libc, home.fileno())


def _set_namespace(libc: ctypes.CDLL, descriptor: int) -> None:
    if libc.setns(descriptor, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def set_kernel(netns: str, **values: int) -> None:
    """Set /proc/sys/net values of a namespace; `ipv4__ip_forward` stands for ipv4/ip_forward."""
    with entered(netns):
        for key, value in values.items():
            with open(f"/proc/sys/net/{key.replace('__', '/')}", "w") as file:
                file.write(str(value))


def get_kernel(netns: str, key: str) -> int:
    """A /proc/sys/net value of a namespace, named as for `set_kernel`."""
    with entered(netns), open(f"/proc/sys/net/{key.replace('__', '/')}") as file:
        return int(file.read())


def processes(netns: str) -> list[int]:
    """Ids of the processes in a namespace, but for this one."""
    return [pid for pid in map(int, call("ip", "netns", "pids", netns).split()) if pid != os.getpid()]


def end(pids: Iterable[int]) -> None:
    """Ask processes to end, insist after GRACE_S, and return when all are over."""
    with contextlib.ExitStack() as stack:
        alive: dict[int, int] = {}
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(pid)
                stack.callback(os.close, handle)
                alive[handle] = pid
        for which in (signal.SIGTERM, signal.SIGKILL):
            for handle in alive:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, which)
            _await_end(alive)
        if alive:
            raise LabError(f"processes that do not end: {sorted(alive.values())}")


def _await_end(alive: dict[int, int]) -> None:
    """Take out of `alive` what ends within GRACE_S. A process handle becomes readable when its process is over."""
    poller = select.poll()
    for handle in alive:
        poller.register(handle, select.POLLIN)
    deadline = time.monotonic() + GRACE_S
    while alive and (left := deadline - time.monotonic()) > 0:
        for handle, _ in poller.poll(left * 1000):
            poller.unregister(handle)
            del alive[handle]
