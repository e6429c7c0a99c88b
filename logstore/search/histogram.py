"""How many records each slice of a range of time has, by level; slices without any are kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from logstore import statements
from logstore.database import Connection
from logstore.errors import InvalidQuery
from logstore.filters import Filter
from logstore.record import LEVELS, SECOND_US

MOST_SLICES: Final = 10_000
_GOOD_SLICES: Final = 60
_MINUTE_US: Final = 60 * SECOND_US
_DAY_US: Final = 1440 * _MINUTE_US
_STEPS_US: Final = (
    *(seconds * SECOND_US for seconds in (1, 5, 10, 30)),
    *(minutes * _MINUTE_US for minutes in (1, 5, 10, 30, 60, 180, 360, 720)),
    *(days * _DAY_US for days in (1, 7, 30, 365)),
)


@dataclass(slots=True)
class Slice:
    """The records in [since_us, until_us), by severity; estimated if `exact` is false."""

    since_us: int
    until_us: int
    exact: bool = True
    counts: list[int] = field(default_factory=lambda: [0] * len(LEVELS))

    @property
    def count(self) -> int:
        """Records of all levels."""
        return sum(self.counts)


def good_step_us(length_us: int) -> int:
    """Return a step of a usual length that cuts a range into at most 60 slices, if one does."""
    return next((step for step in _STEPS_US if length_us <= _GOOD_SLICES * step), _STEPS_US[-1])


def slices(connections: Sequence[Connection], chosen: Filter, step_us: int, origin_us: int) -> list[Slice]:
    """Return the slices of the filter's range, each `step_us` long but for the ends, all stores together.

    Slices begin at `origin_us` (at or before the range) and each step after it. A record counts once:
    of an episode that several slices cut, the first and the last record are where they were and
    those between are spread evenly, so that the slices add up. Raises InvalidQuery for too many.
    """
    begin_us = origin_us + (chosen.since_us - origin_us) // step_us * step_us
    number = -(-(chosen.until_us - begin_us) // step_us)
    if number > MOST_SLICES:
        raise InvalidQuery(
            f"{number:,} slices are more than {MOST_SLICES:,}; take a longer --step or a shorter range"
        )
    made = [
        Slice(
            max(begin_us + place * step_us, chosen.since_us),
            min(begin_us + (place + 1) * step_us, chosen.until_us),
        )
        for place in range(number)
    ]
    for connection in connections:
        chosen.install(connection)
        bindings = chosen.bindings() | {"step_us": step_us, "begin_us": begin_us}
        for level, whole, first_us, last_us, count in connection.rows(statements.HISTOGRAM, bindings):
            if whole:
                made[(first_us - begin_us) // step_us].counts[level] += count
            else:
                cut = made[max((first_us - begin_us) // step_us, 0) :]
                _spread(cut, level, first_us, last_us, count)
    return made


def _spread(inside: list[Slice], level: int, first_us: int, last_us: int, count: int) -> None:
    """Add an episode that several slices cut, or the range."""
    before = until(count, first_us, last_us, inside[0].since_us)
    for each in inside:
        if each.since_us > last_us:
            return
        reached = until(count, first_us, last_us, each.until_us)
        each.counts[level] += reached - before
        each.exact = each.exact and count <= 2  # noqa: PLR2004 - the first and the last are known
        before = reached


def until(count: int, first_us: int, last_us: int, end_us: int) -> int:
    """Return how many records of an episode lie before a time: in exact integers, halves up."""
    if end_us <= first_us:
        return 0
    if end_us > last_us:
        return count
    span = last_us - first_us
    return 1 + (2 * (count - 2) * (end_us - first_us) + span) // (2 * span)
