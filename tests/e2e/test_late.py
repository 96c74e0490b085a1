"""A program that holds a file open while another version takes its place writes an edit, for all to see."""

from __future__ import annotations

from pathlib import Path

from blake3 import blake3

from tests.e2e.pc import agree, company, until
from tests.lab import Lab, requires_lab

pytestmark = requires_lab


def test_what_a_program_writes_into_a_replaced_file_reaches_the_others(lab: Lab, tmp_path: Path) -> None:
    with company(lab, tmp_path, "payroll") as (a, b):
        a.save("letter.txt", "as it was")
        agree(a, b)
        with (b.folder / "letter.txt").open("r+b") as program:
            a.save("letter.txt", "by a")
            b.has("letter.txt", "by a")
            program.seek(0, 2)
            program.write(b", and more by b")
            program.flush()
            for pc in (a, b):
                until(lambda pc=pc: pc.status()["conflicts"] == 1, f"{pc} knows of both versions")  # type: ignore[misc]
            agree(a, b)
        both = {b"by a", b"as it was, and more by b"}
        stands = a.read("letter.txt")
        assert stands in both
        [lost] = both - {stands}
        digits = blake3(lost).hexdigest()
        for pc in (a, b):
            assert (pc.folder / ".p2psync" / "versions" / digits[:2] / digits[2:]).read_bytes() == lost
