"""`LogStore` as its callers meet it: the rules at their edges, what it takes, gives, refuses and warns of."""

import contextlib
import dataclasses
import datetime as dt
import inspect
import itertools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from conftest import Forked, Shell
from model import NOW_US, Clock

import logstore
from logstore import Episode, LogStore, LogStoreError, Record, errors
from logstore.checkpoint import Checkpoint, Cursor
from logstore.identity import MAX_MESSAGE_BYTES
from logstore.intake import Intake, Taken
from logstore.record import TIME_END_US
from logstore.settings import Settings

S_US = 1_000_000
T_US = 150 * S_US
MAX_SPAN_US = 600 * S_US
NOBODY = 65_534


def texts(store: LogStore, **options: Any) -> list[str]:
    """Messages of the episodes, in the order that the store gives them."""
    return [episode.message for episode in store.episodes(**options)]


def only(store: LogStore, **options: Any) -> Episode:
    (episode,) = store.episodes(**options)
    return episode


def rows(store: LogStore, statement: str) -> list[tuple[Any, ...]]:
    reader = store.reader()
    try:
        return reader.rows(statement)
    finally:
        reader.close()


def total(store: LogStore) -> int:
    return sum(episode.count for episode in store.episodes())


def archived(store: LogStore) -> list[tuple[str, str]]:
    """Message and reason, in the order of the appends."""
    return rows(store, "SELECT message, episode.reason FROM archive JOIN episode USING (id) ORDER BY seq")


# -- first copies and repeats (rules 1 and 2) ----------------------------------------------------------


def test_a_first_copy_is_stored_at_once(store: LogStore, path: Path) -> None:
    """When log() returns 1, any other reader of the file sees the episode."""
    assert store.log("vip is up", level="warning", source="node1/vip") == 1

    with LogStore(path, readonly=True) as other:
        seen = only(other)
    assert (seen.state, seen.count, seen.message) == ("open", 1, "vip is up")
    assert (seen.source, seen.level, seen.level_name) == ("node1/vip", 4, "warning")


def test_a_repeat_counts_and_makes_no_row(store: LogStore, clock: Clock) -> None:
    """A repeat within T returns the count, moves the last time and adds no episode."""
    counts = []
    for _ in range(3):
        counts.append(store.log("vip is up"))
        clock.forward(s=60)

    assert counts == [1, 2, 3]
    seen = only(store)
    assert (seen.first_us, seen.last_us, seen.count) == (NOW_US, NOW_US + 120 * S_US, 3)
    assert (seen.gap_min_ms, seen.gap_max_ms) == (60_000, 60_000)


def test_a_repeat_moves_to_the_head_of_the_queue(store: LogStore, clock: Clock) -> None:
    """The queue's head is what was seen last, not what came first."""
    for message in ("a", "b", "c", "a"):
        store.log(message)
        clock.forward(s=1)

    assert texts(store, state="open") == ["a", "c", "b"]


def test_attributes_of_the_first_and_the_last_record_are_kept(store: LogStore) -> None:
    """Attributes never part two records; those at the first and at the last time are kept."""
    for second, pid in ((10, 1), (20, 2), (30, 3), (5, 4), (15, 5)):
        store.log("m", timestamp_us=NOW_US + second * S_US, attributes={"pid": pid})

    seen = only(store)
    assert (seen.first_attributes, seen.last_attributes, seen.count) == ({"pid": 4}, {"pid": 3}, 5)


def test_on_a_tie_the_later_arrival_is_last(store: LogStore) -> None:
    """Of records of one time the first to arrive keeps the first place, the last to arrive the last."""
    for pid in (1, 2, 3):
        store.log("m", timestamp_us=NOW_US, attributes={"pid": pid})

    seen = only(store)
    assert (seen.first_attributes, seen.last_attributes) == ({"pid": 1}, {"pid": 3})
    assert (seen.gap_min_ms, seen.gap_max_ms) == (0, 0)


def test_a_later_record_without_attributes_clears_the_last(store: LogStore) -> None:
    """The attributes of the last record are its own: none, if it has none."""
    store.log("m", timestamp_us=NOW_US, attributes={"pid": 1})
    store.log("m", timestamp_us=NOW_US + 1)

    seen = only(store)
    assert (seen.first_attributes, seen.last_attributes) == ({"pid": 1}, None)


# -- the window (rule 3) -------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1], ids=["after", "before"])
@pytest.mark.parametrize(
    ("distance_us", "counts"),
    [(T_US - 1000, [2]), (T_US, [2]), (T_US + 1, [2]), (T_US + 999, [2]), (T_US + 1000, [1, 1])],
)
def test_a_gap_of_exactly_the_window_merges(
    store: LogStore, sign: int, distance_us: int, counts: list[int]
) -> None:
    """On either side a gap of T merges, T + 1 ms splits, and only whole milliseconds count."""
    start_us = NOW_US if sign == 1 else NOW_US + 999
    store.log("m", timestamp_us=start_us)
    count = store.log("m", timestamp_us=start_us + sign * distance_us)

    assert [episode.count for episode in store.episodes(order="first")] == counts
    assert count == counts[-1]


def test_a_split_archives_the_old_episode_at_once(store: LogStore) -> None:
    """Farther than T closes with the reason gap in the same call; the new episode has the next id."""
    store.log("m", timestamp_us=NOW_US)
    store.log("m", timestamp_us=NOW_US + T_US + 1000)

    old, new = store.episodes(order="first")
    assert (old.state, old.reason, old.id) == ("closed", "gap", 1)
    assert (new.state, new.reason, new.id, new.continues) == ("open", None, 2, None)


# -- the max span (rule 4) -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last_us", "counts"),
    [(MAX_SPAN_US, [6]), (MAX_SPAN_US + 999, [6]), (MAX_SPAN_US + 1000, [5, 1])],
)
def test_a_span_of_exactly_the_limit_merges(store: LogStore, last_us: int, counts: list[int]) -> None:
    """An episode may cover S = 600 s; one millisecond more opens the next part of the run."""
    for offset_us in (0, 140 * S_US, 280 * S_US, 420 * S_US, 560 * S_US, last_us):
        run_count = store.log("m", timestamp_us=NOW_US + offset_us)

    assert [episode.count for episode in store.episodes(order="first")] == counts
    assert run_count == 6


def test_a_run_is_a_chain_of_parts(store: LogStore, clock: Clock) -> None:
    """Each part continues the one before, starts without a gap, and log() counts the whole run."""
    run_counts = []
    for _ in range(24):
        run_counts.append(store.log("m"))
        clock.forward(s=60)

    parts = list(store.episodes(order="first"))
    assert run_counts == list(range(1, 25))
    assert [part.count for part in parts] == [11, 11, 2]
    assert [part.continues for part in parts] == [None, parts[0].id, parts[1].id]
    assert [part.reason for part in parts] == ["span", "span", None]
    assert [part.gap_min_ms for part in parts] == [60_000, 60_000, 60_000]


def test_a_continuation_starts_without_a_gap(store: LogStore, clock: Clock) -> None:
    """The first record of a next part has no gap: the silence before it lies between two episodes."""
    for _ in range(12):
        store.log("m")
        clock.forward(s=60)

    part = only(store, state="open")
    assert (part.count, part.gap_min_ms, part.gap_max_ms) == (1, None, None)


def test_a_gap_ends_a_run(store: LogStore, clock: Clock) -> None:
    """After more than T the count starts at 1 again, also behind a run of several parts."""
    for _ in range(12):
        store.log("m")
        clock.forward(s=60)
    clock.forward(s=200)

    assert store.log("m") == 1
    assert only(store, state="open").continues is None


