"""What can be read as a log: a regular file, a FIFO, or standard input."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from logstore.errors import InputUnreadable

_TICK_US: Final = 20_000  # a file's time is that of the last timer tick, at worst so much too old
_PACKED: Final = (
    (b"\x1f\x8b", "gzip", "zcat"),
    (b"\xfd7zXZ\x00", "xz", "xzcat"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstdcat"),
    (b"BZh", "bzip2", "bzcat"),
)
_BZIP2_BLOCK: Final = b"1AY&SY"


@dataclass(frozen=True, slots=True)
class Input:
    """An open input; closed by leaving its `with` block.

    For a regular file `size` and `newest_us` (the file's time, microseconds since the epoch) are
    those at opening, and no more than `size` bytes are read; for a stream all but `path` and
    `stream` is None.
    """

    path: str
    stream: BinaryIO
    device: int | None = None
    inode: int | None = None
    size: int | None = None
    newest_us: int | None = None

    def __enter__(self) -> Self:
        """Return the input itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close a file; standard input stays open."""
        if self.path != "-":
            self.stream.close()


def open_input(path: str, stdin: BinaryIO) -> Input:
    """Open a file or a FIFO, or take `stdin` for the path `-`.

    Raises InputUnreadable for what cannot be read as a log: a missing file, a folder, a device.
    """
    if path == "-":
        return Input(path, stdin)
    try:
        _refuse(path, Path(path).stat().st_mode)
        stream = Path(path).open("rb", buffering=0)  # noqa: SIM115 - Input closes it
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    found = os.fstat(stream.fileno())
    if not stat.S_ISREG(found.st_mode):
        return Input(path, stream)
    newest_us = found.st_mtime_ns // 1000 + _TICK_US
    return Input(path, stream, found.st_dev, found.st_ino, found.st_size, newest_us)


def _refuse(path: str, mode: int) -> None:
    if stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
        return
    if stat.S_ISDIR(mode):
        raise InputUnreadable(f"{path}: is a folder; name the files in it, e.g. {path}/*.log")
    raise InputUnreadable(
        f"{path}: is a device or a socket, not a file; pipe it: PROGRAM | logstore ingest -"
    )


def refuse_packed(path: str, block: bytes) -> None:
    """Raise InputUnreadable if the first block of an input is that of a packed file."""
    if block.startswith(b"SQLite format 3\0"):
        raise InputUnreadable(f"{path}: is a SQLite database, not a log; query it with --db {path}")
    for magic, name, unpack in _PACKED:
        if block.startswith(magic) and (magic != b"BZh" or block[4:10] == _BZIP2_BLOCK):
            shown = "FILE" if path == "-" else path
            raise InputUnreadable(
                f"{path}: is packed with {name}; unpack it: {unpack} {shown} | logstore ingest -"
            )


def unreadable(path: str, error: OSError | ValueError) -> InputUnreadable:
    """Return the error to raise for what the system says of a path."""
    if isinstance(error, FileNotFoundError):
        way_out = "check the name"
    elif isinstance(error, PermissionError):
        way_out = "run as a user that may read it, or have it readable by your group"
    else:
        way_out = "check the name, the file and its disk"
    return InputUnreadable(f"{path}: {getattr(error, 'strerror', None) or error}; {way_out}")
