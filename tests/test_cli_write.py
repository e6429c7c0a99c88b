"""What puts logs in, as a user does it: the real program, its exit codes, and what is in the file after."""

import json
import random
import re
import select
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import apsw
import pytest
from cli import Cli

ONE_EACH = "SELECT level_name, source, message, first_us, count FROM episode ORDER BY id"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


# -- log ---------------------------------------------------------------------------------------------


def test_log_stores_one_record_of_this_host_now(cli: Cli) -> None:
    """Level info, source host/user, time now; words are joined; the next process sees it at once."""
    before = time.time_ns() // 1000
    assert cli.ok("log", "vip 10.0.0.12", "is", "up").out == ""
    ((level, source, message, first_us, count),) = cli.select(ONE_EACH)
    assert (level, message, count) == ("info", "vip 10.0.0.12 is up", 1)
    assert source.startswith(f"{socket.gethostname()}/")
    assert before <= first_us <= time.time_ns() // 1000
    assert cli.db.stat().st_mode & 0o777 == 0o600
    (row,) = cli.jsonl()
    assert (row["message"], row["count"]) == (message, 1)


def test_log_takes_every_name_of_a_level(cli: Cli) -> None:
    """Names of syslog and of `logging` in any case, and the numbers 0 to 7."""
    given = ["0", "7", "4", "Warn", "ERR", "fatal"]
    for level in given:
        cli.ok("log", "-p", level, "-s", "n1/test", "--time", "@7", f"as {level}")
    kept = [(message, level, source, at) for level, source, message, at, _ in cli.select(ONE_EACH)]
    names = ["emergency", "debug", "warning", "warning", "error", "critical"]
    assert kept == [
        (f"as {level}", name, "n1/test", 7_000_000) for level, name in zip(given, names, strict=True)
    ]


