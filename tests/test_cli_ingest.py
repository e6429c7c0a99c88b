"""`logstore ingest` and the rules, formats and functions it is given, as a user runs it."""

import contextlib
import gzip
import os
import re
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli import Cli

from logstore import LogStore

HEADER = "Nov 22 00:25:{s:02}.539 alfa2 pacemaker-execd     [3300] (log_finished) \tinfo: "
TEXT = "p_dummy1 monitor (call 24, PID {pid}) exited with status {status} (execution time {ms}ms)"


def finished(s: int, pid: int, status: int = 0, ms: int = 5) -> str:
    return f"{HEADER.format(s=s)}{TEXT.format(pid=pid, status=status, ms=ms)}\n"


PACEMAKER = (
    finished(1, 3314)
    + finished(11, 3399, ms=9021)
    + finished(12, 3400, status=7)
    + finished(21, 3501)
    + finished(31, 3602)
)
"""Five lines, four texts without their process ids and times."""

APP = "".join(f"[{n}] INFO 2026-05-15 18:19:3{n} started {n}\n" for n in range(3))
PLAIN = "".join(f"2026-05-15 18:19:3{n} INFO part {n}\n" for n in range(4))
ODD = r"@(?P<time>\S+ \S+)@ (?P<level>\w+)@ "
ODD_LINES = "".join(f"@2026-05-15 18:19:3{n}@ WARN@ odd {n}\n" for n in range(3))

MINE = """\
name = 'mine'
kind = 'masks'

[[rule]]
name = 'part'
pattern = 'part (?P<hide>[0-9]{1,9})'
placeholder = '<n>'
example = 'part 5'
counter_example = 'part x'
"""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def pacemaker(cli: Cli) -> Path:
    return cli.write("pacemaker.log", PACEMAKER)


def totals(cli: Cli) -> tuple[Any, ...]:
    """How many contents, episodes and records there are."""
    (row,) = cli.select("SELECT (SELECT count(*) FROM content), count(*), sum(count) FROM episode")
    return row


# -- masks ---------------------------------------------------------------------------------------------


def test_masks_none_keeps_each_text_apart(cli: Cli, pacemaker: Path) -> None:
    done = cli.ok("ingest", "--masks", "none", "pacemaker.log")
    assert "5 lines -> 5 records, 5 new contents" in done.out
    assert "masks" not in done.out + done.err
    assert totals(cli)[0] == 5


def test_masks_cluster_folds_but_for_the_exit_status(cli: Cli, pacemaker: Path) -> None:
    done = cli.ok("ingest", "--masks", "cluster", "pacemaker.log")
    assert "5 records, 2 new contents" in done.out
    assert "masks cluster" in done.out
    assert sorted(cli.counts().values()) == [1, 4]
    assert cli.select("SELECT masks FROM settings") == [("none",)]


@pytest.mark.parametrize("name", ["no-such", "secrets"])
def test_unknown_masks_are_refused_and_nothing_is_written(cli: Cli, pacemaker: Path, name: str) -> None:
    assert cli("ingest", "--masks", name, "pacemaker.log").is_refusal(name, "config add")
    if cli.db.exists():
        assert totals(cli) == (0, 0, None)
        assert cli.select("SELECT count(*) FROM checkpoint") == [(0,)]
        assert cli.select("SELECT count(*) FROM rule_set") == [(0,)]


def test_auto_takes_cluster_for_pacemaker_and_says_so_once(cli: Cli, pacemaker: Path) -> None:
    first = cli.ok("ingest", "pacemaker.log")
    assert first.err.count("'cluster'") == 1
    assert "config sets cluster" in first.err
    assert "masks cluster" in first.out
    cli.ok("config", "set", "masks", "network")
    with pacemaker.open("a") as file:
        file.write(finished(41, 3703))
    second = cli.ok("ingest", "pacemaker.log")
    assert "cluster'" not in second.err
    assert "1 record, 0 new contents" in second.out
    assert "masks cluster" in second.out
    assert sorted(cli.counts().values()) == [1, 5]


def test_auto_takes_the_stores_own_set_for_other_formats(cli: Cli) -> None:
    cli.write("plain.log", PLAIN)
    cli.have("here")
    cli.write("mine.toml", MINE)
    cli.ok("config", "add", "mine.toml")
    cli.ok("config", "set", "masks", "mine")
    assert "masks mine" in cli.ok("ingest", "plain.log").out
    assert cli.counts() == {"here": 1, "part <n>": 4}


# -- a dry run -----------------------------------------------------------------------------------------


