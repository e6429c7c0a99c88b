"""What a store was told, what it must therefore hold, and the check of the one against the other.

The words are Jepsen's: a call was *acknowledged* (it returned) or is only *begun* (nobody knows). What was
acknowledged is there, what was not begun is not there, and of the call in flight there is all or nothing.
"""

import json
import random
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from model import LEVELS, NOW_US, Clock, Fields, Key, Model, Part

from logstore import LogStore, LogStoreError, Record
from logstore.database import Connection

WINDOW_MS: Final = 1_500
MAX_SPAN_MS: Final = 6_000
MAX_OPEN: Final = 10
WINDOWS_MS: Final = (1_000, WINDOW_MS, 2_500)
STEPS_MS: Final = (0, 0, 1, 200, 500, *WINDOWS_MS, WINDOW_MS + 1, 5 * WINDOW_MS)

Token = tuple[str, int]


class Broken(AssertionError):  # as the errors of logstore
    """A store holds what no sequence of the calls that were made can have left."""


class Call(NamedTuple):
    """One call of the public API, at a time of the injected clock."""

    kind: Literal["log", "batch", "sweep", "configure"]
    at_us: int
    records: tuple[Record, ...] = ()
    token: Token | None = None
    window_ms: int = WINDOW_MS

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again by a client that does not know if it was stored."""
        return self.kind != "log"

    def send(self, store: LogStore, clock: Clock) -> int:
        """Make the call. Returns how many records were taken, or episodes moved."""
        clock.now_us = self.at_us
        match self.kind:
            case "log":
                (record,) = self.records
                store.log(**record._asdict())
                return 1
            case "batch":
                return store.log_many(self.records, token=self.token)
            case "sweep":
                return store.sweep()
            case "configure":
                store.configure(store.settings._replace(window_ms=self.window_ms))
                return 0

    def commits(self, model: Model) -> Iterator[None]:
        """Do the same to the model, and pause after each transaction."""
        match self.kind:
            case "log":
                model.log(self.records[0], self.at_us)
            case "batch":
                model.log_many(self.records, self.at_us, token=self.token)
            case "sweep":  # what is behind the clock, then what is ahead of it
                swept_us = model.swept_us
                ahead = {key: part for key, part in model.open.items() if part.last_us > self.at_us}
                behind = {key: part for key, part in model.open.items() if key not in ahead}
                model.open = behind
                model.sweep(self.at_us)
                model.open, model.swept_us = model.open | ahead, swept_us
                yield
                model.sweep(self.at_us)
            case "configure":
                model.window_ms = self.window_ms
        yield


class Ordered(Model):
    """The model, with an order among episodes that end at the same time: that of their contents' ids."""

    def __init__(self) -> None:
        super().__init__(window_ms=WINDOW_MS, max_span_ms=MAX_SPAN_MS, max_open=MAX_OPEN)
        self._contents: dict[Key, int] = {}

    def sweep(self, now_us: int) -> int:
        self.open = dict(sorted(self.open.items(), key=lambda item: self._contents[item[0]]))
        return super().sweep(now_us)

    def _open(self, key: Key, at_us: int, record: Record) -> Part:
        self._contents.setdefault(key, len(self._contents))
        return super()._open(key, at_us, record)


class State(NamedTuple):
    """Everything that a store holds and promises to keep."""

    episodes: dict[int, Fields]
    archived: list[int]
    tokens: dict[str, int]
    window_ms: int

    @property
    def accepted(self) -> int:
        """How many records are stored."""
        return sum(fields[6] for fields in self.episodes.values())


