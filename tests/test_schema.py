"""What the file itself promises to any program: the stock sqlite3 shell, 3.40.1 in Debian 12, is one."""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from conftest import Shell
from model import NOW_US, Clock

from logstore import LogStore, Record

S_US = 1_000_000


@pytest.fixture
def file(path: Path, clock: Clock) -> Path:
    """A store written by the library: content 1 in archive and queue, 2 in the queue, 3 in the archive.

    Episodes: 1 (content 1, closed, span), 2 (content 1, open, continues 1), 3 (content 2, open),
    4 (content 3, closed, gap).
    """
    with LogStore(path, window=60, max_span=60, clock_us=clock, auto_sweep=False) as store:
        for second in (0, 30, 60, 90):
            store.log(
                "vip is up", source="node1/vip", timestamp_us=NOW_US + second * S_US, attributes={"n": second}
            )
        store.log("redis died", level="error", source="node2/redis", timestamp_us=NOW_US + 80 * S_US)
        store.log("old", level="debug", timestamp_us=NOW_US - 1000 * S_US)
        clock.forward(s=61)
        for message in ("vip is up", "redis died"):
            level, source = ("info", "node1/vip") if message == "vip is up" else ("error", "node2/redis")
            store.log(message, level=level, source=source, timestamp_us=NOW_US + 100 * S_US)
        assert store.sweep() == 1
    return path


def ask(shell: Shell, path: Path, sql: str, *options: str) -> list[dict[str, Any]]:
    done = shell(path, sql, "-json", *options)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout) if done.stdout else []


def dump(shell: Shell, path: Path) -> str:
    done = shell(path, ".dump")
    assert done.returncode == 0
    return done.stdout


def refused(shell: Shell, path: Path, sql: str, why: str) -> None:
    """The shell fails with the reason, and the file holds what it held."""
    before = dump(shell, path)
    done = shell(path, sql)
    assert done.returncode != 0
    assert why in done.stderr
    assert dump(shell, path) == before


COLUMNS = (
    "id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms, first_text, "
    "last_text, first_attributes, last_attributes, reason"
)
FORGED = "SELECT hash, 's', 6, 'forged' FROM content WHERE id = 1"
LEAVE = f"INSERT INTO archive ({COLUMNS}) SELECT {COLUMNS.removesuffix('reason')} 'evicted' FROM queue"
"""Moves what is open into the archive."""
VALUES = "1, 1, 1, NULL, 0, 0, 999, NULL, NULL, NULL, NULL, NULL, NULL, 'gap'"


def test_the_shell_is_the_oldest_one_promised(shell: Shell, path: Path) -> None:
    """These tests prove what they say where 3.40.1 is the shell; a newer one proves less."""
    (row,) = ask(shell, path, "SELECT sqlite_version() AS version;")
    if row["version"] != "3.40.1":
        pytest.skip(f"NO sqlite3 3.40.1 HERE but {row['version']}: run the tests on Debian 12 to prove that")
    assert row["version"] == "3.40.1"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE archive SET count = count + 1;",
        "UPDATE archive SET reason = 'gap' WHERE id = 4;",
        "UPDATE archive SET seq = 77 WHERE id = 4;",
        "UPDATE OR REPLACE archive SET id = 4 WHERE id = 1;",
        "UPDATE OR IGNORE archive SET count = 7;",
        "DELETE FROM archive;",
        "DELETE FROM archive WHERE id = 4;",
        f"REPLACE INTO archive ({COLUMNS}) VALUES ({VALUES});",
        f"INSERT OR REPLACE INTO archive ({COLUMNS}) VALUES ({VALUES});",
        f"INSERT OR REPLACE INTO archive (seq, {COLUMNS}) VALUES (1, {VALUES.replace('1', '77', 1)});",
        f"INSERT INTO archive ({COLUMNS}) VALUES ({VALUES}) ON CONFLICT (id) DO UPDATE SET count = 999;",
        f"INSERT INTO archive ({COLUMNS}) VALUES ({VALUES}) ON CONFLICT DO NOTHING;",
        "PRAGMA recursive_triggers = ON; REPLACE INTO archive SELECT * FROM archive;",
        "PRAGMA recursive_triggers = OFF; REPLACE INTO archive SELECT * FROM archive;",
    ],
)
def test_the_archive_is_append_only(shell: Shell, file: Path, sql: str) -> None:
    """No UPDATE, DELETE, REPLACE or UPSERT touches the archive, whatever the program that sends it."""
    refused(shell, file, sql, "archive is append-only")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE content SET message = 'forged';",
        "UPDATE content SET level = 7 WHERE id = 2;",
        "UPDATE OR REPLACE content SET id = 1 WHERE id = 2;",
        "DELETE FROM content;",
        "DELETE FROM content WHERE id = 3;",
        "REPLACE INTO content (id, hash, source, level, message) VALUES (1, zeroblob(32), 's', 6, 'forged');",
        f"INSERT OR REPLACE INTO content (hash, source, level, message) {FORGED};",
        f"INSERT INTO content (hash, source, level, message) {FORGED} ON CONFLICT DO UPDATE SET level = 0;",
    ],
)
def test_content_is_append_only(shell: Shell, file: Path, sql: str) -> None:
    """No UPDATE, DELETE, REPLACE or UPSERT touches what is known of a content."""
    refused(shell, file, sql, "content is append-only")


