"""`query` in full: new, diff, slices, around, words, several stores; what scripts and terminals get."""

import csv
import fcntl
import io
import json
import os
import pty
import re
import struct
import termios
from pathlib import Path

import pytest
from cli import HOSTILE, Cli
from terminal import Terminal

from logstore import LogStore, Record

BEGIN = 1_795_306_800  # 2026-11-22 00:20:00 UTC
KEYS = [
    *("id", "state", "first_seen", "last_seen", "count", "count_total", "count_exact", "level", "source"),
    *("message", "gap_min_ms", "gap_max_ms", "first_text", "last_text", "reason", "content_id"),
]
SLICE_KEYS = [
    *("since", "until", "count", "count_exact", "emergency", "alert", "critical", "error", "warning"),
    *("notice", "info", "debug"),
]
EVIL = "evil \x1b[31m\u202e \n\t\x07 =cmd|x"
DATA = Path(__file__).parent / "data"
EARLIER, LATER = "2026-11-22 00:20..00:25", "00:25..00:40"


def at(second: float) -> int:
    """Return a time of the store in microseconds."""
    return BEGIN * 1_000_000 + int(second * 1_000_000)


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Two stores that nobody changes: `log.db` since 00:20:00, `other.db` since 00:21:40."""
    found = Cli(tmp_path_factory.mktemp("query"))
    records = [Record("vip is up", "info", "alfa1/IPaddr2", at(second)) for second in range(0, 401, 50)]
    records += [
        Record("lost connection to alfa1", "warning", "alfa2/pacemakerd", at(60 + 10 * beat))
        for beat in range(12)
    ]
    records += [Record("disk failed", "crit", "alfa1/kernel", at(343.539001))]
    records += [Record("vip is up", "info", "alfa1/IPaddr2", at(second)) for second in (1000, 1060)]
    records += [Record(EVIL, "err", "h\x1b]0;x\x07/p\u2066", at(500))]
    with LogStore(found.db, max_span=150.0, clock_us=lambda: at(0)) as store:
        store.log_many(sorted(records, key=lambda record: record.timestamp_us or 0))
    with LogStore(found.folder / "other.db", clock_us=lambda: at(100)) as store:
        for second in range(100, 160, 5):
            store.log("the other's line", level="notice", source="beta/x", timestamp_us=at(second))
    return found


@pytest.fixture(scope="module")
def both(cli: Cli) -> tuple[str, ...]:
    """What is said to ask the second store, too, before the command."""
    return "--db", str(cli.folder / "other.db")


@pytest.fixture
def own(tmp_path: Path) -> Cli:
    """A folder with no store yet."""
    return Cli(tmp_path)


def lines(text: str) -> list[list[str]]:
    """Return the cells of a table below its heading."""
    return [re.split(r"  +", line.strip()) for line in text.splitlines()[1:]]


def messages(cli: Cli, *arguments: str) -> list[str]:
    return [row["message"] for row in cli.jsonl(*arguments)]


# -- new ---------------------------------------------------------------------------------------------


def test_new_is_what_was_first_ever_seen_in_the_range(cli: Cli) -> None:
    """In the order it came with --sort first; what was there before is not new."""
    assert messages(cli, "--new", "-S", "2026-11-22 00:25", "--sort", "first") == ["disk failed", EVIL]
    assert messages(cli, "--new", "-S", "2026-11-22 00:20:30", "-U", "00:22") == ["lost connection to alfa1"]
    assert len(cli.jsonl("--new")) == 4
    assert cli.ok("query", "--new", "-S", "2026-11-22 00:25", "-c").out == "2\n"
    runs = cli.jsonl("--new", "-S", "2026-11-22 00:25", "--episodes")
    assert [row["message"] for row in runs] == ["disk failed", EVIL]


def test_new_within_looks_back_only_so_far(cli: Cli) -> None:
    """The vip was silent from 00:26:40 to 00:36:40."""
    since = ("-S", "2026-11-22 00:36")
    assert messages(cli, "--new-within", "9m", *since) == ["vip is up"]
    assert cli("query", "--new-within", "10m", *since).code == 1
    assert cli("query", "--new", *since).code == 1


def test_what_is_new_to_a_store_that_does_not_reach_back_is_doubted(cli: Cli) -> None:
    """Whatever was there in the hour before, the store cannot know."""
    since = ("-S", "2026-11-22 00:25")
    assert "reaches back to 2026-11-22 00:20" in cli.ok("query", "--new-within", "1h", *since).err
    assert cli.ok("query", "--new-within", "4m", *since).err == ""
    assert cli.ok("query", "--new", *since).err == ""
    assert (
        "reaches back" in cli.ok("query", "--diff", "2026-11-21 00:00..01:00", "2026-11-22..2026-11-23").err
    )


def test_new_tells_1_from_3(cli: Cli) -> None:
    """As every question."""
    for since, code in (("2026-11-22 00:39", 1), ("2026-11-22 00:19", 3)):
        assert cli("query", "--new", "nowhere", "-S", since).code == code


# -- diff --------------------------------------------------------------------------------------------


def test_diff_says_what_is_new_gone_more_and_less(cli: Cli) -> None:
    """Estimates are marked; the second range's clock times are of the first one's day."""
    done = cli.ok("query", "--diff", EARLIER, LATER)
    assert done.out.splitlines()[0].split()[4:] == ["CHANGE", "BEFORE", "AFTER", "LEVEL", "SOURCE", "MESSAGE"]
    found = {cells[-1]: cells[1:4] for cells in lines(done.out)}
    assert found["disk failed"][0] == "new"
    assert found["disk failed"][2] == "x1"
    assert found["lost connection to alfa1"][:2] == ["gone", "x12"]
    assert found["vip is up"] == ["less", "~7", "~5"]
    assert cli.ok("query", "--diff", EARLIER, LATER, "-c").out == "4\n"
    assert "2 of 4 rows" in cli.ok("query", "--diff", EARLIER, LATER, "-n", "2").err


def test_diff_is_the_same_in_every_output(cli: Cli) -> None:
    """Its own keys, then those of a row."""
    rows = cli.ok("query", "--diff", EARLIER, LATER, "-o", "jsonl").rows
    assert [[*row] for row in rows] == [["change", "count_before", "count_after", *KEYS]] * 4
    assert json.loads(cli.ok("query", "--diff", EARLIER, LATER, "-o", "json").out) == rows
    found = list(csv.DictReader(io.StringIO(cli.ok("query", "--diff", EARLIER, LATER, "-o", "csv").out)))
    assert [(row["change"], int(row["count_before"])) for row in found] == [
        (row["change"], row["count_before"]) for row in rows
    ]
    (less,) = [row for row in rows if row["change"] == "less"]
    assert (less["count_before"], less["count_after"], less["count_exact"]) == (7, 5, False)
    assert cli.ok("query", "--diff", EARLIER, LATER, "--fields", "change,id", "vip").out.splitlines() == [
        "CHANGE  ID",
        "less    1",
    ]


def test_diff_takes_a_filter_and_open_ends(cli: Cli) -> None:
    """`..UNTIL` begins where the store does, which is a length of time and not 56 years."""
    (disk,) = cli.jsonl("--diff", EARLIER, LATER, "-p", "crit")
    assert (disk["change"], disk["message"]) == ("new", "disk failed")
    changes = [row["change"] for row in cli.jsonl("--diff", "..2026-11-22 00:25", LATER)]
    assert sorted(changes) == ["gone", "less", "new", "new"]
    assert len(cli.jsonl("--diff", EARLIER, "00:25..")) == 4
    midnight = cli.jsonl("--diff", EARLIER, "00:00..00:20")
    assert {row["change"] for row in midnight} == {"gone"}, "00:00 of the same day, not of the next"


def test_a_clock_time_after_open_dots_is_the_most_recent_one(cli: Cli) -> None:
    """`..00:25` does not end in 1970."""
    assert {row["change"] for row in cli.jsonl("--diff", "..00:25", "00:25..")} == {"gone"}


def test_diff_tells_1_from_3(cli: Cli, both: tuple[str, ...]) -> None:
    """3 if one of the ranges, or of the stores, does not reach so far."""
    late, early = "2026-11-22 00:30..00:40", "2026-11-22 00:10..00:15"
    for arguments, code in (((late, late), 1), ((early, late), 3), ((late, early), 3)):
        assert cli("query", "--diff", *arguments, "nowhere").code == code
    within = ("query", "--diff", "2026-11-22 00:21..00:22", "00:22..00:23", "nowhere")
    assert cli(*within).code == 1
    done = cli(*both, *within)
    assert done.code == 3
    assert "other.db" in done.err


# -- slices ------------------------------------------------------------------------------------------


def test_slices_are_filled_with_zeros_and_add_up(cli: Cli) -> None:
    """From --since to --until, each step of them, on whole steps; a letter for each level."""
    done = cli.ok("query", "--step", "1m", "-S", "2026-11-22 00:20:30", "-U", "00:40")
    found = lines(done.out)
    assert [cells[0][11:16] for cells in found] == [f"00:{minute}" for minute in range(20, 40)]
    assert found[0][0].endswith("00:20:30.000")
    by_minute = {cells[0][11:16]: cells[1:] for cells in found}
    assert by_minute["00:29"] == ["0"]
    assert by_minute["00:28"][0] == "1"
    assert set(by_minute["00:28"][1]) == {"E"}
    assert by_minute["00:21"][0].startswith("~")
    assert set(by_minute["00:21"][1]) == {"W", "I"}


def test_slices_have_the_same_keys_in_every_output(cli: Cli, both: tuple[str, ...]) -> None:
    """Those of several stores together."""
    asked = ("query", "--step", "2m", "-S", "2026-11-22 00:20", "-U", "00:40")
    rows = cli.ok(*asked, "-o", "jsonl").rows
    assert [[*row] for row in rows] == [SLICE_KEYS] * 10
    assert json.loads(cli.ok(*asked, "-o", "json").out) == rows
    found = list(csv.DictReader(io.StringIO(cli.ok(*asked, "-o", "csv").out)))
    assert [int(row["count"]) for row in found] == [row["count"] for row in rows]
    assert sum(row["count"] for row in rows) == 25
    assert sum(row["notice"] for row in cli.ok(*both, *asked, "-o", "jsonl").rows) == 12
    whole = cli.ok("query", "--hist", "-o", "jsonl").rows
    assert sum(row["count"] for row in whole) == 25
    assert whole[0]["since"] == "2026-11-22T00:20:00.000000Z"


def test_no_slices_are_empty_in_every_output(cli: Cli) -> None:
    """And still parse; the exit code tells nothing from nothing known."""
    assert json.loads(cli("query", "--hist", "-o", "json", "nowhere").out) == []
    assert cli("query", "--hist", "-o", "csv", "nowhere").out == ",".join(SLICE_KEYS) + "\n"
    for output in ("table", "jsonl"):
        assert cli("query", "--hist", "-o", output, "nowhere").out == ""
    assert cli("query", "--hist", "nowhere", "-S", "2026-11-22 00:20").code == 1
    assert cli("query", "--hist", "nowhere", "-S", "2026-11-22 00:19").code == 3


@pytest.fixture(scope="module")
def autumn(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A record on each hour around 2026-10-25 00:00 UTC, an hour before Berlin's clocks are turned back."""
    found = Cli(tmp_path_factory.mktemp("autumn"))
    with LogStore(found.db, clock_us=lambda: 0) as store:
        for hour in range(-3, 4):
            time_us = (1_792_886_400 + hour * 3600) * 1_000_000
            store.log("abcdefg"[hour + 3], source="h/p", timestamp_us=time_us)
    return found


