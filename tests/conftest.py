"""What the tests of the store share: a clock that only moves when told, a store, and the stock shell."""

import contextlib
import os
import shutil
import signal
import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings
from model import NOW_US, Clock

from logstore import LogStore

settings.register_profile("untimed", deadline=None)  # how fast a machine is proves nothing
settings.load_profile("untimed")

Shell = Callable[..., subprocess.CompletedProcess[str]]
Forked = Callable[..., str]


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


@pytest.fixture(scope="session")
def forked() -> Forked:
    """Run a function in a forked child, as user `uid` if one is given.

    Gives the repr of what it returned, the name and message of what it raised, or "hung" after 5 seconds.
    """

    def run(function: Callable[[], object], uid: int | None = None) -> str:
        reading, writing = os.pipe()
        with warnings.catch_warnings():  # Python 3.12 warns of a fork beside threads: that is what is tested
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _answer(function, uid, writing)
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as answer:
            said = answer.read()
        _, status = os.waitpid(pid, 0)
        return "hung" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM else said

    return run


def _answer(function: Callable[[], object], uid: int | None, writing: int) -> NoReturn:
    signal.alarm(5)
    try:
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        said = repr(function())
    except BaseException as error:  # noqa: BLE001  # the parent asserts on it, whatever it is
        said = f"{type(error).__name__}: {error}"
    os.write(writing, said.encode("utf-8", "backslashreplace")[:60_000])
    os._exit(0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "logstore-test", str(place)]
    done = None
    with contextlib.suppress(FileNotFoundError):
        done = subprocess.run(mount, capture_output=True, check=False)
    if done is None or done.returncode != 0:
        pytest.skip("NO SMALL DISK CAN BE MOUNTED HERE, so nothing proves what a full one does: run as root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