def test_a_dry_run_makes_no_file_and_prints_the_closing_line(cli: Cli, pacemaker: Path) -> None:
    before = {each.name for each in cli.folder.iterdir()}
    done = cli.ok("ingest", "--dry-run", "pacemaker.log")
    assert "pacemaker.log: 5 lines -> 5 records, 2 new contents" in done.out
    assert "nothing was written" in done.err
    assert {each.name for each in cli.folder.iterdir()} == before


def test_a_dry_run_leaves_a_store_as_it_is(cli: Cli, pacemaker: Path) -> None:
    cli.have("here")
    tables = [
        name for (name,) in cli.select("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")
    ]

    def rows() -> list[Any]:
        return [cli.select(f"SELECT * FROM {name}") for name in tables]

    before, data = rows(), cli.db.read_bytes()
    assert "5 records" in cli.ok("ingest", "--dry-run", "--format", "pacemaker", "pacemaker.log").out
    cli.write("odd.log", ODD_LINES)
    assert "3 records" in cli.ok("ingest", "--dry-run", "--format", "odd", "--pattern", ODD, "odd.log").out
    assert rows() == before
    assert cli.db.read_bytes() == data


def test_a_dry_run_goes_on_where_the_store_is(cli: Cli, pacemaker: Path) -> None:
    cli.ok("ingest", "pacemaker.log")
    assert "nothing new" in cli.ok("ingest", "--dry-run", "pacemaker.log").out
    with pacemaker.open("a") as file:
        file.write(finished(41, 3703))
    assert "1 line -> 1 record" in cli.ok("ingest", "--dry-run", "pacemaker.log").out
    assert totals(cli) == (2, 2, 5)


# -- a pattern of one's own ----------------------------------------------------------------------------


def test_a_pattern_is_saved_listed_and_detected_later(cli: Cli) -> None:
    cli.write("odd.log", ODD_LINES)
    cli.write("again.log", ODD_LINES.replace("odd", "again"))
    done = cli.ok("ingest", "--format", "odd", "--pattern", ODD, "odd.log")
    assert "format odd" in done.out
    assert ODD.rstrip() in cli.ok("config", "formats").out
    later = cli.ok("ingest", "again.log")
    assert "format odd" in later.out
    assert {(level, message) for level, message in cli.select("SELECT level_name, message FROM content")} == {
        ("warning", f"{word} {n}") for n in range(3) for word in ("odd", "again")
    }


def test_a_pattern_that_never_ends_is_refused(cli: Cli) -> None:
    cli.write("a.log", f"{'a' * 60}!\n" * 3)
    done = cli("ingest", "--format", "slow", "--pattern", r"(?P<message>(a+)+)$", "a.log")
    assert done.is_refusal("slow")
    if cli.db.exists():
        assert cli.select("SELECT count(*) FROM line_format") == [(0,)]
        assert totals(cli) == (0, 0, None)


def test_a_pattern_that_never_ends_is_refused_whatever_the_file_says(cli: Cli, pacemaker: Path) -> None:
    assert cli("ingest", "--format", "slow", "--pattern", r"(?P<message>(a+)+)$", "pacemaker.log").is_refusal(
        "slow"
    )


def test_a_pattern_whose_slow_part_no_example_reaches_is_refused(cli: Cli) -> None:
    cli.write("a.log", f"2026-11-22 10:00:00 key={'a' * 38}\n")
    cli.write("b.log", "2026-11-22 10:00:00 b\n")
    pattern = r"(?P<time>\S+ \S+) (?P<message>key=([^;]+;?)+END)"
    assert cli("ingest", "--format", "m3", "--pattern", pattern, "b.log", "a.log").is_refusal("m3", "slow")


def test_a_line_on_which_a_saved_pattern_never_ends_ends_the_ingest(cli: Cli) -> None:
    cli.have("here")
    with LogStore(cli.db) as store:
        store.save_line_format("m3", r"(?P<time>\S+ \S+) (?P<message>(key=)?([^;]+;?)+END)")
    good = "2026-11-22 10:00:00 some END\n" * 300
    cli.write("a.log", f"{good}2026-11-22 10:00:00 key={'a' * 60}\n{good}")
    done = cli(
        "ingest", "--format", "m3", "a.log", patch="import logstore.cli.inputs as i; i._LINE_SECONDS = 0.3"
    )
    assert done.is_refusal("the pattern m3 was stopped", "key=aaaa")
    assert cli.counts() == {"here": 1}
    cli.ok("ingest", "--format", "timestamped", "a.log")
    assert totals(cli)[2] == 602