def test_slices_begin_on_local_hours(autumn: Cli) -> None:
    """Also where those are half an hour beside UTC's."""
    out = autumn.ok("query", "--step", "1h", TZ="Asia/Kolkata").out
    assert "+05:30" in out
    assert [cells[0][11:] for cells in lines(out)] == [
        *("02:30:00.000", "03:00:00.000", "04:00:00.000", "05:00:00.000"),
        *("06:00:00.000", "07:00:00.000", "08:00:00.000"),
    ]


@pytest.mark.parametrize(
    ("zone", "options"),
    [
        ("UTC", ("--tz", "Europe/Berlin")),
        ("Europe/Berlin", ()),
    ],
)
def test_an_hour_that_happens_twice_is_two_slices(autumn: Cli, zone: str, options: tuple[str, ...]) -> None:
    """Each with its offset; the heading has both, and each time is taken back as its own."""
    heading = (out := autumn.ok("query", "--step", "1h", *options, TZ=zone).out).splitlines()[0]
    assert "+01:00/+02:00" in heading
    times = [cells[0] for cells in lines(out)]
    assert [time[11:13] for time in times] == ["23", "00", "01", "02", "02", "03", "04"]
    assert [time[23:] for time in times] == ["", "", "", "+02:00", "+01:00", "", ""]
    counts = [autumn.ok("query", "-c", "-S", time, *options, TZ=zone).out for time in times]
    assert counts == [f"{number}\n" for number in range(7, 0, -1)]


