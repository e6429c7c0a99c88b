"""Answers against a model in plain Python: counts inside a range, runs, orders, limits, filters."""

from dataclasses import replace
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import apsw
import pytest
from histories import YEAR, Part, histories, holding, plain, ranges
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model import NOW_US, Clock

from logstore import LogStore, LogStoreError, Record
from logstore.database import Connection
from logstore.errors import InvalidQuery
from logstore.filters import Filter, Matcher, Order, regex, substring
from logstore.record import LEVELS, TIME_END_US
from logstore.search import question
from logstore.search.holding import reach
from logstore.search.question import By, Question, printed, run_sql
from logstore.search.rows import Row, count_inside

ORDERS = cast("list[Order]", ["last", "first", "count"])
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it holds no state
Run = tuple[int, list["Part"]]


class Answer(NamedTuple):
    rows: list[Row]
    found: int | None


def ask(
    reader: Connection, chosen: Filter, by: By, order: Order, limit: int | None, *, reverse: bool
) -> Answer:
    numbered, found = question.ask([reader], Question(chosen, by, order, limit))
    return Answer(printed([row for _, row in numbered], order, reverse=reverse), found)


def contents(reader: Connection, chosen: Filter, *, order: Order, limit: int | None, reverse: bool) -> Answer:
    return ask(reader, chosen, "content", order, limit, reverse=reverse)


