"""What an investigator sees: lines, formats, limits, exit codes; and that looking changes nothing."""

import csv
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli import PROGRAM, Cli

from logstore import LogStore, Record

BEGIN = 1_795_306_800  # 2026-11-22 00:20:00 UTC
KEYS = (
    *("id", "state", "first_seen", "last_seen", "count", "count_total", "count_exact", "level", "source"),
    *("message", "gap_min_ms", "gap_max_ms", "first_text", "last_text", "reason", "content_id"),
)
MESSAGE = "Lost connection: Ω, 100 %"


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A store made at BEGIN that nobody changes: three contents, one of them a run of three parts."""
    found = Cli(tmp_path_factory.mktemp("read"))

    def at(second: float) -> int:
        return BEGIN * 1_000_000 + int(second * 1_000_000)

    records = [Record("vip is up", "info", "alfa1/IPaddr2", at(second)) for second in range(0, 401, 50)]
    records += [
        Record(MESSAGE, "warning", "alfa2/pacemaker-schedulerd", at(60 + 10 * beat), {"pid": 30 + beat})
        for beat in range(12)
    ]
    records += [Record("disk failed", "crit", "alfa1/kernel", at(343.539001))]
    records += [Record("vip is up", "info", "alfa1/IPaddr2", at(second)) for second in (1000, 1060)]
    with LogStore(found.db, max_span=150.0, clock_us=lambda: at(0)) as store:
        store.log_many(sorted(records, key=lambda record: record.timestamp_us or 0))
    return found


@pytest.fixture
def own(tmp_path: Path) -> Cli:
    """A folder with no store yet."""
    return Cli(tmp_path)


# -- the table ---------------------------------------------------------------------------------------


def test_one_line_a_content_in_the_shape_of_the_contract(cli: Cli) -> None:
    """Time, count, LEVEL, source, message, two blanks apart; the zone is in the heading; newest last."""
    heading, *lines = cli.ok("query").out.splitlines()
    assert "UTC" in heading
    assert "+00:00" in heading
    assert [re.split(r"  +", line) for line in lines] == [
        ["2026-11-22 00:22:50.000", "x12", "WARNING", "alfa2/pacemaker-schedulerd", MESSAGE],
        ["2026-11-22 00:25:43.539", "x1", "CRITICAL", "alfa1/kernel", "disk failed"],
        ["2026-11-22 00:37:40.000", "x11", "INFO", "alfa1/IPaddr2", "vip is up"],
    ]


def test_the_table_is_in_local_time(cli: Cli) -> None:
    """TZ moves the times and is named in the heading."""
    heading, first, *_ = cli.ok("query", TZ="Asia/Kolkata").out.splitlines()
    assert first.startswith("2026-11-22 05:52:50.000  x12")
    assert "IST" in heading
    assert "+05:30" in heading


def test_with_episodes_a_line_is_a_run_and_with_parts_an_episode(cli: Cli) -> None:
    """The nine records over 400 s are one run of three parts."""
    counts: dict[str, list[str]] = {}
    for flag in ("--episodes", "--parts"):
        lines = cli.ok("query", "vip", flag).out.splitlines()[1:]
        counts[flag] = [line.split()[2] for line in lines]
    assert counts == {"--episodes": ["x9", "x2"], "--parts": ["x4", "x4", "x1", "x2"]}


def test_ids_are_those_that_show_takes(cli: Cli) -> None:
    """c.. for contents, e.. for episodes, and show takes what is printed."""
    for arguments in (("--ids",), ("--ids", "--episodes")):
        lines = cli.ok("query", "disk", *arguments).out.splitlines()
        (number,) = re.findall(r"\b[ce]\d+\b", lines[1])
        assert "disk failed" in cli.ok("show", number).out


def test_ago_prints_how_long_ago(own: Cli) -> None:
    """And each of them is taken by -S."""
    now_us = time.time_ns() // 1000
    for seconds in (5 * 60, 3 * 3600, 4 * 86_400, 35 * 86_400, 90):
        own.have(f"{seconds} s it was", now_us - seconds * 1_000_000)
    lines = own.ok("query", "--ago").out.splitlines()[1:]
    ages = [line.split()[0] for line in lines]
    assert ages[:4] == ["5w", "4d", "3h", "5m"]
    assert 90 <= int(ages[4].removesuffix("s")) < 120
    assert own.jsonl("-S", ages[0]) != []


def test_a_content_that_is_cut_by_the_range_says_about(cli: Cli) -> None:
    """`~6/12`: inside the range, and ever; json says that it is not exact."""
    span = ("-S", "2026-11-22 00:21:00", "-U", "2026-11-22 00:21:55", "lost")
    (line,) = cli.ok("query", *span).out.splitlines()[1:]
    assert "  ~7/12  " in line  # 1 + round(11 * 55/110)
    (row,) = cli.jsonl(*span)
    assert (row["count"], row["count_total"], row["count_exact"]) == (7, 12, False)
    (row,) = cli.jsonl("-S", "2026-11-22 00:30", "vip")
    assert (row["count"], row["count_total"], row["count_exact"]) == (2, 11, True)


# -- formats -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [(), ("--episodes",), ("--parts",)], ids=str)
def test_jsonl_has_the_keys_of_the_contract(cli: Cli, mode: tuple[str, ...]) -> None:
    """All of them in every row; times RFC 3339 in UTC with microseconds, whatever TZ is."""
    rows = cli.ok("query", "-o", "jsonl", *mode, TZ="Asia/Tokyo").rows
    assert rows
    for row in rows:
        assert set(KEYS) <= set(row)
        for key in ("first_seen", "last_seen"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row[key])
    (disk,) = [row for row in rows if row["message"] == "disk failed"]
    assert disk["first_seen"] == disk["last_seen"] == "2026-11-22T00:25:43.539001Z"
    assert (disk["level"], disk["state"], disk["gap_min_ms"], disk["reason"]) == (
        "critical",
        "open",
        None,
        None,
    )
    assert disk["count_exact"] is True


def test_every_output_says_the_same(cli: Cli) -> None:
    """json, jsonl and csv parse, and hold the same rows under the same names."""
    rows = cli.ok("query", "-o", "jsonl").rows
    assert json.loads(cli.ok("query", "-o", "json").out) == rows
    found = list(csv.DictReader(io.StringIO(cli.ok("query", "-o", "csv").out)))
    assert [row["message"] for row in found] == [row["message"] for row in rows]
    assert [int(row["count"]) for row in found] == [row["count"] for row in rows]
    assert [row["gap_min_ms"] for row in found] == ["10000", "", "50000"]
    assert set(KEYS) <= set(found[0])


def test_no_rows_are_empty_in_every_output(cli: Cli) -> None:
    """Empty, and still parseable; the exit code says it."""
    assert (cli("query", "nowhere").code, cli("query", "nowhere").out) == (1, "")
    assert cli("query", "nowhere", "-o", "jsonl").out == ""
    assert json.loads(cli("query", "nowhere", "-o", "json").out) == []
    assert list(csv.DictReader(io.StringIO(cli("query", "nowhere", "-o", "csv").out))) == []


def test_printed_times_are_taken_back(cli: Cli) -> None:
    """What the table, jsonl and the views print finds its own row again as --since."""
    table = cli.ok("query", "disk").out.splitlines()[1].split("  ")[0]
    (row,) = cli.jsonl("disk")
    ((view,),) = cli.select("SELECT first_seen FROM log WHERE message = 'disk failed'")
    for text in (table, row["first_seen"], view):
        (again,) = cli.jsonl("disk", "-S", text)
        assert again["id"] == row["id"]
    assert cli("query", "disk", "-S", "2026-11-22T00:25:43.539002Z").code == 1
    assert cli("query", "disk", "-S", view, "-U", view).code == 2
    assert cli.jsonl("disk", "-S", "2026-11-22 00:25", "-U", view) == []


def test_an_until_after_midnight_follows_the_since(own: Cli) -> None:
    """`-U 00:10` after `-S '2026-11-22 23:50'` is the next day's."""
    own.have("x", 1_795_392_300_000_000)
    assert len(own.jsonl("-S", "2026-11-22 23:50", "-U", "00:10")) == 1
    assert own.jsonl("-S", "2026-11-22 23:50", "-U", "00:05") == []


