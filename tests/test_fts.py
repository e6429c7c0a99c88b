"""Full text over contents: in step with them whatever happens, in any program; errors name the fix."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from conftest import Shell
from model import NOW_US, Clock

from logstore import LogStore, Record, errors
from logstore.database import Connection, open_reader, open_writer
from logstore.search.fulltext import checked_words, quoted

MESSAGES = (
    "p_web_monitor_3000 error output [ cannot access '/etc/nginx' ]",
    "vip 10.0.0.12 is up",
    "p-web is down",
    "Zeitüberschreitung",
)
IN_STEP = "INSERT INTO content_text (content_text, rank) VALUES ('integrity-check', 1);"
"""Raises, or ends the shell, where the index is not that of the contents."""


@pytest.fixture
def file(path: Path, clock: Clock) -> Path:
    with LogStore(path, clock_us=clock) as store:
        store.log_many(Record(message, source=f"alfa{n % 2 + 1}/web") for n, message in enumerate(MESSAGES))
    return path


@pytest.fixture
def reader(file: Path) -> Iterator[Connection]:
    with open_reader(file, busy_timeout=1) as connection:
        yield connection


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Connection]:
    with open_writer(path, busy_timeout=1, vfs=None, group=None) as connection:
        yield connection


def found(shell: Shell, path: Path, words: str) -> list[int]:
    quoted_words = words.replace("'", "''")
    done = shell(
        path, f"SELECT rowid FROM content_text WHERE content_text MATCH '{quoted_words}';", "-readonly"
    )
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(map(int, done.stdout.split()))


def in_step(shell: Shell, path: Path) -> bool:
    """Whether index and contents agree, for the oldest SQLite and for ours."""
    with writing(path) as connection:
        connection.rows(IN_STEP)
        assert connection.rows("PRAGMA integrity_check") == [("ok",)]
    return shell(path, IN_STEP).returncode == 0


@pytest.mark.parametrize(
    ("words", "contents"),
    [
        ("p_web", [1, 3]),
        ('"10.0.0.12"', [2]),
        ("error AND nginx", [1]),
        ("web NOT error", [2, 3, 4]),
        ("message:web NOT error", [3]),
        ("source:alfa2", [2, 4]),
        ("monit*", [1]),
        ("zeituberschreitung", [4]),
        ("nothing", []),
    ],
)
def test_the_shell_finds_words(shell: Shell, file: Path, words: str, contents: list[int]) -> None:
    """A word with _ or in quotes is a phrase of its parts; case and accents don't count."""
    assert found(shell, file, words) == contents
    assert in_step(shell, file)


def test_what_the_shell_writes_is_found(shell: Shell, file: Path) -> None:
    """INSERT by hand adds words; DELETE, after the horizon has passed, takes them away."""
    insert = "INSERT INTO content (hash, source, level, message) VALUES (zeroblob(32), 's', 6, 'by hand');"
    assert shell(file, f"{insert} UPDATE store SET horizon_us = 1;").returncode == 0
    assert found(shell, file, "hand") == [5]

    assert shell(file, "PRAGMA recursive_triggers = ON; DELETE FROM content WHERE id = 5;").returncode == 0

    assert found(shell, file, "hand") == []
    assert in_step(shell, file)


@pytest.mark.parametrize(
    "sql",
    [
        "REPLACE INTO content (hash, source, level, message) SELECT hash, 's', 6, 'forged' FROM content;",
        "INSERT OR IGNORE INTO content (id, hash, source, level, message) SELECT 1, x'', '', 6, 'forged';",
        "DELETE FROM content WHERE id = 1;",
        "UPDATE content SET message = 'forged';",
    ],
)
def test_what_content_refuses_leaves_the_words(shell: Shell, file: Path, sql: str) -> None:
    """A refused statement changes no word, whatever its conflict clause."""
    assert shell(file, sql).returncode != 0
    assert found(shell, file, "forged") == []
    assert found(shell, file, "web") == [1, 2, 3, 4]
    assert in_step(shell, file)


def test_retention_takes_the_words_along(shell: Shell, path: Path, clock: Clock) -> None:
    """A content deleted by a connection of the library is found no more; the others are."""
    with LogStore(path, clock_us=clock, auto_sweep=False) as store:
        store.log_many(Record(f"old{n} thing", timestamp_us=NOW_US - 1000) for n in range(50))
        store.sweep(now_us=NOW_US + 1_000_000_000)
        store.log("new thing")
    with writing(path) as connection, connection.transaction():
        connection.rows(f"UPDATE store SET horizon_us = {NOW_US}")
        connection.rows(f"DELETE FROM archive WHERE last_us < {NOW_US}")
        connection.rows("DELETE FROM content WHERE id NOT IN (SELECT content_id FROM queue)")

    assert found(shell, path, "thing") == [51]
    assert in_step(shell, path)


