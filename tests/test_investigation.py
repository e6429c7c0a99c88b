"""What is new, what changed, how many over time, and several stores as one: against plain Python."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from histories import Part, histories, holding, plain, ranges
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logstore import LogStore
from logstore.errors import InvalidQuery
from logstore.filters import Filter, Order
from logstore.record import SECOND_US, TIME_END_US
from logstore.search.difference import changes
from logstore.search.histogram import MOST_SLICES, edges, good_step_us, slices, until
from logstore.search.question import By, Question, ask
from logstore.search.rows import Row

ORDERS = cast("list[Order]", ["last", "first", "count"])
RUNS = cast("list[By]", ["run", "part"])
KEYS: dict[Order, Callable[[Row], int]] = {
    "last": lambda row: -row.last_us,
    "first": lambda row: row.first_us,
    "count": lambda row: -row.count,
}
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it holds no state


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, to be copied."""
    path = tmp_path_factory.mktemp("blank") / "blank.db"
    LogStore(path, clock_us=lambda: 0).close()
    return path


def contents_of(parts: list[Part], wanted: Callable[[list[Part]], bool]) -> set[int]:
    by_content = {part.content: [p for p in parts if p.content == part.content] for part in parts}
    return {content for content, own in by_content.items() if wanted(own)}


@given(st.data())
@one_folder
def test_the_newest_runs_are_found_without_a_look_at_all(blank: Path, data: st.DataObject) -> None:
    """The short way, which a limit opens, gives what is left of all rows."""
    parts = data.draw(histories())
    by = data.draw(st.sampled_from(RUNS))
    with holding(blank, parts, plain(parts)) as reader:
        every, _ = ask([reader], Question(Filter(), by))
        for limit in range(1, len(every) + 2):
            some, found = ask([reader], Question(Filter(), by, limit=limit))
            assert some == every[:limit]
            assert found == (None if limit < len(every) else len(every))


@given(st.data())
@one_folder
def test_what_is_open_is_found_in_the_queue(blank: Path, data: st.DataObject) -> None:
    """The short way without a range gives what is open of all rows, in every order."""
    parts = data.draw(histories())
    by, order = (
        data.draw(st.sampled_from(RUNS)),
        data.draw(st.sampled_from(ORDERS)),
    )
    with holding(blank, parts, plain(parts)) as reader:
        every, _ = ask([reader], Question(Filter(), by, order))
        found, number = ask([reader], Question(Filter(state="open"), by, order))
    assert found == [each for each in every if each[1].state == "open"]
    assert number == len(found)


@given(st.data())
@one_folder
def test_new_is_what_was_never_seen_before_the_range(blank: Path, data: st.DataObject) -> None:
    """With a duration: what was not seen for so long before it, and that is half open, too."""
    parts = data.draw(histories())
    since_us, until_us = data.draw(ranges(parts))
    quiet_us = data.draw(st.sampled_from([TIME_END_US, 0, 1]) | st.integers(0, max(p.last_us for p in parts)))
    unseen_since_us = max(since_us - quiet_us, 0)
    chosen = Filter.chosen(since_us=since_us, until_us=until_us, unseen_since_us=unseen_since_us)
    with holding(blank, parts, plain(parts)) as reader:
        rows, _ = ask([reader], Question(chosen))
        runs, _ = ask([reader], Question(chosen, "run"))

    def is_new(own: list[Part]) -> bool:
        before = any(part.last_us >= unseen_since_us and part.first_us < since_us for part in own)
        return not before and any(part.touches(since_us, until_us) for part in own)

    assert {row.id for _, row in rows} == contents_of(parts, is_new)
    assert {row.content_id for _, row in runs} == contents_of(parts, is_new)


