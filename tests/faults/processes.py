"""Children of a campaign: forked from a warm process that has no store open, ended by their own id only.

A fork costs a hundredth of a new Python. Whoever forks here must have closed its stores: SQLite
remembers, for the whole process, which locks it holds.
"""

import contextlib
import mmap
import os
import pickle
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NoReturn, Self

from history import Broken

Numbers = memoryview
"""Integers of 64 bits, shared with children; each is written at once, so a kill cannot tear it."""

_DEADLINE_S: Final = 60


class ChildFailed(Broken):
    """A child ended otherwise than it should: by a signal nobody sent, or by what it raised."""


class Child:
    """A forked process that runs one function and then ends; `answer` is what that returned."""

    def __init__(self, work: Callable[[], object], *, seconds: int = _DEADLINE_S) -> None:
        self._reading, writing = os.pipe()
        with warnings.catch_warnings():  # Python 3.12 warns of a fork beside threads
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid == 0:
            os.close(self._reading)
            _run(work, writing, seconds)
        os.close(writing)
        self._status: int | None = None
        self._said = b""

    def kill(self) -> None:
        """End it as kill -9 does. Raises ChildFailed if it had failed before."""
        os.kill(self.pid, signal.SIGKILL)
        said = self._wait()
        killed = os.WIFSIGNALED(self._ended) and os.WTERMSIG(self._ended) == signal.SIGKILL
        if not killed and self._ended != 0:
            raise ChildFailed(_why(self._ended, said))

    def answer(self) -> Any:
        """Wait until it ends. Raises ChildFailed unless its function returned."""
        said = self._wait()
        if self._ended != 0 or not said:
            raise ChildFailed(_why(self._ended, said))
        return pickle.loads(said)

    def wait(self) -> None:
        """Wait until it ends, however it does."""
        self._wait()

    def end(self) -> None:
        """Wait until it ends, unless it was killed. Raises ChildFailed for anything else."""
        if not self.was_killed:
            self.answer()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        if self._status is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            self._wait()
        return self._status is None

    @property
    def was_killed(self) -> bool:
        """Whether a SIGKILL ended it, whoever sent that."""
        self._wait()
        return os.WIFSIGNALED(self._ended) and os.WTERMSIG(self._ended) == signal.SIGKILL

    @property
    def _ended(self) -> int:
        if self._status is None:
            raise ChildFailed("still running")
        return self._status

    def _wait(self) -> bytes:
        if self._status is None:
            with os.fdopen(self._reading, "rb") as answer:
                self._said = answer.read()
            _, self._status = os.waitpid(self.pid, 0)
        return self._said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind, whatever was asserted meanwhile."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._wait()


def in_child(work: Callable[[], Any], *, seconds: int = _DEADLINE_S) -> Any:
    """Return what a function returns in a child. A crash, a hang and an error there are ChildFailed here."""
    return Child(work, seconds=seconds).answer()


def shared(size: int) -> Numbers:
    """Return so many integers, all 0, that children and parent have in common."""
    return memoryview(mmap.mmap(-1, 8 * size)).cast("q")


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Look at a condition every millisecond until it holds. Raises ChildFailed after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ChildFailed(f"not within {seconds:g} s: {what}")
        time.sleep(0.001)


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: a kill loses nothing that a disk would have kept."""
    memory = Path("/dev/shm")
    name = tempfile.mkdtemp(prefix="logstore-faults-", dir=memory if memory.is_dir() else None)
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name)


@contextlib.contextmanager
def told(where: object) -> Iterator[None]:
    """Let every failed check say where it failed: in which round, on what."""
    try:
        yield
    except Broken as broken:
        raise type(broken)(f"{where}: {broken}") from broken
    except Exception as error:
        raise Broken(f"{where}: {type(error).__name__}: {error}") from error


def expect(condition: object, what: str) -> None:
    """Raise Broken if something does not hold."""
    if not condition:
        raise Broken(f"expected: {what}")


def _run(work: Callable[[], object], writing: int, seconds: int) -> NoReturn:
    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        said = pickle.dumps(work())
        status = 0
    except BaseException:  # noqa: BLE001  # the parent says it, whatever it is
        said = traceback.format_exc().encode("utf-8", "backslashreplace")
    with os.fdopen(writing, "wb") as answer:
        answer.write(said)
    os._exit(status)


def _why(status: int, said: bytes) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return "hung" if number == signal.SIGALRM else f"ended by {signal.Signals(number).name}"
    return said.decode() or f"ended with {os.waitstatus_to_exitcode(status)}"
