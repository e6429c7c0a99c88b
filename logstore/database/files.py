"""The files of a store: their kind, names, filesystem and creation, and whether they are still the same."""

import grp
import os
import re
import stat
from pathlib import Path
from typing import Final

from logstore.errors import InvalidSetting, NotALogStore, StoreDamaged, StoreMissing, StoreUnavailable

_SMALLEST_DATABASE: Final = 512
_MOUNTS: Final = Path("/proc/self/mountinfo")
_NETWORK: Final = re.compile(
    r"9p|afs|beegfs|ceph|cifs|coda|glusterfs|lustre|ncpfs|nfs4?|smb[23]|smbfs"
    r"|fuse\.(beegfs|ceph|cephfs|curlftpfs|davfs|gcsfuse|glusterfs|juicefs|rclone|s3fs|smbnetfs|sshfs)"
)
"""Filesystems whose locks and shared memory other machines do not see, or not always."""


class Watch:
    """Knows the files that a connection has open: they may not be moved away, deleted or replaced under it.

    SQLite would go on writing to files that nobody finds any more, and say that all is well.
    """

    def __init__(self, path: Path) -> None:
        self._names = tuple(f"{os.fspath(path)}{suffix}" for suffix in ("", "-wal", "-shm"))
        self._known: tuple[int, ...] | None = None

    def unchanged(self) -> bool:
        """Return whether the files are those of the first call, which is made when all are open."""
        main, wal, shm = self._names
        try:
            found, of_wal, of_shm = os.stat(main), os.stat(wal), os.stat(shm)  # noqa: PTH116  # with each commit
        except OSError:
            return self._known is None  # nothing was known yet: then this call has told nothing
        inodes = (found.st_dev, found.st_ino, of_wal.st_ino, of_shm.st_ino)
        self._known = self._known or inodes
        return inodes == self._known and found.st_size >= _SMALLEST_DATABASE

    def misses_its_wal_alone(self) -> bool:
        """Return whether only the -wal is gone, and nobody has begun another: it can still be saved."""
        main, wal, shm = map(Path, self._names)
        try:
            found, of_shm = main.stat(), shm.stat()
        except OSError:
            return False
        there = (found.st_dev, found.st_ino, of_shm.st_ino)
        return self._known is not None and there == (*self._known[:2], self._known[3]) and not wal.exists()


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


def check_kind(path: Path) -> None:
    """Raise NotALogStore for what SQLite would wait for, or overwrite: it takes one byte for none.

    Raises StoreDamaged for a file that was emptied.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise NotALogStore(f"{path}: this is not a regular file; name another path")
    wal = path.with_name(f"{path.name}-wal")
    if found.st_size == 0 and wal.exists() and wal.stat().st_size > 0:  # SQLite would throw it away
        raise StoreDamaged(
            f"{path}: the file was emptied, and {wal.name} still has what was written last; both were left "
            "untouched: put the file back if it was moved, or restore a backup"
        )
    if 0 < found.st_size < _SMALLEST_DATABASE:
        raise NotALogStore(f"{path}: this is not a logstore file; it was left untouched: name another path")


def check_no_log(path: Path) -> None:
    """Raise StoreMissing where a file was, whose write-ahead log still holds what was written last."""
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists() and wal.stat().st_size > 0:
        raise StoreMissing(
            f"{path}: it was moved or deleted, and {wal.name} still has what was written last: put it back, "
            f"or move {wal.name} away to begin a new store"
        )


def check_place(path: Path) -> None:
    """Raise StoreUnavailable where two writers would not see each other's locks, and lose commits.

    That is a file with a second name (each name would get a -wal of its own), and a network filesystem.
    """
    found = path.stat()
    if found.st_nlink > 1:
        raise StoreUnavailable(
            f"{path}: this file has {found.st_nlink} names (hard links), and a writer by another one would "
            "not be seen; remove the others, or copy the file"
        )
    if _NETWORK.fullmatch(kind := filesystem(found.st_dev)):
        raise StoreUnavailable(
            f"{path}: lies on a network filesystem ({kind}), where locks do not hold; "
            "keep the store on a local disk, and query copies of it elsewhere"
        )


def filesystem(device: int) -> str:
    """Return the kind of filesystem that a device number belongs to, '' where the system does not tell."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts:  # proc(5): id parent major:minor root place options .. - kind source options
        before, _, after = line.partition(" - ")
        if before.split(" ", 3)[2] == wanted:
            return after.partition(" ")[0]
    return ""


def create_file(path: Path, group: str | None) -> None:
    """Create an empty file with its final mode before SQLite sees it: WAL and SHM take the mode from it.

    Raises InvalidSetting for an unknown group, StoreUnavailable.
    """
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


def make_durable(path: Path) -> None:
    """Sync the folder, so that the name of a new file survives a power cut."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _unopened(path: Path, why: str) -> str:
    if not path.parent.exists():
        return f"{path}: the folder {path.parent} is not there; create it, or name another path with --db"
    return f"{path}: cannot be opened for writing ({why}); check the rights on it and on {path.parent}"
