"""The process that makes a cable long or lossy: it holds each arriving packet of its namespace, then lets it go.

The kernel hands over the number of every packet (NFQUEUE 0) and waits for the verdict, which comes `delay` later, or
at once and says "drop". Lines "<delay in s> <loss 0..1>" on standard input change both, each answered by "ready"; the
process ends with its standard input, so it never outlives the one that started it. It imports nothing of ours: it is
run as a file, and starts in a few milliseconds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import select
import socket
import struct
import sys
import time
from collections import deque

# linux/netlink.h, linux/netfilter/nfnetlink.h, nfnetlink_queue.h
NETLINK_NETFILTER = 12
SOL_NETLINK, NETLINK_NO_ENOBUFS = 270, 5
SO_RCVBUFFORCE = 33
REQUEST, ACK = 1, 4
ERROR, VERDICT, CONFIG, VERDICT_BATCH = 2, 0x301, 0x302, 0x303
ATTR_VERDICT = 2
CFG_COMMAND, CFG_COPY, CFG_LENGTH, CFG_MASK, CFG_FLAGS = 1, 2, 3, 4, 5
BIND, COPY_META, FLAG_GSO = 1, 1, 4
DROP, ACCEPT = 0, 1

HEADER = struct.Struct("=IHHII")
PACKET_ID = slice(24, 28)
"""Where a packet's number stands: after the message's header (16), the family's (4) and the attribute's (4)."""

WAITING_MAX = 1 << 17
RECEIVE_BUFFER_BYTES = 32 << 20
TAKEN_AT_ONCE = 64
"""Packets taken in before those that are due are looked at."""


class Wire:
    """One end of NFQUEUE 0 in the namespace of this process."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.loss = 0.0
        self._held: deque[tuple[float, int]] = deque()
        """When each packet may go, and its number, in order of arrival."""
        self._queue = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._queue.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
        self._queue.setsockopt(SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)
        self._queue.bind((0, 0))
        self._configure((CFG_COMMAND, struct.pack("!BxH", BIND, socket.AF_INET)))
        self._configure((CFG_COPY, struct.pack("!IB", 0, COPY_META)))
        self._configure((CFG_LENGTH, struct.pack("!I", WAITING_MAX)))
        self._queue.setblocking(False)

    def fileno(self) -> int:
        return self._queue.fileno()

    def change(self, delay_s: float, loss: float) -> None:
        """Nothing that waits already waits longer than a new packet would. Bundles stay whole unless some get lost."""
        self.delay_s, self.loss = delay_s, loss
        latest = time.monotonic() + delay_s
        self._held = deque((min(due, latest), number) for due, number in self._held)
        flags = 0 if loss else FLAG_GSO
        self._send(CONFIG, REQUEST, (CFG_FLAGS, struct.pack("!I", flags)), (CFG_MASK, struct.pack("!I", FLAG_GSO)))

    def due_in_s(self) -> float | None:
        """Seconds until the first packet may go; None if there is none."""
        return max(0.0, self._held[0][0] - time.monotonic()) if self._held else None

    def take(self) -> None:
        """Note what has arrived, and drop what is to be lost."""
        for _ in range(TAKEN_AT_ONCE):
            try:
                message = self._queue.recv(4096)
            except BlockingIOError:
                return
            if HEADER.unpack_from(message)[1] == ERROR:
                continue
            number = int.from_bytes(message[PACKET_ID], "big")
            if self.loss and random.random() < self.loss:
                self._verdict(VERDICT, DROP, number)
            else:
                self._held.append((time.monotonic() + self.delay_s, number))

    def release(self) -> None:
        """Let everything go that is due: one verdict stands for a packet and all that came before it."""
        now, last = time.monotonic(), None
        while self._held and self._held[0][0] <= now:
            last = self._held.popleft()[1]
        if last is not None:
            self._verdict(VERDICT_BATCH, ACCEPT, last)

    def _verdict(self, kind: int, verdict: int, number: int) -> None:
        self._send(kind, REQUEST, (ATTR_VERDICT, struct.pack("!II", verdict, number)))

    def _configure(self, attribute: tuple[int, bytes]) -> None:
        """Send one setting and wait for its answer. Raises OSError if the kernel refuses."""
        self._send(CONFIG, REQUEST | ACK, attribute)
        refusal = -int(struct.unpack_from("=i", self._queue.recv(4096), HEADER.size)[0])
        if refusal:
            raise OSError(refusal, os.strerror(refusal))

    def _send(self, kind: int, flags: int, *attributes: tuple[int, bytes]) -> None:
        body = bytes(4) + b"".join(
            struct.pack("=HH", 4 + len(value), name) + value + bytes(-len(value) % 4) for name, value in attributes
        )
        self._queue.send(HEADER.pack(HEADER.size + len(body), kind, flags, 0, 0) + body)


def be_punctual() -> None:
    """Ask for a place before all other processes and for timers without slack; where refused, go on without."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    with contextlib.suppress(OSError), open("/proc/self/timerslack_ns", "w") as file:
        file.write("1")


def obey(wire: Wire) -> bool:
    """Read one order from standard input; False when there will be no more."""
    order = sys.stdin.readline().split()
    if not order:
        return False
    wire.change(float(order[0]), float(order[1]))
    print("ready", flush=True)
    return True


def main() -> int:
    try:
        wire = Wire()
    except OSError as error:
        print(f"no NFQUEUE: {errno.errorcode.get(error.errno or 0, '?')} {error}", flush=True)
        return 1
    be_punctual()
    while True:
        ready = select.select([wire, sys.stdin], [], [], wire.due_in_s())[0]
        if sys.stdin in ready and not obey(wire):
            return 0
        if wire in ready:
            wire.take()
        wire.release()


if __name__ == "__main__":
    sys.exit(main())
