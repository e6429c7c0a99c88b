"""What several processes and threads that write one file achieve together, beside one that is alone."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Final, NamedTuple

from bench_common import Result, Row, Sizes, check_total, progress, ratio_row
from bench_input import record

from logstore import LogStore, Record

PROCESSES: Final = 4
THREADS: Final = 2
BATCH: Final = 50
TEAM: Final = f"{PROCESSES} processes x {THREADS} threads"
PATIENCE_S: Final = 600
UNLIMITED: Final = 1 << 60

_barriers: Final[list[Barrier]] = []  # of a child: where its tasks wait for those of the others


class Work(NamedTuple):
    """What each thread does: batches until it has stored enough, or the time is over."""

    path: Path
    batch: int  # 1: calls of log()
    records: int
    seconds: float
    distinct: int  # contents


class Done(NamedTuple):
    """What a process did: records stored, and when it began and ended (time.monotonic)."""

    records: int
    began: float
    ended: float


def processes_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure so many records stored by all and by one alone; then who gets how much in a fixed time."""
    with team() as pool:
        for kind, batch, records in (
            (f"batches of {BATCH}", BATCH, sizes.shared),
            ("single log()", 1, sizes.shared_calls),
        ):
            work = partial(Work, batch=batch, distinct=sizes.few)
            results, shares = list[Result](), list[list[int]]()
            for order in range(rounds):
                progress(f"{TEAM}, {kind}, round {order + 1} of {rounds}")
                results.append(at_work(pool, folder, partial(work, seconds=PATIENCE_S), records))
                timed = partial(work, records=UNLIMITED, seconds=sizes.seconds)
                shares.append(sorted(done.records for done in run(pool, folder, timed)))
            yield ratio_row(f"{TEAM}, {kind}, to one alone", ">= 0.8", results, "records/s")
            yield share_row(f"{TEAM}, {kind}, least to most in {sizes.seconds:g} s", shares)


def team() -> ProcessPoolExecutor:
    """Return the processes."""
    spawn = get_context("spawn")
    return ProcessPoolExecutor(PROCESSES, spawn, _remember, (spawn.Barrier(PROCESSES),))


def at_work(pool: ProcessPoolExecutor, folder: Path, work: Callable[..., Work], records: int) -> Result:
    """Store so many records by one alone and by all. Returns the records a second of both."""
    each = records // (PROCESSES * THREADS)
    alone = run(pool, folder, partial(work, records=each * PROCESSES * THREADS), processes=1, threads=1)
    ours = run(pool, folder, partial(work, records=each))
    return {"ours": per_second(ours), "peer": per_second(alone)}


def share_row(name: str, shares: Sequence[Sequence[int]]) -> Row:
    """Say how fair it was; beside it what each process stored in the least fair round."""
    figures = [least / most for least, *_, most in shares]
    worst = shares[figures.index(min(figures))]
    return Row(name, ">= 0.5", figures, " ".join(map(str, worst)), "-")


def per_second(everyone: Sequence[Done]) -> float:
    """Return the records a second from when the first began until the last ended."""
    seconds = max(done.ended for done in everyone) - min(done.began for done in everyone)
    return sum(done.records for done in everyone) / seconds


def run(
    pool: ProcessPoolExecutor,
    folder: Path,
    work: Callable[..., Work],
    *,
    processes: int = PROCESSES,
    threads: int = THREADS,
) -> list[Done]:
    """Let so many write one new store, all from the same moment, and see that all is there."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        path = Path(fresh) / "log.db"
        LogStore(path).close()
        at_once = processes == PROCESSES
        waiting = [pool.submit(write, work(path), threads, at_once=at_once) for _ in range(processes)]
        done = [each.result() for each in waiting]
        check_total(path, sum(each.records for each in done))
    return done


def _remember(barrier: Barrier) -> None:
    _barriers.append(barrier)  # a task cannot carry it


def write(work: Work, threads: int, *, at_once: bool) -> Done:
    """Write with several threads that share a store, at once with every other process, or alone."""
    with LogStore(work.path) as store, ThreadPoolExecutor(threads) as pool:
        if at_once:
            _barriers[0].wait(PATIENCE_S)
        began = time.monotonic()
        stored = pool.map(partial(write_batches, store, work, began + work.seconds), range(threads))
        return Done(sum(stored), began, time.monotonic())


def write_batches(store: LogStore, work: Work, end: float, _thread: int) -> int:
    """Store batch after batch. Returns how many records."""
    stored = 0
    while stored < work.records and time.monotonic() < end:
        part = [made(work, stored + order) for order in range(work.batch)]
        if work.batch == 1:
            store.log(part[0].message, source=part[0].source)
        else:
            store.log_many(part)
        stored += work.batch
    return stored


def made(work: Work, order: int) -> Record:
    """Return a record of now."""
    return record(order, order * 7919 % work.distinct)._replace(timestamp_us=None)
