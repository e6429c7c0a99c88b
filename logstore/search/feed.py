"""What is new in one open store: first copies in the order of their ids, and what became of runs."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from logstore import statements
from logstore.database import Connection
from logstore.filters import Filter
from logstore.search.rows import Row, joined, parts_of

_LOOK_BACK: Final = 100_000
"""Among how many of the newest episodes the last few that fit are looked for: the start stays quick."""


class Position(NamedTuple):
    """Which store this is, when it was made (microseconds), and the id of its next episode."""

    store_id: str
    created_us: int
    next_id: int


class Feed:
    """Reads what is new by id, each time in a snapshot of its own that ends at once.

    Ids are given under the write lock, so whoever sees a `next_id` sees every episode below it, now and
    in any later snapshot: in the queue or, the same, in the archive.
    """

    def __init__(self, connection: Connection, chosen: Filter) -> None:
        chosen.install(connection)
        self.path = connection.path
        self._connection = connection
        self._filter = chosen.bindings()
        self._renewed_at: int | None = None

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        self._connection.close()

    def position(self) -> Position:
        """Return how far the store has come."""
        return Position(*self._connection.one(statements.FOLLOW_POSITION))

    def begin_since(self, since_us: int) -> int | None:
        """Return the id of the earliest first copy that was first seen since a time, None: there is none."""
        found: int | None = self._connection.one(statements.FOLLOW_SINCE, (since_us,))[0]
        return found

    def begin_last(self, limit: int, *, next_id: int, since_us: int | None, since_id: int) -> int | None:
        """Return the id of the oldest of the last `limit` first copies that fit, None: there is none."""
        after_id = since_id - 1 if since_us is not None else max(next_id - 1 - _LOOK_BACK, 0)
        asked = {"after_id": after_id, "since_us": since_us or 0, "limit": limit}
        found: int | None = self._connection.one(statements.FOLLOW_LAST, self._filter | asked)[0]
        return found

    def opened(self, after_id: int, before_id: int, since_us: int) -> list[Row]:
        """Return the first copies between two ids, both left out, that fit; runs in parts are joined."""
        asked: dict[str, Any] = {"after_id": after_id, "before_id": before_id, "since_us": since_us}
        found = self._connection.rows(statements.FOLLOW_OPENED, self._filter | asked)
        rows = [replace(Row(*row), count_exact=True) for row in found]
        return [self._whole(row) if row.reason == "span" else row for row in rows]

    def renewed(self, rows: Sequence[Row]) -> list[Row]:
        """Return rows of this store as they are now; one that is closed stays as it is.

        While nothing was committed they are given back unread: whoever asks goes on with what this gives.
        """
        version = self._connection.data_version()
        if version == self._renewed_at:
            return list(rows)
        contents = {row.content_id for row in rows if row.state == "open"}
        found = self._connection.rows(statements.FOLLOW_OPEN, (json.dumps(sorted(contents)),))
        now_open = {run_id: rest for run_id, *rest in found}
        self._renewed_at = version
        return [row if row.state == "closed" else self._renewed(row, now_open.get(row.id)) for row in rows]

    def _renewed(self, row: Row, now_open: Sequence[int] | None) -> Row:
        if now_open is None:
            return self._whole(row)
        count, first_us, last_us = now_open
        return replace(
            row,
            count=count,
            count_total=count,
            first_us=min(row.first_us, first_us),
            last_us=max(row.last_us, last_us),
        )

    def _whole(self, row: Row) -> Row:
        parts = parts_of(self._connection, row.content_id, row.id)
        return joined(parts) if parts else replace(row, state="closed")  # retention was quicker
