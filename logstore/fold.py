"""The rule of folding, stated once: an open episode and times in, merged and closed episodes out.

Pure: no clock, no SQL, no ids, no text. Every path that stores a record goes through `fold`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from logstore.record import Reason

STORED: Final = -1
"""Stands for a record that was stored before this batch."""

_UNLIMITED_MS: Final = 1 << 62


@dataclass(slots=True, eq=False)
class Span:
    """An episode while it can still change. `id` is 0 until the store gives one.

    `first_order` and `last_order` say which record of the batch is at `first_us` and `last_us`, STORED
    if neither text changed; `opened_order` and `closed_order` say at which record that happened.
    `continued` is the part of the same run that this one goes on from, if it was closed just now.
    """

    first_us: int
    last_us: int
    count: int
    gap_min_ms: int | None
    gap_max_ms: int | None
    prior_count: int = 0
    id: int = 0
    run_id: int = 0
    continues: int | None = None
    first_order: int = STORED
    last_order: int = STORED
    opened_order: int = STORED
    closed_order: int = STORED
    continued: "Span | None" = None
    reason: Reason | None = None

    @property
    def run_count(self) -> int:
        """Records in the whole run, earlier parts included."""
        return self.prior_count + self.count


def fold(  # noqa: C901, PLR0912, PLR0915  # one loop: a call for each record would double its cost
    current: Span | None, orders: Iterable[int], times_us: Sequence[int], window_ms: int, max_span_ms: int
) -> tuple[list[Span], Span]:
    """Merge records, one after the other, into the open episode of their content.

    `orders` are the places of this content's records in the batch, `times_us` the times of all of it.
    Returns the episodes that were closed on the way, in that order, and the one that is open now.
    Times are compared in whole milliseconds, floored: a gap of exactly `window_ms` merges, and so does
    a span of exactly `max_span_ms` (0 = no limit). Raises ValueError for nothing at all.
    """
    limit_ms = max_span_ms or _UNLIMITED_MS
    closed: list[Span] = []
    for order in orders:
        at_us = times_us[order]
        if current is None:
            current = _opened(at_us, order)
            continue
        first_us, last_us = current.first_us, current.last_us
        if at_us > last_us:
            at_ms = at_us // 1000
            gap_ms = at_ms - last_us // 1000
            span_ms = at_ms - first_us // 1000
        elif at_us < first_us:
            at_ms = at_us // 1000
            gap_ms = first_us // 1000 - at_ms
            span_ms = last_us // 1000 - at_ms
        elif at_us in (first_us, last_us):
            gap_ms = span_ms = 0
        else:
            current.count += 1
            continue
        if gap_ms > window_ms:
            closed.append(_closed(current, "gap", order))
            current = _opened(at_us, order)
        elif span_ms > limit_ms:
            closed.append(_closed(current, "span", order))
            current = _continued(current, at_us, order)
        else:
            current.count += 1
            if current.gap_min_ms is None or gap_ms < current.gap_min_ms:
                current.gap_min_ms = gap_ms
            if current.gap_max_ms is None or gap_ms > current.gap_max_ms:
                current.gap_max_ms = gap_ms
            if at_us >= last_us:  # on a tie the later arrival is last
                current.last_us, current.last_order = at_us, order
            elif at_us < first_us:
                current.first_us, current.first_order = at_us, order
    if current is None:
        raise ValueError("nothing to fold")
    return closed, current


def _opened(at_us: int, order: int) -> Span:
    return Span(at_us, at_us, 1, None, None, first_order=order, last_order=order, opened_order=order)


def _continued(part: Span, at_us: int, order: int) -> Span:
    span = _opened(at_us, order)
    span.continued = part
    span.prior_count = part.run_count
    return span


def _closed(span: Span, reason: Reason, order: int) -> Span:
    span.reason = reason
    span.closed_order = order
    return span