# -- how many ----------------------------------------------------------------------------------------


def test_a_limit_keeps_the_newest_and_says_what_is_cut(cli: Cli) -> None:
    """On stderr; `-n all` cuts nothing; -r turns round; `first` keeps the earliest, `count` the largest."""

    def last_words(*arguments: str) -> list[str]:
        return [line.split()[-1] for line in cli.ok("query", *arguments).out.splitlines()[1:]]

    done = cli.ok("query", "-n", "1")
    assert len(done.out.splitlines()) == 2
    assert "1 of 3" in done.err
    assert last_words("-n", "1") == ["up"]
    assert last_words("-n", "2") == ["failed", "up"]
    assert last_words("-n", "2", "-r") == ["up", "failed"]
    assert last_words("-n", "1", "--sort", "first") == ["up"]
    assert last_words("-n", "2", "--sort", "count") == ["%", "up"]
    assert last_words("-n", "all") == ["%", "failed", "up"]
    assert cli.ok("query", "-n", "all").err == ""
    assert cli.ok("query", "-n", "3").err == ""


def test_count_prints_how_many_rows_there_are(cli: Cli) -> None:
    """A bare number, whatever -n says."""
    assert cli.ok("query", "-c").out == "3\n"
    assert cli.ok("query", "-c", "-n", "1").out == "3\n"
    assert cli.ok("query", "-c", "--parts", "vip").out == "4\n"
    done = cli("query", "-c", "nowhere")
    assert (done.code, done.out) == (1, "0\n")


