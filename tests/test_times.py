"""Times as people write them: every form of the contract, nothing guessed, what is printed is read back."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from logstore.errors import InvalidQuery
from logstore.record import TIME_END_US
from logstore.search.times import SystemZone, ago, local, offset, parse_duration, parse_time, rfc3339

BERLIN = ZoneInfo("Europe/Berlin")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
S = 1_000_000
DAY = 86_400 * S


def us(*parts: int, tz: tzinfo = UTC) -> int:
    return (datetime(*parts, tzinfo=tz) - EPOCH) // timedelta(microseconds=1)  # type: ignore[arg-type,misc]


NOW = us(2026, 11, 22, 14, 35, 20, 500_000)
TIMES = st.integers(0, TIME_END_US - 1)


def read(text: str, tz: tzinfo = UTC, *, now_us: int = NOW, after_us: int | None = None) -> int:
    return parse_time(text, now_us=now_us, tz=tz, after_us=after_us)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[SystemZone]:
    """The zone of a machine in Berlin."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield SystemZone()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T00:25:43Z", us(2026, 11, 22, 0, 25, 43)),
        ("2026-11-22t00:25:43z", us(2026, 11, 22, 0, 25, 43)),
        ("2026-11-22T00:25:43.539001Z", us(2026, 11, 22, 0, 25, 43, 539_001)),
        ("2026-11-22T00:25:43.5390019Z", us(2026, 11, 22, 0, 25, 43, 539_001)),
        ("2026-11-22T00:25:43+01:00", us(2026, 11, 21, 23, 25, 43)),
        ("2026-11-22T00:25:43-0930", us(2026, 11, 22, 9, 55, 43)),
        ("2026-11-22 00:25:43 +02", us(2026, 11, 21, 22, 25, 43)),
        ("2026-11-22T00:25Z", us(2026, 11, 22, 0, 25)),
        ("@1700000000", 1_700_000_000 * S),
        ("@1700000000.25", 1_700_000_000 * S + 250_000),
        ("@0", 0),
        ("now", NOW),
        (" NOW ", NOW),
        ("90s", NOW - 90 * S),
        ("15m", NOW - 900 * S),
        ("2h", NOW - 7_200 * S),
        ("3d", NOW - 3 * DAY),
        ("1w", NOW - 7 * DAY),
        ("0s", NOW),
        ("1h30m", NOW - 5_400 * S),
        ("1.5h", NOW - 5_400 * S),
        ("250ms", NOW - S // 4),
        ("2h ago", NOW - 7_200 * S),
        ("-2h", NOW - 7_200 * S),
        ("5000w", 0),
        ("3M", NOW - 180 * S),
    ],
)
@pytest.mark.parametrize("tz", [UTC, BERLIN, timezone(timedelta(hours=-9))], ids=str)
def test_a_time_that_names_its_instant_means_it_in_every_zone(text: str, expected: int, tz: tzinfo) -> None:
    """RFC 3339, @epoch, `now` and durations do not depend on the zone."""
    assert read(text, tz) == expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("2026-11-22", (2026, 11, 22)),
        ("2026-11-22 14:30", (2026, 11, 22, 14, 30)),
        ("2026-11-22 14:30:15", (2026, 11, 22, 14, 30, 15)),
        ("2026-11-22T14:30:15.000007", (2026, 11, 22, 14, 30, 15, 7)),
        ("2026-11-22 14:30:15,5", (2026, 11, 22, 14, 30, 15, 500_000)),
        ("today", (2026, 11, 22)),
        ("yesterday", (2026, 11, 21)),
        ("14:30", (2026, 11, 22, 14, 30)),
        ("9:05", (2026, 11, 22, 9, 5)),
        ("14:30:15", (2026, 11, 22, 14, 30, 15)),
        ("23:59", (2026, 11, 21, 23, 59)),
        ("2024-02-29", (2024, 2, 29)),
        ("2026-11-22 0:25", (2026, 11, 22, 0, 25)),
        ("yesterday 14:30", (2026, 11, 21, 14, 30)),
        ("today 9:05:07", (2026, 11, 22, 9, 5, 7)),
        ("Nov 22 00:25:43", (2026, 11, 22, 0, 25, 43)),
        ("Nov  2 00:25:43.539", (2026, 11, 2, 0, 25, 43, 539_000)),
        ("Nov 23 00:25:43", (2025, 11, 23, 0, 25, 43)),
        ("Feb 29 12:00", (2024, 2, 29, 12)),
    ],
)
@pytest.mark.parametrize("tz", [UTC, BERLIN, timezone(timedelta(hours=-5))], ids=str)
def test_a_time_without_a_zone_is_local(text: str, parts: tuple[int, ...], tz: tzinfo) -> None:
    """Dates, clock times and days are those of the reader's zone; a clock time is the most recent one."""
    now_us = us(2026, 11, 22, 14, 35, tz=tz)
    assert read(text, tz, now_us=now_us) == us(*parts, tz=tz)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10/11/2026", "2026-11-22"),
        ("10.11.2026", "2026-11-22"),
        ("10-11-2026", "2026-11-22"),
        ("26-11-22", "2026-11-22"),
        ("May", "2026-11-22"),
        ("10", "90s"),
        ("2026", "2026-11-22"),
        ("1700000000", "@1700000000"),
        ("2 hours", "15m"),
        ("2y", "3d"),
        ("monday", "yesterday"),
        ("", "yesterday"),
        ("2026-11-22Z", "T00:00Z"),
        ("2026-11-22T14", "14:30"),
        ("2026-11-22 14:30 CET", "Z"),
        ("@", "@1700000000"),
        ("@-5", "@1700000000"),
        ("1h 30", "15m"),
        ("Nov 22", "Nov 22 14:30:00"),
        ("Foo 22 00:25:43", "Nov 22 14:30:00"),
        ("Feb 30 12:00", "Nov 22 14:30:00"),
        ("today 25:00", "25:00"),
    ],
)
def test_what_could_mean_two_things_is_an_error_that_names_the_fix(text: str, said: str) -> None:
    """Nothing is guessed: neither day and month, nor a bare number, nor a word."""
    with pytest.raises(InvalidQuery) as error:
        read(text)
    assert said in str(error.value)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "25:00",
        "14:60",
        "14:30:60",
        "2026-02-30",
        "2025-02-29",
        "2026-13-01",
        "2026-00-10",
        "2026-11-22 24:00",
        "0000-01-01",
        "1969-12-31",
        "2026-11-22T00:00+25:00",
        "2026-11-22T00:00:00+24:00",
        "@253402300800",
    ],
)
def test_a_time_that_is_none_is_an_error(text: str) -> None:
    """25 o'clock, February 30 and years before 1970 or after 9999 are told, not bent."""
    with pytest.raises(InvalidQuery, match=r"no time of day|no date|outside the years|no offset"):
        read(text)