class History:
    """Calls in order, and each state that a store goes through while it obeys them."""

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        model = Ordered()
        self.states = [_state_of(model)]
        self.ends = [0]
        for call in calls:
            self.states += [_state_of(model) for _ in call.commits(model)]
            self.ends.append(len(self.states) - 1)

    def find(self, state: State, acked: int, begun: int) -> int:
        """Return which state this is, of those after `acked` and up to `begun` calls. Raises Broken."""
        first, last = self.ends[acked], self.ends[begun]
        for number in range(last, first - 1, -1):
            if self.states[number] == state:
                return number
        raise Broken(_difference(state, self.states[first : last + 1]))

    def check(self, store: LogStore, acked: int, begun: int, *, thorough: bool = False) -> int:
        """Return which state a store is in. Raises Broken if it is in none that it may be in.

        A thorough check is a reader's; the others spare the time of opening one.
        """
        if not thorough:
            check_sound(store._writing())
            return self.find(read_state(store._writing()), acked, begun)
        with store.reader() as reader:
            reader.hold_snapshot()
            check_sound(reader, thorough=True)
            state = read_state(reader)
        check_guarded(store)
        return self.find(state, acked, begun)

    def go_on(self, store: LogStore, clock: Clock, number: int, begun: int, *, more: int = 1) -> None:
        """Send again what was in flight in state `number`, then `more` calls; all of it must be there."""
        changed = False
        for call, end in zip(self.calls[:begun], self.ends[1 : begun + 1], strict=True):
            if end > number or (end == number and call.repeatable):
                taken = call.send(store, clock)
                changed = changed or end > number or taken > 0
                if call.kind == "batch" and taken != (len(call.records) if end > number else 0):
                    raise Broken(f"{call.token}: {taken} taken, in state {number} of {end}")
        if changed or more:
            self.find(read_state(store._writing()), begun, begun)
        for call in self.calls[begun : begun + more]:
            call.send(store, clock)
            begun += 1
            self.check(store, begun, begun)


def open_store(path: Path, clock: Clock, vfs: str | None = None, *, busy_timeout: float = 10) -> LogStore:
    """Open, or create, the store of a history."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*window=.* is ignored")  # it was configured since
        return LogStore(
            path,
            window=WINDOW_MS / 1000,
            max_span=MAX_SPAN_MS / 1000,
            max_open=MAX_OPEN,
            clock_us=clock,
            vfs=vfs,
            busy_timeout=busy_timeout,
        )


def random_calls(chance: random.Random, count: int, writer: str = "client") -> list[Call]:
    """Draw calls of one client: batches with tokens above all, on contents that like to come again."""
    now_us, sequence = NOW_US, 0
    calls = []
    for _ in range(count):
        now_us += 1000 * chance.choice(STEPS_MS)
        kind = chance.choices(("batch", "log", "sweep", "configure"), (60, 24, 12, 4))[0]
        if kind == "batch":
            sequence += 1
            records = tuple(_random_record(chance, now_us) for _ in range(chance.choice((1, 2, 5, 12))))
            calls.append(Call("batch", now_us, records, (writer, sequence)))
        elif kind == "log":
            calls.append(Call("log", now_us, (_random_record(chance, now_us),)))
        elif kind == "sweep":
            calls.append(Call("sweep", now_us))
        else:
            calls.append(Call("configure", now_us, window_ms=chance.choice(WINDOWS_MS)))
    return calls


def _random_record(chance: random.Random, now_us: int) -> Record:
    number = chance.randrange(6)
    text = f"message {number}"
    if chance.random() < 0.1:
        text = f"once {chance.getrandbits(40):x}"
    elif chance.random() < 0.03:
        text = f"large {number} " * chance.randrange(100, 1500)
    late, early = now_us - chance.randrange(9_000_000), now_us + chance.randrange(9_000_000)
    stamp = chance.choice((None, None, None, None, late, early))
    attributes = {"pid": chance.randrange(9)} if chance.random() < 0.2 else None
    return Record(text, LEVELS[3 + number % 4], f"node{chance.randrange(2)}/vip", stamp, attributes)


# -- reading a store -----------------------------------------------------------------------------------

EPISODES: Final = """
    SELECT id, state, source, level, message, first_us, last_us, count, gap_min_ms, gap_max_ms,
        first_text, last_text, first_attributes, last_attributes, reason, continues
    FROM episode
