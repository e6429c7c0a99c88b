"""Reading ahead: a child process reads and parses a large file while this one stores."""

import contextlib
import os
import pickle
import signal
import threading
from collections.abc import Iterator
from typing import BinaryIO, Final, NoReturn

from logstore.errors import InputUnreadable
from logstore.sources.files import Batch, Outcome, Reading

_LARGE_BYTES: Final = 16 * 1024 * 1024  # below it there is little to gain from a second process
_TWO: Final = 2
_INTERRUPT: Final = frozenset({signal.SIGINT})


class Ahead:
    """The batches of a reading, or its error, as if this process had read them.

    The child is no more than one batch ahead. `close` ends it; it does not outlive this process.
    """

    def __init__(self, reading: Reading) -> None:
        """Take a reading of a regular file, while this process has no other thread."""
        self.outcome = reading.outcome
        self._reading = reading
        self._child = 0

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches; raises InputUnreadable as the reading does, or if the child was killed."""
        try:
            pipe = self._started()
        except OSError:  # no process or pipe is to be had: do without
            yield from self._reading
            self.outcome = self._reading.outcome
            return
        with pipe:
            yield from self._received(pipe)

    def close(self) -> None:
        """End the child and the reading."""
        child, self._child = self._child, 0
        if child:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        self._reading.close()

    def _started(self) -> BinaryIO:
        """Start the child; return the pipe that it writes to. Raises OSError."""
        read_end, write_end = os.pipe()
        out, into = os.fdopen(read_end, "rb"), os.fdopen(write_end, "wb")
        # An interrupt is the parent's to answer: amid the fork both would, and the child close the store.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPT)
        try:
            self._child = os.fork()
            if not self._child:
                _work(self._reading, out, into)
        except OSError:
            out.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            into.close()
        return out

    def _received(self, pipe: BinaryIO) -> Iterator[Batch]:
        while True:
            try:
                received = pickle.load(pipe)  # noqa: S301 - written by our own child
            except (EOFError, pickle.UnpicklingError) as error:
                raise InputUnreadable(
                    f"{self._reading.path}: the process that reads it was killed; what was stored is kept: "
                    "ingest it again to go on"
                ) from error
            if isinstance(received, Exception):
                raise received
            if isinstance(received, Outcome):
                self.outcome = received
                return
            yield received


def batches_of(reading: Reading) -> Reading | Ahead:
    """Return what to take batches from: the reading itself, unless a second process pays and is safe."""
    pays = reading.left_bytes >= _LARGE_BYTES and _cores() >= _TWO
    return Ahead(reading) if pays and threading.active_count() == 1 else reading


def _cores() -> int:
    """Return how many cores this process may use, 1 where nobody tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def _work(reading: Reading, out: BinaryIO, into: BinaryIO) -> NoReturn:
    """Do the work of the child, which ends here: what it has of the parent's store must not be closed."""
    try:
        out.close()
        _send(reading, into)
    finally:
        os._exit(0)


def _send(reading: Reading, pipe: BinaryIO) -> None:
    try:
        for batch in reading:
            pickle.dump(batch, pipe, pickle.HIGHEST_PROTOCOL)
            pipe.flush()
        pickle.dump(reading.outcome, pipe)
    except BrokenPipeError:
        return  # nobody listens any more
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
        pickle.dump(error, pipe)
    pipe.flush()
