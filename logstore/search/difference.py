"""What changed between two ranges of time: new, gone, much more, much less."""

from typing import Final, Literal, NamedTuple

from logstore.database import Connection
from logstore.filters import Filter
from logstore.search.question import contents
from logstore.search.rows import Row

Change = Literal["new", "gone", "more", "less"]

_TIMES: Final = 3


class Changed(NamedTuple):
    """A content, and how many records of it each range has, estimated unless it says exact.

    `row` is of the second range; of what is gone, of the first.
    """

    change: Change
    before: int
    before_exact: bool
    after: int
    after_exact: bool
    row: Row


def changes(connection: Connection, before: Filter, after: Filter) -> list[Changed]:
    """Return the contents that are new, gone, or three times more or less frequent in the second range.

    Frequent means records in a length of time: the ranges may be of different lengths.
    """
    old = _rows(connection, before)
    new = _rows(connection, after)
    found = []
    for content_id in old.keys() | new.keys():
        was, now = old.get(content_id), new.get(content_id)
        row = now or was
        change = _change(was, now, _length_us(before), _length_us(after))
        if row is not None and change is not None:
            found.append(Changed(change, *_counted(was), *_counted(now), row))
    return sorted(found, key=place)


def _counted(row: Row | None) -> tuple[int, bool]:
    return (0, True) if row is None else (row.count, row.count_exact)


def place(changed: Changed) -> tuple[int, float, int]:
    """Return what changes are sorted by: what is new, then what is gone, as they came; then the largest."""
    row = changed.row
    at: dict[Change, float] = {
        "new": row.first_us,
        "gone": row.last_us,
        "more": -changed.after / max(changed.before, 1),
        "less": -changed.before / max(changed.after, 1),
    }
    return (*at,).index(changed.change), at[changed.change], row.id


def _rows(connection: Connection, chosen: Filter) -> dict[int, Row]:
    return {row.id: row for row in contents(connection, chosen, order="last", limit=None).rows}


def _change(was: Row | None, now: Row | None, was_us: int, now_us: int) -> Change | None:
    if was is None:
        return "new"
    if now is None:
        return "gone"
    old_rate, new_rate = was.count * now_us, now.count * was_us
    if new_rate >= _TIMES * old_rate:
        return "more"
    return "less" if old_rate >= _TIMES * new_rate else None


def _length_us(chosen: Filter) -> int:
    return chosen.until_us - chosen.since_us
