"""What comes in (`Record`) and what is kept (`Episode`), and the eight levels of syslog."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from logstore.errors import InvalidRecord

LEVELS: Final = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
"""Level names by syslog severity, 0 to 7 (RFC 5424, table 2)."""

SECOND_US: Final = 1_000_000

TIME_END_US: Final = 253_402_300_800 * SECOND_US
"""The first microsecond of the year 10000: times run from 0 up to, and without, this one."""

_SEVERITIES: Final = {name: severity for severity, name in enumerate(LEVELS)} | {
    "emerg": 0,
    "panic": 0,
    "crit": 2,
    "fatal": 2,
    "err": 3,
    "warn": 4,
    "informational": 6,
    "trace": 7,
}

State = Literal["open", "closed"]
Reason = Literal["gap", "span", "evicted"]


class Record(NamedTuple):
    """One occurrence of a log as it was produced.

    `level` is a name of syslog or of Python's `logging`, in any case, or a severity 0..7.
    `timestamp_us` counts microseconds since the epoch, UTC; None means the time of receipt.
    `attributes` is a JSON object; it is kept for the first and the last record of an episode
    and is never part of the identity.
    """

    message: str
    level: str | int = "info"
    source: str = ""
    timestamp_us: int | None = None
    attributes: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """An unbroken run of one content: no silence in it is longer than the window.

    Times are microseconds since the epoch, UTC; gaps are milliseconds, None at count 1.
    `first_text` and `last_text` are the raw texts at `first_us` and `last_us`.
    `reason` says why it was closed, None while it is open; `continues` is the id of the episode
    that reached the max span and goes on in this one.
    """

    id: int
    state: State
    source: str
    level: int
    level_name: str
    message: str
    first_us: int
    last_us: int
    count: int
    gap_min_ms: int | None
    gap_max_ms: int | None
    first_text: str
    last_text: str
    reason: Reason | None
    content_id: int
    continues: int | None
    first_attributes: dict[str, Any] | None
    last_attributes: dict[str, Any] | None


def severity(level: str | int) -> int:
    """Return the syslog severity (0 emergency .. 7 debug) of a level name or number.

    Raises InvalidRecord for a name that neither syslog nor `logging` knows, or a number outside 0..7.
    """
    if isinstance(level, str):
        known = _SEVERITIES.get(level.strip().lower())
        if known is not None:
            return known
    elif isinstance(level, int) and not isinstance(level, bool) and 0 <= level < len(LEVELS):
        return level
    raise InvalidRecord(f"no such level: {level!r}; use one of {', '.join(LEVELS)}, or 0 to 7")
