"""A big file that comes in pieces, in tests."""

from __future__ import annotations

from random import Random

from p2psync.core.chunking import Layout
from p2psync.core.ids import content_of
from p2psync.core.relpath import RelPath
from p2psync.engine.effects import Wanted
from p2psync.wire.messages import RESPONSE_DATA_BYTES_MAX, Ahead
from tests.core.cutting import cut
from tests.daemon.patience import until
from tests.daemon.peers import MANDATE, Device, World

DATA = Random(1).randbytes(6 * RESPONSE_DATA_BYTES_MAX)
BIG = RelPath("big")
CONTENT = content_of(DATA)
WANTED = Wanted(CONTENT, len(DATA), BIG)


def two(w: World) -> tuple[Device, Device, int]:
    """Of two devices the first one reads a big file."""
    a, b = w.device("a"), w.device("b")
    a.shelf.save("big", DATA)
    a.shelf.contents.note_cut(CONTENT, Layout(cut(DATA)), None)
    return a, b, w.join(a, b)


def ahead(number: int, data: bytes = DATA, path: str = "big") -> Ahead:
    at = number * RESPONSE_DATA_BYTES_MAX
    return Ahead(MANDATE, path, len(data), at, data[at : at + RESPONSE_DATA_BYTES_MAX])


async def until_written(device: Device, count: int) -> None:
    """So many pieces are on its disk."""

    def is_written() -> bool:
        sizes = [path.stat().st_size for path in device.shelf.staging.root.iterdir()]
        return sizes == [count * RESPONSE_DATA_BYTES_MAX]

    await until(is_written, f"{count} pieces came")


def asked(device: Device) -> int:
    """For chunks of how many bytes it was asked."""
    spans = cut(DATA)
    return sum(spans[index].size for request in device.requests for index in request.chunks)


def staged(device: Device) -> list[str]:
    return [path.name for path in device.shelf.staging.root.iterdir()]
