"""Times and durations as people write them, in and out. Nothing is guessed: what is ambiguous is an error."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Final

from logstore.errors import InvalidQuery
from logstore.record import SECOND_US, TIME_END_US

_UNITS_US: Final = {
    "ms": 1_000,
    "s": SECOND_US,
    "m": 60 * SECOND_US,
    "min": 60 * SECOND_US,
    "h": 3_600 * SECOND_US,
    "d": 86_400 * SECOND_US,
    "w": 7 * 86_400 * SECOND_US,
}
_DURATION: Final = re.compile(r"(?:\d{1,15}(?:\.\d{1,15})?(?:ms|s|min|m|h|d|w))+", re.ASCII)
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|m|h|d|w)", re.ASCII)
_EPOCH: Final = re.compile(r"@(\d{1,18})(?:\.(\d{1,9}))?", re.ASCII)
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?", re.ASCII)
_DATE: Final = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})"
    r"(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?"
    r"\s*(Z|[+-]\d{2}(?::?\d{2})?)?",
    re.IGNORECASE | re.ASCII,
)
_STAMP: Final = re.compile(r"([a-z]{3}) {1,2}(\d{1,2}) (\d{2}:.*)", re.IGNORECASE | re.ASCII)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = {"today": 0, "yesterday": -1, "tomorrow": 1}
_EXPECTED: Final = (
    "use 2026-11-22, '2026-11-22 14:30', 2026-11-22T14:30:00Z, 14:30, 'yesterday 14:30', "
    "'Nov 22 14:30:00', @1700000000, now, today, or a duration ago such as 90s 15m 2h 3d 1w"
)


class SystemZone(tzinfo):
    """The zone of this machine (`TZ`, else /etc/localtime), daylight saving included."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        """Return the offset at a local time."""
        return None if when is None else _with_zone(when).utcoffset()

    def dst(self, when: datetime | None) -> None:  # noqa: ARG002  # tzinfo's signature
        """Return None: only the whole offset is known."""
        return

    def tzname(self, when: datetime | None) -> str | None:
        """Return the zone's abbreviation at a local time."""
        return "local" if when is None else _with_zone(when).tzname()

    def fromutc(self, when: datetime) -> datetime:
        """Return the local time of a time in UTC."""
        there = when.replace(tzinfo=UTC).astimezone()
        early = there.replace(tzinfo=self, fold=0)  # in an hour that happens twice the offset says which
        return early if early.utcoffset() == there.utcoffset() else early.replace(fold=1)

    def __str__(self) -> str:
        """Name the zone as it is now."""
        return datetime.now().astimezone().tzname() or "local"


def _with_zone(when: datetime) -> datetime:
    """Return a local time with the offset and the abbreviation that this machine's zone has then."""
    when = when.replace(tzinfo=None)
    try:
        return when.astimezone()
    except (OverflowError, ValueError):  # at the end of 9999: the year before has the same
        return when.replace(year=when.year - 1).astimezone()


def zone(name: str | None) -> tzinfo:
    """Return a zone by its name, such as Europe/Berlin; None: this machine's. Raises InvalidQuery."""
    if name is None:
        return SystemZone()
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415  # slow, and seldom needed

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidQuery(
            f"no time zone is named {name!r}; use a name such as Europe/Berlin or UTC"
        ) from error


def parse_time(text: str, *, now_us: int, tz: tzinfo, after_us: int | None = None) -> int:
    """Return a time in microseconds since the epoch.

    A bare clock time is the most recent one, or, with `after_us`, the first one after that.
    Raises InvalidQuery for what cannot be understood, or could be understood in two ways.
    """
    word = text.strip()
    low = word.lower()
    if low == "now":
        return now_us
    named, _, clock = low.partition(" ")
    if named in _DAYS:
        day = _moment(now_us, tz).date() + timedelta(days=_DAYS[named])
        return _day_and_clock(f"{day} {clock}".rstrip(), tz, text)
    if match := _STAMP.fullmatch(low):
        return _stamped(match, now_us, tz, text)
    if match := _EPOCH.fullmatch(word):
        return _in_range(int(match[1]) * SECOND_US + _micros(match[2]), text)
    ago = re.sub(r"(?<=\d) (?=[a-z])", "", low.removesuffix("ago").rstrip().removeprefix("-"))
    if _DURATION.fullmatch(ago):
        return max(now_us - parse_duration(ago), 0)
    if match := _CLOCK.fullmatch(word):
        return _clock(match, now_us, tz, after_us, text)
    if match := _DATE.fullmatch(word):
        return _dated(match, tz, text)
    raise InvalidQuery(f"cannot read the time {text!r}; {_EXPECTED}")


def parse_duration(text: str) -> int:
    """Return a duration such as `90s`, `2h` or `1h30m` in microseconds. Raises InvalidQuery."""
    word = text.strip().lower()
    if not _DURATION.fullmatch(word):
        raise InvalidQuery(
            f"cannot read the duration {text!r}; use a number and a unit, such as 90s 15m 2h 3d 1w"
        )
    total = round(sum(float(number) * _UNITS_US[unit] for number, unit in _DURATION_PART.findall(word)))
    if total >= TIME_END_US:
        raise InvalidQuery(f"the duration {text!r} is longer than any log")
    return total