# -- around ------------------------------------------------------------------------------------------


def test_around_shows_what_was_near_its_begin(cli: Cli) -> None:
    """Of a content, of an episode; the time is said, and -c, --new and a level go with it."""
    (disk,) = cli.jsonl("disk")
    done = cli.ok("query", "-C", f"c{disk['id']}", "--radius", "1m")
    assert [cells[-1] for cells in lines(done.out)] == ["disk failed", "vip is up"]
    assert "around c" in done.err
    assert "2026-11-22 00:25:43.539+00:00, 1m before and after" in done.err
    assert "30s" in cli.ok("query", "--around", str(disk["id"])).err
    (episode,) = cli.jsonl("disk", "--episodes")
    number = f"e{episode['id']}"
    assert [row["message"] for row in cli.jsonl("-C", number, "--radius", "1m")] == [
        "disk failed",
        "vip is up",
    ]
    assert cli.ok("query", "-C", number, "--radius", "1m", "-c").out == "2\n"
    assert messages(cli, "-C", number, "--radius", "1m", "--new") == ["disk failed"]
    assert messages(cli, "-C", number, "--radius", "1m", "-p", "warning") == ["disk failed"]


# -- words -------------------------------------------------------------------------------------------


def test_full_text_finds_words_and_regex_and_invert_go_with_a_pattern(cli: Cli) -> None:
    """Words in any order; FTS5's operators; a source's words, too."""
    lost = "lost connection to alfa1"
    assert messages(cli, "--fts", "connection lost") == [lost]
    assert messages(cli, "--fts", "disk OR connect*") == [lost, "disk failed"]
    assert messages(cli, "--fts", "source:alfa1 NOT disk") == ["vip is up"]
    assert messages(cli, "--fts", "connection", "alfa") == [lost]
    assert messages(cli, "-E", "^(vip|disk) ") == ["disk failed", "vip is up"]
    assert messages(cli, "-v", "is up") == [lost, "disk failed", EVIL]
    assert messages(cli, "-E", "-v", "^(vip|disk|evil)") == [lost]
    assert cli("query", "--fts", "nowhere").code == 1