def runs(
    reader: Connection, chosen: Filter, *, order: Order, limit: int | None, reverse: bool, parts: bool
) -> Answer:
    return ask(reader, chosen, "part" if parts else "run", order, limit, reverse=reverse)


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store, to be copied."""
    path = tmp_path_factory.mktemp("blank") / "blank.db"
    LogStore(path, clock_us=lambda: 0).close()
    return path


def fields(row: Row) -> tuple[Any, ...]:
    return (
        row.id, row.content_id, row.state, row.first_us, row.last_us,
        row.count, row.count_total, row.count_exact,
    )  # fmt: skip


def expected_contents(parts: list[Part], since_us: int, until_us: int) -> set[tuple[Any, ...]]:
    rows = set()
    for content in {part.content for part in parts}:
        own = [part for part in parts if part.content == content]
        seen = [part for part in own if part.touches(since_us, until_us)]
        if seen:
            rows.add(
                (
                    content,
                    content,
                    "open" if any(part.is_open for part in seen) else "closed",
                    min(part.first_us for part in seen),
                    max(part.last_us for part in seen),
                    sum(part.inside(since_us, until_us) for part in seen),
                    sum(part.count for part in own),
                    all(part.whole(since_us, until_us) for part in seen),
                )
            )
    return rows


def expected_runs(parts: list[Part], since_us: int, until_us: int) -> set[tuple[Any, ...]]:
    rows = set()
    for run in {part.run for part in parts}:
        own = [part for part in parts if part.run == run]
        seen = [part for part in own if part.touches(since_us, until_us)]
        if seen:
            rows.add(
                (
                    own[0].id,
                    own[0].content,
                    "open" if own[-1].is_open else "closed",
                    own[0].first_us,
                    own[-1].last_us,
                    sum(part.inside(since_us, until_us) for part in seen),
                    sum(part.count for part in own),
                    all(part.whole(since_us, until_us) for part in seen),
                )
            )
    return rows


def in_order(rows: list[Row], order: Order) -> bool:
    """Times oldest first, newest at the bottom; counts largest first."""
    keys = {"last": lambda r: r.last_us, "first": lambda r: r.first_us, "count": lambda r: -r.count}
    places = [keys[order](row) for row in rows]
    return places == sorted(places)


def kept(rows: list[Row], order: Order, limit: int) -> list[Row]:
    """What a limit leaves of all rows: the newest, the earliest, the largest."""
    return rows[-limit:] if order == "last" else rows[:limit]


@given(st.data())
@one_folder
def test_a_content_counts_inside_the_range_and_its_life_beside(blank: Path, data: st.DataObject) -> None:
    """Whole, cut on one side and on both, at borders, with 10**9 records over years: exactly the rule."""
    parts = data.draw(histories())
    since_us, until_us = data.draw(ranges(parts))
    with holding(blank, parts, plain(parts)) as reader:
        chosen = Filter.chosen(since_us=since_us, until_us=until_us)
        found = contents(reader, chosen, order="last", limit=None, reverse=False)
    assert {fields(row) for row in found.rows} == expected_contents(parts, since_us, until_us)
    assert found.found == len(found.rows)


@given(st.data())
@one_folder
def test_the_parts_of_a_run_are_one_line_and_with_parts_they_are_not(
    blank: Path, data: st.DataObject
) -> None:
    """Id and first of the first part, counts summed, state of the last, whichever parts the range touches."""
    parts = data.draw(histories())
    since_us, until_us = data.draw(ranges(parts))
    alone = [replace(part, run=part.id) for part in parts]
    with holding(blank, parts, plain(parts)) as reader:
        chosen = Filter.chosen(since_us=since_us, until_us=until_us)
        joined = runs(reader, chosen, order="last", limit=None, reverse=False, parts=False)
        apart = runs(reader, chosen, order="last", limit=None, reverse=False, parts=True)
    assert {fields(row) for row in joined.rows} == expected_runs(parts, since_us, until_us)
    assert {fields(row) for row in apart.rows} == expected_runs(alone, since_us, until_us)


@given(st.data())
@one_folder
def test_a_limit_keeps_one_end_of_the_same_order_and_reverse_turns_it_round(
    blank: Path, data: st.DataObject
) -> None:
    """`-n K` prints K neighbours of what `-n all` prints, from the end that SPEC names; `-r` only turns."""
    parts = data.draw(histories())
    since_us, until_us = data.draw(ranges(parts))
    order, limit = data.draw(st.sampled_from(ORDERS)), data.draw(st.integers(1, 5))
    mode = data.draw(st.sampled_from(["contents", "parts"]))

    def asked(limit: int | None, *, reverse: bool) -> Answer:
        chosen = Filter.chosen(since_us=since_us, until_us=until_us)
        if mode == "contents":
            return contents(reader, chosen, order=order, limit=limit, reverse=reverse)
        return runs(reader, chosen, order=order, limit=limit, reverse=reverse, parts=True)

    with holding(blank, parts, plain(parts)) as reader:
        every, number = asked(None, reverse=False)
        some, found = asked(limit, reverse=False)
        assert in_order(every, order)
        assert some == kept(every, order, limit)
        assert number == len(every)
        assert found == number or (found is None and len(some) < number)
        assert asked(limit, reverse=True).rows == some[::-1]


CUT_RUN = [
    Part(1, 0, 10, 2, False, 1, 1),
    Part(1, 11, 20, 2, False, 2, 1),
    Part(1, 21, 100, 2, True, 3, 1),
    Part(2, 15, 30, 2, False, 4, 4),
]
"""A range up to 16 touches the first two parts of run 1 and run 4, which ends before run 1 does."""


@pytest.mark.parametrize("order", ORDERS)
def test_runs_cut_by_a_range_are_printed_in_order(blank: Path, order: Order) -> None:
    """The times of a line are those that the order goes by."""
    with holding(blank, CUT_RUN, plain(CUT_RUN)) as reader:
        chosen = Filter.chosen(since_us=12, until_us=16)
        assert in_order(runs(reader, chosen, order=order, limit=None, reverse=False, parts=False).rows, order)


def test_a_limit_on_runs_cut_by_a_range_keeps_the_newest(blank: Path) -> None:
    """The one line of `-n 1` is the last one of `-n all`."""
    with holding(blank, CUT_RUN, plain(CUT_RUN)) as reader:
        chosen = Filter.chosen(since_us=12, until_us=16)
        every = runs(reader, chosen, order="last", limit=None, reverse=False, parts=False).rows
        some = runs(reader, chosen, order="last", limit=1, reverse=False, parts=False).rows
    assert [row.id for row in every] == [4, 1]
    assert some == every[-1:]


@pytest.mark.parametrize(("state", "expected"), [("open", ["open"]), ("closed", ["closed"])])
def test_a_filter_on_state_gives_runs_of_that_state_whole(
    blank: Path, state: Literal["open", "closed"], expected: list[str]
) -> None:
    """A joined line has the state of its last part; without a range its count is that of the whole run."""
    with holding(blank, CUT_RUN, plain(CUT_RUN)) as reader:
        chosen = Filter.chosen(state=state)
        rows = runs(reader, chosen, order="last", limit=None, reverse=False, parts=False).rows
    assert [row.state for row in rows] == expected
    assert [row.count for row in rows] == [row.count_total for row in rows]


@given(
    st.integers(2, 10**15),
    st.integers(0, TIME_END_US - 2),
    st.integers(1, 100 * YEAR),
    st.integers(0, 100 * YEAR),
    st.integers(0, 100 * YEAR),
)
def test_a_cut_count_is_exact_integer_arithmetic(
    count: int, first_us: int, span: int, early: int, late: int
) -> None:
    """No float on the way: equal to fractions with halves up, and never outside 1..count."""
    last_us = first_us + span
    since_us, until_us = first_us + min(early, span), max(last_us - late, first_us + min(early, span))
    overlap = until_us - since_us
    inside = count_inside(count, first_us, last_us, since_us, until_us)
    assert inside == 1 + floor(Fraction((count - 1) * overlap, span) + Fraction(1, 2))
    assert 1 <= inside <= count


@pytest.mark.parametrize(
    ("since_us", "until_us", "expected"),
    [
        (0, 1000, (5, True)),
        (100, 141, (5, True)),
        (100, 140, (5, False)),  # half open: its last record is not inside
        (101, 1000, (5, False)),  # 1 + 4 * 39/40, rounded
        (120, 1000, (3, False)),
        (125, 1000, (3, False)),  # 1 + 1.5: halves up
        (126, 1000, (2, False)),
        (140, 1000, (1, False)),
        (141, 1000, None),
        (0, 101, (1, False)),
        (0, 100, None),
        (110, 130, (3, False)),
    ],
)
def test_the_borders_of_a_range_are_half_open(
    blank: Path, since_us: int, until_us: int, expected: tuple[int, bool] | None
) -> None:
    """Five records from 100 to 140: what lies inside, and whether that is known exactly."""
    parts = [Part(1, 100, 140, 5, False, 1, 1)]
    with holding(blank, parts, plain(parts)) as reader:
        chosen = Filter.chosen(since_us=since_us, until_us=until_us)
        rows = contents(reader, chosen, order="last", limit=None, reverse=False).rows
    assert [(row.count, row.count_exact) for row in rows] == ([] if expected is None else [expected])


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.sampled_from("ab")), min_size=1, max_size=40),
    st.integers(100, 300),
)
@settings(one_folder, max_examples=25)
def test_with_runs_joined_the_max_span_is_invisible(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[int, str]], span: int
) -> None:
    """For input in time order the joined runs are the episodes of a store without a max span."""
    records = [Record(name, timestamp_us=NOW_US + ms * 1000) for ms, name in sorted(events)]
    found = []
    for max_span in (span / 1000, 0):
        path = tmp_path_factory.mktemp("span") / "log.db"
        with LogStore(path, window=0.1, max_span=max_span, clock_us=Clock(NOW_US), auto_sweep=False) as store:
            store.log_many(records)
            with store.reader() as reader:
                rows = runs(reader, Filter(), order="first", limit=None, reverse=False, parts=False).rows
        found.append(
            {(r.message, r.first_us, r.last_us, r.count, r.gap_min_ms, r.gap_max_ms, r.state) for r in rows}
        )
    joined, unlimited = found
    assert [row[:4] for row in sorted(joined)] == [row[:4] for row in sorted(unlimited)]
    assert {(row[0], row[1], row[6]) for row in joined} == {(row[0], row[1], row[6]) for row in unlimited}


def asked(
    blank: Path,
    texts: dict[int, tuple[str, int, str]],
    *,
    level: str | int | None = None,
    source: str | None = None,
    matcher: Matcher | None = None,
    raw: bool = False,
) -> set[int]:
    """Return the ids of the contents that a filter lets through; contents and runs agree on it."""
    parts = [Part(number, 0, 0, 1, number % 2 == 0, number, number) for number in texts]
    with holding(blank, parts, texts) as reader:
        chosen = Filter.chosen(level=level, source=source, matcher=matcher, raw=raw)
        rows = contents(reader, chosen, order="last", limit=None, reverse=False).rows
        ways = [{row.id for row in rows}]
        for way in (False, True):
            each = runs(reader, chosen, order="last", limit=None, reverse=False, parts=way).rows
            ways.append({row.content_id for row in each})
    assert ways[0] == ways[1] == ways[2]
    return ways[0]


NAMES = st.text(alphabet="ab/.%_-' \"]\\é:(+", max_size=5)


@given(st.lists(NAMES, min_size=1, max_size=5), NAMES)
@one_folder
def test_a_plain_word_is_the_whole_source_or_one_part_of_it(
    blank: Path, sources: list[str], word: str
) -> None:
    """Whatever characters it has; a part is what lies between slashes, never a piece of it."""
    texts = {number: (source, 6, "m") for number, source in enumerate(sources, 1)}
    expected = {
        number for number, source in enumerate(sources, 1) if word == source or word in source.split("/")
    }
    assert asked(blank, texts, source=word) == expected


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("alfa1/*", {1, 2}),
        ("alfa[12]/pacemakerd", {1, 3}),
        ("alfa?/corosync", {2}),
        ("*", {1, 2, 3, 4, 5, 6}),
        ("*sync", {2}),
        ("alfa*", {1, 2, 3}),
        ("alfa", set()),
        ("ALFA1", set()),
        ("alfa1/pacemakerd", {1}),
        ("pacemakerd", {1, 3}),
        ("pacemaker", set()),
        ("pacemaker*", set()),  # a GLOB is of the whole source
        ("/var/log/a.log", {4}),
        ("a.log", {4}),
        ("", {4, 5}),
        ("[[]x]", {6}),
        ("[", set()),
    ],
)
def test_a_glob_is_of_the_whole_source(blank: Path, glob: str, expected: set[int]) -> None:
    """Case matters, as in GLOB."""
    names = ["alfa1/pacemakerd", "alfa1/corosync", "alfa2/pacemakerd", "/var/log/a.log", "", "[x]"]
    texts = {number: (source, 6, "m") for number, source in enumerate(names, 1)}
    assert asked(blank, texts, source=glob) == expected


@pytest.mark.parametrize("level", [*range(8), "err", "WARN", "fatal", "Info"])
def test_a_level_is_that_severity_and_worse(blank: Path, level: str | int) -> None:
    """By number and by every name."""
    severity = {"err": 3, "WARN": 4, "fatal": 2, "Info": 6}.get(str(level), level)
    texts = {number + 1: ("s", number, LEVELS[number]) for number in range(8)}
    assert asked(blank, texts, level=level) == {number + 1 for number in range(8) if number <= int(severity)}


def test_an_unknown_level_is_an_error_of_ours() -> None:
    """It names the levels there are."""
    with pytest.raises(LogStoreError, match="emergency"):
        Filter.chosen(level="loud")


MESSAGES = [
    "VIP is UP",
    "vip is up",
    "Straße ÄÖÜ",
    "straße äöü",
    "100% of 5_000",
    "a.b*c[d]\\e'f\"",
    "line one\nline two",
    "ΟΔΟΣ Ж",
]
TEXTS = {number: ("s", 6, message) for number, message in enumerate(MESSAGES, 1)}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("vip", {1, 2}),
        ("VIP", {1}),
        ("Vip", set()),
        ("up", {1, 2}),
        ("straße ä", {3, 4}),
        ("Straße", {3}),
        ("ÄÖ", {3}),
        ("äö", {3, 4}),
        ("ж", {8}),
        ("οδος", {8}),
        ("%", {5}),
        ("_", {5}),
        ("0% o", {5}),
        (".", {6}),
        ("*c[d]\\e'f\"", {6}),
        ("one\nline", {7}),
        ("", set(range(1, 9))),
        ("nowhere", set()),
    ],
)
def test_a_pattern_is_a_substring_in_smart_case(blank: Path, pattern: str, expected: set[int]) -> None:
    """All lower case: any case, beyond ASCII too; nothing in it is a wildcard; `-v` is the rest."""
    assert asked(blank, TEXTS, matcher=substring(pattern)) == expected
    rest = set(TEXTS) - expected
    assert asked(blank, TEXTS, matcher=substring(pattern, invert=True)) == rest


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^vip", {1, 2}),
        ("^VIP", {1}),
        (r"is \w+$", {1, 2}),
        (r"\S+ \W", set()),
        (r"\d+%", {5}),
        ("stra(ß|ss)e", {3, 4}),
        ("[A-Z]", {1, 3}),
        ("one.line", set()),
        ("(?s)one.line", {7}),
        ("", set(range(1, 9))),
    ],
)
def test_a_regular_expression_is_searched_in_smart_case(
    blank: Path, pattern: str, expected: set[int]
) -> None:
    """`\\S` and `\\W` are no upper case letters."""
    assert asked(blank, TEXTS, matcher=regex(pattern)) == expected
    assert asked(blank, TEXTS, matcher=regex(pattern, invert=True)) == set(TEXTS) - expected


@pytest.mark.parametrize(
    "pattern", ["[", "(", "*", "(?P<a>x)(?P<a>y)", "a{2,1}", "\\", "x" * 10 + "(" * 3000]
)
def test_a_bad_regular_expression_is_an_error_of_ours(pattern: str) -> None:
    """It says what is wrong with it."""
    with pytest.raises(InvalidQuery, match="does not compile"):
        regex(pattern)


def test_raw_looks_at_first_and_last_text_too(blank: Path) -> None:
    """Under masks the message hides a number that the raw texts still have; inverted, none of them has it."""
    texts = {1: ("s", 6, "pid <N> died"), 2: ("s", 6, "pid <N> lives")}
    parts = [Part(1, 0, 9, 2, False, 1, 1), Part(2, 0, 9, 2, False, 2, 2)]

    def ask(matcher: Matcher, *, raw: bool) -> set[int]:
        chosen = Filter.chosen(matcher=matcher, raw=raw)
        return {row.id for row in contents(reader, chosen, order="last", limit=None, reverse=False).rows}

    with holding(blank, parts, texts) as reader:
        writer = apsw.Connection(str(reader.path))
        writer.execute("DROP TRIGGER archive_refuses_update")  # else the archive cannot be made up
        writer.execute(
            "UPDATE archive SET first_text = 'pid 41 died', last_text = 'pid 42 died' WHERE content_id = 1"
        )
        writer.close()
        assert ask(substring("42"), raw=False) == set()
        assert ask(substring("42"), raw=True) == {1}
        assert ask(substring("41"), raw=True) == {1}
        assert ask(substring("<n>"), raw=True) == {1, 2}
        assert ask(substring("42", invert=True), raw=True) == {2}


def test_the_state_of_a_content_is_open_if_one_episode_is(blank: Path) -> None:
    """And its reason is that of the newest: none while it is open."""
    parts = [Part(1, 0, 5, 2, False, 1, 1), Part(1, 50, 60, 2, True, 2, 2), Part(2, 0, 5, 2, False, 3, 3)]
    with holding(blank, parts, plain(parts)) as reader:
        rows = contents(reader, Filter(), order="first", limit=None, reverse=False).rows
    assert [(row.id, row.state, row.reason) for row in rows] == [(1, "open", None), (2, "closed", "gap")]


def test_a_store_reaches_back_to_its_oldest_record_or_its_making(tmp_path: Path, clock: Clock) -> None:
    """Whichever is earlier, while nothing was pruned."""
    with LogStore(tmp_path / "a.db", clock_us=clock) as store:
        with store.reader() as reader:
            assert reach(reader) == (NOW_US, False)
        store.log("x", timestamp_us=NOW_US + 5)
        with store.reader() as reader:
            assert reach(reader) == (NOW_US, False)
        store.log("x", timestamp_us=7)
        with store.reader() as reader:
            assert reach(reader) == (7, False)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM queue",
        "INSERT INTO ledger VALUES ('a', 1)",
        "DROP VIEW log",
        "PRAGMA user_version = 7",
        "PRAGMA journal_mode = DELETE",
        "ATTACH ':memory:' AS x",
        "VACUUM INTO '/tmp/never'",
        "BEGIN",
        "",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP VIEW log",
        "SELECT load_extension('x')",
        "SELEKT",
        "-- nothing",
        "REINDEX",
        "ANALYZE",
        "CREATE TEMP TABLE t (a)",
        "EXPLAIN DELETE FROM queue",
        "UPDATE store SET one = 1",
        "WITH a AS (SELECT 1) DELETE FROM queue",
        "SELECT writefile('/tmp/never', 'x')",
        "DETACH main",
    ],
)
def test_sql_of_a_user_only_reads(blank: Path, statement: str) -> None:
    """Everything else is refused as an error of ours, and changes nothing."""
    parts = [Part(1, 0, 0, 1, True, 1, 1)]
    with holding(blank, parts, plain(parts)) as reader:
        before = reader.path.read_bytes()
        with pytest.raises(InvalidQuery):
            run_sql(reader, statement, seconds=5)
        assert reader.path.read_bytes() == before
        assert not Path("/tmp/never").exists()


def test_endless_sql_is_stopped(blank: Path) -> None:
    """After its time is up, and says so."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with holding(blank, [], {}) as reader, pytest.raises(InvalidQuery, match="too long"):
        list(run_sql(reader, endless, seconds=0.1)[1])


def test_sql_of_a_user_reads_the_views(blank: Path) -> None:
    """Names and rows, as SQLite gives them."""
    parts = [Part(1, 0, 5, 3, False, 1, 1)]
    with holding(blank, parts, plain(parts)) as reader:
        names, rows = run_sql(reader, "SELECT count, message AS said FROM log", seconds=5)
        assert (names, list(rows)) == (["count", "said"], [(3, "m1")])