@pytest.mark.parametrize("zone", ["by name", "of the machine"])
def test_an_hour_that_happens_twice_asks_for_the_offset(zone: str, berlin: SystemZone) -> None:
    """When clocks go back, the error names both offsets, and each of them is taken."""
    tz = BERLIN if zone == "by name" else berlin
    with pytest.raises(InvalidQuery, match=r"twice.*\+01:00 or \+02:00"):
        read("2026-10-25 02:30", tz)
    assert read("2026-10-25 02:30+02:00", tz) == us(2026, 10, 25, 0, 30)
    assert read("2026-10-25 02:30+01:00", tz) == us(2026, 10, 25, 1, 30)
    assert read("2026-10-25 03:00", tz) == us(2026, 10, 25, 2)
    assert read("2026-10-25 01:59:59.999999", tz) == us(2026, 10, 25, 0) - 1


@pytest.mark.parametrize("zone", ["by name", "of the machine"])
def test_an_hour_that_never_was_is_an_error(zone: str, berlin: SystemZone) -> None:
    """When clocks go forward, the hour in between is no time; its borders are."""
    tz = BERLIN if zone == "by name" else berlin
    with pytest.raises(InvalidQuery, match="skipped"):
        read("2026-03-29 02:30", tz)
    assert read("2026-03-29 03:00", tz) == us(2026, 3, 29, 1)
    assert read("2026-03-29 01:59:59", tz) == us(2026, 3, 29, 1) - S


def test_a_clock_time_or_a_day_in_a_fold_is_not_guessed_either() -> None:
    """`02:30` on the day the clocks go back is as ambiguous as with its date."""
    now_us = us(2026, 10, 25, 12)
    with pytest.raises(InvalidQuery, match="twice"):
        read("02:30", BERLIN, now_us=now_us)
    assert read("today", BERLIN, now_us=now_us) == us(2026, 10, 24, 22)


def test_an_until_after_midnight_is_the_next_day() -> None:
    """`-U 00:10` after `-S '2026-11-22 23:50'` is ten past midnight of the 23rd, whatever the clock says."""
    since_us = read("2026-11-22 23:50")
    for now_us in (NOW, us(2027, 6, 1), us(2020, 1, 1)):
        assert read("00:10", now_us=now_us, after_us=since_us) == us(2026, 11, 23, 0, 10)
        assert read("23:55", now_us=now_us, after_us=since_us) == us(2026, 11, 22, 23, 55)
        assert read("23:50", now_us=now_us, after_us=since_us) == us(2026, 11, 23, 23, 50)


@given(st.integers(DAY + 1, TIME_END_US - 2 * DAY), st.integers(0, 86_399))
def test_a_clock_time_is_the_first_after_since_and_else_the_last_before_now(at_us: int, second: int) -> None:
    """Both lie within one day, on the right side."""
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    assert 0 < read(clock, after_us=at_us) - at_us <= DAY
    assert 0 <= at_us - read(clock, now_us=at_us) < DAY