def test_fields_are_those_that_were_named(cli: Cli, both: tuple[str, ...]) -> None:
    """In their order, in every output."""
    named = ("query", "--fields", "message, count,gap_min_ms,count_exact", "disk")
    assert (
        cli.ok(*named).out
        == "MESSAGE      COUNT  GAP_MIN_MS  COUNT_EXACT\ndisk failed  1      -           true\n"
    )
    row = {"message": "disk failed", "count": 1, "gap_min_ms": None, "count_exact": True}
    assert cli.ok(*named, "-o", "jsonl").rows == [row]
    assert json.loads(cli.ok(*named, "-o", "json").out) == [row]
    assert cli.ok(*named, "-o", "csv").out == "message,count,gap_min_ms,count_exact\ndisk failed,1,,true\n"
    assert cli.ok(*both, "query", "--fields", "db,count", "other").out == "DB        COUNT\nother.db  12\n"


# -- several stores ----------------------------------------------------------------------------------


def test_several_stores_are_one_timeline(cli: Cli, both: tuple[str, ...]) -> None:
    """Each row says whose it is; counts and limits are of all of them."""
    done = cli.ok(*both, "query", "--ids")
    assert done.out.split("\n")[0].split()[-2:] == ["STORE", "MESSAGE"]
    assert [cells[-2] for cells in lines(done.out)] == ["other.db", *["log.db"] * 4]
    rows = cli.ok(*both, "query", "-o", "jsonl").rows
    assert [*rows[0]] == [*KEYS, "db"]
    assert [row["db"] for row in rows] == ["other.db", *["log.db"] * 4]
    assert "db" not in cli.jsonl()[0]
    assert cli.ok(*both, "query", "-c").out == "5\n"
    limited = cli.ok(*both, "query", "-n", "2", "--sort", "count", "-o", "jsonl")
    assert sorted(row["count"] for row in limited.rows) == [12, 12]
    assert "2 of 5 rows" in limited.err
    assert cli.ok(*both, "query", "-o", "csv").out.splitlines()[0].endswith(",content_id,db")


