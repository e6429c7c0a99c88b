"""The life of a content: beats and silences against a model; what is near; nothing walks what grows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from math import floor
from pathlib import Path
from typing import Any, Final

import apsw
import pytest
from conftest import Shell
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model import NOW_US

from logstore import LogStore, Record, statements
from logstore.database import Connection, open_reader
from logstore.search.life import (
    beat_ms,
    describe,
    find_run,
    lived,
    longest_silence,
    mean_gap_ms,
    missed,
    near,
    numbers_behind,
    numbers_of_run,
    run_before,
    runs_of,
)
from logstore.search.rows import Part, joined

SECOND: Final = 1_000_000
one_folder = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def at(second: float) -> int:
    return NOW_US + round(second * SECOND)


def part(times_s: list[float], number: int = 1) -> Part:
    """An episode as it would be stored of records at these times, in order."""
    times_us = [at(second) for second in times_s]
    gaps = [after // 1000 - before // 1000 for before, after in pairwise(times_us)]
    return Part(
        *(1, number, "closed", times_us[0], times_us[-1], len(times_us), "info", "h/p", "m"),
        *(min(gaps, default=None), max(gaps, default=None), "m", "m", "gap", None, None),
    )


def half_up(number: Fraction) -> int:
    return floor(number + Fraction(1, 2))


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    with open_reader(path, busy_timeout=1.0) as connection:
        yield connection


@contextmanager
def stored(path: Path, records: list[Record], **options: Any) -> Iterator[Connection]:
    """A new store of these records, open for reading."""
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    with LogStore(path, clock_us=lambda: NOW_US, auto_sweep=False, **options) as store:
        for record in records:
            store.log_many([record])
        with reading(path) as connection:
            yield connection


# -- beats and silences ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "given_", "expected"),
    [
        ("four records, all gaps alike", (3000, 4, 1000, 1000), 1000),
        ("three records say nothing", (2000, 3, 1000, 1000), None),
        ("the largest gap is left out", (92_000, 4, 1000, 90_000), 1000),
        ("a mean of exactly twice the smallest is regular", (12_000, 5, 1000, 6000), 2000),
        ("a mean of more than that is not", (12_003, 5, 1000, 6000), None),
        ("halves are rounded up", (2001 + 9000, 4, 1000, 9000), 1001),
        ("records at one time have no beat", (0, 9, 0, 0), None),
        ("bursts have none", (60_000, 9, 0, 30_000), None),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "",
)
def test_what_repeats_regularly_has_a_beat(
    why: str, given_: tuple[int, int, int, int], expected: int | None
) -> None:
    assert beat_ms(*given_) == expected


@pytest.mark.parametrize(
    ("length", "beat", "expected"),
    [(1000, 1000, 0), (1499, 1000, 0), (1500, 1000, 1), (2499, 1000, 1), (2500, 1000, 2), (1, 1000, 0)],
)
def test_a_beat_is_missed_from_one_and_a_half_of_it(length: int, beat: int, expected: int) -> None:
    assert missed(length, beat) == expected
    assert missed(length, None) == 0


@settings(deadline=None)
@given(
    beat=st.integers(1, 20),
    before=st.integers(2, 20),
    hole=st.integers(1, 40),
    after=st.integers(2, 20),
)
def test_one_hole_in_a_steady_beat_is_counted_exactly(beat: int, before: int, hole: int, after: int) -> None:
    """Its length is known, and how many beats are missing, but not when: unless it lies between runs."""
    early = [float(n * beat) for n in range(before + 1)]
    late = [early[-1] + (hole + 1 + n) * beat for n in range(after + 1)]

    (run,) = lived([[part(early + late)]], [])

    assert run.beat_ms == beat * 1000
    assert (run.missed_inside, run.missed_before) == (hole, 0)
    assert longest_silence([run]) == (run, run.inside[0])
    assert (run.inside[0].length_ms, run.inside[0].since_us) == ((hole + 1) * beat * 1000, None)

    if before >= 3:
        first, second = lived([[part(late, 2)], [part(early)]], [])

        assert (first.missed_before, second.missed_before, second.missed_inside) == (0, hole, 0)
        found = longest_silence([first, second])
        assert found is not None
        assert found[1] == second.before
        assert (found[1].since_us, found[1].until_us) == (at(early[-1]), at(late[0]))
        assert second.before == lived([[part(late, 2)]], [part(early)])[0].before


moments = st.lists(st.integers(0, 200_000).map(lambda ms: ms / 1000), min_size=1, max_size=9).map(sorted)


@settings(deadline=None)
@given(pieces=st.lists(moments, min_size=1, max_size=4))
def test_a_run_of_parts_is_measured_by_all_gaps_that_are_known(pieces: list[list[float]]) -> None:
    """Of each part the smallest and the largest, and those between the parts."""
    shifted, end = [], 0.0
    for piece in pieces:
        shifted.append([end + 0.001 + second for second in piece])
        end = shifted[-1][-1]
    parts = [part(piece, number) for number, piece in enumerate(shifted, 1)]
    every = [[at(second) // 1000 for second in piece] for piece in shifted]
    inner = [[after - before for before, after in pairwise(piece)] for piece in every]
    seams = [after[0] - before[-1] for before, after in pairwise(every)]
    largest = [max(gaps) for gaps in inner if gaps] + seams
    smallest = [min(gaps) for gaps in inner if gaps] + seams
    times = [moment for piece in every for moment in piece]
    span, count = times[-1] - times[0], len(times)
    beat = None
    if count >= 4:
        mean = half_up(Fraction(span - max(largest), count - 2))
        beat = mean if 0 < mean <= 2 * min(smallest) else None

    (run,) = lived([parts], [])

    assert run.beat_ms == beat
    assert sorted(silence.length_ms for silence in run.inside) == sorted(largest)
    assert run.missed_inside == (
        sum(max(half_up(Fraction(gap, beat)) - 1, 0) for gap in largest) if beat else 0
    )
    known = [s for s in run.inside if s.since_us is not None]
    assert len(known) == len(seams) + sum(len(piece) == 2 for piece in pieces)
    whole_us = at(shifted[-1][-1]) - at(shifted[0][0])
    assert run.gap_mean_ms == (half_up(Fraction(whole_us, 1000 * (count - 1))) if count > 1 else None)


def test_runs_that_overlap_were_not_silent_between() -> None:
    """A late record can begin a run before another one ends."""
    long, short, last = part([0, 100], 1), part([40, 50], 2), part([160], 3)

    runs = lived([[short], [long], [last]], [])

    assert [run.row.id for run in runs] == [1, 2, 3]
    assert runs[1].before is None
    assert runs[2].before is not None
    assert (runs[2].before.since_us, runs[2].before.until_us) == (at(100), at(160))


def test_a_silence_after_what_has_no_beat_is_measured_by_what_follows() -> None:
    once, steady = part([0]), part([100, 110, 120, 130, 140], 2)

    assert [run.missed_before for run in lived([[once], [steady]], [])] == [0, 9]
    assert longest_silence(lived([[once]], [])) is None


# -- the statements ----------------------------------------------------------------------------------

OF_EPISODES = """
SELECT source, level_name, message, content_hash, count(*), sum(count), min(first_us), max(last_us),
    max(state = 'open'), min(gap_min_ms), max(gap_max_ms)
