"""What an answer is made of: rows with counts inside a range and the lifetime counts beside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from logstore import statements
from logstore.database import Connection


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


def count_inside(count: int, first_us: int, last_us: int, since_us: int, until_us: int) -> int:
    """Estimate how many records of a cut episode lie in a range: in exact integers, halves up."""
    span = last_us - first_us
    overlap = min(last_us, until_us) - max(first_us, since_us)
    return 1 + (2 * (count - 1) * overlap + span) // (2 * span)


def parts_of(connection: Connection, content_id: int, run_id: int, *, parts: bool = False) -> list[Part]:
    """Return the parts of a run, first to last; with `parts` only the one whose id is `run_id`."""
    bindings = {"content_id": content_id, "run_id": run_id, "parts": parts}
    return [Part(*row) for row in connection.rows(statements.PARTS_OF_RUN, bindings)]


def newest_of(connection: Connection, content_id: int) -> Iterator[tuple[int, int, int]]:
    """Yield the episodes of a content, newest first: last_us, id, and the id of the run it belongs to."""
    yield from connection.stream(statements.RUNS_OF_CONTENT, (content_id,))


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


def _first_us(part: Part) -> int:
    return part.first_us


def _last_us(part: Part) -> int:
    return part.last_us
