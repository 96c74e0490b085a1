"""What happens to files: cut off, overwritten in the middle, lines lost, doubled, swapped, edited."""

from __future__ import annotations

from hypothesis import strategies as st

BITS = st.sampled_from(
    [b"\t", b"\r", b"\n", b"\r\r\n", b"=", b"#", b";", b"\xff", b"ENTRY\r\n", b"NUM=\r\n", b"<", b'"']
)


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """The file after up to three mishaps."""
    for _ in range(draw(st.integers(0, 3))):
        data = draw(st.sampled_from([_cut, _overwritten, _inserted, _lines]))(draw, data)
    return data


def _cut(draw: st.DrawFn, data: bytes) -> bytes:
    return data[: draw(st.integers(0, len(data)))]


def _overwritten(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    new = draw(st.binary(max_size=8))
    return data[:at] + new + data[at + len(new) :]


def _inserted(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    return data[:at] + draw(BITS) + data[at:]


def _lines(draw: st.DrawFn, data: bytes) -> bytes:
    """Some lines are lost, doubled or somewhere else."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    at, to = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines)))
    line = lines.pop(at) if draw(st.booleans()) else lines[at]
    if draw(st.booleans()):
        lines.insert(to, line)
    return b"".join(lines)
