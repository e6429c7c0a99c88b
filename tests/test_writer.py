"""The background writer and the logging handler: nothing lost, nobody waits, what is dropped is counted."""

import contextlib
import json
import logging
import subprocess
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from conftest import Forked
from hypothesis import given
from hypothesis import strategies as st
from model import NOW_US, Clock, Model, unmasked
from test_model import CONTENTS, T_MS, folder, opened, quickly, raw, rows, shown, took

from logstore import LogStore, LogStoreHandler, Record, errors
from logstore.backlog import Backlog
from logstore.identity import MAX_MESSAGE_BYTES, escape
from logstore.writer import BackgroundWriter

Token = tuple[str, int]
LONG = 3600.0
"""A linger that no test waits for: what is stored all the same was stored for another reason."""


class Sink:
    """Takes batches as a store does, each token once; can fail, block, and be waited for."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.batches: list[list[Record]] = []
        self.calls: list[Token] = []
        self.failures: list[Exception] = []
        self.stored_when_failing = False
        self.open = threading.Event()
        self.open.set()
        self.called = threading.Event()
        self._taken: Counter[str] = Counter()

    def __call__(self, records: list[Record], token: Token) -> int:
        self.calls.append(token)
        self.called.set()
        self.open.wait(30)
        failure = self.failures.pop(0) if self.failures else None
        if failure is None or self.stored_when_failing:
            self._take(records, token)
        if failure is not None:
            raise failure
        return len(records)

    def _take(self, records: list[Record], token: Token) -> None:
        writer, sequence = token
        if sequence > self._taken[writer]:
            self._taken[writer] = sequence
            self.batches.append(list(records))
            self.records += records

    @property
    def messages(self) -> list[str]:
        return [record.message for record in self.records]


@pytest.fixture
def sink() -> Sink:
    return Sink()


@contextlib.contextmanager
def writing(sink: Callable[[list[Record], Token], int], **options: Any) -> Iterator[BackgroundWriter]:
    writer = BackgroundWriter(sink, clock_us=options.pop("clock_us", Clock(NOW_US)), **options)
    try:
        yield writer
    finally:
        writer.close()


def messages(path: Path) -> Counter[str]:
    with LogStore(path, readonly=True) as store:
        counts: Counter[str] = Counter()
        for episode in store.episodes():
            counts[episode.message] += episode.count
        return counts


# -- the background writer -----------------------------------------------------------------------------


def test_everything_taken_is_stored_when_flush_returns(path: Path) -> None:
    """After flush() another reader finds every record; the writer goes on afterwards."""
    with LogStore(path) as store:
        writer = store.background(linger=LONG)
        for number in range(2_500):
            assert writer.log(f"m{number % 10}", source="s", level="debug")
        writer.flush()
        assert messages(path) == {f"m{number}": 250 for number in range(10)}
        assert writer.log("more")
        writer.close()

    assert messages(path)["more"] == 1


def test_what_is_urgent_is_heard_after_a_flush(sink: Sink) -> None:
    """A flush that waits for a batch under way leaves nothing behind that would hide the next wake."""
    sink.open.clear()
    with writing(sink, linger=LONG) as writer:
        writer.log("under way", level="error")
        assert sink.called.wait(10)
        flushing = threading.Thread(target=writer.flush)
        flushing.start()
        while not writer._urgent:
            time.sleep(0.001)
        sink.open.set()
        flushing.join(10)
        sink.called.clear()
        writer.log("at once", level="error")
        assert sink.called.wait(10)
    assert sink.messages == ["under way", "at once"]


def test_everything_taken_is_stored_when_close_returns(path: Path) -> None:
    """close() stores what is waiting; closing twice is harmless, logging afterwards is StoreClosed."""
    with LogStore(path) as store:
        writer = store.background(linger=LONG)
        for _ in range(100):
            writer.log("m")
        writer.close()
        writer.close()
        with pytest.raises(errors.StoreClosed, match="closed"):
            writer.log("late")

    assert messages(path) == {"m": 100}


def test_threads_may_share_a_writer(path: Path) -> None:
    """Records of many threads are each stored once."""
    with LogStore(path) as store:
        writer = store.background(linger=0)
        threads = [
            threading.Thread(target=lambda: [writer.log(f"m{number % 7}") for number in range(700)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.close()

    assert messages(path) == {f"m{number}": 400 for number in range(7)}


def test_records_stay_in_their_order(sink: Sink) -> None:
    """What was logged first is stored first, over any number of batches."""
    with writing(sink, linger=0) as writer:
        for number in range(30_000):
            writer.log(str(number))

    assert sink.messages == [str(number) for number in range(30_000)]


def test_a_record_is_dated_when_it_is_taken(sink: Sink) -> None:
    """The time is that of log(), not that of the batch; a time of its own is kept."""
    clock = Clock(NOW_US)
    with writing(sink, clock_us=clock, linger=LONG) as writer:
        writer.log("a")
        clock.forward(s=5)
        writer.log("b")
        writer.log("c", timestamp_us=7)

    assert [record.timestamp_us for record in sink.records] == [NOW_US, NOW_US + 5_000_000, 7]


def test_attributes_are_those_of_the_call(sink: Sink) -> None:
    """A program may use its dictionary again: what is stored is what was in it when log() was called."""
    attributes = {"turn": 1}
    with writing(sink, linger=LONG) as writer:
        writer.log("a", attributes=attributes)
        attributes["turn"] = 2
        writer.log("b", attributes=attributes)

    assert [record.attributes for record in sink.records] == [{"turn": 1}, {"turn": 2}]


def test_what_has_gathered_is_one_batch(sink: Sink) -> None:
    """Records are committed in groups: what comes while the store is busy takes no thousand transactions."""
    sink.open.clear()
    with writing(sink, linger=LONG) as writer:
        writer.log("first")
        assert sink.called.wait(30)
        for number in range(1_000):
            writer.log(f"m{number}")
        sink.open.set()

    assert [len(batch) for batch in sink.batches] == [1, 1_000]


def test_a_first_copy_wakes_the_writer_at_once(sink: Sink) -> None:
    """What was not heard of before is stored without lingering."""
    with writing(sink, linger=LONG) as writer:
        writer.log("new", level="debug")
        assert sink.called.wait(30)


def test_a_repeat_waits_for_others_unless_it_was_quiet_for_long(sink: Sink) -> None:
    """What is said again within seconds gathers; after a silence it is news again."""
    clock = Clock(NOW_US)
    with writing(sink, clock_us=clock, linger=LONG) as writer:
        writer.log("m")
        writer.flush()
        clock.forward(s=9)
        writer.log("m")
        assert not writer._urgent
        writer.flush()
        sink.called.clear()
        clock.forward(s=10)
        writer.log("m")
        assert sink.called.wait(30)


def test_a_repeat_is_stored_after_the_linger(sink: Sink) -> None:
    """Nothing else has to happen for it."""
    with writing(sink, linger=0.01) as writer:
        writer.log("m")
        writer.flush()
        sink.called.clear()
        writer.log("m")
        assert sink.called.wait(30)


@pytest.mark.parametrize("level", ["error", "critical", "alert", "emergency", logging.getLevelName(40), 3])
def test_an_error_wakes_the_writer_at_once(sink: Sink, level: str | int) -> None:
    """A record of error and worse is stored without lingering, and what was waiting goes with it."""
    with writing(sink, linger=LONG) as writer:
        writer.log("waiting", level="info")
        writer.log("bad", level=level)
        assert sink.called.wait(30)

    assert sink.messages == ["waiting", "bad"]


def test_an_unknown_level_is_told_to_the_caller(sink: Sink) -> None:
    """log() itself raises InvalidRecord for an unknown level: it costs no batch."""
    with writing(sink) as writer, pytest.raises(errors.InvalidRecord, match="loud"):
        writer.log("m", level="loud")
    assert sink.records == []


def test_a_full_writer_drops_counts_and_says_so(sink: Sink) -> None:
    """With `drop` log() never waits: it returns False, counts, and a record in the store tells how many."""
    sink.open.clear()
    with writing(sink, linger=0, max_pending=100) as writer:
        taken = [writer.log(f"m{number}", level="error") for number in range(150)]
        assert taken == [True] * 100 + [False] * 50
        assert writer.dropped == 50
        sink.open.set()
        writer.flush()
        assert writer.log("room again")

    assert sink.messages[:100] == [f"m{number}" for number in range(100)]
    (report,) = [record for record in sink.records if record.source == "logstore"]
    assert report.message.startswith("50 records were dropped")
    assert report.level == "warning"
    assert len(sink.records) == 102


@pytest.mark.parametrize("when_full", ["drop", "block"])
def test_repeats_of_what_waits_are_never_dropped(sink: Sink, when_full: str) -> None:
    """Full is full of distinct contents: their repeats find room, whatever their times and attributes."""
    sink.open.clear()
    clock = Clock(NOW_US)
    with writing(sink, clock_us=clock, max_pending=10, when_full=when_full) as writer:
        writer.log("in flight")
        assert sink.called.wait(30)
        for number in range(30_000):
            clock.forward(us=50)
            assert writer.log(("in flight", f"m{number % 9}")[number % 2], attributes={"number": number})
        assert writer.dropped == 0
        sink.open.set()

    counts = Counter(sink.messages)
    assert counts.pop("in flight") == 15_001
    assert sum(counts.values()) == 15_000
    assert len(counts) == 9


def test_repeats_under_masks_are_never_dropped(path: Path) -> None:
    """Texts that the rules of the store take for the same need no room when it is full."""
    with LogStore(path, masks="cluster") as store:
        writer = store.background(max_pending=20)
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        for number in range(5_000):
            assert writer.log(f"p_web start (call {number}, PID {number}) exited with status {number % 3}")
        taken = [writer.log(f"another content: rc={number}") for number in range(30)]
        assert False in taken
        other.execute("COMMIT")
        other.close()
        writer.close()
        assert writer.dropped == taken.count(False)

    found = messages(path)
    counts = {message: count for message, count in found.items() if "p_web" in message}
    assert sorted(counts.values()) == [1_666, 1_667, 1_667]
    assert found.total() == 5_000 + taken.count(True) + 1


def test_a_storm_takes_little_room_while_the_store_is_stuck(sink: Sink) -> None:
    """Repeats at 20,000 a second, five seconds of them, are held in little more than a megabyte."""
    sink.open.clear()
    clock = Clock(NOW_US)
    sink._take = lambda records, token: stored.update(record.message for record in records)  # type: ignore[method-assign]
    stored: Counter[str] = Counter()
    with writing(sink, clock_us=clock) as writer:
        writer.log("first")
        assert sink.called.wait(30)
        tracemalloc.start()
        for number in range(100_000):
            clock.forward(us=50)
            writer.log(f"vip 10.0.0.{number % 3} is up", attributes={"pid": 7})
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert size < 1_500_000
        assert writer.dropped == 0
        sink.open.set()

    assert sum(stored.values()) == 100_001


@pytest.mark.parametrize("repeats", [1, 3, 30])
def test_a_storm_that_waits_keeps_its_order(sink: Sink, repeats: int) -> None:
    """Distinct texts wait as they came, repeats are folded a little at a time: nothing is lost or moves."""
    sink.open.clear()
    clock = Clock(NOW_US)
    with writing(sink, clock_us=clock) as writer:
        writer.log("first")
        assert sink.called.wait(30)
        for number in range(30_000):
            clock.forward(us=50)
            assert writer.log(f"m{number // repeats}")
        assert (writer._backlog.records > 0) == (repeats > 1)
        sink.open.set()

    assert sink.messages == ["first", *(f"m{number // repeats}" for number in range(30_000))]
    assert writer.dropped == 0


def test_no_caller_works_for_long_while_the_store_is_stuck(sink: Sink) -> None:
    """However much waits, a single call folds little of it."""
    sink.open.clear()
    with writing(sink) as writer:
        writer.log("first")
        assert sink.called.wait(30)
        waiting = 0
        for number in range(40_000):
            writer.log(f"m{min(number, 15_000)}")
            folded, waiting = writer._backlog.records - waiting, writer._backlog.records
            assert folded <= 1_000
        assert waiting > 0
        sink.open.set()

    assert Counter(sink.messages)["m15000"] == 25_000


@quickly
@given(
    calls=st.lists(st.lists(st.integers(0, 5), max_size=300), min_size=1, max_size=4),
    linger=st.sampled_from((0, 0.001, LONG)),
    slow=st.booleans(),
)
def test_what_threads_log_is_what_is_stored(calls: list[list[int]], linger: float, slow: bool) -> None:
    """Each record of each thread once, in the order of its thread."""
    sink = Sink()

    def store(records: list[Record], token: Token) -> int:
        time.sleep(0.001 * slow)
        return sink(records, token)

    def log(thread: int, texts: list[int]) -> None:
        for text in texts:
            writer.log(f"m{text}", source=str(thread), level="error" if text == 5 else "info")

    with writing(store, linger=linger) as writer:
        threads = [threading.Thread(target=log, args=each) for each in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert writer.dropped == 0
    for number, texts in enumerate(calls):
        stored = [record.message for record in sink.records if record.source == str(number)]
        assert stored == [f"m{text}" for text in texts]


def test_what_is_dropped_last_is_said_too(sink: Sink) -> None:
    """Records dropped after the last batch was made are reported before close() returns."""
    sink.open.clear()
    with writing(sink, linger=0, max_pending=1) as writer:
        writer.log("only", level="error")
        assert sink.called.wait(30)
        assert not writer.log("too many")
        sink.open.set()

    assert sink.messages[0] == "only"
    assert sink.messages[1].startswith("1 records were dropped")
    assert len(sink.records) == 2


def test_a_full_writer_may_wait_instead(sink: Sink) -> None:
    """With `block` log() waits for room and drops nothing."""
    sink.open.clear()
    with writing(sink, linger=0, max_pending=10, when_full="block") as writer:
        thread = threading.Thread(target=lambda: [writer.log(f"m{number}") for number in range(500)])
        thread.start()
        assert sink.called.wait(30)
        assert thread.is_alive()
        sink.open.set()
        thread.join(30)
        assert not thread.is_alive()
        assert writer.dropped == 0

    assert sink.messages == [f"m{number}" for number in range(500)]


def test_a_blocked_caller_is_told_when_the_writer_closes(sink: Sink) -> None:
    """A caller that waits for room does not wait for ever: closing raises StoreClosed in it."""
    sink.open.clear()
    told: list[str] = []

    def log() -> None:
        try:
            for number in range(3):
                writer.log(f"m{number}")
        except errors.StoreClosed as error:
            told.append(str(error))

    writer = BackgroundWriter(sink, clock_us=Clock(NOW_US), max_pending=1, when_full="block", linger=0)
    thread = threading.Thread(target=log)
    thread.start()
    assert sink.called.wait(30)
    with pytest.raises(errors.LogStoreError):
        writer.close(timeout=0.05)
    thread.join(30)
    assert len(told) == 1
    sink.open.set()
    writer._thread.join(30)


FAILURES = [
    errors.StoreBusy("busy"),
    errors.StoreFull("full"),
    errors.StoreUnavailable("disk"),
    errors.OutcomeUnknown("?"),
]


@pytest.mark.parametrize("stored", [False, True], ids=["not stored", "stored all the same"])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_a_batch_that_failed_is_sent_again_and_counts_once(
    sink: Sink, failure: Exception, stored: bool
) -> None:
    """After an error the same batch goes out again under the same token, so that it counts exactly once."""
    sink.failures, sink.stored_when_failing = [failure, failure], stored
    with writing(sink, linger=LONG) as writer:
        writer.log("a")
        writer.log("b", level="error")
        writer.flush()
        writer.log("c", level="error")

    assert sink.messages == ["a", "b", "c"]
    assert len(set(sink.calls[:3])) == 1
    assert sink.calls[3] == (sink.calls[0][0], sink.calls[0][1] + 1)
    assert writer.dropped == 0


def test_a_busy_store_is_waited_for_in_the_background(path: Path) -> None:
    """While another program holds the lock log() returns at once; afterwards everything is there once."""
    with LogStore(path, busy_timeout=0.01) as store:
        writer = store.background(linger=0)
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        for number in range(100):
            assert writer.log(f"m{number}", level="error")
        with pytest.raises(errors.StoreBusy):
            writer.flush(timeout=0.2)
        other.execute("COMMIT")
        other.close()
        writer.close()
        assert writer.dropped == 0

    assert messages(path) == {f"m{number}": 1 for number in range(100)}


def test_flush_raises_what_keeps_the_store_from_storing(sink: Sink) -> None:
    """flush(timeout) raises the store's own error; the records keep waiting and are stored later."""
    sink.failures = [errors.StoreFull("no space is left")] * 3
    with writing(sink, linger=0) as writer:
        writer.log("m")
        with pytest.raises(errors.StoreFull, match="no space"):
            writer.flush(timeout=0.1)
        writer.flush()

    assert sink.messages == ["m"]


