"""Tickets: copied in any way they mean the same; copied wrongly they are refused with a sentence that helps."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from p2psync.core.ids import DeviceId, MandateId
from p2psync.core.rules import Role
from p2psync.errors import TicketExpired, TicketMalformed
from p2psync.pair import base32
from p2psync.pair.ticket import (
    NAME_BYTES_MAX,
    TEXT_CHARACTERS_MAX,
    About,
    Rendezvous,
    Ticket,
    TicketId,
    about,
    canonical_address,
    check_expiry,
    encode,
    encode_file,
    meeting_secret,
    parse,
)

ADDRESSES = st.one_of(
    st.builds("{}:{}".format, st.ip_addresses(v=4), st.integers(1, 65535)),
    st.builds("[{}]:{}".format, st.ip_addresses(v=6), st.integers(1, 65535)),
    st.builds("{}:{}".format, st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}){0,3}", fullmatch=True), st.integers(1, 65535)),
)
RENDEZVOUS = st.builds(
    Rendezvous,
    st.from_regex(r"wss://[a-z.]{1,30}(:[0-9]{1,4})?/[!-~]{0,30}", fullmatch=True),
    st.none() | st.binary(min_size=32, max_size=32),
)
TICKETS = st.builds(
    Ticket,
    st.binary(min_size=16, max_size=16).map(MandateId),
    st.binary(min_size=8, max_size=8).map(TicketId),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=32, max_size=32).map(DeviceId),
    st.integers(0, 2**32 - 1),
    st.lists(ADDRESSES, max_size=4).map(tuple),
    st.none() | RENDEZVOUS,
    st.none() | st.builds(about, st.text(), st.text(), st.sampled_from(Role), st.booleans()),
)
TICKET = Ticket(
    MandateId(bytes(range(16))),
    TicketId(b"ticketid"),
    bytes(range(100, 116)),
    DeviceId(bytes(range(32))),
    1_750_000_000,
    ("192.168.1.7:4411", "[fe80::1]:4411"),
)
TYPING_ERROR = "copied incompletely or with a typing error"


@given(TICKETS)
def test_a_ticket_survives_being_written_down(ticket: Ticket) -> None:
    text = encode(ticket)
    assert re.fullmatch(r"P2P1[0-9A-HJKMNP-TV-Z]+", text)
    assert parse(text) == ticket


def test_a_ticket_of_this_version_can_always_be_read() -> None:
    text = (
        "P2P1000G40R40M30E209185GR38E1XT6JRVBCNT6JS34CNK6ET39D9NPRVBEDXR72WKK000G40R40M30E209185GR38E1W8124GK2GAHC5RR34"
        "D1P70X3RFPGKQ1G0101G58043H2ER1ZT0000000000000000000000048KP06ZQZ6XE"
    )
    assert parse(text) == TICKET
    assert encode(TICKET) == text


def test_a_ticket_is_short() -> None:
    """Copied by hand at worst: 136 characters without addresses."""
    bare = Ticket(TICKET.mandate, TICKET.id, TICKET.secret, TICKET.inviter, TICKET.expires_s)
    assert len(encode(bare)) == 136
    assert len(encode(TICKET)) == 177


def test_what_a_ticket_says_of_itself_makes_it_little_longer() -> None:
    said = replace(TICKET, about=about("Cargo AG", "Büro 1", Role.PAYROLL, False))
    text = encode(said)
    assert text == (
        "P2P1000G40R40M30E209185GR38E1XT6JRVBCNT6JS34CNK6ET39D9NPRVBEDXR72WKK000G40R40M30E209185GR38E1W8124GK2GAHC5RR34"
        "D1P70X3RFPGKQ1G0101G58043H2ER1ZT0000000000000000000000048KP003111P2WK7DWG42HR78B1VRWKF40RT3JCB4M"
    )
    assert parse(text) == said
    assert len(text) == len(encode(TICKET)) + 29
    longest = replace(TICKET, about=about("é" * 200, "ß" * 200, Role.KEEPER, True))
    assert len(encode(longest)) <= len(encode(TICKET)) + 133


def test_names_are_cut_where_a_character_ends_and_show_nothing_that_writes_over_the_rest() -> None:
    cut = about("é" * 30, "PC\u202e\n\x1b[1m 1", Role.READER, False)
    assert cut == About("é" * 18 + "…", "PC[1m 1", Role.READER, False)
    assert len(cut.mandate.encode()) <= NAME_BYTES_MAX
    assert about("\n", " ", Role.READER, True) == About("…", "…", Role.READER, True)


def test_a_ticket_shows_no_secret() -> None:
    assert repr(TICKET.secret) not in repr(TICKET)
    assert "secret" not in repr(TICKET)


@given(TICKETS, st.data())
def test_one_wrong_character_is_detected(ticket: Ticket, data: st.DataObject) -> None:
    text = encode(ticket)
    at = data.draw(st.integers(0, len(text) - 1))
    wrong = data.draw(st.sampled_from([c for c in base32.ALPHABET + "UÄ?" if c != text[at]]))
    with pytest.raises(TicketMalformed):
        parse(text[:at] + wrong + text[at + 1 :])


@given(TICKETS, st.data())
def test_one_missing_character_is_detected(ticket: Ticket, data: st.DataObject) -> None:
    text = encode(ticket)
    at = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(TicketMalformed):
        parse(text[:at] + text[at + 1 :])


@given(TICKETS, st.data())
def test_one_character_too_many_is_detected(ticket: Ticket, data: st.DataObject) -> None:
    text = encode(ticket)
    at = data.draw(st.integers(0, len(text)))
    with pytest.raises(TicketMalformed):
        parse(text[:at] + data.draw(st.sampled_from(base32.ALPHABET)) + text[at:])


@given(TICKETS, st.data())
def test_two_swapped_characters_are_detected(ticket: Ticket, data: st.DataObject) -> None:
    text = encode(ticket)
    at = data.draw(st.integers(0, len(text) - 2).filter(lambda i: text[i] != text[i + 1]))
    with pytest.raises(TicketMalformed):
        parse(text[:at] + text[at + 1] + text[at] + text[at + 2 :])


@given(TICKETS, st.data())
def test_a_ticket_cut_off_is_detected(ticket: Ticket, data: st.DataObject) -> None:
    text = encode(ticket)
    with pytest.raises(TicketMalformed):
        parse(text[: data.draw(st.integers(0, len(text) - 1))])


def test_every_single_wrong_character_is_detected() -> None:
    text = encode(TICKET)
    for at in range(len(text)):
        for wrong in set(base32.ALPHABET) - {text[at]}:
            with pytest.raises(TicketMalformed):
                parse(text[:at] + wrong + text[at + 1 :])


@pytest.mark.parametrize(
    "copied",
    [
        lambda t: t.lower(),
        lambda t: f"  {t}\r\n",
        lambda t: f'"{t}"',
        lambda t: f"<{t}>.",
        lambda t: f"\ufeff{t}",
        lambda t: " ".join(t),
        lambda t: "-".join(t[i : i + 5] for i in range(0, len(t), 5)),
        lambda t: "\u2013".join(t[i : i + 7] for i in range(0, len(t), 7)),
        lambda t: "\n".join(f"> {t[i : i + 60]}" for i in range(0, len(t), 60)),
        lambda t: t.replace("0", "O").replace("1", "l"),
        lambda t: t.replace("0", "o").replace("1", "I"),
        lambda t: f"# Ticket for Zoé\r\n#\r\n\r\n{t[:70]}\r\n{t[70:]}\r\n",
    ],
)
def test_a_ticket_copied_in_other_ways_means_the_same(copied: object) -> None:
    assert callable(copied)
    assert parse(copied(encode(TICKET))) == TICKET


def test_a_ticket_file_is_the_line_under_a_comment() -> None:
    text = encode_file(TICKET, "An invitation.\nKeep it secret: P2P1")
    assert text == f"# An invitation.\n# Keep it secret: P2P1\n{encode(TICKET)}\n"
    assert parse(text) == TICKET


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with P2P1"),
        ("hello", "begins with P2P1"),
        ("# only a comment", "begins with P2P1"),
        ("2PP1" + encode(TICKET)[4:], "begins with P2P1"),
        ("P2P1", TYPING_ERROR),
        ("P2P2" + encode(TICKET)[4:], TYPING_ERROR),
        ("P2PU" + encode(TICKET)[4:], TYPING_ERROR),
        (encode(TICKET)[:-1], TYPING_ERROR),
        (encode(TICKET) + encode(TICKET), TYPING_ERROR),
        ("P" * (TEXT_CHARACTERS_MAX + 1), "far too long"),
    ],
)
def test_what_is_no_ticket_says_so(text: str, said: str) -> None:
    with pytest.raises(TicketMalformed, match=said):
        parse(text)


def sealed(body: bytes, prefix: str = "P2P1") -> str:
    """A text whose check is right, whatever the body."""
    return prefix + base32.encode(body + blake3(b"p2psync ticket\0" + prefix.encode() + body).digest()[:4])


FIXED = bytes(76)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "typing error"),
        (FIXED[:50], "ends too early"),
        (FIXED, "ends too early"),
        (FIXED + b"\x00", "ends too early"),
        (FIXED + b"\x00\x00\x00", "newer version"),
        (FIXED + b"\x00\x00\x07\x01a\x01b", "newer version"),
        (FIXED + b"\x00\x00\x01", "ends too early"),
        (FIXED + b"\x00\x00\x01\x05abc", "ends too early"),
        (FIXED + b"\x00\x00\x01\x01a\x01bc", "after its end"),
        (FIXED + b"\x00\x00\x01\x00\x01b", "impossible name"),
        (FIXED + b"\x00\x00\x01\x01a\x01 ", "impossible name"),
        (FIXED + b"\x00\x00\x01\x01a\x01\x1b", "impossible name"),
        (FIXED + b"\x00\x00\x01\x03\xe2\x80\xae\x01b", "impossible name"),
        (FIXED + b"\x00\x00\x01\x02\xc3(\x01b", "impossible name"),
        (FIXED + b"\x00\x00\x01\x29" + b"a" * 41 + b"\x01b", "impossible name"),
        (FIXED + b"\x01\x00\x01\x02", "ends too early"),
        (FIXED + b"\x01\x00\x01\x02\x03\x04\x00\x00\x00", "HOST:PORT"),
        (FIXED + b"\x01\x04a b\x01\x01\x00", "HOST:PORT"),
        (FIXED + b"\x01\x04\xff\xff\xff\x01\x01\x00", "impossible address"),
        (FIXED + b"\x05" + b"\x02a\x01\x01" * 5 + b"\x00", "more than 4"),
        (FIXED + b"\x00\x03a\nb\x00", "rendezvous address"),
        (FIXED + b"\x00\xc9" + b"a" * 201 + b"\x00", "rendezvous address"),
        (FIXED + b"\x00\x01a\x05abcde", "pin"),
    ],
)
def test_a_forged_ticket_is_refused_however_right_its_check(body: bytes, said: str) -> None:
    with pytest.raises(TicketMalformed, match=said):
        parse(sealed(body))


def test_a_forged_ticket_without_addresses_is_the_smallest() -> None:
    assert parse(sealed(FIXED + b"\x00\x00")).expires_s == 0


def test_a_ticket_of_a_later_version_asks_for_an_update() -> None:
    with pytest.raises(TicketMalformed, match="newer version of p2psync"):
        parse(sealed(b"whatever comes", "P2P2"))


def test_a_ticket_expires_at_its_second() -> None:
    check_expiry(TICKET, 1_749_999_999.9)
    with pytest.raises(TicketExpired, match=re.escape("expired on 2025-06-15 15:06 UTC. Ask for a new one.")):
        check_expiry(TICKET, 1_750_000_000)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("192.168.1.7:80", "192.168.1.7:80"),
        (" PC-Fidu.local:04411 ", "pc-fidu.local:4411"),
        ("[FE80:0::1]:4411", "[fe80::1]:4411"),
        ("a:1", "a:1"),
    ],
)
def test_addresses_have_one_form(text: str, canonical: str) -> None:
    assert canonical_address(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", "host", "host:", "host:0", "host:65536", "host:99999999", "host:-1", "host:٣", ":80", "::1:80"),
        *(
            "fe80::1:80",
            "[fe80::1%eth0]:80",
            "[1.2.3.4]:80",
            "a b:80",
            "-a:80",
            "a" * 81 + ":80",
            "münchen:80",
            "a/b:80",
        ),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(TicketMalformed, match="HOST:PORT"):
        canonical_address(text)


@pytest.mark.parametrize(
    "change",
    [
        {"mandate": MandateId(b"x")},
        {"id": TicketId(b"x" * 9)},
        {"secret": b""},
        {"inviter": DeviceId(b"x" * 31)},
        {"expires_s": -1},
        {"expires_s": 2**32},
        {"addresses": ("a:1", "b:1", "c:1", "d:1", "e:1")},
        {"addresses": ("nonsense",)},
        {"rendezvous": Rendezvous("", None)},
        {"rendezvous": Rendezvous("wss://a", b"")},
    ],
)
def test_a_ticket_with_impossible_fields_cannot_be_made(change: dict[str, object]) -> None:
    fields: dict[str, object] = {
        name: getattr(TICKET, name) for name in ("mandate", "id", "secret", "inviter", "expires_s", "addresses")
    }
    with pytest.raises(TicketMalformed):
        Ticket(**{**fields, **change})  # type: ignore[arg-type]


def test_the_secret_for_meeting_says_nothing_about_the_secret_for_proving() -> None:
    assert len(meeting_secret(TICKET.secret)) == 32
    assert meeting_secret(TICKET.secret) != meeting_secret(bytes(16))
    assert TICKET.secret not in meeting_secret(TICKET.secret)