def test_a_saved_pattern_is_known_to_masks(cli: Cli) -> None:
    cli.have("here")
    with LogStore(cli.db) as store:
        store.save_line_format("odd", ODD)
    cli.write("odd.log", ODD_LINES)
    line = ODD_LINES.splitlines()[0]
    for options in (("--format", "odd"), ()):
        said = dict(
            row.split(None, 1) for row in cli.ok("masks", "--explain", line, *options).out.splitlines()
        )
        assert (said["format"], said["level"]) == ("odd", "warning")
        assert "(format odd)" in cli.ok("masks", "odd.log", *options).out


def test_a_format_that_no_line_has_is_said_and_each_line_is_a_record(cli: Cli) -> None:
    cli.write("a.log", "one\ntwo\n three\n")
    for option in ((), ("--dry-run",)):
        done = cli.ok("ingest", *option, "--format", "pacemaker", "a.log")
        assert "3 lines -> 3 records" in done.out
        assert "a.log: no line is of format pacemaker" in done.err
        cli.write("a.log", "one\ntwo\nfour\n")
    assert "no line is of" not in cli.ok("ingest", "a.log").err


def test_a_listed_pattern_can_be_copied_with_its_last_blank(cli: Cli) -> None:
    cli.have("here")
    with LogStore(cli.db) as store:
        store.save_line_format("odd", ODD)
    assert ODD in cli.ok("config", "formats").out


def test_a_pattern_that_cannot_be_one_is_refused(cli: Cli) -> None:
    cli.write("a.log", "a b\n")
    cli.have("here")
    wrong = [
        ("x", "("),
        ("x", "(?P<level>a)"),
        ("x", "(?P<message>a*)"),
        ("pacemaker", "(?P<message>a)"),
        ("none", "(?P<message>a)"),
    ]
    commands = [("ingest", "--format", name, "--pattern", pattern, "a.log") for name, pattern in wrong]
    for command, done in cli.each(commands):
        assert done.is_refusal(), (command, done)
    assert cli.counts() == {"here": 1}
    assert cli.select("SELECT count(*) FROM line_format") == [(0,)]


# -- a function ----------------------------------------------------------------------------------------

FUNCTIONS = """\
def some(record):
    if record.message.endswith("0"):
        return None
    if record.message.endswith("1"):
        return record._replace(level="error")
    if record.message.endswith("2"):
        raise ValueError("two")
    return [record, record._replace(message="extra")]
NOTHING = 5
"""


def test_a_function_drops_changes_fails_and_splits_and_all_is_counted(cli: Cli) -> None:
    cli.write("mine.py", FUNCTIONS)
    cli.write("plain.log", PLAIN)
    out = cli.ok("ingest", "--process", "mine.some", "plain.log").out
    assert "4 lines -> 4 records" in out
    for said in ("dropped 1 record", "split 1 record", "failed on 1 record", "ValueError: two"):
        assert said in out
    assert cli.select("SELECT level_name, message FROM episode ORDER BY message") == [
        ("info", "extra"),
        ("error", "part 1"),
        ("info", "part 2"),
        ("info", "part 3"),
    ]
    ((attributes,),) = cli.select("SELECT first_attributes FROM episode WHERE message = 'part 2'")
    assert "ValueError: two" in attributes


def test_a_function_that_is_none_is_refused_before_anything_is_written(cli: Cli) -> None:
    cli.write("mine.py", FUNCTIONS)
    cli.write("broken.py", "1 / 0\n")
    cli.write("plain.log", PLAIN)
    wrong = ("no_such.some", "mine.none", "mine.NOTHING", "broken.some", "word")
    for command, done in cli.each([("ingest", "--process", name, "plain.log") for name in wrong]):
        assert done.is_refusal(str(command[2])), (command, done)
    assert not cli.db.exists()


# -- sets ----------------------------------------------------------------------------------------------


def test_sets_are_listed_with_where_they_are(cli: Cli, pacemaker: Path) -> None:
    def listed() -> dict[str, list[str]]:
        return {line.split()[0]: line.split()[1:] for line in cli.ok("config", "sets").out.splitlines()}

    without = listed()
    assert (without["cluster"][0], without["cluster"][-1]) == ("masks", "shipped")
    assert (without["secrets"][0], without["secrets"][-1]) == ("redact", "shipped")
    assert not cli.db.exists()
    cli.ok("ingest", "pacemaker.log")
    assert (listed()["cluster"][-1], listed()["network"][-1]) == ("stored", "shipped")
    assert cli("config", "sets", "no-such").is_refusal("no-such", "cluster")