@pytest.mark.parametrize("sql", ["DELETE FROM queue;", "DELETE FROM queue WHERE id = 3;"])
def test_the_queue_is_not_emptied_by_hand(shell: Shell, file: Path, sql: str) -> None:
    """An open episode leaves the queue only into the archive."""
    refused(shell, file, sql, "leaves the queue only into the archive")


def test_no_half_of_a_move_is_possible(shell: Shell, file: Path) -> None:
    """Whatever enters the archive has left the queue in the same statement, and the counters know it."""
    before = ask(shell, file, "SELECT sum(count) AS n, count(*) AS episodes FROM episode;")

    assert shell(file, f"{LEAVE} WHERE id = 3;").returncode == 0

    assert ask(shell, file, "SELECT id, state FROM episode WHERE id = 3;") == [{"id": 3, "state": "closed"}]
    assert ask(shell, file, "SELECT sum(count) AS n, count(*) AS episodes FROM episode;") == before
    assert ask(shell, file, "SELECT open_count FROM store;") == [{"open_count": 1}]


def test_a_sweep_by_hand_moves_what_the_library_would(shell: Shell, file: Path) -> None:
    """sql/sweep.sql runs in the shell as it stands, with its parameters set."""
    sweep = (Path(__file__).parent.parent / "sql" / "sweep.sql").as_posix()
    parameters = {"from_us": 0, "until_us": 1 << 61, "quiet_before_us": 1 << 61, "limit": 1000}
    lines = [f".parameter set :{name} {value}" for name, value in parameters.items()]

    assert shell(file, "\n".join([*lines, f".read {sweep}"])).returncode == 0

    assert ask(shell, file, "SELECT count(*) AS n FROM queue;") == [{"n": 0}]
    with LogStore(file, readonly=True) as store:
        assert sorted((e.id, e.state) for e in store.episodes()) == [(n, "closed") for n in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("last_us", "horizon_us"), [(NOW_US - 1000 * S_US, NOW_US - 1000 * S_US), (NOW_US - 1000 * S_US, 0)]
)
def test_nothing_younger_than_the_horizon_can_be_deleted(
    shell: Shell, file: Path, last_us: int, horizon_us: int
) -> None:
    """An episode last seen at the horizon, or after it, stays."""
    assert shell(file, f"UPDATE store SET horizon_us = {horizon_us};").returncode == 0
    refused(shell, file, f"DELETE FROM archive WHERE last_us = {last_us};", "archive is append-only")


def test_what_is_older_than_the_horizon_can_be_deleted(shell: Shell, file: Path) -> None:
    """Retention advances the horizon first; then an older episode goes, and its content after it."""
    horizon_us = NOW_US - 1000 * S_US + 1
    done = shell(
        file,
        f"BEGIN; UPDATE store SET horizon_us = {horizon_us};"
        f"DELETE FROM archive WHERE last_us < {horizon_us};"
        "DELETE FROM total WHERE content_id = 3; DELETE FROM content WHERE id = 3; COMMIT;",
    )
    assert done.returncode == 0
    assert ask(shell, file, "SELECT id FROM episode ORDER BY id;") == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert ask(shell, file, "SELECT id FROM content ORDER BY id;") == [{"id": 1}, {"id": 2}]