def on_a_terminal(cli: Cli, *arguments: str, columns: int = 80) -> tuple[int, str, str]:
    """Run with a terminal as stdout: exit code, what it shows, stderr."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = cli.start(*arguments, stdout=theirs)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:  # Linux: the other side is closed
        pass
    os.close(ours)
    assert process.stderr is not None
    err = process.stderr.read()
    process.stderr.close()
    return process.wait(), shown.decode(), err.decode()


def test_a_terminal_gets_fifty_lines_and_a_pipe_gets_all(own: Cli) -> None:
    """The newest fifty; `-n all` and -n 60 give more there; a cut within a line is seen, and said."""
    own.write("a.log", "".join(f"2026-05-15 18:00:{n:02} INFO {'long ' * 40}{n}\n" for n in range(60)))
    own.ok("ingest", "a.log")
    assert len(own.ok("query").out.splitlines()) == 61
    code, shown, err = on_a_terminal(own, "query")
    assert (code, len(shown.splitlines())) == (0, 51)
    assert "50 of 60" in err
    assert shown.splitlines()[-1].endswith("…")
    assert "cut at 80 columns" in err
    code, shown, err = on_a_terminal(own, "query", "--wide")
    assert shown.splitlines()[-1].endswith("long 59")
    assert "columns" not in err
    assert len(on_a_terminal(own, "query", "-n", "all")[1].splitlines()) == 61


def test_a_narrow_terminal_changes_nothing(cli: Cli) -> None:
    """20 columns: the same lines as in a pipe."""
    for arguments in (("query",), ("stats",), ("show", "c1")):
        code, shown, _ = on_a_terminal(cli, *arguments, columns=20)
        assert code == 0
        without_ages = re.sub(r"\d+[smhdw] ago", "", shown.replace("\r\n", "\n"))
        assert without_ages == re.sub(r"\d+[smhdw] ago", "", cli.ok(*arguments).out)


# -- exit codes --------------------------------------------------------------------------------------


CODES: dict[tuple[str, ...], int] = {
    ("vip",): 0,
    ("nowhere",): 1,
    ("-S", "2026-11-22 00:20:00", "nowhere"): 1,
    ("-S", "2026-11-22 00:19:59", "nowhere"): 3,
    ("-S", "2026-11-22 00:19:59", "vip"): 0,
    ("-S", "2026-11-22 00:38:00"): 1,
    ("-S", "1990-01-01", "-U", "1990-01-02"): 3,
    ("-p", "alert"): 1,
}


def test_the_exit_code_tells_nothing_from_nothing_known(cli: Cli) -> None:
    """1: nothing matched and the store covers the range; 3: it does not reach back so far, and says so."""
    for (_, *command), done in cli.each([("query", *command) for command in CODES]):
        code = CODES[tuple(map(str, command))]
        assert done.code == code, (command, done)
        assert ("reaches back" in done.err) == (code == 3)
        assert (done.out == "") == (code != 0)


def test_a_question_without_since_never_lacks_reach(cli: Cli) -> None:
    """SPEC 6: without --since 3 only after a prune."""
    assert cli("query", "-U", "1990-01-01").code == 1


# -- sql ---------------------------------------------------------------------------------------------


def test_sql_is_answered_in_every_output(cli: Cli) -> None:
    """The views of the contract, a BLOB as hex, an empty cell for NULL."""
    sql = "SELECT source, sum(count) AS n, NULL AS nil, x'00ff' AS bin FROM log GROUP BY 1 ORDER BY 2 DESC"
    assert cli.ok("query", "--sql", sql).out.splitlines()[1].split() == [
        *("alfa2/pacemaker-schedulerd", "12", "00ff"),
    ]
    (first, *_) = cli.ok("query", "--sql", sql, "-o", "jsonl").rows
    assert first == {"source": "alfa2/pacemaker-schedulerd", "n": 12, "nil": None, "bin": "00ff"}
    assert json.loads(cli.ok("query", "--sql", sql, "-o", "json").out)[0] == first
    assert cli.ok("query", "--sql", sql, "-o", "csv").out.startswith("source,n,nil,bin\nalfa2")


WRITING = [
    *("INSERT INTO ledger VALUES ('a', 1)", "ATTACH 'other.db' AS other", "PRAGMA user_version = 7"),
    *("SELECT 1; SELECT 2", "SELECT * FROM nowhere", "", "DELETE FROM archive", "VACUUM"),
]


def test_sql_only_reads(cli: Cli) -> None:
    """Refused with exit 2; neither this file nor another one is touched."""
    before = cli.db.read_bytes()
    for command, done in cli.each([("query", "--sql", sql) for sql in WRITING]):
        assert done.is_refusal(str(cli.db)), command
    assert cli.db.read_bytes() == before
    assert not (cli.folder / "other.db").exists()


def test_endless_sql_is_stopped(cli: Cli) -> None:
    """When its time is up; exit 2 and a word."""
    sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    soon = "import logstore.cli.query as q; q._SQL_SECONDS = 0.2"
    assert cli("query", "--sql", sql, patch=soon).is_refusal("too long")


@pytest.mark.parametrize("output", ["table", "csv", "json"])
def test_sql_may_name_two_columns_alike(cli: Cli, output: str) -> None:
    """`SELECT count(*), count(*)` is no reason for a traceback, and loses no column."""
    out = cli.ok("query", "--sql", "SELECT 1 AS a, 2 AS a", "-o", output).out
    values = json.loads(out)[0].values() if output == "json" else re.findall(r"\d", out.splitlines()[-1])
    assert sorted(map(int, values)) == [1, 2]


def test_sql_gives_json_that_any_parser_takes(cli: Cli) -> None:
    """RFC 8259 has neither Infinity nor NaN."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(cli.ok("query", "--sql", "SELECT 9e999 AS x", "-o", "json").out, parse_constant=refuse)