def test_a_set_goes_round_from_sets_to_add(cli: Cli) -> None:
    cli.have("here")
    printed = cli.ok("config", "sets", "network").out
    cli.write("mine.toml", printed.replace("name = 'network'", "name = 'mine'", 1))
    assert "mine: " in cli.ok("config", "add", "mine.toml").out
    assert cli.ok("config", "sets", "mine").out == printed.replace("name = 'network'", "name = 'mine'", 1)
    with LogStore(cli.db, readonly=True) as store:
        assert set(store.rule_sets()) == {"mine"}


def test_a_file_with_one_bad_set_adds_none(cli: Cli) -> None:
    cli.have("here")
    cli.write("bad.toml", MINE.replace("'part 5'", "'part y'"))
    assert cli("config", "add", "bad.toml").is_refusal("mine", "part")
    cli.write("broken.toml", "name = ")
    assert cli("config", "add", "broken.toml").is_refusal("broken.toml")
    assert cli("config", "add", "absent.toml").is_refusal("absent.toml")
    assert cli.select("SELECT count(*) FROM rule_set") == [(0,)]


def test_setting_masks_and_redact_holds_for_records_to_come(cli: Cli) -> None:
    cli.have("PID 3314 exited")
    cli.ok("config", "set", "masks", "cluster")
    cli.ok("config", "set", "redact", "secrets")
    assert cli.ok("config", "get", "masks").out == "cluster\n"
    assert "redact = secrets\n" in cli.ok("config").out
    cli.ok("log", "p_dummy1 monitor (PID 2019) exited with status 0, password=Zq7xMARK")
    assert b"Zq7xMARK" not in b"".join(each.read_bytes() for each in cli.folder.glob("log.db*"))
    assert "PID 3314 exited" in cli.counts()
    assert not any("2019" in message for message in cli.counts())
    for name, value in (("masks", "secrets"), ("redact", "cluster"), ("masks", "no-such")):
        assert cli("config", "set", name, value).is_refusal(value)
    assert cli.ok("config", "get", "masks").out == "cluster\n"


def test_redact_given_to_ingest_scrubs_file_and_checkpoint(cli: Cli) -> None:
    cli.write("in.json", '{"time":"2026-05-15T18:19:32Z","msg":"x","password":"Zq7xMARK"}\n' * 3)
    cli.ok("ingest", "--redact", "secrets", "in.json")
    assert b"Zq7xMARK" not in b"".join(each.read_bytes() for each in cli.folder.glob("log.db*"))
    assert totals(cli)[2] == 3


# -- what masks hide -----------------------------------------------------------------------------------


def test_a_search_for_a_hidden_number_says_raw_and_raw_finds_it(cli: Cli, pacemaker: Path) -> None:
    cli.ok("ingest", "pacemaker.log")
    done = cli("query", "3602")
    assert (done.code, done.out) == (1, "")
    assert "--raw" in done.err
    found = cli("query", "--raw", "-o", "jsonl", "3602")
    assert found.code == 0
    (row,) = found.rows
    assert "PID 3602" in row["last_text"]
    assert "--raw" not in cli("query", "--raw", "987654").err


def test_nothing_is_said_of_raw_where_nothing_is_masked(cli: Cli) -> None:
    cli.have("vip is up")
    assert "--raw" not in cli("query", "987654").err


def test_show_prints_the_numbers_behind_masks(cli: Cli, pacemaker: Path) -> None:
    cli.ok("ingest", "pacemaker.log")
    (content,) = (row["id"] for row in cli.jsonl("status 0"))
    out = cli.ok("show", f"c{content}").out
    (heading,) = (line for line in out.splitlines() if line.startswith("MASKED"))
    for name in ("SMALLEST", "LARGEST", "MEAN", "LAST", "COUNT"):
        assert name in heading
    assert re.search(r"execution time.* 5 +9021 +2259 +5 +x4 .*PID 3399.*9021ms", out), out


# -- packed inputs -------------------------------------------------------------------------------------