FROM episode WHERE content_id = ? GROUP BY content_id
"""
histories = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3000)), min_size=1, max_size=25)


@one_folder
@given(history=histories, rate=st.sampled_from([50, 300]))
def test_a_content_is_described_as_its_episodes_are(
    history: list[tuple[str, int]], rate: int, path: Path
) -> None:
    """Totals and the open episode give what all episodes would, in any order of arrival; means, too."""
    records = [Record(name, "info", "h/p", at(second)) for name, second in history]
    with stored(path, records, window=float(rate), max_span=300.0) as connection:
        for content_id in range(1, 1 + len({name for name, _ in history})):
            (expected,) = connection.rows(OF_EPISODES, (content_id,))
            found = describe(connection, content_id)
            assert found is not None
            assert expected == tuple(getattr(found, name) for name in found.__slots__)
            spans = connection.rows(
                "SELECT last_us - first_us, count - 1 FROM episode WHERE content_id = ?", (content_id,)
            )
            gaps = sum(count for _, count in spans)
            mean = half_up(Fraction(sum(span for span, _ in spans), 1000 * gaps)) if gaps else None
            assert mean_gap_ms(connection, content_id, -1) == mean
        assert describe(connection, 99) is None


@one_folder
@given(history=histories)
def test_the_run_before_is_the_one_heard_last(history: list[tuple[str, int]], path: Path) -> None:
    """Whatever order the records came in: of the runs begun before it, the one with the latest end."""
    records = [Record("a", "info", "h/p", at(second)) for _, second in history]
    with stored(path, records, window=50.0, max_span=100.0) as connection:
        rows = [joined(run) for run in runs_of(connection, 1, 1000)]
        assert sum(row.count for row in rows) == len(history)
        for row in rows:
            ended = connection.rows("SELECT max(last_us) FROM episode WHERE first_us < ?", (row.first_us,))[
                0
            ][0]
            earlier = run_before(connection, 1, row.first_us)
            assert (max(p.last_us for p in earlier) if earlier else None) == ended or any(
                p.last_us == ended for p in earlier
            )


def test_numbers_are_of_the_newest_episodes_or_of_one_run(path: Path) -> None:
    records = [
        Record(f"p_web start (execution time {number}ms)", "info", "h/p", at(1000 * number))
        for number in range(1, 11)
    ]
    with stored(path, records, masks="cluster") as connection:
        (only,) = connection.rows("SELECT DISTINCT message FROM content")
        assert "<num>" in only[0]
        assert [(f.smallest, f.largest, f.last, f.numbers) for f in numbers_behind(connection, 1, -1)] == [
            (1, 10, 10, 10)
        ]
        assert [(f.smallest, f.largest, f.last, f.numbers) for f in numbers_behind(connection, 1, 3)] == [
            (8, 10, 10, 3)
        ]
        for run in runs_of(connection, 1, 99):
            found = find_run(connection, run[0].id)
            assert found is not None
            assert [f.numbers for f in numbers_of_run(connection, found[1], run)] == [1]


# -- near --------------------------------------------------------------------------------------------


def test_near_are_other_runs_that_began_within_the_radius(path: Path) -> None:
    """Both ends belong to it; what only went on there, and the content itself, do not."""
    times = {"at -30": -30, "at +30": 30, "before": -30.000001, "after": 30.000001, "at once": 0}
    records = [Record(name, "info", "h/p", at(1000 + second)) for name, second in times.items()]
    records += [Record("long", "info", "h/p", at(second)) for second in range(580, 1300, 100)]  # in parts
    records += [Record("itself", "info", "h/p", at(second)) for second in (1000, 1029)]
    with stored(path, records, window=100.0, max_span=150.0) as connection:
        (own,) = connection.rows("SELECT id FROM content WHERE message = 'itself'")
        assert connection.rows(
            "SELECT 1 FROM episode WHERE continues AND abs(first_us - ?) < 3e7", (at(1000),)
        )

        found = near(connection, own[0], at(1000), 30 * SECOND, 50)

        assert [row.message for row in found.rows] == ["at -30", "at once", "at +30"]
        assert found.found == 3
        assert near(connection, own[0], at(9000), 30 * SECOND, 50) == ([], 0)


def test_the_nearest_are_kept_in_order_of_time(path: Path) -> None:
    records = [Record(f"at {second}", "info", "h/p", at(100 + second)) for second in range(-9, 10)]
    with stored(path, records) as connection:
        found = near(connection, 99, at(100), 30 * SECOND, 5)

        assert [row.message for row in found.rows] == [f"at {second}" for second in range(-2, 3)]
        assert found.found == 19


def test_a_run_near_has_all_its_records(path: Path) -> None:
    records = [Record("long", "info", "h/p", at(second)) for second in range(0, 1000, 100)]
    with stored(path, records, window=100.0, max_span=150.0) as connection:
        assert [row.count for row in near(connection, 99, at(0), SECOND, 5).rows] == [10]


# -- plans -------------------------------------------------------------------------------------------

STATISTICS = {  # of 3,000,000 archived episodes of 5,000 contents
    ("archive", "archive_last"): "3000000 1",
    ("archive", "archive_content"): "3000000 600 1",
    ("archive", "sqlite_autoindex_archive_1"): "3000000 1",
    ("content", "sqlite_autoindex_content_1"): "5000 1",
    ("queue", "queue_last"): "2000 1",
    ("queue", "queue_received"): "2000 1 1",
    ("total", "total_last"): "5000 1",
    ("total", "total_first"): "5000 1",
}


@pytest.fixture(scope="module", params=["plain", "analyzed"])
def file(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """An empty store, that thinks it is large if it was analyzed."""
    path = tmp_path_factory.mktemp("plans") / "plans.db"
    connection = apsw.Connection(str(path))
    connection.execute(statements.SCHEMA)
    if request.param == "analyzed":
        connection.execute("ANALYZE")
        connection.execute("DELETE FROM sqlite_stat1")
        rows = [(*names, figures) for names, figures in STATISTICS.items()]
        connection.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", rows)
    connection.close()
    return path


@pytest.mark.parametrize("sqlite", ["ours", "stock"])
@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("NEAR", "archive_last (last_us>? AND last_us<?)"),
        ("RUN_BEFORE", "archive_content (content_id=? AND last_us<?)"),
        ("NUMBERS_BEHIND", "archive_content (content_id=? AND last_us>? AND last_us<?)"),
        ("SUM_GAPS", "archive_content (content_id=?)"),
        ("DESCRIBE_CONTENT", ""),
    ],
)
def test_nothing_walks_what_grows(file: Path, shell: Shell, sqlite: str, name: str, index: str) -> None:
    """The archive is searched; of a content only as much of it is sorted as is asked for."""
    sql = getattr(statements, name)
    if sqlite == "stock":
        done = shell(file, f"EXPLAIN QUERY PLAN {sql}", "-readonly")
        assert (done.returncode, done.stderr) == (0, "")
        lines = [line.strip(" |`-") for line in done.stdout.splitlines()]
    else:
        connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        bindings = dict.fromkeys(re.findall(r":(\w+)", re.sub("--.*", "", sql)), 1)
        lines = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bindings)]
        connection.close()

    assert not [line for line in lines if re.match(r"SCAN (a|c|t|q|archive|content|total|queue)\b", line)]
    assert [line for line in lines if index and line.endswith(index)] or not index
    assert index or not [line for line in lines if "archive" in line]
    if name in {"RUN_BEFORE", "SUM_GAPS"}:
        assert not [line for line in lines if "TEMP B-TREE" in line]
