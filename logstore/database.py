"""The door to SQLite: open, configure, check the version, one transaction helper, one table of errors.

This is the only module that imports apsw.
"""

import contextlib
import grp
import os
import random
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import quote

import apsw

from logstore.errors import (
    InvalidQuery,
    InvalidSetting,
    LogStoreError,
    NotALogStore,
    OutcomeUnknown,
    ReadOnly,
    StoreBusy,
    StoreClosed,
    StoreDamaged,
    StoreFull,
    StoreMissing,
    StoreUnavailable,
    VersionMismatch,
)

APPLICATION_ID: Final = 0x4C6F6753
VERSION: Final = 1000
"""The file format written here: major * 1000 + minor."""

Bindings = Sequence[Any] | Mapping[str, Any]
Durability = Literal["full", "normal"]

_MINIMUM_SQLITE: Final = (3, 51, 3)
_READING: Final = {apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE}
_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_LARGEST_VALUE: Final = 64 * 1024 * 1024
_SMALLEST_DATABASE: Final = 512
_WAL_LIMIT_BYTES: Final = 64 * 1024 * 1024


class Connection:
    """One connection to one file; every error that leaves it is a LogStoreError.

    Not for several threads at once: the owner holds a lock around it.
    """

    def __init__(self, raw: apsw.Connection, path: Path, busy_timeout: float) -> None:
        self.path = path
        self._raw = raw
        self._busy_timeout = busy_timeout
        self._pid = os.getpid()
        self._execute = raw.execute

    def rows(self, statement: str, bindings: Bindings = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return all its rows."""
        try:
            return self._execute(statement, bindings).fetchall()
        except (apsw.Error, UnicodeError) as error:
            raise self.explain(error) from error

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
        except (apsw.Error, UnicodeError) as error:
            raise self.explain(error) from error

    def stream(self, statement: str, bindings: Bindings = ()) -> Iterator[tuple[Any, ...]]:
        """Run a statement now and yield its rows as they are asked for, all of one snapshot."""
        try:
            cursor = self._execute(statement, bindings)
        except (apsw.Error, UnicodeError) as error:
            raise self.explain(error) from error
        return self._each_row(cursor)

    def _each_row(self, cursor: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        try:
            yield from cursor
        except (apsw.Error, UnicodeError) as error:
            raise self.explain(error) from error

    def data_version(self) -> int:
        """Return a number that changes with every commit, whoever made it."""
        return self._raw.data_version("main")

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
        except (apsw.Error, UnicodeError) as error:
            raise self.explain(error) from error
        if _COMMENT.sub("", info.query_remaining or "").strip(" \t\r\n;"):
            raise InvalidQuery(f"{self.path}: one statement at a time; leave out what follows the first")
        return [name for name, _ in info.description]

    def transaction(self) -> "Transaction":
        """Return a context that holds the write lock from its start, and commits or rolls back at its end."""
        return Transaction(self, self._raw)

    def define(self, name: str, function: Callable[..., Any]) -> None:
        """Make a Python function callable from the SQL of this connection."""
        self._raw.create_scalar_function(name, function, deterministic=True)

    def guard(self, seconds: float) -> None:
        """From now on only read, and interrupt whatever still runs after so many seconds."""
        deadline = time.monotonic() + seconds
        self._raw.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
        self._raw.limit(apsw.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
        self._raw.set_authorizer(
            lambda action, *_: apsw.SQLITE_OK if action in _READING else apsw.SQLITE_DENY
        )

    def explain(self, error: Exception) -> LogStoreError:
        """Turn an error of SQLite into ours: what happened, to which file, what to do next."""
        return _explained(error, self.path, self._busy_timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        if os.getpid() == self._pid:  # a forked child must not touch its parent's file locks
            try:
                self._raw.close()
            except apsw.Error as error:
                raise self.explain(error) from error


class Transaction:
    """BEGIN IMMEDIATE .. COMMIT, or ROLLBACK after any error whatever.

    apsw's own `with connection:` would mask the error after an automatic rollback.
    """

    __slots__ = ("_connection", "_raw")

    def __init__(self, connection: Connection, raw: apsw.Connection) -> None:
        self._connection = connection
        self._raw = raw

    def __enter__(self) -> Self:
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
        try:
            self._raw.execute("COMMIT")
        except apsw.Error as failure:
            self._roll_back()
            if isinstance(failure, apsw.IOError):
                raise OutcomeUnknown(
                    f"{self._connection.path}: the disk failed in the commit itself ({failure}); "
                    "whether the batch was stored shows when it is sent again with its token"
                ) from failure
            raise self._connection.explain(failure) from failure

    def _roll_back(self) -> None:
        if self._raw.in_transaction:  # FULL, IOERR and NOMEM may have rolled back already
            with contextlib.suppress(apsw.Error):
                self._raw.execute("ROLLBACK")


def open_writer(path: Path, *, busy_timeout: float, vfs: str | None, group: str | None) -> Connection:
    """Open a file for writing, creating it empty if it is not there (mode 0600, or 0640 for `group`).

    Nothing is written yet: an existing file may be of any version of ours. Raises NotALogStore,
    StoreUnavailable, StoreDamaged, StoreFull or StoreBusy.
    """
    if tuple(int(part) for part in apsw.sqlite_lib_version().split(".")[:3]) < _MINIMUM_SQLITE:
        raise StoreUnavailable(
            f"{path}: SQLite {apsw.sqlite_lib_version()} can lose commits in WAL mode; "
            "install apsw 3.51.3 or newer"
        )
    if not is_there(path):
        _create_file(path, group)
    _check_kind(path)
    # A look that only reads comes first: closing a writer would checkpoint another program's file.
    with _connect(path, "ro", busy_timeout, vfs) as connection:
        if not _is_empty(connection):
            check_ours(connection)
    return _connect(path, "rw", busy_timeout, vfs)


def configure_writer(connection: Connection, durability: Durability) -> None:
    """Set up a connection for writing, and a new file for good; an existing file is not written."""
    if connection.rows("PRAGMA page_count") == [(0,)]:
        connection.rows("PRAGMA auto_vacuum = INCREMENTAL")  # only a file without pages takes it
    if connection.rows("PRAGMA journal_mode") != [("wal",)] and (
        connection.rows("PRAGMA journal_mode = WAL") != [("wal",)]
    ):
        raise StoreUnavailable(
            f"{connection.path}: no write-ahead log is possible here; use a local filesystem"
        )
    connection.rows(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'NORMAL'}")
    connection.rows(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
    connection.rows("PRAGMA cache_size = -32000")
    connection.rows("PRAGMA fullfsync = ON")  # macOS: a plain fsync does not reach the platter
    connection.rows("PRAGMA checkpoint_fullfsync = ON")


def open_reader(path: Path, *, busy_timeout: float, vfs: str | None = None) -> Connection:
    """Open a store for reading only: nothing is created, upgraded or written.

    Raises StoreMissing, NotALogStore, VersionMismatch, StoreUnavailable, StoreDamaged or StoreBusy.
    """
    if not is_there(path):
        raise StoreMissing(f"{path}: no store is there; name another one with --db, or write to it first")
    _check_kind(path)
    try:
        connection = _connect(path, _mode_to_read(path), busy_timeout, vfs)
    except (StoreFull, StoreUnavailable, ReadOnly):  # no room, or no right, for SQLite's -shm
        if not _is_at_rest(path):
            raise
        connection = _connect(path, "ro&immutable=1", busy_timeout, vfs)
    try:
        connection.rows("PRAGMA query_only = ON")
        _check_begun(connection)
        check_ours(connection)
        check_version(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def is_there(path: Path) -> bool:
    """Return whether a file is there. Raises StoreUnavailable if the system will not say."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise StoreUnavailable(
            f"{path}: cannot be looked at ({why}); check the name and your rights"
        ) from error
    return True


