"""What can be read as a log: a regular file, a FIFO, or standard input."""

import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, Self

from logstore.errors import InputUnreadable

_TICK_US: Final = 20_000  # a file's time is that of the last timer tick, at worst so much too old


@dataclass(frozen=True, slots=True)
class Input:
    """An open input; closed by leaving its `with` block.

    For a regular file `size` and `newest_us` (the file's time, microseconds since the epoch) are
    those at opening, and no more than `size` bytes are read; for a stream all but `path` and
    `stream` is None. `known_as` is the path that a rotated file had while it was written.
    """

    path: str
    stream: BinaryIO
    device: int | None = None
    inode: int | None = None
    size: int | None = None
    newest_us: int | None = None
    known_as: str | None = None

    @property
    def name(self) -> str:
        """The name that its lines are told apart by: `known_as`, else the path."""
        return self.known_as or self.path

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
    return _measured(Input(path, stream), found) if stat.S_ISREG(found.st_mode) else Input(path, stream)


def open_file(path: str) -> Input:
    """Open a regular file, and nothing else; never waits.

    Raises InputUnreadable as `open_input` does, and for a FIFO.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # O_NONBLOCK: it may be a FIFO
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    try:
        refuse_stream(path, os.fstat(number).st_mode)
    except InputUnreadable:
        os.close(number)
        raise
    return measured_again(Input(path, os.fdopen(number, "rb", buffering=0)))


def measured_again(source: Input) -> Input:
    """Return the same open file with the size and the time that it has now."""
    return _measured(source, os.fstat(source.stream.fileno()))


def _measured(source: Input, found: os.stat_result) -> Input:
    return replace(
        source,
        device=found.st_dev,
        inode=found.st_ino,
        size=found.st_size,
        newest_us=found.st_mtime_ns // 1000 + _TICK_US,
    )


def refuse_stream(path: str, mode: int) -> None:
    """Raise InputUnreadable for all but a regular file."""
    if stat.S_ISFIFO(mode):
        raise InputUnreadable(f"{path}: is a FIFO and cannot be followed; logstore ingest {path} reads it")
    _refuse(path, mode)


def _refuse(path: str, mode: int) -> None:
    if stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
        return
    if stat.S_ISDIR(mode):
        raise InputUnreadable(f"{path}: is a folder; name the files in it, e.g. {path}/*.log")
    raise InputUnreadable(
        f"{path}: is a device or a socket, not a file; pipe it: PROGRAM | logstore ingest -"
    )


def changed(path: str) -> InputUnreadable:
    """Return the error to raise for a file that is no longer what was read of it."""
    return InputUnreadable(
        f"{path}: the file was cut or overwritten while it was read; "
        "what was read before is kept: run ingest again to read what is there now"
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
