"""Who may call: programs with the token, our own page with its cookie, and nobody else's page."""

from __future__ import annotations

import pytest

from p2psync.api.guard import LOGINS_MAX, SESSIONS_MAX, Caller, Guard, is_loopback

HOST = {"Host": "127.0.0.1:4711"}
ORIGIN = {"Origin": "http://127.0.0.1:4711"}


@pytest.fixture
def guard() -> Guard:
    made = Guard("127.0.0.1")
    made.port = 4711
    return made


def logged_in(guard: Guard) -> dict[str, str]:
    value = guard.log_in(guard.new_login())
    assert value is not None
    return {guard.cookie: value}


def test_the_token_admits_programs(guard: Guard) -> None:
    headers = {**HOST, "Authorization": f"Bearer {guard.token}"}
    assert guard.caller(headers, {}, changes=True) is Caller.PROGRAM


@pytest.mark.parametrize(
    "said", ["", "Bearer", "Bearer x", "Basic {token}", "{token}", "Bearer {token}x", "Bearer \udcff"]
)
def test_anything_else_is_no_token(guard: Guard, said: str) -> None:
    headers = {**HOST, "Authorization": said.format(token=guard.token)}
    assert guard.caller(headers, {}, changes=False) is Caller.NOBODY


@pytest.mark.parametrize(
    "host",
    [
        *("", "evil.example", "evil.example:4711", "127.0.0.1", "127.0.0.1:80", "192.168.1.5:4711"),
        *("127.0.0.1.evil:4711", "localhost.evil:4711", "127.0.0.1:4711:80", "127.0.0.1:04711", ":4711"),
        *("2130706433:4711", "user@127.0.0.1:4711", "127.0.0.1:4711@evil.example", "evil.example#127.0.0.1:4711"),
    ],
)
def test_another_host_is_a_stranger_even_with_the_token(guard: Guard, host: str) -> None:
    """A page of evil.example that lets its name point to 127.0.0.1 sends its own name as the Host."""
    headers = {"Host": host, "Authorization": f"Bearer {guard.token}"}
    assert guard.caller(headers, {}, changes=False) is Caller.STRANGER


@pytest.mark.parametrize("host", ["127.0.0.1:4711", "localhost:4711", "LOCALHOST:4711", "[::1]:4711", "127.0.0.2:4711"])
def test_all_names_of_loopback_are_right(guard: Guard, host: str) -> None:
    assert guard.is_right_host(host)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "127.0.0.1:80", "[::1]:80"])
def test_browsers_leave_out_the_port_80(host: str) -> None:
    guard = Guard("127.0.0.1")
    guard.port = 80
    headers = {"Host": host, "Origin": f"http://{host}"}
    assert guard.caller(headers, logged_in(guard), changes=True) is Caller.PAGE
    for wrong in ("evil.example", "evil.example:80", "localhost:", "127.0.0.1:8080", "[::1", "::1", "", "[::1]]"):
        assert guard.caller({**headers, "Host": wrong}, logged_in(guard), changes=True) is Caller.STRANGER, wrong
        assert guard.caller({**headers, "Origin": f"http://{wrong}"}, logged_in(guard), changes=True) is Caller.STRANGER
    guard.port = 4711
    assert not guard.is_right_host(host)


@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.example", "https://127.0.0.1:4711", "null", "http://127.0.0.1:4712", ""),
        *("http://127.0.0.1:4711.evil.example", "http://user@127.0.0.1:4711", "127.0.0.1:4711"),
    ],
)
def test_another_origin_is_a_stranger_even_with_the_token(guard: Guard, origin: str) -> None:
    headers = {**HOST, "Origin": origin}
    assert guard.caller(headers, logged_in(guard), changes=True) is Caller.STRANGER
    headers["Authorization"] = f"Bearer {guard.token}"
    assert guard.caller(headers, {}, changes=False) is Caller.STRANGER


def test_our_page_may_read_and_change(guard: Guard) -> None:
    cookies = logged_in(guard)
    assert guard.caller({**HOST, **ORIGIN}, cookies, changes=True) is Caller.PAGE
    assert guard.caller(HOST, cookies, changes=False) is Caller.PAGE


def test_a_change_without_an_origin_is_refused_with_a_cookie(guard: Guard) -> None:
    assert guard.caller(HOST, logged_in(guard), changes=True) is Caller.STRANGER


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_that_another_site_caused_is_refused(guard: Guard, site: str) -> None:
    """To a browser a server on another port of this PC is the same site, and is sent the cookie."""
    headers = {**HOST, "Sec-Fetch-Site": site}
    assert guard.caller(headers, logged_in(guard), changes=False) is Caller.STRANGER


def test_a_ticket_waits_for_the_browser_that_comes_by_its_login(guard: Guard) -> None:
    session, other = guard.log_in(guard.new_login("P2P1")), guard.log_in(guard.new_login())
    assert session is not None
    assert other is not None
    assert (guard.has_ticket(session), guard.has_ticket(other)) == (True, False)
    assert (guard.take_ticket(other), guard.take_ticket("guessed"), guard.take_ticket("")) == (None, None, None)
    assert guard.take_ticket(session) == "P2P1"
    assert guard.take_ticket(session) is None, "once"
    assert not guard.has_ticket(session)


def test_a_login_works_once(guard: Guard) -> None:
    once = guard.new_login()
    assert guard.log_in(once) is not None
    assert guard.log_in(once) is None
    assert guard.log_in("guessed") is None
    assert guard.log_in("") is None


def test_a_cookie_of_another_daemon_is_none_of_ours(guard: Guard) -> None:
    (value,) = logged_in(guard).values()
    assert guard.caller(HOST, {"p2psync-4712": value}, changes=False) is Caller.NOBODY
    assert guard.caller(HOST, {guard.cookie: ""}, changes=False) is Caller.NOBODY


def test_what_is_remembered_is_bounded(guard: Guard) -> None:
    first = guard.new_login()
    for _ in range(LOGINS_MAX):
        guard.new_login()
    assert guard.log_in(first) is None
    cookies = logged_in(guard)
    for _ in range(SESSIONS_MAX):
        logged_in(guard)
    assert guard.caller(HOST, cookies, changes=False) is Caller.NOBODY


def test_a_daemon_that_a_person_opened_to_the_network_is_called_by_its_address() -> None:
    guard = Guard("0.0.0.0")
    guard.port = 80
    assert guard.is_right_host("192.168.1.5:80")
    assert not guard.is_right_host("evil.example:80")
    named = Guard("nas.local")
    named.port = 80
    assert named.is_right_host("NAS.local:80")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("[::1]", True), ("localhost", True), ("0.0.0.0", False), ("x.org", False)],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
