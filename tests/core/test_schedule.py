"""Runs that are due by themselves: once on each planned day, whatever the clock on the wall does that night."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2psync.core.schedule import (
    DAY_MINUTES,
    EVERY_DAY,
    OWN_DAYS,
    Interval,
    Kind,
    Plan,
    Run,
    Schedule,
    Window,
    missed_run,
    moment,
    next_run,
    own_day,
    parse_interval,
    parse_plan,
    parse_window,
)
from p2psync.errors import UsageError

BERN = ZoneInfo("Europe/Zurich")
NIGHTLY = Schedule(incremental=Plan(time(2, 30)))
BOTH = Schedule(incremental=Plan(time(2, 0)), full=Plan(time(3, 0), day_of_month=15))


def bern(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERN).astimezone(UTC)


def shown(run: Run | None) -> str:
    assert run is not None
    return f"{run.at.astimezone(BERN):%a %d.%m. %H:%M} {run.kind}"


def following(schedule: Schedule, after: datetime, count: int) -> list[str]:
    """The next runs, one after the other."""
    found = []
    for _ in range(count):
        run = next_run(schedule, after, BERN)
        found.append(shown(run))
        assert run is not None
        after = run.at
    return found


def test_nightly_runs_follow_each_other() -> None:
    assert following(NIGHTLY, bern("2025-06-01T02:29"), 3) == [
        "Sun 01.06. 02:30 incremental",
        "Mon 02.06. 02:30 incremental",
        "Tue 03.06. 02:30 incremental",
    ]


def test_on_the_day_of_the_full_run_there_is_no_other() -> None:
    assert following(BOTH, bern("2025-06-13T12:00"), 3) == [
        "Sat 14.06. 02:00 incremental",
        "Sun 15.06. 03:00 full",
        "Mon 16.06. 02:00 incremental",
    ]


def test_some_days_of_the_week() -> None:
    weekly = Schedule(incremental=Plan(time(20, 0), frozenset({0, 4})))
    assert following(weekly, bern("2025-06-02T20:00"), 3) == [
        "Fri 06.06. 20:00 incremental",
        "Mon 09.06. 20:00 incremental",
        "Fri 13.06. 20:00 incremental",
    ]


def test_in_a_short_month_the_last_day_counts() -> None:
    monthly = Schedule(full=Plan(time(3, 0), day_of_month=31))
    assert following(monthly, bern("2025-01-31T03:00"), 3) == [
        "Fri 28.02. 03:00 full",
        "Mon 31.03. 03:00 full",
        "Wed 30.04. 03:00 full",
    ]


def test_a_time_that_the_clock_skips_is_as_much_later() -> None:
    assert following(NIGHTLY, bern("2025-03-29T12:00"), 2) == [
        "Sun 30.03. 03:30 incremental",
        "Mon 31.03. 02:30 incremental",
    ]


def test_of_a_time_that_the_clock_shows_twice_the_first_counts() -> None:
    first = next_run(NIGHTLY, bern("2025-10-25T12:00"), BERN)
    assert first == Run(datetime(2025, 10, 26, 0, 30, tzinfo=UTC), Kind.INCREMENTAL)
    assert following(NIGHTLY, first.at, 1) == ["Mon 27.10. 02:30 incremental"]


def test_nothing_planned_is_never_due() -> None:
    assert next_run(Schedule(), bern("2025-06-01T00:00"), BERN) is None
    assert missed_run(Schedule(), bern("2025-06-01T00:00"), bern("2025-06-05T00:00"), BERN) is None


def test_all_runs_that_were_missed_are_one() -> None:
    assert (
        shown(missed_run(NIGHTLY, bern("2025-06-01T12:00"), bern("2025-06-05T12:00"), BERN))
        == "Thu 05.06. 02:30 incremental"
    )
    assert shown(missed_run(BOTH, bern("2025-06-14T12:00"), bern("2025-06-17T12:00"), BERN)) == "Tue 17.06. 02:00 full"
    assert missed_run(NIGHTLY, bern("2025-06-01T02:30"), bern("2025-06-02T02:29"), BERN) is None


def test_a_pc_that_was_off_for_years_missed_a_full_run() -> None:
    run = missed_run(BOTH, bern("2019-06-14T12:00"), bern("2025-06-17T12:00"), BERN)
    assert shown(run) == "Tue 17.06. 02:00 full"


ZONES = st.sampled_from(
    ["Europe/Zurich", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "UTC"]
)
TIMES = st.times().map(lambda one: one.replace(second=0, microsecond=0))
PLANS = st.one_of(
    st.builds(Plan, TIMES, st.frozensets(st.integers(0, 6), min_size=1)),
    st.builds(Plan, TIMES, day_of_month=st.integers(1, 31)),
)
SCHEDULES = st.builds(Schedule, st.none() | PLANS, st.none() | PLANS)
MOMENTS = st.datetimes(datetime(2008, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


@given(SCHEDULES, MOMENTS, ZONES)
def test_the_next_run_is_the_first_one_that_is_missed(schedule: Schedule, after: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    run = next_run(schedule, after, zone)
    if run is None:
        assert schedule == Schedule()
        return
    assert after < run.at
    assert run.at.tzinfo is UTC
    assert missed_run(schedule, after, run.at - timedelta(seconds=1), zone) is None
    missed = missed_run(schedule, after, run.at, zone)
    assert missed is not None
    assert missed.at == run.at


@settings(max_examples=40)
@given(TIMES, MOMENTS, ZONES)
def test_a_nightly_run_comes_once_for_each_day(at: time, after: datetime, name: str) -> None:
    """Over 200 days there are as many runs, but for a day that an island skipped."""
    zone, nightly = ZoneInfo(name), Schedule(incremental=Plan(at))
    count, now = 0, after
    while now <= after + timedelta(days=200):
        run = next_run(nightly, now, zone)
        assert run is not None
        assert timedelta(0) < run.at - now <= timedelta(hours=49)
        now, count = run.at, count + 1
    assert 199 <= count <= 202


@given(PLANS)
def test_a_plan_is_read_as_it_is_written(plan: Plan) -> None:
    assert parse_plan(str(plan), own=7) == plan


def test_plans_are_read_in_any_case() -> None:
    assert parse_plan(" Mon,MON,thu  2:05 ", own=7) == Plan(time(2, 5), frozenset({0, 3}))
    assert parse_plan("monthly 02:00", own=7) == Plan(time(2, 0), day_of_month=7)
    assert parse_plan("02:00", own=7).days == EVERY_DAY


@pytest.mark.parametrize(
    "text",
    ["", "mon", "25:00", "2:60", "2.00", "monthly", "monthly 0 02:00", "monthly 32 02:00", "monthly 1 2 02:00"],
)
def test_what_is_no_plan(text: str) -> None:
    with pytest.raises(UsageError, match="is no plan"):
        parse_plan(text, own=7)


@pytest.mark.parametrize("text", ["monthly ² 02:00", "mo 02:00", "mon thu 02:00", ", 02:00", "02:00 mon", "\u0662:00"])
def test_what_is_no_plan_either(text: str) -> None:
    with pytest.raises(UsageError, match="is no plan"):
        parse_plan(text, own=7)


@given(st.text(max_size=20))
def test_any_text_is_a_plan_and_a_window_or_none(text: str) -> None:
    for parse in (lambda: parse_plan(text, own=7), lambda: parse_window(text)):
        try:
            assert str(parse())
        except UsageError:
            continue


def test_a_window_is_open_from_its_begin_until_before_its_end() -> None:
    day = parse_window("06:00 - 22:00")
    assert str(day) == "06:00-22:00"
    assert [day.is_open(bern(f"2025-06-01T{at}"), BERN) for at in ("05:59", "06:00", "21:59", "22:00")] == [
        False,
        True,
        True,
        False,
    ]
    assert day.next_opening(bern("2025-06-01T22:00"), BERN) == bern("2025-06-02T06:00")
    assert day.next_opening(bern("2025-06-01T05:00"), BERN) == bern("2025-06-01T06:00")
    assert day.next_opening(bern("2025-06-01T07:00"), BERN) == bern("2025-06-01T07:00")


def test_a_window_may_go_over_midnight_or_be_the_whole_day() -> None:
    night = Window(time(22, 0), time(6, 0))
    assert [night.is_open(bern(f"2025-06-01T{at}"), BERN) for at in ("21:59", "22:00", "05:59", "06:00")] == [
        False,
        True,
        True,
        False,
    ]
    assert Window(time(6, 0), time(6, 0)).is_open(bern("2025-06-01T00:00"), BERN)


def test_a_window_changes_when_it_opens_and_when_it_closes() -> None:
    night, whole = Window(time(22, 0), time(6, 0)), Window(time(0, 0), time(0, 0))
    assert night.next_change(bern("2025-06-01T05:00"), BERN) == bern("2025-06-01T06:00")
    assert night.next_change(bern("2025-06-01T06:00"), BERN) == bern("2025-06-01T22:00")
    assert night.next_change(bern("2025-06-01T23:00"), BERN) == bern("2025-06-02T06:00")
    assert whole.next_change(bern("2025-06-01T05:00"), BERN) == bern("2025-06-02T00:00")


def test_a_window_that_opens_while_the_clock_jumps_opens_right_after() -> None:
    window = Window(time(2, 30), time(5, 0))
    assert window.next_opening(bern("2025-03-30T00:00"), BERN) == bern("2025-03-30T03:30")


@pytest.mark.parametrize("text", ["", "06:00", "06:00-", "06:00-22:00-23:00", "6-22", "06:00-24:00"])
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(UsageError, match="is no part of a day"):
        parse_window(text)


def test_intervals_begin_at_midnight_and_again_and_again() -> None:
    quarter, hours = Interval(15), Interval(7 * 60)
    now = bern("2025-06-01T14:07")
    assert quarter.begun(now, BERN) == bern("2025-06-01T14:00")
    assert quarter.next_begin(now, BERN) == bern("2025-06-01T14:15")
    assert quarter.begun(bern("2025-06-01T14:15"), BERN) == bern("2025-06-01T14:15")
    assert quarter.next_begin(bern("2025-06-01T14:15"), BERN) == bern("2025-06-01T14:30")
    assert hours.begun(bern("2025-06-01T22:00"), BERN) == bern("2025-06-01T21:00")
    assert hours.next_begin(bern("2025-06-01T22:00"), BERN) == bern("2025-06-02T00:00"), "the last one is shorter"
    assert Interval(DAY_MINUTES).next_begin(now, BERN) == bern("2025-06-02T00:00")


ZONES = st.sampled_from(["Europe/Zurich", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe", "UTC"])


@given(
    st.integers(1, DAY_MINUTES),
    st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
    ZONES.map(ZoneInfo),
)
@settings(deadline=None)
def test_each_moment_is_in_one_interval_whatever_the_clock_does(minutes: int, now: datetime, zone: ZoneInfo) -> None:
    interval = Interval(minutes)
    begun, following = interval.begun(now, zone), interval.next_begin(now, zone)
    assert begun <= now < following <= begun + timedelta(minutes=minutes)
    assert interval.begun(following, zone) == following


@pytest.mark.parametrize(
    ("text", "shown"), [("15m", "15m"), (" 120 M ", "2h"), ("2h", "2h"), ("90m", "90m"), ("60s", "1m")]
)
def test_intervals_as_people_write_them(text: str, shown: str) -> None:
    found = parse_interval(text)
    assert str(found) == shown
    assert parse_interval(shown) == found


def test_intervals_have_bounds_and_may_be_off() -> None:
    assert parse_interval("1d") == parse_interval("24h") == Interval(DAY_MINUTES)
    assert parse_interval("OFF") is None


@pytest.mark.parametrize("text", ["0m", "10s", "90s", "1441m", "25h", "2d", "0h"])
def test_what_cannot_be_the_interval(text: str) -> None:
    with pytest.raises(UsageError, match="whole minutes, from 1m to 24h"):
        parse_interval(text)


@pytest.mark.parametrize("text", ["", "0", "15", "-5m", "now", "1.5h", "15 minutes", "\u0661m"])
def test_what_is_no_interval(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no interval\. Write a time like 15m or 2h, or off"):
        parse_interval(text)


@given(st.binary(max_size=40))
def test_everybody_has_a_day_of_his_own(seed: bytes) -> None:
    assert 1 <= own_day(seed) <= OWN_DAYS
    assert own_day(seed) == own_day(seed)


def test_own_days_are_spread_over_the_month() -> None:
    assert {own_day(bytes([seed])) for seed in range(250)} == set(range(1, OWN_DAYS + 1))


def test_a_moment_is_in_utc() -> None:
    assert moment(date(2025, 1, 1), time(2, 0), BERN) == datetime(2025, 1, 1, 1, 0, tzinfo=UTC)
