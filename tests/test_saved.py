"""Saved questions: the stock shell and the library run the same files, and get the same rows."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from cli import PROGRAM
from conftest import Shell
from test_plans import Plan, file, files, plan, scans  # noqa: F401 - the fixtures of a million episodes

from logstore import LogStore, Record, errors, statements
from logstore.database import Connection, open_reader
from logstore.search.saved import find_saved, run_saved, saved_questions

ROOT: Final = Path(__file__).parent.parent
QUERIES: Final = sorted((ROOT / "sql" / "queries").glob("*.sql"))
BEGIN_US: Final = 1_795_307_100_000_000  # 2026-11-22 00:25:00
S_US: Final = 1_000_000
PARAMETERS: Final = frozenset({"since_us", "until_us", "severity", "source_glob", "pattern", "limit"})

each_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.stem)

GIVEN: Final[dict[str, dict[str, Any]]] = {
    "nothing": {},
    "since": {"since_us": BEGIN_US},
    "until": {"until_us": BEGIN_US},
    "a range that cuts episodes": {"since_us": BEGIN_US + 30 * S_US, "until_us": BEGIN_US + 95 * S_US + 1},
    "an empty range": {"since_us": 1, "until_us": 2},
    "worse than usual": {"severity": 4},
    "a source": {"source_glob": "*/pacemaker-*"},
    "a pattern": {"pattern": "P_WEB"},
    "a pattern with a quote": {"pattern": "it's 100%"},
    "no limit": {"limit": -1},
    "a small limit": {"limit": 2},
    "everything": {
        "since_us": BEGIN_US - 300 * S_US,
        "until_us": BEGIN_US + 500 * S_US,
        "severity": 6,
        "source_glob": "/alfa2/*",
        "pattern": "e",
        "limit": 7,
    },
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two captures of a cluster node, a check that missed beats, a light that flickers."""
    path = tmp_path_factory.mktemp("saved") / "log.db"
    program = PROGRAM, "--db", path, "ingest", "--host", "alfa2", "--tz", "UTC"
    for log in sorted((ROOT / "tests" / "data").glob("pcmk-alfa2.*")):
        copy = path.with_name(log.name)
        copy.write_bytes(log.read_bytes())
        os.utime(copy, (at(3600) / S_US,) * 2)  # its stamps have no year: they are not later than the file
        subprocess.run([*program, copy], check=True, capture_output=True)
    with LogStore(path) as opened:
        beats = [*range(0, 100, 10), *range(140, 200, 10)]
        opened.log_many(Record("it's 100% monitor", "warning", "alfa2/check", at(beat)) for beat in beats)
        opened.log_many(Record("flickers", "notice", "alfa2/light", at(beat)) for beat in range(0, 1000, 200))
        opened.log("the end", source="alfa3/end", timestamp_us=at(1500))
    return path


@pytest.fixture
def reader(store: Path) -> Iterator[Connection]:
    with open_reader(store, busy_timeout=1) as connection:
        yield connection


def at(second: int) -> int:
    return BEGIN_US + second * S_US


def by_shell(shell: Shell, store: Path, lines: list[str]) -> list[dict[str, Any]]:
    done = shell(store, "\n".join(lines), "-json", "-readonly")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout) if done.stdout else []


def by_us(reader: Connection, query: Path, given: dict[str, Any]) -> list[dict[str, Any]]:
    names, rows = run_saved(reader, find_saved(query.stem), given)
    return [dict(zip(names, row, strict=True)) for row in rows]


def settings(given: dict[str, Any]) -> list[str]:
    """The lines that set parameters in the shell, whose words may be in double quotes."""
    texts = {name: "'" + str(value).replace("'", "''") + "'" for name, value in given.items()}
    return [
        f'.parameter set :{name} "{value if isinstance(value, int) else texts[name]}"'
        for name, value in given.items()
    ]


def header(query: Path) -> list[str]:
    lines = query.read_text(encoding="utf-8").split("\n")
    return lines[: next(number for number, line in enumerate(lines) if not line.startswith("--"))]


def test_each_file_is_a_question_and_each_question_a_file() -> None:
    texts = {query.stem: query.read_text(encoding="utf-8") for query in QUERIES}
    assert texts == statements.QUERIES
    assert [question.name for question in saved_questions()] == sorted(texts)


@each_query
def test_a_file_says_what_it_answers_and_how_to_ask(query: Path) -> None:
    """A title, each parameter, lines for the shell, a line for `logstore`; no title is like another."""
    title, *lines = header(query)
    assert re.fullmatch(r"-- (What|Which|How) [^;]*[.;:].*", title)
    question = find_saved(query.stem)
    assert question.title == title.removeprefix("-- ")
    assert question.parameters == set(re.findall(r":([a-z]\w*)", " ".join(lines).partition("sqlite>")[0]))
    assert question.parameters <= PARAMETERS
    assert f"-- sqlite> .read sql/queries/{query.name}" in lines
    assert sum(line.startswith(f"-- $ logstore query --saved {query.stem}") for line in lines) == 1
    assert len({each.title for each in saved_questions()}) == len(QUERIES)


@each_query
@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_the_shell_and_the_library_agree(
    shell: Shell, store: Path, reader: Connection, query: Path, given: dict[str, Any]
) -> None:
    """Whatever is asked for, both give the same rows in the same order."""
    ours = by_us(reader, query, given)

    assert by_shell(shell, store, [*settings(given), f".read {query}"]) == ours