# -- sweeps (rules 5 and 6) ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wait_us", "moved"), [(T_US, 0), (T_US + 999, 0), (T_US + 1000, 1)], ids=["T", "T + 999 us", "T + 1 ms"]
)
def test_a_sweep_moves_what_is_quiet_for_longer_than_the_window(
    store: LogStore, clock: Clock, wait_us: int, moved: int
) -> None:
    """After exactly T an episode stays; a millisecond later the sweep moves it, with the reason gap."""
    store.log("m")
    clock.forward(us=wait_us)

    assert store.sweep() == moved
    assert [episode.reason for episode in store.episodes(state="closed")] == ["gap"] * moved


def test_a_swept_episode_keeps_everything_but_its_state(store: LogStore, clock: Clock) -> None:
    """Id, times, counts, gaps, texts and attributes are the same in queue and archive."""
    store.log("m", source="n", attributes={"pid": 1})
    clock.forward(s=3)
    store.log("m", source="n", attributes={"pid": 2})
    before = only(store)
    clock.forward(s=151)
    store.sweep()

    assert dataclasses.replace(before, state="closed", reason="gap") == only(store)


def test_a_sweep_needs_both_receipt_and_last_seen_to_be_old(store: LogStore, clock: Clock) -> None:
    """Old records received just now stay; so does a recent last time that was received long ago."""
    store.log("old, received now", timestamp_us=NOW_US - 10 * T_US)
    assert store.sweep() == 0

    store.log("received long ago, dated now", timestamp_us=NOW_US + 2 * T_US)
    clock.forward(us=2 * T_US)
    assert store.sweep() == 1
    assert texts(store, state="open") == ["received long ago, dated now"]


def test_an_import_of_old_files_is_not_swept_while_it_is_received(store: LogStore, clock: Clock) -> None:
    """Records of last year fold as long as they keep coming, however often a sweep runs."""
    year_us = 365 * 86_400 * S_US
    for number in range(10):
        store.log("m", timestamp_us=NOW_US - year_us + number * 60 * S_US)
        clock.forward(s=150)
        assert store.sweep() == 0

    assert only(store).count == 10


def test_a_time_ahead_of_the_clock_is_judged_by_receipt_alone(store: LogStore, clock: Clock) -> None:
    """A node whose clock is a day ahead is swept when it has been silent for longer than T, not in a day."""
    store.log("ahead", timestamp_us=NOW_US + 86_400 * S_US)
    clock.forward(s=150)
    assert store.sweep() == 0

    clock.forward(ms=1)
    assert store.sweep() == 1


@pytest.mark.parametrize(("ahead_us", "moved"), [(1, 1), (0, 0)])
def test_a_microsecond_ahead_is_ahead(store: LogStore, ahead_us: int, moved: int) -> None:
    """One microsecond after the clock is ahead of it; at the clock it is within T, and stays."""
    store.log("m", timestamp_us=NOW_US + 2 * T_US + ahead_us)
    assert store.sweep(now_us=NOW_US + 2 * T_US) == moved


def test_a_sweep_passes_over_what_is_still_received(store: LogStore, clock: Clock) -> None:
    """A row being received does not stop the walk: what is due behind it moves."""
    store.log("importing", timestamp_us=NOW_US - 100 * T_US)
    store.log("quiet", timestamp_us=NOW_US - 50 * T_US)
    clock.forward(s=151)
    store.log("importing", timestamp_us=NOW_US - 100 * T_US + 1)

    assert store.sweep() == 1
    assert texts(store, state="open") == ["importing"]


def test_a_sweep_appends_the_oldest_first_and_what_is_ahead_last(store: LogStore, clock: Clock) -> None:
    """The archive grows in the order of the last times, then by those ahead of the clock."""
    for message, offset_s in (("c", -300), ("ahead", 9_000), ("a", -500), ("far ahead", 90_000), ("b", -400)):
        store.log(message, timestamp_us=NOW_US + offset_s * S_US)
    clock.forward(s=151)

    assert store.sweep() == 5
    assert [message for message, _ in archived(store)] == ["a", "b", "c", "ahead", "far ahead"]