def check_ours(connection: Connection) -> None:
    """Raise NotALogStore unless the file carries our application id."""
    if connection.rows("PRAGMA application_id") != [(APPLICATION_ID,)]:
        raise NotALogStore(
            f"{connection.path}: this is not a logstore file but belongs to another program; "
            "it was left untouched: name another path"
        )


def check_version(connection: Connection) -> None:
    """Raise VersionMismatch for a file that this version cannot read as it is."""
    version = file_version(connection)
    if version // 1000 > VERSION // 1000:
        raise VersionMismatch(
            f"{connection.path}: written by a newer logstore (format {_dotted(version)}, this one knows "
            f"{_dotted(VERSION)}); it was left untouched: install the newer version"
        )
    if version < VERSION:
        raise VersionMismatch(
            f"{connection.path}: written by an older logstore (format {_dotted(version)}, this one needs "
            f"{_dotted(VERSION)}); run `logstore --db {connection.path} upgrade`"
        )


def file_version(connection: Connection) -> int:
    """Return the format of the file, major * 1000 + minor; 0 for an empty file."""
    version: int = connection.rows("PRAGMA user_version")[0][0]
    return version


def open_file_version(path: Path) -> int:
    """Return the format of a store, whatever its version, without changing it. Raises as `open_reader`."""
    with _connect(path, "ro", 30.0, None) as connection:
        check_ours(connection)
        return file_version(connection)


