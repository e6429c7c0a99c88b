"""Times in every shape that logs write, and the times that cannot be."""

import random
import time
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.search.times import SystemZone
from logstore.sources.shapes import SHAPES
from logstore.sources.stamps import StampReader

BERLIN = ZoneInfo("Europe/Berlin")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(*parts: int, tz: tzinfo = UTC) -> int:
    return (datetime(*parts, tzinfo=tz) - EPOCH) // timedelta(microseconds=1)  # type: ignore[arg-type,misc]


NEWEST = us(2026, 12, 24)
INSTANT = us(2026, 11, 22, 0, 25, 43, 539_000)


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-11-22 00:25:43.539",
        "2026-11-22T00:25:43,539",
        "2026-11-22t00:25:43.539z",
        "2026-11-22 00:25:43:539",
        "2026-11-22 00:25:43.539000",
        "2026-11-22 00:25:43.539000999",
        "2026-11-22  0:25:43.539",
        "2026/11/22 00:25:43.539",
        "2026-11-22 02:25:43.539+0200",
        "2026-11-22 02:25:43.539+02",
        "2026-11-22 02:25:43.539 +02:00",
        "2026-11-21 19:25:43.539 EST",
        "2026-11-22 01:25:43.539 CET",
        "2026-11-22 00:25:43.539 UTC",
        "Nov 22 00:25:43.539",
        "UTC Nov 22 00:25:43.539",
        "Nov 22, 2026 12:25:43.539 AM",
        "Nov 22 2026 00:25:43.539",
        "Sun Nov 22 00:25:43.539 2026",
        "22 Nov 2026 00:25:43.539",
        "22 Nov 00:25:43.539",
        "22-Nov-2026 00:25:43.539",
        "22/Nov/2026:00:25:43.539 +0000",
        "Sun, 22 Nov 2026 01:25:43.539 +0100",
        "261122 002543.539",
        "261122  0:25:43.539",
        "20261122T002543.539Z",
        "1122 00:25:43.539",
        "20261122 00:25:43.539",
        "1795307143.539",
        "1795307143539",
        "1795307143539000999",
    ],
)
def test_every_spelling_of_an_instant_is_that_instant(stamp: str) -> None:
    assert StampReader(UTC, NEWEST).read(stamp) == INSTANT


@pytest.mark.parametrize(
    ("stamp", "hour"),
    [("Nov 22, 2026 12:00:00 PM", 12), ("Nov 22, 2026 1:00:00 pm", 13), ("Nov 22, 2026 11:00:00 AM", 11)],
)
def test_twelve_hours_are_told_by_their_half(stamp: str, hour: int) -> None:
    assert StampReader(UTC, NEWEST).read(stamp) == us(2026, 11, 22, hour)


@pytest.mark.parametrize(
    "stamp",
    [
        "0001-01-01 00:00:00",
        "1969-12-31 23:59:59",
        "2026-13-01 00:00:00",
        "2026-00-01 00:00:00",
        "2026-02-29 00:00:00",
        "2026-11-22 24:00:01",
        "2026-11-22 25:00:00",
        "2026-11-22 00:60:00",
        "2026-11-22 00:00:61",
        "2026-11-22 00:00:00 +1460",
        "9999-12-31 23:59:60",
        "9999-12-31 23:59:59-01:00",
        "Nov 31 00:00:00",
        "Xyz 22 00:00:00",
        "Nov 22, 2026 0:00:00 AM",
        "Nov 22, 2026 13:00:00 PM",
        "yesterday",
        "",
    ],
)
def test_times_that_cannot_be_are_none(stamp: str) -> None:
    assert StampReader(UTC, NEWEST).read(stamp) is None