@given(TIMES)
@example(0)
@example(TIME_END_US - 1)
def test_every_printed_time_is_read_back_in_utc(at_us: int) -> None:
    """Table times to the millisecond, RFC 3339 and the text of the views to the microsecond."""
    view = rfc3339(at_us).replace("T", " ").removesuffix("Z")
    assert read(local(at_us, UTC)) == at_us // 1000 * 1000
    assert read(local(at_us, UTC) + offset(at_us, UTC)) == at_us // 1000 * 1000
    assert read(rfc3339(at_us), BERLIN) == at_us
    assert read(view) == at_us


@given(TIMES)
@example(us(2026, 10, 25, 0, 59, 59))
@example(us(2026, 10, 25, 2))
def test_every_table_time_is_read_back_where_clocks_change(at_us: int) -> None:
    """With its offset always; without, in all but the hour that happens twice."""
    assume(at_us < TIME_END_US - DAY)
    text = local(at_us, BERLIN)
    zoned = text if text[-6] in "+-" else text + offset(at_us, BERLIN)
    assert read(zoned, BERLIN) == at_us // 1000 * 1000
    text = text[: len("2026-11-22 00:00:00.000")]
    later = datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=1).utcoffset()
    if datetime.fromisoformat(text).replace(tzinfo=BERLIN).utcoffset() == later:
        assert read(text, BERLIN) == at_us // 1000 * 1000


def test_a_table_time_of_the_hour_that_happens_twice_is_read_back() -> None:
    """SPEC 6: every printed time is accepted back."""
    at_us = us(2026, 10, 25, 1, 30)
    assert read(local(at_us, BERLIN), BERLIN) == at_us


@given(st.integers(0, TIME_END_US - 1), st.integers(0, 10_000 * DAY))
def test_every_printed_age_is_read_back(now_us: int, age_us: int) -> None:
    """`--ago` prints a duration that parses, not longer than the age and not much shorter."""
    assume(age_us <= now_us)
    text = ago(now_us - age_us, now_us)
    back_us = now_us - read(text, now_us=now_us)
    assert 0 <= age_us - back_us <= max(S, age_us // 2)


def test_an_age_ahead_of_the_clock_is_now() -> None:
    """A record of a node whose clock is fast is no negative age."""
    assert ago(NOW + 5 * S, NOW) == "0s"


@given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "m", "h", "d", "w"]))
def test_a_duration_is_its_number_times_its_unit(number: int, unit: str) -> None:
    """Exactly, in microseconds."""
    size = {"ms": 1000, "s": S, "m": 60 * S, "h": 3600 * S, "d": DAY, "w": 7 * DAY}[unit]
    assume(number * size < TIME_END_US)
    assert parse_duration(f"{number}{unit}") == number * size


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 s", "5y", "1e3s", "s5", "5s5", "99999999999w"])
def test_what_is_no_duration_is_an_error(text: str) -> None:
    """A number without a unit could be anything."""
    with pytest.raises(InvalidQuery, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["9" * 400 + "s", "@" + "9" * 5000, "9" * 5000 + "w"])
def test_a_number_of_any_length_is_an_error_of_ours(text: str) -> None:
    """Never OverflowError, never ValueError of int()."""
    with pytest.raises(InvalidQuery):
        read(text)


@given(st.text(max_size=30) | st.from_regex(r"\A[0-9@:.TZ +\-smhdw]{0,24}\Z"))
def test_any_text_is_a_time_or_an_error_of_ours(text: str) -> None:
    """No input of a user ends in another exception."""
    with suppress(InvalidQuery):
        assert 0 <= read(text, BERLIN) < TIME_END_US


@given(st.integers(DAY, TIME_END_US - DAY - 1))
def test_the_zone_of_the_machine_is_that_of_its_name(at_us: int) -> None:
    """SystemZone and the zone database agree on every time."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    try:
        assume(at_us < us(2037, 1, 1))  # libc and Python may differ on what no law has settled yet
        assert local(at_us, SystemZone()) == local(at_us, BERLIN)
        assert offset(at_us, SystemZone()) == offset(at_us, BERLIN)
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


def test_every_time_of_the_range_can_be_printed_in_every_zone(berlin: SystemZone) -> None:
    """The ends of 1970 to 9999 are printed, east of Greenwich too."""
    assert local(0, berlin) == "1970-01-01 01:00:00.000"
    assert local(TIME_END_US - DAY, berlin).startswith("9999-12-31")


def test_the_last_microsecond_can_be_printed_east_of_greenwich(berlin: SystemZone) -> None:
    """SPEC 4: times run to 9999; a record of its last hour must not end every query in a traceback."""
    assert local(TIME_END_US - 1, berlin)


def test_the_zone_knows_its_name_at_the_end_of_9999(berlin: SystemZone) -> None:
    """The name and the offset are those of the year before."""
    for when in (datetime(9999, 12, 31, 23, 59, 59), datetime(9998, 12, 31, 23, 59, 59)):  # noqa: DTZ001
        assert berlin.tzname(when) == "CET"
        assert berlin.utcoffset(when) == timedelta(hours=1)
