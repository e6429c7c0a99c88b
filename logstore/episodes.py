"""Episodes as objects, in one of the orders that the library gives them in."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final, get_args

from logstore import statements
from logstore.database import Connection, unlike_a_store
from logstore.errors import InvalidQuery
from logstore.filters import Filter, Order
from logstore.record import Episode

_FIELDS: Final = (
    *("id", "state", "source", "level", "level_name", "message", "first_us", "last_us", "count"),
    *("gap_min_ms", "gap_max_ms", "first_text", "last_text", "reason", "content_id", "continues"),
)


def read_episodes(
    open_reader: Callable[[], Connection],
    chosen: Filter,
    order: Order,
    *,
    newest_first: bool,
    limit: int | None,
) -> Iterator[Episode]:
    """Return the episodes that a filter chooses, of one snapshot; the reader is closed after the last.

    Raises InvalidQuery before it is opened.
    """
    statement = _statement(order, newest_first=newest_first)
    options = {"order": order, "newest_first": newest_first, "limit": _row_limit(limit)}
    reader = open_reader()
    try:
        chosen.install(reader)
        rows = reader.stream(statement, chosen.bindings() | options)
    except BaseException:
        reader.close()
        raise
    return _episodes(reader, rows)


def _episodes(reader: Connection, rows: Iterator[tuple[Any, ...]]) -> Iterator[Episode]:
    try:
        for row in rows:
            try:
                episode = _episode(row)
            except (TypeError, ValueError) as error:
                raise unlike_a_store(error, reader.path) from error
            yield episode
    finally:
        reader.close()


def _episode(row: tuple[Any, ...]) -> Episode:
    *fields, first_attributes, last_attributes = row
    named = dict(zip(_FIELDS, fields, strict=True))
    return Episode(
        **named, first_attributes=_object(first_attributes), last_attributes=_object(last_attributes)
    )


def _object(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)


def _statement(order: Order, *, newest_first: bool) -> str:
    """Return the statement that reads episodes in an order. Raises InvalidQuery."""
    if order not in get_args(Order):
        raise InvalidQuery(f"order is one of {', '.join(get_args(Order))}, not {order!r}")
    if order == "last":
        return statements.EPISODES_NEWEST if newest_first else statements.EPISODES_OLDEST
    return statements.EPISODES_SORTED


def _row_limit(limit: int | None) -> int:
    """Return a limit as the statements take it: -1 for none. Raises InvalidQuery."""
    if limit is None:
        return -1
    if type(limit) is not int or limit < 0:
        raise InvalidQuery(f"limit is a number of rows, 0 or more, not {limit!r}")
    return min(limit, (1 << 63) - 1)
