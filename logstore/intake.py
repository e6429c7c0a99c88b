"""From a batch to the tables, inside one write transaction that the caller holds."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from logstore import statements
from logstore.batch import Batch, Group, as_json
from logstore.database import Connection
from logstore.fold import Json, Span, fold
from logstore.sweep import AUTO_ROWS, quiet_before_us, sweep_rows


class Taken(NamedTuple):
    """What a batch did: how many records it held, how many contents and episodes are new."""

    records: int
    contents: int
    episodes: int


class State(NamedTuple):
    """The rules and the shared counters of the file, as one write found them."""

    next_id: int
    open_count: int
    longest_us: int
    swept_us: int
    window_ms: int
    max_span_ms: int
    max_open: int
    last_receipt: int


def take(connection: Connection, batch: Batch, received_us: int, *, auto_sweep: bool) -> Taken:
    """Fold a batch into the queue, at one time of receipt, exactly as record by record."""
    batch.date(received_us)
    state = read_state(connection, received_us)
    if auto_sweep and abs(received_us - state.swept_us) * 4 > state.window_ms * 1000:
        sweep_rows(connection, received_us, state.window_ms, AUTO_ROWS)
        state = read_state(connection, received_us)
    groups = list(batch.groups.values())
    _load(connection, groups)
    opening = sum(group.current is None for group in groups)
    put = _put if state.open_count + opening <= state.max_open else _put_one_by_one
    contents, episodes = put(connection, groups, received_us, state)
    return Taken(batch.size, contents, episodes)


def read_state(connection: Connection, received_us: int) -> State:
    """Return what every write has to know first."""
    return State(*connection.rows(statements.READ_STATE, (received_us,))[0])


def _load(connection: Connection, groups: list[Group]) -> None:
    by_hash = {group.content.hash: group for group in groups}
    for row in connection.each(statements.FIND_OPEN, [(key,) for key in by_hash]):
        group = by_hash[row[0]]
        group.content_id, group.current = row[1], _span(row)


def _put(connection: Connection, groups: list[Group], received_us: int, state: State) -> tuple[int, int]:
    """Fold groups into the queue. Returns how many contents and episodes are new."""
    closed: list[tuple[Span, Group]] = []
    opened: list[Span] = []
    contents = 0
    for group in groups:
        contents += _know_content(connection, group)
        ended, current = fold(group.current, group.occurrences, state.window_ms, state.max_span_ms)
        if ended or group.current is None:
            closed += [(span, group) for span in ended]
            opened += [span for span in (*ended, current) if span.id == 0]
        group.current = current
    next_id = _number(opened, state.next_id)
    closed.sort(key=lambda pair: pair[0].closed_order)
    if closed:
        connection.each(statements.CLOSE_EPISODE, [_closed_row(span, group) for span, group in closed])
    connection.each(
        statements.PUT_OPEN, [_open_row(group, received_us, state.last_receipt + 1) for group in groups]
    )
    longest_us = _longest(state.longest_us, (span for span, _ in closed), groups)
    if next_id != state.next_id or longest_us != state.longest_us:
        connection.rows(statements.SAVE_STATE, (next_id, longest_us))
    return contents, len(opened)


def _put_one_by_one(
    connection: Connection, groups: list[Group], received_us: int, state: State
) -> tuple[int, int]:
    """Store record by record: with a full queue, each first copy sends another episode away."""
    contents = episodes = 0
    by_order = sorted(
        ((occurrence[1], occurrence, group) for group in groups for occurrence in group.occurrences),
        key=lambda item: item[0],
    )
    for _, occurrence, group in by_order:
        one = Group(group.content, [occurrence])
        _load(connection, [one])
        if one.current is None:
            _make_room(connection, received_us, state)
        added = _put(connection, [one], received_us, state)
        contents, episodes = contents + added[0], episodes + added[1]
        group.current = one.current
        state = read_state(connection, received_us)._replace(last_receipt=state.last_receipt)
    return contents, episodes


def _make_room(connection: Connection, received_us: int, state: State) -> None:
    """Free a place in a full queue: what is due goes first, else the least recently received."""
    surplus = state.open_count + 1 - state.max_open
    if surplus <= 0:
        return
    (oldest_us,) = connection.rows(statements.OLDEST_RECEIPT)[0]
    if oldest_us < quiet_before_us(received_us, state.window_ms):
        surplus -= sweep_rows(connection, received_us, state.window_ms, max(surplus, AUTO_ROWS))
    if surplus > 0:
        connection.rows(statements.EVICT, (surplus,))


def _know_content(connection: Connection, group: Group) -> int:
    """Find or add the content of a group that has no open episode. Returns how many were added."""
    if group.content_id is not None:
        return 0
    row = connection.row(statements.FIND_CONTENT, (group.content.hash,))
    found = row is not None
    if row is None:
        row = connection.rows(statements.ADD_CONTENT, group.content)[0]
    group.content_id = row[0]
    return 0 if found else 1


def _number(opened: list[Span], next_id: int) -> int:
    """Give ids in the order of opening, link the parts of runs, and return the next free id."""
    opened.sort(key=lambda span: span.opened_order)
    for span in opened:
        span.id = span.run_id = next_id
        next_id += 1
        if span.continued is not None:
            span.continues, span.run_id = span.continued.id, span.continued.run_id
            span.continued = None
    return next_id


def _longest(longest_us: int, closed: Iterable[Span], groups: list[Group]) -> int:
    """Return a bound that no episode exceeds; it grows by doubling, so that it is seldom written."""
    for span in (*closed, *(group.current for group in groups if group.current is not None)):
        if span.last_us - span.first_us > longest_us:
            longest_us = 1 << (span.last_us - span.first_us).bit_length()
    return longest_us


def _span(row: tuple[Any, ...]) -> Span:
    _, _, number, run_id, continues, prior_count, first_us, last_us, count, *rest = row
    gap_min_ms, gap_max_ms, first_text, last_text, first_attributes, last_attributes = rest
    return Span(
        first_us,
        last_us,
        count,
        gap_min_ms,
        gap_max_ms,
        first_text,
        last_text,
        first_attributes and Json(first_attributes),
        last_attributes and Json(last_attributes),
        prior_count,
        number,
        run_id,
        continues,
    )


def _open_row(group: Group, received_us: int, first_receipt: int) -> tuple[Any, ...]:
    span = group.current
    assert span is not None
    return (
        group.content.hash,
        group.content_id,
        span.id,
        span.run_id,
        span.continues,
        span.prior_count,
        *_kept(span),
        received_us,
        first_receipt + group.occurrences[-1][1],
    )


def _closed_row(span: Span, group: Group) -> tuple[Any, ...]:
    return (span.id, group.content_id, span.run_id, span.continues, *_kept(span), span.reason)


def _kept(span: Span) -> tuple[Any, ...]:
    """The columns that an episode takes along from the queue into the archive."""
    return (
        span.first_us,
        span.last_us,
        span.count,
        span.gap_min_ms,
        span.gap_max_ms,
        span.first_text,
        span.last_text,
        as_json(span.first_attributes),
        as_json(span.last_attributes),
    )
