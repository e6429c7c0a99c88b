"""`stats --check`: a whole store is called whole, and what is broken is named, with exit code 4."""

import json
from pathlib import Path
from typing import Any

import apsw
import pytest
from cli import Cli

from logstore import LogStore, Record
from logstore.database import open_reader
from logstore.keeping.checking import faults

START_US = 1_795_305_600_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with closed and open episodes of three contents, at rest."""
    path = tmp_path / "log.db"
    texts = ("vip is up", "redis died", "web answered")
    with LogStore(path, window=1, max_span=1) as store:
        store.log_many(
            Record(texts[number % 3], "info", "node1/x", START_US + number * 900_000) for number in range(60)
        )
        store.sweep(now_us=START_US + 30_000_000)
    return path


def found(path: Path, *, full: bool = False) -> list[str]:
    with open_reader(path, busy_timeout=1) as reader:
        return faults(reader, full=full)


def falsify(path: Path, sql: str) -> None:
    """Do what the schema refuses, as somebody might who is bent on it."""
    connection = apsw.Connection(str(path))
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(sql)
    connection.close()


@pytest.mark.parametrize("full", [False, True])
def test_a_whole_store_has_no_faults(path: Path, full: bool) -> None:
    assert found(path, full=full) == []


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("UPDATE archive SET count = count + 1 WHERE seq = 1", "records, the totals say"),
        ("DELETE FROM archive WHERE seq = 1", "episodes, the totals say"),
        ("DELETE FROM queue", "the queue holds 0 episodes, the store says"),
        ("UPDATE store SET next_id = 1", "the next one would be 1"),
        (
            "UPDATE queue SET content_hash = zeroblob(32) WHERE id = (SELECT max(id) FROM queue)",
            "another hash",
        ),
    ],
)
def test_counts_that_do_not_agree_are_told(path: Path, sql: str, told: str) -> None:
    with LogStore(path) as store:
        store.log("still here")  # so that the queue holds one
    falsify(path, sql)
    assert any(told in fault for fault in found(path))


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("DELETE FROM content WHERE id = 1", "belongs to content 1, which is not there"),
        ("UPDATE content SET message = 'all is well' WHERE id = 2", "content 2 is not what its hash says"),
        ("UPDATE content SET level = 7 WHERE id = 2", "content 2 is not what its hash says"),
    ],
)
def test_what_only_the_full_check_sees(path: Path, sql: str, told: str) -> None:
    falsify(path, sql)
    assert not any(told in fault for fault in found(path))
    assert any(told in fault for fault in found(path, full=True))


def test_a_page_that_is_garbage_is_a_fault(path: Path) -> None:
    connection = apsw.Connection(str(path))
    root: Any = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'archive'").get
    connection.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xa5" * 4096)
    assert found(path) != []


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def test_the_command_says_whole_or_what_is_wrong(path: Path, cli: Cli) -> None:
    """Exit 0 with the statistics, exit 4 with the faults and the way out; JSON stays JSON."""
    for options in (["--check"], ["--check", "--full"]):
        done = cli("stats", *options, "-o", "json", db=path)
        assert done.code == 0
        assert "whole" in done.err
        assert json.loads(done.out)[0]["records"] == 60

    falsify(path, "UPDATE total SET count = count + 1 WHERE content_id = 1")
    done = cli("stats", "--check", db=path)
    assert (done.code, done.out) == (4, "")
    assert "the totals say" in done.err
    assert "snapshot COPY" in done.err
    assert cli("stats", "--full", db=path).is_refusal("--check")


def test_stats_tells_the_room_on_the_disk(path: Path, cli: Cli) -> None:
    (told,) = json.loads(cli("stats", "-o", "json", db=path).out)
    assert told["free_bytes"] > 0
    assert told["reserve_bytes"] == path.with_name("log.db-reserve").stat().st_size
