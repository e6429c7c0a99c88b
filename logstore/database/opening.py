"""Open a file, for writing or for reading: its kind, its version, its settings."""

import grp
import os
import random
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

import apsw

from logstore.database.connection import Connection
from logstore.database.explained import explained
from logstore.errors import (
    InvalidSetting,
    NotALogStore,
    ReadOnly,
    StoreFull,
    StoreMissing,
    StoreUnavailable,
    VersionMismatch,
)

APPLICATION_ID: Final = 0x4C6F6753
VERSION: Final = 1003
"""The file format written here: major * 1000 + minor."""

Durability = Literal["full", "normal"]

_MINIMUM_SQLITE: Final = (3, 51, 3)
_SMALLEST_DATABASE: Final = 512
_WAL_LIMIT_BYTES: Final = 64 * 1024 * 1024


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
            f"{path}: cannot be looked at ({why}); check the name and your rights on {path.parent}, or have "
            f"its owner run `logstore --db {path} snapshot COPY`"
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
        raise explained(error, path, busy_timeout) from error
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
