"""Packed bytes to the bytes of the log inside, in bounded memory: gzip, xz, bzip2 and zstd."""

import bz2
import importlib
import lzma
import shutil
import subprocess
import zlib
from collections.abc import Callable
from threading import Thread
from typing import Any, Final, Protocol

from logstore.errors import InputUnreadable

MAGIC_BYTES: Final = 10
"""How many first bytes tell whether an input is packed."""

_CHUNK_BYTES: Final = 64 * 1024
_XZ_MEMORY_BYTES: Final = 256 * 1024 * 1024  # `xz -9` asks for 65 MiB
_BZIP2_BLOCK: Final = b"1AY&SY"
_PATIENCE_S: Final = 1.0  # a pipe that feeds the child may stay open and silent when the child is done
_FAULTS: Final = (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError)


class Readable(Protocol):
    """What can be read forward."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, at least one before the end."""


class _Member(Protocol):
    """One compressed stream of those a file may have one after the other, as in `lzma`."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipMember:
    """A gzip member with the habits of `lzma.LZMADecompressor`."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)  # 31: with header, length and check sum

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def packing(first: bytes) -> str | None:
    """Return the packing of a file by its first MAGIC_BYTES bytes, None if it has none."""
    for name, magic in _MAGIC.items():
        if first.startswith(magic) and (name != "bzip2" or first[4:10] == _BZIP2_BLOCK):
            return name
    return None


def unpack(packed: Readable, name: str, path: str) -> "Unpacking":
    """Return what is packed with `name` in a stream that stands at its first byte.

    Reading from it raises InputUnreadable where the packed bytes are damaged or end too early, after
    all that could be unpacked was read.
    """
    if name != "zstd":
        return _Members(packed, name, path, _MEMBERS[name])
    try:
        module: Any = importlib.import_module("compression.zstd")  # from Python 3.14 on
    except ImportError:
        return _Program(packed, path)
    return _Members(packed, name, path, module.ZstdDecompressor)


class Unpacking(Protocol):
    """A forward reader of unpacked bytes."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, at least one before the end; raises InputUnreadable."""

    def close(self) -> None:
        """Stop reading; what it was made from stays open."""


class _Members:
    """Compressed streams one after the other; zeros may follow the last, as tar and tapes leave them."""

    def __init__(self, packed: Readable, name: str, path: str, begin: Callable[[], _Member]) -> None:
        self._packed = packed
        self._name = name
        self._path = path
        self._begin = begin
        self._member = begin()

    def read(self, size: int, /) -> bytes:
        try:
            while True:
                if self._member.eof and not self._next():
                    return b""
                data = self._packed.read(_CHUNK_BYTES) if self._member.needs_input else b""
                starved = self._member.needs_input and not data
                unpacked = self._member.decompress(data, size)
                if unpacked:
                    return unpacked
                if starved and not self._member.eof:
                    raise damaged(self._path, self._name, "it ends in the middle")
        except _FAULTS as error:
            raise damaged(self._path, self._name, str(error)) from error

    def close(self) -> None:
        """Nothing is to be stopped."""

    def _next(self) -> bool:
        rest = self._member.unused_data.lstrip(b"\0")
        while not rest and (data := self._packed.read(_CHUNK_BYTES)):
            rest = data.lstrip(b"\0")
        if not rest:
            return False
        while len(rest) < MAGIC_BYTES and (data := self._packed.read(_CHUNK_BYTES)):
            rest += data
        if not rest.startswith(_MAGIC[self._name]):
            raise damaged(self._path, self._name, "other bytes follow behind its end")
        self._member = self._begin()
        self._packed = Prefixed(rest, self._packed)
        return True


class Prefixed:
    """Bytes that were read too early, before the rest of their stream."""

    def __init__(self, first: bytes, rest: Readable) -> None:
        self._first = first
        self._rest = rest.past() if isinstance(rest, Prefixed) else rest

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, at least one before the end."""
        first, self._first = self._first[:size], self._first[size:]
        return first or self._rest.read(size)

    def past(self) -> Readable:
        """Return the stream itself once the bytes before it were read: a chain must not grow."""
        return self if self._first else self._rest


class _Program:
    """The child process `zstd`: the standard library has no zstd before Python 3.14."""

    def __init__(self, packed: Readable, path: str) -> None:
        program = shutil.which("zstd")
        if program is None:
            raise InputUnreadable(
                f"{path}: is packed with zstd, and there is no program `zstd` to unpack it; install "
                "the package zstd, or use Python 3.14 or newer"
            )
        self._path = path
        self._process = subprocess.Popen(  # noqa: S603 - the system's program, fixed arguments
            [program, "-dcq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._fault: Exception | None = None
        self._feeder = Thread(target=self._feed, args=(packed,), daemon=True)
        self._feeder.start()

    def read(self, size: int, /) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        if self._process.stdout.closed:  # who looked ahead has seen the end
            return b""
        data = self._process.stdout.read(size)
        if data:
            return data
        said = self._finish()
        if self._fault or self._process.returncode:
            raise damaged(self._path, "zstd", str(self._fault or said.rpartition(": ")[2].strip()))
        return b""

    def close(self) -> None:
        """End the child; its feeder ends with it."""
        self._process.kill()
        self._finish()

    def _feed(self, packed: Readable) -> None:
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            with stdin:
                while data := packed.read(_CHUNK_BYTES):
                    stdin.write(data)
        except BrokenPipeError:
            pass  # the child has said why on its stderr, or was ended
        except (OSError, ValueError) as error:
            self._fault = error

    def _finish(self) -> str:
        """Wait for the child; return what it complained of."""
        said = ""
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None and not pipe.closed:
                said = pipe.read().decode(errors="replace") if pipe is self._process.stderr else ""
                pipe.close()
        self._feeder.join(_PATIENCE_S)
        self._process.wait()
        return said


def damaged(path: str, name: str, what: str) -> InputUnreadable:
    """Return the error to raise for packed bytes that cannot be unpacked to their end."""
    return InputUnreadable(
        f"{path}: packed with {name}, and damaged or not complete ({what}); what could be unpacked is "
        "kept: ingest it again when it is whole"
    )


def _xz() -> _Member:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)


_MAGIC: Final = {
    "gzip": b"\x1f\x8b\x08",
    "xz": b"\xfd7zXZ\x00",
    "zstd": b"\x28\xb5\x2f\xfd",
    "bzip2": b"BZh",
}
_MEMBERS: Final[dict[str, Callable[[], _Member]]] = {
    "gzip": _GzipMember,
    "xz": _xz,
    "bzip2": bz2.BZ2Decompressor,
}
