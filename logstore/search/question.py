"""`query` and `show`: rows with counts inside a range and the lifetime counts beside them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from logstore import statements
from logstore.database import Connection
from logstore.errors import InvalidQuery
from logstore.filters import Filter, Order


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an answer: a content, or a run of episodes. The keys are those of `-o jsonl`.

    Times are microseconds; `count` is inside the range, estimated if `count_exact` is false.
    """

    id: int
    state: str
    first_us: int
    last_us: int
    count: int
    count_total: int
    count_exact: bool
    level: str
    source: str
    message: str
    gap_min_ms: int | None
    gap_max_ms: int | None
    first_text: str
    last_text: str
    reason: str | None
    content_id: int


class Part(NamedTuple):
    """One episode of a run; attributes are JSON text."""

    content_id: int
    id: int
    state: str
    first_us: int
    last_us: int
    records: int
    level: str
    source: str
    message: str
    gap_min_ms: int | None
    gap_max_ms: int | None
    first_text: str
    last_text: str
    reason: str | None
    first_attributes: str | None
    last_attributes: str | None


class Answer(NamedTuple):
    """Rows in the order of printing, and how many there were before the limit."""

    rows: list[Row]
    found: int


class Reach(NamedTuple):
    """How far back a store knows; `pruned` if retention has deleted what was before."""

    from_us: int
    pruned: bool


@dataclass(frozen=True, slots=True)
class Content:
    """The life of one content; gaps in milliseconds."""

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


class Figures(NamedTuple):
    """The `numbers` that one masked place of a content hid, `place` counted from 0."""

    place: int
    smallest: float
    largest: float
    total: float
    numbers: int
    last: float
    largest_text: str


class Stats(NamedTuple):
    """What a store holds; times are microseconds, None where there are no records."""

    store_id: str
    host: str
    created_us: int
    swept_us: int
    horizon_us: int
    window_ms: int
    max_span_ms: int
    max_open: int
    contents: int
    open_episodes: int
    archived_episodes: int
    records: int
    first_us: int | None
    last_us: int | None


_OLDEST_AT_THE_TOP: Final = {"last": True, "first": False, "count": False}


def contents(
    connection: Connection, chosen: Filter, *, order: Order, limit: int | None, reverse: bool
) -> Answer:
    """Answer with one row a content."""
    _install(connection, chosen)
    found = connection.rows(statements.QUERY_CONTENTS, _bindings(chosen, order, limit))
    rows = [replace(Row(*row[1:]), count_exact=bool(row[7])) for row in found]
    return _answer(rows, found, order, reverse=reverse)


def runs(
    connection: Connection, chosen: Filter, *, order: Order, limit: int | None, reverse: bool, parts: bool
) -> Answer:
    """Answer with one row a run of episodes, or, with `parts`, one row an episode."""
    _install(connection, chosen)
    found = connection.rows(statements.QUERY_RUNS, {**_bindings(chosen, order, limit), "parts": parts})
    rows = []
    for _, content_id, run_id, count, whole in found:
        run = joined(parts_of(connection, content_id, run_id, parts=parts))
        rows.append(replace(run, count=count, count_exact=bool(whole)))
    keys = {
        "last": lambda row: -row.last_us,
        "first": lambda row: row.first_us,
        "count": lambda row: -row.count,
    }
    rows.sort(key=keys[order])
    return _answer(rows, found, order, reverse=reverse)


def parts_of(connection: Connection, content_id: int, run_id: int, *, parts: bool = False) -> list[Part]:
    """Return the parts of a run, first to last; with `parts` only the one whose id is `run_id`."""
    return [Part(*row) for row in connection.rows(statements.PARTS_OF_RUN, (content_id, parts, run_id))]


