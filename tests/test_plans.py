"""Queries by time and by content use indexes, at a million episodes, with and without statistics.

On the oldest SQLite and on ours. What is asserted is the plan and the steps it took, never the time.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw
import pytest
from conftest import Shell
from model import NOW_US

from logstore import statements

EPISODES: Final = 1_000_000
CONTENTS: Final = 5_000
OPEN: Final = 2_000
START_US: Final = NOW_US - EPISODES * 1_000_000

FILL = f"""
PRAGMA synchronous = OFF;
BEGIN;
INSERT INTO store (one, store_id, host, created_us, next_id, open_count, longest_us)
VALUES (1, 'plans', 'here', {START_US}, {EPISODES + OPEN + 1}, 0, 1 << 30);
INSERT INTO settings (one, window_ms, max_span_ms, max_open) VALUES (1, 150000, 600000, 100000);

WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {CONTENTS})
INSERT INTO content (hash, source, level, message)
SELECT randomblob(32), 'node' || i % 40 || '/program' || i % 13, i % 8, 'message number ' || i FROM n;

WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {EPISODES})
INSERT INTO archive (
    id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms, reason)
SELECT
    i, 1 + i * 7919 % {CONTENTS}, iif(long, 1 + (i - 1) % {CONTENTS}, i), iif(long, i - {CONTENTS}, NULL),
    {START_US} + i * 1000000, {START_US} + (i + i % 600) * 1000000, 1 + i % 10, 0, 1000,
    iif(long, 'span', 'gap')
FROM (SELECT i, i > {CONTENTS} AND i * 7919 % {CONTENTS} < 10 AS long FROM n);  -- ten are one run each

WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {OPEN})
INSERT INTO queue (
    content_id, content_hash, id, run_id, prior_count, first_us, last_us, count, received_us, receipt)
SELECT c.id, c.hash, {EPISODES} + i, {EPISODES} + i, 0, {NOW_US} + i, {NOW_US} + i * 2, 1, {NOW_US} + i, 1
FROM n JOIN content AS c ON c.id = i;
UPDATE store SET open_count = {OPEN};
COMMIT;
"""

LAST_HOUR: Final = {"since_us": NOW_US - 3_600_000_000, "until_us": NOW_US, "at_us": NOW_US}

Plan = Callable[[str], list[str]]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A store of a million archived episodes, as it grew, and a copy with statistics."""
    plain = tmp_path_factory.mktemp("plans") / "plain.db"
    connection = apsw.Connection(str(plain))
    connection.execute("PRAGMA journal_mode = OFF; PRAGMA cache_size = -200000")
    connection.execute(statements.SCHEMA)
    connection.execute(FILL)
    connection.close()
    analyzed = plain.with_name("analyzed.db")
    shutil.copyfile(plain, analyzed)
    connection = apsw.Connection(str(analyzed))
    connection.execute("ANALYZE")
    connection.close()
    return {"plain": plain, "analyzed": analyzed}


@pytest.fixture(params=["plain", "analyzed"])
def file(files: dict[str, Path], request: pytest.FixtureRequest) -> Path:
    return files[request.param]


@pytest.fixture(params=["ours", "stock"])
def plan(file: Path, shell: Shell, request: pytest.FixtureRequest) -> Iterator[Plan]:
    """Give the lines of EXPLAIN QUERY PLAN, of apsw's SQLite or of the stock shell."""
    if request.param == "stock":

        def of_the_shell(sql: str) -> list[str]:
            done = shell(file, f"{statements.STAGE} EXPLAIN QUERY PLAN {in_stock(sql)};", "-readonly")
            assert (done.returncode, done.stderr) == (0, "")
            return [line.strip(" |`-") for line in done.stdout.splitlines()]

        yield of_the_shell
        return
    connection = reader(file)
    connection.execute(statements.STAGE)

    def ours(sql: str) -> list[str]:
        # Statistics of ours look at values: for all of the time a walk would be right.
        given = {name: LAST_HOUR.get(name, 1) for name in parameters(sql)}
        return [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", given)]

    yield ours
    connection.close()


class Steps(NamedTuple):
    """What a statement did: rows of tables walked from end to end, and steps of SQLite's machine."""

    walked: int
    steps: int


Run = Callable[[str, dict[str, Any]], Steps]


@pytest.fixture
def here(file: Path) -> Iterator[Run]:
    """Run a statement with its parameters in apsw's SQLite, and say what it did."""
    connection = reader(file)

    def run(sql: str, given: dict[str, Any]) -> Steps:
        done: list[dict[str, int]] = []
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, lambda event: done.append(event["stmt_status"]))
        connection.execute(sql, {name: given[name] for name in parameters(sql)}).fetchall()
        connection.trace_v2(0)
        names = ("FULLSCAN_STEP", "VM_STEP")  # of the statement, and of what full text runs by itself
        return Steps(*(sum(each[f"SQLITE_STMTSTATUS_{name}"] for each in done) for name in names))

    yield run
    connection.close()