@pytest.mark.parametrize(
    ("stamp", "time_us"),
    [
        ("1970-01-01 00:00:00", 0),
        ("9999-12-31 23:59:59.999999", us(9999, 12, 31, 23, 59, 59, 999_999)),
        ("2026-11-22 24:00:00", us(2026, 11, 23)),
        ("2026-12-31 24:00:00", us(2027, 1, 1)),
        ("2016-12-31T23:59:60.5Z", us(2017, 1, 1, 0, 0, 0, 500_000)),
        ("690101 000000", None),
        ("700101 000000", 0),
        ("680101 000000", us(2068, 1, 1)),
    ],
)
def test_the_first_and_last_times_there_are(stamp: str, time_us: int | None) -> None:
    assert StampReader(UTC, NEWEST).read(stamp) == time_us


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize(
    ("stamp", "time_us"),
    [
        ("9999-12-31T23:59:59.999999Z", us(9999, 12, 31, 23, 59, 59, 999_999)),
        ("9999-12-31 23:59:59 UTC", us(9999, 12, 31, 23, 59, 59)),
        ("9999-12-31 23:59:59 +14:00", us(9999, 12, 31, 9, 59, 59)),
        ("9999-12-31 23:59:59 CET", us(9999, 12, 31, 22, 59, 59)),
        ("9999-12-31 23:59:59 EST", None),
        ("9999-12-31 24:00:00 Z", None),
        ("1970-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00Z", None),
    ],
)
def test_the_zone_of_the_machine_changes_no_stamp_that_has_one(
    stamp: str, time_us: int | None, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where its own clock is past the year 9999 or before the year 1."""
    try:
        with monkeypatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            assert StampReader(SystemZone(), NEWEST).read(stamp) == time_us
    finally:
        time.tzset()
    assert StampReader(ZoneInfo(zone), NEWEST).read(stamp) == time_us


@given(st.integers(86_400_000_000, us(9999, 12, 30)), st.integers(-1439, 1439))
def test_a_time_with_its_offset_reads_back(time_us: int, minutes: int) -> None:
    local = (EPOCH + timedelta(microseconds=time_us)).astimezone(timezone(timedelta(minutes=minutes)))
    assert StampReader(BERLIN, NEWEST).read(local.isoformat(sep=" ")) == time_us


@given(st.integers(86_400, us(2069, 1, 1) // 1_000_000 - 1))
def test_a_text_of_several_shapes_means_the_same_in_each(seconds: int) -> None:
    time = EPOCH + timedelta(seconds=seconds)
    for text in (f"{time:%y%m%d %H:%M:%S}", f"{time:%Y%m%d %H:%M:%S}", f"{time:%d %b %Y %H:%M:%S}"):
        for shape in SHAPES:
            if shape.fullmatch(text):
                reader = StampReader(UTC, us(2101, 1, 1))
                reader._shape = shape
                assert reader.read(text) == seconds * 1_000_000


def test_what_a_reader_has_read_before_does_not_count() -> None:
    stamps = [
        "2026-11-22 00:25:43",
        "Nov 22 00:25:43",
        "261122 002543",
        "1122 00:25:43",
        "22 Nov 2026 00:25:43",
    ]
    reader = StampReader(UTC, NEWEST)
    for stamp in random.Random(3).choices(stamps, k=100):
        assert reader.read(stamp) == us(2026, 11, 22, 0, 25, 43)


def test_new_year_turns_the_year_back() -> None:
    reader = StampReader(UTC, us(2026, 1, 1, 0, 0, 5))
    assert reader.read("Dec 31 23:59:59") == us(2025, 12, 31, 23, 59, 59)
    assert reader.read("Jan  1 00:00:05") == us(2026, 1, 1, 0, 0, 5)
    assert reader.years == {2025, 2026}


def test_a_local_time_that_came_twice_is_the_first_until_stamps_step_back() -> None:
    reader = StampReader(BERLIN, NEWEST)
    times = [reader.read(f"2026-10-25 02:{minute}:00") for minute in ("10", "50", "49", "05", "30", "59")]
    first = us(2026, 10, 25)
    expected = [first + (minutes * 60_000_000) for minutes in (10, 50, 49, 65, 90, 119)]
    assert times == expected
    assert reader.read("2026-10-25 03:00:00") == us(2026, 10, 25, 2)


def test_which_of_two_hours_it_is_survives_a_restart() -> None:
    stamps = [f"2026-10-25 02:{minute}:00" for minute in ("10", "50", "05", "05", "30")]
    whole = StampReader(BERLIN, NEWEST)
    expected = [whole.read(stamp) for stamp in stamps]
    for cut in range(len(stamps)):
        before = StampReader(BERLIN, NEWEST)
        for stamp in stamps[: cut + 1]:
            before.read(stamp)
        after = StampReader(BERLIN, NEWEST, before.fold)
        assert [after.read(stamp) for stamp in stamps[cut:]] == expected[cut:]  # the one at the cut again


def test_another_year_has_its_own_double_hour() -> None:
    reader = StampReader(BERLIN, NEWEST)
    for stamp in ("2025-10-26 02:50:00", "2025-10-26 02:05:00"):
        reader.read(stamp)
    assert reader.read("2026-10-25 02:05:00") == us(2026, 10, 25, 0, 5)


def test_the_second_of_two_hours_is_not_after_the_file() -> None:
    reader = StampReader(BERLIN, us(2026, 10, 25, 0, 55))
    assert [reader.read(f"Oct 25 02:{minute}:00") for minute in ("50", "05")] == [
        us(2026, 10, 25, 0, 50),
        us(2026, 10, 25, 0, 5),
    ]


def test_the_letters_of_the_local_zone_tell_its_hours_apart() -> None:
    reader = StampReader(BERLIN, NEWEST)
    assert reader.read("2026-10-25 02:30:00 CEST") == us(2026, 10, 25, 0, 30)
    assert reader.read("2026-10-25 02:30:00 CET") == us(2026, 10, 25, 1, 30)
    assert not reader.local
    assert StampReader(ZoneInfo("Asia/Shanghai"), NEWEST).read("2026-10-25 08:00:00 CST") == us(2026, 10, 25)


def test_a_local_time_that_was_left_out_is_that_of_a_clock_not_yet_set_forward() -> None:
    assert StampReader(BERLIN, NEWEST).read("2026-03-29 02:30:00") == us(2026, 3, 29, 1, 30)


@given(st.sampled_from(SHAPES).flatmap(lambda shape: st.from_regex(shape, fullmatch=True)))
def test_no_stamp_of_a_known_shape_raises(stamp: str) -> None:
    found = StampReader(ZoneInfo("America/New_York"), NEWEST).read(stamp)
    assert found is None or 0 <= found < us(9999, 12, 31, 23, 59, 59) + 1_000_000
