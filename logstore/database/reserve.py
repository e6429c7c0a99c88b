"""Space kept for the day when the disk is full: then a sweep, a checkpoint and retention still work."""

import contextlib
import os
from pathlib import Path
from typing import Final

_BYTES: Final = 1024 * 1024
_SHARE: Final = 8  # of a small disk no more than this part
_PLENTY: Final = 4  # it is filled only where so many times as much is free

LOW_BYTES: Final = 64 * 1024 * 1024
"""With less free space a disk is said to be nearly full: the write-ahead log alone may take as much."""


class Reserve:
    """A file `-reserve` beside a store that takes space from everyone, and is given up first."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}-reserve")

    @property
    def bytes(self) -> int:
        """How much is held, 0 if it was given up or there never was room for it."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def fill(self, *, with_the_last: bool = False) -> None:
        """Take the space, if none is held: where there is plenty of it, or what is left `with_the_last`."""
        with contextlib.suppress(OSError):  # without it, a full disk is only found out earlier
            if self.bytes:
                return
            wanted, free = reserve_bytes(self._path), free_bytes(self._path)
            if with_the_last:
                wanted = min(wanted, free)
            elif free < _PLENTY * wanted:
                return
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, wanted)
            except OSError:
                self._path.unlink()
            finally:
                os.close(descriptor)

    def give_up(self) -> bool:
        """Give the space back to the disk. Returns whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True


def reserve_bytes(path: Path) -> int:
    """Return how much is to be held on the disk of a file, and how long its write-ahead log may become.

    The two are the same: what lies in the log needs room in the file, before the log can give up its own.
    """
    disk = os.statvfs(path.parent)
    return min(_BYTES, disk.f_blocks * disk.f_frsize // _SHARE)


def free_bytes(path: Path) -> int:
    """Return how much a user without privileges may still write on the disk of a file."""
    disk = os.statvfs(path.parent)
    return disk.f_bavail * disk.f_frsize
