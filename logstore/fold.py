"""The rule of folding, stated once: an open episode and records in, merged and closed episodes out.

Pure: no clock, no SQL, no ids. Every path that stores a record goes through `fold`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from logstore.record import Reason



class Json(str):
    """A JSON object as text, the way the store keeps it."""

    __slots__ = ()


Attributes = Mapping[str, Any] | Json | None
"""A JSON object, as the caller gave it or as the store keeps it."""

_UNLIMITED_MS: Final = 1 << 62


Occurrence = tuple[int, int, str | None, Attributes]
"""One record of a known content: its time, its place in the batch, its raw text where that differs
from the content's message (else None), its attributes. A plain tuple: there are millions of them."""


@dataclass(slots=True, eq=False)
class Span:
    """An episode while it can still change. `id` is 0 until the store gives one.

    `continued` is the episode of the same run that this one goes on from, when it was closed just now.
    `opened_order` and `closed_order` say at which record of the batch that happened.
    """

    first_us: int
    last_us: int
    count: int
    gap_min_ms: int | None
    gap_max_ms: int | None
    first_text: str | None
    last_text: str | None
    first_attributes: Attributes
    last_attributes: Attributes
    prior_count: int = 0
    id: int = 0
    run_id: int = 0
    continues: int | None = None
    continued: "Span | None" = None
    opened_order: int = -1
    closed_order: int = -1
    reason: Reason | None = None

    @property
    def run_count(self) -> int:
        """Records in the whole run, earlier parts included."""
        return self.prior_count + self.count


def fold(
    current: Span | None, occurrences: Iterable[Occurrence], window_ms: int, max_span_ms: int
) -> tuple[list[Span], Span | None]:
    """Merge occurrences, one after the other, into the open episode of their content.

    Returns the episodes that were closed on the way, in that order, and the one that is open now.
    Times are compared in whole milliseconds, floored: a gap of exactly `window_ms` merges, and so does
    a span of exactly `max_span_ms` (0 = no limit).
    """
    limit_ms = max_span_ms or _UNLIMITED_MS
    closed: list[Span] = []
    for occurrence in occurrences:
        if current is None:
            current = _opened(occurrence)
            continue
        at_us = occurrence[0]
        first_us, last_us = current.first_us, current.last_us
        if at_us > last_us:
            gap_ms = at_us // 1000 - last_us // 1000
            span_ms = at_us // 1000 - first_us // 1000
        elif at_us < first_us:
            gap_ms = first_us // 1000 - at_us // 1000
            span_ms = last_us // 1000 - at_us // 1000
        else:
            _merge_inside(current, occurrence)
            continue
        if gap_ms > window_ms:
            closed.append(_closed(current, "gap", occurrence))
            current = _opened(occurrence)
        elif span_ms > limit_ms:
            closed.append(_closed(current, "span", occurrence))
            current = _continued(current, occurrence)
        else:
            _merge_outside(current, occurrence, gap_ms)
    return closed, current


def _opened(occurrence: Occurrence) -> Span:
    at_us, order, text, attributes = occurrence
    return Span(at_us, at_us, 1, None, None, text, text, attributes, attributes, opened_order=order)


def _continued(part: Span, occurrence: Occurrence) -> Span:
    span = _opened(occurrence)
    span.continued = part
    span.prior_count = part.run_count
    return span


def _closed(span: Span, reason: Reason, occurrence: Occurrence) -> Span:
    span.reason = reason
    span.closed_order = occurrence[1]
    return span


def _merge_outside(span: Span, occurrence: Occurrence, gap_ms: int) -> None:
    at_us, _, text, attributes = occurrence
    span.count += 1
    if at_us > span.last_us:
        span.last_us, span.last_text, span.last_attributes = at_us, text, attributes
    else:
        span.first_us, span.first_text, span.first_attributes = at_us, text, attributes
    _note_gap(span, gap_ms)


def _merge_inside(span: Span, occurrence: Occurrence) -> None:
    at_us, _, text, attributes = occurrence
    span.count += 1
    if at_us == span.last_us:  # on a tie the later arrival is last
        span.last_text, span.last_attributes = text, attributes
        _note_gap(span, 0)
    elif at_us == span.first_us:
        _note_gap(span, 0)


def _note_gap(span: Span, gap_ms: int) -> None:
    if span.gap_min_ms is None or gap_ms < span.gap_min_ms:
        span.gap_min_ms = gap_ms
    if span.gap_max_ms is None or gap_ms > span.gap_max_ms:
        span.gap_max_ms = gap_ms