def test_an_invalid_record_does_not_poison_its_batch(path: Path) -> None:
    """What cannot be kept is dropped and counted alone; what stood beside it is stored once."""
    with LogStore(path) as store:
        writer = store.background(linger=LONG)
        for number in range(5):
            writer.log(f"m{number}")
        writer.log("too late", timestamp_us=1 << 62)
        writer.log("not JSON", attributes={"x": object()})
        for number in range(5):
            writer.log(f"m{number}")
        writer.flush()
        assert writer.dropped == 2
        writer.close()

    found = messages(path)
    report = [message for message in found if "dropped" in message]
    assert len(report) == 1
    assert report[0].startswith("2 ")
    assert {message: count for message, count in found.items() if message not in report} == {
        f"m{number}": 2 for number in range(5)
    }


def test_invalid_records_cost_few_transactions(sink: Sink) -> None:
    """One that cannot be kept is found by halving its batch: its thousand neighbours share transactions."""
    take = sink._take

    def refuse(records: list[Record], token: Token) -> None:
        if any(record.message == "bad" for record in records):
            raise errors.InvalidRecord("bad")
        take(records, token)

    sink._take = refuse  # type: ignore[method-assign]
    sink.open.clear()
    with writing(sink) as writer:
        writer.log("first")
        assert sink.called.wait(30)
        for number in range(1_000):
            writer.log("bad" if number == 700 else str(number))
        sink.open.set()
        writer.flush()
        assert writer.dropped == 1

    assert len(sink.calls) < 30
    assert sink.messages[:-1] == ["first", *(str(number) for number in range(1_000) if number != 700)]


