"""How files are cut that tests make up."""

from __future__ import annotations

from p2psync.core.chunking import Chunker, Manifest, Span
from p2psync.core.ids import content_of


def cut(data: bytes) -> list[Span]:
    chunker = Chunker(len(data))
    return [*chunker.feed(data), *chunker.finish()]


def manifest_of(data: bytes) -> Manifest:
    return Manifest.of(content_of(data), cut(data))
