"""Clocks that step, stand still or disagree: the short form, and the cases one by one."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clocks import HOUR_US, S_US, YEAR_US, clocks_that_step
from model import NOW_US, Clock
from processes import folder

from logstore import LogStore, Record, errors
from logstore.record import TIME_END_US

SEED = 1


@pytest.fixture
def path() -> Iterator[Path]:
    with folder() as place:
        yield place / "log.db"


def test_two_writers_whose_clocks_step_are_as_the_model_says() -> None:
    """Each history ends with exactly the episodes that the rules give for what the clocks said."""
    assert clocks_that_step(200, SEED)["records"] > 5_000


@pytest.mark.parametrize("step_us", [-YEAR_US, -HOUR_US, -S_US, S_US, HOUR_US, YEAR_US])
def test_a_step_splits_an_episode_once_at_most(path: Path, step_us: int) -> None:
    """Fifty contents, a record of each every minute, one step in the middle: two episodes each at most."""
    clock = Clock(NOW_US)
    with LogStore(path, clock_us=clock, max_span=0) as store:
        for minute in range(20):
            store.log_many(Record(f"m{number}") for number in range(50))
            clock.forward(s=60, us=step_us if minute == 10 else 0)
            store.sweep()
        episodes = list(store.episodes())

    assert sum(each.count for each in episodes) == 20 * 50
    assert len(episodes) <= 2 * 50


def test_a_clock_that_stands_still_merges_all_and_moves_nothing(path: Path) -> None:
    """A frozen clock: each content is one episode of no length, and no sweep finds it due."""
    with LogStore(path, clock_us=Clock(NOW_US)) as store:
        for _ in range(100):
            store.log_many([Record("a"), Record("b")])
            assert store.sweep() == 0

        assert [(each.count, each.first_us, each.last_us) for each in store.episodes()] == [
            (100, NOW_US, NOW_US)
        ] * 2


@pytest.mark.parametrize("step_us", [-YEAR_US, -HOUR_US, HOUR_US, YEAR_US])
def test_a_clock_that_steps_inside_a_sweep_moves_each_once(path: Path, step_us: int) -> None:
    """A sweep of thousands looks at the clock in each of its steps; each row is moved once or not at all."""
    chance = random.Random(SEED)
    clock = Clock(NOW_US)
    looks = 0

    def stepping() -> int:
        nonlocal looks
        looks += 1
        return clock.now_us + (step_us if looks > 3 and chance.random() < 0.5 else 0)

    with LogStore(path, clock_us=clock, auto_sweep=False, durability="normal") as store:
        for part in range(5):
            store.log_many(Record(f"{part}/{number}") for number in range(700))
            clock.forward(s=40)
        store._clock_us = stepping
        moved = store.sweep() + store.sweep()
        store._clock_us = clock
        closed = sum(1 for _ in store.episodes(state="closed"))

        assert moved == closed
        assert sum(each.count for each in store.episodes()) == 3_500
        assert sum(1 for _ in store.episodes()) == 3_500
        with store.reader() as reader:
            assert reader.rows("SELECT open_count FROM store") == [(3_500 - closed,)]


def unfolded_by(path: Path, skew_us: int, work: Callable[[LogStore], object]) -> int:
    """How many episodes 20 contents become in an hour, while another writer's clock is so far off."""
    right, wrong = Clock(NOW_US), Clock(NOW_US + skew_us)
    with (
        LogStore(path, clock_us=right, max_span=0, durability="normal") as store,
        LogStore(path, clock_us=wrong, durability="normal") as other,
    ):
        for _ in range(60):
            store.log_many(Record(f"m{number}", source="right") for number in range(20))
            work(other)
            right.forward(s=60)
            wrong.forward(s=60)
        episodes = list(store.episodes(source="right"))
    assert sum(each.count for each in episodes) == 60 * 20
    return len(episodes)


def log_and_sweep(store: LogStore) -> None:
    store.log("other", source="wrong")
    store.sweep()


@pytest.mark.parametrize("skew_us", [-YEAR_US, -HOUR_US, -100 * S_US, 0, 100 * S_US])
def test_a_writer_behind_or_a_little_ahead_changes_nothing_for_others(path: Path, skew_us: int) -> None:
    """Within T ahead, or behind by anything, another clock splits no episode."""
    assert unfolded_by(path, skew_us, log_and_sweep) == 20


WRITES: tuple[Callable[[LogStore], object], ...] = (
    lambda store: store.log("m"),
    lambda store: store.log_many([Record("m")] * 3),
    LogStore.sweep,
)


@pytest.mark.parametrize("now_us", [-1, TIME_END_US, 1 << 63, -(1 << 63)])
def test_a_clock_that_gives_no_time_stores_nothing(path: Path, now_us: int) -> None:
    """A write at a time outside 1970 to 9999 is refused whole, and the next one, in time, is taken."""
    clock = Clock(NOW_US)
    with LogStore(path, clock_us=clock) as store:
        store.log("m")
        clock.now_us = now_us
        for write in WRITES:
            with pytest.raises(errors.InvalidRecord, match="clock"):
                write(store)
        clock.now_us = NOW_US
        assert store.log("m") == 2