def test_the_horizon_never_goes_back(shell: Shell, file: Path) -> None:
    """What retention may delete is decided once."""
    assert shell(file, "UPDATE store SET horizon_us = 1000;").returncode == 0
    refused(shell, file, "UPDATE store SET horizon_us = 999;", "the horizon never goes back")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_content_in_use_is_never_deleted(shell: Shell, file: Path, number: int) -> None:
    """Also after the horizon has advanced, a content that an episode refers to stays."""
    assert shell(file, f"UPDATE store SET horizon_us = {NOW_US - 2000 * S_US};").returncode == 0
    refused(shell, file, f"DELETE FROM content WHERE id = {number};", "content is append-only")


@pytest.mark.parametrize("table", ["content", "archive"])
def test_ids_are_never_reused(shell: Shell, file: Path, table: str) -> None:
    """AUTOINCREMENT keeps the ids of deleted contents and the order of appends for ever."""
    (row,) = ask(shell, file, f"SELECT seq FROM sqlite_sequence WHERE name = '{table}';")
    assert row["seq"] == {"content": 3, "archive": 2}[table]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("UPDATE queue SET count = 0;", "count_is_positive"),
        ("UPDATE queue SET first_us = last_us + 1;", "first_is_not_after_last"),
        ("UPDATE queue SET count = 'many';", "cannot store TEXT value in INTEGER column"),
        ("INSERT INTO content (hash, source, level, message) VALUES (x'00', 's', 6, 'm');", "hash_is_sha256"),
        ("INSERT INTO content (hash, source, level, message) VALUES (zeroblob(32), 's', 8, 'm');", "level"),
        ("UPDATE settings SET max_span_ms = 1;", "max_span_is_off_or_at_least_window"),
        ("UPDATE settings SET max_open = 0;", "max_open_is_positive"),
        ("UPDATE settings SET window_ms = -1;", "window_is_a_duration"),
        ("INSERT INTO ledger VALUES ('w', 0);", "sequence_starts_at_one"),
        ("INSERT INTO settings VALUES (2, 1, 1, 1, 'none', 'none');", "one = 1"),
        ("INSERT INTO queue SELECT * FROM queue;", "UNIQUE constraint failed"),
        (f"{LEAVE.replace('evicted', 'bored')};", "reason_is_known"),
    ],
)
def test_the_schema_refuses_what_makes_no_sense(shell: Shell, file: Path, sql: str, why: str) -> None:
    """Each constraint holds in any program, and its name is in the message."""
    refused(shell, file, sql, why)


EPISODE_COLUMNS: Final = (
    *("id", "state", "first_seen", "last_seen", "count", "level", "level_name", "source", "message"),
    *("gap_min_ms", "gap_max_ms", "first_text", "last_text", "reason", "first_us", "last_us", "content_id"),
    *("content_hash", "continues", "first_attributes", "last_attributes"),
)
LOG_COLUMNS: Final = (
    *("last_seen", "first_seen", "count", "episodes", "level_name", "source", "message", "content_id"),
    *("first_us", "last_us"),
)


@pytest.mark.parametrize(("view", "columns"), [("episode", EPISODE_COLUMNS), ("log", LOG_COLUMNS)])
def test_a_view_has_the_promised_columns_in_their_order(
    shell: Shell, file: Path, view: str, columns: tuple[str, ...]
) -> None:
    """The columns of the views are a promise: their names and their order."""
    assert [row["name"] for row in ask(shell, file, f"PRAGMA table_info({view});")] == list(columns)