@pytest.mark.parametrize("at_us", [-1, 1 << 80, 1.5, "now"])
def test_a_wrong_time_in_a_storm_is_counted(sink: Sink, at_us: Any) -> None:
    """Also among so many that they are folded while they wait; nothing else is lost."""
    sink.open.clear()
    with writing(sink) as writer:
        writer.log("first")
        assert sink.called.wait(30)
        for number in range(25_000):
            writer.log("m", timestamp_us=at_us if number == 777 else None)
        assert writer.dropped == 1
        sink.open.set()

    assert Counter(sink.messages)["m"] == 24_999


def test_what_is_no_text_is_told_to_the_caller(sink: Sink) -> None:
    wrong: Any = ["m"]
    with writing(sink) as writer:
        with pytest.raises(errors.InvalidRecord, match="text"):
            writer.log(wrong)
        with pytest.raises(errors.InvalidRecord, match="text"):
            writer.log("m", source=wrong)
    assert sink.records == []


def test_a_flush_waits_for_no_later_records(sink: Sink) -> None:
    """It returns when what was taken before it is stored, though others log on without end."""
    flushed = threading.Event()

    def log_on() -> None:
        while not flushed.is_set():
            writer.log("more")

    with writing(sink, linger=0) as writer:
        thread = threading.Thread(target=log_on)
        thread.start()
        writer.log("m")
        writer.flush()
        flushed.set()
        thread.join()
        assert "m" in sink.messages


