"""Times as they stand in logs, to microseconds since the epoch (UTC)."""

import math
import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from logstore.record import SECOND_US, TIME_END_US

YEARLESS: Final = r"[A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:\d\d(?:\.\d{1,9})?"
"""A stamp of syslog, pacemaker and corosync: `Nov 22 00:19:50.309`."""

ZONED: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
"""A stamp of RFC 3339."""

DATED: Final = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
"""A stamp with a year, and with or without a zone: `2026-11-22 00:19:50,309`."""

_YEARLESS: Final = re.compile(r"([A-Z][a-z]{2}) +(\d+) (\d\d):(\d\d):(\d\d)(?:\.(\d+))?")
_DATED: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[ Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?: ?([Zz]|[+-]\d\d(?::?\d\d)?))?"
)
_NUMBER: Final = re.compile(r"\d{1,20}(?:\.\d{1,20})?")
_NAMES: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
_MONTHS: Final = {_NAMES[3 * month - 3 : 3 * month]: month for month in range(1, 13)}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LEAP_CYCLE: Final = 8  # 1896 and 1904 are neighbours among the leap years
_CACHE: Final = 4096


class StampReader:
    """Reads stamps; what a stamp leaves out comes from `tz` and `newest_us`.

    A stamp without a zone is local in `tz`; one without a year belongs to the latest year that
    does not put it after `newest_us` (microseconds since the epoch).
    """

    def __init__(self, tz: tzinfo, newest_us: int) -> None:
        """Take the zone for stamps without one and the time that no stamp without a year passes."""
        self._tz = tz
        self._newest_us = newest_us
        self._latest_year = _latest_year(newest_us)
        self._seconds: dict[tuple[str, ...], int | None] = {}
        self.years: set[int] = set()
        """The years given to stamps that had none."""
        self.local = False
        """Whether a stamp without a zone was read."""

    def read(self, stamp: object) -> int | None:
        """Return microseconds since the epoch; None for what is no time from 1970 to 9999."""
        if isinstance(stamp, str):
            return self._text(stamp)
        if isinstance(stamp, int | float) and not isinstance(stamp, bool):
            return _within(_from_number(stamp))
        return None

    def _text(self, stamp: str) -> int | None:
        if match := _DATED.fullmatch(stamp):
            *second, fraction, zone = match.groups("")
            base = self._second((zone.upper(), *second))
        elif match := _YEARLESS.fullmatch(stamp):
            *second, fraction = match.groups("")
            base = self._second(tuple(second))
        elif _NUMBER.fullmatch(stamp):
            return _within(_from_digits(stamp))
        else:
            return None
        return None if base is None else _within(base + int(fraction[:6].ljust(6, "0")))

    def _second(self, parts: tuple[str, ...]) -> int | None:
        """Read the whole second of a stamp; seconds repeat, so they are remembered."""
        if parts not in self._seconds:
            if len(self._seconds) >= _CACHE:
                self._seconds.clear()
            dated = len(parts) > len(("month", "day", "hour", "minute", "second"))
            self._seconds[parts] = self._dated(*parts) if dated else self._yearless(*parts)
        return self._seconds[parts]

    def _dated(self, zone: str, *parts: str) -> int | None:
        year, month, day, hour, minute, second = map(int, parts)
        if not zone:
            self.local = True
            return _microseconds(self._tz, year, month, day, hour, minute, second)
        shift = _zone_us(zone)
        local = _microseconds(UTC, year, month, day, hour, minute, second)
        return None if shift is None or local is None else local - shift

    def _yearless(self, month_name: str, *parts: str) -> int | None:
        month = _MONTHS.get(month_name)
        if month is None:
            return None
        self.local = True
        for year in range(self._latest_year, self._latest_year - _LEAP_CYCLE - 1, -1):
            time_us = _microseconds(self._tz, year, month, *map(int, parts))
            if time_us is not None and time_us <= self._newest_us:
                self.years.add(year)
                return time_us
        return None


def _latest_year(time_us: int) -> int:
    # No zone is a year ahead of UTC, and a year too late is passed over.
    return (_EPOCH + timedelta(microseconds=max(0, min(time_us, TIME_END_US - 1)))).year + 1


def _microseconds(tz: tzinfo, *parts: int) -> int | None:
    """Return a local time as microseconds; the first of two in a fold, None if there is no such."""
    year, month, day, hour, minute, second = parts
    leap = second == 60  # noqa: PLR2004 - a leap second is written 23:59:60
    try:
        local = datetime(year, month, day, hour, minute, second - leap, tzinfo=tz)
        since: int = (local - _EPOCH) // _MICROSECOND
        return since + leap * SECOND_US
    except (ValueError, OverflowError):
        return None


def _zone_us(zone: str) -> int | None:
    if zone == "Z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > len("+hh") else 0
    if hours > 23 or minutes > 59:  # noqa: PLR2004
        return None
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
