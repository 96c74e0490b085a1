"""How big files were cut that were met lately: at hand for whoever asks for their chunks, and what is new in them.

Written to the `Cuts` that last longer only when there is time: somebody waits for the file just now.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from p2psync.core.chunking import Layout, Manifest, Span, Stretch
from p2psync.core.difference import encode_difference
from p2psync.core.ids import ContentId
from p2psync.core.value import value
from p2psync.fs.reuse import Cuts

CHUNKS_CACHED_MAX = 400_000
"""Over all manifests kept in memory, about 50 MB; the last one stays whatever its size."""
CHUNKS_FRESH_MAX = 80_000
"""Over those that nobody asked for yet, about 15 MB until this device is at rest."""
DIFFERENCES_MAX = 16
STRETCHED_MAX = 16
"""Files of which it is known what is recognised together, about 100 KB each."""


@value
class Cut:
    """A manifest, and where each of its chunks lies."""

    manifest: Manifest
    spans: Sequence[Span]


class CutMemory:
    """Of one mandate; for any thread."""

    def __init__(self, lasting: Cuts) -> None:
        self._lasting = lasting
        self._asked: OrderedDict[ContentId, Cut] = OrderedDict()
        self._fresh: OrderedDict[ContentId, Sequence[Span]] = OrderedDict()
        self._stretches: OrderedDict[ContentId, Sequence[Stretch]] = OrderedDict()
        self._unsaved: dict[ContentId, Sequence[Span]] = {}
        self._differences: OrderedDict[tuple[ContentId, ContentId], bytes | None] = OrderedDict()
        """Of what to which version before."""
        self._lock = threading.Lock()

    def at_hand(self, content: ContentId) -> Cut | None:
        """None if it is not in memory: nothing is read for it."""
        with self._lock:
            cut = self._asked.get(content)
            if cut is not None:
                self._asked.move_to_end(content)
                return cut
            spans = self._fresh.get(content)
        if spans is None:
            return None
        cut = Cut(Manifest.of(content, spans), spans)
        self.add(cut)
        with self._lock:  # not before: others who ask for it at the same time would cut the file
            self._fresh.pop(content, None)
        return cut

    def spans(self, content: ContentId) -> Sequence[Span]:
        """The same without a manifest; none if it is not at hand."""
        with self._lock:
            cut = self._asked.get(content)
            return cut.spans if cut is not None else self._fresh.get(content, ())

    def layout(self, content: ContentId) -> Layout:
        """The same with what is recognised together, as far as this device read it."""
        spans = self.spans(content)
        with self._lock:
            return Layout(spans, self._stretches.get(content, ()) if spans else ())

    def latest(self, fits: Callable[[ContentId], bool]) -> Sequence[Span]:
        """Of the contents that fit, how the one was cut that was asked for last; none if there is no such."""
        with self._lock:
            return next((cut.spans for content, cut in reversed(self._asked.items()) if fits(content)), ())

    def add(self, cut: Cut) -> None:
        """Somebody asks for its chunks, or will."""
        with self._lock:
            self._asked[cut.manifest.content] = cut
            self._asked.move_to_end(cut.manifest.content)
            while len(self._asked) > 1 and sum(len(one.spans) for one in self._asked.values()) > CHUNKS_CACHED_MAX:
                self._asked.popitem(last=False)
        self.note(cut.manifest.content, cut.spans)

    def add_fresh(self, content: ContentId, layout: Layout, before: ContentId | None) -> None:
        """A file was cut while it was read for another reason: peers that hear of it ask for its manifest soon.

        `before`: what it held before, if anything; they may be told what is new.
        """
        spans_before = self.spans(before) if before is not None and before != content else ()
        if before is not None and spans_before:
            difference = encode_difference(layout.spans, spans_before)
            with self._lock:
                self._differences[content, before] = difference
                if len(self._differences) > DIFFERENCES_MAX:
                    self._differences.popitem(last=False)
        self.note(content, layout.spans)
        with self._lock:
            self._fresh[content] = layout.spans
            self._stretches[content] = layout.stretches
            self._stretches.move_to_end(content)
            if len(self._stretches) > STRETCHED_MAX:
                self._stretches.popitem(last=False)
            while sum(map(len, self._fresh.values())) > CHUNKS_FRESH_MAX:
                self._fresh.popitem(last=False)

    def difference(self, content: ContentId, before: ContentId) -> bytes | None:
        """What is new in a big file that was read just now, see `core.difference`; None if that is not known.

        Each time it was read, it is told once.
        """
        with self._lock:
            return self._differences.pop((content, before), None)

    def note(self, content: ContentId, spans: Sequence[Span]) -> None:
        """To be remembered for longer."""
        with self._lock:
            self._unsaved[content] = spans
            is_much = sum(map(len, self._unsaved.values())) > CHUNKS_FRESH_MAX
        if is_much:
            self.save()

    def save(self) -> bool:
        """What was met lately is remembered for longer than this object lives; whether there was anything."""
        with self._lock:
            unsaved, self._unsaved = self._unsaved, {}
        for content, spans in unsaved.items():
            self._lasting.put(content, spans)
        return bool(unsaved)

    def let_go(self) -> None:
        """Nobody asked for what is fresh so far: keep it no longer."""
        self.save()
        with self._lock:
            self._fresh.clear()