def test_the_view_episode_shows_each_episode(shell: Shell, file: Path) -> None:
    """One row an episode, open and closed alike, with times as text in UTC."""
    first, second, third, fourth = ask(shell, file, "SELECT * FROM episode ORDER BY id;")

    assert first == {
        "id": 1,
        "state": "closed",
        "first_seen": "2025-12-07 00:00:00.000000",
        "last_seen": "2025-12-07 00:01:00.000000",
        "count": 3,
        "level": 6,
        "level_name": "info",
        "source": "node1/vip",
        "message": "vip is up",
        "gap_min_ms": 30_000,
        "gap_max_ms": 30_000,
        "first_text": "vip is up",
        "last_text": "vip is up",
        "reason": "span",
        "first_us": NOW_US,
        "last_us": NOW_US + 60 * S_US,
        "content_id": 1,
        # printf 'node1/vip\037info\037vip is up' | sha256sum
        "content_hash": "d0958b2f11559cc5171160cada2354ff47e0adabdd488b03231f968ab14ae76b",
        "continues": None,
        "first_attributes": '{"n":0}',
        "last_attributes": '{"n":60}',
    }
    assert (second["state"], second["continues"], second["reason"], second["gap_min_ms"]) == (
        "open",
        1,
        None,
        10_000,
    )
    assert (third["state"], third["count"], third["level_name"]) == ("open", 2, "error")
    assert (fourth["state"], fourth["reason"], fourth["gap_max_ms"]) == ("closed", "gap", None)


def test_the_view_log_shows_each_content_newest_first(shell: Shell, file: Path) -> None:
    """One row a content: counts and episodes summed over queue and archive."""
    assert ask(
        shell, file, "SELECT content_id, count, episodes, first_seen, last_seen, level_name FROM log;"
    ) == [
        {
            "content_id": 1,
            "count": 5,
            "episodes": 2,
            "first_seen": "2025-12-07 00:00:00.000000",
            "last_seen": "2025-12-07 00:01:40.000000",
            "level_name": "info",
        },
        {
            "content_id": 2,
            "count": 2,
            "episodes": 1,
            "first_seen": "2025-12-07 00:01:20.000000",
            "last_seen": "2025-12-07 00:01:40.000000",
            "level_name": "error",
        },
        {
            "content_id": 3,
            "count": 1,
            "episodes": 1,
            "first_seen": "2025-12-06 23:43:20.000000",
            "last_seen": "2025-12-06 23:43:20.000000",
            "level_name": "debug",
        },
    ]


def test_the_view_log_is_newest_first_by_itself(shell: Shell, path: Path, clock: Clock) -> None:
    """`SELECT * FROM log` needs no ORDER BY, whichever half a content comes from."""
    with LogStore(path, clock_us=clock, auto_sweep=False) as store:
        store.log_many(Record(f"m{n}", timestamp_us=NOW_US - (n * 7 % 50) * 400 * S_US) for n in range(50))
        clock.forward(s=151)
        store.sweep()
        store.log_many(Record(f"m{n}", timestamp_us=NOW_US - n * 1000 * S_US) for n in range(0, 50, 3))

    times = [row["last_us"] for row in ask(shell, path, "SELECT last_us FROM log;")]
    assert times == sorted(times, reverse=True)
    assert len(times) == 50


def test_a_store_can_be_read_while_it_is_written(shell: Shell, path: Path, clock: Clock) -> None:
    """With -readonly the shell reads both views of a store that is open, and sees what is only in the WAL."""
    with LogStore(path, clock_us=clock) as store:
        store.log("first")
        for number in range(50):
            store.log(f"m{number}")
            seen = (
                ask(shell, path, "SELECT sum(count) AS n FROM log;", "-readonly")
                if number % 10 == 0
                else None
            )
            assert seen in (None, [{"n": number + 2}])
        assert path.with_name("log.db-wal").stat().st_size > 0
        assert ask(shell, path, "SELECT count(*) AS n FROM episode;", "-readonly") == [{"n": 51}]
        assert "readonly" in shell(path, "DELETE FROM queue;", "-readonly").stderr


def test_the_shell_and_the_library_write_one_file_in_turn(shell: Shell, path: Path, clock: Clock) -> None:
    """What the shell commits beside an open store is not overlooked by it: no cache is stale."""
    with LogStore(path, clock_us=clock, auto_sweep=False) as store:
        store.log("m")
        store.log("m")
        assert shell(path, f"{LEAVE};").returncode == 0
        assert store.log("m") == 1
        assert [(e.id, e.count, e.state) for e in store.episodes()] == [(1, 2, "closed"), (2, 1, "open")]


