"""A second process that reads changes nothing but the time: not what is stored, said or raised."""

import gzip
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path

import pytest
from cli import Cli

from logstore.cli import ahead
from logstore.cli.ahead import Ahead, batches_of
from logstore.errors import InputUnreadable
from logstore.sources.files import Batch, Reading
from logstore.sources.inputs import open_input

LINES = 30_000
ALWAYS = "from logstore.cli import ahead; ahead._LARGE_BYTES = 0; ahead._cores = lambda: 2"
SMALL_BATCHES = (
    "from logstore.sources.files import Reading as R; R.__init__.__kwdefaults__['batch_lines'] = 4000"
)


def line(number: int) -> str:
    if number % 50 == 3:
        return "  a further line\n"
    return (
        f"Nov 22 {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02} n1 sshd[9]: {number % 97}\n"
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "big.log"
    path.write_text("".join(map(line, range(LINES))))
    return path


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@contextmanager
def reading(path: Path, **settings: int) -> Iterator[Reading]:
    with open_input(str(path), None) as source:  # type: ignore[arg-type]
        known = {"tz": UTC, "now_us": 0, "batch_lines": 1000} | settings
        yield Reading(source, **known)  # type: ignore[arg-type]


def listed(batches: Reading | Ahead) -> list[Batch]:
    return [batch._replace(records=list(batch.records)) for batch in batches]


def is_gone(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return False
    return True


def refuse() -> int:
    raise BlockingIOError("no more processes")


@pytest.mark.parametrize("fork", [os.fork, refuse])
def test_its_batches_are_those_of_the_reading(
    log: Path, monkeypatch: pytest.MonkeyPatch, fork: Callable[[], int]
) -> None:
    """Also where there is no process to be had."""
    monkeypatch.setattr(os, "fork", fork)
    with reading(log) as alone:
        expected = listed(alone)
    with reading(log) as inner:
        two = Ahead(inner)
        assert listed(two) == expected
        two.close()
    assert len(expected) >= LINES // 8000
    assert two.outcome == alone.outcome
    assert two.outcome.headed
    assert two.outcome.assumed.years


def test_an_error_comes_after_the_batches_before_it(log: Path) -> None:
    packed = log.with_suffix(".gz")
    packed.write_bytes(gzip.compress(log.read_bytes())[:-9])
    seen = []
    for kind in (lambda each: each, Ahead):
        with reading(packed) as inner:
            batches = kind(inner)
            seen.append(until_error(batches))
            batches.close()
    assert seen[0] == seen[1]
    assert seen[0][0] > LINES // 2


def until_error(batches: Reading | Ahead) -> tuple[int, str]:
    """How many records come before the error, and what it says."""
    records = 0
    try:
        for batch in batches:
            records += len(batch.records)
    except InputUnreadable as error:
        return records, str(error)
    pytest.fail("no error")


def test_other_errors_come_through_too(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with reading(log) as inner:
        monkeypatch.setattr(inner.parser, "take", lambda *_: 1 // 0)
        two = Ahead(inner)
        with pytest.raises(ZeroDivisionError):
            listed(two)
        two.close()


def test_a_killed_child_is_said(log: Path) -> None:
    with reading(log) as inner:
        two = Ahead(inner)
        batches = iter(two)
        next(batches)
        os.kill(two._child, signal.SIGKILL)
        with pytest.raises(InputUnreadable, match=r"big\.log: the process that reads it was killed"):
            list(batches)
        two.close()


def test_whoever_stops_early_leaves_no_process(log: Path) -> None:
    with reading(log) as inner:
        two = Ahead(inner)
        next(iter(two))
        child = two._child
        assert not is_gone(child)
        two.close()
        assert is_gone(child)
        two.close()


def test_two_processes_are_for_large_files_and_machines(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_cores", lambda: 2)
    with reading(log) as inner:
        assert batches_of(inner) is inner
        monkeypatch.setattr(ahead, "_LARGE_BYTES", log.stat().st_size)
        assert isinstance(batches_of(inner), Ahead)
        pause = threading.Event()
        other = threading.Thread(target=pause.wait)
        other.start()
        assert batches_of(inner) is inner
        pause.set()
        other.join()
        monkeypatch.setattr(ahead, "_cores", lambda: 1)
        assert batches_of(inner) is inner
    assert ahead._cores() >= 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_ended_ingest_leaves_no_process_and_goes_on_exactly(cli: Cli, number: signal.Signals) -> None:
    """At random moments; the signal is for all of its processes, as a terminal sends it, or for the first."""
    path = cli.write("big.log", "")
    chance, hits = random.Random(1), 0
    for _ in range(5):
        with path.open("a") as file:
            file.write("".join(map(line, range(LINES))))
        process = subprocess.Popen(
            cli.command("ingest", "big.log", patch=f"{ALWAYS}; {SMALL_BATCHES}"),
            cwd=cli.folder,
            env=cli.env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        time.sleep(chance.uniform(0.15, 0.7))
        with suppress(ProcessLookupError):
            (os.killpg if chance.random() < 0.5 and number != signal.SIGKILL else os.kill)(
                process.pid, number
            )
        process.communicate(timeout=10)  # ends when no process has stderr open
        hits += process.returncode != 0
    assert hits
    cli.ok("ingest", "big.log")
    total = cli.select("SELECT sum(count) FROM (SELECT count FROM queue UNION ALL SELECT count FROM archive)")
    assert total == [(5 * (LINES - LINES // 50),)]
