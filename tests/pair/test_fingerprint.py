"""Fingerprints: short, stable, and different for different devices."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.ids import DeviceId
from p2psync.pair.fingerprint import device_fingerprint, pair_fingerprint

DEVICES = st.binary(min_size=32, max_size=32).map(DeviceId)
A, B = DeviceId(b"a" * 32), DeviceId(b"b" * 32)


def test_a_fingerprint_never_changes_between_versions() -> None:
    """Somebody may have written it down."""
    assert device_fingerprint(A) == "MX2E-XDXV-WZ41-2C3K"
    assert pair_fingerprint(A, B) == "1ZNX-FBYY-GJPH-MQRW-N372-MSR0"


@given(DEVICES, DEVICES)
def test_both_screens_of_a_pair_show_the_same(one: DeviceId, other: DeviceId) -> None:
    assert pair_fingerprint(one, other) == pair_fingerprint(other, one)
    assert re.fullmatch(r"([0-9A-Z]{4}-){5}[0-9A-Z]{4}", pair_fingerprint(one, other))


@given(DEVICES, DEVICES)
def test_different_devices_show_different_fingerprints(one: DeviceId, other: DeviceId) -> None:
    assert (device_fingerprint(one) == device_fingerprint(other)) is (one == other)
    assert re.fullmatch(r"([0-9A-Z]{4}-){3}[0-9A-Z]{4}", device_fingerprint(one))


def test_a_pair_has_another_fingerprint_than_its_devices() -> None:
    assert not pair_fingerprint(A, A).startswith(device_fingerprint(A))
    assert pair_fingerprint(A, A) != pair_fingerprint(A, B)