def test_the_schema_explains_itself(shell: Shell, file: Path) -> None:
    """`.schema` shows a comment inside the DDL of each table and view."""
    ddl = {
        row["name"]: row["sql"]
        for row in ask(
            shell,
            file,
            "SELECT name, sql FROM sqlite_schema "
            "WHERE type IN ('table', 'view') AND name <> 'sqlite_sequence' "
            "AND name NOT GLOB 'content_text_*';",
        )
    }
    assert {"content", "queue", "archive", "episode", "log"} <= ddl.keys()
    assert [
        name
        for name, sql in ddl.items()
        if not re.match(r"CREATE (VIRTUAL )?(TABLE|VIEW) \w+ (USING fts5 )?(AS )?(\( )? *-- \w", sql)
    ] == []
    assert all(" -- " in sql for sql in ddl.values())


def test_every_table_is_strict(shell: Shell, file: Path) -> None:
    """Each table of ours is STRICT: a number stays a number, whoever writes it."""
    loose = ask(
        shell,
        file,
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict "
        "AND name NOT LIKE 'sqlite%';",
    )
    assert loose == []


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("application_id", "1282369363"),
        ("user_version", "1003"),
        ("auto_vacuum", "2"),
        ("journal_mode", "wal"),
        ("encoding", "UTF-8"),
        ("integrity_check", "ok"),
        ("foreign_key_check", ""),
    ],
)
def test_the_header_says_what_the_file_is(shell: Shell, file: Path, pragma: str, value: str) -> None:
    """Application id, format, vacuum mode and journal are as promised, and the file is sound."""
    assert shell(file, f"PRAGMA {pragma};").stdout.strip() == value


INCONSISTENCIES = {
    "an episode without content": "SELECT id FROM episodes WHERE content_id NOT IN (SELECT id FROM content)",
    "an episode twice": "SELECT id FROM episodes GROUP BY id HAVING count(*) > 1",
    "a continuation of nothing": "SELECT id FROM episodes WHERE continues NOT IN (SELECT id FROM episodes)",
    "a run that begins nowhere": "SELECT id FROM episodes WHERE run_id NOT IN (SELECT id FROM episodes)",
    "an id that is still to come": "SELECT id FROM episodes WHERE id >= (SELECT next_id FROM store)",
    "a queue whose hash is not its content's": (
        "SELECT q.id FROM queue AS q JOIN content AS c ON c.id = q.content_id WHERE q.content_hash <> c.hash"
    ),
    "a wrong number of open episodes": (
        "SELECT open_count FROM store WHERE open_count <> (SELECT count(*) FROM queue)"
    ),
    "an episode longer than the longest": (
        "SELECT id FROM episodes WHERE last_us - first_us > (SELECT longest_us FROM store)"
    ),
    "a total that is none": (
        "SELECT content_id FROM total AS t WHERE (count, episodes, first_us, last_us) <> "
        "(SELECT sum(count), count(*), min(first_us), max(last_us) FROM archive AS a "
        "WHERE a.content_id = t.content_id)"
    ),
    "an archived content without total": (
        "SELECT content_id FROM archive WHERE content_id NOT IN (SELECT content_id FROM total)"
    ),
}


@pytest.mark.parametrize("query", INCONSISTENCIES.values(), ids=INCONSISTENCIES)
def test_the_tables_agree(shell: Shell, file: Path, query: str) -> None:
    """What one table says of another is true."""
    columns = "id, content_id, run_id, continues, first_us, last_us"
    both = f"SELECT {columns} FROM queue UNION ALL SELECT {columns} FROM archive"
    assert ask(shell, file, f"WITH episodes AS ({both}) {query};") == []


def test_each_text_is_stored_once(path: Path, clock: Clock) -> None:
    """A thousand episodes of one long message take its room once."""
    message = "x" * 100_000
    with LogStore(path, window=1, max_span=0, clock_us=clock) as store:
        store.log_many(Record(message, timestamp_us=NOW_US + number * 2 * S_US) for number in range(1000))
    assert path.stat().st_size < 500_000
