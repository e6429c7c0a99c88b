"""Open a file, for writing or for reading: its kind, its version, its settings."""

import contextlib
import os
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

import apsw

from logstore.database.connection import Connection, patience
from logstore.database.explained import explained
from logstore.database.files import Watch, check_kind, check_no_log, check_place, create_file, is_there
from logstore.database.reserve import reserve_bytes
from logstore.errors import (
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
_WAL_LIMIT_BYTES: Final = 64 * 1024 * 1024
_PAGE_BYTES: Final = 4096


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
        check_no_log(path)
        create_file(path, group)
    check_kind(path)
    check_place(path)
    had_a_log = not _is_at_rest(path)
    # A look that only reads comes first: closing a writer would checkpoint another program's file.
    with contextlib.suppress(ReadOnly):  # a creation that was cut off: only a writer can roll it back
        look = _connect(path, "ro", busy_timeout, vfs)
        try:
            _check_new_or_ours(look)
        finally:
            with contextlib.suppress(StoreUnavailable):  # it asks for a lock in vain, which only some VFS say
                look.close()
        connection = _connect(path, "rw", busy_timeout, vfs)
        connection.had_a_log = had_a_log
        return connection
    connection = _connect(path, "rw", busy_timeout, vfs)
    try:
        _check_new_or_ours(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def configure_writer(connection: Connection, durability: Durability) -> None:
    """Set up a connection for writing, and a new file for good; an existing file is not written."""
    if connection.rows("PRAGMA page_count") == [(0,)]:
        connection.rows("PRAGMA auto_vacuum = INCREMENTAL")  # only a file without pages takes it
    if connection.rows("PRAGMA journal_mode") != [("wal",)] and (
        connection.patiently("PRAGMA journal_mode = WAL") != [("wal",)]
    ):
        raise StoreUnavailable(
            f"{connection.path}: no write-ahead log is possible here; use a local filesystem"
        )
    wanted = 2 if durability == "full" else 1
    connection.rows(f"PRAGMA synchronous = {wanted}")
    if connection.rows("PRAGMA synchronous") != [(wanted,)]:  # it is said for each connection, and not stored
        raise StoreUnavailable(f"{connection.path}: SQLite does not sync as it is told; install apsw anew")
    pages = reserve_bytes(connection.path) // _PAGE_BYTES
    for setting in (
        f"journal_size_limit = {_WAL_LIMIT_BYTES}",  # a log that grew once, for a long reader, shrinks again
        f"wal_autocheckpoint = {pages}",  # on every writer: the log stays short by itself
        "cache_size = -32000",  # KiB: the queue with its indexes
        "temp_store = MEMORY",  # a batch's new contents are laid out there
        "fullfsync = ON",  # macOS: a plain fsync does not reach the platter
        "checkpoint_fullfsync = ON",
    ):
        connection.rows(f"PRAGMA {setting}")
    connection.owns_its_files()  # from now on


def open_reader(path: Path, *, busy_timeout: float, vfs: str | None = None) -> Connection:
    """Open a store for reading only: nothing is created, upgraded or written.

    Raises StoreMissing, NotALogStore, VersionMismatch, StoreUnavailable, StoreDamaged or StoreBusy.
    """
    if not is_there(path):
        raise StoreMissing(f"{path}: no store is there; name another one with --db, or write to it first")
    check_kind(path)
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
    # Another VFS knows itself what its files are.
    connection = Connection(raw, path, busy_timeout, Watch(path) if vfs is None and mode == "rw" else None)
    raw.set_busy_handler(patience(busy_timeout))  # before the first statement, which may have to recover
    for option, value in (
        (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),  # no statement writes to the schema, or to FTS5's own tables
        (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),  # a file of somebody else's runs no functions here
        (apsw.SQLITE_DBCONFIG_DQS_DML, 0),  # "text" in double quotes is a name, so a slip is an error
        (apsw.SQLITE_DBCONFIG_DQS_DDL, 0),
    ):
        raw.config(option, value)
    try:
        for setting in (
            "cell_size_check = ON",  # a damaged page is found when it is read
            "mmap_size = 0",  # an I/O error on a mapped page would be a signal, not an error
            "recursive_triggers = ON",  # else REPLACE would not fire the delete triggers
        ):
            connection.rows(f"PRAGMA {setting}")
        connection.rows("PRAGMA schema_version")  # reads the header: says now what is wrong with the file
    except BaseException:
        connection.close()
        raise
    return connection


def _check_new_or_ours(connection: Connection) -> None:
    if not _is_empty(connection):
        check_ours(connection)


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


def _check_begun(connection: Connection) -> None:
    if _is_empty(connection):
        raise StoreMissing(f"{connection.path}: an empty file, no store yet; write to it first")
