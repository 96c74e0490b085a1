"""Fingerprints: short, stable, and different for different devices."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.ids import DeviceId
from p2psync.pair.fingerprint import device_fingerprint

DEVICES = st.binary(min_size=32, max_size=32).map(DeviceId)


def test_a_fingerprint_never_changes_between_versions() -> None:
    """Somebody may have written it down."""
    assert device_fingerprint(DeviceId(b"a" * 32)) == "MX2E-XDXV-WZ41-2C3K"


@given(DEVICES, DEVICES)
def test_different_devices_show_different_fingerprints(one: DeviceId, other: DeviceId) -> None:
    assert (device_fingerprint(one) == device_fingerprint(other)) is (one == other)
    assert re.fullmatch(r"([0-9A-Z]{4}-){3}[0-9A-Z]{4}", device_fingerprint(one))
