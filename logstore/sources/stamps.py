"""Times as they stand in logs, to microseconds since the epoch (UTC)."""

import math
import re
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final

from logstore.record import SECOND_US, TIME_END_US
from logstore.sources.shapes import SHAPES, ZONES_HOURS

_NUMBER: Final = re.compile(r"\d{1,20}(?:\.\d{1,20})?")
_NAMES: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
_MONTHS: Final = {_NAMES[3 * month - 3 : 3 * month]: month for month in range(1, 13)}
_NO_ZONE_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001
_MICROSECOND: Final = timedelta(microseconds=1)
_LEAP_CYCLE: Final = 8  # 1896 and 1904 are neighbours among the leap years
_CENTURY: Final = 69  # POSIX: the years 69 to 99 are of the last century
_NOON: Final = 12
_DAY_END: Final = 24
_CACHE: Final = 4096
_STEP_BACK_US: Final = 600 * SECOND_US
_DAY_US: Final = 86_400 * SECOND_US

_Parts = dict[str, str | None]
_Pair = tuple[int, int]
"""The two readings of a stamp; they differ where a clock showed it twice."""


class StampReader:
    """Reads stamps; what a stamp leaves out comes from `tz` and `newest_us`.

    A stamp without a zone is local in `tz`; one without a year belongs to the latest year that
    does not put it after `newest_us` (microseconds since the epoch). 24:00 is the end of its day,
    a leap second the first of the next minute, and a local time that was left out in spring what
    a clock shows that was not yet set forward.

    A local time that came twice in autumn is the first of the two, until such stamps step back by
    more than ten minutes: from there on it is the second. `fold` is what must be known for that.
    """

    def __init__(self, tz: tzinfo, newest_us: int, fold: tuple[int, bool] | None = None) -> None:
        """Take the zone for stamps without one and the time that no stamp without a year passes."""
        self._tz = tz
        self._newest_us = newest_us
        self._latest_year = _latest_year(newest_us)
        self._seconds: dict[str, _Pair | None] = {}
        self._shape = SHAPES[0]
        self.fold = fold
        """The latest first reading of a time that came twice, and whether the second is its turn."""
        self.twice = False
        """Whether the stamp read last is such a time: what it means depends on those before it."""
        self.years: set[int] = set()
        """The years given to stamps that had none."""
        self.local = False
        """Whether a stamp without a zone was read."""

    def read(self, stamp: object) -> int | None:
        """Return microseconds since the epoch; None for what is no time from 1970 to 9999."""
        self.twice = False
        if isinstance(stamp, str):
            return self._text(stamp)
        if isinstance(stamp, int | float) and not isinstance(stamp, bool):
            return _within(_from_number(stamp))
        return None

    def _text(self, stamp: str) -> int | None:
        match = self._shape.fullmatch(stamp) or self._other_shape(stamp)
        if match is None:
            return _within(_from_digits(stamp)) if _NUMBER.fullmatch(stamp) else None
        fraction = match["fraction"] or ""
        whole = stamp
        if fraction:
            start, end = match.span("fraction")
            whole = stamp[:start] + stamp[end:]
        if whole not in self._seconds:  # seconds repeat, so they are remembered
            if len(self._seconds) >= _CACHE:
                self._seconds.clear()
            self._seconds[whole] = self._whole_second(match.groupdict())
        pair = self._seconds[whole]
        return None if pair is None else _within(self._chosen(*pair) + int(fraction[:6].ljust(6, "0")))

    def _other_shape(self, stamp: str) -> re.Match[str] | None:
        for shape in SHAPES:
            if match := shape.fullmatch(stamp):
                self._shape = shape
                return match
        return None

    def _chosen(self, first: int, second: int) -> int:
        """Return the reading whose turn it is; reading the same stamp again changes nothing."""
        if first == second:
            return first
        self.twice = True
        latest, later = self.fold or (first, False)
        if abs(first - latest) > _DAY_US:  # another year's
            latest, later = first, False
        later = later or first < latest - _STEP_BACK_US
        self.fold = (max(first, latest), later)
        return second if later else first

    def _whole_second(self, parts: _Parts) -> _Pair | None:
        month = int(parts["month"] or 0) if "month" in parts else _MONTHS.get(parts["name"] or "", 0)
        year = parts.get("year")
        if year is None:
            return self._yearless(month, parts)
        if len(year) == len("26"):
            return self._dated(int(year) + (1900 if int(year) >= _CENTURY else 2000), month, parts)
        return self._dated(int(year), month, parts)

    def _yearless(self, month: int, parts: _Parts) -> _Pair | None:
        for year in range(self._latest_year, self._latest_year - _LEAP_CYCLE - 1, -1):
            pair = self._dated(year, month, parts)
            if pair and pair[0] <= self._newest_us:
                self.years.add(year)
                return pair if pair[1] <= self._newest_us else (pair[0], pair[0])
        return None

    def _dated(self, year: int, month: int, parts: _Parts) -> _Pair | None:
        zone = (parts.get("zone") or "").strip().upper()
        try:
            wall = _wall_clock(year, month, parts)
            shift = self._shift_us(wall, zone) if zone else None
            shifts = self._local_shifts_us(wall) if shift is None else (shift, shift)
        except (ValueError, OverflowError):
            return None
        self.local |= shift is None
        wall_us = (wall - _NO_ZONE_EPOCH) // _MICROSECOND
        # Of a time that was left out in spring the second reading is the earlier one.
        return wall_us - shifts[0], wall_us - min(shifts)

    def _local_shifts_us(self, wall: datetime) -> _Pair:
        """Return how far the local zone is ahead of UTC at the first and at the second such time."""
        shift = self._tz.utcoffset(wall) or timedelta()
        if isinstance(self._tz, timezone):  # the same all year
            return shift // _MICROSECOND, shift // _MICROSECOND
        second = self._tz.utcoffset(wall.replace(fold=1)) or timedelta()
        return shift // _MICROSECOND, second // _MICROSECOND

    def _shift_us(self, wall: datetime, zone: str) -> int | None:
        """Return how far a zone is ahead of UTC; None for letters that nobody knows: they are local."""
        if not zone.isalpha():
            return _offset_us(zone)
        for local in (wall.replace(tzinfo=self._tz), wall.replace(tzinfo=self._tz, fold=1)):
            if local.tzname() == zone:
                return (local.utcoffset() or timedelta()) // _MICROSECOND
        hours = ZONES_HOURS.get(zone)
        return None if hours is None else int(hours * 3600) * SECOND_US


