"""Several processes on one file: exact counts under load, kill -9, tokens, fork, waiting for the lock."""

import os
import random
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import apsw
import pytest
from conftest import Forked
from model import NOW_US, Clock

from logstore import LogStore, Record, errors
from logstore.settings import Settings

ROOT: Final = Path(__file__).parent.parent
ENVIRONMENT: Final = os.environ | {"PYTHONPATH": str(ROOT)}

BEGIN: Final = f"""
import itertools, os, sys, threading
from logstore import LogStore, Record
path, *numbers = sys.argv[1:]
numbers = [int(number) for number in numbers]
clock = itertools.count({NOW_US}, 700).__next__  # every look at it, 0.7 ms have gone by
"""

Process = subprocess.Popen[str]


def start(script: str, path: Path, *numbers: int) -> Process:
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + script, str(path), *map(str, numbers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def said(process: Process) -> list[str]:
    """Let a process run to its end, which must be a good one; what it printed."""
    out, complaint = process.communicate("go\n", timeout=100)
    assert (process.returncode, complaint) == (0, "")
    return out.split()


def read(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(path))
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


def assert_sound(path: Path) -> None:
    """Pages, counters and totals agree."""
    assert read(path, "PRAGMA integrity_check") == [("ok",)]
    assert read(path, "SELECT open_count FROM store") == read(path, "SELECT count(*) FROM queue")
    per_content = "SELECT content_id, sum(count), count(*) FROM episode GROUP BY content_id"
    assert read(path, f"{per_content} EXCEPT SELECT content_id, count, episodes FROM log") == []
    assert read(path, "SELECT id FROM episode GROUP BY id HAVING count(*) > 1") == []
    assert read(path, "SELECT count(*) FROM episode WHERE id >= (SELECT next_id FROM store)") == [(0,)]


def stored(path: Path) -> int:
    ((count,),) = read(path, "SELECT coalesce(sum(count), 0) FROM episode")
    return int(count)


# -- many at once --------------------------------------------------------------------------------------

WRITE = """
number, threads, rounds = numbers
store = LogStore(path, clock_us=clock, durability="normal", busy_timeout=60)
def work(name):
    for turn in range(rounds):
        store.log(f"single {turn % 7}")
        store.log_many([Record(f"batch {n % 5}", source=f"{number}/{name}") for n in range(20)])
        store.log_many([Record("token")], token=(f"{number}/{name}", turn // 2 + 1))
workers = [threading.Thread(target=work, args=(name,)) for name in range(threads)]
sys.stdin.readline()
for worker in workers: worker.start()
for worker in workers: worker.join()
store.close()
"""

SWEEP = """
store = LogStore(path, clock_us=clock, durability="normal", busy_timeout=60)
print("ready", flush=True)
moved = 0
while not os.path.exists(path + ".stop"):
    moved += store.sweep()
print(moved)
"""


def test_many_processes_and_threads_count_exactly(path: Path) -> None:
    """Four processes of three threads, with two that only sweep beside them, lose and double nothing."""
    LogStore(path, window=0.02, max_span=0.1, max_open=20).close()
    sweepers = [start(SWEEP, path) for _ in range(2)]
    writers = [start(WRITE, path, number, 3, 40) for number in range(4)]
    for writer in writers:
        assert said(writer) == []
    (path.parent / f"{path.name}.stop").touch()
    for sweeper in sweepers:
        assert said(sweeper)[0] == "ready"

    assert stored(path) == 4 * 3 * 40 * 21 + 4 * 3 * 20
    by_message = Counter(dict(read(path, "SELECT message, sum(count) FROM log GROUP BY message")))
    assert by_message["token"] == 4 * 3 * 20
    assert sum(count for message, count in by_message.items() if message.startswith("single")) == 4 * 3 * 40
    assert [by_message[f"batch {n}"] for n in range(5)] == [4 * 3 * 40 * 4] * 5
    assert_sound(path)


CREATE = """
sys.stdin.readline()
with LogStore(path, clock_us=clock, busy_timeout=60) as store:
    print(store.log("hello"))
"""


def test_ten_processes_create_one_file_at_once(path: Path) -> None:
    """Of ten processes that open a new file at once one creates it, and all ten write to it."""
    processes = [start(CREATE, path) for _ in range(10)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    counts = [int(number) for process in processes for number in said(process)]

    assert sorted(counts) == list(range(1, 11))
    assert read(path, "SELECT count(*) FROM store") == [(1,)]
    assert_sound(path)


# -- kill -9 -------------------------------------------------------------------------------------------

LOG_FOREVER = """
store = LogStore(path, clock_us=clock, busy_timeout=60)
for turn in itertools.count():
    store.log(f"m{turn % 5}", source=str(numbers[0]))
    os.write(1, b"1\\n")
"""

SEND_FOREVER = """
who, sequence = numbers
store = LogStore(path, clock_us=clock, busy_timeout=60)
while True:
    records = [Record(f"m{n % 3}", source=str(who)) for n in range(1 + sequence % 9)]
    store.log_many(records, token=(str(who), sequence))
    os.write(1, b"%d\\n" % sequence)
    sequence += 1
"""

KILLS: Final = 24


def kill_at_random(process: Process, chance: random.Random) -> list[str]:
    """Kill -9 a writer after some of its acknowledgements; all that it had written."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(chance.randrange(1, 40))]
    for _ in range(chance.randrange(20_000)):  # somewhere inside the next one
        pass
    process.kill()
    lines.append(process.stdout.read())  # not communicate(): it would miss what readline() has buffered
    _, complaint = process.communicate()
    assert complaint == ""
    return "".join(lines).split()


def test_kill_9_loses_nothing_that_was_acknowledged(path: Path) -> None:
    """After each kill: acknowledged <= stored <= acknowledged and what was in flight; the file is sound."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    LogStore(path, window=0.01, max_span=0.05, max_open=4).close()
    acknowledged = in_flight = 0
    for _ in range(KILLS // 2):
        pair = [start(LOG_FOREVER, path, number) for number in range(2)]
        for process in pair:
            acknowledged += len(kill_at_random(process, chance))
            in_flight += 1

        assert acknowledged <= stored(path) <= acknowledged + in_flight
    assert_sound(path)
    with LogStore(path) as store:
        assert store.log("after all") == 1


def test_a_batch_sent_again_after_kill_9_counts_once(path: Path) -> None:
    """A writer that sends what was not acknowledged again, under its token, ends with exact counts."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    LogStore(path, window=0.01, max_span=0.05, max_open=4).close()
    sent = [0, 0]
    for turn in range(KILLS):
        who = turn % 2
        acknowledged = kill_at_random(start(SEND_FOREVER, path, who, sent[who] + 1), chance)
        sent[who] = int(acknowledged[-1])
    with LogStore(path, busy_timeout=60) as store:
        for who in range(2):
            sequence = sent[who] + 1
            records = [Record(f"m{n % 3}", source=str(who)) for n in range(1 + sequence % 9)]
            store.log_many(records, token=(str(who), sequence))
            sent[who] = sequence
            assert store.last_sequence(str(who)) == sequence

    expected = [(str(who), sum(1 + sequence % 9 for sequence in range(1, sent[who] + 1))) for who in range(2)]
    assert read(path, "SELECT source, sum(count) FROM episode GROUP BY source ORDER BY source") == expected
    assert_sound(path)


# -- fork ----------------------------------------------------------------------------------------------

READS_OF_A_CHILD = (
    "DEFECT: only transaction() looks at the process id: a child reads on its parent's connection"
)


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda store: store.log("child"), id="log"),
        pytest.param(lambda store: store.log_many([Record("child")]), id="log_many"),
        pytest.param(lambda store: store.sweep(), id="sweep"),
        pytest.param(lambda store: store.configure(Settings(1, 1, 1)), id="configure"),
        *(
            pytest.param(use, id=name)
            for name, use in {
                "episodes": lambda store: next(store.episodes()),
                "last_sequence": lambda store: store.last_sequence("w"),
                "settings": lambda store: store.settings,
                "background": lambda store: store.background(),
            }.items()
        ),
    ],
)
def test_a_forked_child_is_refused(
    store: LogStore, forked: Forked, use: Callable[[LogStore], object]
) -> None:
    """A child that uses its parent's store is StoreClosed, and told to open its own."""
    store.log("m")
    assert re.match("StoreClosed: .*fork.*open it again in the child", forked(lambda: use(store)))


def test_a_fork_harms_neither_parent_nor_file(path: Path, clock: Clock, forked: Forked) -> None:
    """A child may close what it was given and open the file itself; the parent goes on as before."""
    with LogStore(path, clock_us=clock) as store:
        store.log("m")

        def child() -> int:
            store.close()
            with LogStore(path, clock_us=clock) as mine:
                return mine.log("m")

        assert forked(child) == "2"
        assert store.log("m") == 3
        assert [episode.count for episode in store.episodes()] == [3]
    assert_sound(path)


@pytest.mark.parametrize("use", [lambda store: store.log("child"), LogStore.close], ids=["log", "close"])
def test_a_child_forked_while_a_thread_logs_is_refused_and_does_not_hang(
    path: Path, forked: Forked, use: Callable[[LogStore], object]
) -> None:
    """A lock that another thread held at the fork is held for ever in the child: it must not wait for it."""
    inside, leave, clock = threading.Event(), threading.Event(), Clock(NOW_US)
    worker: threading.Thread | None = None

    def slow_clock() -> int:
        if threading.current_thread() is worker:
            inside.set()
            leave.wait(30)
        return clock()

    with LogStore(path, clock_us=slow_clock) as store:
        worker = threading.Thread(target=store.log, args=("m",))
        worker.start()
        assert inside.wait(30)
        answer = forked(lambda: use(store))
        leave.set()
        worker.join()
        assert store.log("m") == 2
    assert answer != "hung"


# -- waiting for the lock ------------------------------------------------------------------------------

HOLD = """
import apsw
connection = apsw.Connection(path)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
connection.close()
"""


def held(path: Path) -> Process:
    process = start(HOLD, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


WRITES: dict[str, Callable[[LogStore], object]] = {
    "log": lambda store: store.log("m"),
    "log_many": lambda store: store.log_many([Record("m")], token=("w", 1)),
    "sweep": lambda store: store.sweep(),
    "configure": lambda store: store.configure(store.settings),
}


def test_a_lock_held_for_too_long_is_store_busy(path: Path, clock: Clock) -> None:
    """After `busy_timeout` each write is StoreBusy, has stored nothing, and works once the lock is free."""
    with LogStore(path, busy_timeout=0.05, clock_us=clock) as store:
        holder = held(path)
        for write in WRITES.values():
            with pytest.raises(errors.StoreBusy, match=f"{re.escape(str(path))}.*0.05 s"):
                write(store)
        assert list(store.episodes()) == []
        said(holder)

        assert [write(store) for write in WRITES.values()] == [1, 1, 0, None]
        assert [episode.count for episode in store.episodes()] == [2]


def test_a_lock_given_back_in_time_is_waited_for(path: Path, clock: Clock) -> None:
    """A write that meets a held lock waits, and succeeds when the lock is given back."""
    with LogStore(path, busy_timeout=60, clock_us=clock) as store:
        holder = held(path)
        counts: list[int] = []
        waiting = threading.Thread(target=lambda: counts.append(store.log("m")))
        waiting.start()
        said(holder)
        waiting.join(60)

        assert counts == [1]


def test_readers_never_wait(path: Path, clock: Clock) -> None:
    """While another process holds the write lock, reading works at once, also on a newly opened store."""
    with LogStore(path, busy_timeout=0, clock_us=clock) as store:
        store.log("m")
        holder = held(path)
        assert [episode.message for episode in store.episodes()] == ["m"]
        assert store.last_sequence("w") is None
        with LogStore(path, busy_timeout=0, readonly=True) as reader:
            assert [episode.message for episode in reader.episodes()] == ["m"]
        said(holder)


def test_a_reader_never_makes_a_writer_wait(path: Path, clock: Clock) -> None:
    """While a reader in another process is in the middle of its rows, writing works at once."""
    script = """
rows = LogStore(path, readonly=True).episodes()
next(rows)
print("reading", flush=True)
sys.stdin.readline()
print(1 + len(list(rows)))
"""
    with LogStore(path, busy_timeout=0, clock_us=clock) as store:
        store.log_many(Record(f"m{number}") for number in range(300))
        reader = start(script, path)
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        assert store.log("m0") == 2
        assert store.log("new") == 1
        assert store.sweep(now_us=NOW_US + 10**12) == 301

        assert said(reader) == ["300"]


def test_a_first_copy_is_seen_by_another_process_at_once(path: Path, clock: Clock) -> None:
    """When log() returns, a reader that has been open all the while finds the record."""
    script = """
store = LogStore(path, readonly=True)
for line in sys.stdin:
    if line == "go\\n": break
    print(sum(e.count for e in store.episodes()), flush=True)
"""
    with LogStore(path, clock_us=clock) as store:
        reader = start(script, path)
        assert reader.stdin is not None
        assert reader.stdout is not None
        for number in range(1, 6):
            store.log("m")
            reader.stdin.write("count\n")
            reader.stdin.flush()
            assert reader.stdout.readline() == f"{number}\n"
        said(reader)
