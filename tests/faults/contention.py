"""Eight processes of four threads on one file, with a sweeper and a long reader beside them."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from campaign import Campaign, Tell, silent
from history import Promise, batch_of, check_writers
from processes import Child, Numbers, expect, folder, shared, told, wait_until

from logstore import LogStore

PROCESSES: Final = 8
THREADS: Final = 4
CREATORS: Final = 4
BEAT: Final = 4  # after so many batches comes a single record that all writers share
READER_HOLDS_S: Final = 3.0
MOST_TO_LEAST: Final = 2
STRETCH_S: Final = 60

GO: Final = 0
STOP: Final = 1
READY: Final = 2


class Waited(NamedTuple):
    """How long the calls of a process took, in milliseconds, and how many each of its threads made."""

    calls: list[int]
    longest_ms: float
    p99_ms: float


class Contention(NamedTuple):
    """What came of a run."""

    calls: int
    least: int
    most: int
    longest_ms: float
    p99_ms: float
    longest_sweep_ms: float
    longest_look_ms: float
    most_wal: int

    @property
    def ratio(self) -> float:
        """How much more the busiest process wrote than the least busy one."""
        return self.most / max(self.least, 1)


def contend(seconds: float) -> Contention:
    """Write from everywhere for so long. Raises Broken for a StoreBusy, a wrong sum or a WAL that stays."""
    with folder() as place, told(f"{seconds:g} s of contention"):
        path = place / "log.db"
        LogStore(path, window=0.5, max_span=5.0, max_open=500).close()
        signals = shared(READY + PROCESSES + 2)
        works = [partial(_write, path, number, signals) for number in range(PROCESSES)]
        with (
            Child(partial(_sweep, path, signals), seconds=_limit(seconds)) as sweeper,
            Child(partial(_read, path, signals), seconds=_limit(seconds)) as reader,
        ):
            children = [Child(work, seconds=_limit(seconds)) for work in works]
            try:
                most_wal = _watch(path, signals, seconds)
                waited = [Waited(*child.answer()) for child in children]
                longest_sweep_ms, longest_look_ms = sweeper.answer(), reader.answer()
            finally:
                for child in children:
                    child.__exit__()
        _check_sums(path, waited)
    by_process = [sum(each.calls) for each in waited]
    return Contention(
        sum(by_process),
        min(by_process),
        max(by_process),
        max(each.longest_ms for each in waited),
        max(each.p99_ms for each in waited),
        longest_sweep_ms,
        longest_look_ms,
        most_wal,
    )


def _limit(seconds: float) -> int:
    return int(seconds) + 60


def _watch(path: Path, signals: Numbers, seconds: float) -> int:
    """Let all begin at once, and stop. Returns how large the write-ahead log became."""
    wait_until(lambda: all(signals[READY:]), "all are ready")
    signals[GO] = 1
    wal, most = path.with_name(f"{path.name}-wal"), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.05)
        most = max(most, wal.stat().st_size)
    signals[STOP] = 1
    return most


def _write(path: Path, process: int, signals: Numbers) -> Waited:
    """Write with several threads on one store."""
    times_ms: list[list[float]] = [[] for _ in range(THREADS)]
    with LogStore(path, busy_timeout=60) as store:
        with ThreadPoolExecutor(THREADS) as pool:
            writers = [
                pool.submit(_write_as, store, f"{process}/{number}", signals, times_ms[number])
                for number in range(THREADS)
            ]
            signals[READY + process] = 1
        for writer in writers:
            writer.result()  # raises what it raised
    every = sorted(time_ms for each in times_ms for time_ms in each)
    return Waited([len(each) for each in times_ms], every[-1], every[len(every) * 99 // 100])


def _write_as(store: LogStore, name: str, signals: Numbers, times_ms: list[float]) -> None:
    """Send batch after batch, and note how long each took."""
    while not signals[GO]:
        time.sleep(0.001)
    while not signals[STOP]:
        sequence = len(times_ms) + 1
        batch = batch_of(name, sequence)
        begin = time.monotonic()
        store.log_many(batch, token=(name, sequence))
        times_ms.append(1000 * (time.monotonic() - begin))
        if sequence % BEAT == 0:
            store.log("still there", source="beat")


def _sweep(path: Path, signals: Numbers) -> float:
    """Sweep every 50 ms. Returns how long the longest took, in milliseconds."""
    longest = 0.0
    with LogStore(path, busy_timeout=60) as store:
        signals[READY + PROCESSES] = 1
        while not signals[STOP]:
            begin = time.monotonic()
            store.sweep()
            longest = max(longest, time.monotonic() - begin)
            time.sleep(0.05)
    return 1000 * longest


def _read(path: Path, signals: Numbers) -> float:
    """Hold one snapshot after the other for seconds. Returns the longest wait for a first row."""
    longest = 0.0
    with LogStore(path, readonly=True, busy_timeout=60) as store:
        signals[READY + PROCESSES + 1] = 1
        while not signals[STOP]:
            begin = time.monotonic()
            rows = store.episodes()
            next(rows, None)
            longest = max(longest, time.monotonic() - begin)
            while time.monotonic() < begin + READER_HOLDS_S and not signals[STOP]:
                time.sleep(0.01)
            rows.close()  # type: ignore[attr-defined]  # a generator
            time.sleep(0.2)
    return 1000 * longest


def _check_sums(path: Path, waited: list[Waited]) -> None:
    promises = [
        Promise(f"{process}/{thread}", calls, calls)
        for process, each in enumerate(waited)
        for thread, calls in enumerate(each.calls)
    ]
    with LogStore(path) as store:
        check_writers(store, promises, thorough=True)
        beats = sum(each.count for each in store.episodes(source="beat"))
        expected = sum(calls // BEAT for each in waited for calls in each.calls)
        expect(beats == expected, f"{expected} single records, not {beats}")


def contended(seconds: int, _seed: int, tell: Tell = silent) -> int:
    """Contend for so many seconds. Raises Broken if one process writes more than twice what another does."""
    done = 0
    while done < seconds:
        run = min(STRETCH_S, seconds - done)
        found = contend(run)
        expect(found.ratio <= MOST_TO_LEAST, f"least to most at most 1:{MOST_TO_LEAST}, not {found}")
        done += run
        tell(done)
    return done


# -- all at the beginning -------------------------------------------------------------------------------


def created_at_once(races: int, _seed: int, tell: Tell = silent) -> int:
    """Let four processes create one file at the same time, so often. Raises Broken if one of them cannot."""
    with folder() as place:
        for race in range(races):
            go = shared(1)
            children = [Child(partial(_create, place / "log.db", go)) for _ in range(CREATORS)]
            go[0] = 1
            with told(f"race {race}"):
                try:
                    counts = sorted(child.answer() for child in children)
                finally:
                    for child in children:
                        child.__exit__()
                expect(counts == list(range(1, CREATORS + 1)), f"one store, not {counts}")
            for file in place.iterdir():
                file.unlink()
            tell(race + 1)
    return races


def _create(path: Path, go: Numbers) -> int:
    while not go[0]:
        pass
    with LogStore(path, busy_timeout=30) as store:
        return store.log("created")


CAMPAIGNS: Final = (
    Campaign(
        "contention",
        "8 processes of 4 threads, a sweeper and a reader that holds snapshots; a round is a second",
        10,
        600,
        contended,
    ),
    Campaign(
        "creation",
        "4 processes create one file at the same time; a round is a file",
        100,
        10_000,
        created_at_once,
    ),
)
