"""Files as bookkeeping programs write them, whole and in the middle of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.books.completeness import HEAD_BYTES, TAIL_BYTES, Completeness, completeness, suffix_of
from p2psync.core.relpath import RelPath

CRP = b"MAJREV=9\r\nDATEBEG=01.01.2025\r\nTITLE=Cargo\r\nBEGIN=COMPTES\r\nENTRY\r\nNUM=1000\r\nEND=COMPTES\r\nENDOFFILE"
ECC = b"#FSC\t9.3\tECC\r\n#ECF\t1; 05/01/2025 09:00:00; Cargo.ecf; 1\r\n#END\r\n"
ECF = b"#FSC\t9.5.0\tECF\r\n#ECC\t1; 1; 05.01.2025 09:00:00; 1\r\n05.01.2025\t1100\t3000\tF-001\tM\xfcller\t108.10\r\n"

WHOLE, TORN, OPEN = Completeness.WHOLE, Completeness.TORN, Completeness.OPEN


def judge(name: str, content: bytes) -> Completeness:
    return completeness(RelPath(name), content[:HEAD_BYTES], content[-TAIL_BYTES:])


@pytest.mark.parametrize(
    ("name", "content", "verdict"),
    [
        ("a.crp", CRP, WHOLE),
        ("a.crp", CRP + b"\r\n", WHOLE),
        ("2025/A.CRP", CRP, WHOLE),
        ("a.crp", CRP[:-3], TORN),
        ("a.crp", CRP[:12], TORN),
        ("a.crp", b"", TORN),
        ("a.crp", b"\xef\xbb\xbf" + CRP, WHOLE),
        ("a.crp", b"lorem ipsum", OPEN),
        ("a.ecc", ECC, WHOLE),
        ("a.ecc", ECC.rstrip(), WHOLE),
        ("a.ecc", ECC.replace(b"#END\r\n", b""), TORN),
        ("a.ecc", ECC.replace(b"#END", b"#EN"), TORN),
        ("a.ecc", ECC.replace(b"\r\n#END", b"#END"), TORN),
        ("a.ecc", b"", TORN),
        ("a.ecc", b"lorem ipsum", OPEN),
        ("a.ecf", ECF, OPEN),
        ("a.ecs", ECF, OPEN),
        ("a.ecassets", ECF[:-2], TORN),
        ("a.ecf", ECF[:-1], TORN),
        ("a.ecf", ECF[:-9], TORN),
        ("a.ecf", b"", TORN),
        ("a.ecf", b"lorem ipsum", OPEN),
        ("a.txt", b"", OPEN),
        ("crp", CRP[:20], OPEN),
        ("a.crp/b", CRP[:20], OPEN),
    ],
)
def test_a_file_is_whole_when_it_ends_as_its_kind_must(name: str, content: bytes, verdict: Completeness) -> None:
    assert judge(name, content) is verdict


@given(st.integers(min_value=8, max_value=len(CRP) - 1))
def test_no_beginning_of_a_master_file_passes_for_whole(length: int) -> None:
    assert judge("a.crp", CRP[:length]) is TORN


@given(st.integers(min_value=0, max_value=len(ECC) - len(b"END\r\n") - 1))
def test_no_beginning_of_an_index_passes_for_whole(length: int) -> None:
    assert judge("a.ecc", ECC[:length]) is TORN


@pytest.mark.parametrize(
    ("path", "suffix"),
    [("a.CRP", ".crp"), ("a.b/c", ""), ("x/.ecf", ".ecf"), ("a (1 ~ 2).ecf", ".ecf"), ("a.", ".")],
)
def test_the_suffix_is_that_of_the_name_in_lower_case(path: str, suffix: str) -> None:
    assert suffix_of(RelPath(path)) == suffix
