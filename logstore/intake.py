"""From a batch to the tables, inside one write transaction that the caller holds."""

from operator import attrgetter
from typing import Any, Final, NamedTuple

from logstore import statements
from logstore.batch import NOTHING_KEPT, Batch, Group, Kept, RulesChanged, forget_older_half
from logstore.database import Connection
from logstore.fold import STORED, Span, fold
from logstore.sweep import AUTO_ROWS, SweepPass, quiet_before_us, sweep_rows

MAX_CACHED_TEXT: Final = 2_048
"""Characters of raw text, attributes and numbers that an open episode may have to stay in memory."""


_CACHED: Final = 131_072  # more than a queue holds by default: a cycle through all of it still finds each

_TIMES: Final = ("first_us", "last_us", "count", "gap_min_ms", "gap_max_ms")
_RENEWED: Final = attrgetter(*_TIMES, "prior_count", "id", "run_id")
_OPEN: Final = attrgetter(*_TIMES, "prior_count", "id", "run_id", "continues")
_CLOSED: Final = attrgetter("id", "run_id", "continues", *_TIMES)


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
    generation: int


class Intake:
    """Folds batches into the queue. One for each writing connection, used under its owner's lock.

    What it read or wrote stays known as long as no other connection has committed: then a repeat is one
    UPSERT and nothing is read.
    """

    def __init__(self, connection: Connection, *, auto_sweep: bool) -> None:
        self._connection = connection
        self._auto_sweep = auto_sweep
        self._data_version = -1
        self._state: State | None = None
        self._receipt = 0
        self._newest_us = 0  # the newest time of receipt in the queue, known as long as the state is
        self._contents = self._episodes = 0
        self._spans = _OpenSpans()
        self._sweep: SweepPass | None = None
        connection.rows(statements.STAGE)
        connection.rehearse()

    def take(self, batch: Batch, received_us: int) -> Taken:
        """Store a batch at one time of receipt, exactly as record by record.

        Raises RulesChanged, before anything is written, for a batch of another generation.
        """
        batch.date(received_us)
        if self._connection.data_version() != self._data_version:
            self._forget_queue()
        if self._current_state(received_us).generation != batch.generation:
            raise RulesChanged
        self._contents = self._episodes = 0
        first_receipt = self._receipt + 1
        groups = list(batch.groups.values())
        taken = self._take_while_sweeping(batch, groups, received_us, first_receipt)
        if taken:
            groups = [rest for group in groups if (rest := group.after(taken)).orders]
        if groups:
            self._put_bounded(batch, groups, received_us, first_receipt)
        self._receipt = first_receipt - 1 + len(batch.records)
        return Taken(len(batch.records), self._contents, self._episodes)

    def committed(self) -> None:
        """Say that what was taken is durable now."""
        self._data_version = self._connection.data_version()

    def forget(self) -> None:
        """Forget everything: this connection rolled back, or swept."""
        self._sweep = None
        self._forget_queue()

    def _forget_queue(self) -> None:
        self._state = None
        self._spans.clear()

    def _take_while_sweeping(
        self, batch: Batch, groups: list[Group], received_us: int, first_receipt: int
    ) -> int:
        """Sweep a little with each record until nothing is due, as so many calls of `log` would.

        Returns how many records were stored on the way: none, unless more is due than one write sweeps.
        """
        taken = 0
        owners: list[Group] = []
        while taken < len(batch.records) and self._sweeps_on(received_us):
            owners = owners or _owners(groups)
            self._put_record(batch, owners[taken], taken, received_us, first_receipt)
            taken += 1
        return taken

    def _sweeps_on(self, received_us: int) -> bool:
        """Sweep a little if it is time to. Returns whether there is more."""
        state = self._current_state(received_us)
        if not self._auto_sweep or abs(received_us - state.swept_us) * 4 <= state.window_ms * 1000:
            self._sweep = None
            return False
        if self._sweep is None or self._sweep.window_ms != state.window_ms:
            self._sweep = SweepPass(state.window_ms)
        sweep, moved = self._sweep, 0
        while moved < AUTO_ROWS and not sweep.done:
            moved += sweep.step(self._connection, received_us, AUTO_ROWS - moved)
        self._sweep = None if sweep.done else sweep  # the next write goes on where this one stopped
        self._forget_queue()
        return not sweep.done

    def _put_bounded(self, batch: Batch, groups: list[Group], received_us: int, first_receipt: int) -> None:
        self._load(groups)
        state = self._current_state(received_us)
        opening = sum(group.current is None for group in groups)
        if state.open_count + opening <= state.max_open:
            self._put(batch, groups, received_us, first_receipt)
            return
        by_order = sorted(((order, group) for group in groups for order in group.orders), key=_first)
        for order, group in by_order:
            self._put_record(batch, group, order, received_us, first_receipt)

    def _put_record(
        self, batch: Batch, group: Group, order: int, received_us: int, first_receipt: int
    ) -> None:
        """Store one record of a group: with a full queue, a first copy sends another episode away."""
        one = group.only(order)
        self._load([one])
        if one.current is None:
            _make_room(self._connection, received_us, self._current_state(received_us))
            self._forget_queue()
        self._put(batch, [one], received_us, first_receipt)
        group.current = one.current

    def _current_state(self, received_us: int) -> State:
        """Return the rules and counters, and know the last order number at this time of receipt."""
        if self._state is None or received_us < self._newest_us:
            *state, newest_us, receipt = self._connection.one(statements.READ_STATE, (received_us,))
            self._receipt = receipt or 0
            self._newest_us = max(newest_us or 0, received_us)
            self._state = State(*state)
        elif received_us > self._newest_us:
            self._newest_us = received_us
            self._receipt = 0
        return self._state

    def _load(self, groups: list[Group]) -> None:
        """Fill in what the queue holds of each group's content."""
        unknown = {}
        for group in groups:
            known = self._spans.get(group.content.hash)
            if known is None:
                unknown[group.content.hash] = group
            else:
                group.content_id, group.current, group.stored = known
        if unknown:
            for row in self._connection.each(statements.FIND_OPEN, [(key,) for key in unknown]):
                group = unknown[row[0]]
                group.content_id, group.current = row[1], Span(*row[2:11])
                group.stored = Kept(*row[11:]) if any(row[11:]) else NOTHING_KEPT

    def _put(self, batch: Batch, groups: list[Group], received_us: int, first_receipt: int) -> None:
        """Fold groups into the queue, and count what is new."""
        state = self._current_state(received_us)
        window_ms, max_span_ms, longest_us = state.window_ms, state.max_span_ms, state.longest_us
        closed: list[tuple[Span, Group]] = []
        opened: list[Span] = []
        entering: list[Group] = []
        for group in groups:
            ended, current = fold(group.current, group.orders, batch.times_us, window_ms, max_span_ms)
            if ended or group.current is None:
                entering.append(group)
                closed += [(span, group) for span in ended]
                opened += [span for span in (*ended, current) if span.id == 0]
            longest_us = max(longest_us, current.last_us - current.first_us)
            group.current = current
        if entering:
            self._contents += _know_contents(self._connection, entering)
        if opened:
            _number(opened, state.next_id)
        if closed:
            longest_us = max(longest_us, *(span.last_us - span.first_us for span, _ in closed))
            closed.sort(key=lambda pair: pair[0].closed_order)
            self._connection.each(statements.CLOSE_EPISODE, [_closed_row(batch, *pair) for pair in closed])
        self._queue_up(batch, groups, received_us, first_receipt)
        if opened or longest_us > state.longest_us:
            self._save_state(state, len(opened), len(entering), longest_us)
        self._episodes += len(opened)

    def _queue_up(self, batch: Batch, groups: list[Group], received_us: int, first_receipt: int) -> None:
        renewed: list[tuple[Any, ...]] = []
        put: list[tuple[Any, ...]] = []
        for group in sorted(groups, key=_last_order):  # then the index on receipt grows at its end
            span = group.folded
            receipt = first_receipt + group.orders[-1]
            kept = batch.kept(span, group)
            if kept == group.stored and span.opened_order == STORED:
                renewed.append((group.content.hash, group.content_id, *_RENEWED(span), received_us, receipt))
            else:
                put.append((group.content.hash, group.content_id, *_OPEN(span), *kept, received_us, receipt))
            self._spans.put(group, span, kept)
        if renewed:
            self._connection.each(statements.RENEW_OPEN, renewed)
        if put:
            self._connection.each(statements.PUT_OPEN, put)

    def _save_state(self, state: State, opened: int, entered: int, longest_us: int) -> None:
        doubled_us = 1 << longest_us.bit_length()  # so that it is seldom written
        longest_us = doubled_us if longest_us > state.longest_us else state.longest_us
        self._connection.rows(statements.SAVE_STATE, (state.next_id + opened, entered, longest_us))
        self._state = None


