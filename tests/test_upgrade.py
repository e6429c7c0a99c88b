"""From an older format to the present one: the same schema as a new file has, all data, one transaction."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from logstore import LogStore, errors, statements
from logstore.database import VERSION, Connection, open_writer
from logstore.upgrade import upgrade_file

DATA = Path(__file__).parent / "data" / "upgrade"
OLD_SCHEMA = (DATA / "schema_998.sql").read_text(encoding="utf-8")
"""A format that never was: other names, no totals, no view `log`, gaps in microseconds."""

STEPS = {
    998: (DATA / "998_to_999.sql").read_text(encoding="utf-8"),
    # The present schema, so that these files need not follow each change of it.
    999: statements.SCHEMA + (DATA / "999_to_1000.sql").read_text(encoding="utf-8"),
}


@pytest.fixture
def old(path: Path) -> Path:
    """A file of format 998 with three episodes of two contents, one of them open."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL")
    connection.execute(OLD_SCHEMA)
    connection.execute((DATA / "rows_998.sql").read_text(encoding="utf-8"))
    connection.close()
    return path


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Connection]:
    connection = open_writer(path, busy_timeout=1, vfs=None, group=None)
    try:
        yield connection
    finally:
        connection.close()


def asked(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = apsw.Connection(str(path))
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


def objects(path: Path) -> dict[tuple[str, str], str]:
    """Every object of the schema, its text without white space and comments' layout."""
    rows = asked(path, "SELECT type, name, coalesce(sql, '') FROM sqlite_schema")
    return {(kind, name): re.sub(r"\s+", " ", sql) for kind, name, sql in rows}


@pytest.mark.parametrize("version", [1000, 1001, 1002])
def test_each_format_that_was_written_reaches_the_present(tmp_path: Path, version: int) -> None:
    """From every real format the steps lead to the schema of a new file, and to the words of each content."""
    path = tmp_path / "old.db"
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL")
    connection.execute((DATA / f"schema_{version}.sql").read_text(encoding="utf-8"))
    connection.execute("INSERT INTO settings (one, window_ms, max_span_ms, max_open) VALUES (1, 5, 0, 70)")
    connection.execute("INSERT INTO store (one, store_id, host, created_us) VALUES (1, 'old', 'node1', 1)")
    connection.execute(
        "INSERT INTO content (hash, source, level, message) VALUES (zeroblob(32), 'node1/vip', 6, 'is up')"
    )
    connection.close()
    LogStore(tmp_path / "fresh.db").close()

    LogStore(path, upgrade=True).close()

    assert asked(path, "PRAGMA user_version") == [(VERSION,)]
    assert objects(path).keys() == objects(tmp_path / "fresh.db").keys()
    assert unaltered(path) == unaltered(tmp_path / "fresh.db")
    assert asked(path, "SELECT rowid FROM content_text WHERE content_text MATCH 'node1 vip'") == [(1,)]
    assert asked(path, "INSERT INTO content_text (content_text, rank) VALUES ('integrity-check', 1)") == []
    assert asked(path, "PRAGMA integrity_check") == [("ok",)]


def unaltered(path: Path) -> dict[tuple[str, str], str]:
    """The objects that no ALTER TABLE can have rewritten."""
    return {
        (kind, name): sql
        for (kind, name), sql in objects(path).items()
        if kind != "table" or sql.startswith("CREATE VIRTUAL")
    }


EPISODES = "SELECT id, state, message, first_us, last_us, count, gap_min_ms, reason FROM episode ORDER BY id"
KEPT = [
    (1, "closed", "vip is up", 1_000_000, 3_000_000, 3, 1000, "gap"),
    (2, "closed", "redis died", 2_000_000, 2_000_000, 1, None, "gap"),
    (3, "open", "vip is up", 9_000_000, 9_500_000, 2, 500, None),
]


def test_an_upgraded_schema_is_a_fresh_one(old: Path, tmp_path: Path) -> None:
    """After the steps every table, index, trigger and view is as in a new file."""
    LogStore(tmp_path / "fresh.db").close()
    with opened(old) as connection:
        assert upgrade_file(connection, STEPS) == (998, VERSION)

    assert objects(old) == objects(tmp_path / "fresh.db")
    assert asked(old, "PRAGMA integrity_check") == [("ok",)]


def test_an_upgrade_keeps_all_data(old: Path) -> None:
    """Each episode, the settings, the identity of the store and the ledger are as they were."""
    with opened(old) as connection:
        upgrade_file(connection, STEPS)

    assert asked(old, EPISODES) == KEPT
    assert asked(old, "SELECT window_ms, max_span_ms, max_open FROM settings") == [(5000, 0, 70)]
    assert asked(old, "SELECT store_id, host, next_id, open_count FROM store") == [
        ("the-old-one", "node1", 4, 1)
    ]
    assert asked(old, "SELECT writer, sequence FROM ledger") == [("node1", 42)]
    assert asked(old, "SELECT content_id, count, episodes FROM total ORDER BY content_id") == [
        (1, 3, 1),
        (2, 1, 1),
    ]


def test_an_upgraded_store_goes_on(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LogStore(upgrade=True) upgrades; then the open episode merges and ids go on from where they were."""
    monkeypatch.setitem(statements.UPGRADES, 998, STEPS[998])
    monkeypatch.setitem(statements.UPGRADES, 999, STEPS[999])
    with LogStore(old, upgrade=True, auto_sweep=False) as store:
        assert store.log("vip is up", source="node1/vip", timestamp_us=10_000_000) == 3
        assert store.log("new", timestamp_us=10_000_000) == 1
        assert [episode.id for episode in store.episodes(order="first")] == [1, 2, 3, 4]
        assert store.last_sequence("node1") == 42


@pytest.mark.parametrize("readonly", [False, True])
def test_an_older_file_is_refused_without_being_asked_to_upgrade(old: Path, readonly: bool) -> None:
    """LogStore(path) on an older file is VersionMismatch, names the command, and changes no data."""
    before = objects(old)
    with pytest.raises(errors.VersionMismatch, match=f"{re.escape(str(old))}.*0.998.*upgrade"):
        LogStore(old, readonly=readonly)
    assert objects(old) == before


def test_reading_never_upgrades(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """readonly=True refuses an older file also with upgrade=True."""
    monkeypatch.setitem(statements.UPGRADES, 998, STEPS[998])
    monkeypatch.setitem(statements.UPGRADES, 999, STEPS[999])
    with pytest.raises(errors.LogStoreError):
        LogStore(old, readonly=True, upgrade=True)
    assert asked(old, "PRAGMA user_version") == [(998,)]


@pytest.mark.parametrize(
    "fault",
    [
        "SELECT no_such_function();",
        "INSERT INTO archive (seq) VALUES (NULL);",
        "SELECT RAISE_THIS FROM nowhere;",
    ],
)
def test_a_step_that_fails_changes_nothing(old: Path, fault: str) -> None:
    """All steps are one transaction: where the last one fails at its end, the first one is undone, too."""
    before = objects(old)
    with opened(old) as connection, pytest.raises(errors.LogStoreError, match=re.escape(str(old))):
        upgrade_file(connection, {**STEPS, 999: STEPS[999] + fault})

    assert objects(old) == before
    assert asked(old, "PRAGMA user_version") == [(998,)]
    assert asked(
        old, "SELECT sum(count) FROM (SELECT count FROM queue UNION ALL SELECT count FROM archive)"
    ) == [(6,)]


@pytest.mark.parametrize(
    "steps", [{}, {999: STEPS[999]}, {998: STEPS[998]}], ids=["none", "no first", "no last"]
)
def test_an_unknown_way_is_refused(old: Path, steps: dict[int, str]) -> None:
    """Where a step is missing, the file stays as it was, and the error says so."""
    before = objects(old)
    with (
        opened(old) as connection,
        pytest.raises(errors.VersionMismatch, match=r"no way is known.*untouched"),
    ):
        upgrade_file(connection, steps)

    assert objects(old) == before
    assert asked(old, "PRAGMA user_version") == [(998,)]


def test_a_step_must_lead_on(old: Path) -> None:
    """A step that leaves user_version where it was is an error, and is not run again."""
    counting = (
        "CREATE TABLE IF NOT EXISTS run (n); INSERT INTO run VALUES (1);"
        "SELECT CASE WHEN count(*) > 2 THEN json('run three times') END FROM run;"
    )
    with opened(old) as connection, pytest.raises(errors.VersionMismatch):
        upgrade_file(connection, {998: counting})


def test_a_file_of_this_format_is_left_alone(path: Path) -> None:
    """Upgrading what is up to date does nothing, and says so by equal numbers."""
    LogStore(path).close()
    with opened(path) as connection:
        assert upgrade_file(connection, STEPS) == (VERSION, VERSION)
    LogStore(path, upgrade=True).close()


def test_another_programs_file_is_not_upgraded(path: Path) -> None:
    """upgrade=True does not make a foreign file ours."""
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE note (text)")
    connection.close()
    with pytest.raises(errors.NotALogStore):
        LogStore(path, upgrade=True)
    assert list(objects(path)) == [("table", "note")]
