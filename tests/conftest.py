"""What the tests of the store share: a clock that only moves when told, a store, and the stock shell."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from model import NOW_US, Clock

from logstore import LogStore

Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def clock() -> Clock:
    """A clock at 2025-12-07 00:00:00 UTC that only moves when told."""
    return Clock(NOW_US)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store may be created; nothing is there yet."""
    return tmp_path / "log.db"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[LogStore]:
    """A new store with T = 150 s and S = 600 s that never sweeps by itself."""
    with LogStore(path, clock_us=clock, auto_sweep=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def shell() -> Shell:
    """Run SQL in the stock sqlite3 shell: shell(path, sql, *options) returns what it printed."""
    program = shutil.which("sqlite3")
    if program is None:
        pytest.skip("NO sqlite3 SHELL HERE, so nothing proves the file works in it: apt-get install sqlite3")

    def run(path: Path, sql: str, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "-batch", "-bail", *options, str(path)],
            input=sql,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
