"""The command line starts quickly: it imports what a command needs, and nothing else."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from cli import PROGRAM

import logstore
from logstore import Episode, LogStore, LogStoreError, Record

SLOW = ("asyncio", "json", "logging", "multiprocessing", "rich", "socketserver", "sqlite3", "tomllib")
OURS = ("batch", "handler", "intake", "masks", "rulebook", "sources", "store", "writer")
"""What only writing needs."""


def imported(*command: str) -> set[str]:
    """The modules of a process that ran a command line."""
    tell = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    program = f"{tell}\nfrom logstore.cli.app import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", program, *command],
        env={"PATH": str(PROGRAM.parent), "LANG": "C.UTF-8"},  # without what measures the coverage
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def test_help_needs_no_sqlite_and_nothing_of_the_store() -> None:
    unneeded = {*SLOW, "apsw", "csv", "hashlib", "importlib.resources", "pydantic", "socket", "tempfile"}
    unneeded |= {f"logstore.{room}" for room in (*OURS, "database", "record", "search", "statements")}
    assert not imported("--help") & unneeded


def test_query_needs_nothing_of_what_writes(path: Path) -> None:
    with LogStore(path) as store:
        store.log("x")
    unneeded = {*SLOW, *(f"logstore.{room}" for room in OURS)}
    assert not imported("--db", str(path), "query") & unneeded


def test_the_package_imports_no_more_than_the_name_asked_for() -> None:
    """A record needs no SQLite."""
    lazily = (
        "import sys, logstore; logstore.Record; print('apsw' in sys.modules, 'logstore.store' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", lazily], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_every_name_of_the_package_is_there() -> None:
    for name in logstore.__all__:
        assert getattr(logstore, name).__name__ == name
        assert name in dir(logstore)
    namespace: dict[str, object] = {}
    exec("from logstore import *", namespace)
    assert set(logstore.__all__) <= set(namespace)


def test_a_name_that_the_package_has_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        logstore.nothing  # type: ignore[attr-defined]  # noqa: B018  # mypy knows, too
    assert not hasattr(logstore, "LogStor")


def test_what_the_package_hands_out_can_be_pickled() -> None:
    record = Record("m", level="error", attributes={"a": 1})
    assert pickle.loads(pickle.dumps(record)) == record
    for name in (Episode, LogStore, LogStoreError):
        assert pickle.loads(pickle.dumps(name)) is name
