"""The shapes in which times are written, as regular expressions with a named group for each part."""

import re
from typing import Final

ZONES_HOURS: Final = {
    **dict.fromkeys(("Z", "UTC", "GMT", "WET"), 0.0),
    **dict.fromkeys(("BST", "WEST", "CET"), 1.0),
    **dict.fromkeys(("CEST", "EET"), 2.0),
    **dict.fromkeys(("EEST", "MSK"), 3.0),
    **dict.fromkeys(("SGT", "HKT"), 8.0),
    **dict.fromkeys(("JST", "KST"), 9.0),
    **dict.fromkeys(("EST", "CDT"), -5.0),
    **dict.fromkeys(("CST", "MDT"), -6.0),
    **dict.fromkeys(("MST", "PDT"), -7.0),
    "PST": -8.0,
    "EDT": -4.0,
    "IST": 5.5,
    "AEST": 10.0,
    "AEDT": 11.0,
}
"""Zones that are written as letters, in hours east of UTC. A name that the local zone has is that zone's."""

_ZONE_NAMES: Final = "|".join(name for name in ZONES_HOURS if name != "Z")
_FRACTION: Final = r"(?:(?:[.,]|:(?=\d{3}))(?P<fraction>\d{1,9}))?"
_TIME: Final = rf"(?P<hour>[ \d]?\d):(?P<minute>\d\d):(?P<second>\d\d){_FRACTION}"
_NAME: Final = r"(?P<name>[A-Z][a-z]{2})"
_DAY: Final = r"(?P<day>\d{1,2})"
_YEAR: Final = r"(?P<year>\d{4})"
_DISTANT_ZONE: Final = rf" (?:[+-](?:0\d|1[0-4]):?[0-5]\d(?!\d)|(?:{_ZONE_NAMES})(?!\w))"
_ZONE: Final = rf"(?P<zone>[Zz]|[+-]\d\d:?\d\d|[+-]\d\d(?!\d)|{_DISTANT_ZONE})"

YEARLESS: Final = rf"{_NAME} {{1,2}}{_DAY} {_TIME}"
"""Syslog, pacemaker and corosync: `Nov 22 00:19:50.309`."""

ZONED: Final = rf"{_YEAR}-(?P<month>\d\d)-(?P<day>\d\d)T{_TIME}(?P<zone>Z|[+-]\d\d:?\d\d)"
"""RFC 3339: `2026-11-22T00:19:50.309Z`."""

DATED: Final = rf"{_YEAR}[-/](?P<month>\d\d)[-/](?P<day>\d\d)[ Tt]{_TIME}{_ZONE}?"
"""The year first, the zone where there is one: `2026-11-22 00:19:50,309`, `2026/11/22 00:19:50 UTC`."""

NAMED_MONTH: Final = rf"{_NAME} {{1,2}}{_DAY},? {_YEAR},? {_TIME}(?: (?P<half>[AaPp][Mm]))?{_ZONE}?"
"""`java.util.logging`: `Nov 22, 2026 12:25:43 AM`; also `Nov 22 2026 00:25:43`."""

CTIME: Final = rf"[A-Z][a-z]{{2}} {_NAME} {{1,2}}{_DAY} {_TIME}(?P<zone> (?:{_ZONE_NAMES}))? {_YEAR}"
"""`ctime`: `Sun Nov 22 00:25:43.539 2026`."""

DAY_FIRST: Final = rf"(?:[A-Z][a-z]{{2}}, )?{_DAY}[ /-]{_NAME}[ /-]{_YEAR}[ :]{_TIME}{_ZONE}?"
"""Tomcat, redis, web servers: `22-Nov-2026 00:25:43.539`, `22/Nov/2026:00:25:43 +0000`."""

DAY_FIRST_YEARLESS: Final = rf"{_DAY} {_NAME} {_TIME}"
"""Old redis: `22 Nov 00:25:43.539`."""

COMPACT: Final = (
    r"(?P<year>\d\d|\d{4})(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])[ T]"
    rf"(?P<hour>[ \d]?\d):?(?P<minute>[0-5]\d):?(?P<second>[0-6]\d){_FRACTION}(?P<zone>Z)?"
)
"""Digits: `081109 203615` (HDFS), `261122  0:25:43` (MySQL), `20261122T002543Z`."""

MONTH_DAY: Final = rf"(?P<year>\d{{4}})?(?P<month>\d\d)(?P<day>\d\d) {_TIME}"
"""klog and glog, after the letter of the level: `1122 00:25:43.123456`."""

EPOCH: Final = r"1\d{9}\.(?:\d{3}|\d{6}|\d{9})"
"""Seconds since 1970 (squid, audit): `1795307143.539`."""

ZONE_FIRST: Final = rf"(?P<zone>[A-Z]{{2,5}}) {_NAME} {{1,2}}{_DAY} {_TIME}"
"""Old monit: `UTC Nov 22 00:25:43`."""

SHAPES: Final = tuple(
    re.compile(shape)
    for shape in (
        DATED,
        YEARLESS,
        DAY_FIRST,
        CTIME,
        COMPACT,
        MONTH_DAY,
        NAMED_MONTH,
        DAY_FIRST_YEARLESS,
        ZONE_FIRST,
    )
)
"""What a StampReader reads; a text that fits two of them means the same in both."""

GOES_ON: Final = re.compile(rf"{_DISTANT_ZONE[1:]}|[AaPp][Mm](?!\w)")
"""Matches a text that would belong to the stamp before it, if that was one that can go on after a blank."""


def anonymous(shape: str) -> str:
    """Return a shape without names, to be a part of a larger expression."""
    return re.sub(r"\(\?P<\w+>", "(?:", shape)