def test_only_invalid_records_are_dropped_and_said(sink: Sink) -> None:
    """A batch of nothing but one invalid record ends, is counted and reported."""
    sink.failures = [errors.InvalidRecord("bad")]
    with writing(sink, linger=0) as writer:
        writer.log("bad", level="error")
        writer.flush()
        assert writer.dropped == 1

    assert [message.split()[0] for message in sink.messages] == ["1"]


def test_closing_gives_up_on_a_store_that_never_takes_anything() -> None:
    """close() raises the store's error after its timeout, counts what is lost, and its thread ends."""
    calls = 0

    def failing(records: list[Record], token: Token) -> int:
        nonlocal calls
        calls += 1
        if calls > 2_000:
            return len(records)  # an end for a writer that never gives up
        raise errors.StoreFull("no space is left")

    writer = BackgroundWriter(failing, clock_us=Clock(NOW_US), linger=0)
    writer.log("a")
    writer.log("b")
    with pytest.raises(errors.StoreFull):
        writer.close(timeout=0.2)

    writer._thread.join(5)
    assert not writer._thread.is_alive()
    assert calls < 100
    assert writer.dropped == 2


def test_a_readonly_store_has_no_writer(path: Path) -> None:
    """background() on a store opened for reading is ReadOnly."""
    LogStore(path).close()
    with LogStore(path, readonly=True) as store, pytest.raises(errors.ReadOnly):
        store.background()