def zstd(data: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout


NO_ZSTD = pytest.mark.skipif(shutil.which("zstd") is None, reason="there is no program zstd")


@pytest.mark.parametrize(
    ("suffix", "pack"), [("gz", gzip.compress), pytest.param("zst", zstd, marks=NO_ZSTD)]
)
def test_packed_files_are_read_once(cli: Cli, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    cli.write(f"p.log.{suffix}", pack(PACEMAKER.encode()))
    assert "5 lines -> 5 records, 2 new contents" in cli.ok("ingest", f"p.log.{suffix}").out
    assert "nothing new" in cli.ok("ingest", f"p.log.{suffix}").out
    assert totals(cli) == (2, 2, 5)


def test_a_file_that_was_packed_after_it_was_read_gives_nothing_new(cli: Cli, pacemaker: Path) -> None:
    cli.ok("ingest", "pacemaker.log")
    cli.write("pacemaker.log.1.gz", gzip.compress(PACEMAKER.encode()))
    pacemaker.unlink()
    assert "nothing new" in cli.ok("ingest", "pacemaker.log.1.gz").out
    assert totals(cli)[2] == 5


# -- sources that keep going ---------------------------------------------------------------------------


@contextlib.contextmanager
def going(cli: Cli, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = cli.start(*arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(cli: Cli, records: int) -> None:
    """Wait until so many records are stored; for 20 seconds at most."""
    pause = select.poll()
    for _ in range(400):
        if cli.db.exists():
            with contextlib.suppress(Exception):
                if totals(cli)[2] == records:
                    return
        pause.poll(50)
    pytest.fail(f"{records} records were never stored")


def ended(process: subprocess.Popen[bytes]) -> str:
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert b"Traceback" not in err
    return out.decode()


def test_a_followed_file_is_stored_as_it_grows_until_sigterm(cli: Cli, pacemaker: Path) -> None:
    with going(cli, "ingest", "--follow", "pacemaker.log") as process:
        wait_for(cli, 5)
        with pacemaker.open("a") as file:
            file.write(finished(41, 3703) + finished(42, 3704))
        wait_for(cli, 7)
        out = ended(process)
    assert re.match(r"followed: 7 lines -> 7 records, 2 new contents", out), out
    assert sorted(cli.counts().values()) == [1, 6]
    assert "nothing new" in cli.ok("ingest", "pacemaker.log").out


def test_a_datagram_is_stored_by_the_listener(cli: Cli) -> None:
    with going(cli, "ingest", "--listen", "udp://127.0.0.1:0") as process:
        assert process.stderr is not None
        assert select.select([process.stderr], [], [], 20)[0]
        said = os.read(process.stderr.fileno(), 4096).decode()
        match = re.search(r"listening on udp://127\.0\.0\.1:(\d+)", said)
        assert match, said
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"<12>Nov 22 00:25:43 node1 app[7]: vip is up", ("127.0.0.1", int(match[1])))
        wait_for(cli, 1)
        out = ended(process)
    assert re.match(r"syslog: 1 line -> 1 record, 1 new content", out), out
    assert cli.select("SELECT source, level_name, message FROM episode") == [
        ("node1/app", "warning", "vip is up")
    ]


# -- options -------------------------------------------------------------------------------------------


def test_options_that_exclude_each_other_are_refused_and_make_no_store(cli: Cli) -> None:
    cli.write("a.log", PLAIN)
    wrong = [
        ("--listen", "udp://127.0.0.1:0", "a.log"),
        ("--listen", "udp://127.0.0.1:0", "--journal"),
        ("--listen", "udp://127.0.0.1:0", "--follow"),
        ("--listen", "udp://127.0.0.1:0", "--dry-run"),
        ("--dry-run", "--follow", "a.log"),
        ("--dry-run", "--journal"),
        ("--follow",),
        ("--follow", "-"),
        ("--tz", "No/Where", "a.log"),
    ]
    for command, done in cli.each([("ingest", *options) for options in wrong]):
        assert done.is_refusal(), (command, done)
    assert not cli.db.exists()


def test_a_mistaken_option_makes_no_store(cli: Cli) -> None:
    cli.write("a.log", PLAIN)
    wrong = [("--masks", "no-such"), ("--redact", "no-such"), ("--format", "no-such"), ("--pattern", "(")]
    for _, done in cli.each([("ingest", *options, "a.log") for options in wrong]):
        assert done.code == 2
    assert not cli.db.exists()


def test_a_log_that_was_read_packed_is_not_read_again_unpacked(cli: Cli) -> None:
    lines = b"".join(b"2026-11-22T10:00:00Z INFO line %d\n" % n for n in range(50))
    (cli.folder / "a.log.gz").write_bytes(gzip.compress(lines))
    cli.ok("ingest", "--host", "h", "a.log.gz")
    (cli.folder / "a.log.gz").unlink()
    (cli.folder / "a.log").write_bytes(lines + b"2026-11-22T10:00:01Z INFO one more\n")
    assert "1 line -> 1 record" in cli.ok("ingest", "--host", "h", "a.log").out