@pytest.fixture
def in_the_shell(file: Path, shell: Shell) -> Run:
    """Run a statement with its parameters in the stock shell, and say what it did."""

    def run(sql: str, given: dict[str, Any]) -> Steps:
        values = {name: "NULL" if value is None else repr(value) for name, value in given.items()}
        asked = [f'.parameter set :{name} "{values[name]}"' for name in parameters(sql)]
        done = shell(file, "\n".join([*asked, ".stats on", in_stock(sql)]), "-readonly")
        assert (done.returncode, done.stderr) == (0, "")
        walked, steps = re.findall(r"^(?:Fullscan|Virtual Machine) Steps: +(\d+)$", done.stdout, re.MULTILINE)
        return Steps(int(walked), int(steps))

    return run


def reader(file: Path) -> apsw.Connection:
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    connection.create_scalar_function("matches", lambda *_: True)
    connection.create_scalar_function("count_inside", lambda count, *_: count)
    return connection


def in_stock(sql: str) -> str:
    """Take functions that this SQLite knows."""
    return sql.replace("matches(", "max(1, ").replace("count_inside(", "max(")


def parameters(sql: str) -> list[str]:
    return sorted(set(re.findall(r":(\w+)", re.sub("--.*", "", sql))))


def scans(lines: list[str]) -> list[str]:
    """The lines that walk the whole of a table that grows with time: archive (a), content (c), total (t)."""
    return [line for line in lines if re.match(r"SCAN (a|c|t|archive|content|total)\b", line)]


def sorts(lines: list[str]) -> list[str]:
    return [line for line in lines if line == "USE TEMP B-TREE FOR ORDER BY"]


SINCE, UNTIL = START_US + 500_000 * 1_000_000, START_US + 500_600 * 1_000_000
RANGES = {
    "seen last in a range": f"last_us >= {SINCE} AND last_us < {UNTIL}",
    "seen last since": f"last_us >= {NOW_US + 3_900}",
    "overlapping a range": f"last_us >= {SINCE} AND first_us < {UNTIL} AND last_us < {UNTIL} + 600000000",
    "seen last between": f"last_us BETWEEN {SINCE} AND {UNTIL}",
    "one content": "content_id = 77",
    "some contents": "content_id IN (77, 78, 79)",
    "one content in a range": f"content_id = 77 AND last_us >= {SINCE} AND last_us < {UNTIL}",
}


def test_the_file_is_as_large_as_promised(files: dict[str, Path], shell: Shell) -> None:
    """The plans are of a million archived episodes of five thousand contents and two thousand open ones."""
    counts = (
        "SELECT (SELECT count(*) FROM archive), (SELECT count(*) FROM content), (SELECT count(*) FROM queue);"
    )
    for file in files.values():
        assert shell(file, counts).stdout.strip() == f"{EPISODES}|{CONTENTS}|{OPEN}"
    assert shell(files["analyzed"], "SELECT count(*) > 5 FROM sqlite_stat1;").stdout.strip() == "1"


@pytest.mark.parametrize("view", ["episode", "log"])
@pytest.mark.parametrize("where", RANGES.values(), ids=RANGES)
def test_a_range_of_time_and_a_content_are_searched(plan: Plan, view: str, where: str) -> None:
    """Through both views neither archive, nor content, nor totals are walked; in `log` the queue may be."""
    if view == "log" and "600000000" in where:
        where = f"last_us >= {SINCE} AND first_us < {UNTIL}"
    lines = plan(f"SELECT * FROM {view} WHERE {where}")

    assert scans(lines) == []
    assert any(line.startswith("SEARCH") for line in lines)
    if view == "episode":
        assert not [line for line in lines if line.startswith("SCAN")]


def test_contents_first_seen_inside_a_range_are_searched(plan: Plan) -> None:
    """What was never seen before a range is found without walking totals."""
    assert scans(plan(f"SELECT * FROM log WHERE first_us >= {SINCE} AND first_us < {UNTIL}")) == []


def test_episodes_begun_inside_a_range_are_searched(plan: Plan) -> None:
    """An episode ends after it begins: saying so makes a range of first times a search."""
    where = f"first_us >= {SINCE} AND last_us >= {SINCE} AND first_us < {UNTIL}"
    lines = plan(f"SELECT * FROM episode WHERE {where}")

    assert any("archive_last (last_us>?)" in line for line in lines)
    assert scans(lines) == []