def test_a_sweep_of_thousands_moves_each_once(store: LogStore, clock: Clock) -> None:
    """A sweep of many small transactions moves everything that is due, in order, also at equal times."""
    store.log_many(Record(f"m{number}", timestamp_us=NOW_US + number // 1500) for number in range(3500))
    store.log("stays", timestamp_us=NOW_US + 100 * S_US)
    clock.forward(s=151)
    store.log("stays")

    assert store.sweep() == 3500
    last = [last_us for (last_us,) in rows(store, "SELECT last_us FROM archive ORDER BY seq")]
    assert last == sorted(last)
    assert texts(store, state="open") == ["stays"]


def test_sweeping_as_if_at_another_time_takes_it_for_both_clocks(store: LogStore) -> None:
    """sweep(now_us=X) moves everything that would be due at X."""
    store.log("m")

    assert store.sweep(now_us=NOW_US + T_US) == 0
    assert store.sweep(now_us=NOW_US + T_US + 1000) == 1


@pytest.mark.parametrize("step_s", [86_400, -86_400])
def test_a_clock_step_splits_once_and_loses_nothing(store: LogStore, clock: Clock, step_s: int) -> None:
    """A clock set by a day, either way, splits each open episode at most once; each record is counted."""
    for _ in range(3):
        store.log("m")
        clock.forward(s=60)
    clock.forward(s=step_s)
    for _ in range(3):
        store.sweep()
        store.log("m")
        clock.forward(s=60)

    assert sorted(episode.count for episode in store.episodes()) == [3, 3]


def test_a_store_that_is_written_to_sweeps_itself(path: Path, clock: Clock) -> None:
    """A write moves what is due when the last sweep is older than T/4, and not before."""
    with LogStore(path, window=150, clock_us=clock) as store:
        store.log("quiet")
        clock.forward(s=151)
        store.sweep(now_us=clock() - 20 * S_US)  # the last sweep, and it found nothing due
        store.log("other")
        assert texts(store, state="closed") == []

        clock.forward(s=18)
        store.log("other")
        assert texts(store, state="closed") == ["quiet"]


def test_a_write_sweeps_no_more_than_a_few_dozen_rows(path: Path, clock: Clock) -> None:
    """However much is due, one write moves only a few dozen rows of it; a scheduled sweep moves the rest."""
    with LogStore(path, clock_us=clock) as store:
        store.log_many(Record(f"m{number}") for number in range(500))
        clock.forward(s=151)
        store.log("other")

        moved = len(texts(store, state="closed"))
        assert 12 <= moved <= 64
        assert store.sweep() == 500 - moved


def test_a_store_may_be_told_not_to_sweep_itself(store: LogStore, clock: Clock) -> None:
    """With auto_sweep=False writes never move other episodes."""
    store.log("quiet")
    clock.forward(s=10_000)
    store.log("other")

    assert texts(store, state="closed") == []


def test_a_batch_is_its_records_also_with_many_due_rows(tmp_path: Path, clock: Clock) -> None:
    """log_many leaves the episodes of log() also when more is due than one write sweeps."""
    begun = [Record(f"m{number}", timestamp_us=NOW_US + number) for number in range(40)]
    batch = [Record("other"), Record("m39", timestamp_us=NOW_US + S_US)]
    with (
        LogStore(tmp_path / "1.db", clock_us=clock) as one,
        LogStore(tmp_path / "n.db", clock_us=clock) as many,
    ):
        one.log_many(begun)
        many.log_many(begun)
        clock.forward(s=600)
        many.log_many(batch)
        for record in batch:
            one.log(record.message, timestamp_us=record.timestamp_us)

        found = [
            [episode.count for episode in store.episodes() if episode.message == "m39"]
            for store in (one, many)
        ]
    assert found[0] == found[1]


# -- the bound (rule 7) --------------------------------------------------------------------------------


def small(path: Path, clock: Clock, max_open: int, *, auto_sweep: bool = False) -> LogStore:
    return LogStore(path, max_open=max_open, clock_us=clock, auto_sweep=auto_sweep)


def test_a_full_queue_evicts_the_least_recently_received(path: Path, clock: Clock) -> None:
    """The first copy too many sends the longest unreceived episode into the archive, whatever its times."""
    with small(path, clock, 2) as store:
        store.log("a", timestamp_us=NOW_US + 100 * S_US)
        clock.forward(s=1)
        store.log("b", timestamp_us=NOW_US - 100 * S_US)
        clock.forward(s=1)
        store.log("c")

        assert archived(store) == [("a", "evicted")]
        assert texts(store, state="open") == ["c", "b"]


def test_receipts_of_one_time_are_evicted_in_their_order(path: Path, clock: Clock) -> None:
    """Of episodes received at one time, the one whose latest record came first goes first."""
    with small(path, clock, 3) as store:
        store.log_many([Record("a"), Record("b"), Record("c"), Record("a")])
        store.log("d")
        store.log("e")

        assert archived(store) == [("b", "evicted"), ("c", "evicted")]


def test_due_rows_go_before_any_is_evicted(path: Path, clock: Clock) -> None:
    """Where a sweep makes room, nothing is evicted, even in a store that does not sweep itself."""
    with small(path, clock, 2) as store:
        store.log("quiet")
        clock.forward(s=100)
        store.log("recent")
        clock.forward(s=51)
        store.log("new")

        assert archived(store) == [("quiet", "gap")]


def test_what_was_evicted_begins_a_new_episode(path: Path, clock: Clock) -> None:
    """A record of an evicted content is a first copy again; no count is lost."""
    with small(path, clock, 1) as store:
        assert [store.log(message) for message in ("a", "b", "a", "a")] == [1, 1, 1, 2]

        assert archived(store) == [("a", "evicted"), ("b", "evicted")]
        assert total(store) == 4


def test_a_batch_larger_than_the_queue_fits(path: Path, clock: Clock) -> None:
    """A batch of more contents than the queue may hold is stored whole, the rest in the archive."""
    with small(path, clock, 10) as store:
        assert store.log_many(Record(f"m{number}") for number in range(100)) == 100

        assert len(texts(store, state="open")) == 10
        assert [message for message, _ in archived(store)] == [f"m{number}" for number in range(90)]


def test_a_lowered_bound_holds_from_the_next_first_copy(path: Path, clock: Clock) -> None:
    """After max_open is lowered, repeats still merge; the next first copy evicts down to the new bound."""
    with small(path, clock, 10) as store:
        for number in range(6):
            store.log(f"m{number}")
            clock.forward(s=1)
        store.configure(store.settings._replace(max_open=3))

        assert store.log("m0") == 2
        store.log("new")
        assert [message for message, _ in archived(store)] == ["m1", "m2", "m3", "m4"]
        assert texts(store, state="open", order="first") == ["m0", "m5", "new"]


# -- batches and tokens (rules 8 and 12) ---------------------------------------------------------------


def test_log_many_takes_any_iterable_and_returns_how_many(store: LogStore) -> None:
    """Lists, tuples, generators and nothing at all are taken."""
    assert store.log_many([Record("a"), Record("b")]) == 2
    assert store.log_many((Record("a"),)) == 1
    assert store.log_many(Record("a") for _ in range(5)) == 5
    assert store.log_many(iter([])) == 0
    assert total(store) == 8


def test_records_without_a_time_have_that_of_receipt(store: LogStore, clock: Clock) -> None:
    """The time of receipt dates a record without a timestamp, one time for a batch."""
    clock.forward(us=7)
    store.log_many([Record("a"), Record("b", timestamp_us=5), Record("c")])

    assert [(e.message, e.first_us) for e in store.episodes(order="first")] == [
        ("b", 5),
        ("a", NOW_US + 7),
        ("c", NOW_US + 7),
    ]


def failing() -> Iterator[Record]:
    yield Record("a")
    raise ZeroDivisionError


def test_an_iterable_that_fails_stores_nothing(store: LogStore) -> None:
    """What the iterable raises goes through to the caller; nothing is stored and the token stays free."""
    with pytest.raises(ZeroDivisionError):
        store.log_many(failing(), token=("w", 1))

    assert (total(store), store.last_sequence("w")) == (0, None)
    assert store.log_many([Record("a")], token=("w", 1)) == 1


def test_a_batch_is_consumed_before_the_lock_is_taken(store: LogStore, path: Path) -> None:
    """An iterable may itself write to the store: no transaction is open while it runs."""

    def writing() -> Iterator[Record]:
        with LogStore(path, busy_timeout=0) as other:
            other.log("from inside")
        yield Record("a")

    assert store.log_many(writing()) == 1
    assert total(store) == 2


BAD_RECORDS: dict[str, Any] = {
    "level": Record("m", "loud"),
    "level of a wrong type": Record("m", None),  # type: ignore[arg-type]
    "message": Record(b"m"),  # type: ignore[arg-type]
    "source": Record("m", source=None),  # type: ignore[arg-type]
    "time before 1970": Record("m", timestamp_us=-1),
    "time after 9999": Record("m", timestamp_us=TIME_END_US),
    "time beyond 64 bits": Record("m", timestamp_us=1 << 80),
    "time in seconds": Record("m", timestamp_us=1.5),  # type: ignore[arg-type]
    "time of a wrong type": Record("m", timestamp_us=True),
    "no record": ("m", "info", "", None, None),
    "attributes that are no object": Record("m", attributes=[1]),  # type: ignore[arg-type]
    "attributes that are no JSON": Record("m", attributes={"x": {1, 2}}),
    "attributes with NaN": Record("m", attributes={"x": float("nan")}),
    "size": Record("x" * (MAX_MESSAGE_BYTES + 1)),
}


@pytest.mark.parametrize("bad", BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_one_bad_record_stores_nothing_of_its_batch(store: LogStore, bad: Any) -> None:
    """An invalid record in the middle raises InvalidRecord, also a ValueError; nothing is stored."""
    store.log("m")
    with pytest.raises(errors.InvalidRecord, match="nothing was stored") as caught:
        store.log_many([Record("a"), bad, Record("b")], token=("w", 1))

    assert isinstance(caught.value, ValueError)
    assert texts(store) == ["m"]
    assert store.last_sequence("w") is None
    assert store.log("m") == 2


@pytest.mark.parametrize("bad", sorted(BAD_RECORDS.keys() - {"no record"}))
def test_log_refuses_what_log_many_refuses(store: LogStore, bad: str) -> None:
    """The same record is refused alone, and nothing is stored."""
    message, level, source, time_us, attributes = BAD_RECORDS[bad]
    with pytest.raises(errors.InvalidRecord):
        store.log(message, level=level, source=source, timestamp_us=time_us, attributes=attributes)
    assert texts(store) == []


def test_an_invalid_record_is_named_by_its_place(store: LogStore) -> None:
    """The message says which record of the batch it is."""
    with pytest.raises(errors.InvalidRecord, match="record 3: no such level: 'loud'"):
        store.log_many([Record("a"), Record("b"), Record("c", "loud"), Record("d")])


def test_bad_attributes_are_refused_wherever_their_record_falls(store: LogStore) -> None:
    """Attributes that are no JSON are refused also of a record that is neither first nor last."""
    with pytest.raises(errors.InvalidRecord):
        store.log_many(
            [
                Record("m", timestamp_us=time_us, attributes=bad)
                for time_us, bad in ((1, None), (2, {"x": {1, 2}}), (3, None))
            ]
        )


@pytest.mark.parametrize("level", [True, 1.0])
def test_a_level_is_refused_also_when_its_number_is_known(store: LogStore, level: Any) -> None:
    """What is refused as a level stays refused after the number it equals was used."""
    store.log("m", level=1)
    with pytest.raises(errors.InvalidRecord):
        store.log("m", level=level)


def test_a_token_is_taken_once(store: LogStore) -> None:
    """A batch sent again under its token, or under an earlier one, changes nothing and returns 0."""
    batch = [Record("a"), Record("b")]

    assert store.log_many(batch, token=("node1", 5)) == 2
    assert store.log_many(batch, token=("node1", 5)) == 0
    assert store.log_many(batch, token=("node1", 4)) == 0
    assert store.log_many(batch, token=("node2", 5)) == 2
    assert store.log_many(batch, token=("node1", 6)) == 2
    assert total(store) == 6


def test_the_highest_sequence_of_a_writer_is_remembered(store: LogStore, path: Path) -> None:
    """last_sequence gives the highest, None for a stranger, in any process and after reopening."""
    assert store.last_sequence("node1") is None
    for sequence in (1, 7, 3):
        store.log_many([Record("a")], token=("node1", sequence))

    assert store.last_sequence("node1") == 7
    with LogStore(path, readonly=True) as other:
        assert (other.last_sequence("node1"), other.last_sequence("node2")) == (7, None)


@pytest.mark.parametrize(
    "token",
    [
        ("w", 0),
        ("w", -1),
        ("w", True),
        ("w", 1.0),
        ("w", 1 << 63),
        ("", 1),
        (b"w", 1),
        pytest.param(("w",)),
        pytest.param(7),
        pytest.param(("\udcff", 1)),
    ],
    ids=repr,
)
def test_what_is_no_token_is_refused(store: LogStore, token: Any) -> None:
    """A token is (writer, sequence) with sequences from 1; anything else is a LogStoreError."""
    with pytest.raises(LogStoreError, match="token"):
        store.log_many([Record("a")], token=token)
    assert texts(store) == []


# -- what is stored comes back -------------------------------------------------------------------------

HOSTILE = {
    "NUL": ("a\0b", r"a\x00b"),
    "bytes that are not UTF-8": (b"caf\xe9".decode("utf-8", "surrogateescape"), r"caf\xe9"),
    "lone surrogate": ("\ud800!", r"\ud800!"),
    "all planes": ("ü \u202e 🟢 \U0010ffff", "ü \u202e 🟢 \U0010ffff"),
    "control characters": ("\x1b[31m\r\n\t\x7f", "\x1b[31m\r\n\t\x7f"),
    "SQL": ("'; DROP TABLE archive; --", "'; DROP TABLE archive; --"),
    "empty": ("", ""),
    "separator": ("a\x1fb", "a\x1fb"),
    "the largest": ("x" * MAX_MESSAGE_BYTES, "x" * MAX_MESSAGE_BYTES),
}


@pytest.mark.parametrize(("message", "kept"), HOSTILE.values(), ids=HOSTILE)
def test_any_text_is_kept(store: LogStore, message: str, kept: str) -> None:
    """What SQLite or UTF-8 cannot carry is written out, all else comes back as it was, and repeats fold."""
    assert [store.log(message), store.log_many([Record(message)]), store.log(message)] == [1, 1, 3]

    seen = only(store)
    assert (seen.message, seen.first_text, seen.last_text) == (kept, kept, kept)


def test_a_source_cannot_forge_the_separator(store: LogStore) -> None:
    """U+001F in a source is written out."""
    store.log("m", source="a\x1fb\0")
    assert only(store).source == r"a\x1fb\x00"


@pytest.mark.parametrize(
    "attributes",
    [{}, {"pid": 7}, {"ü": ["x", None, 1.5, {"y": False}]}, {"z": "\0\ud800"}, {"n": 10**400}],
    ids=repr,
)
def test_attributes_come_back_as_they_were(store: LogStore, attributes: dict[str, Any]) -> None:
    """Any JSON object comes back equal, also after the move into the archive."""
    store.log("m", attributes=attributes)
    store.sweep(now_us=NOW_US + 2 * T_US)

    seen = only(store)
    assert (seen.state, seen.first_attributes, seen.last_attributes) == ("closed", attributes, attributes)


def test_attributes_are_json_in_the_file(store: LogStore) -> None:
    """SQLite's own JSON functions can read attributes."""
    store.log("m", attributes={"pid": 7, "host": "ü"})
    assert rows(store, "SELECT json_extract(first_attributes, '$.host') FROM queue") == [("ü",)]


@pytest.mark.parametrize("time_us", [0, 1, TIME_END_US - 1])
def test_times_run_from_1970_to_9999(store: LogStore, time_us: int) -> None:
    """The first and the last microsecond are kept, and the view shows them as text."""
    store.log("m", timestamp_us=time_us)

    assert only(store).first_us == time_us
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    expected = (epoch + dt.timedelta(microseconds=time_us)).strftime("%Y-%m-%d %H:%M:%S.%f")
    assert rows(store, "SELECT first_seen, last_seen FROM episode") == [(expected, expected)]


@pytest.mark.parametrize("now_us", [-5, TIME_END_US + 5])
def test_a_clock_outside_1970_to_9999_is_an_error(path: Path, now_us: int) -> None:
    """A record dated by a clock that is out of range is refused, like one that is so by itself."""
    clock = Clock(NOW_US)
    with LogStore(path, clock_us=clock) as store:
        clock.now_us = now_us
        with pytest.raises(LogStoreError):
            store.log("m")


# -- episodes() ----------------------------------------------------------------------------------------


@pytest.fixture
def history(store: LogStore, clock: Clock) -> LogStore:
    """Four episodes: `a` [0, 100] x3 and `b` [50] x1 closed, `c` [200, 260] x2 and `A` [230] x1 open."""
    for message, source, level, second in (
        ("a failed", "node1/vip", "error", 0),
        ("a failed", "node1/vip", "error", 60),
        ("a failed", "node1/vip", "error", 100),
        ("b is up", "node2/vip", "info", 50),
    ):
        store.log(message, source=source, level=level, timestamp_us=NOW_US + second * S_US)
    store.sweep(now_us=NOW_US + 260 * S_US)
    clock.forward(s=200)
    for message, source, level, second in (
        ("c is up", "node1/redis", "debug", 200),
        ("c is up", "node1/redis", "debug", 260),
        ("A is UP", "node2", "warning", 230),
    ):
        store.log(message, source=source, level=level, timestamp_us=NOW_US + second * S_US)
    return store


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "b a A c"),
        ({"state": "open"}, "c A"),
        ({"state": "closed"}, "b a"),
        ({"state": "open", "newest_first": False}, "A c"),
        ({"newest_first": True}, "c A a b"),
        ({"order": "first"}, "a b c A"),
        ({"order": "first", "newest_first": True}, "A c b a"),
        ({"order": "first", "state": "open"}, "c A"),
        ({"order": "count"}, "b A c a"),
        ({"order": "count", "newest_first": True}, "a c A b"),
        ({"limit": 2}, "b a"),
        ({"limit": 2, "newest_first": True}, "c A"),
        ({"limit": 0}, ""),
        ({"limit": 1, "order": "count", "newest_first": True}, "a"),
        ({"level": "error"}, "a"),
        ({"level": "WARN"}, "a A"),
        ({"level": 6}, "b a A"),
        ({"level": "debug"}, "b a A c"),
        ({"source": "node1"}, "a c"),
        ({"source": "vip"}, "b a"),
        ({"source": "node1/vip"}, "a"),
        ({"source": "node2"}, "b A"),
        ({"source": "node?/*"}, "b a c"),
        ({"source": "nod"}, ""),
        ({"pattern": "is up"}, "b A c"),
        ({"pattern": "is UP"}, "A"),
        ({"pattern": "%"}, ""),
        ({"pattern": ""}, "b a A c"),
        ({"pattern": "up", "level": "info", "source": "node2", "state": "open"}, "A"),
    ],
    ids=repr,
)
def test_episodes_are_filtered_ordered_and_limited(
    history: LogStore, options: dict[str, Any], expected: str
) -> None:
    """Each option of episodes(), alone and together, as the contract says."""
    assert [message[0] for message in texts(history, **options)] == expected.split()


