"""Names that people type: of mandates, of devices; and how times look."""

from __future__ import annotations

import pytest

from p2psync.core.block import TIME_MS_MAX
from p2psync.core.ids import DeviceId, device_text, mandate_text
from p2psync.core.rules import Role
from p2psync.daemon.operations.shapes import find_device, find_mandate, find_mandates, time_text
from p2psync.engine.admin import Founding
from p2psync.errors import UsageError
from tests.engine.village import Village

ONE, TWO = DeviceId(b"\x01" * 32), DeviceId(b"\x02" * 32)
KNOWN = [(ONE, "PC-Lohn"), (TWO, "Laptop"), (DeviceId(b"\x03" * 32), "Laptop")]


def test_a_mandate_is_found_by_name_id_or_the_beginning_of_an_id() -> None:
    device = Village("office")["office"].device
    (mandate,) = device.mandates.values()
    text = mandate_text(mandate.id)
    for named in ("Cargo", "cargo", text, text.upper(), text[:6]):
        assert find_mandate(device, named) is mandate
    for named in ("Carg", "", text[:2]):
        with pytest.raises(UsageError, match="mandate list"):
            find_mandate(device, named)


def test_a_name_that_several_mandates_have_is_not_enough() -> None:
    village = Village("office")
    device = village["office"].device
    device.act(village.now)
    other = device.create(Founding("Cargo", Role.ACCOUNTING, b"cert", "office"))
    with pytest.raises(UsageError, match=mandate_text(other)):
        find_mandate(device, "Cargo")
    assert find_mandate(device, mandate_text(other)).id == other
    assert len(find_mandates(device, "")) == 2


def test_a_device_is_found_by_the_beginning_of_its_id_or_by_its_name() -> None:
    text = device_text(ONE)
    for named in (text, text.lower(), text.replace("-", ""), text[:4], "PC-Lohn"):
        assert find_device(KNOWN, named) == ONE


@pytest.mark.parametrize(
    ("named", "sentence"), [("Laptop", "several devices"), ("ZZ", "no device"), ("nobody", "no device")]
)
def test_what_fits_none_or_several_is_refused(named: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        find_device(KNOWN, named)


def test_times_are_in_utc_to_the_second() -> None:
    assert time_text(1_700_000_000_999) == "2023-11-14T22:13:20Z"
    assert time_text(TIME_MS_MAX) == "9999-12-31T23:59:59Z", "a member may sign any time"
