"""What a detailed log says beside the events: each message to another device, and each file that is moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from p2psync.engine.effects import (
    Effect,
    Fetch,
    HoldBack,
    KeepVersion,
    Merge,
    OfferContent,
    Place,
    PushContents,
    Rescan,
    Send,
    StreamFile,
)

Line = tuple[str, Mapping[str, object]]
"""A fixed name, and facts."""


def details(effect: Effect) -> Iterator[Line]:
    """The lines about one effect; none for what is an event of its own."""
    match effect:
        case Send(link, message):
            yield "detail.send", {"link": link, "message": type(message).__name__}
        case Fetch(mandate, wanted):
            for one in wanted:
                yield "detail.fetch", {"mandate": mandate, "path": one.path, "size": one.size, "content": one.content}
        case PushContents(mandate, contents):
            yield "detail.push", {"mandate": mandate, "contents": len(contents)}
        case OfferContent(mandate, path, content):
            yield "detail.offer", {"mandate": mandate, "path": path, "content": content}
        case StreamFile(mandate, path, length):
            yield "detail.stream", {"mandate": mandate, "path": path, "size": length}
        case Place(mandate, items):
            for item in items:
                size = item.put.size if item.put.content is not None else None
                facts = {"kind": item.put.kind.name.lower(), "size": size, "kept": item.keep_reason or None}
                yield "detail.place", {"mandate": mandate, "path": item.path, **facts}
        case KeepVersion(mandate, path, _, reason):
            yield "detail.keep", {"mandate": mandate, "path": path, "reason": reason}
        case Merge(mandate, path, sources):
            yield "detail.merge", {"mandate": mandate, "path": path, "sources": len(sources)}
        case HoldBack(mandate, link):
            yield "detail.hold-back", {"mandate": mandate, "link": link}
        case Rescan(mandate, paths):
            yield "detail.rescan", {"mandate": mandate, "paths": len(paths) or "all"}
