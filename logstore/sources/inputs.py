"""What can be read as a log: a regular file, a FIFO, or standard input."""

import os
import select
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final, Self

from logstore.errors import InputUnreadable

_TICK_US: Final = 20_000  # a file's time is that of the last timer tick, at worst so much too old
_PATIENCE_S: Final = 10.0  # for a program to open a FIFO
_SILENCE_S: Final = 1.0  # no longer without a word


def _silent(_text: str) -> None:
    """Tell nobody."""


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


def open_input(
    path: str, stdin: BinaryIO, *, note: Callable[[str], None] = _silent, patience_s: float = _PATIENCE_S
) -> Input:
    """Open a file or a FIFO, or take `stdin` for the path `-`.

    A file that has data though its size is 0, as those of /proc have, is a stream: there is no place in
    it to go on from. A FIFO that no program has open for writing is waited for `patience_s` seconds;
    after the first of them `note` is told. Raises InputUnreadable for what cannot be read as a log: a
    missing file, a folder, a device, a FIFO that nobody opened by then.
    """
    if path == "-":
        return Input(path, stdin)
    if not path:
        raise InputUnreadable("a file name is empty: ''; name a file, or - for standard input")
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    _refuse(path, mode)
    stream = _open(path, os.O_NONBLOCK if stat.S_ISFIFO(mode) else 0)
    try:
        if not stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
            source = measured_again(Input(path, stream))
            return Input(path, stream) if source.size == 0 and _has_data(source) else source
        _await_writer(path, stream, note, patience_s)
    except BaseException:
        stream.close()
        raise
    os.set_blocking(stream.fileno(), True)
    return Input(path, stream)


def open_file(path: str) -> Input:
    """Open a regular file, and nothing else; never waits.

    Raises InputUnreadable as `open_input` does, and for a FIFO.
    """
    stream = _open(path, os.O_NONBLOCK)  # it may be a FIFO
    try:
        refuse_stream(path, os.fstat(stream.fileno()).st_mode)
    except InputUnreadable:
        stream.close()
        raise
    return measured_again(Input(path, stream))


class _Stream(FileIO):
    """A file or FIFO whose first byte may have been read too early."""

    first = b""

    def read(self, size: int | None = -1, /) -> bytes:
        first, self.first = self.first, b""
        return first or super().read(size)


def _open(path: str, flag: int) -> _Stream:
    try:
        return _Stream(os.open(path, os.O_RDONLY | os.O_CLOEXEC | flag))
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error


def _has_data(source: Input) -> bool:
    """Whether a file of size 0 has data, and no program has just written it."""
    stream = source.stream
    assert isinstance(stream, _Stream)  # noqa: S101 - `_open` made it
    try:
        first = stream.read(1)
    except OSError as error:
        raise unreadable(source.path, error) from error
    if not first or measured_again(source).size:
        return False
    stream.first = first
    return True


def _await_writer(path: str, stream: _Stream, note: Callable[[str], None], patience_s: float) -> None:
    """Wait until a FIFO has data or had a writer; silence is fine while there is a writer."""
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLIN)  # a writer that came and went shows as POLLHUP
    rest_s = max(patience_s - _SILENCE_S, 0.0)
    for pause_s, goes_on in ((patience_s - rest_s, rest_s > 0), (rest_s, False)):
        if poll.poll(pause_s * 1000):
            return
        try:
            stream.first = os.read(stream.fileno(), 1)  # only this tells no writer from a silent one
        except BlockingIOError:
            return
        if stream.first:
            return
        if goes_on:
            note(f"{path}: is a FIFO; waiting for a program to write to it")
    raise InputUnreadable(
        f"{path}: is a FIFO that no program has open for writing; start the program, or name a file"
    )


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