@given(st.data())
@one_folder
def test_a_histogram_loses_and_doubles_nothing(blank: Path, data: st.DataObject) -> None:
    """Over a range that holds everything its slices add up to the records, by level, and are all there."""
    parts = data.draw(histories())
    levels = {part.content: data.draw(st.integers(0, 7)) for part in parts}
    texts = {content: ("h/p", level, f"m{content}") for content, level in levels.items()}
    end_us = max(part.last_us for part in parts) + 1
    step_us = max(end_us // data.draw(st.integers(1, 50)), 1)
    with holding(blank, parts, texts) as reader:
        chosen = Filter.chosen(since_us=0, until_us=end_us)
        made = slices([reader], chosen, edges(0, end_us, step_us, UTC), step_us)
    assert [(each.since_us, each.until_us) for each in made] == [
        (at, min(at + step_us, end_us)) for at in range(0, end_us, step_us)
    ]
    for level in range(8):
        assert sum(each.counts[level] for each in made) == sum(
            part.count for part in parts if levels[part.content] == level
        )
    for each in made:
        begun = [part for part in parts if each.since_us <= part.first_us < each.until_us]
        assert each.count >= len(begun)


@given(st.data())
@one_folder
def test_slices_of_a_range_are_slices_of_everything(blank: Path, data: st.DataObject) -> None:
    """A range that begins and ends between slices gives the same counts for them, whatever it cuts."""
    parts = data.draw(histories())
    end_us = max(part.last_us for part in parts) + 1
    step_us = max(end_us // data.draw(st.integers(1, 20)), 1)
    borders = [*range(0, end_us, step_us), end_us]
    low = data.draw(st.integers(0, len(borders) - 2))
    high = data.draw(st.integers(low + 1, len(borders) - 1))
    with holding(blank, parts, plain(parts)) as reader:
        every = slices([reader], Filter.chosen(since_us=0, until_us=end_us), borders, step_us)
        chosen = Filter.chosen(since_us=borders[low], until_us=borders[high])
        some = slices([reader], chosen, borders[low : high + 1], step_us)
    assert [(each.since_us, each.counts) for each in some] == [
        (each.since_us, each.counts) for each in every[low:high]
    ]


@pytest.mark.parametrize(
    ("end_us", "expected"),
    [(9, 0), (10, 0), (11, 1), (15, 3), (20, 4), (21, 5)],
)
def test_records_between_the_first_and_the_last_are_spread_evenly(end_us: int, expected: int) -> None:
    """The first stands at 10, the last at 20: both are where they were."""
    assert until(5, 10, 20, end_us) == expected


def test_too_many_slices_are_refused() -> None:
    """With the way out, before any is made."""
    with pytest.raises(InvalidQuery, match="longer --step or a shorter range"):
        edges(0, 10 * MOST_SLICES, 1, UTC)


@pytest.mark.parametrize("hours", [2, 3, 6, 12, 24, 48])
@pytest.mark.parametrize("month", [3, 10])
def test_long_steps_go_by_the_clock_on_the_wall(hours: int, month: int) -> None:
    """Over both changes of the clock, days begin at midnight and halves of them at noon."""
    berlin = ZoneInfo("Europe/Berlin")
    begin, end = (int(datetime(2026, month, day, tzinfo=berlin).timestamp()) for day in (20, 30))
    found = edges(begin * SECOND_US, end * SECOND_US, hours * 3600 * SECOND_US, berlin)
    local = [datetime.fromtimestamp(at_us / SECOND_US, berlin) for at_us in found]
    assert found == sorted(set(found))
    assert all((each.minute, each.hour % hours) == (0, 0) or (month, each.hour) == (3, 3) for each in local)
    assert sum(each.hour == 0 for each in local) == len({each.date() for each in local})


@given(st.integers(1, 10**15))
def test_a_step_that_nobody_chose_makes_a_screen_of_bars(length_us: int) -> None:
    """At most 60; of two or more lengths that would do, the shortest."""
    step_us = good_step_us(length_us)
    assert step_us % SECOND_US == 0
    assert length_us <= 60 * step_us


@given(st.data())
@one_folder
def test_changes_are_new_gone_or_three_times_as_frequent(blank: Path, data: st.DataObject) -> None:
    """Frequent: records in a length of time, as the two ranges may differ in theirs."""
    parts = data.draw(histories())
    first, second = data.draw(ranges(parts)), data.draw(ranges(parts))
    filters = [Filter.chosen(since_us=since_us, until_us=until_us) for since_us, until_us in (first, second)]
    with holding(blank, parts, plain(parts)) as reader:
        found = changes(reader, *filters)

    def inside(content: int, within: tuple[int, int]) -> int:
        return sum(p.inside(*within) for p in parts if p.content == content and p.touches(*within))

    expected = set()
    for content in {part.content for part in parts}:
        was, now = inside(content, first), inside(content, second)
        old, new = was * (second[1] - second[0]), now * (first[1] - first[0])
        change = (
            "new" if now and not was else "gone" if was and not now
            else "more" if was and new >= 3 * old else "less" if now and old >= 3 * new else None
        )  # fmt: skip
        if change:
            expected.add((content, change, was, now))
    assert {(each.row.id, each.change, each.before, each.after) for each in found} == expected


@given(st.data())
@one_folder
def test_several_stores_are_one_timeline(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """All rows of all stores in one order; a limit keeps the best of all."""
    order = data.draw(st.sampled_from(ORDERS))
    limit = data.draw(st.none() | st.integers(1, 6))
    with ExitStack() as opened:
        readers = []
        for _ in range(2):
            path = tmp_path_factory.mktemp("store") / "blank.db"
            LogStore(path, clock_us=lambda: 0).close()
            parts = data.draw(histories())
            readers.append(opened.enter_context(holding(path, parts, plain(parts))))
        together, found = ask(readers, Question(Filter(), order=order, limit=limit))
        apart = [
            (number, row)
            for number, reader in enumerate(readers)
            for _, row in ask([reader], Question(Filter(), order=order))[0]
        ]
    key = KEYS[order]
    assert found == len(apart)
    assert together == sorted(apart, key=lambda each: (key(each[1]), each[0], each[1].id))[:limit]
