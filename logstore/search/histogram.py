"""How many records each slice of a range of time has, by level; slices without any are kept."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final

from logstore import statements
from logstore.database import Connection
from logstore.errors import InvalidQuery
from logstore.filters import Filter
from logstore.record import LEVELS, SECOND_US
from logstore.search.times import midnight

MOST_SLICES: Final = 10_000
_GOOD_SLICES: Final = 60
_MINUTE_US: Final = 60 * SECOND_US
_HALF_HOUR_US: Final = 30 * _MINUTE_US  # every zone's offset is so many
_HOUR_US: Final = 60 * _MINUTE_US
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


def edges(since_us: int, until_us: int, step_us: int, tz: tzinfo) -> list[int]:
    """Return where slices of a step begin and end, from `since_us` to `until_us`, at full steps between.

    Steps count from local midnight; those of hours and days go by the clock on the wall, so that
    days begin at midnight after a change to summer time, too. Raises InvalidQuery for too many.
    """
    number = -(-(until_us - since_us) // step_us)
    if number > MOST_SLICES:
        raise InvalidQuery(
            f"{number:,} slices are more than {MOST_SLICES:,}; take a longer --step or a shorter range"
        )
    begin_us = midnight(since_us, tz)
    full: Iterable[int] = range(begin_us, until_us, step_us)
    if _goes_by_the_wall(step_us):
        full = _by_the_wall(begin_us, until_us, step_us, tz)
    return [since_us, *(at_us for at_us in full if since_us < at_us < until_us), until_us]


def slices(
    connections: Sequence[Connection], chosen: Filter, borders: Sequence[int], step_us: int
) -> list[Slice]:
    """Return the slices of the filter's range between borders, the `edges` of a step, all stores together.

    A record counts once: of an episode that several slices cut, the first and the last record are where
    they were and those between are spread evenly, so that the slices add up.
    """
    made = [Slice(*ends) for ends in pairwise(borders)]
    unit_us = _HALF_HOUR_US if _goes_by_the_wall(step_us) else step_us  # no border lies within one
    begin_us = borders[1] - -(-(borders[1] - borders[0]) // unit_us) * unit_us
    for connection in connections:
        chosen.install(connection)
        bindings = chosen.bindings() | {"step_us": unit_us, "begin_us": begin_us}
        for level, whole, first_us, last_us, count in connection.rows(statements.HISTOGRAM, bindings):
            place = max(bisect_right(borders, first_us) - 1, 0)
            if whole:
                made[place].counts[level] += count
            else:
                _spread(made[place:], level, first_us, last_us, count)
    return made


def _goes_by_the_wall(step_us: int) -> bool:
    return step_us > _HOUR_US and step_us % _HALF_HOUR_US == 0


def _by_the_wall(begin_us: int, until_us: int, step_us: int, tz: tzinfo) -> Iterator[int]:
    """Yield the times at which a clock on the wall, that began at midnight, shows full steps."""
    begin = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=begin_us)
    wall = begin.astimezone(tz).replace(tzinfo=None)
    at_us = begin_us
    while at_us < until_us:
        yield at_us
        wall += timedelta(microseconds=step_us)
        at_us = (wall.replace(tzinfo=tz) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


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
