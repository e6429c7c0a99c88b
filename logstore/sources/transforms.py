"""Inputs whose bytes are made into lines before they are read as a log."""

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple, cast

from logstore.errors import InputUnreadable
from logstore.sources.export import export_to_json_lines, looks_like_export
from logstore.sources.unpacked import Readable


class Transform(NamedTuple):
    """`looks_like` knows an input by its first bytes; `lines` makes of it the bytes of lines."""

    looks_like: Callable[[bytes], bool]
    lines: Callable[[BinaryIO], Iterator[bytes]]


TRANSFORMS: Final = [Transform(looks_like_export, export_to_json_lines)]
"""Tried in this order, behind the unpacking."""


def transform_for(head: bytes) -> Transform | None:
    """Return what is to be done with an input that begins so, None if it is lines already."""
    return next((known for known in TRANSFORMS if known.looks_like(head)), None)


class Transformed:
    """The lines made of a stream that stands at its first byte."""

    def __init__(self, stream: Readable, transform: Transform, path: str) -> None:
        """Begin to read when the first line is asked for; `path` is what errors name."""
        self._path = path
        buffered = io.BufferedReader(_Raw(stream))  # a whole BinaryIO, with `readline`
        self._blocks = transform.lines(cast("BinaryIO", buffered))
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, at least one before the end. Raises InputUnreadable."""
        while not self._rest:
            block = self._next()
            if block is None:
                return b""
            self._rest = block
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _next(self) -> bytes | None:
        try:
            return next(self._blocks, None)
        except InputUnreadable as error:
            said = str(error)
            if said.startswith(self._path):
                raise
            raise InputUnreadable(f"{self._path}: {said}") from error


class _Raw(io.RawIOBase):
    def __init__(self, stream: Readable) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview", /) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