def test_a_forked_child_is_refused_by_the_writer(path: Path, forked: Forked) -> None:
    """The child has no thread to store anything: log() says so; the parent's writer goes on."""
    with LogStore(path) as store:
        writer = store.background()
        writer.log("before")
        assert forked(lambda: writer.log("child")).startswith("StoreClosed: ")
        assert forked(writer.close) == "None"
        writer.log("after")
        writer.close()

    assert messages(path) == {"before": 1, "after": 1}


def test_a_child_forked_while_a_thread_is_inside_the_writer_does_not_hang(sink: Sink, forked: Forked) -> None:
    """A lock that another thread held at the fork is never given back in the child: log() must not wait."""
    inside, leave = threading.Event(), threading.Event()
    with writing(sink) as writer:

        def hold() -> None:
            with writer._changed:
                inside.set()
                leave.wait(30)

        thread = threading.Thread(target=hold)
        thread.start()
        assert inside.wait(30)
        answer = forked(lambda: writer.log("child"))
        leave.set()
        thread.join()
    assert answer != "hung"


# -- what waits ----------------------------------------------------------------------------------------

STEPS_US = (0, 0, 1, 1, 10, 300, 999, 1_000, T_MS * 1000, T_MS * 1000 + 1_000, -1, -700, -T_MS * 2_000)
FIELDS = (None, {"n": 1}, {"n": True}, {"n": 2}, {"n": 1, "m": 1}, {"n": [1]})
steps = st.tuples(st.sampled_from(STEPS_US), st.integers(0, 2), st.integers(0, 2), st.sampled_from(FIELDS))


