"""Records in columns are the records, also in another process; remembering halves of lines changes none."""

import pickle
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from logstore.columns import Columns, Said
from logstore.record import Record
from logstore.sources.parser import LineParser
from logstore.sources.state import State

SAID = st.tuples(
    st.text(),
    st.sampled_from(["info", "error"]),
    st.text(),
    st.none() | st.dictionaries(st.text(), st.integers() | st.none() | st.lists(st.booleans())),
)
TIMES = st.none() | st.integers(0, 10**18)


@given(st.lists(SAID, min_size=1), st.lists(st.tuples(st.integers(0), TIMES)))
def test_columns_are_the_records(said: list[Said], rows: list[tuple[int, int | None]]) -> None:
    columns = Columns()
    records = []
    for number, time_us in rows:
        each = said[number % len(said)]
        columns.add(each, time_us)
        records.append(Record(*each[:3], time_us, each[3]))
    for same in (columns, pickle.loads(pickle.dumps(columns))):
        assert len(same) == len(records)
        assert list(same) == [same[place] for place in range(len(same))] == records
        assert same[1:-1] == records[1:-1]
        places = [(place, each) for each, found in same.orders() for place in found]
        assert sorted(places, key=lambda pair: pair[0]) == list(enumerate(columns.said))
        assert all(found == sorted(found) for _, found in same.orders())
    again = Columns()
    again.extend(records)
    assert [again.pop() for _ in records] == records[::-1]


def test_what_is_the_same_object_stays_one_in_another_process() -> None:
    columns = Columns()
    attributes = {"pid": 7}
    for message in "abab":
        columns.add((message, "info", "s", attributes), 1)
    there = pickle.loads(pickle.dumps(columns))
    assert len({id(record.attributes) for record in there}) == 1


FRONTS = (
    "Nov 22 00:19:47 ",
    "Nov 22 00:19:48 ",
    "Nov 22 00:19:48",
    "Nov  2 00:19:48 ",
    "Nov 32 00:19:48 ",
    "<3>Nov 22 00:19:47 ",
    "<6>Nov 22 00:19:47 ",
    "<192>Nov 22 00:19:47 ",
    "Nov 22 00:19:47.309 ",
    "2026-11-22 00:00:01 ",
    "2026-11-22T00:00:01Z ",
    "\ufeffNov 22 00:19:47 ",
    "\x1b[31mNov 22 00:19:47 ",
    "",
    " ",
)
BACKS = (
    "n1 sshd[9]: opened",
    "n1 sshd[9]: ",
    "n1 sshd[99999999999999999999]: opened",
    "n1 last message repeated 3 times",
    "CET n1 sshd[9]: opened",
    "PM n1 x: y",
    "+0100 n1 x: y",
    "ERROR it broke",
    "n1 pacemakerd          [34] (main) \tnotice: Starting",
    '{"msg": "x"}',
    "",
    " at frame 1",
    "€" * 40,
)
FORMATS = (None, "syslog3164", "timestamped", "pacemaker", "plain")
LINES = st.lists(
    st.builds("{}{}".format, st.sampled_from(FRONTS), st.sampled_from(BACKS)) | st.text(), max_size=40
)


@given(
    LINES,
    st.sampled_from([None, "syslog3164", "timestamped", "pacemaker", "plain"]),
    st.sampled_from([60, 2**21]),
)
def test_what_is_remembered_of_lines_changes_no_record(
    lines: list[str], name: str | None, limit: int
) -> None:
    """Twice all lines at once are the same as each with a parser that has never seen another line."""
    lines = [line.replace("\n", " ") for line in lines] * 2
    settings = {"tz": UTC, "newest_us": 1_795_400_000_000_000, "limit": limit}
    made = LineParser(name, sample=lines, **settings)  # type: ignore[arg-type]
    start = made.state().dump()
    remembering = made.feed(lines) + made.finish()
    forgetful: list[Record] = []
    held, state = list[str](), State.load(start)
    for line in lines:
        fresh = LineParser(state=state, **settings)  # type: ignore[arg-type]
        forgetful += fresh.feed([*held, line])
        held, state = [*held, line][-fresh.held :] if fresh.held else [], State.load(fresh.state().dump())
    fresh = LineParser(state=state, **settings)  # type: ignore[arg-type]
    forgetful += fresh.feed(held) + fresh.finish()
    assert forgetful == remembering
