"""Which content is asked of which peer, and when: many small files per request, a big file from all peers at once.

A `Fetcher` is told what is wanted, who is there and what arrived, and returns what to do: `Send` a Request, hand
bytes to the disk (`Stage`, `Begin`, `Write`, `Finish`, `Drop`), or report (`Done`, `Failed`, `Misbehaved`). The
disk verifies everything and says so by `staged`, `begun`, `written`, `finished` or `broken`. Compartments share
nothing but a link's windows. Nothing here waits: `tick` is due at `deadline_s`.

A small file goes queued -> asked -> staging; a big one: manifest asked -> beginning -> its pieces asked and
written, each of one peer -> finished. What a peer does not have, or does not answer in time, goes back to its
queue with that peer marked as tried, and fails when every peer is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from math import inf
from random import Random

from p2psync.core.chunking import manifest_bytes_max
from p2psync.core.ids import ContentId, MandateId
from p2psync.engine.asking import Asking
from p2psync.engine.effects import Send, Wanted
from p2psync.engine.lanes import Asked, BigFile, Item, Pace, Peer, Unpaced, Wants, may_ask
from p2psync.engine.orders import (
    Begin,
    Compartment,
    Done,
    Drop,
    Failed,
    Finish,
    Misbehaved,
    Output,
    Piece,
    Stage,
    Write,
)
from p2psync.engine.queues import Queue
from p2psync.wire.messages import RESPONSE_DATA_BYTES_MAX, Request, Response, What

IN_HAND_BYTES_MAX = 16 << 20
"""Asked for, or arrived and not yet on the disk, over all links."""


class Fetcher:
    """The fetching of one device, over all its links and compartments."""

    def __init__(self, random: Random, pace: Pace | None = None) -> None:
        """`random` must not be the same on two devices: it keeps those that fetch at the same time apart."""
        self._pace = pace if pace is not None else Unpaced()
        self._asking = Asking(random, self._pace)
        self._compartments: dict[Compartment, Wants] = {}
        self._peers: dict[int, Peer] = {}
        self._now = -inf
        """When it was told something last."""
        self._in_hand = 0
        self._last_number = 0
        self._attempts = 0
        self._out: list[Output] = []

    def want(self, compartment: Compartment, wanted: Iterable[Wanted], now: float) -> list[Output]:
        """Contents already under way are not taken up twice."""
        wants = self._wants(compartment)
        for one in wanted:
            if one.content in wants.items:
                wants.items[one.content].wanted = True
            else:
                item = wants.items[one.content] = Item(one.content, one.size)
                (wants.big if item.size > RESPONSE_DATA_BYTES_MAX else wants.small).push(item)
        return self._advance(now)

    def offered(self, begin: Begin, size: int) -> list[Output]:
        """A peer gives unasked how a big file is cut that may soon be wanted; left alone where enough is under way."""
        wants = self._wants(begin.compartment)
        if begin.content in wants.items or not wants.has_room_for_big or begin.link not in wants.links:
            return []
        wants.items[begin.content] = Item(begin.content, size, wanted=False)
        wants.beginning.add(begin.content)
        self._in_hand += len(begin.manifest)
        return [begin]

    def peer_joined(self, link: int, compartment: Compartment, now: float, lane_of: int | None = None) -> list[Output]:
        """A link can be asked for a compartment's contents, or a lane of a link that can be asked for them."""
        peer = self._peers.get(link) or self._add(link, lane_of, now)
        if compartment not in peer.compartments and not peer.banned:
            peer.compartments.append(compartment)
            self._wants(compartment).links.add(peer.giver)
        return self._advance(now)

    def _add(self, link: int, lane_of: int | None, now: float) -> Peer:
        main = self._peers[lane_of] if lane_of is not None else None
        peer = self._peers[link] = Peer(link, now, main)
        if main is not None:
            main.lanes += 1
        return peer

    def peer_left(self, link: int, compartment: Compartment, now: float) -> list[Output]:
        """What was asked there is asked elsewhere."""
        peer = self._peers.get(link)
        if peer is None or compartment not in peer.compartments:
            return []
        if link == peer.giver:
            self._wants(compartment).links.discard(link)
        for asked in [asked for asked in peer.asked.values() if asked.compartment == compartment]:
            self._take_back(peer, asked)
        peer.compartments.remove(compartment)
        if not peer.compartments:
            del self._peers[link]
            if peer.lane_of is not None:
                peer.lane_of.lanes -= 1
        return self._advance(now)

    def drain(self, link: int) -> None:
        """Nothing more is asked there; what was asked is waited for."""
        for peer in self._group(link):
            peer.draining = True

    def is_owed(self, link: int) -> bool:
        """Whether answers are to come on a link."""
        return any(peer.asked for peer in self._group(link))

    def _group(self, link: int) -> list[Peer]:
        """A link and its lanes."""
        return [peer for peer in self._peers.values() if peer.giver == link]

    def knows(self, link: int) -> bool:
        """True while a link can be asked for any compartment."""
        return link in self._peers

    def is_hungry(self, link: int) -> bool:
        """Whether more is wanted than this link and its lanes may owe, though this disk keeps up."""
        peer = self._peers.get(link)
        if peer is None or peer.banned or self._in_hand >= IN_HAND_BYTES_MAX:
            return False
        return any(self._wants(compartment).has_for(link) for compartment in peer.compartments)

    def awaits(self, link: int, number: int) -> bool:
        """Whether a Request of this number is open on the link."""
        peer = self._peers.get(link)
        return peer is not None and number in peer.asked

    def response(self, link: int, message: Response, now: float) -> list[Output]:
        """Answers to what was never asked, or was given up meanwhile, are passed over."""
        peer = self._peers.get(link)
        asked = peer.asked.get(message.number) if peer is not None else None
        if peer is None or asked is None:
            return []
        peer.heard_s = now
        if asked.fits(message):
            self._accept(peer, asked, message, now)
        else:
            self._ban(peer.giver, "an answer that does not fit what was asked")
        return self._advance(now)

    def staged(self, stage: Stage, bad: Collection[ContentId], now: float) -> list[Output]:
        """The disk took a Stage, except what did not verify."""
        wants = self._wants(stage.compartment)
        self._in_hand -= sum(len(data) for _, data in stage.files)
        done = []
        for content, _ in stage.files:
            item = wants.items.get(content)
            if item is None or not item.staging:
                continue
            item.staging = False
            if content in bad:
                _push(wants.small, item, stage.link)
            else:
                del wants.items[content]
                done.append(content)
        if done:
            self._out.append(Done(stage.compartment, tuple(done)))
        if bad:
            self._ban(stage.link, "bytes that are not the content that was asked for")
        return self._advance(now)

    def begun(self, begin: Begin, pieces: Sequence[Piece] | None, now: float, malformed: bool = False) -> list[Output]:
        """The disk took up a big file and lacks these pieces; None if this manifest cannot be used.

        `malformed` says that no honest peer sends such a manifest.
        """
        wants = self._wants(begin.compartment)
        self._in_hand -= len(begin.manifest)
        wants.beginning.remove(begin.content)
        item = wants.items[begin.content]
        if pieces is None:
            if item.wanted:
                _push(wants.big, item, begin.link if begin.base is None else None)
            else:
                del wants.items[begin.content]
            if malformed:
                self._ban(begin.link, "a manifest that cannot be read")
        else:
            file = wants.files[item.content] = BigFile(item, begin.link, self._attempts)
            self._attempts += 1
            file.missing = sum(piece.size for piece in pieces)
            for piece in pieces:
                file.push(piece)
            self._finish_if_whole(begin.compartment, file)
        return self._advance(now)

    def written(self, write: Write, bad: Collection[int], now: float) -> list[Output]:
        """The disk wrote chunks, except those that do not fit the manifest."""
        sizes = dict(zip(write.chunks, map(len, write.data), strict=True))
        self._in_hand -= sum(sizes.values())
        file = self._wants(write.compartment).files.get(write.content)
        if file is None or file.attempt != write.attempt:
            return self._advance(now)
        file.open -= 1
        file.missing -= sum(size for index, size in sizes.items() if index not in bad)
        if bad:
            size = sum(sizes[index] for index in bad)
            file.push(Piece(tuple(sorted(bad)), size, write.tried | {write.link}))
        if bad and write.link == file.giver:  # from another peer it may be the giver's manifest that is wrong
            self._ban(write.link, "chunks that do not fit its own manifest")
        self._finish_if_whole(write.compartment, file)
        return self._advance(now)

    def finished(self, finish: Finish, whole: bool, now: float) -> list[Output]:
        """The disk verified a big file; if it is not what it should be, the giver of the manifest lied."""
        wants = self._wants(finish.compartment)
        file = wants.files.get(finish.content)
        if file is None or file.attempt != finish.attempt:
            return self._advance(now)
        del wants.files[finish.content]
        if whole:
            del wants.items[finish.content]
            self._out.append(Done(finish.compartment, (finish.content,)))
        else:
            _push(wants.big, file.item, file.giver)
            self._ban(file.giver, "a manifest of something else")
        return self._advance(now)

    def lacking(self, finish: Finish, pieces: Sequence[Piece], now: float) -> list[Output]:
        """Some of what the disk seemed to have of a big file it has not."""
        file = self._wants(finish.compartment).files.get(finish.content)
        if file is not None and file.attempt == finish.attempt:
            for piece in pieces:
                file.missing += piece.size
                file.push(piece)
        return self._advance(now)

    def broken(self, output: Stage | Begin | Write | Finish, now: float) -> list[Output]:
        """This device's disk failed at it, which is nobody else's fault: those contents fail."""
        contents = [content for content, _ in output.files] if isinstance(output, Stage) else [output.content]
        if isinstance(output, Stage):
            self._in_hand -= sum(len(data) for _, data in output.files)
        elif isinstance(output, Begin):
            self._in_hand -= len(output.manifest)
        elif isinstance(output, Write):
            self._in_hand -= sum(map(len, output.data))
        self._fail(output.compartment, contents)
        return self._advance(now)

    def arrived(self, mandate: MandateId) -> int:
        """Bytes of a mandate's big files that are here, though not the whole file is."""
        return sum(file.item.size - file.missing for file in self._files(mandate))

    def _files(self, mandate: MandateId | None = None) -> Iterator[BigFile]:
        """Those that are under way."""
        for compartment, wants in self._compartments.items():
            if mandate in (None, compartment.mandate):
                yield from wants.files.values()

    def tick(self, now: float) -> list[Output]:
        """Gives up on links that are silent for too long, and asks what it may ask."""
        for peer in self._peers.values():
            for asked in [asked for asked in peer.asked.values() if peer.due_s(asked) <= now]:
                self._take_back(peer, asked, tried=True)
        return self._advance(now)

    def deadline_s(self) -> float | None:
        """When `tick` is due; None while nothing is asked."""
        due = [peer.due_s(asked) for peer in self._peers.values() for asked in peer.asked.values()]
        due += [wake_s for file in self._files() if (wake_s := file.holdings.wake_s(self._now)) is not None]
        return min(due, default=None)

    def asked_chunks(self, compartment: Compartment, content: ContentId) -> list[int]:
        """Those of a big file that were asked for and have not come."""
        several = [asked for peer in self._peers.values() for asked in peer.asked.values()]
        return [index for asked in several if asked.is_of(compartment, content) for index in asked.chunks_to_come]

    # -- answers --------------------------------------------------------------------------------------------------

    def _accept(self, peer: Peer, asked: Asked, message: Response, now: float) -> None:
        asked.next += len(message.items)
        if asked.what is What.MANIFEST:
            self._accept_manifest(peer, asked, message)
            return
        if asked.what is What.HOLDING:
            self._accept_holding(peer, asked, message, now)
            return
        if asked.what is What.CONTENT:
            self._accept_files(peer, asked, message)
        else:
            self._accept_chunks(peer, asked, message)
        if message.last or asked.next == asked.count:
            self._take_back(peer, asked, tried=True)

    def _accept_files(self, peer: Peer, asked: Asked, message: Response) -> None:
        wants = self._wants(asked.compartment)
        files = []
        for item, data in zip(asked.items[message.first : asked.next], message.items, strict=True):
            self._in_hand -= peer.settle(asked, item.size)
            if data is None or len(data) != item.size:
                _push(wants.small, item, peer.giver)
            else:
                item.staging = True
                self._in_hand += item.size
                files.append((item.content, data))
        if files:
            self._out.append(Stage(asked.compartment, peer.giver, tuple(files)))

    def _accept_chunks(self, peer: Peer, asked: Asked, message: Response) -> None:
        file, piece = asked.file, asked.piece
        assert file is not None
        assert piece is not None
        answers = list(zip(piece.chunks[message.first : asked.next], message.items, strict=True))
        have = [(index, data) for index, data in answers if data is not None]
        lacking = tuple(index for index, data in answers if data is None)
        arrived = sum(len(data) for _, data in have)
        self._in_hand -= peer.settle(asked, arrived)
        if file.dropped:
            return
        if lacking:
            file.push(piece.part(lacking, peer.giver))
        if have:
            file.open += 1
            self._in_hand += arrived
            indexes, data = zip(*have, strict=True)
            content = file.item.content
            write = Write(asked.compartment, peer.giver, content, indexes, data, piece.tried, file.attempt)
            self._out.append(write)

    def _accept_manifest(self, peer: Peer, asked: Asked, message: Response) -> None:
        (item,) = asked.items
        asked.parts.extend(part for part in message.items if part is not None)
        size = sum(map(len, asked.parts))
        if None in message.items or size > manifest_bytes_max(item.size):
            self._take_back(peer, asked, tried=True)
        elif message.last:
            self._close(peer, asked)
            self._wants(asked.compartment).beginning.add(item.content)
            self._in_hand += size
            self._out.append(Begin(asked.compartment, peer.giver, item.content, b"".join(asked.parts)))

    def _accept_holding(self, peer: Peer, asked: Asked, message: Response, now: float) -> None:
        self._close(peer, asked)
        file = self._wants(asked.compartment).files.get(asked.items[0].content)
        if file is not None:
            file.holdings.learn(peer.giver, message.items[0] if message.items else None, now)

    def _take_back(self, peer: Peer, asked: Asked, tried: bool = False) -> None:
        """The Request is over; what it was not answered for goes back to its queue."""
        wants = self._wants(asked.compartment)
        self._close(peer, asked)
        if asked.file is not None and asked.piece is not None:
            rest = asked.piece.chunks[asked.next :]
            if rest and not asked.file.dropped:
                asked.file.push(asked.piece.part(rest, peer.giver if tried else None))
            self._finish_if_whole(asked.compartment, asked.file)
        elif asked.what is What.MANIFEST:
            _push(wants.big, asked.items[0], peer.giver if tried else None)
        elif asked.what is What.HOLDING:
            for file in wants.files.values():
                file.holdings.forget(peer.giver)
        else:
            for item in asked.items[asked.next :]:
                _push(wants.small, item, peer.giver if tried else None)

    def _close(self, peer: Peer, asked: Asked) -> None:
        self._in_hand -= peer.close(asked)
        if asked.what is What.MANIFEST:
            self._wants(asked.compartment).manifests_asked -= 1
        if asked.file is not None:
            asked.file.open -= 1

    def _finish_if_whole(self, compartment: Compartment, file: BigFile) -> None:
        if file.open == 0 and not file.dropped:
            self._out.append(Finish(compartment, file.item.content, file.attempt))

    # -- endings --------------------------------------------------------------------------------------------------

    def _ban(self, link: int, reason: str) -> None:
        known = [peer for peer in self._group(link) if not peer.banned]
        if not known:
            return
        self._out.append(Misbehaved(link, reason))
        for peer in known:
            peer.banned = True
            for compartment in peer.compartments:
                self._wants(compartment).links.discard(link)
            for asked in list(peer.asked.values()):
                self._take_back(peer, asked, tried=True)

    def _fail(self, compartment: Compartment, contents: Iterable[ContentId]) -> None:
        failed = tuple(content for content in contents if self._forget(compartment, content))
        if failed:
            self._out.append(Failed(compartment, failed))

    def _forget(self, compartment: Compartment, content: ContentId) -> bool:
        wants = self._wants(compartment)
        item = wants.items.pop(content, None)
        if item is None:
            return False
        wants.beginning.discard(content)
        file = wants.files.pop(content, None)
        if file is not None:
            file.dropped = True
            self._out.append(Drop(compartment, content))
        return True

    # -- asking ---------------------------------------------------------------------------------------------------

    def _advance(self, now: float) -> list[Output]:
        self._now = now
        for compartment, wants in self._compartments.items():
            hopeless = [item.content for queue in (wants.small, wants.big) for item in queue.pop_hopeless(wants.links)]
            hopeless += [content for content, file in wants.files.items() if file.todo.pop_hopeless(wants.links)]
            self._fail(compartment, hopeless)
        while any([self._ask_one(peer, now) for peer in list(self._peers.values())]):
            pass  # one request each in turn, so that no link takes everything
        out, self._out = self._out, []
        return out

    def _ask_one(self, peer: Peer, now: float) -> bool:
        """Small files go first; they have a window of their own, so that big ones still move."""
        if self._in_hand >= IN_HAND_BYTES_MAX or peer.banned:
            return False
        for what in (What.HOLDING, What.CONTENT, What.MANIFEST, What.CHUNK):
            if peer.room(what) <= 0 or not may_ask(self._pace, peer, what, self._peers.values()):
                continue
            for compartment in peer.turns():
                asked = self._asking.choose(peer, what, compartment, self._wants(compartment), now)
                if asked is not None:
                    self._ask(peer, asked)
                    return True
        return False

    def _ask(self, peer: Peer, asked: Asked) -> None:
        self._last_number += 1
        asked.number = self._last_number
        self._in_hand += asked.owed
        peer.add(asked)
        contents = tuple(item.content for item in asked.items)
        chunks = asked.piece.chunks if asked.piece is not None else ()
        mandate, file_class = asked.compartment
        self._out.append(Send(peer.link, Request(mandate, asked.number, asked.what, contents, chunks, file_class)))

    def _wants(self, compartment: Compartment) -> Wants:
        wants = self._compartments.get(compartment)
        if wants is None:
            wants = self._compartments[compartment] = Wants()
        return wants


def _push(queue: Queue[Item], item: Item, tried: int | None) -> None:
    """It is to be asked for again, of another link than `tried`."""
    if tried is not None:
        item.tried |= {tried}
    queue.push(item)