@quickly
@given(
    before=st.lists(steps, max_size=5),
    storm=st.lists(steps, max_size=60),
    size=st.integers(1, 70),
    span_ms=st.sampled_from((0, T_MS, 3 * T_MS)),
    masked=st.booleans(),
)
def test_records_that_waited_give_the_episodes_of_log(
    before: list[Any], storm: list[Any], size: int, span_ms: int, masked: bool
) -> None:
    """A storm with time steps, gaps and splits, folded while it waits, is its records (rule 12)."""
    model = Model(window_ms=T_MS, max_span_ms=span_ms, mask=took if masked else unmasked)
    clock = Clock(NOW_US)
    at_us = NOW_US
    records = []
    for step_us, content, tag, attributes in (*before, *storm):
        at_us += step_us
        message, level, source = CONTENTS[content]
        records.append(Record(raw(message, tag) if masked else message, level, source, at_us, attributes))
    with folder() as place, opened(place / "log.db", clock, span_ms=span_ms, masked=masked) as store:
        for record in records[: len(before)]:
            store.log_many([record])
        backlog = Backlog()
        for record in records[len(before) :]:
            backlog.add(record)
        assert backlog.records == len(storm)
        for batch in backlog.batches(size):
            assert len(batch) <= size
            store.log_many(batch)
        for record in records:
            model.log(record, NOW_US, auto_sweep=False)
        assert shown(store) == model.episodes()
        numbers = "SELECT id, numbers FROM queue UNION ALL SELECT id, numbers FROM archive"
        assert {id_: json.loads(kept) for id_, kept in rows(store, numbers) if kept} == model.numbers()
        received = [row[0] for row in rows(store, "SELECT id FROM queue ORDER BY received_us, receipt")]
    assert received == [part.id for part in sorted(model.open.values(), key=lambda part: part.receipt)]


def test_attributes_that_are_equal_but_not_the_same_json_are_kept_apart() -> None:
    """1, True and 1.0 are equal to Python, and so are -0.0 and 0.0."""
    values = (1, True, 1.0, "1", 0.0, -0.0, None, [1], [True])
    backlog = Backlog()
    for number, value in enumerate(values):
        backlog.add(Record("m", timestamp_us=NOW_US + 1_000_000 * number, attributes={"x": value}))
    (batch,) = backlog.batches(100)
    assert repr([record.attributes for record in batch]) == repr([{"x": value} for value in values])


def test_a_backlog_is_bounded_however_long_it_waits() -> None:
    """Months of a storm on a store that takes nothing: the count is exact, so are the ends."""
    backlog, hour_us = Backlog(600), 3_600_000_000
    taken = 0
    for hour in range(200):
        for number in range(100):
            backlog.add(Record(f"m{number % 3}", timestamp_us=NOW_US + hour * hour_us + number))
            taken += 1
            assert backlog.records == taken
        if backlog.full:
            break
    else:
        pytest.fail("never full")
    records = [record for batch in backlog.batches(1_000) for record in batch]
    assert len(records) == taken
    times = [record.timestamp_us or 0 for record in records]
    assert (times[0], max(times)) == (NOW_US, NOW_US + hour * hour_us + 99)
    assert len(backlog._said) < 700