@pytest.mark.parametrize(
    ("since_s", "until_s", "expected"),
    [
        (None, None, "b a A c"),
        (100, None, "a A c"),
        (100.000001, None, "A c"),
        (None, 50, "a"),
        (None, 50.000001, "b a"),
        (None, 0, ""),
        (70, 80, "a"),
        (50, 51, "b a"),
        pytest.param(51, 50, ""),
        (210, 220, "c"),
        (230, 230.000001, "A c"),
        (261, None, ""),
    ],
)
def test_a_range_is_half_open_and_finds_every_overlap(
    history: LogStore, since_s: float | None, until_s: float | None, expected: str
) -> None:
    """Every episode that overlaps [since, until) is found, also one that covers the whole range."""
    since_us, until_us = (None if s is None else NOW_US + round(s * S_US) for s in (since_s, until_s))
    assert [m[0] for m in texts(history, since_us=since_us, until_us=until_us)] == expected.split()


def test_a_range_finds_an_episode_that_is_far_longer(path: Path, clock: Clock) -> None:
    """With S = 0 an episode of weeks is found by a second in its middle."""
    with LogStore(path, max_span=0, clock_us=clock, auto_sweep=False) as store:
        store.log_many(Record("short", timestamp_us=NOW_US + number * 3 * T_US) for number in range(5_000))
        store.log_many(Record("long", timestamp_us=NOW_US + number * T_US) for number in range(10_000))

        middle_us = NOW_US + 5_000 * T_US
        assert texts(store, since_us=middle_us + 1, until_us=middle_us + 2) == ["long"]