def test_stores_of_one_name_are_told_apart(own: Cli) -> None:
    """`node1/log.db` and `node2/log.db`: by their paths."""
    for node in ("n1", "n2"):
        (own.folder / node).mkdir()
        with LogStore(own.folder / node / "log.db") as store:
            store.log(f"I am {node}", source="h/p", timestamp_us=at(0))
    done = own("--db", "n2/log.db", "query", "-o", "jsonl", db="n1/log.db")
    assert {row["db"]: row["message"] for row in done.rows} == {
        "n1/log.db": "I am n1",
        "n2/log.db": "I am n2",
    }


def test_several_stores_tell_1_from_3(cli: Cli, both: tuple[str, ...]) -> None:
    """3 if one of them does not reach back, and which one is said."""
    done = cli(*both, "query", "nowhere", "-S", "2026-11-22 00:21")
    assert done.code == 3
    assert "other.db reaches back to 2026-11-22 00:21:40" in done.err
    assert cli(*both, "query", "nowhere", "-S", "2026-11-22 00:22").code == 1
    assert cli(*both, "query", "vip", "-S", "2026-11-22 00:21").code == 0


def test_a_store_that_is_not_there_is_no_answer_of_the_other(cli: Cli) -> None:
    """Better none than half of one."""
    assert cli("--db", str(cli.folder / "nowhere.db"), "query").is_refusal("nowhere.db")


def test_what_is_cut_is_said_for_episodes_too(cli: Cli) -> None:
    """Where the newest are found without counting the rest: `the newest 1 row`."""
    assert cli.ok("query", "--episodes", "-n", "1").err == "the newest 1 row; -n all for the rest\n"
    assert cli.ok("query", "--episodes", "-n", "all").err == ""


# -- quiet, count, explain ---------------------------------------------------------------------------

MODES: list[tuple[str, ...]] = [
    (),
    ("--episodes",),
    ("-c",),
    ("-n", "1"),
    ("-o", "json"),
    ("--hist",),
    ("--diff", EARLIER, LATER),
    ("-C", "c1"),
    ("--fts", "vip OR disk"),
    ("--new-within", "1h", "-S", "2026-11-22 00:20:01"),
    ("--fields", "id"),
    ("--saved", "loudest"),
    ("--saved", "loudest", "-n", "1"),
]


def test_quiet_prints_nothing_at_all(cli: Cli) -> None:
    """Neither what was found, nor what was cut, nor that nothing was."""
    for _, done in cli.each([("query", *mode, "-q") for mode in MODES]):
        assert done == (0, "", "")
    for mode in MODES:
        if "-C" not in mode and "--fts" not in mode:
            assert cli("query", *mode, "nowhere", "-q") in ((1, "", ""), (3, "", "")), mode
    assert cli("query", "-q", "-S", "1990-01-01", "nowhere") == (3, "", "")
    assert cli("query", "-q", "-S", "25:00").is_refusal("25:00")
    assert cli("query", "-q", "--fields", "bogus").is_refusal("bogus")


def test_explain_shows_sql_and_plan_and_no_rows(cli: Cli) -> None:
    """Of every mode; the exit code is that of the question."""
    modes = [("query", *mode, "--explain") for mode in MODES]
    modes += [("query", "--sql", "SELECT message FROM log", "--explain")]
    for command, done in cli.each(modes):
        assert done.code == 0, command
        assert "SELECT" in done.out, command
        assert re.search(r"^--  +(SEARCH|SCAN) ", done.out, re.MULTILINE), command
        assert re.search(r"^-- \d+ lines? in [\d.,]+ ms$", done.out.splitlines()[-1]), command
        assert "disk failed" not in done.out, command
    done = cli("query", "--explain", "no\x1bwhere")
    assert done.code == 1
    assert "\x1b" not in done.out


