"""Putting a new file where its name promises it: whole, durable, in nobody's place."""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from logstore.database import make_durable
from logstore.errors import StoreFull, StoreUnavailable

_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)
_MODE: Final = 0o440
_PREFIX: Final = ".snapshot-"


@contextlib.contextmanager
def workshop(target: Path) -> Iterator[Path]:
    """Give a folder beside the target, hidden and the owner's alone, that is gone afterwards.

    What a program left that was killed here is taken away: nobody holds its lock any more.
    Raises StoreUnavailable or StoreFull, naming the target, for what the system refuses meanwhile.
    """
    try:
        _tidy(target.parent)
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=target.parent) as folder, _held(Path(folder)):
            yield Path(folder)
    except StoreFull as error:
        raise _full(target) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(target) from error
        raise _refused(target, error.strerror or str(error)) from error


def _tidy(folder: Path) -> None:
    for left in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _held(left):
            shutil.rmtree(left)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, that ends with its holder. Raises OSError if somebody has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def check_free(*targets: Path) -> None:
    """Raise StoreUnavailable unless the names are free."""
    for target in targets:
        if os.path.lexists(target):
            raise StoreUnavailable(f"{target}: is there already; remove it, or give another name")


def seal(path: Path) -> tuple[str, int]:
    """Take the right to write from a file and make it durable. Returns its SHA-256 in hex, and its bytes."""
    path.chmod(_MODE)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()


def put_in_place(files: list[tuple[Path, Path]]) -> None:
    """Give files, each as (what, target), their names: the last of them when all others have theirs.

    Raises StoreUnavailable if a name was taken meanwhile; then none is given.
    """
    placed: list[Path] = []
    try:
        for file, target in files:
            _give_name(file, target)
            placed.append(target)
            make_durable(target)
    except BaseException:
        for target in placed:
            target.unlink()
        raise


def _give_name(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except FileExistsError:
        check_free(target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        check_free(target)  # a disk without hard links, such as a USB stick: nobody else may be as quick
        file.rename(target)


def _full(target: Path) -> StoreFull:
    return StoreFull(
        f"{target}: no space is left for it, nothing was written; free some, or name another folder"
    )


def _refused(target: Path, why: str) -> StoreUnavailable:
    if not target.parent.is_dir():
        return StoreUnavailable(
            f"{target}: the folder {target.parent} is not there; create it, or name another"
        )
    return StoreUnavailable(
        f"{target}: cannot be written ({why}); check your rights on {target.parent}, or name another folder"
    )