def local(at_us: int, tz: tzinfo) -> str:
    """Return a time for reading, in whole milliseconds: `2026-11-22 00:25:43.539`.

    In an hour that happens twice the offset stands behind it.
    """
    moment = _moment(at_us // 1000 * 1000, tz)
    twice = moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()
    return (moment if twice else moment.replace(tzinfo=None)).isoformat(" ", "milliseconds")


def seconds(ms: int) -> str:
    """Return milliseconds as a duration that `parse_duration` takes: `150s`, `0.008s`."""
    return f"{ms // 1000}.{ms % 1000:03}".rstrip("0").rstrip(".") + "s"


def rfc3339(at_us: int) -> str:
    """Return a time as RFC 3339 in UTC with microseconds."""
    return _moment(at_us, UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def ago(at_us: int, now_us: int) -> str:
    """Return how long ago a time is, as one number and its unit: `27s`, `3h`; ahead of the clock: `0s`."""
    seconds = max(now_us - at_us, 0) // SECOND_US
    for unit, size in (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def offset(at_us: int, tz: tzinfo) -> str:
    """Return the zone's offset at a time: `+01:00`."""
    return _moment(at_us, tz).isoformat()[-6:]


def midnight(at_us: int, tz: tzinfo) -> int:
    """Return when the local day of a time began, at its zone's offset of then; never before 1970."""
    moment = _moment(at_us, tz)
    day = timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second)
    return max(at_us - day // timedelta(microseconds=1) - moment.microsecond, 0)


def _moment(at_us: int, tz: tzinfo) -> datetime:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    try:
        return moment.astimezone(tz)
    except (OverflowError, ValueError):  # the last hours of 9999, east of UTC
        return moment


def _clock(match: re.Match[str], now_us: int, tz: tzinfo, after_us: int | None, text: str) -> int:
    hour, minute, second, fraction = match.groups()
    try:
        clock = time(int(hour), int(minute), int(second or 0), _micros(fraction))
    except ValueError as error:
        raise InvalidQuery(f"{text!r} is no time of day: {error}") from error
    start_us = now_us if after_us is None else after_us
    day: date = _moment(start_us, tz).date()
    at_us = _at(datetime.combine(day, clock), tz, text)
    if after_us is None and at_us > now_us:
        return _at(datetime.combine(day - timedelta(days=1), clock), tz, text)
    if after_us is not None and at_us <= after_us:
        return _at(datetime.combine(day + timedelta(days=1), clock), tz, text)
    return at_us


def _dated(match: re.Match[str], tz: tzinfo, text: str) -> int:
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if zone and hour is None:
        raise InvalidQuery(
            f"{text!r} has a zone but no time of day; add one, such as {year}-{month}-{day}T00:00Z"
        )
    try:
        moment = datetime(  # noqa: DTZ001  # its zone is found out next
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            _micros(fraction),
        )
    except ValueError as error:
        raise InvalidQuery(f"{text!r} is no date: {error}") from error
    return _at(moment, tz if zone is None else _zone(zone), text)


def _day_and_clock(word: str, tz: tzinfo, text: str) -> int:
    match = _DATE.fullmatch(word)
    if match is None:
        raise InvalidQuery(f"cannot read the time {text!r}; {_EXPECTED}")
    return _dated(match, tz, text)


def _stamped(match: re.Match[str], now_us: int, tz: tzinfo, text: str) -> int:
    """Return the time of a stamp without a year, as syslog has them: the most recent such day."""
    name, day, clock = match.groups()
    if name not in _MONTHS:
        raise InvalidQuery(f"{text!r}: no month is named {name!r}; {_EXPECTED}")
    this_year = _moment(now_us, tz).year
    for year in range(this_year, this_year - 8, -1):  # the day may be a 29th of February
        try:
            date(year, _MONTHS.index(name) + 1, int(day))
        except ValueError:
            continue
        at_us = _day_and_clock(f"{year:04}-{_MONTHS.index(name) + 1:02}-{int(day):02} {clock}", tz, text)
        if at_us <= now_us:
            return at_us
    raise InvalidQuery(f"{text!r} is no day of a year; {_EXPECTED}")


def _zone(text: str) -> tzinfo:
    if text in "Zz":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    try:
        return timezone(-size if text[0] == "-" else size)
    except ValueError as error:
        raise InvalidQuery(f"{text!r} is no offset from UTC") from error


def _at(moment: datetime, tz: tzinfo, text: str) -> int:
    """Return the one instant that a local time names."""
    early, late = moment.replace(tzinfo=tz, fold=0), moment.replace(tzinfo=tz, fold=1)
    first, second = early.utcoffset(), late.utcoffset()
    if first is not None and second is not None and first != second:
        offsets = " or ".join(sorted({when.isoformat()[-6:] for when in (early, late)}))
        happens = "happens twice" if first > second else "is skipped"
        raise InvalidQuery(f"{text!r} {happens} when the clocks change; add an offset: {offsets}")
    since = early - datetime(1970, 1, 1, tzinfo=UTC)
    return _in_range(since // timedelta(microseconds=1), text)


def _in_range(at_us: int, text: str) -> int:
    if not 0 <= at_us < TIME_END_US:
        raise InvalidQuery(f"{text!r} is outside the years 1970 to 9999")
    return at_us


def _micros(fraction: str | None) -> int:
    return int((fraction or "").ljust(6, "0")[:6] or 0)
