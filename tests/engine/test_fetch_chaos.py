"""Whatever peers and the disk do, in whatever order: each content is reported once, and nothing stays in hand."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.ids import ContentId
from p2psync.core.relpath import RelPath
from p2psync.engine.effects import Send, Wanted
from p2psync.engine.fetch import IN_HAND_BYTES_MAX, Fetcher
from p2psync.engine.lanes import WINDOW_REQUESTS
from p2psync.engine.orders import Begin, Done, Drop, Failed, Finish, Misbehaved, Output, Piece, Stage, Write
from p2psync.wire.messages import HOLDS_ALL, RESPONSE_DATA_BYTES_MAX, Request, What
from tests.engine.test_fetch import BIG, M, answer, cid


class Chaos:
    """Peers and a disk that do anything they may do, in any order."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.fetcher = Fetcher(Random(0))
        self.now = 0.0
        self.waiting: list[Output] = []
        self.reported: Counter[ContentId] = Counter()
        self.sizes = {cid(n): self.random.choice([0, 4, 1000, BIG, BIG * 2]) for n in range(30)}
        self.links = [1, 2, 3]

    def run(self) -> None:
        for link in self.links:
            self.take(self.fetcher.peer_joined(link, M, self.now))
        for lane in range(10, 10 + self.random.randrange(5)):
            self.take(self.fetcher.peer_joined(lane, M, self.now, lane_of=1))
        self.take(self.fetcher.want(M, [Wanted(c, size, RelPath("f")) for c, size in self.sizes.items()], self.now))
        for _ in range(3000):
            if not self.waiting:
                deadline = self.fetcher.deadline_s()
                if deadline is None:
                    return
                self.now = deadline
                self.take(self.fetcher.tick(self.now))
            else:
                self.take(self.step(self.waiting.pop(self.random.randrange(len(self.waiting)))))
        raise AssertionError("it does not end")

    def take(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Done | Failed):
                self.reported.update(output.contents)
            elif isinstance(output, Misbehaved):
                self.take(self.fetcher.peer_left(output.link, M, self.now))
            elif not isinstance(output, Drop):
                self.waiting.append(output)
        self.check()

    def check(self) -> None:
        for peer in self.fetcher._peers.values():
            by_kind = Counter(asked.what for asked in peer.asked.values())
            assert max(by_kind.values(), default=0) <= WINDOW_REQUESTS
        assert 0 <= self.fetcher._in_hand <= IN_HAND_BYTES_MAX + 4 * RESPONSE_DATA_BYTES_MAX

    def step(self, output: Output) -> list[Output]:
        chance = self.random.random()
        match output:
            case Send(link, Request() as request):
                if chance < 0.05:
                    return self.fetcher.peer_left(link, M, self.now)
                return self.answers(link, request) if chance < 0.9 else []
            case Stage():
                bad = {content for content, _ in output.files if self.random.random() < 0.02}
                return self.fetcher.staged(output, bad, self.now)
            case Begin():
                pieces = tuple(Piece((2 * n, 2 * n + 1), 400_000) for n in range(self.random.randrange(6)))
                return self.fetcher.begun(output, pieces if chance < 0.9 else None, self.now, chance > 0.95)
            case Write():
                bad_chunks = {index for index in output.chunks if self.random.random() < 0.02}
                return self.fetcher.written(output, bad_chunks, self.now)
            case Finish():
                return self.fetcher.finished(output, chance < 0.95, self.now)
        return []

    def answers(self, link: int, request: Request) -> list[Output]:
        outputs: list[Output] = []
        count = len(request.chunks) if request.what is What.CHUNK else len(request.contents)
        for first in range(count):
            data: bytes | None = bytes(10)
            if request.what is What.CONTENT:
                data = bytes(self.sizes[request.contents[first]])
            if request.what is What.HOLDING:
                data = self.random.choice([HOLDS_ALL, self.random.randbytes(4)])
            if self.random.random() < 0.1:
                data = None
            last = first == count - 1
            outputs += self.fetcher.response(link, answer(request, data, first=first, last=last), self.now)
        return outputs


@given(st.integers(0, 1 << 32))
def test_every_content_is_reported_exactly_once_and_nothing_stays_in_hand(seed: int) -> None:
    chaos = Chaos(seed)
    chaos.run()
    assert chaos.reported == Counter(dict.fromkeys(chaos.sizes, 1))
    assert chaos.fetcher._in_hand == 0