def make_durable(path: Path) -> None:
    """Sync the folder, so that the name of a new file survives a power cut."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _dotted(version: int) -> str:
    return f"{version // 1000}.{version % 1000}"


def _connect(path: Path, mode: str, busy_timeout: float, vfs: str | None) -> Connection:
    # psow=0: never assume that a torn write leaves its neighbours in the same sector whole.
    uri = f"file:{quote(os.fsencode(path))}?mode={mode}&psow=0"
    flags = apsw.SQLITE_OPEN_URI
    flags |= apsw.SQLITE_OPEN_READONLY if mode == "ro" else apsw.SQLITE_OPEN_READWRITE
    try:
        raw = apsw.Connection(uri, flags=flags, vfs=vfs)
    except apsw.Error as error:
        raise _explained(error, path, busy_timeout) from error
    connection = Connection(raw, path, busy_timeout)
    raw.set_busy_handler(_patience(busy_timeout))
    raw.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    raw.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    raw.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
    try:
        connection.rows("PRAGMA cell_size_check = ON")
        connection.rows(
            "PRAGMA mmap_size = 0"
        )  # an I/O error on a mapped page would be a signal, not an error
        connection.rows("PRAGMA recursive_triggers = ON")  # else REPLACE would not fire the delete triggers
        connection.rows("PRAGMA schema_version")  # reads the header: says now what is wrong with the file
    except BaseException:
        connection.close()
        raise
    return connection


def _patience(busy_timeout: float) -> Callable[[int], bool]:
    """Wait 1 to 5 ms at a time, at random: SQLite's own growing waits starve whoever waited longest."""
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


def _is_empty(connection: Connection) -> bool:
    return (
        file_version(connection) == 0
        and connection.rows("PRAGMA application_id") == [(0,)]
        and connection.rows("SELECT count(*) FROM sqlite_schema") == [(0,)]
    )


def _mode_to_read(path: Path) -> str:
    """Where nobody has the store open, SQLite makes a -wal and a -shm; only a writer takes them away."""
    at_rest = not path.with_name(f"{path.name}-wal").exists()
    return "rw" if at_rest and os.access(path, os.W_OK) else "ro"


def _is_at_rest(path: Path) -> bool:
    """Whether nobody has the store open: then it can be read without locks."""
    wal = path.with_name(f"{path.name}-wal")
    return not wal.exists() or wal.stat().st_size == 0


