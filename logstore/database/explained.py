"""From what SQLite says to our errors: what happened, to which file, what to do next."""

import os
from pathlib import Path

import apsw

from logstore.errors import (
    InvalidQuery,
    InvalidSetting,
    LogStoreError,
    NotALogStore,
    ReadOnly,
    StoreBusy,
    StoreClosed,
    StoreDamaged,
    StoreFull,
    StoreUnavailable,
)


def explained(  # noqa: C901, PLR0912  # a table of cases
    error: Exception, path: Path, busy_timeout: float, *, ours: bool = True
) -> LogStoreError:
    """Return the error to raise for one of SQLite's.

    `busy_timeout` is in seconds. `ours` says that the statement is one of logstore, which fits every store
    that is whole; else it is the user's.
    """
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
        case apsw.SQLError() if str(error).startswith(
            ("fts5:", "unterminated string", "unknown special query")
        ):
            return InvalidQuery(f"{path}: {error}")
        case (
            UnicodeError() | OverflowError() | apsw.SQLError() | apsw.ConstraintError() | apsw.MismatchError()
        ) if ours:
            return unlike_a_store(error, path)
        case UnicodeError():
            return InvalidQuery(f"{path}: some text here is not UTF-8 ({error}); ask for hex(...) of it")
        case apsw.CorruptError() | apsw.FormatError():
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


def unlike_a_store(error: Exception, path: Path) -> StoreDamaged:
    """Return the error to raise where a row, or a table, is not as logstore makes it."""
    return StoreDamaged(
        f"{path}: this is not what a store holds ({error}); see `logstore --db {path} stats --check --full`, "
        "and restore it from a backup"
    )


def _is_full(path: Path) -> bool:
    try:
        return os.statvfs(path.parent).f_bavail == 0
    except OSError:
        return False


def _denied(error: Exception, path: Path) -> LogStoreError:
    if isinstance(error, apsw.ReadOnlyError) and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return ReadOnly(
            f"{path}: SQLite takes this file for reading only; it was opened so, or its first bytes are "
            f"damaged: see `logstore --db {path} stats --check`"
        )
    if os.access(path, os.R_OK):
        why = f"SQLite needs write permission on {path.parent} for its -shm file: get that"
    else:
        why = "you may not read it: be of its group (--group at creation)"
    return StoreUnavailable(
        f"{path}: cannot be opened ({error}); {why}, "
        f"or have its owner run `logstore --db {path} snapshot COPY`"
    )
