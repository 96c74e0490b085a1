"""Tags open the right door to whoever holds a secret, for about a day; nobody else's name opens anything."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.core.ids import MandateId
from p2psync.errors import ConfigError
from p2psync.net.identity import IDENTITY_FILE
from p2psync.net.trust import (
    PERIOD_S,
    Trust,
    TrustTable,
    announced_tag,
    client_context,
    nonce_tag,
    pairing_client_context,
    period_tag,
    server_name,
    tag_of,
    trusted_certificates,
)
from tests.net.devices import MANDATE, OTHER_MANDATE, SECRET, TICKET, TICKET_SECRET, device, trust

NOW_S = 1_700_000_000.0
NONCE, OLD_NONCE = b"n" * 16, b"o" * 16


class Clock:
    now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(tmp_path: Path, clock: Clock) -> TrustTable:
    """Of a device with one mandate, with another member."""
    me, other = device(tmp_path, "me"), device(tmp_path, "other")
    table = TrustTable(me, clock)
    table.update({MANDATE: trust(me, other)})
    table.set_nonces((NONCE, OLD_NONCE))
    return table


def opens(table: TrustTable, tag: bytes) -> bytes | None:
    admission = table.find(server_name(tag))
    return admission.key if admission else None


def test_a_tag_is_a_host_name_of_one_label() -> None:
    assert re.fullmatch(r"[0-9a-f]{1,63}", server_name(nonce_tag(SECRET, NONCE)))


def test_who_announced_a_nonce_is_called_by_it() -> None:
    assert tag_of(SECRET, NONCE, NOW_S) == nonce_tag(SECRET, NONCE)
    assert tag_of(SECRET, None, NOW_S) == period_tag(SECRET, NOW_S)


def test_tags_of_different_purpose_or_secret_differ() -> None:
    tags = {
        announced_tag(SECRET, NONCE),
        nonce_tag(SECRET, NONCE)[:8],
        period_tag(SECRET, NOW_S)[:8],
        nonce_tag(b"another", NONCE)[:8],
        nonce_tag(SECRET, OLD_NONCE)[:8],
    }
    assert len(tags) == 5


def test_members_tags_open_their_mandate(table: TrustTable) -> None:
    assert opens(table, nonce_tag(SECRET, NONCE)) == MANDATE
    assert opens(table, nonce_tag(SECRET, OLD_NONCE)) == MANDATE
    assert opens(table, period_tag(SECRET, NOW_S)) == MANDATE


def test_strangers_names_open_nothing(table: TrustTable) -> None:
    assert opens(table, nonce_tag(b"guess", NONCE)) is None
    assert opens(table, nonce_tag(SECRET, b"x" * 16)) is None
    assert opens(table, announced_tag(SECRET, NONCE)) is None
    assert table.find(None) is None
    assert table.find("") is None
    assert table.find("localhost") is None


@pytest.mark.parametrize(
    ("clocks_differ_s", "opened"),
    [(0, True), (14 * 3600, True), (-14 * 3600, True), (3 * PERIOD_S, False), (-3 * PERIOD_S, False)],
)
def test_a_wrong_time_zone_does_not_matter(table: TrustTable, clocks_differ_s: float, opened: bool) -> None:
    assert (opens(table, period_tag(SECRET, NOW_S + clocks_differ_s)) == MANDATE) is opened


def test_tags_for_plain_addresses_run_out(table: TrustTable, clock: Clock) -> None:
    tag = period_tag(SECRET, NOW_S)
    assert opens(table, tag)
    clock.now_s += 3 * PERIOD_S
    assert opens(table, tag) is None
    assert opens(table, period_tag(SECRET, clock.now_s))
    assert opens(table, nonce_tag(SECRET, NONCE))


def test_an_older_secret_opens_until_it_is_dropped(table: TrustTable, tmp_path: Path) -> None:
    me, other = device(tmp_path, "me"), device(tmp_path, "other")
    table.update({MANDATE: trust(me, other, secrets=(b"new", SECRET))})
    assert opens(table, nonce_tag(b"new", NONCE)) == opens(table, nonce_tag(SECRET, NONCE)) == MANDATE
    table.update({MANDATE: trust(me, other, secrets=(b"new",))})
    assert opens(table, nonce_tag(SECRET, NONCE)) is None


def test_a_renewed_nonce_closes_the_one_before_the_last(table: TrustTable) -> None:
    table.set_nonces((b"x" * 16, NONCE))
    assert opens(table, nonce_tag(SECRET, b"x" * 16)) == opens(table, nonce_tag(SECRET, NONCE)) == MANDATE
    assert opens(table, nonce_tag(SECRET, OLD_NONCE)) is None


def test_tickets_have_doors_of_their_own(table: TrustTable) -> None:
    table.set_pairing({TICKET: TICKET_SECRET})
    admission = table.find(server_name(period_tag(TICKET_SECRET, NOW_S)))
    assert admission is not None
    assert (admission.key, admission.pairing, admission.members) == (TICKET, True, {})
    table.set_pairing({})
    assert opens(table, period_tag(TICKET_SECRET, NOW_S)) is None
    assert opens(table, period_tag(SECRET, NOW_S)) == MANDATE


def test_a_change_of_members_makes_a_new_context_for_that_mandate_only(table: TrustTable, tmp_path: Path) -> None:
    me, other, third = (device(tmp_path, name) for name in ("me", "other", "third"))
    table.update({MANDATE: trust(me, other), OTHER_MANDATE: trust(me, other, secrets=(b"other",))})
    before = table.find(server_name(nonce_tag(SECRET, NONCE)))
    other_before = table.find(server_name(nonce_tag(b"other", NONCE)))
    table.update({MANDATE: trust(me, third), OTHER_MANDATE: trust(me, other, secrets=(b"other",))})
    after = table.find(server_name(nonce_tag(SECRET, NONCE)))
    assert before is not None
    assert after is not None
    assert before.context is not after.context
    assert set(after.members.values()) == {me.device, third.device}
    assert table.find(server_name(nonce_tag(b"other", NONCE))) is other_before
    assert table.admission_of(before.context) is None
    assert table.admission_of(after.context) is after


def test_a_change_in_the_middle_of_a_search_is_not_lost(table: TrustTable, tmp_path: Path) -> None:
    """It may come from another thread."""
    me, other = device(tmp_path, "me"), device(tmp_path, "other")
    changes = [lambda: table.update({MANDATE: trust(me, other, secrets=(b"new",))})]

    class Interrupted(tuple[bytes, ...]):
        def __iter__(self) -> Iterator[bytes]:
            while changes:
                changes.pop()()
            return super().__iter__()

    table.update({MANDATE: trust(me, other, secrets=Interrupted((b"between",)))})
    table.find("whatever")
    assert changes == []
    assert opens(table, nonce_tag(b"new", NONCE)) == MANDATE
    assert opens(table, nonce_tag(b"between", NONCE)) is None


def test_nothing_shared_opens_nothing(table: TrustTable) -> None:
    assert table
    table.update({})
    assert not table
    assert opens(table, nonce_tag(SECRET, NONCE)) is None
    table.set_pairing({TICKET: TICKET_SECRET})
    assert table


def test_only_certificates_of_their_own_device_are_trusted(tmp_path: Path) -> None:
    me, other, third = (device(tmp_path, name) for name in ("me", "other", "third"))
    swapped = {other.device: third.certificate, third.device: b"nonsense", me.device: me.certificate}
    assert trusted_certificates(Trust((SECRET,), swapped)) == {me.certificate: me.device}
    assert trusted_certificates(trust(me, other)) == {me.certificate: me.device, other.certificate: other.device}


def test_the_removed_are_let_in_by_the_secrets_that_hold_and_by_no_others(tmp_path: Path) -> None:
    me, other, gone = (device(tmp_path, name) for name in ("me", "other", "gone"))
    members = trust(me, other)
    known = replace(members, former={gone.device: gone.certificate}, outdated=(b"old secret",))
    assert trusted_certificates(known)[gone.certificate] == gone.device
    table = TrustTable(me, Clock())
    table.update({MANDATE: known})
    assert opens(table, period_tag(SECRET, NOW_S)) == MANDATE
    assert opens(table, period_tag(b"old secret", NOW_S)) is None
    table.update({MANDATE: members})
    admission = table.find(server_name(period_tag(SECRET, NOW_S)))
    assert admission is not None
    assert gone.certificate not in admission.members, "once it was told"


def test_no_member_is_no_error(tmp_path: Path) -> None:
    table = TrustTable(device(tmp_path, "me"))
    table.update({MandateId(b"m" * 16): replace(trust(), members={})})
    assert table


def test_a_key_that_vanished_is_told(table: TrustTable, tmp_path: Path) -> None:
    table.update({})
    (tmp_path / "me" / IDENTITY_FILE).unlink()
    with pytest.raises(ConfigError):
        table.update({MANDATE: trust()})


def test_contexts_speak_tls_1_3_and_give_no_tickets(table: TrustTable, tmp_path: Path) -> None:
    admission = table.find(server_name(nonce_tag(SECRET, NONCE)))
    assert admission is not None
    client = client_context(device(tmp_path, "me"), {})
    for context in (admission.context, client, pairing_client_context()):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_3
        assert context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
    assert admission.context.num_tickets == 0
    assert client.verify_mode == ssl.CERT_REQUIRED
