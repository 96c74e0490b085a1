"""One device whose links a test holds in its hands."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.problem import Code
from p2psync.core.rules import Role
from p2psync.engine.admin import Founding, Newcomer, Welcome
from p2psync.engine.device import Device
from p2psync.engine.effects import CloseLink, Effect, Send
from p2psync.engine.events import Event, FolderOpened, LinkUp, Received, ScanFinished
from p2psync.engine.scope import Now
from p2psync.sim.state import MemoryDeviceState
from p2psync.wire.messages import PROTOCOL_VERSION, Close, CloseCode, Hello, Message, Ping
from tests.engine.village import fake_keys

NOW = Now(1_000.0, 1_700_000_000_000)
UNKNOWN = MandateId(b"?" * 16)
MEMBER, STRANGER = fake_keys("member").device, fake_keys("stranger").device
NONCE = b"n" * 16
GARBAGE = b"garbage" * 30


class Office:
    """One device under test, founder of a shared mandate with one other member; links to it are numbers."""

    def __init__(self, name: str = "office", *, folder: bool = True):
        self.state = MemoryDeviceState()
        self.device = Device(fake_keys(name), self.state, Random(name), name, "p2psync test")
        self.effects: list[Effect] = []
        self.mandate = self.found("Cargo", MEMBER)
        if folder:
            self << FolderOpened(self.mandate, True, b"epoch") << ScanFinished(self.mandate, True)
        self.effects.clear()

    def found(self, name: str, *others: DeviceId, share: bool = True) -> MandateId:
        mandate = self.device.create(Founding(name, Role.ACCOUNTING, b"cert", "office"))
        if share:
            self.device.admin(mandate).share()
        for other in others:
            self.admit(mandate, other)
        self.effects += self.device.finish()
        return mandate

    def admit(self, mandate: MandateId, device: DeviceId) -> Welcome:
        admin = self.device.admin(mandate)
        admin.issue(device, Role.INVOICING, False, 1, 2_000_000_000)
        return admin.admit(Newcomer(device, b"cert", "PC", device))

    def __lshift__(self, event: Event) -> Office:
        self.effects += self.device.handle(event, NOW)
        return self

    def link(self, number: int, device: DeviceId = MEMBER, *, initiator: bool = True, way: str = "lan") -> Office:
        return self << LinkUp(number, device, initiator, way)

    def hello(self, number: int, *mandates: MandateId, **others: Any) -> Office:
        return self << Received(number, greeting(*(mandates or (self.mandate,)), **others))

    def of(self, kind: type[Any]) -> list[Any]:
        """The effects of one kind since the last time that anything was asked."""
        found = [effect for effect in self.effects if isinstance(effect, kind)]
        self.effects = [effect for effect in self.effects if not isinstance(effect, kind)]
        return found

    def sent(self, link: int) -> list[Message]:
        found = [e.message for e in self.effects if isinstance(e, Send) and e.link == link]
        self.effects = [e for e in self.effects if not isinstance(e, Send) or e.link != link]
        return found

    @property
    def problems(self) -> list[Code]:
        return [problem.code for problem in self.state.mandate(self.mandate).problems()]


def greeting(*mandates: MandateId, **others: Any) -> Hello:
    return replace(Hello(PROTOCOL_VERSION, "PC", "p2psync", NONCE, NOW.wall_ms / 1000, mandates), **others)


def closed(office: Office, link: int, code: CloseCode) -> str:
    """That the link was closed with this code; returns the reason."""
    *_, close = office.sent(link)
    [closing] = office.of(CloseLink)
    assert isinstance(close, Close)
    assert (close.code, closing.link) == (code, link)
    assert office.device.way_of(link) is None
    office << Received(link, Ping(1))
    assert office.sent(link) == [], "a closed link is not listened to"
    return str(closing.reason)
