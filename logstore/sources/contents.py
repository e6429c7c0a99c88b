"""The bytes of the log in an input: a file as it is, or what is packed in a file or stream."""

import hashlib
import os
from typing import Final, Protocol

from logstore.checkpoint import TAIL_BYTES, Checkpoint
from logstore.errors import InputUnreadable
from logstore.sources.inputs import Input, changed, unreadable
from logstore.sources.transforms import Transformed, transform_for
from logstore.sources.unpacked import MAGIC_BYTES, Prefixed, Readable, packing, unpack

HEAD_BYTES: Final = 1024
"""How many first bytes of a log tell it from others."""

_SKIP_BYTES: Final = 1024 * 1024


class Contents(Protocol):
    """A log's bytes, read forward; `head` is how they begin, `total` how many there are, if known."""

    @property
    def head(self) -> bytes:
        """The first HEAD_BYTES bytes, fewer if there are no more."""

    @property
    def total(self) -> int | None:
        """How many bytes there were at opening; None if only reading can tell."""

    @property
    def packed(self) -> bool:
        """Whether these are not the bytes of the file itself."""

    def go_to(self, offset: int) -> bytes | None:
        """Go forward to `offset`; return the TAIL_BYTES before it, None if the log ends earlier."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end. Raises InputUnreadable."""

    def check(self, end: int, tail: bytes) -> None:
        """Raise InputUnreadable if what was read up to `end`, where `tail` is, is not there any more."""

    def close(self) -> None:
        """Stop reading; the input itself stays open."""


def contents(source: Input) -> Contents:
    """Return the log in an input, from its first byte on.

    Raises InputUnreadable for a file that cannot be read, or is no log: a SQLite database.
    """
    try:
        if source.size is None:
            return _Passing(source.stream, source.path)
        source.stream.seek(0)
        first = os.pread(source.stream.fileno(), HEAD_BYTES, 0)
        if packing(first) or transform_for(first):
            return _Passing(source.stream, source.path)
        return _Lying(source)
    except OSError as error:
        raise unreadable(source.path, error) from error


def fits(log: Contents, stored: Checkpoint) -> bool:
    """Whether a log begins as the one that was read up to a checkpoint."""
    head = log.head[: stored.head_bytes]
    return len(head) == stored.head_bytes and digest(head) == stored.head_hash


def tail_at(log: Contents, stored: Checkpoint) -> bytes | None:
    """Go to a checkpoint; return the bytes before it, None if this is not the log that was read."""
    tail = log.go_to(stored.offset) if fits(log, stored) else None
    known = (digest(tail), b"") if tail is not None else ()  # a file of an older version kept none
    return tail if stored.tail_hash in known else None


def digest(data: bytes) -> bytes:
    """Return the SHA-256."""
    return hashlib.sha256(data).digest()


class _Lying:
    """A file that is read as it lies there, up to the size it had at opening."""

    packed = False

    def __init__(self, source: Input) -> None:
        self._path = source.path
        self._stream = source.stream
        self.total = source.size or 0
        self._at = 0
        self.head = self._piece(0, min(HEAD_BYTES, self.total))
        _refuse_database(self._path, self.head)

    def go_to(self, offset: int) -> bytes | None:
        if offset > self.total:
            return None
        try:
            self._at = self._stream.seek(offset)
        except OSError as error:
            raise unreadable(self._path, error) from error
        return self._tail(offset)

    def read(self, size: int, /) -> bytes:
        wanted = min(size, self.total - self._at)
        try:
            data = self._stream.read(wanted) if wanted else b""
        except OSError as error:
            raise unreadable(self._path, error) from error
        if wanted and not data:
            raise changed(self._path)
        self._at += len(data)
        return data

    def check(self, end: int, tail: bytes) -> None:
        if self._piece(0, len(self.head)) != self.head or self._tail(end) != tail:
            raise changed(self._path)

    def close(self) -> None:
        """Nothing is to be stopped."""

    def _tail(self, offset: int) -> bytes:
        start = max(0, offset - TAIL_BYTES)
        return self._piece(start, offset - start)

    def _piece(self, start: int, size: int) -> bytes:
        try:
            return os.pread(self._stream.fileno(), size, start)
        except OSError as error:
            raise unreadable(self._path, error) from error


class _Passing:
    """A log that can only be read from its start on, unpacked on the way."""

    total = None

    def __init__(self, stream: Readable, path: str) -> None:
        self._path = path
        first = self._first(stream, MAGIC_BYTES)
        name = packing(first)
        self._at = 0
        whole = Prefixed(first, stream)
        self._unpacking = unpack(whole, name, path) if name else None
        self._fault: InputUnreadable | None = None
        self._stream, self.head = self._headed(self._unpacking or whole)
        transform = transform_for(self.head)
        if transform:
            self._stream, self.head = self._headed(Transformed(self._stream, transform, path))
        self.packed = bool(name or transform)
        _refuse_database(path, self.head)

    def go_to(self, offset: int) -> bytes | None:
        tail = b""
        while self._at < offset:
            data = self.read(min(_SKIP_BYTES, offset - self._at))
            if not data:
                return None
            tail = (tail + data)[-TAIL_BYTES:]
        return tail

    def read(self, size: int, /) -> bytes:
        if self._fault and self._at >= len(self.head):
            raise self._fault
        try:
            data = self._stream.read(size)
        except OSError as error:
            raise unreadable(self._path, error) from error
        self._at += len(data)
        return data

    def check(self, end: int, tail: bytes) -> None:
        """What is packed has its own check sums, and a stream has passed."""

    def close(self) -> None:
        if self._unpacking:
            self._unpacking.close()

    def _headed(self, stream: Readable) -> tuple[Readable, bytes]:
        """Return a stream that is still whole, and how it begins."""
        head = self._first(stream, HEAD_BYTES)
        return Prefixed(head, stream), head

    def _first(self, stream: Readable, size: int) -> bytes:
        """Read `size` bytes, fewer at the end; damage behind them shows when they were read."""
        first = b""
        try:
            while len(first) < size and (data := stream.read(size - len(first))):
                first += data
        except OSError as error:
            raise unreadable(self._path, error) from error
        except InputUnreadable as error:
            self._fault = error
        return first


def _refuse_database(path: str, head: bytes) -> None:
    if head.startswith(b"SQLite format 3\0"):
        raise InputUnreadable(f"{path}: is a SQLite database, not a log; query it with --db {path}")