def test_sql_that_makes_bad_text_is_not_a_damaged_store(cli: Cli) -> None:
    """The file is fine: nobody should restore a backup."""
    assert "damaged" not in cli("query", "--sql", "SELECT CAST(x'ff' AS TEXT) AS x").err


# -- reading changes nothing -------------------------------------------------------------------------

READS: list[tuple[str, ...]] = [
    ("query",),
    ("query", "--episodes", "-o", "json"),
    ("query", "--sql", "SELECT 1"),
    ("show", "c1"),
    ("show", "e1"),
    ("stats",),
    ("config",),
]


def test_reading_changes_no_byte(cli: Cli) -> None:
    """Neither bytes nor time nor rights of the store."""
    before = cli.db.read_bytes(), cli.db.stat().st_mtime_ns, cli.db.stat().st_mode
    for command, done in cli.each(READS):
        assert done.code == 0, command
    assert (cli.db.read_bytes(), cli.db.stat().st_mtime_ns, cli.db.stat().st_mode) == before


def test_reading_leaves_no_file_behind(own: Cli) -> None:
    """SPEC 4: reading never creates."""
    own.have("x")
    before = set(own.folder.iterdir())
    own.ok("query")
    assert set(own.folder.iterdir()) == before


def test_reading_does_not_wait_for_a_writer(own: Cli) -> None:
    """A transaction that holds the write lock is no reason to wait; its rows are not there yet."""
    import apsw

    own.have("x")
    writer = apsw.Connection(str(own.db))
    writer.execute("BEGIN IMMEDIATE; UPDATE queue SET count = 99")
    try:
        (row,) = own.jsonl()
        assert row["count"] == 1
    finally:
        writer.execute("ROLLBACK")
        writer.close()


# -- show, stats -------------------------------------------------------------------------------------