@pytest.mark.parametrize(
    "options",
    [{"state": "ajar"}, {"order": "size"}, {"level": "loud"}, {"since_us": "now"}, {"until_us": 1.5}],
    ids=repr,
)
def test_a_filter_that_makes_no_sense_is_an_error_at_once(store: LogStore, options: Any) -> None:
    """A wrong option raises when episodes() is called, not when the first row is asked for."""
    with pytest.raises((errors.InvalidQuery, errors.InvalidRecord)):
        store.episodes(**options)


@pytest.mark.parametrize(
    "options", [{"since_us": 1 << 70}, {"limit": 1 << 70}, {"source": "\ud800"}], ids=repr
)
def test_an_extreme_filter_finds_what_it_finds_or_is_a_typed_error(store: LogStore, options: Any) -> None:
    """Whatever number or text a filter is given, no error of another kind reaches the caller."""
    with contextlib.suppress(LogStoreError):
        assert list(store.episodes(**options)) == []


def test_episodes_are_of_one_moment(store: LogStore, clock: Clock) -> None:
    """A reader that has begun sees neither new episodes nor later counts, and the writer never waits."""
    store.log_many(Record(f"m{number:03}") for number in range(500))
    reading = store.episodes(order="first")
    first = next(reading)
    clock.forward(s=1)
    store.log("m499")
    store.log("new")
    store.sweep(now_us=NOW_US + 2 * T_US)
    rest = list(reading)

    assert (first.message, len(rest)) == ("m000", 499)
    assert {(episode.state, episode.count) for episode in rest} == {("open", 1)}
    assert sum(1 for _ in store.episodes()) == 501


def test_the_moment_is_that_of_the_call(store: LogStore) -> None:
    """episodes() reads the moment of its call, not that of the first row asked for."""
    store.log("a")
    reading = store.episodes()
    store.log("b")

    assert [episode.message for episode in reading] == ["a"]


def test_an_episode_is_frozen(store: LogStore) -> None:
    """An Episode cannot be changed, and has the fields of the contract."""
    store.log("m")
    seen = only(store)
    with pytest.raises(dataclasses.FrozenInstanceError):
        seen.count = 2  # type: ignore[misc]

    promised = (
        "id state source level level_name message first_us last_us count gap_min_ms gap_max_ms first_text "
        "last_text reason content_id continues first_attributes last_attributes"
    )
    assert set(promised.split()) <= {field.name for field in dataclasses.fields(seen)}


# -- signatures, settings, warnings --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "promised"),
    [
        (
            LogStore,
            "path, *, window=None, max_span=None, max_open=None, masks=None, redact=None, group=None, "  # noqa: ISC004
            "durability='full', busy_timeout=30.0, auto_sweep=True, readonly=False, upgrade=False, "
            "clock_us=None, vfs=None",
        ),
        (LogStore.log, "self, message, *, level='info', source='', timestamp_us=None, attributes=None"),
        (LogStore.log_many, "self, records, *, token=None"),
        (LogStore.sweep, "self, *, now_us=None"),
        (
            LogStore.episodes,
            "self, *, state='all', since_us=None, until_us=None, level=None, source=None, pattern=None, "  # noqa: ISC004
            "order='last', newest_first=None, limit=None",
        ),
        (LogStore.last_sequence, "self, writer"),
        (Record, "message, level='info', source='', timestamp_us=None, attributes=None"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_signature_is_as_promised(function: Callable[..., Any], promised: str) -> None:
    """Names, order, kinds and defaults are those of the contract."""
    signature = inspect.signature(function)
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()
    ]
    assert str(inspect.Signature(bare)) == f"({promised})"


def test_the_package_offers_what_is_promised() -> None:
    """The names of the contract can be imported, and the package is typed."""
    assert {"LogStore", "Record", "Episode", "LogStoreHandler", "LogStoreError"} <= set(logstore.__all__)
    assert (Path(logstore.__file__).parent / "py.typed").is_file()


def test_every_error_has_one_root() -> None:
    """Each public error is a LogStoreError, and its docstring says what it means."""
    found = [value for value in vars(errors).values() if inspect.isclass(value)]

    assert len(found) > 10
    assert all(issubclass(error, LogStoreError) and error.__doc__ for error in found)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({}, (150_000, 600_000, 100_000)),
        ({"window": 700}, (700_000, 700_000, 100_000)),
        ({"window": 2.5, "max_span": 0}, (2_500, 0, 100_000)),
        ({"window": 600, "max_span": 600}, (600_000, 600_000, 100_000)),
        ({"window": 0, "max_span": 1, "max_open": 1}, (0, 1_000, 1)),
    ],
    ids=repr,
)
def test_a_new_file_keeps_its_settings(path: Path, given: dict[str, Any], stored: tuple[int, ...]) -> None:
    """T is 150 s, S the larger of 600 s and T, the queue 100,000, unless told otherwise."""
    with LogStore(path, **given) as store:
        assert store.settings[:3] == stored


