"""`query`: contents or episodes, with counts inside a range and the lifetime counts beside them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from heapq import merge
from typing import Any, Final, Literal, NamedTuple, TypeVar

from logstore import statements
from logstore.database import Connection
from logstore.errors import InvalidQuery
from logstore.filters import Filter, Order
from logstore.search.rows import Row, count_inside, joined, newest_of, parts_of

By = Literal["content", "run", "part"]
"""A content; a run of episodes that a max span parted; or each of its parts."""

_RANKS: Final[dict[Order, Callable[[Row], int]]] = {
    "last": lambda row: -row.last_us,
    "first": lambda row: row.first_us,
    "count": lambda row: -row.count,
}


_T = TypeVar("_T")


class Question(NamedTuple):
    """What is asked: a row for each of what, which of them, and which ones a limit keeps."""

    chosen: Filter
    by: By = "content"
    order: Order = "last"
    limit: int | None = None


class Answer(NamedTuple):
    """The rows that a limit keeps, the best first, and how many there were before it (None: more)."""

    rows: list[Row]
    found: int | None


def ask(connections: Sequence[Connection], question: Question) -> tuple[list[tuple[int, Row]], int | None]:
    """Ask one or more stores, as one timeline.

    Returns the rows that the limit keeps, the best first, each with the number of its store; and how
    many there were before the limit (None: more).
    """
    answers = [_answer(connection, question) for connection in connections]
    rank = _RANKS[question.order]
    rows = [(number, row) for number, answer in enumerate(answers) for row in answer.rows]
    rows.sort(key=lambda numbered: (rank(numbered[1]), numbered[0], numbered[1].content_id, numbered[1].id))
    known = [answer.found for answer in answers if answer.found is not None]
    return rows[: question.limit], sum(known) if len(known) == len(answers) else None


def _answer(connection: Connection, question: Question) -> Answer:
    chosen, by, order, limit = question
    if by == "content":
        return contents(connection, chosen, order=order, limit=limit)
    return runs(connection, chosen, order=order, limit=limit, parts=by == "part")


def contents(connection: Connection, chosen: Filter, *, order: Order, limit: int | None) -> Answer:
    """Answer with one row a content."""
    _install(connection, chosen)
    found = connection.rows(statements.QUERY_CONTENTS, _bindings(chosen, order, limit))
    rows = [Row(*(*row[1:7], bool(row[7]), *row[8:])) for row in found]
    return Answer(rows, found[0][0] if found else 0)


def runs(connection: Connection, chosen: Filter, *, order: Order, limit: int | None, parts: bool) -> Answer:
    """Answer with one row a run of episodes, or, with `parts`, one row an episode."""
    if order == "last" and limit is not None and chosen.state == "all" and not chosen.ranged:
        return _newest_runs(connection, chosen, limit, parts=parts)
    _install(connection, chosen)
    found = connection.rows(statements.QUERY_RUNS, {**_bindings(chosen, order, limit), "parts": parts})
    rows = [_row(connection, row) for row in found]
    rows.sort(key=lambda row: (_RANKS[order](row), row.content_id, row.id))
    return Answer(rows, found[0][0] if found else 0)


def printed(rows: list[_T], order: Order, *, reverse: bool) -> list[_T]:
    """Return ranked rows in the order of printing: times oldest first, counts largest first."""
    oldest_at_the_top = order == "last"
    return rows[::-1] if oldest_at_the_top is not reverse else rows


def _newest_runs(connection: Connection, chosen: Filter, limit: int, *, parts: bool) -> Answer:
    """Answer without a look at every episode: the newest runs are among those of the newest contents."""
    newest = contents(connection, chosen, order="last", limit=limit)
    streams = [_keys(connection, row.content_id, parts=parts) for row in newest.rows]
    keys: dict[tuple[int, int], None] = {}
    more = newest.found != len(newest.rows)
    for _, content_id, run_id in merge(*streams):
        if len(keys) == limit and (content_id, run_id) not in keys:
            more = True
            break
        keys[content_id, run_id] = None
    return Answer([_run(connection, *key, parts=parts) for key in keys], None if more else len(keys))


def _keys(connection: Connection, content_id: int, *, parts: bool) -> Iterator[tuple[int, int, int]]:
    for last_us, episode_id, run_id in newest_of(connection, content_id):
        yield -last_us, content_id, episode_id if parts else run_id


def _row(connection: Connection, found: tuple[Any, ...]) -> Row:
    """Return a row of `query_runs.sql`; one of several parts is put together from them."""
    _, is_run, content_id, run_id, count, whole, state, first_us, last_us, total, *rest = found
    if is_run:
        run = _run(connection, content_id, run_id, parts=False)
        return replace(run, count=count, count_exact=bool(whole))
    values = (run_id, state, first_us, last_us, count, total, bool(whole), *rest, content_id)
    return Row(*values)


def _run(connection: Connection, content_id: int, run_id: int, *, parts: bool) -> Row:
    return joined(parts_of(connection, content_id, run_id, parts=parts))


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


def _install(connection: Connection, chosen: Filter) -> None:
    chosen.install(connection)
    connection.define("count_inside", count_inside)


def _bindings(chosen: Filter, order: Order, limit: int | None) -> dict[str, Any]:
    return chosen.bindings() | {"order": order, "limit": -1 if limit is None else limit}
