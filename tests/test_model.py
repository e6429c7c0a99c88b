"""The store beside the model of tests/model.py: whatever is called, in whatever order, both hold the same."""

import contextlib
import functools
import itertools
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from model import NOW_US, Clock, Fields, Model, fields, unmasked

from logstore import LogStore, Record
from logstore.masks import Rule, RuleSet
from logstore.settings import Settings

T_MS = 2_000
SPANS_MS = (0, T_MS, 3 * T_MS)
QUEUES = (1, 3, 1000)
CONTENTS = (
    ("vip 10.0.0.12 is up", "info", "node1/vip"),
    ("vip 10.0.0.12 is up", "info", "node2/vip"),
    ("vip 10.0.0.12 is up", "warning", "node1/vip"),
    ("monitor failed: rc=7", "error", "node1/pacemaker"),
    ("", "debug", ""),
)
ALIASES: dict[str, tuple[str | int, ...]] = {
    "info": ("info", "INFO", 6),
    "warning": ("warning", "warn", 4),
    "error": ("error", "err", 3),
    "debug": ("debug", "Debug", 7),
}
EDGES_US = tuple(
    sign * (base_ms * 1000 + delta_us)
    for base_ms in (0, 1, T_MS // 4, T_MS - 1, T_MS, T_MS + 1, 2 * T_MS, 3 * T_MS, 3 * T_MS + 1)
    for delta_us in (-1, 0, 1, 999, 1000)
    for sign in (-1, 1)
)
quickly = settings(deadline=None, suppress_health_check=list(HealthCheck))


class Shape(NamedTuple):
    """A record not yet dated."""

    content: int
    anchor: str | None  # what its time is counted from
    offset_us: int  # how far from that
    tag: int | None
    alias: int  # under which name of its level


anchors = st.sampled_from((None, None, "now", "now", "first", "last", "last"))
shapes = st.builds(
    Shape,
    st.integers(0, len(CONTENTS) - 1),
    anchors,
    st.sampled_from(EDGES_US),
    st.none() | st.integers(0, 9),
    st.integers(0, 2),
)
spans = st.sampled_from(SPANS_MS)
queues = st.sampled_from(QUEUES)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: these tests are about rules, not about disks."""
    memory = Path("/dev/shm")
    name = tempfile.mkdtemp(prefix="logstore-test-", dir=memory if memory.is_dir() else None)
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name)


TOOK = RuleSet(
    "took", "masks", (Rule("took", r"took (?P<hide>\d+) ms", "<num>", "took 3 ms", "took long", "took "),)
)


def raw(message: str, tag: int | None) -> str:
    """A message as the program wrote it, with a number that the mask hides."""
    return message if tag is None else f"{message} took {tag} ms"


def took(text: str) -> tuple[str, int | None]:
    """What TOOK makes of a text, in other words."""
    before, found, after = text.partition(" took ")
    return (f"{before} took <num> ms", int(after.split()[0])) if found else (text, None)


@functools.cache
def masked_file() -> bytes:
    """An empty store with the set TOOK: adding it costs a process, so it is done once."""
    with folder() as place:
        with LogStore(place / "log.db", clock_us=Clock(NOW_US)) as store:
            store.save_rules(TOOK)
        return (place / "log.db").read_bytes()


def opened(
    path: Path,
    clock: Clock,
    *,
    auto_sweep: bool = False,
    span_ms: int = 0,
    queue: int = 1000,
    masked: bool = False,
) -> LogStore:
    if masked and not path.exists():
        path.write_bytes(masked_file())
        with LogStore(path, clock_us=clock, auto_sweep=False) as store:
            store.configure(Settings(T_MS, span_ms, queue, masks="took"))
    return LogStore(
        path,
        window=T_MS / 1000,
        max_span=span_ms / 1000,
        max_open=queue,
        clock_us=clock,
        durability="normal",
        auto_sweep=auto_sweep,
    )


def shown(store: LogStore) -> dict[int, Fields]:
    return {episode.id: fields(episode) for episode in store.episodes()}


def rows(store: LogStore, statement: str) -> list[tuple[Any, ...]]:
    reader = store.reader()
    try:
        return reader.rows(statement)
    finally:
        reader.close()


def everything(store: LogStore) -> list[list[tuple[Any, ...]]]:
    """Every row of the store, with the order of receipt in place of its numbers."""
    columns = (
        "id, content_id, hex(content_hash), run_id, continues, prior_count, first_us, last_us, count, "
        "gap_min_ms, gap_max_ms, first_text, last_text, first_attributes, last_attributes, "
        "received_us, numbers"
    )
    statements = (
        f"SELECT {columns} FROM queue ORDER BY received_us, receipt",
        "SELECT * FROM archive ORDER BY seq",
        "SELECT * FROM content ORDER BY id",
        "SELECT * FROM total ORDER BY content_id",
        "SELECT next_id, open_count, swept_us FROM store",
    )
    return [rows(store, statement) for statement in statements]


class StoreBesideModel(RuleBasedStateMachine):
    """Any mix of calls, on two objects on one file, under a clock that steps both ways."""

    @initialize(span_ms=spans, queue=queues, auto_sweep=st.booleans(), masked=st.booleans())
    def begin(self, span_ms: int, queue: int, auto_sweep: bool, masked: bool) -> None:
        self.stack = contextlib.ExitStack()
        self.path = self.stack.enter_context(folder()) / "log.db"
        self.clock = Clock(NOW_US)
        self.masked = masked
        self.sizes: dict[str, Any] = {"span_ms": span_ms, "queue": queue, "masked": masked}
        # The second object never sweeps by itself: both ways meet in one file.
        self.auto_sweep = [auto_sweep, False]
        self.stores = [
            opened(self.path, self.clock, auto_sweep=auto, **self.sizes) for auto in self.auto_sweep
        ]
        self.model = Model(
            window_ms=T_MS, max_span_ms=span_ms, max_open=queue, mask=took if masked else unmasked
        )

    def record(self, shape: Shape) -> tuple[Record, Record]:
        """The record for the store, and for the model, which knows one name a level."""
        number, anchor, offset_us, tag, alias = shape
        message, level, source = CONTENTS[number]
        message = raw(message, tag) if self.masked else message
        part = self.model.open.get((source, level, self.model.mask(message)[0]))
        at_us: int | None = None
        if anchor is not None:
            near = {"first": part.first_us, "last": part.last_us} if part else {}
            at_us = max(near.get(anchor, self.clock()) + offset_us, 0)
        attributes = None if tag is None else {"tag": tag}
        record = Record(message, level, source, at_us, attributes)
        return record._replace(level=ALIASES[level][alias]), record

    @rule(which=st.integers(0, 1), shape=shapes)
    def log(self, which: int, shape: Shape) -> None:
        given_to_store, record = self.record(shape)
        message, level, source, at_us, attributes = given_to_store
        count = self.stores[which].log(
            message, level=level, source=source, timestamp_us=at_us, attributes=attributes
        )
        assert count == self.model.log(record, self.clock(), auto_sweep=self.auto_sweep[which])

    @rule(
        which=st.integers(0, 1),
        batch=st.lists(shapes, max_size=12),
        token=st.none() | st.tuples(st.sampled_from(("node1", "node2")), st.integers(1, 6)),
    )
    def log_many(self, which: int, batch: list[Shape], token: tuple[str, int] | None) -> None:
        pairs = [self.record(shape) for shape in batch]
        taken = self.stores[which].log_many((record for record, _ in pairs), token=token)
        expected = self.model.log_many(
            [record for _, record in pairs], self.clock(), token=token, auto_sweep=self.auto_sweep[which]
        )
        assert taken == expected

    @rule(which=st.integers(0, 1))
    def sweep(self, which: int) -> None:
        assert self.stores[which].sweep() == self.model.sweep(self.clock())

    @rule(which=st.integers(0, 1), offset_us=st.sampled_from(EDGES_US))
    def sweep_as_if(self, which: int, offset_us: int) -> None:
        now_us = self.clock() + offset_us
        assert self.stores[which].sweep(now_us=now_us) == self.model.sweep(now_us)

    @rule(step_us=st.sampled_from([step for step in EDGES_US if step > 0]))
    def wait(self, step_us: int) -> None:
        self.clock.forward(us=step_us)

    @rule(step_us=st.sampled_from((*EDGES_US, -86_400_000_000, 86_400_000_000)))
    def set_the_clock(self, step_us: int) -> None:
        self.clock.forward(us=step_us)

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        self.stores[which].close()
        self.stores[which] = opened(self.path, self.clock, auto_sweep=self.auto_sweep[which], **self.sizes)

    @invariant()
    def they_hold_the_same_episodes(self) -> None:
        assert shown(self.stores[0]) == self.model.episodes()

    @invariant()
    def they_keep_the_same_numbers(self) -> None:
        numbers = "SELECT id, numbers FROM queue UNION ALL SELECT id, numbers FROM archive"
        found = {number: json.loads(kept) for number, kept in rows(self.stores[0], numbers) if kept}
        assert found == self.model.numbers()

    @invariant()
    def the_archive_grows_in_the_same_order(self) -> None:
        found = [number for (number,) in rows(self.stores[0], "SELECT id FROM archive ORDER BY seq")]
        last_us = {part.id: part.last_us for part in self.model.archive}
        expected = [part.id for part in self.model.archive]
        # A sweep may move rows of one last_us in any order.
        assert [last_us[number] for number in found] == [last_us[number] for number in expected]
        assert sorted(found) == sorted(expected)

    @invariant()
    def every_accepted_record_is_counted_once(self) -> None:
        total = "SELECT (SELECT total(count) FROM queue) + (SELECT total(count) FROM archive)"
        assert rows(self.stores[0], total) == [(self.model.accepted,)]

    @invariant()
    def the_view_log_is_the_sum_of_the_view_episode(self) -> None:
        by_log = "SELECT content_id, count, episodes, first_us, last_us FROM log ORDER BY content_id"
        by_episode = (
            "SELECT content_id, sum(count), count(*), min(first_us), max(last_us) FROM episode "
            "GROUP BY content_id ORDER BY content_id"
        )
        assert rows(self.stores[0], by_log) == rows(self.stores[0], by_episode)

    @invariant()
    def the_shared_counters_are_right(self) -> None:
        counters = "SELECT open_count, next_id FROM store"
        assert rows(self.stores[0], counters) == [(len(self.model.open), len(self.model.episodes()) + 1)]
        for writer in ("node1", "node2"):
            assert self.stores[1].last_sequence(writer) == self.model.tokens.get(writer)

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.stack.close()


def test_a_store_holds_what_the_rules_say_whatever_is_called() -> None:
    """Any mix of logging, batches, sweeps, reopening and clock steps leaves what the model holds."""
    run_state_machine_as_test(
        StoreBesideModel, settings=settings(quickly, max_examples=80, stateful_step_count=30)
    )


def dated(shape: Shape, last_us: int) -> Record:
    number, anchor, offset_us, tag, _ = shape
    message, level, source = CONTENTS[number]
    at_us = None if anchor is None else last_us + offset_us
    return Record(message, level, source, at_us, None if tag is None else {"tag": tag})


def masked_shape(shape: Shape, last_us: int) -> Record:
    record = dated(shape, last_us)
    return record._replace(message=raw(record.message, shape.tag))


def settled(episodes: Iterable[Fields]) -> list[Fields]:
    """Episodes without where they live: all but state and reason."""
    return sorted((fields[1:-2] for fields in episodes), key=repr)


steps = st.lists(
    st.tuples(
        st.sampled_from((0, 1, T_MS // 8, T_MS // 2, T_MS - 1, T_MS, T_MS + 1, 3 * T_MS)),
        st.sampled_from((0, 0, 1, 999)),
        st.integers(0, len(CONTENTS) - 1),
        st.booleans(),
    ),
    max_size=40,
)


@pytest.mark.parametrize("auto_sweep", [False, True])
@given(steps=steps, span_ms=spans)
@settings(quickly, max_examples=40)
def test_sweeps_change_only_where_an_episode_lives(
    auto_sweep: bool, steps: Sequence[tuple[int, int, int, bool]], span_ms: int
) -> None:
    """For records in time order the episodes are the same with no sweep at all and with any sweeps."""
    with folder() as place:
        clock = Clock(NOW_US)
        with (
            opened(place / "never.db", clock, span_ms=span_ms) as never,
            opened(place / "often.db", clock, span_ms=span_ms, auto_sweep=auto_sweep) as often,
        ):
            for wait_ms, wait_us, number, swept in steps:
                clock.forward(ms=wait_ms, us=wait_us)
                if swept:
                    often.sweep()
                message, level, source = CONTENTS[number]
                count = never.log(message, level=level, source=source)
                assert often.log(message, level=level, source=source) == count
            assert {n: f[1:-2] + f[-1:] for n, f in shown(often).items()} == {
                n: f[1:-2] + f[-1:] for n, f in shown(never).items()
            }
            clock.forward(ms=T_MS + 1)
            never.sweep()
            often.sweep()
            assert shown(often) == shown(never)


@given(
    arrivals=st.lists(
        st.tuples(
            st.integers(0, 60),
            st.integers(0, len(CONTENTS) - 1),
            st.sampled_from([edge for edge in EDGES_US if edge >= 0]),
            st.booleans(),
        ),
        max_size=30,
    ),
    span_ms=spans,
)
@settings(quickly, max_examples=50)
def test_sweeps_do_not_cut_an_import_of_old_records(
    arrivals: Sequence[tuple[int, int, int, bool]], span_ms: int
) -> None:
    """Old records in time order, received within T of each other, fold alike with sweeps and without."""
    with folder() as place:
        clock = Clock(NOW_US)
        old_us = [NOW_US - 86_400_000_000] * len(CONTENTS)
        with (
            opened(place / "never.db", clock, span_ms=span_ms) as never,
            opened(place / "often.db", clock, span_ms=span_ms, auto_sweep=True) as often,
        ):
            for wait_ms, number, step_us, swept in arrivals:
                clock.forward(ms=wait_ms)
                if swept:
                    often.sweep()
                old_us[number] += step_us
                message, level, source = CONTENTS[number]
                for store in (never, often):
                    store.log(message, level=level, source=source, timestamp_us=old_us[number])
            assert shown(often) == shown(never)


batches = st.lists(
    st.tuples(st.sampled_from(EDGES_US), st.lists(shapes, max_size=15)), min_size=1, max_size=5
)


@given(batches=batches, span_ms=spans, queue=queues, auto_sweep=st.booleans())
@settings(quickly, max_examples=60)
def test_a_batch_is_its_records(
    batches: Sequence[tuple[int, list[Shape]]], span_ms: int, queue: int, auto_sweep: bool
) -> None:
    """log_many leaves every row as log() does, record by record at one time: ids, seq, order of receipt."""
    with folder() as place:
        clock = Clock(NOW_US)
        options: dict[str, Any] = {"span_ms": span_ms, "queue": queue, "masked": True}
        with (
            opened(place / "one.db", clock, auto_sweep=auto_sweep, **options) as one,
            opened(place / "many.db", clock, auto_sweep=auto_sweep, **options) as many,
        ):
            for step_us, shapes_of_batch in batches:
                clock.forward(us=step_us)
                records = [masked_shape(shape, clock()) for shape in shapes_of_batch]
                for message, level, source, at_us, attributes in records:
                    one.log(message, level=level, source=source, timestamp_us=at_us, attributes=attributes)
                assert many.log_many(records) == len(records)
                assert everything(many) == everything(one)


@given(batch=st.lists(shapes, max_size=25), cuts=st.lists(st.integers(0, 25)), span_ms=spans, queue=queues)
@settings(quickly, max_examples=60)
def test_batches_may_be_cut_anywhere(batch: list[Shape], cuts: list[int], span_ms: int, queue: int) -> None:
    """One list, stored whole or in batches cut anywhere, leaves the same rows."""
    with folder() as place:
        clock = Clock(NOW_US)
        records = [masked_shape(shape, NOW_US) for shape in batch]
        with (
            opened(place / "whole.db", clock, span_ms=span_ms, queue=queue, masked=True) as whole,
            opened(place / "cut.db", clock, span_ms=span_ms, queue=queue, masked=True) as cut,
        ):
            whole.log_many(records)
            for start, end in itertools.pairwise(sorted({0, *cuts, len(records)})):
                cut.log_many(records[start:end])
            assert everything(cut) == everything(whole)


@given(batch=st.lists(shapes, max_size=25), span_ms=spans, data=st.data())
@settings(quickly, max_examples=60)
def test_contents_do_not_touch_each_other(batch: list[Shape], span_ms: int, data: st.DataObject) -> None:
    """Records of several contents fold alike however they are interleaved, each content in its order."""
    with folder() as place:
        clock = Clock(NOW_US)
        order = data.draw(st.permutations(range(len(CONTENTS))))
        records = [dated(shape, NOW_US) for shape in batch]
        keys = [(message, level, source) for message, level, source in CONTENTS]
        grouped = sorted(records, key=lambda r: order.index(keys.index((r.message, str(r.level), r.source))))
        with (
            opened(place / "mixed.db", clock, span_ms=span_ms) as mixed,
            opened(place / "grouped.db", clock, span_ms=span_ms) as apart,
        ):
            mixed.log_many(records)
            apart.log_many(grouped)
            assert settled(shown(apart).values()) == settled(shown(mixed).values())