def test_every_printed_time_is_taken_back(cli: Cli) -> None:
    """In a zone, in UTC, from a slice, from what is said around an id."""
    for zone in (["--utc"], ["--tz", "America/St_Johns"], []):
        said = cli.ok("query", "disk", *zone, TZ="Asia/Tokyo").out.splitlines()[1][:23]
        (row,) = cli("query", "-o", "jsonl", "disk", "-S", said, *zone, TZ="Asia/Tokyo").rows
        assert row["message"] == "disk failed"
    around = cli.ok("query", "-C", "c1", "--tz", "Asia/Kolkata").err
    stamp = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+05:30", around)[0]
    assert cli.ok("query", "-S", stamp).out
    heading, first, *_ = cli.ok("query", "--utc", TZ="Asia/Tokyo").out.splitlines()
    assert "UTC +00:00" in heading
    assert first.startswith("2026-11-22 00:22:50.000")
    assert "2026-11-22 09:22:50.000" in cli.ok("query", TZ="Asia/Tokyo").out
    (slice_, *_) = cli.ok("query", "--step", "5m", "-o", "jsonl").rows
    assert cli.ok("query", "-S", slice_["since"], "-U", slice_["until"], "-c").out == "2\n"


# -- saved questions ---------------------------------------------------------------------------------


def test_saved_questions_are_listed_without_a_store(cli: Cli, own: Cli) -> None:
    """Each with what it answers; and each of them runs."""
    rows = own("query", "--saved", "list", "-o", "jsonl").rows
    assert {"loudest", "new", "wrong-now"} <= {row["name"] for row in rows}
    assert all(row["question"].endswith(".") for row in rows)
    for command, done in cli.each([("query", "--saved", row["name"], "-o", "json") for row in rows]):
        assert done.code in (0, 1), (command, done)
        assert isinstance(json.loads(done.out), list)


def test_a_saved_question_takes_a_range_a_level_a_source_and_a_limit(cli: Cli) -> None:
    """What may be cut is said; a pipe gets all; 1 and 3 are told apart."""
    loudest = ("query", "--saved", "loudest", "-o", "jsonl")
    assert [row["records"] for row in cli.ok(*loudest).rows] == [12, 11, 1, 1]
    assert [row["records"] for row in cli.ok(*loudest, "-s", "alfa1").rows] == [11, 1]
    assert [row["level"] for row in cli.ok(*loudest, "-p", "crit").rows] == ["critical"]
    assert [row["records"] for row in cli.ok(*loudest, "-S", "2026-11-22 00:30").rows] == [2]
    done = cli.ok(*loudest, "-n", "2")
    assert len(done.rows) == 2
    assert "-n all" in done.err
    assert cli.ok(*loudest, "-n", "5").err == ""
    assert cli(*loudest, "-S", "2026-11-23").code == 1
    done = cli(*loudest, "-S", "1990-01-01", "-U", "1990-01-02")
    assert done.code == 3
    assert "reaches back" in done.err


def test_a_saved_question_has_no_hidden_limit_in_a_pipe(own: Cli) -> None:
    """SPEC 6; its own 20 are for the stock shell."""
    with LogStore(own.db) as store:
        store.log_many(
            [Record(f"word {'abcdefghijklmnopqrstuvwxyz'[n]}", "info", "h/p", at(n)) for n in range(26)]
        )
    for limit in ((), ("-n", "all")):
        assert len(own.ok("query", "--saved", "loudest", "-o", "jsonl", *limit).rows) == 26


# -- hostile text, colours ---------------------------------------------------------------------------


def test_hostile_text_is_escaped_in_every_mode(cli: Cli, both: tuple[str, ...]) -> None:
    """The escape character, bidi overrides and line breaks of a log reach no terminal."""
    modes: list[tuple[str, ...]] = [
        (),
        ("--episodes", "--ids"),
        ("--ago",),
        ("--hist",),
        ("--diff", EARLIER, LATER),
        ("--fields", "message,source,first_text"),
        ("--saved", "loudest"),
        ("--saved", "by-source"),
        ("--sql", "SELECT message, source FROM log"),
        ("--explain", EVIL),
    ]
    outputs = [("-o", output) for output in ("table", "json", "jsonl", "csv")]
    commands = [("query", *mode) for mode in modes]
    commands += [("query", *mode, *output) for mode in modes[:1] + modes[4:8] for output in outputs]
    for command, done in cli.each([*commands, (*both, "query")]):
        assert done.code == 0, command
        assert not (HOSTILE - {"\n"}) & {*done.out, *done.err}, command
    table = cli.ok("query", "-p", "err", "--sort", "first").out
    assert r"evil \x1b[31m\u202e \n\t\x07 =cmd|x" in table
    assert r"h\x1b]0;x\x07/p\u2066" in table
    assert messages(cli, "evil") == [EVIL]