def test_a_transaction_that_fails_leaves_no_words(shell: Shell, file: Path) -> None:
    """ROLLBACK takes the words of its contents back."""
    with contextlib.suppress(KeyError), writing(file) as connection, connection.transaction():
        connection.rows(
            "INSERT INTO content (hash, source, level, message) VALUES (zeroblob(32), '', 6, 'gone')"
        )
        raise KeyError

    assert found(shell, file, "gone") == []
    assert in_step(shell, file)


def test_a_kill_leaves_no_words_without_content(shell: Shell, path: Path) -> None:
    """Killed at any moment of many batches: what is there is found, and nothing else."""
    program = (
        "import sys; from logstore import LogStore, Record\n"
        "with LogStore(sys.argv[1]) as store:\n"
        "    for n in range(1_000_000):\n"
        "        store.log_many(Record(f'thing number{n * 20 + i}') for i in range(20))\n"
        "        if n == 10: print('going', flush=True)\n"
    )
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()

        contents = shell(path, "SELECT count(*) FROM content;").stdout.strip()
        assert in_step(shell, path)
        assert len(found(shell, path, "thing")) == int(contents) > 0


def test_vacuum_keeps_the_words(shell: Shell, file: Path) -> None:
    """VACUUM and incremental vacuum, by ours and by the oldest, leave the words with their contents."""
    with writing(file) as connection:
        connection.rows("VACUUM")
        connection.rows("PRAGMA incremental_vacuum")
    assert shell(file, "VACUUM; PRAGMA incremental_vacuum;").returncode == 0

    assert found(shell, file, "p_web") == [1, 3]
    assert in_step(shell, file)


def test_the_index_stores_no_text(path: Path, clock: Clock) -> None:
    """Of a long text only its words are added, not the text again."""
    message = "again and " * 20_000
    with LogStore(path, clock_us=clock) as store:
        store.log(message)
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    size = connection.execute("SELECT sum(length(block)) FROM content_text_data").get
    connection.close()
    assert size < len(message) / 2


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT rowid FROM content_text WHERE content_text MATCH 'nginx'",
        "SELECT rowid FROM content_text('nginx') ORDER BY rank",
        "SELECT id FROM content WHERE id IN (SELECT rowid FROM content_text('nginx'))",
    ],
)
def test_a_guarded_connection_searches(reader: Connection, statement: str) -> None:
    """What only reads may search words, too, and still not write."""
    reader.guard(5)
    assert reader.columns(statement)
    assert reader.rows(statement) == [(1,)]
    for other in (IN_STEP, "PRAGMA user_version", "PRAGMA data_version = 1; PRAGMA wal_checkpoint"):
        with pytest.raises(errors.InvalidQuery):
            reader.rows(other)


@pytest.mark.parametrize(
    "words",
    ["p_web", '"10.0.0.12"', "a OR b*", "(a NOT b) AND c", "source:alfa2", 'message : "a b" + c', "^vip"],
)
def test_a_good_query_is_taken_as_it_is(reader: Connection, words: str) -> None:
    assert checked_words(reader, words) == words


@pytest.mark.parametrize(
    ("words", "why", "fix"),
    [
        ("10.0.0.12", 'syntax error near "."', """'"10.0.0.12"'"""),
        ("p-web", "no such column: web", """'"p-web"'"""),
        ("rc=7 AND 10.0.0.12", "syntax error", """'"rc=7" AND "10.0.0.12"'"""),
        ("host:alfa1", "no such column: host", """'"host:alfa1"'"""),
        ("web AND", "syntax error", """'"web AND"'"""),
        ('"web', "unterminated string", '''\'"""web"\''''),
        ("it's", "syntax error", '''"it'"'"'s"'''),
        ("a\0b", "syntax error", r"""'"a\x00b"'"""),
        ("*reads", "no word begins with", """'"*reads"'"""),
    ],
)
def test_a_bad_query_names_its_fix(reader: Connection, words: str, why: str, fix: str) -> None:
    """The error says what is wrong and gives words that can be typed into a shell as they stand."""
    with pytest.raises(errors.InvalidQuery) as caught:
        checked_words(reader, words)
    assert why in str(caught.value)
    assert fix in str(caught.value)


@pytest.mark.parametrize("words", ["", "  ", "---", "_", '"."', "()"])
def test_no_word_is_no_query(reader: Connection, words: str) -> None:
    with pytest.raises(errors.InvalidQuery, match="no word to look for"):
        checked_words(reader, words)


def test_only_what_needs_it_is_quoted() -> None:
    assert quoted('a OR (b-c AND "d e"*) x:y source:z') == 'a OR ( "b-c" AND "d e"* ) "x:y" source:z'