@each_query
def test_its_example_runs_in_the_shell(
    shell: Shell, store: Path, query: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines of the header, as they stand, give rows."""
    monkeypatch.chdir(ROOT)
    lines = [line.removeprefix("-- sqlite> ") for line in header(query) if line.startswith("-- sqlite> ")]
    assert by_shell(shell, store, lines)


@each_query
def test_without_parameters_there_are_rows_with_plain_names(reader: Connection, query: Path) -> None:
    """Columns are lower-case words with units; times are text."""
    rows = by_us(reader, query, {})
    assert rows
    for name in rows[0]:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert not name.endswith("_us")
    times = [str(value) for name, value in rows[0].items() if name.endswith("_seen")]
    assert all(re.fullmatch(r"2026-11-22 00:\d\d:\d\d\.\d{6}", time) for time in times)


@each_query
def test_a_question_about_a_range_searches_by_time(plan: Plan, query: Path) -> None:  # noqa: F811
    """Neither archive nor contents nor totals are walked, on 3.40.1 and on ours, at a million episodes."""
    lines = plan(query.read_text(encoding="utf-8").strip().rstrip(";"))
    assert scans(lines) == []
    assert any("archive_last (last_us>?" in line or "total_first (first_us>?" in line for line in lines)


# -- what they answer ----------------------------------------------------------------------------------


def answers(reader: Connection, name: str, **given: Any) -> list[dict[str, Any]]:
    names, rows = run_saved(reader, find_saved(name), given)
    return [dict(zip(names, row, strict=True)) for row in rows]


def test_the_minutes_add_up(reader: Connection, store: Path) -> None:
    """Every record is in one minute; by hand, too, where the range cuts no episode."""
    with LogStore(store, readonly=True) as opened:
        everything = sum(episode.count for episode in opened.episodes())
    assert sum(row["records"] for row in answers(reader, "per-minute", limit=-1)) == everything
    flickers = answers(reader, "per-minute", pattern="flickers")
    assert [(row["minute"][11:], row["records"]) for row in flickers] == [
        ("00:25", 1),
        ("00:28", 1),
        ("00:31", 1),
        ("00:35", 1),
        ("00:38", 1),
    ]


def test_an_episode_is_shared_out_over_the_minutes(reader: Connection) -> None:
    """16 records in 190 s: the first, and 15 spread evenly; the range cuts a minute short."""
    spread = answers(reader, "per-minute", pattern="it's")
    assert [row["records"] for row in spread] == [5, 5, 5, 1]
    cut = answers(reader, "per-minute", pattern="it's", since_us=at(30), until_us=at(90))
    assert [row["records"] for row in cut] == [2, 3]
    assert [row["warnings"] for row in cut] == [2, 3]


def test_the_loudest_are_counted_inside_the_range(reader: Connection) -> None:
    """A cut episode counts 1 + round((count - 1) * overlap / span), as in `query`."""
    (whole,) = answers(reader, "loudest", pattern="it's")
    assert (whole["records"], whole["exact"]) == (16, 1)
    (cut,) = answers(reader, "loudest", pattern="it's", since_us=at(30), until_us=at(90))
    assert (cut["records"], cut["exact"]) == (1 + round(15 * 60 / 190), 0)


def test_a_missed_beat_shows(reader: Connection) -> None:
    (row,) = answers(reader, "missed-beats", pattern="it's")
    assert (row["gap_max_ms"], row["gap_mean_ms"], row["gap_min_ms"], row["beats"]) == (
        50_000,
        12_666,
        10_000,
        3.9,
    )


def test_what_stopped_shows_until_it_is_back(reader: Connection) -> None:
    """The check stopped at 190 s; at 300 s that is nothing yet, at 400 s it is."""
    assert answers(reader, "gone-quiet", pattern="it's", until_us=at(300)) == []
    (row,) = answers(reader, "gone-quiet", pattern="it's", until_us=at(400))
    assert (row["silent_s"], row["records"]) == (210, 16)
    (row,) = answers(reader, "gone-quiet", pattern="it's")
    assert row["silent_s"] == 1500 - 190


def test_what_flickers_shows(reader: Connection) -> None:
    (row,) = answers(reader, "flapping", source_glob="*/light/*")
    assert (row["begun"], row["records"], row["lasted_s"], row["level"]) == (5, 5, 0, "notice")


def test_only_what_was_never_seen_is_new(reader: Connection) -> None:
    assert [row["message"] for row in answers(reader, "new", since_us=at(1), severity=6, limit=-1)][
        -1
    ] == "the end"
    assert answers(reader, "new", since_us=at(1), pattern="flickers") == []


def test_the_last_words_come_newest_first(reader: Connection) -> None:
    rows = answers(reader, "last-words")
    assert [row["source"] for row in rows[:2]] == ["alfa3/end", "alfa2/light"]
    assert [row["last_seen"] for row in rows] == sorted((row["last_seen"] for row in rows), reverse=True)


# -- how they are asked --------------------------------------------------------------------------------


def test_an_unknown_question_names_those_there_are() -> None:
    with pytest.raises(errors.InvalidQuery, match=r"'nope'; there are by-source, .*loudest.*wrong-now"):
        find_saved("nope")


def test_an_unknown_parameter_names_those_there_are(reader: Connection) -> None:
    with pytest.raises(errors.InvalidQuery, match=r"'new' does not take step; it takes limit, pattern,"):
        run_saved(reader, find_saved("new"), {"step": 60, "limit": None})


def test_a_question_is_limited_in_time(reader: Connection) -> None:
    """What does not end in time is stopped, and the connection can only read."""
    endless = find_saved("new")._replace(
        sql="WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    )
    with pytest.raises(errors.InvalidQuery, match="too long"):
        list(run_saved(reader, endless, {}, seconds=0.1)[1])
    with pytest.raises(errors.InvalidQuery, match="only reading"):
        list(run_saved(reader, endless._replace(sql="DELETE FROM queue"), {})[1])