@pytest.mark.parametrize("view", ["episode", "log"])
def test_an_aggregate_over_a_range_is_searched(plan: Plan, view: str) -> None:
    """Counting inside a range, too, is a search."""
    assert (
        scans(plan(f"SELECT count(*), sum(count) FROM {view} WHERE {RANGES['seen last in a range']}")) == []
    )


def test_an_episode_is_found_by_its_id(plan: Plan) -> None:
    """One episode by its id is a search in the archive."""
    assert scans(plan("SELECT * FROM episode WHERE id = 77")) == []


@pytest.mark.parametrize("where", ["", f"WHERE last_us < {UNTIL}", f"WHERE {RANGES['seen last in a range']}"])
@pytest.mark.parametrize("order", ["last_us DESC", "last_us"])
def test_the_newest_episodes_are_read_off_the_index(plan: Plan, order: str, where: str) -> None:
    """The first rows by last_us, either way, come from the index in order: nothing is sorted."""
    lines = plan(f"SELECT * FROM episode {where} ORDER BY {order} LIMIT 20")

    assert [line for line in scans(lines) if "USING INDEX archive_last" not in line] == []
    assert sorts(lines) == []


@pytest.mark.parametrize("where", ["", f"WHERE {RANGES['seen last in a range']}", "WHERE content_id = 77"])
def test_the_newest_contents_never_touch_the_archive(plan: Plan, where: str) -> None:
    """The head of view `log` is read from queue and totals by index; the archive is not looked at."""
    lines = plan(f"SELECT * FROM log {where} LIMIT 20")

    assert [line for line in scans(lines) if "USING INDEX total_last" not in line] == []
    assert not [line for line in lines if "archive" in line or re.match(r"\w+ a\b", line)]


@pytest.mark.parametrize("name", ["EPISODES_NEWEST", "EPISODES_OLDEST", "EPISODES_SORTED"])
def test_the_statements_of_episodes_search_by_time(plan: Plan, name: str) -> None:
    """The statements of episodes() search the archive by time; only a text is looked for in all contents."""
    lines = plan(getattr(statements, name).strip().rstrip(";"))

    found = scans(lines)
    assert [line for line in found if not re.match(r"SCAN content\b", line)] == []
    assert any("archive_last" in line and line.startswith("SEARCH") for line in lines)
    if name != "EPISODES_SORTED":
        assert sorts(lines) == []


SMALL: Final = {"store", "settings", "archive", "arrived"}  # a row each; archive: see below; one batch
STEPS: Final = (
    "FIND_OPEN",
    "ADD_CONTENT",
    "FIND_CONTENT",
    "SWEEP",
    "EVICT",
    "OLDEST_RECEIPT",
    "READ_STATE",
    "LAST_ARCHIVED",
)


@pytest.mark.parametrize("name", STEPS)
def test_no_write_walks_what_grows(plan: Plan, name: str) -> None:
    """What each write and each sweep runs walks no table but by an index that it stops on early."""
    lines = plan(getattr(statements, name).strip().rstrip(";"))

    walks = [line for line in lines if line.startswith("SCAN") and "USING" not in line]
    assert [line for line in walks if line.split()[1].removeprefix("temp.") not in SMALL] == []
    assert "SCAN archive" not in walks or name == "LAST_ARCHIVED"  # by seq, from its end: one row
    assert sorts(lines) == []


# -- what readers ask ----------------------------------------------------------------------------------


def walks(lines: list[str]) -> list[str]:
    """The lines that walk archive, totals or the index of words; here t is the index, or what was found."""
    return [
        line
        for line in lines
        if re.match(r"SCAN (a|archive|total)\b", line)
        or (line.startswith("SCAN t VIRTUAL TABLE") and ":M" not in line)
        or "AUTOMATIC" in line
    ]


RANGED: Final = ("QUERY_CONTENTS", "QUERY_RUNS", "HISTOGRAM")


@pytest.mark.parametrize("name", RANGED)
def test_a_range_is_searched_whatever_is_asked_of_it(plan: Plan, name: str) -> None:
    """The archive is searched by time; totals are walked only where everything is asked, contents may be."""
    lines = plan(getattr(statements, name).strip().rstrip(";"))

    assert [line for line in walks(lines) if name != "QUERY_CONTENTS" or line != "SCAN total"] == []
    # 3.40.1 goes on to the end of the archive, for a view that it does not flatten; it runs none of these.
    assert any(line.startswith("SEARCH a USING INDEX archive_last (last_us>?") for line in lines)
    assert all("content_id=?" in line for line in lines if "archive_content" in line)