"""


def read_state(reader: Connection) -> State:
    """Read all that a store promises, from the views that its users see."""
    return State(
        {
            row[0]: (*row[1:12], _decoded(row[12]), _decoded(row[13]), *row[14:])
            for row in reader.rows(EPISODES)
        },
        [number for (number,) in reader.rows("SELECT id FROM archive ORDER BY seq")],
        dict(reader.rows("SELECT writer, sequence FROM ledger")),
        reader.rows("SELECT window_ms FROM settings")[0][0],
    )


SOUND: Final = {
    "SELECT open_count FROM store": "SELECT count(*) FROM queue",
    "SELECT coalesce(sum(count), 0) FROM episode": "SELECT coalesce(sum(count), 0) FROM log",
    "SELECT count(*) FROM episode": "SELECT count(DISTINCT id) FROM episode",
    "SELECT count(*) FROM episode WHERE id >= (SELECT next_id FROM store)": "SELECT 0",
    "SELECT count(*) FROM content": "SELECT count(DISTINCT content_id) FROM episode",
}
"""Questions of one answer, whatever was stored."""


def check_sound(reader: Connection, *, thorough: bool = False) -> None:
    """Raise Broken unless pages, counters and totals agree; only a thorough check asks all questions."""
    check = "integrity_check" if thorough else "quick_check"
    if (said := reader.rows(f"PRAGMA {check}")) != [("ok",)]:
        raise Broken(f"{check}: {said}")
    for question, other in list(SOUND.items())[: None if thorough else 2]:
        if (one := reader.rows(question)) != (two := reader.rows(other)):
            raise Broken(f"{question}: {one}, but {other}: {two}")


def check_guarded(store: LogStore) -> None:
    """Raise Broken if what is archived can be rewritten or taken away."""
    connection = store._writing()
    if connection.rows("SELECT count(*) FROM archive") == [(0,)]:
        return
    for statement in ("UPDATE archive SET count = count + 1", "DELETE FROM archive"):
        with suppress(LogStoreError):
            connection.rows(statement)
            raise Broken(f"the store lets this through: {statement}")


def _decoded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _state_of(model: Model) -> State:
    archived = [part.id for part in model.archive]
    return State(model.episodes(), archived, dict(model.tokens), model.window_ms)


def _difference(found: State, allowed: Sequence[State]) -> str:
    """Say what is wrong with a state: beside the nearest of those that it may be."""
    least, most = allowed[0].accepted, allowed[-1].accepted
    kind = "lost" if found.accepted < least else "doubled" if found.accepted > most else "mixed"
    near = min(allowed, key=lambda state: len(_odd(found, state)))
    names = [name for name in State._fields if getattr(found, name) != getattr(near, name)]
    odd = [(number, found.episodes.get(number), near.episodes.get(number)) for number in _odd(found, near)]
    return (
        f"{kind}: {found.accepted} records stored, {least} acknowledged, {most} begun; other {names}; "
        f"archived {found.archived[-9:]}, {near.archived[-9:]}; tokens {found.tokens}, {near.tokens}; "
        f"(id, stored, expected): {str(odd[:3])[:600]}"
    )


def _odd(one: State, other: State) -> list[int]:
    numbers = sorted(one.episodes.keys() | other.episodes.keys())
    return [number for number in numbers if one.episodes.get(number) != other.episodes.get(number)]


# -- several writers at once ---------------------------------------------------------------------------


class Promise(NamedTuple):
    """How far a writer came: the sequences of its last acknowledged, and of its last begun, batch."""

    writer: str
    acked: int
    begun: int


def batch_of(writer: str, sequence: int) -> list[Record]:
    """Return the batch that goes with a token; its source is the writer, so that no other adds to it."""
    return [Record(message, source=writer) for message in _messages(writer, sequence)]


@cache
def _messages(writer: str, sequence: int) -> tuple[str, ...]:
    chance = random.Random(f"{writer}/{sequence}")
    return tuple(f"message {chance.randrange(8)}" for _ in range(chance.randint(1, 6)))


def check_writers(store: LogStore, promises: Iterable[Promise], *, thorough: bool = False) -> dict[str, int]:
    """Raise Broken unless the store holds, of each writer, its batches up to one in acked .. begun.

    Returns that sequence of each; 0 if nothing is stored of a writer.
    """
    with store.reader() as reader:
        reader.hold_snapshot()
        check_sound(reader, thorough=thorough)
        ledger: dict[str, int] = dict(reader.rows("SELECT writer, sequence FROM ledger"))
        counts = {
            (source, message): count
            for source, message, count in reader.rows(
                "SELECT source, message, sum(count) FROM episode GROUP BY source, message"
            )
        }
    found = {}
    for promise in promises:
        found[promise.writer] = sequence = ledger.get(promise.writer, 0)
        if not promise.acked <= sequence <= promise.begun:
            raise Broken(f"{promise}, but the ledger says {sequence}")
        expected = Counter(
            message for number in range(1, sequence + 1) for message in _messages(promise.writer, number)
        )
        held = {message: count for (source, message), count in counts.items() if source == promise.writer}
        if held != expected:
            raise Broken(
                f"{promise}, the ledger says {sequence}, so {dict(expected)}, but the episodes {held}"
            )
    return found


def send_again(store: LogStore, promises: Iterable[Promise]) -> None:
    """Send the batch in flight again, as a client that does not know. Raises Broken if it counts twice."""
    promises = list(promises)
    for promise in promises:
        if promise.begun:
            store.log_many(batch_of(promise.writer, promise.begun), token=(promise.writer, promise.begun))
    check_writers(store, [Promise(each.writer, each.begun, each.begun) for each in promises])
