"""`query` with what it cannot answer: one or two lines with the fix, its exit code, and nothing on stdout."""

import itertools
import shutil
from pathlib import Path

import apsw
import pytest
from cli import Cli

from logstore import LogStore, Record

AT_US = 1_795_306_800_000_000  # 2026-11-22 00:20:00 UTC
RANGES = ("2026-11-22 00:20..00:25", "00:25..00:40")


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A store that nobody changes: two contents, one of them of many letters `a`."""
    found = Cli(tmp_path_factory.mktemp("bad"))
    with LogStore(found.db, clock_us=lambda: AT_US) as store:
        store.log_many([Record("disk failed", "crit", "alfa1/kernel", AT_US)])
        store.log_many([Record("a" * 200 + "!", "info", "alfa1/IPaddr2", AT_US)])
    return found


@pytest.fixture
def own(tmp_path: Path) -> Cli:
    """A folder with no store yet."""
    return Cli(tmp_path)


# -- words that mean nothing -------------------------------------------------------------------------

WORDS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("-S", "10/11/2026"): ("'10/11/2026'", "use 2026-11-22"),
    ("-S", "May"): ("'May'", "use 2026-11-22"),
    ("-S", "10"): ("'10'", "14:30"),
    ("-S", ""): ("''", "yesterday"),
    ("-U", "25:00"): ("'25:00'", "0..23"),
    ("-U", "2026-02-30"): ("'2026-02-30'", "day"),
    ("-S", "2026-11-22 24:00"): ("no date", "0..23"),
    ("-S", "2026-11-23", "-U", "2026-11-22"): ("turn them round",),
    ("-S", "15m", "-U", "1h"): ("turn them round",),
    ("-S", "2026-10-25 02:30", "--tz", "Europe/Berlin"): ("happens twice", "+01:00 or +02:00"),
    ("-S", "2026-03-29 02:30", "--tz", "Europe/Berlin"): ("is skipped", "+01:00 or +02:00"),
    ("--tz", "Nowhere/City"): ("'Nowhere/City'", "Europe/Berlin"),
    ("--tz", "../../etc/passwd"): ("no time zone", "Europe/Berlin"),
    ("--utc", "--tz", "UTC"): ("take one",),
    ("-p", "loud"): ("'loud'", "emergency", "0 to 7"),
    ("-p", ""): ("''", "emergency"),
    ("--fields", "id,mesage"): ("'mesage'", "message"),
    ("--fields", ""): ("''", "first_seen"),
    ("--fields", "bogus", "-c"): ("'bogus'",),
    ("--fields", "bogus", "nowhere"): ("'bogus'",),
    ("--fields", "change"): ("'change'",),
    ("--fields", "bogus", "--diff", *RANGES): ("'bogus'", "change"),
    ("--saved", "nope"): ("'nope'", "loudest"),
    ("--saved", ""): ("''", "loudest"),
    ("--sort", "size"): ("'size'", "'first'"),
    ("--state", "ajar"): ("'ajar'", "'closed'"),
    ("--color", "red"): ("'red'", "'never'"),
    ("-o", "xml"): ("'xml'", "'jsonl'"),
    ("-n", "0"): ("all",),
    ("-n", "many"): ("'many'", "all"),
    ("-E", "(a"): ("'(a'", "does not compile"),
    ("-E", "*"): ("'*'", "does not compile"),
    ("-E",): ("PATTERN",),
    ("--raw",): ("PATTERN",),
    ("--fts", "disk AND"): ("'disk AND'", "double quotes"),
    ("--fts", "10.0.0.1"): ('"10.0.0.1"',),
    ("--fts", '"disk'): ("double quotes",),
    ("--fts", "nothing:disk"): ("double quotes",),
    ("--fts", ""): ("''", "letters"),
    ("--fts", "***"): ("letters",),
    ("--step", "0s"): ("--step", "1m"),
    ("--step", "often"): ("'often'", "15m"),
    ("--step", ""): ("''", "15m"),
    ("--step", "1ms", "-S", "2026-11-22", "-U", "2026-11-23"): ("longer --step", "shorter range"),
    ("--diff", "00:20-00:25", "00:25-00:30"): ("14:00..14:30", "'00:20-00:25'"),
    ("--diff", "2026-11-22 00:25..2026-11-22 00:20", "x"): ("turn it round",),
    ("--diff", "00:20..May", "x"): ("'May'", "14:30"),
    ("--diff", "00:20..00:25"): ("--diff", "2"),
    ("-C", "c99"): ("c99", "query --ids"),
    ("-C", "e99"): ("e99", "query --ids"),
    ("-C", "99"): ("99", "query --ids"),
    ("-C", "x1"): ("'x1'", "c57"),
    ("-C", ""): ("''", "c57"),
    ("-C", "c" + "9" * 30): ("c57",),
    ("-C", "c1", "--radius", "near"): ("'near'", "15m"),
    ("-S", "1h", "--new-within", "lately"): ("'lately'", "15m"),
}


def test_a_word_that_means_nothing_is_refused_with_the_fix(cli: Cli) -> None:
    """Exit 2, one or two lines, no traceback, no answer."""
    for command, done in cli.each([("query", *words) for words in WORDS]):
        said = WORDS[tuple(map(str, command[1:]))]
        assert done.is_refusal(*said), (command, done)


# -- options that contradict each other --------------------------------------------------------------

APART: dict[tuple[str, ...], tuple[str, ...]] = {
    ("--diff", *RANGES, "-S", "1h"): ("--diff", "--since"),
    ("--diff", *RANGES, "-U", "1h"): ("--diff", "--until"),
    ("--diff", *RANGES, "--hist"): ("--diff and --hist", "take one"),
    ("--diff", *RANGES, "--step", "1m"): ("--diff and --hist", "take one"),
    ("--diff", *RANGES, "-C", "c1"): ("--diff and --around", "take one"),
    ("--diff", *RANGES, "--new"): ("--diff", "--new"),
    ("--diff", *RANGES, "--episodes"): ("--diff", "--episodes"),
    ("--hist", "-C", "c1"): ("--hist and --around", "take one"),
    ("--hist", "--new"): ("--hist", "--new"),
    ("--hist", "-c"): ("--hist", "--count"),
    ("--hist", "-n", "5"): ("--hist", "--limit"),
    ("--hist", "--episodes"): ("--hist", "--episodes"),
    ("--step", "1m", "--fields", "id"): ("--hist", "--fields"),
    ("-C", "c1", "-S", "1h"): ("--around", "--since"),
    ("--radius", "1m"): ("--radius", "-C ID"),
    ("--new-within", "1h"): ("--new-within", "-S TIME"),
    ("--new-within", "1h", "-U", "now"): ("--new-within", "-S TIME"),
    ("--explain", "-q"): ("--explain", "-q"),
    ("--sql", "SELECT 1", "-S", "1h"): ("--sql", "-S"),
    ("--sql", "SELECT 1", "disk"): ("--sql", "pattern"),
    ("--sql", "SELECT 1", "-c"): ("--sql", "-c"),
    ("--sql", "SELECT 1", "--hist"): ("--sql", "--hist"),
    ("--sql", "SELECT 1", "--saved", "loudest"): ("--sql", "--saved"),
    ("--saved", "loudest", "--hist"): ("--saved", "--hist"),
    ("--saved", "list", "-p", "err"): ("--saved", "-p"),
    ("--saved", "list", "-q"): ("--saved", "-q"),
    ("--saved", "loudest", "-c"): ("--saved", "-c"),
    ("--saved", "loudest", "-E", "x"): ("--saved", "-E"),
}


def test_options_that_contradict_each_other_are_refused(cli: Cli) -> None:
    """Rather than one of them being left out in silence."""
    for command, done in cli.each([("query", *words) for words in APART]):
        said = APART[tuple(map(str, command[1:]))]
        assert done.is_refusal(*said), (command, done)


def test_what_asks_one_store_says_so(cli: Cli) -> None:
    """Ids, SQL and saved questions are of one store."""
    other = cli.folder / "second.db"
    shutil.copy(cli.db, other)
    for words in (("-C", "c1"), ("--sql", "SELECT 1"), ("--saved", "loudest")):
        assert cli("--db", other, "query", *words).is_refusal("one store", "--db once")


# -- what never ends, what writes --------------------------------------------------------------------


def test_a_regex_that_never_ends_is_stopped(cli: Cli) -> None:
    """Also beside --hist and with -q: its time is up, and what to change is said."""
    for mode in ((), ("--hist", "-q")):
        assert cli("query", "-E", "(a+)+$", *mode).is_refusal("'(a+)+$'", "stopped", "leave out")


SQL: dict[str, str] = {
    "": "SELECT",
    "   ": "SELECT",
    "-- nothing": "SELECT",
    "SELECT 1; SELECT 2": "one statement",
    "SELECT 1; DELETE FROM queue": "one statement",
    "DELETE FROM queue": "read",
    "INSERT INTO content DEFAULT VALUES": "read",
    "UPDATE queue SET count = 9 RETURNING count": "read",
    "WITH x AS (SELECT 1) DELETE FROM queue": "read",
    "DROP TABLE queue": "read",
    "PRAGMA journal_mode = DELETE": "read",
    "ATTACH 'second.db' AS other": "read",
    "VACUUM INTO 'second.db'": "read",
    "SELECT load_extension('x')": "not authorized",
    "SELEKT 1": "SELEKT",
    "SELECT * FROM nowhere": "nowhere",
}


def test_sql_that_writes_or_is_not_one_statement_is_refused(cli: Cli) -> None:
    """And the store is left as it was, byte for byte."""
    before = cli.db.read_bytes()
    for command, done in cli.each([("query", "--sql", sql) for sql in SQL]):
        assert done.is_refusal(SQL[str(command[-1])]), (command, done)
    assert cli.db.read_bytes() == before


ENDLESS = [
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0",
]


@pytest.mark.parametrize("sql", ENDLESS)
def test_sql_that_never_ends_is_stopped(cli: Cli, sql: str) -> None:
    """When its time is up, before a row and after some."""
    soon = "import logstore.cli.query as q; q._SQL_S = 0.3"
    for output in ("table", "jsonl"):
        assert cli("query", "--sql", sql, "-o", output, patch=soon).is_refusal("too long")


# -- stores ------------------------------------------------------------------------------------------


def test_a_store_that_is_locked_is_exit_5_when_patience_is_over(own: Cli) -> None:
    """With the file's name, whichever of several it is."""
    own.have("x")
    shutil.copy(own.db, own.folder / "free.db")
    holder = apsw.Connection(str(own.db))
    holder.execute("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").fetchall()
    soon = "import logstore.cli.reading as r; r.BUSY_S = 0.2"
    try:
        assert own("query", patch=soon).is_refusal(str(own.db), "busy", "again", code=5)
        assert own("query", "-q", patch=soon).is_refusal(str(own.db), code=5)
        assert own("--db", str(own.db), "query", db="free.db", patch=soon).is_refusal(str(own.db), code=5)
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert own("query", patch=soon).code == 0


