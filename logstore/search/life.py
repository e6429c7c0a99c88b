"""The life of one content: its runs, their beats and silences, its numbers, and what else began near one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from logstore import statements
from logstore.database import Connection
from logstore.record import TIME_END_US
from logstore.search.rows import Part, Row, joined, newest_of, parts_of

_RECORDS_OF_A_BEAT: Final = 4
_STEADY: Final = 2


@dataclass(frozen=True, slots=True)
class Content:
    """The life of one content; gaps in milliseconds. Times are the first and the last ever seen."""

    source: str
    level: str
    message: str
    content_hash: str
    episodes: int
    count: int
    first_us: int
    last_us: int
    is_open: bool
    gap_min_ms: int | None
    gap_max_ms: int | None


class Silence(NamedTuple):
    """Nothing was heard for `length_ms`: about `missed` beats of `beat_ms` (None: it has no beat).

    Between `since_us` and `until_us`, the records around it; None where only the length is known.
    """

    length_ms: int
    since_us: int | None = None
    until_us: int | None = None
    beat_ms: int | None = None
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """A run of episodes, the mean of its gaps and its beat (milliseconds), and where it fell silent.

    `inside` has the largest gap of each part and the gaps between parts, `before` is the silence since
    the content was heard before this run; None if it was not, or not silent.
    """

    row: Row
    gap_mean_ms: int | None
    beat_ms: int | None
    inside: tuple[Silence, ...]
    before: Silence | None = None

    @property
    def missed_inside(self) -> int:
        """About how many beats are missing inside it; it may have missed more."""
        return sum(silence.missed for silence in self.inside)

    @property
    def missed_before(self) -> int:
        """About how many beats are missing before it."""
        return self.before.missed if self.before else 0


class Figures(NamedTuple):
    """The `numbers` that one masked place of a content hid, `place` counted from 0."""

    place: int
    smallest: float
    largest: float
    total: float
    numbers: int
    last: float
    largest_text: str


class Near(NamedTuple):
    """Runs of other contents in the order of their beginning, and how many there were before a limit."""

    rows: list[Row]
    found: int


def runs_of(connection: Connection, content_id: int, limit: int) -> list[list[Part]]:
    """Return the newest runs of a content, oldest first, each as its parts."""
    newest: dict[int, None] = {}
    for _, _, run_id in newest_of(connection, content_id):
        if len(newest) == limit and run_id not in newest:
            break
        newest[run_id] = None
    return [parts_of(connection, content_id, run_id) for run_id in reversed(newest)]


def run_before(connection: Connection, content_id: int, first_us: int) -> list[Part]:
    """Return the run that a content had before a moment, as its parts; [] if there is none."""
    row = connection.row(statements.RUN_BEFORE, {"content_id": content_id, "first_us": first_us})
    return [] if row is None else parts_of(connection, content_id, row[0])


def find_run(connection: Connection, episode_id: int) -> tuple[int, int] | None:
    """Return the content and the run of an episode, None if there is no such episode."""
    row = connection.row(statements.FIND_RUN, (episode_id,))
    return None if row is None else (row[0], row[1])


def describe(connection: Connection, content_id: int) -> Content | None:
    """Return the life of a content, None if there is no such content."""
    row = connection.row(statements.DESCRIBE_CONTENT, (content_id,))
    return None if row is None else Content(*row)


def mean_gap_ms(connection: Connection, content_id: int, limit: int) -> int | None:
    """Return the mean gap inside the newest episodes of a content; None if each has only one record."""
    span_us, gaps = connection.one(statements.SUM_GAPS, {"content_id": content_id, "limit": limit})
    return mean_ms(span_us, gaps)


def numbers_behind(connection: Connection, content_id: int, limit: int) -> list[Figures]:
    """Return the numbers behind the masks of a content, of its newest episodes."""
    every = {"run_id": 0, "since_us": 0, "until_us": TIME_END_US}
    return _figures(connection, {"content_id": content_id, "limit": limit, **every})


def numbers_of_run(connection: Connection, run_id: int, run: list[Part]) -> list[Figures]:
    """Return the numbers behind the masks of one run, given with its parts."""
    times_us = [part.last_us for part in run]
    only = {"run_id": run_id, "since_us": min(times_us), "until_us": max(times_us)}
    return _figures(connection, {"content_id": run[0].content_id, "limit": -1, **only})


def near(connection: Connection, content_id: int, at_us: int, radius_us: int, limit: int) -> Near:
    """Return the runs of other contents that began within a radius of a moment, at most the nearest."""
    found = connection.rows(
        statements.NEAR,
        {"but_content_id": content_id, "at_us": at_us, "radius_us": radius_us, "limit": limit},
    )
    rows = [joined(parts_of(connection, other_id, run_id)) for _, other_id, run_id in found]
    return Near(sorted(rows, key=_begun), found[0][0] if found else 0)


def lived(runs: Iterable[list[Part]], earlier: list[Part]) -> list[Run]:
    """Return runs of a content in the order of their beginning, with their beats and silences.

    Each run is given as its parts; `earlier` is the run before them all, [] if there is none. The silence
    before a run is measured by the beat that the content had until then, else by that of the run.
    """
    told = sorted(map(_told, runs), key=lambda run: _begun(run.row))
    latest = _told(earlier) if earlier else None
    for place, run in enumerate(told):
        if latest is not None:
            told[place] = replace(run, before=_between(latest, run))
        if latest is None or run.row.last_us >= latest.row.last_us:
            latest = run
    return told


def longest_silence(runs: Iterable[Run]) -> tuple[Run, Silence] | None:
    """Return the longest silence and the run inside or before which it was; None if there was none."""
    silences = [
        (run, silence) for run in runs for silence in (run.before, *run.inside) if silence is not None
    ]
    return max(silences, key=lambda each: each[1].length_ms, default=None)


def beat_ms(span_ms: int, count: int, gap_min_ms: int, gap_max_ms: int) -> int | None:
    """Return the beat of what repeats regularly, None for what does not.

    The beat is the mean of all gaps but the largest. Regular are at least 4 records of which that mean
    is at most twice the smallest gap.
    """
    if count < _RECORDS_OF_A_BEAT:
        return None
    beat = _rounded(span_ms - gap_max_ms, count - 2)
    return beat if 0 < beat <= _STEADY * gap_min_ms else None


def missed(length_ms: int, beat: int | None) -> int:
    """Return about how many beats (milliseconds) are missing in a silence; 0 where there is no beat."""
    return 0 if beat is None else max(_rounded(length_ms, beat) - 1, 0)


def mean_ms(span_us: int, gaps: int) -> int | None:
    """Return the mean of so many gaps that cover a span; None of no gaps."""
    return _rounded(span_us, 1000 * gaps) if gaps else None


def _figures(connection: Connection, bindings: dict[str, int]) -> list[Figures]:
    return [Figures(*row) for row in connection.rows(statements.NUMBERS_BEHIND, bindings)]


def _told(parts: list[Part]) -> Run:
    row = joined(parts)
    silences = list(_silences(parts))
    beat = None
    if silences:
        lengths_ms = [silence.length_ms for silence in silences]
        smallest_ms = min(lengths_ms) if row.gap_min_ms is None else min(*lengths_ms, row.gap_min_ms)
        beat = beat_ms(_ms(row.last_us) - _ms(row.first_us), row.count, smallest_ms, max(lengths_ms))
    return Run(
        row,
        mean_ms(row.last_us - row.first_us, row.count - 1),
        beat,
        tuple(_measured(silence, beat) for silence in silences),
    )


def _silences(parts: list[Part]) -> Iterator[Silence]:
    """Yield the largest gap of each part, and the gaps between parts."""
    reached_us = None
    for part in sorted(parts, key=lambda part: part.first_us):
        if reached_us is not None and part.first_us > reached_us:
            yield _exactly(reached_us, part.first_us)
        reached_us = part.last_us if reached_us is None else max(reached_us, part.last_us)
        if part.records == 2:  # noqa: PLR2004 - its one gap lies between its first and its last record
            yield _exactly(part.first_us, part.last_us)
        elif part.gap_max_ms is not None and part.records > 1:
            yield Silence(part.gap_max_ms)


def _between(earlier: Run, run: Run) -> Silence | None:
    if run.row.first_us <= earlier.row.last_us:
        return None
    return _measured(_exactly(earlier.row.last_us, run.row.first_us), earlier.beat_ms or run.beat_ms)


def _exactly(since_us: int, until_us: int) -> Silence:
    return Silence(_ms(until_us) - _ms(since_us), since_us, until_us)


def _measured(silence: Silence, beat: int | None) -> Silence:
    return silence._replace(beat_ms=beat, missed=missed(silence.length_ms, beat))


def _begun(row: Row) -> tuple[int, int]:
    return row.first_us, row.id


def _ms(at_us: int) -> int:
    return at_us // 1000


def _rounded(whole: int, parts: int) -> int:
    """Divide in exact integers, halves up."""
    return (2 * whole + parts) // (2 * parts)
