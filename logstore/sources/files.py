"""Files and streams to batches of records, resumable without loss and without doubles."""

import hashlib
import os
from collections.abc import Iterator
from datetime import tzinfo
from itertools import chain
from typing import Final, NamedTuple

from logstore.checkpoint import Checkpoint
from logstore.errors import InputUnreadable
from logstore.identity import MAX_MESSAGE_BYTES
from logstore.record import Record
from logstore.sources.formats import SAMPLE_LINES
from logstore.sources.inputs import Input, refuse_packed, unreadable
from logstore.sources.parser import LineParser
from logstore.sources.pieces import Piece, pieces, split
from logstore.sources.state import State

BATCH_LINES: Final = 40_000  # a batch costs an UPSERT for each of its contents, so larger ones cost less
BATCH_BYTES: Final = 16 * 1024 * 1024
BLOCK_BYTES: Final = 1024 * 1024
HEAD_BYTES: Final = 1024


class Batch(NamedTuple):
    """Records to be stored in one transaction with the checkpoint after them.

    `lines` is how many lines began in this batch. `checkpoint` is None for a stream. `bytes_read`
    of `bytes_total` (None for a stream) is how far the input has been read.
    """

    records: list[Record]
    lines: int
    checkpoint: Checkpoint | None
    bytes_read: int
    bytes_total: int | None


class Reading:
    """One pass over an input: iterate over it once to get its batches.

    `offset` is where reading begins: 0, or what an earlier run had reached. `parser` tells the
    format and, at the end, what was assumed.
    """

    def __init__(
        self,
        source: Input,
        *,
        tz: tzinfo,
        now_us: int,
        this_host: str = "",
        host: str | None = None,
        format: str | None = None,  # noqa: A002 - the word of the contract
        stored: Checkpoint | None = None,
        batch_lines: int = BATCH_LINES,
        block_bytes: int = BLOCK_BYTES,
        limit: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Find the place to go on from, and the format; raises InputUnreadable.

        `stored` is the checkpoint of the same device and inode: reading goes on there if the file
        still begins with the same bytes and is no shorter, else at its start. `now_us` stands
        for the file's time of a stream, `this_host` for the host of standard input. `format` and
        `host` as for LineParser.
        """
        self._source = source
        self._block, self._limit, self._batch = min(block_bytes, limit), limit, batch_lines
        self._head = self._read_head()
        stored = stored if stored and self._goes_on(stored) else None
        self.offset = stored.offset if stored else 0
        state = State.load(stored.context) if stored else None
        self._read_to = self._start = self.offset
        self._pieces = pieces(self._blocks(), limit, midline=bool(state and state.midline))
        self.parser = LineParser(
            format,
            tz=tz,
            newest_us=now_us if source.newest_us is None else source.newest_us,
            host=host,
            fallback_host=this_host if source.path == "-" else source.path,
            sample=() if state else self._sample(),
            state=state,
            limit=limit,
        )

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches; raises InputUnreadable if the file changes under the reader."""
        records: list[Record] = []
        lines, since = 0, self._start
        end = self.offset
        midline = False
        for piece in chain.from_iterable(split(piece, self._batch) for piece in self._pieces):
            fed = self._feed(piece, records)
            lines += fed
            if self.parser.held <= fed:
                self._start = end + piece.start_of_last(self.parser.held)
            end += len(piece.raw)
            midline = not piece.ends
            if lines >= self._batch or end - since >= BATCH_BYTES:
                yield self._finished(records, lines, end)
                records, lines, since = [], 0, end
        if end > self.offset:
            records += self.parser.finish(midline=midline)
            self._start = end
            yield self._finished(records, lines, end)

    def _feed(self, piece: Piece, records: list[Record]) -> int:
        lines = piece.lines()
        if piece.begins:
            records += self.parser.feed(lines)
            return len(lines)
        records += self.parser.more(lines[0])
        return 0

    def _finished(self, records: list[Record], lines: int, end: int) -> Batch:
        source = self._source
        if source.device is None or source.inode is None:
            return Batch(records, lines, None, end, None)
        if self._read_head() != self._head or os.fstat(source.stream.fileno()).st_size < end:
            raise self._changed()
        digest = hashlib.sha256(self._head).digest()
        checkpoint = Checkpoint(
            source.device,
            source.inode,
            len(self._head),
            digest,
            self._start,
            source.path,
            self.parser.state().dump(),
        )
        return Batch(records, lines, checkpoint, end, source.size)

    def _goes_on(self, stored: Checkpoint) -> bool:
        size = self._source.size
        if stored[:2] != (self._source.device, self._source.inode):
            return False
        if size is None or stored.offset > size or stored.head_bytes > len(self._head):
            return False
        return hashlib.sha256(self._head[: stored.head_bytes]).digest() == stored.head_hash

    def _read_head(self) -> bytes:
        source = self._source
        if source.size is None:
            return b""
        try:
            return os.pread(source.stream.fileno(), min(HEAD_BYTES, source.size), 0)
        except OSError as error:
            raise unreadable(source.path, error) from error

    def _blocks(self) -> Iterator[bytes]:
        """Read on from the offset; a regular file only up to the size it was opened with."""
        stream, size = self._source.stream, self._source.size
        try:
            if size is not None:
                stream.seek(self.offset)
            while size is None or self._read_to < size:
                left = self._block if size is None else min(self._block, size - self._read_to)
                block = stream.read(left)
                if not block:
                    break
                if not self._read_to:
                    refuse_packed(self._source.path, block)
                self._read_to += len(block)
                yield block
        except OSError as error:
            raise unreadable(self._source.path, error) from error
        if size is not None and self._read_to < size:
            raise self._changed()

    def _sample(self) -> list[str]:
        """Look ahead: the first lines, as many as there are in SAMPLE_LINES or a block of text."""
        seen: list[Piece] = []
        sample: list[str] = []
        chars = 0
        for piece in self._pieces:
            seen.append(piece)
            for line in piece.lines() if piece.begins else ():
                if len(sample) < SAMPLE_LINES and chars < BLOCK_BYTES:
                    sample.append(line)
                    chars += len(line)
            if len(sample) >= SAMPLE_LINES or chars >= BLOCK_BYTES:
                break
        self._pieces = chain(seen, self._pieces)
        return sample

    def _changed(self) -> InputUnreadable:
        return InputUnreadable(
            f"{self._source.path}: the file was cut or overwritten while it was read; "
            "what was read before is kept: run ingest again to read what is there now"
        )
