"""One connection and its one transaction helper; every error that leaves them is a LogStoreError."""

import contextlib
import os
import random
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Self
from weakref import WeakSet

import apsw

from logstore.database.explained import explained
from logstore.database.files import Watch
from logstore.errors import (
    InvalidQuery,
    LogStoreError,
    OutcomeUnknown,
    StoreBusy,
    StoreDamaged,
)

Bindings = Sequence[Any] | Mapping[str, Any]

_READING: Final = {apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE}
_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_LARGEST_VALUE: Final = 64 * 1024 * 1024
_SLOW_COMMIT_S: Final = 0.1
_SLOW_COMMITS: Final = 8


class Connection:
    """One connection to one file; every error that leaves it is a LogStoreError.

    Not for several threads at once: the owner holds a lock around it.
    """

    _open: ClassVar[WeakSet["Connection"]] = WeakSet()

    def __init__(
        self, raw: apsw.Connection, path: Path, busy_timeout: float, watch: Watch | None = None
    ) -> None:
        self.path = path
        self.sound = True  # False: a commit has failed in a way that only a new connection can sort out
        self.had_a_log = False  # True: a write-ahead log lay there before it was opened
        self._watch = watch
        self._raw = raw
        self._busy_timeout = busy_timeout
        self._pid = os.getpid()
        self._open.add(self)
        self._execute = raw.execute
        self.slow_commits = 0
        self._statements_are_ours = True

    def rows(self, statement: str, bindings: Bindings = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return all its rows."""
        try:
            return self._execute(statement, bindings).fetchall()
        except (apsw.Error, UnicodeError, OverflowError) as error:
            raise self.explain(error) from error

    def patiently(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement for which SQLite does not wait itself: where two would wait for each other."""
        wait = patience(self._busy_timeout)
        for attempt in count():
            try:
                return self.rows(statement)
            except StoreBusy:
                if not wait(attempt):
                    raise
        raise AssertionError  # there is no end of attempts

    def asked(self, statement: str, bindings: Bindings) -> list[tuple[Any, ...]]:
        """Run a statement with words of the user: what is wrong with them is InvalidQuery."""
        try:
            return self._execute(statement, bindings).fetchall()
        except apsw.Error as error:
            raise explained(error, self.path, self._busy_timeout, ours=False) from error

    def one(self, statement: str, bindings: Bindings = ()) -> tuple[Any, ...]:
        """Run a statement that always gives a row, and return that. Raises StoreDamaged."""
        row = self.row(statement, bindings)
        if row is None:
            raise StoreDamaged(
                f"{self.path}: a row that every store has is missing; restore it from a backup"
            )
        return row

    def row(self, statement: str, bindings: Bindings = ()) -> tuple[Any, ...] | None:
        """Run a statement and return its first row, None if there is none."""
        rows = self.rows(statement, bindings)
        return rows[0] if rows else None

    def each(self, statement: str, bindings: Iterable[Bindings]) -> list[tuple[Any, ...]]:
        """Run a statement once for each of the bindings and return the rows of them all."""
        try:
            return self._raw.executemany(statement, bindings).fetchall()
        except (apsw.Error, UnicodeError, OverflowError) as error:
            raise self.explain(error) from error

    def stream(self, statement: str, bindings: Bindings = ()) -> Iterator[tuple[Any, ...]]:
        """Run a statement now and yield its rows as they are asked for, all of one snapshot."""
        try:
            cursor = self._execute(statement, bindings)
        except (apsw.Error, UnicodeError, OverflowError) as error:
            raise self.explain(error) from error
        return self._each_row(cursor)

    def _each_row(self, cursor: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        try:
            yield from cursor
        except (apsw.Error, UnicodeError, OverflowError) as error:
            raise self.explain(error) from error

    def data_version(self) -> int:
        """Return a number that changes with every commit, whoever made it."""
        try:
            return self._raw.data_version("main")
        except apsw.Error as error:
            raise self.explain(error) from error

    def hold_snapshot(self) -> None:
        """Let everything that is read from now on be of one moment."""
        self.rows("BEGIN")
        self.rows("SELECT 1 FROM store")

    def changed(self, statement: str, bindings: Bindings = ()) -> int:
        """Run a statement and return how many rows it changed, those of its triggers left out."""
        self.rows(statement, bindings)
        return self._raw.changes()

    def columns(self, statement: str) -> list[str]:
        """Return the column names of a single statement, without running it. Raises InvalidQuery."""
        import apsw.ext  # noqa: PLC0415  # five times as slow to import as apsw itself, and seldom needed

        try:
            info = apsw.ext.query_info(self._raw, statement)
        except (apsw.Error, UnicodeError, OverflowError) as error:
            raise self.explain(error) from error
        if _COMMENT.sub("", info.query_remaining or "").strip(" \t\r\n;"):
            raise InvalidQuery(f"{self.path}: one statement at a time; leave out what follows the first")
        return [name for name, _ in info.description]

    def transaction(self) -> "Transaction":
        """Return a context that holds the write lock from its start, and commits or rolls back at its end."""
        return Transaction(self, self._raw)

    def note_commit(self, seconds: float) -> None:
        """Know how long a commit took, and warn if one after the other shows that the disk is slow."""
        self.slow_commits = self.slow_commits + 1 if seconds > _SLOW_COMMIT_S else 0
        if self.slow_commits == _SLOW_COMMITS:
            tell(
                f"{self.path}: this disk is slow, each of the last {_SLOW_COMMITS} commits took over "
                f"{_SLOW_COMMIT_S * 1000:g} ms; move the store to a local disk, or write in larger batches"
            )

    def owns_its_files(self) -> bool:
        """Return whether its files are still those that it opened; if not, it is not sound any more."""
        self.sound = self.sound and self._keeps_its_files()
        return self.sound

    def _keeps_its_files(self) -> bool:
        return self._watch is None or self._watch.unchanged()

    def may_be_replaced(self) -> bool:
        """Return whether a new connection would see the files as they are now.

        If they were changed, it would share what others of this process still take them for.
        """
        return self._keeps_its_files() or all(
            each is self or each.path != self.path for each in list(self._open)
        )

    def rehearse(self) -> None:
        """Have what ends a transaction at hand: where no memory is left, it could not be prepared."""
        for statement in ("BEGIN", "ROLLBACK"):
            self.rows(statement)

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Copy the write-ahead log into the file, as far as no reader needs it; `truncate` empties it then.

        What could not be copied is copied later: nothing is lost by an error here, and nobody is waited for.
        """
        mode = apsw.SQLITE_CHECKPOINT_TRUNCATE if truncate else apsw.SQLITE_CHECKPOINT_PASSIVE
        with self._impatient(), contextlib.suppress(apsw.Error):
            self._raw.wal_checkpoint(mode=mode)

    @contextlib.contextmanager
    def _impatient(self) -> Iterator[None]:
        """Let SQLite wait for nobody: who waits here holds the write lock."""
        self._raw.set_busy_handler(None)
        try:
            yield
        finally:
            self._raw.set_busy_handler(patience(self._busy_timeout))

    def settle(self) -> None:
        """Bring what recovery found in the write-ahead log into the file, and begin a new log, durably.

        After a sync that failed it may be in the system's cache alone, which takes it for written: an old log
        that came back after a power cut would be replayed over the file. Raises StoreBusy, at once, where
        others read or write.
        """
        try:
            with self._impatient():
                self._raw.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                self._raw.execute("BEGIN IMMEDIATE").fetchall()
                (version,) = self._raw.execute("PRAGMA user_version").fetchall()[0]
                self._raw.execute(f"PRAGMA user_version = {version}").fetchall()
                self._raw.execute("COMMIT").fetchall()  # syncs the beginning of the new log
        except apsw.Error as error:
            raise self.explain(error) from error
        finally:
            if self._raw.in_transaction:
                self._raw.execute("ROLLBACK")

    def define(self, name: str, function: Callable[..., Any]) -> None:
        """Make a Python function callable from the SQL of this connection."""
        self._raw.create_scalar_function(name, function, deterministic=True)

    def guard(self, seconds: float) -> None:
        """From now on only read, and interrupt whatever still runs after so many seconds."""
        deadline = time.monotonic() + seconds
        self._statements_are_ours = False
        self._raw.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        self._raw.limit(apsw.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
        self._raw.set_authorizer(_allowed)

    def trace(self, told: Callable[[str, Bindings], None] | None) -> None:
        """Call `told` with each statement that runs from now on, and its bindings; None: no more."""
        self._raw.exec_trace = told and (lambda _cursor, sql, bindings: told(sql, bindings) or True)

    def explain(self, error: Exception) -> LogStoreError:
        """Turn an error of SQLite into ours: what happened, to which file, what to do next."""
        return explained(error, self.path, self._busy_timeout, ours=self._statements_are_ours)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        if os.getpid() == self._pid and self in self._open:  # a fork must not touch its parent's locks
            self._open.discard(self)
            try:
                if not self._may_checkpoint():
                    self._raw.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
                self._raw.close()
            except apsw.Error as error:
                raise self.explain(error) from error

    def _may_checkpoint(self) -> bool:
        """Whether what closing would copy into the file belongs there."""
        return self.sound or self._watch is None or self._watch.misses_its_wal_alone()


class Transaction:
    """BEGIN IMMEDIATE .. COMMIT, or ROLLBACK after any error whatever.

    apsw's own `with connection:` would mask the error after an automatic rollback.
    """

    __slots__ = ("_connection", "_raw")

    def __init__(self, connection: Connection, raw: apsw.Connection) -> None:
        self._connection = connection
        self._raw = raw

    def __enter__(self) -> Self:
        self._roll_back()  # one that could not be before, for want of memory
        try:
            self._raw.execute("BEGIN IMMEDIATE")
        except apsw.Error as error:
            raise self._connection.explain(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._roll_back()
            return
        start = time.monotonic()
        try:
            self._raw.execute("COMMIT")
        except apsw.Error as failure:
            self._roll_back()
            if not self._is_undone(failure):
                self._connection.sound = False
                raise OutcomeUnknown(
                    f"{self._connection.path}: the disk failed in the commit itself ({failure}); "
                    "whether the batch was stored shows when it is sent again with its token"
                ) from failure
            raise self._connection.explain(failure) from failure
        if (seconds := time.monotonic() - start) > _SLOW_COMMIT_S or self._connection.slow_commits:
            self._connection.note_commit(seconds)
        if not self._connection.owns_its_files():
            raise OutcomeUnknown(
                f"{self._connection.path}: it, or its -wal, was moved, deleted or replaced in the commit; "
                "whether the batch was stored shows when it is sent again with its token"
            )

    def _is_undone(self, failure: apsw.Error) -> bool:
        """Return whether a commit that failed is sure not to come back after a crash."""
        if not isinstance(failure, apsw.FullError):
            return not isinstance(failure, apsw.IOError)
        with contextlib.suppress(apsw.Error):
            return self._overwrite()
        return False

    def _overwrite(self) -> bool:
        """Do away with a commit for which there was no room.

        It may stand whole in the write-ahead log. The next commit is written over its beginning, even where
        that finds no room for its end; then the log is emptied, or at least synced before that fails.
        """
        try:
            (version,) = self._raw.execute("PRAGMA user_version").fetchall()[0]
            self._raw.execute(f"PRAGMA user_version = {version}").fetchall()
        except apsw.FullError:
            with contextlib.suppress(apsw.FullError):
                self._raw.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        return True

    def _roll_back(self) -> None:
        if self._raw.in_transaction:  # FULL, IOERR and NOMEM may have rolled back already
            try:
                self._raw.execute("ROLLBACK")
            except apsw.Error:
                self._raw.release_memory()
                with contextlib.suppress(apsw.Error):
                    self._raw.execute("ROLLBACK")


def tell(message: str) -> None:
    """Warn, and raise nothing, even where warnings are errors: what was stored stays stored."""
    with contextlib.suppress(Warning):
        warnings.warn(message, stacklevel=3)


def patience(busy_timeout: float) -> Callable[[int], bool]:
    """Return a busy handler that waits 1 to 5 ms at a time, at random.

    SQLite's own growing waits starve whoever waited longest.
    """
    deadline = 0.0

    def wait(attempt: int) -> bool:
        nonlocal deadline
        if attempt == 0:
            deadline = time.monotonic() + busy_timeout
        elif time.monotonic() >= deadline:
            return False
        time.sleep(random.uniform(0.001, 0.005))
        return True

    return wait


def _allowed(action: int, first: str | None, *_: str | None) -> int:
    """Whether a guarded connection may do this; FTS5 asks for a data version before it searches."""
    asks_version = action == apsw.SQLITE_PRAGMA and first == "data_version"
    return apsw.SQLITE_OK if asks_version or action in _READING else apsw.SQLITE_DENY
