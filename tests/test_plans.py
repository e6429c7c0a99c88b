"""Queries by time and by content use indexes, at a million episodes, with and without statistics.

On the oldest SQLite and on ours. What is asserted is the plan, never the time.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

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
INSERT INTO archive (id, content_id, run_id, first_us, last_us, count, gap_min_ms, gap_max_ms, reason)
SELECT
    i, 1 + i * 7919 % {CONTENTS}, i, {START_US} + i * 1000000, {START_US} + (i + i % 600) * 1000000,
    1 + i % 10, 0, 1000, 'gap'
FROM n;

WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {OPEN})
INSERT INTO queue (
    content_id, content_hash, id, run_id, prior_count, first_us, last_us, count, received_us, receipt)
SELECT c.id, c.hash, {EPISODES} + i, {EPISODES} + i, 0, {NOW_US} + i, {NOW_US} + i * 2, 1, {NOW_US} + i, 1
FROM n JOIN content AS c ON c.id = i;
UPDATE store SET open_count = {OPEN};
COMMIT;
"""

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
            sql = sql.replace("matches(", "max(1, ")  # a function that this SQLite knows
            done = shell(file, f"EXPLAIN QUERY PLAN {sql};", "-readonly")
            assert (done.returncode, done.stderr) == (0, "")
            return [line.strip(" |`-") for line in done.stdout.splitlines()]

        yield of_the_shell
        return
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    connection.create_scalar_function("matches", lambda *_: True)

    def ours(sql: str) -> list[str]:
        given: dict[str, Any] = dict.fromkeys(re.findall(r":(\w+)", re.sub("--.*", "", sql)), 1)
        return [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", given)]

    yield ours
    connection.close()


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


STEPS: Final = (
    "FIND_OPEN",
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
    assert [line for line in walks if line.split()[1] not in {"store", "settings", "archive"}] == []
    assert "SCAN archive" not in walks or name == "LAST_ARCHIVED"  # by seq, from its end: one row
    assert sorts(lines) == []