def test_a_coarser_grain_is_said_in_the_store(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the times later must know what they are worth."""
    monkeypatch.setattr("logstore.backlog._MIN_WEIGHT", 1_000)
    sink.open.clear()
    clock = Clock(NOW_US)
    with writing(sink, clock_us=clock, max_pending=10) as writer:
        writer.log("first")
        assert sink.called.wait(30)
        for _ in range(30_000):
            clock.forward(us=250)
            assert writer.log("m")
        sink.open.set()

    assert Counter(sink.messages)["m"] == 30_000
    (report,) = [record for record in sink.records if record.source == "logstore"]
    assert "the times of some records are kept to" in report.message


def test_a_backlog_that_is_full_of_times_drops_and_counts(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last bound: times in no order at all cannot be folded."""
    monkeypatch.setattr("logstore.backlog._MIN_WEIGHT", 1_000)
    sink.open.clear()
    with writing(sink, max_pending=10) as writer:
        writer.log("first")
        assert sink.called.wait(30)
        taken = [
            writer.log("m", timestamp_us=number * 7_777_777_777_777 % NOW_US) for number in range(15_000)
        ]
        assert writer.dropped == taken.count(False) == 5_000
        sink.open.set()

    assert Counter(sink.messages)["m"] == 10_000


# -- the handler ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def logging_to(handler: logging.Handler, name: str = "app") -> Iterator[logging.Logger]:
    """A logger that has only this handler, in a logging set-up of its own."""
    logger = logging.Logger(name)  # noqa: LOG001  # pytest listens to every logger of the usual tree
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        handler.close()


def test_a_program_logs_into_a_store(path: Path) -> None:
    """Through `logging` as it is: formatted text, level, logger's name behind the prefix, process, time."""
    with logging_to(LogStoreHandler(path, source="node1"), "cluster.vip") as logger:
        logger.warning("vip %s is %s", "10.0.0.12", "down")
        logger.warning("vip %s is %s", "10.0.0.12", "down")

    with LogStore(path, readonly=True) as store:
        (episode,) = store.episodes()
    assert (episode.message, episode.count) == ("vip 10.0.0.12 is down", 2)
    assert (episode.level_name, episode.source) == ("warning", "node1/cluster.vip")
    assert episode.first_attributes is not None
    assert isinstance(episode.first_attributes["pid"], int)


def test_the_source_without_prefix_is_the_loggers_name(path: Path) -> None:
    """Without `source` it is the logger's name alone."""
    with logging_to(LogStoreHandler(path), "cluster.vip") as logger:
        logger.info("m")

    with LogStore(path, readonly=True) as store:
        assert [episode.source for episode in store.episodes()] == ["cluster.vip"]


@pytest.mark.parametrize(
    ("levelno", "level"),
    [
        (5, "debug"),
        (10, "debug"),
        (20, "info"),
        (25, "info"),
        (30, "warning"),
        (40, "error"),
        (50, "critical"),
        (99, "critical"),
    ],
)
def test_levels_of_logging_are_severities(path: Path, levelno: int, level: str) -> None:
    """Each level of `logging`, also one between two names, is the severity at or below it."""
    with logging_to(LogStoreHandler(path)) as logger:
        logger.log(levelno, "m")

    with LogStore(path, readonly=True) as store:
        assert [episode.level_name for episode in store.episodes()] == [level]


def test_a_record_keeps_the_time_it_was_made(path: Path) -> None:
    """The time is that of the LogRecord, to the microsecond."""
    record = logging.makeLogRecord({"name": "app", "msg": "m", "levelno": 20, "created": 1_765_065_600.25})
    handler = LogStoreHandler(path)
    handler.handle(record)
    handler.close()

    with LogStore(path, readonly=True) as store:
        assert [episode.first_us for episode in store.episodes()] == [NOW_US + 250_000]


def test_a_traceback_is_part_of_the_text(path: Path) -> None:
    """logger.exception stores the traceback, as any handler of `logging` does."""
    with logging_to(LogStoreHandler(path)) as logger:
        try:
            int("by hand")
        except ValueError:
            logger.exception("it failed")

    (message,) = messages(path)
    assert message.startswith("it failed\nTraceback")
    assert message.endswith("'by hand'")


def test_the_formatter_and_the_level_of_a_handler_count(path: Path) -> None:
    """A handler's own level, filters and formatter work as in `logging`."""
    handler = LogStoreHandler(path, level=logging.ERROR)
    handler.setFormatter(logging.Formatter("<%(message)s>"))
    with logging_to(handler) as logger:
        logger.warning("no")
        logger.error("yes")

    assert messages(path) == {"<yes>": 1}


def test_a_handler_leaves_a_given_store_open(path: Path) -> None:
    """A handler closes the store that it opened, and leaves open the one that it was given."""
    with LogStore(path) as store:
        with logging_to(LogStoreHandler(store)) as logger:
            logger.error("m")
        assert store.log("still open") == 1

    assert messages(path) == {"m": 1, "still open": 1}


def test_flush_makes_durable_what_was_logged(path: Path) -> None:
    """After handler.flush() another reader finds what was logged; the handler goes on."""
    handler = LogStoreHandler(path, linger=LONG)
    with logging_to(handler) as logger:
        logger.info("a")
        handler.flush()
        assert messages(path) == {"a": 1}
        logger.info("b")

    assert messages(path) == {"a": 1, "b": 1}


def test_logging_shutdown_stores_everything(path: Path) -> None:
    """logging.shutdown, which runs at exit, stores what is waiting."""
    handler = LogStoreHandler(path, linger=LONG)
    with logging_to(handler) as logger:
        for _ in range(50):
            logger.info("m")
        logging.shutdown([lambda: handler])
        found = messages(path)

    assert found == {"m": 50}


class Unprintable:
    def __str__(self) -> str:
        raise ZeroDivisionError


BAD_CALLS: dict[str, Callable[[logging.Logger], None]] = {
    "wrong arguments": lambda logger: logger.info("%d", "x"),
    "an object that cannot be printed": lambda logger: logger.info(Unprintable()),
    "a surrogate": lambda logger: logger.info("\ud800"),
    "a huge message": lambda logger: logger.info("x" * 3_000_000),
    "no text": lambda logger: logger.info(None),
    "a time before 1970": lambda logger: logger.handle(
        logging.makeLogRecord({"name": "app", "msg": "m", "levelno": 20, "created": -1.0})
    ),
    "a time that is none": lambda logger: logger.handle(
        logging.makeLogRecord({"name": "app", "msg": "m", "levelno": 20, "created": float("inf")})
    ),
}


@pytest.mark.parametrize("call", BAD_CALLS.values(), ids=BAD_CALLS)
def test_a_handler_never_raises_into_the_program(
    path: Path, call: Callable[[logging.Logger], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is logged, the program goes on, and so does the handler."""
    with logging_to(LogStoreHandler(path)) as logger:
        logger.info("before")
        call(logger)
        logger.info("after")

    found = messages(path)
    assert (found["before"], found["after"]) == (1, 1)
    assert isinstance(capsys.readouterr().err, str)


def test_a_closed_handler_or_store_never_raises(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Logging after close() goes to logging's own handleError, and stores nothing."""
    handler = LogStoreHandler(path)
    with logging_to(handler) as logger:
        logger.info("m")
    logger.info("late")
    handler.flush()
    handler.close()

    assert messages(path) == {"m": 1}
    assert "StoreClosed" in capsys.readouterr().err


def test_the_program_never_waits_for_the_store(path: Path) -> None:
    """While another program holds the lock, logging returns at once; everything is stored afterwards."""
    handler = LogStoreHandler(path, linger=0)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    with logging_to(handler) as logger:
        for number in range(1_000):
            logger.error("m%d", number % 10)
        other.execute("COMMIT")
    other.close()

    assert messages(path) == {f"m{number}": 100 for number in range(10)}


def test_a_handler_says_what_it_had_to_drop(path: Path) -> None:
    """Distinct contents beyond the bound are dropped, counted, and reported in the store."""
    handler = LogStoreHandler(path, max_pending=10, linger=LONG)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    with logging_to(handler) as logger:
        for number in range(30):
            logger.info("m%d", number)
        assert handler.dropped == 20
        other.execute("COMMIT")
    other.close()

    found = messages(path)
    assert sum(found.values()) == 11
    assert any(message.startswith("20 records were dropped") for message in found)


@pytest.mark.parametrize("letter", ["x", "\u00e4", "\0", "\U0001f600"])
def test_a_message_that_is_too_long_goes_on_in_further_records(path: Path, letter: str) -> None:
    """Nothing of it is lost: the parts, in their order, are the message."""
    numbers = range(3_000_000 // len((escape(letter) * 40).encode()))
    text = "".join(f"{letter * 40}{number}" for number in numbers)  # no two parts are the same
    with logging_to(LogStoreHandler(path)) as logger:
        logger.info(text)

    with LogStore(path, readonly=True) as store:
        found = sorted(store.episodes(), key=lambda episode: (episode.first_attributes or {}).get("part", 0))
    whole = "".join(episode.message for episode in found) == escape(text)
    assert whole  # pytest would show where they differ, for minutes
    assert [(episode.first_attributes or {}).get("part") for episode in found] == [
        None,
        *range(1, len(found)),
    ]
    assert max(len(episode.message.encode()) for episode in found) <= MAX_MESSAGE_BYTES


def test_a_forked_child_may_log_and_nothing_happens(
    path: Path, forked: Forked, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a forked child logging does not raise, says why on stderr, and harms nothing; the parent goes on."""
    with logging_to(LogStoreHandler(path)) as logger:
        logger.info("before")
        assert forked(lambda: logger.info("child")) == "None"
        logger.info("after")

    assert messages(path) == {"before": 1, "after": 1}
    assert "fork" in capfd.readouterr().err


def test_a_program_that_just_ends_has_stored_what_it_logged(path: Path) -> None:
    """Only a crash may cost records: at a normal end what waits is stored, without a call of close()."""
    script = (
        "import sys; from logstore import LogStore\n"
        "writer = LogStore(sys.argv[1]).background(linger=60)\n"
        "writer.log('last words')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert messages(path) == {"last words": 1}


def test_a_handler_counts_what_it_cannot_even_format(path: Path) -> None:
    """A record whose formatting fails is dropped, counted, and reported in the store."""
    handler = LogStoreHandler(path)
    handler.handleError = lambda record: None  # type: ignore[method-assign]  # it would print a traceback
    logger = logging.getLogger("logstore.test.format")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.info("%d", "no number")
    logger.info("fine")
    handler.flush()
    assert handler.dropped == 1
    handler.close()

    assert "fine" in messages(path)
    assert [message for message in messages(path) if message.startswith("1 records were dropped")]


@pytest.mark.parametrize("options", [{"max_pending": 0}, {"when_full": "blok"}, {"linger": -1}], ids=str)
def test_options_of_a_writer_that_make_no_sense_are_refused(path: Path, options: Any) -> None:
    """They are InvalidSetting, before a thread is started."""
    with LogStore(path) as store, pytest.raises(errors.InvalidSetting):
        store.background(**options)