def test_colours_only_when_they_are_asked_for(cli: Cli) -> None:
    """In tables for people; never in what a program reads, nor in what was logged."""
    coloured = cli.ok("query", "--color", "always").out
    assert "\x1b[1;31mCRITICAL\x1b[0m" in coloured
    assert "\x1b[33mWARNING\x1b[0m" in coloured
    plain = re.sub(r"\x1b\[[\d;]*m", "", coloured)
    assert plain == cli.ok("query").out == cli.ok("query", "--color", "never").out
    assert "\x1b[" in cli.ok("query", "--color", "always", "--diff", EARLIER, LATER, NO_COLOR="1").out
    for output in ("json", "jsonl", "csv"):
        for mode in ((), ("--diff", EARLIER, LATER), ("--hist",)):
            assert "\x1b" not in cli.ok("query", "--color", "always", "-o", output, *mode).out


# -- a terminal --------------------------------------------------------------------------------------


def on_terminal(cli: Cli, *arguments: str, columns: int = 80, **env: str) -> tuple[int, str, str]:
    """Run with a terminal of 24 lines as stdout: exit code, what it shows, stderr."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    one = Cli(cli.folder)
    one.env = {**cli.env, **env}
    process = one.start(*arguments, stdout=theirs)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:  # Linux: the other side is closed
        pass
    os.close(ours)
    assert process.stderr is not None
    err = process.stderr.read().decode()
    process.stderr.close()
    return process.wait(), shown.decode().replace("\r\n", "\n"), err


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A store of 60 contents of 200 letters and more each."""
    found = Cli(tmp_path_factory.mktemp("long"))
    records = [Record(f"{n:02} {'long ' * 40}end", "warning", "h/p", at(n)) for n in range(60)]
    with LogStore(found.db) as store:
        store.log_many(records)
    return found


def test_a_terminal_has_colours_and_cuts_lines_and_says_so(long: Cli) -> None:
    """--wide, -o jsonl and NO_COLOR: as asked."""
    code, shown, err = on_terminal(long, "query", "-n", "5", TERM="xterm", PAGER="cat")
    assert code == 0
    assert "\x1b[33mWARNING" in shown
    body = re.sub(r"\x1b\[[\d;]*m", "", shown).splitlines()
    assert [len(line) for line in body[1:]] == [80] * 5
    assert all(line.endswith("…") for line in body[1:])
    assert "5 of 60 rows" in err
    assert "cut at 80 columns" in err
    assert "--wide" in err
    _, shown, err = on_terminal(long, "query", "-n", "5", "--wide", TERM="xterm", PAGER="cat", NO_COLOR="1")
    assert shown.count("end\n") == 5
    assert "\x1b" not in shown
    assert "cut at" not in err
    _, shown, _ = on_terminal(long, "query", "-n", "2", "-o", "jsonl", TERM="xterm", PAGER="cat")
    assert "\x1b" not in shown
    assert all(json.loads(line)["message"].endswith("end") for line in shown.splitlines())
    assert "…" not in long.ok("query").out


def test_a_terminal_of_20_columns_loses_nothing(long: Cli, cli: Cli) -> None:
    """Too narrow to cut: the terminal wraps; bars have ten letters at most."""
    _, shown, err = on_terminal(long, "query", "-n", "3", columns=20)
    assert shown.count("end\n") == 3
    assert "cut at" not in err
    for mode in (("--hist",), ("--diff", EARLIER, LATER), ("--fields", "message"), ("--saved", "loudest")):
        code, shown, _ = on_terminal(cli, "query", *mode, columns=20)
        assert code == 0
        assert shown
    bars = on_terminal(cli, "query", "--step", "5m", columns=20)[1]
    assert max(len(cells[-1]) for cells in lines(bars)) <= 12  # a level that is there has its letter