def _latest_year(time_us: int) -> int:
    # No zone is a year ahead of UTC, and a year too late is passed over.
    return (_NO_ZONE_EPOCH + timedelta(microseconds=max(0, min(time_us, TIME_END_US - 1)))).year + 1


def _wall_clock(year: int, month: int, parts: _Parts) -> datetime:
    """Return what a clock without a zone would show; raises ValueError for what none shows."""
    day, hour, minute, second = (int(parts[name] or "") for name in ("day", "hour", "minute", "second"))
    if half := parts.get("half"):
        if not 1 <= hour <= _NOON:
            raise ValueError(hour)
        hour = hour % _NOON + (_NOON if half.upper() == "PM" else 0)
    days = int((hour, minute, second) == (_DAY_END, 0, 0))
    leap = int(second == 60)  # noqa: PLR2004 - a leap second is written 23:59:60
    wall = datetime(year, month, day, 0 if days else hour, minute, second - leap)  # noqa: DTZ001
    return wall + timedelta(days=days, seconds=leap)


def _offset_us(zone: str) -> int:
    hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > len("+hh") else 0
    if hours > 23 or minutes > 59:  # noqa: PLR2004
        raise ValueError(zone)
    seconds = hours * 3600 + minutes * 60
    return (-seconds if zone[0] == "-" else seconds) * SECOND_US


def _unit(number: float) -> int:
    """Return how many nanoseconds the unit of an epoch number has, judged by its magnitude."""
    for below, nanoseconds in ((1e11, 10**9), (1e14, 10**6), (1e17, 10**3)):
        if abs(number) < below:
            return nanoseconds
    return 1


def _from_number(number: float) -> int | None:
    if isinstance(number, int):
        return number * _unit(number) // 1000
    return round(number * _unit(number) / 1000) if math.isfinite(number) else None


def _from_digits(text: str) -> int | None:
    """Read epoch digits without the detour of a float, which loses the last ones."""
    whole, _, fraction = text.partition(".")
    unit = _unit(int(whole))
    nano = int(fraction[:9].ljust(9, "0"))
    return (int(whole) * unit + nano * unit // 10**9) // 1000


def _within(time_us: int | None) -> int | None:
    return time_us if time_us is not None and 0 <= time_us < TIME_END_US else None