def _check_kind(path: Path) -> None:
    """Raise NotALogStore for what SQLite would wait for, or overwrite: it takes one byte for none."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise NotALogStore(f"{path}: this is not a regular file; name another path")
    if 0 < found.st_size < _SMALLEST_DATABASE:
        raise NotALogStore(f"{path}: this is not a logstore file; it was left untouched: name another path")


def _check_begun(connection: Connection) -> None:
    if _is_empty(connection):
        raise StoreMissing(f"{connection.path}: an empty file, no store yet; write to it first")


def _create_file(path: Path, group: str | None) -> None:
    """Create an empty file with its final mode before SQLite sees it: WAL and SHM take the mode from it."""
    try:
        number = grp.getgrnam(group).gr_gid if group else -1
    except KeyError as error:
        raise InvalidSetting(
            f"{path}: no group is named {group!r} on this machine; use another one"
        ) from error
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return  # somebody else was quicker
    except OSError as error:
        raise StoreUnavailable(_unopened(path, error.strerror or str(error))) from error
    try:
        if group:
            os.fchown(descriptor, -1, number)
        os.fchmod(descriptor, 0o640 if group else 0o600)  # whatever the umask is
    except OSError as error:
        path.unlink()
        raise StoreUnavailable(f"{path}: cannot be given to group {group}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _unopened(path: Path, why: str) -> str:
    if not path.parent.exists():
        return f"{path}: the folder {path.parent} is not there; create it, or name another path with --db"
    return f"{path}: cannot be opened for writing ({why}); check the rights on it and on {path.parent}"


def _explained(  # noqa: C901, PLR0912  # a table of cases
    error: Exception, path: Path, busy_timeout: float
) -> LogStoreError:
    match error:
        case apsw.BusyError() | apsw.LockedError():
            return StoreBusy(
                f"{path}: busy: another process kept the write lock for {busy_timeout:g} s; try again"
            )
        case apsw.FullError():
            return StoreFull(
                f"{path}: no space is left, nothing of this call was stored; free some space and try again"
            )
        case apsw.NotADBError():
            return NotALogStore(
                f"{path}: this is not a logstore file; it was left untouched: name another path"
            )
        case UnicodeError():
            return InvalidQuery(f"{path}: some text here is not UTF-8 ({error}); ask for hex(...) of it")
        case apsw.CorruptError():
            return StoreDamaged(f"{path}: the file is damaged ({error}); restore it from a backup")
        case apsw.ReadOnlyError() | apsw.CantOpenError() | apsw.PermissionsError():
            return _denied(error, path)
        case apsw.IOError() if _is_full(path):
            return StoreFull(f"{path}: no space is left on its disk; free some space and try again")
        case apsw.IOError():
            return StoreUnavailable(
                f"{path}: the disk failed ({error}), nothing of this call was stored; check it"
            )
        case apsw.ConnectionClosedError():
            return StoreClosed(f"{path}: this store was closed; open it again")
        case apsw.InterruptError():
            return InvalidQuery(f"{path}: the statement ran for too long and was stopped; narrow it down")
        case apsw.AuthError():
            return InvalidQuery(f"{path}: only reading is allowed here, and this statement would do more")
        case apsw.ConstraintError():
            return InvalidSetting(f"{path}: refused by the store itself: {error}")
        case apsw.SQLError() | apsw.BindingsError() | apsw.TooBigError():
            return InvalidQuery(f"{path}: {error}")
        case _:
            return LogStoreError(f"{path}: {type(error).__name__}: {error}")


def _is_full(path: Path) -> bool:
    try:
        return os.statvfs(path.parent).f_bavail == 0
    except OSError:
        return False


def _denied(error: Exception, path: Path) -> LogStoreError:
    if isinstance(error, apsw.ReadOnlyError) and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return ReadOnly(f"{path}: this store was opened for reading only")
    return StoreUnavailable(
        f"{path}: cannot be opened ({error}); it needs write permission on {path.parent}: check that, "
        "or have its owner copy it with `sqlite3 FILE '.backup COPY'`"
    )