def test_what_is_no_store_is_refused_by_name(own: Cli) -> None:
    """A log, a folder, an empty file, another program's database, nothing; also as the second store."""
    own.have("x")
    own.write("a.log", "2026-11-22 00:00:00 INFO x\n" * 40)
    own.write("empty.db", "")
    (own.folder / "folder").mkdir()
    connection = apsw.Connection(str(own.folder / "theirs.db"))
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    for name in ("a.log", "empty.db", "folder", "theirs.db", "nothing.db"):
        assert own("query", db=name).is_refusal(name), name
        assert own("--db", name, "query", "-c").is_refusal(name), name
    assert own("query", "-q", db="nothing.db").is_refusal("nothing.db")
    assert own("--db", "", "query", db=own.db).is_refusal("--db", "path")


def test_a_store_of_a_newer_version_is_refused(own: Cli) -> None:
    """Left as it was; the way out is said."""
    own.have("x")
    connection = apsw.Connection(str(own.db))
    connection.execute("PRAGMA user_version = 2000")
    connection.close()
    before = own.db.read_bytes()
    for mode in ((), ("--hist",), ("--saved", "loudest"), ("--sql", "SELECT 1")):
        assert own("query", *mode).is_refusal(str(own.db), "newer", "install")
    assert own.db.read_bytes() == before


