"""What writing costs: `log_many` beside a raw append, `log()` beside a bare UPSERT and on a large archive."""

import gc
import hashlib
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench_common import (
    Result,
    Row,
    Sizes,
    check,
    check_total,
    in_turn,
    plain_sqlite,
    progress,
    ratio_row,
    rows_in,
    total_of,
)
from bench_input import numbers, records, text
from bench_stores import archive

from logstore import LogStore, Record, statements

RAW_TABLE: Final = "CREATE TABLE raw (timestamp_us INTEGER, source TEXT, level TEXT, message TEXT)"
RAW_INSERT: Final = "INSERT INTO raw VALUES (?, ?, ?, ?)"
QUEUE_TABLE: Final = re.compile(r"CREATE TABLE queue .*?\) STRICT;|CREATE INDEX queue_.*?;", re.DOTALL)
CALLED: Final = 200  # distinct contents of log(); their first copies are left out

Call = Callable[[], object]


def log_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure a durable `log()` beside a bare UPSERT of the same shape, call by call; then `log_many`."""
    results = [log_calls(folder, sizes.calls) for _ in range(rounds)]
    yield ratio_row("log(), durable, p50, to an UPSERT", "<= 1.3", results, "us")
    yield from log_many_rows(folder, rounds, sizes)
    stored = archive(folder, sizes.huge, sizes.contents)
    results = [log_on_archive(folder, stored, sizes.calls) for _ in range(rounds)]
    yield ratio_row(f"log(), {sizes.huge:,} archived, p50, to none", "<= 1.1", results, "us")


# -- log_many --------------------------------------------------------------------------------------


def log_many_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure `log_many` beside a raw append, with few and with many distinct contents."""
    for distinct, *goals in ((sizes.few, ">= 0.9", ">= 1.2"), (sizes.many, ">= 0.15", "")):
        runs = {
            "peer": partial(append_raw, folder, sizes.records, distinct, sizes.batch),
            "ready": partial(append_ready, folder, sizes.records, distinct, sizes.batch),
            "batches": partial(log_many, folder, sizes.records, distinct, sizes.batch),
            "one call": partial(log_many, folder, sizes.records, distinct, sizes.records),
        }
        what = f"log_many, {distinct:,} distinct"
        results = in_turn(rounds, runs, what)
        for name, goal in zip(("batches", "one call"), goals, strict=True):
            yield ratio_row(f"{what}, {name}", goal, results, "records/s", ours=name)
        name = f"{what}, batches, to rows made beforehand"
        yield ratio_row(name, "", results, "records/s", ours="batches", peer="ready")


def append_raw(folder: Path, count: int, distinct: int, batch: int) -> float:
    """Append the same records to a plain table, without de-duplication. Returns records a second."""
    return _append(folder, batches(records(count, distinct), batch), raw_rows)


def append_ready(folder: Path, count: int, distinct: int, batch: int) -> float:
    """Append the same with rows that were made before. Returns records a second."""
    return _append(folder, batches(raw_rows(records(count, distinct)), batch), lambda part: part)


def raw_rows(part: Sequence[Record]) -> list[tuple[Any, ...]]:
    """Return the rows of records."""
    return [(at_us, source, level, message) for message, level, source, at_us, _ in part]


def _append(folder: Path, parts: Sequence[list[Any]], rows: Callable[[list[Any]], list[Any]]) -> float:
    with (
        tempfile.TemporaryDirectory(dir=folder) as fresh,
        closing(plain_sqlite(Path(fresh) / "raw.db")) as connection,
    ):
        connection.execute(RAW_TABLE)

        def append(part: list[Any]) -> None:
            with connection:
                connection.executemany(RAW_INSERT, rows(part))

        speed = per_second(parts, append)
        check("the plain table", rows_in(connection, "raw"), sum(map(len, parts)))
    return speed


def log_many(folder: Path, count: int, distinct: int, batch: int) -> float:
    """Store the same with logstore. Returns records a second."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        path = Path(fresh) / "log.db"
        with LogStore(path) as store:  # new records: a text hashed once would be quicker the second time
            speed = per_second(batches(records(count, distinct), batch), store.log_many)
        check_total(path, count)
    return speed


def per_second(parts: Sequence[list[Any]], store: Callable[[list[Any]], object]) -> float:
    """Return how many records a second are stored."""
    gc.collect()
    start = time.perf_counter()
    for part in parts:
        store(part)
    return sum(map(len, parts)) / (time.perf_counter() - start)


def batches(everything: list[Any], size: int) -> list[list[Any]]:
    """Cut a list into batches."""
    return [everything[start : start + size] for start in range(0, len(everything), size)]


# -- log -------------------------------------------------------------------------------------------


def log_calls(folder: Path, calls: int) -> Result:
    """Call `log()` and a bare UPSERT in turn. Returns the median of both, in microseconds."""
    progress("log() and an UPSERT, call by call")
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        path = Path(fresh) / "log.db"
        with LogStore(path) as store, closing(plain_sqlite(Path(fresh) / "peer.db")) as peer:
            for statement in QUEUE_TABLE.findall(statements.SCHEMA):
                peer.execute(statement)
            result = call_by_call(
                {
                    "ours": lambda number, _: logging(store, number),
                    "peer": lambda number, order: partial(
                        peer.execute, statements.PUT_OPEN, queue_row(number, order)
                    ),
                },
                calls,
            )
            check("the peer's queue", rows_in(peer, "queue"), CALLED)
        check_total(path, calls + CALLED)
    return result


def log_on_archive(folder: Path, stored: Path, calls: int) -> Result:
    """Call `log()` on a store with an archive and on an empty one in turn. Returns both medians in us."""
    progress("log() on an archive and on an empty store, call by call")
    before = total_of(stored)
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        path = Path(fresh) / "log.db"
        with LogStore(stored) as ours, LogStore(path) as peer:
            result = call_by_call(
                {
                    "ours": lambda number, _: logging(ours, number),
                    "peer": lambda number, _: logging(peer, number),
                },
                calls,
            )
        check_total(path, calls + CALLED)
    check(stored, total_of(stored), before + calls + CALLED)
    return result


def logging(store: LogStore, number: int) -> Call:
    """Return a call of `log()`."""
    return partial(store.log, text(number), source="alfa2/p_web")


def call_by_call(makers: dict[str, Callable[[int, int], Call]], calls: int) -> Result:
    """Make and run the calls in turn, each of the two first as often. Returns medians in microseconds."""
    taken: dict[str, list[int]] = {name: [] for name in makers}
    for order, number in enumerate(numbers(calls + CALLED, CALLED)):
        pair = [(name, maker(number, order)) for name, maker in makers.items()]
        for name, run in pair if order % 2 else reversed(pair):
            start = time.perf_counter_ns()
            run()
            taken[name].append(time.perf_counter_ns() - start)
    return {name: median(each[CALLED:]) / 1000 for name, each in taken.items()}  # first copies left out


def queue_row(number: int, order: int) -> dict[str, Any]:
    """Return a row for sql/put_open.sql, as it is for the record of this order."""
    now_us = time.time_ns() // 1000
    return {
        "content_hash": hashlib.sha256(text(number).encode()).digest(),
        "content_id": number,
        "first_us": now_us - order,
        "last_us": now_us,
        "count": order + 1,
        "gap_min_ms": 0,
        "gap_max_ms": 1000,
        "prior_count": 0,
        "id": number,
        "run_id": number,
        "continues": None,
        "first_text": None,
        "last_text": None,
        "first_attributes": None,
        "last_attributes": None,
        "received_us": now_us,
        "receipt": 1,
        "numbers": None,
    }
