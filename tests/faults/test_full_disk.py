"""A full disk: each write is a typed error, nothing is lost or doubled, all goes on when there is space."""

import contextlib
import resource
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from full_disk import NO_DISK, T_US, Client, fill, full_disks, small_disk
from history import batch_of
from model import NOW_US, Clock
from processes import Child, expect, folder, in_child, shared, wait_until

from logstore import Episode, LogStore, LogStoreError, Record, errors
from logstore.masks import Rule, RuleSet

SEED = 1

pytestmark = pytest.mark.filterwarnings("ignore:.*nearly full")


@pytest.fixture
def disk() -> Iterator[Path]:
    with small_disk() as found:
        if found is None:
            pytest.skip(NO_DISK)
        yield found


def records_of(store: LogStore) -> int:
    return sum(each.count for each in store.episodes())


def test_writing_goes_on_by_itself_when_there_is_space_again(disk: Path) -> None:
    """Full and not full, ten times over: sums are exact, readers read, and nobody opens anything again."""
    with LogStore(disk / "log.db", clock_us=Clock(NOW_US)) as store:
        client = Client(store)
        for _ in range(10):
            filler = fill(disk)
            client.send_until_refused()
            client.check()
            with LogStore(disk / "log.db", readonly=True) as reader:
                assert records_of(reader) == records_of(store)
            filler.unlink()
            assert client.send()
            client.check()
        assert client.refused.total() == 10


RULE = Rule("it", "it took", "<it>", "it took", "it did", "took")

WRITES: dict[str, Callable[[LogStore, int], object]] = {
    "log": lambda store, number: store.log(f"{number} " + "z" * 9_000),
    "log_many": lambda store, number: store.log_many(
        [Record(f"{number} {n} " + "z" * 300) for n in range(50)]
    ),
    "take": lambda store, number: store.take([Record(f"{number} " + "z" * 9_000)]),
    "save_rules": lambda store, number: store.save_rules(
        RuleSet(f"set-{number}", "masks", (RULE,) * 50), trusted=True
    ),
    "save_line_format": lambda store, number: store.save_line_format(str(number), "(?P<message>.*)" * 500),
}


@pytest.mark.parametrize("name", WRITES)
def test_each_write_on_a_full_disk_is_store_full(disk: Path, name: str) -> None:
    """No write ends in anything but StoreFull, and after it the store is as it was."""
    with LogStore(disk / "log.db", clock_us=Clock(NOW_US), auto_sweep=False) as store:
        client = Client(store)
        client.send()
        fill(disk)
        client.send_until_refused()
        before, number = write_until_full(store, WRITES[name])

        assert list(store.episodes()) == before
        (disk / "filler").unlink()
        assert client.send()
        WRITES[name](store, number)
        client.check()


def write_until_full(store: LogStore, write: Callable[[LogStore, int], object]) -> tuple[list[Episode], int]:
    """Use up what room the log still has. Returns the episodes before the one that failed, and its number."""
    for number in range(300):
        before = list(store.episodes())
        try:
            write(store, number)
        except errors.StoreFull as error:
            assert str(store.path) in str(error)  # noqa: PT017  # what came before it is needed, too
            return before, number
    pytest.fail("300 writes on a full disk")


def test_settings_are_changed_on_a_full_disk_or_kept(disk: Path) -> None:
    """They take no more room than before: each change is there, or refused and not there."""
    with LogStore(disk / "log.db", clock_us=Clock(NOW_US), auto_sweep=False) as store:
        client = Client(store)
        fill(disk)
        client.send_until_refused()
        expected = store.settings
        for number in range(1, 100):
            with client.refusing():
                store.configure(expected._replace(max_open=number))
                expected = expected._replace(max_open=number)
            assert store.settings == expected


def test_a_sweep_works_with_no_byte_free(disk: Path) -> None:
    """The reserve is given up for it: what is due moves, and nothing is lost."""
    clock = Clock(NOW_US)
    with LogStore(disk / "log.db", clock_us=clock, auto_sweep=False) as store:
        client = Client(store)
        store.log_many(Record(f"m{number}", source="queue") for number in range(500))
        client.send()
        fill(disk)
        client.send_until_refused()
        held, opened = records_of(store), sum(1 for _ in store.episodes(state="open"))
        clock.now_us += T_US + 1_000_000

        assert store.sweep() == opened
        assert list(store.episodes(state="open")) == []
        assert records_of(store) == held
        client.check()


def test_a_sweep_with_no_byte_free_waits_for_no_reader(disk: Path) -> None:
    """With a reader that pins the log it moves what fits, or says that there is no room; it does not hang."""
    clock = Clock(NOW_US)
    with LogStore(disk / "log.db", clock_us=clock, auto_sweep=False, busy_timeout=60) as store:
        store.log_many(Record(f"m{number}", source="queue") for number in range(500))
        held = records_of(store)
        with contextlib.closing(store.reader()) as reader:
            reader.hold_snapshot()
            fill(disk)
            clock.now_us += T_US + 1_000_000
            begun = time.monotonic()
            with contextlib.suppress(errors.StoreFull):
                store.sweep()
            assert time.monotonic() - begun < 30
        assert records_of(store) == held