class _OpenSpans:
    """Open episodes as this connection last wrote them, by content hash."""

    def __init__(self, entries: int = _CACHED) -> None:
        self._entries = entries
        self._known: dict[bytes, tuple[int | None, Span | None, Kept]] = {}
        self.get = self._known.get
        self.clear = self._known.clear

    def put(self, group: Group, span: Span, kept: Kept) -> None:
        """Remember what is written of a group. Large texts are looked up again instead."""
        span.first_order = span.last_order = span.opened_order = STORED
        key = group.content.hash
        if kept is not NOTHING_KEPT and sum(len(text) for text in kept if text) > MAX_CACHED_TEXT:
            self._known.pop(key, None)
            return
        if len(self._known) >= self._entries:
            forget_older_half(self._known)
        self._known[key] = (group.content_id, span, kept)


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


def _know_contents(connection: Connection, groups: list[Group]) -> int:
    """Find or add the contents of groups that have no open episode. Returns how many were added."""
    unknown = [group for group in groups if group.content_id is None]
    if not unknown:
        return 0
    connection.each(statements.STAGE_CONTENT, [group.content for group in unknown])
    added = connection.changed(statements.ADD_CONTENT)
    for group, (content_id,) in zip(unknown, connection.rows(statements.FIND_CONTENT), strict=True):
        group.content_id = content_id
    connection.rows(statements.CLEAR_STAGE)
    return added


def _number(opened: list[Span], next_id: int) -> None:
    """Give ids in the order of opening, and link the parts of runs."""
    opened.sort(key=lambda span: span.opened_order)
    for number, span in enumerate(opened, next_id):
        span.id = span.run_id = number
        if span.continued is not None:
            span.continues, span.run_id = span.continued.id, span.continued.run_id
            span.continued = None


def _closed_row(batch: Batch, span: Span, group: Group) -> tuple[Any, ...]:
    return (group.content_id, *_CLOSED(span), *batch.kept(span, group), span.reason)


def _owners(groups: list[Group]) -> list[Group]:
    """Return the group of each record of a batch, in order."""
    by_order = sorted(((order, group) for group in groups for order in group.orders), key=_first)
    return [group for _, group in by_order]


def _last_order(group: Group) -> int:
    return group.orders[-1]


def _first(pair: tuple[int, Group]) -> int:
    return pair[0]
