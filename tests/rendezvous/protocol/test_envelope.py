"""What members write to each other can be read by the holders of the secret, and altered or moved by nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.block import verify_ed25519
from p2psync.errors import CodecError, SignatureInvalid
from p2psync.rendezvous.protocol.envelope import (
    BODY_BYTES_MAX,
    ENVELOPE_BYTES_MAX,
    Kind,
    Letter,
    Recipient,
    seal,
    unseal,
)
from p2psync.rendezvous.protocol.topics import topics_at
from tests.rendezvous.people import ALICE, BOB, MALLORY, NOW_S, ROOM, SECRET

TOPIC, OTHER_TOPIC = topics_at(SECRET, NOW_S)
NONCE = b"n" * 12
HELLO = Letter(ALICE.device, b"a" * 16, 1, None, Kind.HELLO)
OFFER = Letter(ALICE.device, b"a" * 16, 7, Recipient(BOB.device, b"b" * 16), Kind.OFFER, b"v=0")


def envelope(letter: Letter) -> bytes:
    return seal(letter, ROOM, TOPIC, SECRET, ALICE.sign, NONCE)


@pytest.mark.parametrize("letter", [HELLO, OFFER, replace(OFFER, body=bytes(BODY_BYTES_MAX))])
def test_a_letter_arrives_as_it_was_written(letter: Letter) -> None:
    opened = unseal(envelope(letter), ROOM, TOPIC, SECRET)
    assert opened.letter == letter
    opened.verify(verify_ed25519)
    assert len(envelope(letter)) <= ENVELOPE_BYTES_MAX


def test_nothing_in_an_envelope_is_plain() -> None:
    sealed = envelope(replace(OFFER, body=b"Cargo 2025.crp" * 20))
    for known in (ALICE.device, BOB.device, ROOM, SECRET, b"a" * 8, b"b" * 8, b"Cargo"):
        assert known not in sealed


@given(st.integers(0, len(envelope(OFFER)) * 8 - 1))
def test_no_bit_can_be_changed(bit: int) -> None:
    altered = bytearray(envelope(OFFER))
    altered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CodecError):
        unseal(bytes(altered), ROOM, TOPIC, SECRET)


@given(st.binary(max_size=ENVELOPE_BYTES_MAX + 10))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(CodecError):
        unseal(noise, ROOM, TOPIC, SECRET)


def test_it_can_be_read_in_its_topic_and_with_its_secret_only() -> None:
    for topic, secret in [(OTHER_TOPIC, SECRET), (TOPIC, b"x" * 32)]:
        with pytest.raises(CodecError):
            unseal(envelope(OFFER), ROOM, topic, secret)


def test_a_member_cannot_speak_for_another() -> None:
    forged = seal(OFFER, ROOM, TOPIC, SECRET, MALLORY.sign, NONCE)
    with pytest.raises(SignatureInvalid):
        unseal(forged, ROOM, TOPIC, SECRET).verify(verify_ed25519)


def test_a_member_cannot_say_it_again_elsewhere() -> None:
    """Sealed anew by a holder of the secret, for another day or another room: its signature does not fit."""
    for room, topic in [(ROOM, OTHER_TOPIC), (b"o" * 16, TOPIC), (b"m" * 8, TOPIC)]:
        moved = seal(OFFER, room, topic, SECRET, lambda _signed: ALICE.sign(_signed_in_its_place()), NONCE)
        with pytest.raises(SignatureInvalid):
            unseal(moved, room, topic, SECRET).verify(verify_ed25519)


def _signed_in_its_place() -> bytes:
    """What Alice signed when she wrote the offer."""
    return unseal(envelope(OFFER), ROOM, TOPIC, SECRET).signed


def test_a_letter_that_is_too_long_is_a_mistake_here() -> None:
    with pytest.raises(ValueError, match="bytes"):
        envelope(replace(OFFER, body=bytes(BODY_BYTES_MAX + 1)))


@given(st.binary(max_size=200))
def test_what_a_holder_of_the_secret_seals_is_looked_at_closely(packed: bytes) -> None:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    from p2psync.rendezvous.protocol.topics import sealing_key

    sealed = NONCE + ChaCha20Poly1305(sealing_key(SECRET, TOPIC)).encrypt(NONCE, b"0" * 64 + packed, TOPIC)
    with pytest.raises(CodecError):
        unseal(sealed, ROOM, TOPIC, SECRET)
