"""Many writers at once, a sweeper and a long reader beside them: the short form."""

from contention import MOST_TO_LEAST, contend, created_at_once
from processes import folder

from logstore import LogStore, Record

WAL_LIMIT = 64 * 1024 * 1024


def test_eight_processes_of_four_threads_write_evenly_and_exactly() -> None:
    """Nobody is StoreBusy, each batch is there once, and no process writes twice as much as another."""
    found = contend(8)
    print(found)  # the longest waits are figures of this machine

    assert found.ratio <= MOST_TO_LEAST
    assert found.longest_ms < 10_000


def test_a_store_is_created_by_four_processes_at_once() -> None:
    """One of them makes it, and none of them is StoreBusy before its time."""
    assert created_at_once(100, 1) == 100


def test_a_log_that_grew_under_a_reader_shrinks_with_the_first_sweep_after_it() -> None:
    """A reader pins the write-ahead log; one sweep after it has gone brings that back to its limit."""
    with folder() as place, LogStore(place / "log.db") as store:
        wal = place / "log.db-wal"
        store.log_many([Record("a"), Record("b")])
        rows = store.episodes()
        next(rows)
        for number in range(40):
            store.log_many([Record(f"{number} " + "x" * 2_000_000)])
        store.sweep()
        assert wal.stat().st_size > WAL_LIMIT

        list(rows)
        store.sweep()
        store.log("a")

        assert wal.stat().st_size <= WAL_LIMIT
