"""Files and streams to batches of records, resumable without loss and without doubles."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from enum import Enum
from itertools import chain
from typing import Final, NamedTuple

from logstore.checkpoint import TAIL_BYTES, Checkpoint
from logstore.columns import Columns
from logstore.errors import InputUnreadable
from logstore.identity import MAX_MESSAGE_BYTES
from logstore.record import Record
from logstore.sources.contents import Contents, contents, digest, tail_at
from logstore.sources.format import Format
from logstore.sources.formats import FORMATS, PLAIN, SAMPLE_LINES, detect
from logstore.sources.inputs import Input
from logstore.sources.parser import LineParser
from logstore.sources.pieces import Piece, pieces, split
from logstore.sources.state import Assumed, State

BATCH_LINES: Final = 40_000
BATCH_BYTES: Final = 16 * 1024 * 1024
BLOCK_BYTES: Final = 128 * 1024  # stays in the cache of a core while it is cut up
_GROWTH: Final = 4  # a batch costs an UPSERT for each of its contents: where those are few, larger ones pay
_FEW: Final = 1 / 8


class Ending(Enum):
    """What to take of the last lines of an input."""

    ALL = "all"
    """Everything, half a line, too: nothing will follow."""
    LINES = "lines"
    """Whole lines: the end of one may follow, but no line that continues the last record."""
    RECORDS = "records"
    """Whole records: what a further line may continue is left."""


class Batch(NamedTuple):
    """Records to be stored in one transaction with the checkpoint after them.

    `lines` is how many lines the records took; those held back count in a later batch.
    `checkpoint` is None for a stream. `bytes_read` of `bytes_total` (None where only reading to the
    end can tell) is how far the log has been read.
    """

    records: Sequence[Record]
    lines: int
    checkpoint: Checkpoint | None
    bytes_read: int
    bytes_total: int | None


class Outcome(NamedTuple):
    """What was found out on the way: what had to be assumed, and whether a line had a header."""

    assumed: Assumed
    headed: bool


class Reading:
    """One pass over an input: iterate over it once to get its batches.

    `offset` is where reading begins, in bytes of the log as it is unpacked: 0, or what an earlier
    run had reached; `resumed` says which. `parser` tells the format and, at the end, what was
    assumed. `masks` is the name put into each checkpoint; it may be set until iteration begins.
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
        before: Checkpoint | None = None,
        masks: str = "none",
        ending: Ending = Ending.ALL,
        batch_lines: int = BATCH_LINES,
        block_bytes: int = BLOCK_BYTES,
        limit: int = MAX_MESSAGE_BYTES,
        formats: Mapping[str, Format] = FORMATS,
    ) -> None:
        """Find the place to go on from, and the format; raises InputUnreadable.

        `stored` is a checkpoint of the same log: reading goes on there if the log still begins with
        the same bytes and has the same before that place, else at its start. `before` is one of the
        log that came before this one under the same name, whose format and host are taken. `now_us`
        stands for the file's time of a stream, `this_host` for the host of standard input. `format`
        `host` and `formats` as for LineParser. After use without iteration, `close` it.
        """
        self.masks = masks
        self._source = source
        self._block, self._limit, self._batch = min(block_bytes, limit), limit, batch_lines
        self._ending = ending
        self._damage: InputUnreadable | None = None
        self._log, self._tail, stored = _placed(source, stored)
        self._adopted = stored is not None and stored[:2] != (source.device, source.inode)
        self.resumed = stored is not None
        self.offset = stored.offset if stored else 0
        inherited = _fresh(before, formats)
        self._inherited = inherited.dump() if inherited else ""
        state = (State.load(stored.context, formats) if stored else None) or inherited
        self._start, self._start_tail = self.offset, self._tail
        midline = bool(state and state.midline)
        growing = ending is not Ending.ALL
        self._pieces = pieces(self._blocks(), limit, midline=midline, growing=growing)
        try:
            sample = self._sample() if state is None or _may_change(state) else []
            if state and _may_change(state) and detect(sample, formats) != PLAIN:
                state = None
            self.parser = LineParser(
                format,
                tz=tz,
                newest_us=now_us if source.newest_us is None else source.newest_us,
                host=host,
                fallback_host=this_host if source.path == "-" else source.name,
                sample=sample,
                state=state,
                limit=limit,
                formats=formats,
            )
        except InputUnreadable:
            self.close()
            raise

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches; raises InputUnreadable if the file changes under the reader.

        Of a packed file that is damaged, first come the batches of what could be unpacked.
        """
        try:
            yield from self._batches()
        finally:
            self.close()
        if self._damage:
            raise self._damage

    @property
    def packed(self) -> bool:
        """Whether the log had to be unpacked."""
        return self._log.packed

    @property
    def path(self) -> str:
        """The path of the input."""
        return self._source.path

    @property
    def left_bytes(self) -> int:
        """How many bytes of a regular file are to be read, as it lies there; 0 for a stream."""
        size = self._source.size or 0
        return size if self.packed else size - self.offset

    @property
    def outcome(self) -> Outcome:
        """What was found out so far."""
        return Outcome(self.parser.assumed, self.parser.headed)

    def close(self) -> None:
        """Stop reading; the input stays open."""
        self._log.close()

    def mark(self) -> Batch:
        """Return a batch without records whose checkpoint is the start: the file was seen."""
        batch = self._finished([], 0, 0)
        if batch.checkpoint is None:
            return batch
        start = batch.checkpoint._replace(offset=0, tail_hash=digest(b""), context=self._inherited)
        return batch._replace(checkpoint=start)

    def _batches(self) -> Iterator[Batch]:
        records = Columns()
        lines = held = 0
        since = self._start
        end = taken = self.offset
        midline = False
        size = self._batch
        for piece in chain.from_iterable(split(piece, self._batch) for piece in self._pieces):
            fed = self._feed(piece, records)
            lines += fed
            if self.parser.held <= fed:
                self._move(end, piece, piece.start_of_last(self.parser.held))
            self._tail = _last(self._tail, piece.raw)
            end += len(piece.raw)
            midline = not piece.ends
            if lines >= size or end - since >= BATCH_BYTES:
                yield self._finished(records, lines + held - self.parser.held, end)
                size = min(2 * size, _GROWTH * self._batch) if records.repeat(_FEW) else self._batch
                records, lines, since, taken, held = Columns(), 0, end, self._start, self.parser.held
        if self._ending is Ending.RECORDS and not midline:
            if records or self._start > taken:
                yield self._finished(records, lines + held - self.parser.held, end)
        elif end > self.offset:
            records.extend(self.parser.finish(midline=midline))
            self._start, self._start_tail = end, self._tail
            yield self._finished(records, lines + held, end)
        elif self._adopted:  # a later run need not find again that another file has the same bytes
            yield self._finished(records, 0, end)

    def _feed(self, piece: Piece, records: Columns) -> int:
        lines = piece.lines()
        if piece.begins:
            self.parser.take(lines, records)
            return len(lines)
        self.parser.more(lines[0], records)
        return 0

    def _move(self, end: int, piece: Piece, within: int) -> None:
        """Let the next checkpoint stand `within` a piece that begins at `end`."""
        self._start = end + within
        self._start_tail = _last(self._tail, piece.raw[max(0, within - TAIL_BYTES) : within])

    def _finished(self, records: Sequence[Record], lines: int, end: int) -> Batch:
        source = self._source
        if source.device is None or source.inode is None:
            return Batch(records, lines, None, end, None)
        self._log.check(end, self._tail if end else b"")
        checkpoint = Checkpoint(
            source.device,
            source.inode,
            len(self._log.head),
            digest(self._log.head),
            self._start,
            os.path.realpath(source.path),
            self.parser.state().dump(),
            digest(self._start_tail),
            self.masks,
        )
        return Batch(records, lines, checkpoint, end, self._log.total)

    def _blocks(self) -> Iterator[bytes]:
        try:
            while block := self._log.read(self._block):
                yield block
        except InputUnreadable as error:
            if not self._log.packed:
                raise
            self._damage = error

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


def _placed(source: Input, stored: Checkpoint | None) -> tuple[Contents, bytes, Checkpoint | None]:
    """Return the log at the checkpoint, the bytes before it, and the checkpoint if it is of this log."""
    log = contents(source)
    if stored is None:
        return log, b"", None
    try:
        tail = tail_at(log, stored)
    except InputUnreadable:
        log.close()
        raise
    if tail is not None:
        return log, tail, stored
    log.close()
    return contents(source), b"", None


def _may_change(state: State) -> bool:
    """Whether no format was found so far: a log that began with a banner shows its own only later."""
    return state.format == PLAIN and not state.given and not state.midline and not state.done


def _fresh(before: Checkpoint | None, formats: Mapping[str, Format]) -> State | None:
    state = State.load(before.context, formats) if before else None
    return state and replace(state, header=None, parts=0, midline=False, done=0)


def _last(tail: bytes, data: bytes) -> bytes:
    """Return the last TAIL_BYTES of `tail` and `data`."""
    if len(data) >= TAIL_BYTES:
        return data[-TAIL_BYTES:]
    return (tail + data)[-TAIL_BYTES:]