def test_a_store_is_closed_and_opened_on_a_full_disk(disk: Path) -> None:
    """Closing may not be able to copy the log into the file; all that was taken can be read."""
    path = disk / "log.db"
    with LogStore(path, clock_us=Clock(NOW_US)) as store:
        client = Client(store)
        fill(disk)
        client.send_until_refused()
        held = records_of(store)
    fill(disk)
    with LogStore(path, readonly=True) as reader:
        assert records_of(reader) == held
    (disk / "filler").unlink()
    with LogStore(path, clock_us=Clock(NOW_US)) as store:
        assert records_of(store) == held
        again = Client(store)
        assert again.acked == client.acked
        assert again.send()
        again.check()


def test_two_processes_meet_a_full_disk(disk: Path) -> None:
    """Another process is refused alike; what both had stored is there, and both go on."""
    path = disk / "log.db"
    is_open, is_free = shared(1), shared(1)

    def other() -> int:
        warnings.simplefilter("ignore")
        wait_until(lambda: bool(is_open[0]), "the other has opened it")
        with LogStore(path, clock_us=Clock(NOW_US)) as store:
            client = Client(store, "other")
            fill(disk)
            client.send_until_refused()
            client.check()
            is_open[0] = 0
            wait_until(lambda: bool(is_free[0]), "there is space again")
            expect(client.send(), "the next batch taken")
            return client.acked

    with Child(other) as child, LogStore(path, clock_us=Clock(NOW_US)) as store:
        client = Client(store, "first")
        assert client.send()
        is_open[0] = 1
        wait_until(lambda: not is_open[0], "the disk is full")
        client.send_until_refused()
        client.check()
        (disk / "filler").unlink()
        is_free[0] = 1

        assert child.answer() == store.last_sequence("other")
        assert client.send()
        client.check()


def test_the_reserve_lets_a_store_be_opened_with_no_byte_free(disk: Path) -> None:
    """A service that starts on a full disk, or a sweep by hand, needs room for SQLite's -shm first."""
    path, clock = disk / "log.db", Clock(NOW_US)
    with LogStore(path, clock_us=clock, auto_sweep=False) as store:
        store.log_many(Record(f"m{number}") for number in range(200))
    fill(disk)
    clock.now_us += T_US + 1_000_000

    with LogStore(path, clock_us=clock) as store:
        assert store.sweep() == 200


def test_opening_with_no_byte_free_and_no_reserve_is_a_typed_error(disk: Path) -> None:
    """SQLite needs 32 KiB for its -shm: without them it is StoreFull, and reading a file at rest works."""
    path = disk / "log.db"
    with LogStore(path, clock_us=Clock(NOW_US)) as store:
        Client(store).send()
    path.with_name("log.db-reserve").unlink()
    fill(disk)

    with pytest.raises(errors.StoreFull, match=str(path)):
        LogStore(path)
    with LogStore(path, readonly=True) as reader:
        assert records_of(reader) == len(batch_of("w", 1))


@pytest.mark.parametrize("size", [64 * 1024, 256 * 1024, 1024 * 1024])
def test_a_store_is_created_on_a_disk_of_any_size_or_refused(size: int) -> None:
    """Where there is no room for a new store, that is said; with room, the same path works."""
    with small_disk(size) as disk:
        if disk is None:
            pytest.skip(NO_DISK)
        filler = fill(disk)
        with pytest.raises(LogStoreError, match=str(disk)):
            LogStore(disk / "log.db")
        filler.unlink()
        try:
            LogStore(disk / "log.db").close()
        except errors.StoreFull as error:
            assert str(disk) in str(error)  # noqa: PT017  # it is small: either is right


def test_a_database_that_may_not_grow_is_a_full_disk() -> None:
    """max_page_count refuses new pages and nothing else: repeats merge, the sums are exact."""
    with folder() as place, LogStore(place / "log.db", clock_us=Clock(NOW_US), auto_sweep=False) as store:
        client = Client(store)
        client.send()
        (pages,) = store._writing().one("PRAGMA page_count")
        store._writing().rows(f"PRAGMA max_page_count = {pages + 20}")
        client.send_until_refused()
        client.check()
        store._writing().rows("PRAGMA max_page_count = 100000")
        assert client.send()
        client.check()


def write_with_a_limit(path: Path) -> tuple[int, int]:
    """Write until the kernel refuses, then without the limit. Returns the last sequence before and after."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with LogStore(path, clock_us=Clock(NOW_US)) as store:
        client = Client(store)
        soft = path.stat().st_size + 400_000
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))
        try:
            client.send_until_refused()
        except errors.StoreUnavailable as error:  # the disk itself is not full
            expect(str(path) in str(error), "the file in it")
        client.check()
        before = client.acked
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        expect(client.send(), "a batch taken without the limit")
        client.check()
        return before, client.acked


def test_a_process_that_may_write_no_more_is_told_so() -> None:
    """RLIMIT_FSIZE: its writes fail with an error of ours; the file, and other processes, are unharmed."""
    with folder() as place:
        path = place / "log.db"
        with LogStore(path, clock_us=Clock(NOW_US)) as store:
            Client(store).send()

        before, after = in_child(partial(write_with_a_limit, path))

        assert 1 < before < after
        with LogStore(path, clock_us=Clock(NOW_US)) as store:
            client = Client(store)
            assert client.acked == after
            client.check()
            assert client.send()


def test_any_sequence_of_full_and_not_full() -> None:
    """Histories of filling, freeing, writing and sweeping: what was taken is there, the rest is StoreFull."""
    figures = full_disks(60, SEED)
    if not figures:
        pytest.skip(NO_DISK)

    assert figures["histories"] == 60
    assert figures["StoreFull"] > 100
    assert figures["went on"] > 40