def test_log_merges_a_repeat_within_the_window(cli: Cli) -> None:
    """Three times within T is one episode of three; farther away a second one."""
    for at in (1000, 1100, 1250, 1401):
        cli.ok("log", "-s", "a/b", "--time", f"@{at}", "up")
    rows = cli.select("SELECT first_us / 1000000, last_us / 1000000, count, state FROM episode ORDER BY id")
    assert rows == [(1000, 1250, 3, "closed"), (1401, 1401, 1, "open")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "loud", "x"),
        ("-p", "8", "x"),
        ("-p", "-1", "x"),
        ("--time", "10/11/2026", "x"),
        (),
        ("--no", "x"),
    ],
)
def test_what_log_refuses_creates_nothing(cli: Cli, arguments: tuple[str, ...]) -> None:
    """A usage error is exit 2 with a word on stderr."""
    done = cli("log", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err
    if cli.db.exists():
        assert cli.select(ONE_EACH) == []


# -- ingest ------------------------------------------------------------------------------------------

FORMATS = {
    "pacemaker": (
        (
            "Nov 22 00:19:50.309 alfa2 pacemakerd          [34] (main) \tinfo: Changed directory\n"
            "Nov 22 00:19:51.000 alfa2 pacemaker-based     [35] (cib_ok) \twarning: odd\n"
        ),
        [("info", "alfa2/pacemakerd", "Changed directory"), ("warning", "alfa2/pacemaker-based", "odd")],
    ),
    "corosync": (
        (
            "Nov 22 00:19:47 [24] alfa2 corosync warning [MAIN  ] Cluster Engine: up\n"
            "Nov 22 00:19:48 [24] alfa2 corosync debug   [KNET  ] pmtud: ok\n"
        ),
        [("warning", "alfa2/corosync", "Cluster Engine: up"), ("debug", "alfa2/corosync", "pmtud: ok")],
    ),
    "syslog3164": (
        "<11>Jun 14 15:16:01 combo sshd[19939]: check pass\n<13>Jun 14 15:16:02 combo kernel: eth0 down\n",
        [("error", "combo/sshd", "check pass"), ("notice", "combo/kernel", "eth0 down")],
    ),
    "syslog5424": (
        (
            '<165>1 2026-10-11T22:14:15.003Z n1 app 77 ID47 [a@1 k="v"] hello\n'
            "<11>1 2026-10-11T22:14:16Z n2 app - - - bye\n"
        ),
        [("notice", "n1/app", "hello"), ("error", "n2/app", "bye")],
    ),
    "jsonl": (
        (
            '{"ts": 1700000000.25, "levelname": "WARN", "msg": "up", "hostname": "n1", "app": "a", "n": 1}\n'
            '{"@timestamp": "2026-01-02T03:04:05Z", "message": "down", "level": "error", "host": "n2"}\n'
        ),
        [("warning", "n1/a", "up"), ("error", "n2", "down")],
    ),
    "timestamped": (
        "2026-05-15 18:19:32,250 ERROR disk is full\n2026-05-15 18:19:33 WARNING disk was full\n",
        [("error", "HERE", "disk is full"), ("warning", "HERE", "disk was full")],
    ),
    "plain": ("hello\n  world\n", [("info", "HERE", "hello"), ("info", "HERE", "  world")]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_ingest_finds_the_format_and_says_what_it_did(cli: Cli, name: str) -> None:
    """The records, and a closing line on stdout whose figures are right; again there is nothing new."""
    text, expected = FORMATS[name]
    cli.write("in.log", text * 3)
    done = cli.ok("ingest", "in.log", "in.log")
    found = cli.select("SELECT level_name, source, message FROM content ORDER BY id")
    host = "in.log"
    assert found == [(level, source.replace("HERE", host), said) for level, source, said in expected]
    assert cli.counts() == dict.fromkeys((said for _, _, said in expected), 3)
    assert done.out.startswith("in.log: 6 lines -> 6 records, 2 new contents, ")
    assert " new episode" in done.out
    assert f"(format {name}" in done.out
    assert ("--host" in done.err) == ("HERE" in str(expected))
    assert done.out.partition("\n")[2] == "in.log: nothing new\n"


def test_the_closing_line_counts_what_is_new(cli: Cli) -> None:
    """Lines, records, contents, episodes, folding and the range of time, of this run alone."""
    lines = [f"2026-05-15 18:{minute:02}:00 INFO host is up\n" for minute in (0, 1, 2, 10)]
    cli.write("a.log", "".join(lines) + "  a second line of the last one\n")
    done = cli.ok("ingest", "--host", "n1", "--tz", "UTC", "a.log")
    assert done.out.startswith(
        "a.log: 5 lines -> 4 records, 2 new contents, 2 new episodes, folded 2.0x, "
        "2026-05-15 18:00:00.000 - 2026-05-15 18:10:00.000 (format timestamped"
    )
    assert "zone UTC" in done.out
    assert "host n1" in done.out
    assert done.err == ""


def test_only_appended_lines_are_read(cli: Cli) -> None:
    """An appended line counts once; a rotated file under the same name is a new one."""
    path = cli.write("a.log", "2026-05-15 18:00:00 INFO one\n")
    cli.ok("ingest", "a.log")
    with path.open("a") as file:
        file.write("2026-05-15 18:00:01 INFO two\n2026-05-15 18:00:02 INFO one\n")
    closing = cli.ok("ingest", "a.log").out
    assert re.match(r"a\.log: 2 lines -> 2 records, 1 new contents?, 1 new episodes?, ", closing)
    path.rename(path.with_suffix(".1"))
    cli.write("a.log", "2026-05-15 19:00:00 INFO one\n")
    done = cli.ok("ingest", "a.log", "a.1")
    assert re.match(r"a\.log: 1 lines? -> 1 records?, 0 new contents, ", done.out)
    assert done.out.endswith("a.1: nothing new\n")
    assert cli.counts() == {"one": 3, "two": 1}


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_stdin_is_read_under_the_name_of_this_host(cli: Cli, arguments: tuple[str, ...]) -> None:
    """With `-` and without a file; what comes by pipe has no place to go on from and is stored again."""
    for _ in range(2):
        done = cli.ok("ingest", *arguments, stdin=b"hello\nworld\n")
        assert done.out.startswith("stdin: 2 lines -> 2 records")
    assert cli.counts() == {"hello": 2, "world": 2}
    assert cli.select("SELECT DISTINCT source FROM content") == [(socket.gethostname(),)]


def test_files_of_two_nodes_never_share_a_source_by_accident(cli: Cli) -> None:
    """No line names a host: the path stands for it, which is said; `--host` decides otherwise."""
    for node in ("n1", "n2"):
        (cli.folder / node).mkdir()
        cli.write(f"{node}/app.log", "2026-05-15 18:00:00 INFO up\n")
    done = cli.ok("ingest", "n1/app.log", "n2/app.log")
    assert cli.select("SELECT source FROM content ORDER BY id") == [("n1/app.log",), ("n2/app.log",)]
    assert "n1/app.log: no line names a host" in done.err
    assert "n2/app.log: no line names a host" in done.err
    cli.write("n3.log", "2026-05-15 18:00:00 INFO up\n")
    assert cli.ok("ingest", "--host", "n3", "n3.log").err == ""
    assert cli.select("SELECT source FROM content WHERE id = 3") == [("n3",)]


def test_a_stamp_without_a_zone_is_local_or_of_the_zone_given(cli: Cli) -> None:
    """`--tz`, else TZ; the closing line says which was assumed."""
    line = "2026-01-15 12:00:00 INFO "
    for name, zone in (("berlin", "Europe/Berlin"), ("tokyo", "Asia/Tokyo")):
        cli.write(f"{name}.log", f"{line}{name}\n")
        assert f"zone {zone}" in cli.ok("ingest", "--tz", zone, f"{name}.log").out
    cli.write("local.log", f"{line}local\n")
    cli.ok("ingest", "local.log", TZ="America/New_York")
    hours = dict(cli.select("SELECT message, substr(first_seen, 12, 2) FROM episode"))
    assert hours == {"berlin": "11", "tokyo": "03", "local": "17"}


def test_a_format_that_is_named_is_taken(cli: Cli) -> None:
    """`--format plain` keeps each line whole."""
    cli.write("a.log", "2026-05-15 18:00:00 INFO up\n")
    cli.ok("ingest", "--format", "plain", "a.log")
    assert cli.counts() == {"2026-05-15 18:00:00 INFO up": 1}


def test_a_bad_file_among_good_ones_stops_nobody(cli: Cli) -> None:
    """It is named on stderr, the exit code is 2, and the others are stored."""
    cli.write("a.log", "a\n")
    cli.write("c.log", "c\n")
    done = cli("ingest", "a.log", "b.log", "c.log")
    assert done.code == 2
    assert [line for line in done.err.splitlines() if "b.log" in line] == [
        "logstore: b.log: No such file or directory; check the name"
    ]
    assert cli.counts() == {"a": 1, "c": 1}
    assert [line.split(":")[0] for line in done.out.splitlines()] == ["a.log", "c.log"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--format", "xml", "a.log"), "pacemaker"),
        (("--tz", "Mars/Olympus", "a.log"), "Mars/Olympus"),
        (("--window", "150", "a.log"), "150"),
    ],
)
def test_what_ingest_cannot_understand_is_said(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    """The way out is named, and nothing is stored."""
    cli.write("a.log", "a\n")
    done = cli("ingest", *arguments)
    assert done.is_refusal(said)
    if cli.db.exists():
        assert cli.counts() == {}


def test_a_real_cluster_log_is_stored_exactly_once(cli: Cli) -> None:
    """Sum of counts = records of the closing line; a fold of repeats is a fold, not a loss."""
    path = Path(__file__).parent / "data/pcmk-alfa2.corosync.log"
    done = cli.ok("ingest", str(path))
    records = int(done.out.split(" -> ")[1].split(" records")[0].replace(",", ""))
    lines = path.read_text(errors="replace").count("\n")
    assert 0 < records <= lines
    assert sum(cli.counts().values()) == records
    assert cli.select("SELECT DISTINCT source FROM content") == [("alfa2/corosync",)]


def test_a_store_that_exists_keeps_its_window(cli: Cli) -> None:
    """`--window` is for a new store; on an old one it is ignored, which is said."""
    cli.write("a.log", "a\n")
    cli.ok("ingest", "--window", "20s", "a.log")
    assert cli.ok("config", "get", "window").out == "20s\n"
    done = cli.ok("ingest", "--window", "30s", "a.log")
    assert "ignored" in done.err
    assert "config set window" in done.err
    assert cli.ok("config", "get", "window").out == "20s\n"


def test_that_a_window_is_ignored_is_said_in_one_line(cli: Cli) -> None:
    """A remark for a user names the store and the way out, not write.py:108."""
    cli.have("x")
    done = cli.ok("ingest", "--window", "30s", "-")
    assert done.err.count("\n") == 1
    assert ".py" not in done.err


# -- crashes and rivals ------------------------------------------------------------------------------


def many_lines(begin: int, end: int) -> bytes:
    """Lines of 997 messages, four a second, so that repeats merge over many batches."""
    at = 1_750_000_000
    return b"".join(
        b"%s.%d INFO check %d is fine\n"
        % (datetime.fromtimestamp(at + i // 4).isoformat(" ").encode(), i % 4, i % 997)  # noqa: DTZ006
        for i in range(begin, end)
    )


def expected_counts(lines: int) -> Counter[str]:
    return Counter(f"check {i % 997} is fine" for i in range(lines))


SMALL_BATCHES = (
    "from logstore.sources.files import Reading as R; R.__init__.__kwdefaults__['batch_lines'] = 4000"
)
"""More transactions, more moments to be killed in."""


def killed(cli: Cli, after_s: float) -> bool:
    """Start to ingest big.log and kill -9 it then; False if it was done before."""
    process = cli.start("ingest", "big.log", patch=SMALL_BATCHES)
    try:
        process.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    assert process.returncode == 0
    return False


def test_a_killed_ingest_goes_on_where_it_was_exactly(cli: Cli) -> None:
    """20 times kill -9 at a random moment: after each the store holds the first lines, each exactly once."""
    lines, kills, totals = 120_000, 0, {0}
    path = cli.write("big.log", many_lines(0, lines))
    cli.write("empty.log", "")
    before = time.monotonic()
    cli.ok("ingest", "empty.log")
    start_s = time.monotonic() - before
    chance = random.Random(20)
    while kills < 20:
        if killed(cli, start_s * chance.uniform(0.8, 4.0)):
            kills += 1
        else:
            with path.open("ab") as file:  # it was quicker: there is more to do
                file.write(many_lines(lines, lines + 60_000))
            lines += 60_000
        counts = cli.counts()
        total = sum(counts.values())
        assert max(totals) <= total <= lines
        assert counts == expected_counts(total)
        totals.add(total)
    assert len(totals) > 3, "hardly a kill hit an ingest that was storing"
    cli.ok("ingest", "big.log")
    assert cli.counts() == expected_counts(lines)
    assert cli.select("SELECT count(*) FROM queue JOIN archive USING (id)") == [(0,)]
    assert cli.ok("ingest", "big.log").out == "big.log: nothing new\n"


def test_two_ingests_of_one_file_at_once_never_double(cli: Cli) -> None:
    """One of them may give way, with exit 2 and a word; the lines are counted once."""
    cli.write("big.log", many_lines(0, 60_000))
    rivals = [cli.start("ingest", "big.log") for _ in range(3)]
    for rival in rivals:
        out, err = rival.communicate(timeout=60)
        assert rival.returncode in (0, 2), err
        assert b"Traceback" not in err
        assert (rival.returncode == 0) == (b"another process" not in err), (out, err)
    cli.ok("ingest", "big.log")
    assert cli.counts() == expected_counts(60_000)


def test_ingest_dies_of_a_poisoned_line_for_nobody(cli: Cli) -> None:
    """Whatever stands in a line, the file is stored: numbers JSON cannot carry are no reason to stop."""
    cli.write("a.jsonl", '{"ts": 1700000000, "msg": "x", "v": NaN}\n{"ts": 1700000001, "msg": "y"}\n')
    cli.ok("ingest", "a.jsonl")
    assert cli.counts() == {"x": 1, "y": 1}


def test_an_infinite_number_in_a_json_line_stops_nothing(cli: Cli) -> None:
    """A line no one can parse is kept; the lines behind it too."""
    cli.write("a.jsonl", '{"ts": 1700000000, "msg": "x", "v": 1e999}\n{"ts": 1700000001, "msg": "y"}\n')
    cli.ok("ingest", "a.jsonl")
    assert cli.counts() == {"x": 1, "y": 1}


# -- sweep -------------------------------------------------------------------------------------------


def test_sweep_moves_what_is_quiet(cli: Cli) -> None:
    """It says how many; what is within T stays, and nothing gets lost."""
    cli.have("old")
    shift = "UPDATE queue SET last_us = 5, first_us = 5, received_us = 5"
    connection = apsw.Connection(str(cli.db))
    connection.execute(shift)
    connection.close()
    cli.write("b.log", "2026-05-15 18:00:00 INFO old too, received just now\n")
    cli.ok("ingest", "b.log")
    before = cli.select("SELECT message FROM log JOIN queue USING (content_id)")
    moved = int(cli.ok("sweep").out.split()[0])
    assert moved == len(before) - 1
    assert cli.select("SELECT count(*) FROM queue") == [(1,)]
    assert cli.select("SELECT id, reason FROM archive") == [(1, "gap")]
    assert cli.ok("sweep").out == "0 episodes moved into the archive\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sweep_goes_on_until_it_is_told_to_end(cli: Cli, number: signal.Signals) -> None:
    """Again and again, and a signal ends it without a traceback."""
    cli.have("x")
    process = cli.start("sweep", "--every", "50ms")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert lines == [b"0 episodes moved into the archive\n"] * 2
    assert err.strip() in (b"", b"Aborted!", b"Aborted.")
    assert process.returncode in (0, -number, 128 + number)


@pytest.mark.parametrize("every", ["0s", "5", "-1s", "soon"])
def test_a_pause_is_a_duration(cli: Cli, every: str) -> None:
    """Anything else is a usage error."""
    cli.have("x")
    done = cli("sweep", "--every", every)
    assert (done.code, done.out) == (2, "")


# -- config, upgrade ---------------------------------------------------------------------------------


def test_settings_live_in_the_store(cli: Cli) -> None:
    """Shown, read one by one, changed with a duration."""
    cli.have("x")
    shown_at_first = cli.ok("config").out.splitlines()
    assert {"window = 150s", "max_span = 600s", "max_open = 100000"} <= set(shown_at_first)
    for name, value, shown in [
        ("max_span", "20m", "1200s"),
        ("window", "1.5s", "1.5s"),
        ("max_span", "0", "0"),
        ("window", "1d", "86400s"),
        ("max_open", "500", "500"),
    ]:
        assert cli.ok("config", "set", name, value).err == ""
        assert cli.ok("config", "get", name).out == f"{shown}\n"


@pytest.mark.parametrize("value", ["1234567ms", "1000000s"])
def test_a_setting_is_printed_as_it_is(cli: Cli, value: str) -> None:
    """To the millisecond, in a form that `config set` takes."""
    cli.have("x")
    cli.ok("config", "set", "max_span", "0")
    cli.ok("config", "set", "window", value)
    (before,) = cli.select("SELECT window_ms FROM settings")
    cli.ok("config", "set", "window", cli.ok("config", "get", "window").out.strip())
    assert cli.select("SELECT window_ms FROM settings") == [before]


REFUSED: dict[tuple[str, ...], str] = {
    ("set", "max_span", "149s"): "max_span",
    ("set", "window", "601s"): "max_span",
    ("set", "window", "150"): "90s",
    ("set", "window", ""): "90s",
    ("set", "max_open", "0"): "from 1",
    ("set", "max_open", "many"): "from 1",
    ("set", "colour", "red"): "max_open",
    ("get", "colour"): "max_open",
}


def test_a_setting_that_makes_no_sense_is_refused(cli: Cli) -> None:
    """S below T, T above S, a bare number, an unknown name: exit 2, the fix is named, nothing changes."""
    cli.have("x")
    before = cli.select("SELECT * FROM settings")
    for (_, *command), done in cli.each([("config", *command) for command in REFUSED]):
        assert done.is_refusal(REFUSED[tuple(map(str, command))]), (command, done)
    assert cli.select("SELECT * FROM settings") == before


def test_a_new_window_holds_for_the_next_record(cli: Cli) -> None:
    """The stored setting is what decides."""
    cli.ok("log", "-s", "a", "--time", "@100", "x")
    cli.ok("config", "set", "window", "10s")
    cli.ok("log", "-s", "a", "--time", "@111", "x")
    cli.ok("log", "-s", "a", "--time", "@121", "x")
    assert cli.select("SELECT count FROM episode ORDER BY id") == [(1,), (2,)]


def test_upgrade_says_that_a_store_is_up_to_date(cli: Cli) -> None:
    """And leaves it as it is."""
    cli.have("x")
    before = cli.select("SELECT * FROM sqlite_schema"), cli.select(ONE_EACH)
    done = cli.ok("upgrade")
    assert "up to date" in done.out
    assert str(cli.db) in done.out
    assert (cli.select("SELECT * FROM sqlite_schema"), cli.select(ONE_EACH)) == before


# -- where the store is ------------------------------------------------------------------------------


def test_a_store_is_looked_for_in_order(cli: Cli) -> None:
    """--db, then LOGSTORE_DB, then XDG_STATE_HOME; the last is made with its folder, for its owner alone."""
    a, b, c = cli.folder / "a.db", cli.folder / "b.db", cli.folder / "state/logstore/logstore.db"
    assert cli("log", "x", db=a, LOGSTORE_DB=str(b)).code == 0
    assert (a.exists(), b.exists(), c.exists()) == (True, False, False)
    assert cli("log", "x", db=None, LOGSTORE_DB=str(b)).code == 0
    assert (b.exists(), c.exists()) == (True, False)
    if Path("/var/lib/logstore/logstore.db").exists():
        pytest.skip("THIS MACHINE HAS A SYSTEM STORE: where one's own store goes is not tested")
    assert cli("log", "x", db=None).code == 0
    assert c.exists()
    assert c.parent.stat().st_mode & 0o777 == 0o700
    assert "x1" in cli("query", db=None).out
    assert cli("log", "x", db=None, XDG_STATE_HOME=None).code == 0
    assert (cli.folder / ".local/state/logstore/logstore.db").exists()


def test_an_empty_variable_is_none(cli: Cli) -> None:
    """As everywhere in the shell: LOGSTORE_DB= is no place."""
    assert cli("log", "x", db=None, LOGSTORE_DB="").code == 0


def test_without_a_store_the_places_are_named_and_nothing_is_made(cli: Cli) -> None:
    """Exit 2; neither file nor folder appears."""
    before = set(cli.folder.rglob("*"))
    commands = [("query",), ("show", "c1"), ("stats",), ("sweep",), ("config",), ("upgrade",)]
    for command, done in cli.each(commands, db=None):
        place = str(cli.folder / "state/logstore/logstore.db")
        assert done.is_refusal(place, "--db", "LOGSTORE_DB"), command
    for command, done in cli.each(commands):
        assert done.is_refusal(str(cli.db)), command
    assert set(cli.folder.rglob("*")) == before


def test_a_folder_that_is_not_there_is_not_made_for_a_store_that_was_named(cli: Cli) -> None:
    """A slip of the pen must not create folders."""
    done = cli("log", "x", db="nowhere/a.db")
    assert done.is_refusal("nowhere")
    assert not (cli.folder / "nowhere").exists()


def test_a_group_may_read_a_store_that_is_created_for_it(cli: Cli) -> None:
    """Mode 0640 and that group, at creation; an unknown group creates nothing."""
    assert cli("--group", "no-such-group", "log", "x").is_refusal("no-such-group")
    assert not cli.db.exists()
    import grp
    import os

    group = grp.getgrgid(os.getgid())
    cli.ok("--group", group.gr_name, "log", "x")
    found = cli.db.stat()
    assert (found.st_mode & 0o777, found.st_gid) == (0o640, group.gr_gid)


# -- help --------------------------------------------------------------------------------------------

COMMANDS = [
    *("", "log", "ingest", "sweep", "query", "show", "follow", "stats", "masks", "upgrade"),
    *("snapshot", "lnav"),
    *("config get", "config set", "config sets", "config add", "config formats"),
]


def has_example(command: str, text: str) -> bool:
    lines = [line for line in text.splitlines() if line.startswith("  logstore ")]
    return any(f" {command}" in line for line in lines)


def test_help_has_an_example(cli: Cli) -> None:
    """A line that can be typed as it stands, for every command."""
    for (*command, _), done in cli.each([(*name.split(), "--help") for name in COMMANDS], db=None):
        assert done.code == 0
        assert has_example(" ".join(map(str, command)), done.out), command


def test_help_of_config_has_an_example(cli: Cli) -> None:
    """It has them in its docstring."""
    assert has_example("config", cli("config", "--help", db=None).out)


def test_every_command_is_in_the_help_tests(cli: Cli) -> None:
    """A new command brings its own case."""
    listed = cli("--help", db=None).out.partition("Commands:")[2]
    names = {line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "}
    covered = {command.split()[0] for command in COMMANDS if command} | {"config"}
    assert names <= covered, names - covered


def test_log_is_durable_for_a_reader_that_was_there_before(cli: Cli) -> None:
    """A second process sees the first copy while a third one keeps the store open."""
    cli.have("first")
    process = cli.start("sweep", "--every", "1h")
    try:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 10)[0]
        cli.ok("log", "second")
        assert [row["message"] for row in cli.jsonl()] == ["first", "second"]
    finally:
        process.terminate()
        process.communicate()


def test_attributes_of_a_header_are_kept(cli: Cli) -> None:
    """The process id goes to the attributes, the text after the header is the message."""
    cli.write("p.log", FORMATS["pacemaker"][0])
    cli.ok("ingest", "p.log")
    found: Callable[[str], object] = json.loads
    kept = [found(text) for (text,) in cli.select("SELECT first_attributes FROM episode ORDER BY id")]
    assert kept == [{"pid": 34, "function": "main"}, {"pid": 35, "function": "cib_ok"}]