def test_the_pager_is_for_what_is_long(long: Cli) -> None:
    """In a real terminal: `less` for sixty lines, none for five, none with --no-pager or when piped."""
    pager = long.write("pager", "#!/bin/sh\necho PAGED\nexec cat\n")
    pager.chmod(0o755)

    def shown(*options: str) -> str:
        return on_terminal(long, "query", *options, TERM="xterm", PAGER=str(pager))[1]

    assert "PAGED" in shown("-n", "all")
    assert "PAGED" not in shown("-n", "3")
    assert "PAGED" not in shown("-n", "all", "--no-pager")
    assert "PAGED" not in shown("-n", "all", "-q")
    assert "PAGED" not in long.ok("query", TERM="xterm", PAGER=str(pager)).out


def test_less_opens_at_the_newest_and_what_was_cut_is_said_after_it(long: Cli) -> None:
    """tmux and less themselves."""
    with Terminal(long.folder, {**long.env, "PAGER": "less"}) as terminal:
        terminal.run(long.command("query"))
        screen = terminal.until(lambda shown: any(" 59 long" in line for line in shown))
        assert not any(" 10 long" in line for line in screen)
        terminal.press("q")
        screen = terminal.until(lambda shown: any("50 of 60 rows" in line for line in shown))
        assert any("cut at 100 columns" in line for line in screen)
        assert terminal.code() == 0
        terminal.run(long.command("query", "-n", "3"))
        screen = terminal.until(lambda shown: any("3 of 60 rows" in line for line in shown))
        assert screen[0].startswith("LAST SEEN")
        assert terminal.code() == 0


# -- the committed capture ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The node alfa2 around a fault at 00:25."""
    found = Cli(tmp_path_factory.mktemp("capture"))
    found.ok("ingest", str(DATA / "pcmk-alfa2.pacemaker.log"), str(DATA / "pcmk-alfa2.corosync.log"))
    return found


def test_every_mode_agrees_on_the_capture(capture: Cli) -> None:
    """Slices hold every record; what is new is what the diff with all before calls new."""
    records = sum(row["count"] for row in capture.jsonl())
    slices = capture.ok("query", "--step", "10s", "-o", "jsonl").rows
    assert sum(row["count"] for row in slices) == records == 1776 + 28
    fault = ("-S", "2026-11-22 00:25", "-U", "00:26")
    new = {row["id"] for row in capture.jsonl("--new", *fault)}
    diff = capture.jsonl("--diff", "..2026-11-22 00:25", "00:25..00:26")
    assert {row["id"] for row in diff if row["change"] == "new"} == new
    assert new
    assert capture.ok("query", "--new", *fault, "-c").out == f"{len(new)}\n"
    for row in capture.jsonl(*fault):
        assert row["count"] <= row["count_total"]
        assert not row["count_exact"] or row["count"] >= 1


def test_an_empty_answer_says_what_may_be_the_cause(cli: Cli, tmp_path: Path) -> None:
    """The commonest mistakes: the wrong day, a part of a source, --new of what is old, no log yet."""
    newest = cli("query", "-S", "2027-01-01")
    assert newest.code == 1
    assert "the newest record is of 2026-11-22" in newest.err
    near = cli("query", "-s", "PACEMAKER")
    assert near.code == 1
    assert "no source is PACEMAKER, but alfa2/pacemakerd" in near.err
    old = cli("query", "-S", "2026-11-22 00:21:30", "-U", "00:22", "--new", "lost connection")
    assert old.code == 1
    assert "nothing new: without --new it is 1" in old.err
    empty = Cli(tmp_path)
    LogStore(empty.db).close()
    assert "the store is empty: `logstore ingest FILE` fills it" in empty("query").err


def test_what_was_around_a_time(cli: Cli) -> None:
    """As around the episode that began then."""
    by_id = cli.ok("query", "-C", "e1", "-o", "jsonl")
    options = ("--episodes", "--sort", "first", "-n", "1", "--fields", "first_seen", "-o", "csv")
    begin = cli.ok("query", *options)
    by_time = cli.ok("query", "-C", begin.out.split()[1], "-o", "jsonl")
    assert by_time.out == by_id.out
    assert cli("query", "-C", "nothing").is_refusal("c57")