def joined(parts: list[Part]) -> Row:
    """Return a run as one row: id and first of its first part, counts summed, state of its last."""
    first, last = parts[0], parts[-1]
    total = sum(part.records for part in parts)
    return Row(
        id=first.id,
        state=last.state,
        first_us=min(part.first_us for part in parts),
        last_us=max(part.last_us for part in parts),
        count=total,
        count_total=total,
        count_exact=True,
        level=first.level,
        source=first.source,
        message=first.message,
        gap_min_ms=min((part.gap_min_ms for part in parts if part.gap_min_ms is not None), default=None),
        gap_max_ms=max((part.gap_max_ms for part in parts if part.gap_max_ms is not None), default=None),
        first_text=min(parts, key=_first_us).first_text,
        last_text=max(parts, key=_last_us).last_text,
        reason=last.reason,
        content_id=first.content_id,
    )


def runs_of(connection: Connection, content_id: int, limit: int) -> list[list[Part]]:
    """Return the newest runs of a content, oldest first, each as its parts."""
    newest = connection.rows(statements.RUNS_OF_CONTENT, (content_id, limit))
    return [parts_of(connection, content_id, run_id) for (run_id,) in reversed(newest)]


def find_run(connection: Connection, episode_id: int) -> tuple[int, int] | None:
    """Return the content and the run of an episode, None if there is no such episode."""
    row = connection.row(statements.FIND_RUN, (episode_id,))
    return None if row is None else (row[0], row[1])


def describe(connection: Connection, content_id: int) -> Content | None:
    """Return the life of a content, None if there is no such content."""
    row = connection.row(statements.DESCRIBE_CONTENT, (content_id,))
    return None if row is None else Content(*row)


def numbers_behind(connection: Connection, content_id: int, run_id: int = 0) -> list[Figures]:
    """Return the numbers behind the masks of a content, of all its episodes or of one run."""
    return [Figures(*row) for row in connection.rows(statements.NUMBERS_BEHIND, (content_id, run_id))]


def masks_hide(connection: Connection) -> bool:
    """Return whether messages of this store may be masked."""
    return bool(connection.one(statements.HAS_MASKS)[0])


def reach(connection: Connection) -> Reach:
    """Return how far back a store knows: its creation or its oldest record, or the prune horizon if later."""
    created_us, oldest_us, horizon_us = connection.one(statements.REACH)
    from_us = created_us if oldest_us is None else min(created_us, oldest_us)
    return Reach(max(from_us, horizon_us), horizon_us > 0)


def stats(connection: Connection) -> Stats:
    """Return what a store holds."""
    return Stats(*connection.one(statements.STATS))


def run_sql(
    connection: Connection, statement: str, *, seconds: float
) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """Run one reading statement of a user. Returns its column names and its rows, one at a time.

    Raises InvalidQuery, also while the rows are read.
    """
    connection.guard(seconds)
    names = connection.columns(statement)
    if not names:
        raise InvalidQuery(f"{connection.path}: --sql takes one statement that reads, such as SELECT or WITH")
    return names, connection.stream(statement)


def count_inside(count: int, first_us: int, last_us: int, since_us: int, until_us: int) -> int:
    """Estimate how many records of a cut episode lie in a range: in exact integers, halves up."""
    span = last_us - first_us
    overlap = min(last_us, until_us) - max(first_us, since_us)
    return 1 + (2 * (count - 1) * overlap + span) // (2 * span)


def _first_us(part: Part) -> int:
    return part.first_us


def _last_us(part: Part) -> int:
    return part.last_us


def _install(connection: Connection, chosen: Filter) -> None:
    chosen.install(connection)
    connection.define("count_inside", count_inside)


def _bindings(chosen: Filter, order: Order, limit: int | None) -> dict[str, Any]:
    return chosen.bindings() | {"order": order, "limit": -1 if limit is None else limit}


def _answer(rows: list[Row], found: list[tuple[Any, ...]], order: Order, *, reverse: bool) -> Answer:
    if _OLDEST_AT_THE_TOP[order] is not reverse:
        rows.reverse()
    return Answer(rows, found[0][0] if found else 0)