def test_a_store_that_is_named_twice_is_refused(own: Cli) -> None:
    """By any of its names: its records would count twice; a copy is another store."""
    own.have("x")
    (own.folder / "link.db").symlink_to(own.db)
    for name in ("log.db", "./log.db", "link.db", str(own.db)):
        done = own("--db", name, "query", "-c", db="log.db")
        assert done.is_refusal("same store", "log.db", "once"), name
    shutil.copy(own.db, own.folder / "copy.db")
    assert own("--db", "copy.db", "query", "-c").out == "2\n"


def test_no_two_modes_end_in_a_traceback(cli: Cli) -> None:
    """Whatever is put together: an answer or a refusal, and none of it both."""
    modes: list[tuple[str, ...]] = [
        ("--hist",),
        ("--diff", *RANGES),
        ("-C", "c1"),
        ("--episodes",),
        ("-c",),
        ("-q",),
        ("--explain",),
        ("--fts", "disk"),
        ("--fields", "id,level"),
        ("--saved", "loudest"),
    ]
    pairs = [(*one, *two) for one, two in itertools.combinations(modes, 2)]
    for command, done in cli.each([("query", *pair) for pair in pairs]):
        assert done.code in (0, 1, 2, 3), (command, done)
        assert (done.code != 2) or done.is_refusal(), (command, done)
