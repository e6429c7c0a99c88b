"""A regular expression or a function that never ends is ended, with a reason and exit code 2."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli import Done

from logstore import LogStore, Record, errors
from logstore.search.patience import patient_regex

LONG = "a" * 5_000 + "!"

PROGRAM = """
import os, sys, time
from pathlib import Path
from logstore.database import open_reader
from logstore.errors import LogStoreError
from logstore.search import patience
from logstore.search.patience import patient_regex, patient_sql
from logstore.search.question import run_sql

patience.TEXT_SECONDS = 0.5

def regex(path, pattern):
    matcher = patient_regex(pattern)
    with open_reader(path, busy_timeout=1) as store:
        store.define("matches", matcher)
        print(*store.one("SELECT count(*) FROM content WHERE matches(message)"))

def sql(path, statement):
    patient_sql(0.5)
    with open_reader(path, busy_timeout=1) as store:
        print(*run_sql(store, statement, seconds=0.5)[1])

def slow(path, seconds):
    print("buffered")
    patient_sql(0.5)
    print("here", flush=True)
    time.sleep(float(seconds))

def ends(path, code):
    patient_sql(0.5)
    print("as it is")
    sys.exit(int(code))

def dies(path, number):
    patient_sql(0.5)
    os.kill(os.getpid(), int(number))

try:
    globals()[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
except LogStoreError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
"""


@pytest.fixture
def file(path: Path) -> Path:
    with LogStore(path) as store:
        for message in (LONG, "p_web is up", "x" * 2_000_000 + " at last"):
            store.log(message)
    return path


def command(work: str, path: Path, argument: str) -> list[str | Path]:
    return [sys.executable, "-c", PROGRAM, work, path, argument]


def run(work: str, path: Path, argument: str) -> Done:
    done = subprocess.run(
        command(work, path, argument), capture_output=True, text=True, timeout=30, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(?:a*)*b", "(.*a){20}b"])
def test_a_pattern_that_never_ends_is_stopped(file: Path, pattern: str) -> None:
    """On one long message; the error names the pattern and the way out."""
    started = time.monotonic()
    done = run("regex", file, pattern)
    stopped = f"{pattern!r} was stopped after 0.5 s on a message of 5,001 characters"
    assert done.is_refusal(stopped, "leave out the repeat")
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(("pattern", "found"), [("p_web", 1), ("a+!$", 1), (r"x+ at \w+$", 1), ("[pxa]", 3)])
def test_a_pattern_that_ends_is_not(file: Path, pattern: str, found: int) -> None:
    assert run("regex", file, pattern) == (0, f"{found}\n", "")


def test_time_is_that_of_one_message(path: Path) -> None:
    """Many messages together may take as long as they need."""
    with LogStore(path) as store:
        store.log_many(Record("a" * 18 + f" {number}!") for number in range(20))
    assert run("regex", path, "(a+)+ $") == (0, "0\n", "")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT instr(printf('%.*c', 30000000, 'a'), printf('%.*c', 15000000, 'a') || 'b')",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT 1 FROM n) SELECT max(randomblob(6e7)) FROM n",
    ],
)
def test_a_function_that_never_ends_is_stopped(file: Path, statement: str) -> None:
    """Inside one step of a statement no progress handler is called."""
    assert run("sql", file, statement).is_refusal("more than 0.5 s", "inside one function", "narrow it down")


def test_what_is_slow_in_many_steps_is_stopped_by_the_guard(file: Path) -> None:
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    assert run("sql", file, endless).is_refusal(str(file), "ran for too long")
    assert run("sql", file, "SELECT 7") == (0, "(7,)\n", "")


def test_waiting_costs_no_patience(file: Path) -> None:
    """Whoever leaves a pager open is not stopped; what was printed before is printed once."""
    assert run("slow", file, "3") == (0, "buffered\nhere\n", "")


@pytest.mark.parametrize("code", [0, 1, 3])
def test_it_exits_as_the_child_does(file: Path, code: int) -> None:
    assert run("ends", file, str(code)) == (code, "as it is\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_it_dies_as_the_child_does(file: Path, number: int) -> None:
    code = run("dies", file, str(int(number))).code
    assert code in (-number, 1, 130)  # Python turns SIGINT into an exception first


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_child(file: Path, number: int) -> None:
    """Ending the command ends the work, too: its end of the pipe closes at once."""
    with subprocess.Popen(command("slow", file, "60"), stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert [program.stdout.readline() for _ in range(2)] == ["buffered\n", "here\n"]
        os.kill(program.pid, number)
        assert program.stdout.read() == ""
        assert program.wait(timeout=5) == -number


def test_what_is_no_pattern_is_refused_at_once() -> None:
    with pytest.raises(errors.InvalidQuery, match="does not compile"):
        patient_regex("(a")