@pytest.mark.parametrize(
    "given",
    [
        {"window": 10, "max_span": 9.999},
        {"window": -1},
        {"window": float("nan")},
        {"window": float("inf")},
        {"window": "150"},
        {"window": True},
        {"max_span": -1},
        {"max_open": 0},
        {"max_open": 1.5},
        {"masks": "nonesuch"},
        {"redact": "nonesuch"},
        {"durability": "some"},
    ],
    ids=repr,
)
def test_settings_that_make_no_sense_create_nothing(path: Path, given: dict[str, Any]) -> None:
    """A setting that makes no sense is InvalidSetting, and no file is created."""
    with pytest.raises(errors.InvalidSetting):
        LogStore(path, **given)
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "value"), [("window", 100), ("max_span", 0), ("max_open", 5), ("window", 700)]
)
def test_on_an_existing_file_the_stored_value_wins_with_a_warning(path: Path, name: str, value: int) -> None:
    """Other settings than the stored ones are ignored; a warning names the file, the setting and the way."""
    LogStore(path).close()
    with pytest.warns(
        UserWarning, match=f"{re.escape(str(path))}.*{name}={value}.*logstore config set"
    ) as caught:
        store = LogStore(path, **{name: value})  # type: ignore[arg-type]
    with store:
        assert store.settings[:3] == (150_000, 600_000, 100_000)
    assert caught[0].filename == __file__


def test_the_same_settings_again_warn_of_nothing(path: Path) -> None:
    """Opening with what is stored, or with nothing, warns of nothing: here a warning would be an error."""
    LogStore(path, window=100, max_span=0, max_open=9).close()
    LogStore(path, window=100, max_span=0, max_open=9).close()
    LogStore(path).close()


def test_changed_settings_hold_for_every_object_at_once(store: LogStore, path: Path, clock: Clock) -> None:
    """A T set through one object splits records that come in through another one."""
    with LogStore(path, clock_us=clock, auto_sweep=False) as other:
        other.log("m")
        store.configure(Settings(1_000, 0, 10))
        clock.forward(ms=1_001)
        assert other.log("m") == 1


def test_changed_settings_must_make_sense(store: LogStore) -> None:
    """T above S is refused, and what is stored stays."""
    with pytest.raises(errors.InvalidSetting, match="max_span"):
        store.configure(Settings(700_000, 600_000, 10))
    assert store.settings[:3] == (150_000, 600_000, 100_000)


# -- the file ------------------------------------------------------------------------------------------


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def companions(path: Path) -> list[Path]:
    return [path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")]


@pytest.mark.parametrize(
    "umask",
    [
        0,
        0o077,
        pytest.param(0o277),
    ],
    ids=oct,
)
def test_a_new_file_is_for_its_owner_alone(path: Path, umask: int) -> None:
    """Store, WAL and SHM have mode 0600, whatever the umask."""
    before = os.umask(umask)
    try:
        with LogStore(path) as store:
            store.log("m")
            assert [mode(file) for file in companions(path)] == ["0o600"] * 3
    finally:
        os.umask(before)


def test_a_new_file_may_be_read_by_a_group(path: Path) -> None:
    """With `group` the mode is 0640 and the group is the one that was named, for WAL and SHM as well."""
    if os.getuid() != 0:
        pytest.skip("ONLY ROOT CAN GIVE A FILE TO ANOTHER GROUP: run the tests as root")
    with LogStore(path, group="daemon") as store:
        store.log("m")
        assert [(mode(file), file.group()) for file in companions(path)] == [("0o640", "daemon")] * 3


def test_an_unknown_group_is_refused(path: Path) -> None:
    """A group that this machine does not know is InvalidSetting, and no file is created."""
    with pytest.raises(errors.InvalidSetting, match="nonesuch"):
        LogStore(path, group="nonesuch")
    assert not path.exists()


@pytest.mark.parametrize("name", ["a b.db", "50%20?x=1#y.db", "ü.db", "'.db", "x;y.db"])
def test_any_name_is_a_path(tmp_path: Path, name: str) -> None:
    """What means something in a URI or in SQL means nothing in a path."""
    with LogStore(tmp_path / name) as store:
        store.log("m")
        assert total(store) == 1
    assert {file.name for file in tmp_path.iterdir()} == {name, f"{name}-reserve"}


def test_a_name_need_not_be_utf8(tmp_path: Path) -> None:
    """A path whose bytes are no UTF-8 is a path like any other."""
    with LogStore(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.db")) as store:
        assert store.log("m") == 1


def test_a_path_may_be_text_and_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path stays the same file when the program changes its folder."""
    monkeypatch.chdir(tmp_path)
    with LogStore("log.db") as store:
        monkeypatch.chdir("/")
        store.log("m")
        assert total(store) == 1
        assert store.path == tmp_path / "log.db"


def test_a_link_leads_to_the_store(path: Path, tmp_path: Path) -> None:
    """Through a symbolic link the same file is opened, with the same WAL."""
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with LogStore(link) as one, LogStore(path) as other:
        one.log("m")
        assert other.log("m") == 2


def test_the_file_says_what_it_is(store: LogStore) -> None:
    """store_id, host and time of creation are in the file."""
    ((store_id, host, created_us),) = rows(store, "SELECT store_id, host, created_us FROM store")

    assert re.fullmatch("[0-9a-f-]{36}", store_id)
    assert host == os.uname().nodename
    assert created_us == NOW_US


def test_a_reader_creates_nothing(path: Path) -> None:
    """readonly=True on nothing is StoreMissing, and nothing is there afterwards."""
    with pytest.raises(errors.StoreMissing, match=re.escape(str(path))):
        LogStore(path, readonly=True)
    assert list(path.parent.iterdir()) == []


WRITES: dict[str, Callable[[LogStore], object]] = {
    "log": lambda store: store.log("m"),
    "log_many": lambda store: store.log_many([Record("m")]),
    "sweep": lambda store: store.sweep(now_us=NOW_US + 10 * T_US),
    "background": lambda store: store.background(),
    "configure": lambda store: store.configure(Settings(1, 1, 1)),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_store_opened_for_reading_refuses_to_write(
    path: Path, clock: Clock, write: Callable[[LogStore], object]
) -> None:
    """Every writing method is ReadOnly; the file stays as it was, to the byte."""
    with LogStore(path, clock_us=clock) as store:
        store.log("m")
    before = path.read_bytes()
    with LogStore(path, readonly=True, clock_us=clock) as reader:
        with pytest.raises(errors.ReadOnly, match=re.escape(str(path))):
            write(reader)
        assert total(reader) == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "use",
    [*WRITES.values(), LogStore.episodes, lambda store: store.last_sequence("w")],
    ids=[*WRITES, "episodes", "last"],
)
def test_a_closed_store_is_refused(path: Path, use: Callable[[LogStore], object]) -> None:
    """After close(), which may be called twice, each method is StoreClosed."""
    store = LogStore(path)
    store.close()
    store.close()
    with pytest.raises(errors.StoreClosed, match=re.escape(str(path))):
        use(store)


def test_opening_an_existing_store_needs_no_lock_and_writes_nothing(path: Path) -> None:
    """A store opens while another process writes, and opening leaves the file as it is."""
    LogStore(path).close()
    before = path.read_bytes()
    LogStore(path).close()
    assert path.read_bytes() == before

    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    LogStore(path, busy_timeout=0).close()
    other.close()


# -- files that are not ours ---------------------------------------------------------------------------


def refused(path: Path, error: type[LogStoreError], **options: Any) -> None:
    """Opening raises the error, names the file, and changes nothing of it."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(error, match=re.escape(str(path))):
        LogStore(path, **options)
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x"),
        "xy",
        "some notes\n" * 200,
        "SQLite format 3\0" + "junk" * 500,
    ],
    ids=len,
)
def test_a_file_that_is_no_database_is_refused(path: Path, text: str, readonly: bool) -> None:
    """A text file is NotALogStore, or damaged where it pretends to be a database, and stays as it was."""
    path.write_text(text)
    before = path.read_bytes()
    with pytest.raises((errors.NotALogStore, errors.StoreDamaged), match=re.escape(str(path))):
        LogStore(path, readonly=readonly)
    assert path.read_bytes() == before


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE note (text); INSERT INTO note VALUES ('mine');",
        "PRAGMA journal_mode = WAL; CREATE TABLE note (text);",
        "PRAGMA application_id = 252006674; PRAGMA user_version = 3; CREATE TABLE note (text);",
        "PRAGMA user_version = 1000; CREATE TABLE queue (id); CREATE TABLE archive (id);",
        "CREATE VIEW v AS SELECT 1;",
    ],
)
def test_another_programs_database_is_refused(path: Path, shell: Shell, schema: str, readonly: bool) -> None:
    """A database without our application id is NotALogStore, and stays as it was, to the byte."""
    assert shell(path, schema).returncode == 0
    refused(path, errors.NotALogStore, readonly=readonly)