def test_show_tells_the_life_of_a_content(cli: Cli) -> None:
    """`c1` and `1` are the same; every run of it, its gaps, its hash, first and last text."""
    (vip,) = cli.jsonl("vip")
    text = cli.ok("show", f"c{vip['id']}").out
    assert text == cli.ok("show", str(vip["id"])).out
    ((digest,),) = cli.select("SELECT DISTINCT content_hash FROM episode WHERE message = 'vip is up'")
    gaps = "50s / 51.429s / 60s"
    for said in ("INFO", "alfa1/IPaddr2", "vip is up", digest, "11 times", gaps, "x9", "x2", "open"):
        assert said in text
    (warning,) = cli.jsonl("-p", "warning", "lost")
    text = cli.ok("show", f"c{warning['id']}").out
    assert '"pid": 30' in text
    assert '"pid": 41' in text
    assert MESSAGE in text


def test_show_takes_any_part_of_a_run(cli: Cli) -> None:
    """Whichever part is named, it is the run: id and first time of its first part, all its records."""
    parts = cli.jsonl("--parts", "vip")[:3]
    texts = {cli.ok("show", f"e{part['id']}").out for part in parts}
    assert len(texts) == 1
    (text,) = texts
    assert f"e{parts[0]['id']}" in text
    assert "x9" in text
    assert "2026-11-22 00:20:00.000  2026-11-22 00:26:40.000" in text


def test_an_unknown_id_is_an_error(cli: Cli) -> None:
    """Exit 2, and where ids are found."""
    numbers = ["c99", "e99", "99", "zz", "c", "c-1", "-1", "e1 e2", "99999999999999999999"]
    for command, done in cli.each([("show", "--", number) for number in numbers]):
        assert done.is_refusal("query"), command


def test_stats_says_what_the_store_holds(cli: Cli) -> None:
    """In a table and as JSON, and both with the same figures."""
    text = cli.ok("stats").out
    found = json.loads(cli.ok("stats", "-o", "json").out)
    figures = found[0] if isinstance(found, list) else found
    assert figures["records"] == 24
    assert figures["contents"] == 3
    assert (figures["open_episodes"], figures["archived_episodes"]) == (3, 3)
    assert figures["window_ms"] == 150_000
    for said in (str(cli.db), "24 in 3 contents", "3 open, 3 archived", "150s"):
        assert said in text


# -- pipes -------------------------------------------------------------------------------------------


def test_a_pipe_that_has_seen_enough_is_no_error(own: Cli) -> None:
    """`| head -1` of much ends without a word."""
    own.write("a.log", "".join(f"2026-05-15 18:00:00 INFO {'x' * 200} {n}\n" for n in range(3000)))
    own.ok("ingest", "a.log")
    for output in ("table", "csv", "json", "jsonl"):
        done = own.shell(f"$L query -o {output} | head -1")
        assert done.err == ""
        assert done.out.count("\n") == 1


def test_colour_is_for_nobody_in_a_pipe(cli: Cli) -> None:
    """Piped output is plain, even where colour is forced on others."""
    assert "\x1b" not in cli.ok("query", FORCE_COLOR="1", TERM="xterm-256color").out
    assert "\x1b" not in cli("--help", FORCE_COLOR="1", TERM="xterm-256color").out


@pytest.mark.parametrize("command", ["query", "stats"])
def test_stdout_that_is_closed_is_no_traceback(cli: Cli, command: str) -> None:
    """`>&-`: nothing to print to; any exit code, one or two lines."""
    assert cli.shell(f"$L {command} >&-").err.count("\n") <= 2


@pytest.mark.parametrize("command", ["query", "stats"])
def test_stdout_that_is_full_is_an_error(cli: Cli, command: str) -> None:
    """`> /dev/full` is exit 2: what was asked for could not be given."""
    done = cli.shell(f"$L {command} > /dev/full")
    assert done.code == 2
    assert 1 <= done.err.count("\n") <= 2


def test_python_m_is_the_same_program(cli: Cli) -> None:
    """`python -m logstore` where the script is not in the PATH."""
    run: Callable[..., subprocess.CompletedProcess[bytes]] = subprocess.run
    command = [str(PROGRAM.parent / "python"), "-m", "logstore", "--db", str(cli.db), "query", "-c"]
    done = run(command, env=cli.env, cwd=cli.folder, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, b"3\n")
