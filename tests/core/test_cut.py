"""A cut tells those who may read a log where it was cut, and the others nothing about it."""

from __future__ import annotations

from random import Random

from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.clock import Tip
from p2psync.core.cut import NONCE_BYTES, SEALED_TIPS_MAX, Cut, cut_of
from p2psync.core.ids import LogId
from p2psync.core.statement import Revoke, pack_statements, unpack_statements
from tests.core.making import ANNA, digest, tips

OPEN, ONE, TWO = (LogId(name * 16) for name in (b"o", b"1", b"2"))
TIPS = {OPEN: (Tip(3, digest("open")),)}
RESTRICTED = {ONE: (Tip(5, digest("one")),), TWO: (Tip(1, digest("two")), Tip(2, digest("two's branch")))}

logs = st.binary(min_size=16, max_size=16).map(LogId)
many = st.dictionaries(
    logs, st.lists(tips, min_size=1, max_size=16, unique=True).map(lambda t: tuple(sorted(t))), max_size=4
)


@given(many, many, st.randoms(use_true_random=False))
def test_who_knows_a_log_reads_its_tips(
    open_: dict[LogId, tuple[Tip, ...]], restricted: dict[LogId, tuple[Tip, ...]], rng: Random
) -> None:
    cut = cut_of(open_, restricted, rng)
    for log, its in {**restricted, **open_}.items():
        assert cut.of(log) == its
    assert len(cut.sealed) == len(restricted)


def test_a_log_with_many_branches_is_sealed_in_parts_that_fit_a_statement() -> None:
    branches = tuple(sorted(Tip(seq, digest(str(seq))) for seq in range(1, 2 * SEALED_TIPS_MAX + 2)))
    cut = cut_of({}, {ONE: branches, TWO: RESTRICTED[TWO]}, Random(1))
    assert (cut.of(ONE), cut.of(TWO)) == (branches, RESTRICTED[TWO])
    assert len(cut.sealed) == 4
    assert unpack_statements(pack_statements((Revoke(ANNA, cut),))) == (Revoke(ANNA, cut),)


def test_a_log_that_is_not_named_has_no_tips() -> None:
    assert cut_of(TIPS, RESTRICTED, Random(1)).of(LogId(b"x" * 16)) == ()
    assert Cut().of(OPEN) == ()


def test_nothing_of_a_restricted_log_can_be_read_or_recognised() -> None:
    first, second = cut_of(TIPS, RESTRICTED, Random(1)), cut_of(TIPS, RESTRICTED, Random(2))
    assert first.tips == second.tips == TIPS
    shown = b"".join(first.sealed)
    for log, its in RESTRICTED.items():
        assert shown.count(log) == 0
        assert all(shown.count(tip.hash) == 0 for tip in its)
    assert not set(first.sealed) & set(second.sealed), "not even whether the log has grown"


def test_the_order_says_nothing() -> None:
    cut = cut_of({}, RESTRICTED, Random(3))
    assert list(cut.sealed) == sorted(cut.sealed)


@given(st.binary(max_size=100), st.data())
def test_what_is_damaged_names_no_log(noise: bytes, data: st.DataObject) -> None:
    [sealed] = cut_of({}, {ONE: RESTRICTED[ONE]}, Random(1)).sealed
    at = data.draw(st.integers(0, len(sealed) - 1))
    flipped = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
    for wrong in (noise, flipped, sealed[:NONCE_BYTES], sealed[:-1], b""):
        assert Cut({}, (wrong,)).of(ONE) == ()


def test_what_was_sealed_wrongly_names_no_log() -> None:
    key = blake3(ONE, derive_key_context="p2psync the tips of a restricted log in a cut, version 1").digest()
    nonce = bytes(NONCE_BYTES)
    tip = (7).to_bytes(8, "big") + digest("seven")
    good, short = (nonce + ChaCha20Poly1305(key).encrypt(nonce, plain, None) for plain in (tip, tip[:-1]))
    assert Cut({}, (good,)).of(ONE) == (Tip(7, digest("seven")),)
    assert Cut({}, (short,)).of(ONE) == ()