ONE: Final = {
    "DESCRIBE_CONTENT": "t USING INTEGER PRIMARY KEY",
    "FIND_RUN": "archive USING INDEX sqlite_autoindex_archive_1 (id=?)",
    "FOLLOW_LAST": "a USING INDEX sqlite_autoindex_archive_1 (id>?)",
    "FOLLOW_OPEN": "q USING INTEGER PRIMARY KEY",
    "FOLLOW_OPENED": "a USING INDEX sqlite_autoindex_archive_1 (id>? AND id<?)",
    "FOLLOW_SINCE": "a USING INDEX archive_last (last_us>?)",
    "NEAR": "a USING INDEX archive_last (last_us>? AND last_us<?)",
    "NUMBERS_BEHIND": "archive USING INDEX archive_content (content_id=? AND last_us>? AND last_us<?)",
    "PARTS_OF_RUN": "archive USING INDEX archive_run (run_id=?)",
    "RUN_BEFORE": "archive USING INDEX archive_content (content_id=? AND last_us<?)",
    "RUNS_OF_CONTENT": "archive USING INDEX archive_content (content_id=?)",
    "SUM_GAPS": "archive USING INDEX archive_content (content_id=?)",
}
"""How each statement about a content, a run, a moment or what is new finds its rows."""


@pytest.mark.parametrize("name", ONE)
def test_one_content_one_run_and_what_is_new_are_searched(plan: Plan, name: str) -> None:
    """Neither archive, nor contents, nor totals are walked, and nothing is indexed on the way."""
    lines = plan(getattr(statements, name).strip().rstrip(";"))

    assert walks(lines) == scans(lines) == []
    assert any(line.startswith(f"SEARCH {ONE[name]}") for line in lines), lines


FILTER: Final[dict[str, Any]] = {
    "since_us": SINCE,
    "until_us": UNTIL,
    "ranged": 1,
    "state": "all",
    "every_content": 1,
    "severity": 7,
    "source_glob": "*",
    "fts": None,
    "raw": 0,
    "unseen_since_us": None,
    "order": "last",
    "limit": 50,
    "parts": 0,
    "begin_us": SINCE,
    "step_us": 60_000_000,
}
ASKED: Final[dict[str, dict[str, Any]]] = {
    "everything": {},
    "level": {"every_content": 0, "severity": 4},
    "source": {"every_content": 0, "source_glob": "*/node7/*"},
    "words": {"every_content": 0, "fts": "message"},
    "a rare word": {"every_content": 0, "fts": "77"},
    "new": {"unseen_since_us": 0},
    "new within": {"unseen_since_us": SINCE - 86_400_000_000},
    "open": {"state": "open"},
    "closed": {"state": "closed"},
    "first": {"order": "first"},
    "count": {"order": "count"},
    "no limit": {"limit": -1},
    "parts": {"parts": 1},
}
EVERYTHING: Final = {"since_us": 0, "until_us": 253_402_300_800_000_000, "ranged": 0}

each_question = pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)


@each_question
@pytest.mark.parametrize("name", RANGED)
def test_a_range_costs_what_is_in_it(here: Run, name: str, asked: dict[str, Any]) -> None:
    """Ten minutes of eleven days: less than a step for each archived episode; contents are walked twice."""
    did = here(getattr(statements, name), FILTER | asked)

    assert did.walked <= 2 * CONTENTS + OPEN + 1_000
    assert did.steps < EPISODES


@each_question
def test_everything_costs_what_contents_there_are(here: Run, asked: dict[str, Any]) -> None:
    """Without a range the kept totals answer; the archive is looked at for the texts of the rows alone."""
    did = here(statements.QUERY_CONTENTS, FILTER | asked | EVERYTHING)

    assert did.walked <= 3 * (CONTENTS + OPEN)
    assert did.steps < 2 * EPISODES  # a walk takes five for each


@pytest.mark.parametrize("within", [{}, EVERYTHING], ids=["a range", "everything"])
@pytest.mark.parametrize("which", ["everything", "level", "a rare word", "new", "count"])
def test_contents_cost_as_little_in_the_shell(in_the_shell: Run, which: str, within: dict[str, Any]) -> None:
    """3.40.1, too, looks at the archive by time and by content alone, with statistics and without."""
    did = in_the_shell(statements.QUERY_CONTENTS, FILTER | ASKED[which] | within)

    assert did.walked <= 3 * (CONTENTS + OPEN)
    assert did.steps < EPISODES