def test_another_programs_empty_database_is_refused(path: Path, shell: Shell) -> None:
    """An application id that is not ours is enough to be refused, even without a table."""
    assert shell(path, "PRAGMA application_id = 252006674;").returncode == 0
    refused(path, errors.NotALogStore)


def test_another_programs_wal_is_left_alone(path: Path) -> None:
    """What another program left in its WAL when it was killed is still there after the refusal."""
    script = (
        "import apsw, os, sys; c = apsw.Connection(sys.argv[1]);"
        "c.execute('PRAGMA journal_mode = WAL; CREATE TABLE t (x)').fetchall(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    wal = path.with_name("log.db-wal")
    before = wal.read_bytes()
    refused(path, errors.NotALogStore)
    assert wal.is_file()
    assert wal.read_bytes() == before


@pytest.mark.parametrize("readonly", [False, True])
@pytest.mark.parametrize(
    ("version", "says"), [(2000, "newer.*2.0.*install the newer version"), (999, "older.*0.999.*upgrade")]
)
def test_another_major_version_is_refused(
    path: Path, shell: Shell, version: int, says: str, readonly: bool
) -> None:
    """A newer major or an older version is VersionMismatch, which says what to do."""
    LogStore(path).close()
    assert shell(path, f"PRAGMA user_version = {version};").returncode == 0
    with pytest.raises(errors.VersionMismatch, match=f"{re.escape(str(path))}: .*{says}"):
        LogStore(path, readonly=readonly)


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_newer_major_version_is_left_untouched(path: Path, shell: Shell, journal: str) -> None:
    """The refusal of a newer major version changes no byte of the file, as its message says."""
    LogStore(path).close()
    assert shell(path, f"PRAGMA user_version = 2000; PRAGMA journal_mode = {journal};").returncode == 0
    refused(path, errors.VersionMismatch)


def test_a_newer_minor_version_is_read_and_written(path: Path, shell: Shell) -> None:
    """A newer minor version is opened: it promises to be understood."""
    LogStore(path).close()
    assert shell(path, "PRAGMA user_version = 1999;").returncode == 0
    with LogStore(path) as store:
        assert store.log("m") == 1
    with LogStore(path, readonly=True) as store:
        assert total(store) == 1


@pytest.mark.parametrize("readonly", [False, True])
def test_a_folder_is_refused(tmp_path: Path, readonly: bool) -> None:
    """A folder is no store: a typed error that names it."""
    with pytest.raises((errors.NotALogStore, errors.StoreUnavailable), match=re.escape(str(tmp_path))):
        LogStore(tmp_path, readonly=readonly)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """Where the folder is missing, the error names it and creates nothing."""
    with pytest.raises(errors.StoreUnavailable, match=f"folder {re.escape(str(tmp_path))}/no is not there"):
        LogStore(tmp_path / "no" / "log.db")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_store_is_named(path: Path) -> None:
    """Broken pages are StoreDamaged, not a wrong answer."""
    with LogStore(path) as store:
        store.log_many(Record(f"m{number}") for number in range(2_000))
    whole = bytearray(path.read_bytes())
    for page in range(2, len(whole) // 4096):
        whole[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(whole)
    with pytest.raises(errors.StoreDamaged, match=re.escape(str(path))), LogStore(path) as store:
        list(store.episodes())


@pytest.fixture
def everyones(tmp_path: Path) -> Iterator[Path]:
    """A folder that any user can reach: that of pytest is for its owner alone."""
    with tempfile.TemporaryDirectory(prefix="logstore-test-", dir="/tmp") as name:
        place = Path(name)
        place.chmod(0o777)
        yield place
        place.chmod(0o700)


def someone() -> int | None:
    """Another user than root, or None where we are not root ourselves."""
    return NOBODY if os.getuid() == 0 else None


def test_a_folder_that_cannot_be_written_is_named(everyones: Path, forked: Forked) -> None:
    """Without write permission on the folder nothing is created, and the error names the file."""
    everyones.chmod(0o555)
    path = everyones / "log.db"

    said = forked(lambda: LogStore(path), someone())

    assert said.startswith(f"StoreUnavailable: {path}: ")
    assert not path.exists()


def test_a_store_that_cannot_be_written_is_named(everyones: Path, forked: Forked) -> None:
    """A store that another user may only read is StoreUnavailable for a writer."""
    path = everyones / "log.db"
    with LogStore(path) as store:
        store.log("m")
    path.chmod(0o444)
    everyones.chmod(0o555)

    assert forked(lambda: LogStore(path), someone()).startswith(f"StoreUnavailable: {path}: ")


def test_a_store_that_may_not_be_read_is_named(everyones: Path, forked: Forked) -> None:
    """A store of mode 0000 is a typed error for a reader."""
    path = everyones / "log.db"
    LogStore(path).close()
    path.chmod(0)

    assert forked(lambda: LogStore(path, readonly=True), someone()).startswith(f"StoreUnavailable: {path}: ")


# -- a full disk, a failing disk -----------------------------------------------------------------------


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


def log_until_full(store: LogStore) -> int:
    """Log until the store says that it is full; how many it took."""
    for number in range(10_000):
        try:
            store.log(f"{number}" * 100)
        except errors.StoreFull as error:
            assert str(store.path) in str(error)  # noqa: PT017  # the number of records before it is needed, too
            return number
    pytest.fail("a disk of 1 MiB took 10,000 records")


def test_a_full_disk_is_a_typed_error_and_loses_nothing(small_disk: Path, clock: Clock) -> None:
    """Each write is StoreFull while the disk is full, and goes on when space is back; nothing is lost."""
    path = small_disk / "log.db"
    with LogStore(path, clock_us=clock) as store:
        store.log("before")
        filler = fill(small_disk)
        stored = log_until_full(store)
        with pytest.raises(errors.StoreFull):
            store.log_many([Record("y" * 4096 + str(number)) for number in range(50)], token=("w", 1))
        assert (total(store), store.last_sequence("w")) == (stored + 1, None)

        filler.unlink()
        assert store.log("before") == 2
        assert store.log_many([Record("z")], token=("w", 1)) == 1
        assert total(store) == stored + 3


def test_no_store_is_created_on_a_full_disk(small_disk: Path) -> None:
    """Creating a store on a full disk is a typed error; with space again the same path works."""
    filler = fill(small_disk)
    with pytest.raises(LogStoreError, match=re.escape(str(small_disk / "log.db"))):
        LogStore(small_disk / "log.db")
    filler.unlink()
    with LogStore(small_disk / "log.db") as store:
        assert store.log("m") == 1


class FailingFile(apsw.VFSFile):
    """A file whose sync fails while the disk is said to be broken."""

    def xSync(self, flags: int) -> None:  # noqa: N802  # SQLite's name
        if FailingDisk.broken:
            raise apsw.IOError
        super().xSync(flags)


class FailingDisk(apsw.VFS):
    """A disk that can be broken for a while."""

    broken = False

    def __init__(self) -> None:
        super().__init__("failing-disk", "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> FailingFile:  # noqa: N802
        return FailingFile("", name, flags)


def test_a_failed_commit_has_its_own_error_and_may_be_sent_again(path: Path) -> None:
    """Where the disk fails in the commit the outcome is unknown; sent again with its token it counts once."""
    disk = FailingDisk()
    batch = [Record("a"), Record("b")]
    with LogStore(path, vfs="failing-disk") as store:
        store.log("a")
        FailingDisk.broken = True
        try:
            with pytest.raises(errors.OutcomeUnknown, match=f"{re.escape(str(path))}.*sent again"):
                store.log_many(batch, token=("w", 1))
        finally:
            FailingDisk.broken = False
        store.log_many(batch, token=("w", 1))

        assert store.last_sequence("w") == 1
        assert store.log("a") == 3
    with LogStore(path) as again:
        assert total(again) == 4
    disk.unregister()


class ForgetfulFile(apsw.VFSFile):
    """A file whose next sync fails once, after or before what it should make durable was done."""

    def xSync(self, flags: int) -> None:  # noqa: N802  # SQLite's name
        super().xSync(flags)
        if ForgetfulDisk.failures:
            ForgetfulDisk.failures -= 1
            raise apsw.IOError


class ForgetfulDisk(apsw.VFS):
    """A disk that fails in so many syncs to come."""

    failures = 0

    def __init__(self) -> None:
        super().__init__("forgetful-disk", "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> ForgetfulFile:  # noqa: N802
        return ForgetfulFile("", name, flags)


def test_an_error_while_it_is_opened_anew_leaves_it_usable(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a commit that failed, a second failure is said, and the next call tries again."""
    with LogStore(path) as store:
        store.log("a")
        assert store._connection is not None
        store._connection.sound = False
        with monkeypatch.context() as patch:
            patch.setattr(Intake, "__init__", raising(errors.StoreUnavailable("not now")))
            for _ in range(2):
                with pytest.raises(LogStoreError):
                    store.log("a")
        assert store.log("a") == 2


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_a_store_that_was_moved_away_from_its_log_is_not_made_anew(path: Path) -> None:
    """What was acknowledged last is in the -wal: nothing is made beside it, and the way back is said."""
    with LogStore(path) as store:
        store.log("a")
        moved = path.rename(path.with_name("moved"))
        with pytest.raises(errors.StoreMissing, match="put it back"):
            LogStore(path)
        assert not path.exists()
        moved.rename(path)
        assert store.log("a") == 2


def test_an_empty_reserve_is_filled(path: Path) -> None:
    """What a crash in the first moment leaves is no reserve."""
    LogStore(path).close()
    reserve = path.with_name("log.db-reserve")
    reserve.write_bytes(b"")
    LogStore(path).close()
    assert reserve.stat().st_size > 0


def test_a_warning_that_is_an_error_takes_back_no_commit(
    store: LogStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests turn warnings into errors; the record is stored, and the call says so."""
    monkeypatch.setattr("logstore.database.connection._SLOW_COMMIT_S", -1)
    assert [store.log("a") for _ in range(9)] == list(range(1, 10))


@pytest.mark.parametrize("kind", ["file", "stream", "socket"])
def test_an_input_is_stored_once_though_the_disk_failed_in_the_commit(path: Path, kind: str) -> None:
    """Files, streams and sockets look whether the batch is stored, and send it again if not."""
    disk = ForgetfulDisk()
    batch = [Record("a"), Record("b"), Record("a")]
    checkpoint = Checkpoint(1, 2, 3, b"h" * 32, 4, "/var/log/x", "{}")
    with LogStore(path, vfs="forgetful-disk") as store:
        ways: dict[str, Callable[[], Taken]] = {
            "file": lambda: store.log_input(batch, checkpoint, after=None),
            "stream": lambda: store.log_stream(batch, Cursor("journal", "s=1"), after=None),
            "socket": lambda: store.take(batch),
        }
        ForgetfulDisk.failures = 1
        assert ways[kind]().records == 3
        assert ForgetfulDisk.failures == 0
    with LogStore(path) as again:
        assert total(again) == 3
    disk.unregister()


def test_json_of_the_file_is_what_python_reads(store: LogStore) -> None:
    """Attributes with lone surrogates are stored as JSON that any reader can parse."""
    store.log("m", attributes={"x": "\ud800"})
    ((text,),) = rows(store, "SELECT first_attributes FROM queue")
    assert json.loads(text) == {"x": "\ud800"}


def test_a_sweep_in_steps_keeps_to_a_window_that_was_raised_meanwhile(path: Path, clock: Clock) -> None:
    """What a write left for the next one is judged by the window of then: raised, it is no longer due."""
    with LogStore(path, window=1, max_span=0, clock_us=clock) as store:
        store.log_many(Record(f"m{number}") for number in range(40))
        clock.forward(s=600)
        store.log("other")
        moved = len(list(store.episodes(state="closed")))
        assert 0 < moved < 40
        store.configure(store.settings._replace(window_ms=1_000_000))
        store.log("other")

        assert len(list(store.episodes(state="closed"))) == moved


def test_a_store_whose_creation_was_cut_off_is_made_anew(path: Path) -> None:
    """What a crash leaves in the first moments, a file with a hot journal, is rolled back and begun again."""
    draft = path.with_name("draft")
    connection = apsw.Connection(str(draft))
    connection.execute(
        "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA cache_size = 1; PRAGMA cache_spill = 1"
    ).fetchall()
    connection.execute(
        "BEGIN; CREATE TABLE spilled (x); INSERT INTO spilled VALUES (zeroblob(100000))"
    ).fetchall()
    for suffix in ("", "-journal"):
        shutil.copy(f"{draft}{suffix}", f"{path}{suffix}")
    connection.close()

    with LogStore(path) as store:
        store.log("vip is up")
    with LogStore(path, readonly=True) as store:
        assert total(store) == 1


# -- a slow disk -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "slow"), [(0.0625, False), (0.125, True)])
def test_a_slow_disk_is_said_once(
    store: LogStore, monkeypatch: pytest.MonkeyPatch, seconds: float, slow: bool
) -> None:
    """Eight commits in a row that each take over 100 ms: one warning, and nothing else changes."""
    ticks = itertools.count(step=seconds)
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(20):
            store.log("vip is up")
    said = [str(warning.message) for warning in caught]
    assert [str(store.path) in each and "slow" in each for each in said] == [True] * slow
    assert [episode.count for episode in store.episodes()] == [20]
