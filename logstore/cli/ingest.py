"""The work of `logstore ingest`: inputs one after the other, progress, and a closing line for each."""

import gc
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final

from logstore.checkpoint import Checkpoint
from logstore.cli.ahead import batches_of
from logstore.cli.progress import Progress
from logstore.cli.text import counted, escaped, note
from logstore.columns import Columns
from logstore.errors import InputUnreadable
from logstore.intake import Taken
from logstore.record import Record
from logstore.search.times import local
from logstore.sources.defaults import MASKS_OF
from logstore.sources.files import Batch, Reading
from logstore.sources.format import Format
from logstore.sources.formats import FORMATS
from logstore.sources.inputs import open_input
from logstore.sources.processing import Processor
from logstore.sources.rotation import find_place
from logstore.sources.state import Assumed
from logstore.store import LogStore

AUTO: Final = "auto"
_GC_THRESHOLD: Final = 50_000
_MANY_RECORDS: Final = 200  # of so many one expects repeats
_LITTLE: Final = 2.0


@dataclass(frozen=True, slots=True)
class How:
    """How inputs are read, as the user asked for it.

    `format` and `masks` may be AUTO; `redact` None is the store's own; `processor` is the user's
    function, if there is one.
    """

    tz: tzinfo
    format: str = AUTO
    host: str | None = None
    masks: str = AUTO
    redact: str | None = None
    processor: Processor | None = None
    formats: Mapping[str, Format] = field(default_factory=lambda: FORMATS)

    @property
    def format_name(self) -> str | None:
        """The format that was named."""
        return None if self.format == AUTO else self.format

    def processed(self, records: Sequence[Record]) -> Sequence[Record]:
        """Return what the user's function makes of records."""
        return records if self.processor is None else list(self.processor(records))

    def masks_for(self, store: LogStore, format_: str, stored: Checkpoint | None = None) -> str:
        """Return the name of the set for an input, which the store then has. Raises InvalidSetting."""
        if self.masks != AUTO:
            name = self.masks
        elif stored is not None:
            return stored.masks
        else:
            name = MASKS_OF.get(format_) or store.settings.masks
        if store.use_rules(name, "masks"):
            note(
                f"the identity rules {name!r} are now in {store.path}, for {format_}: repeats merge whatever "
                f"their process ids and timings are; `logstore config sets {name}` lists them, "
                "--masks none keeps each text apart"
            )
        return name


class Tally:
    """What one input gave."""

    def __init__(self) -> None:
        self.lines = self.records = self.contents = self.episodes = self.undated = 0
        self.first_us: int | None = None
        self.last_us: int | None = None

    def add(self, lines: int, records: Sequence[Record], taken: Taken) -> None:
        """Count a batch."""
        self.lines += lines
        self.records += taken.records
        self.contents += taken.contents
        self.episodes += taken.episodes
        times_us = [at_us for at_us in _times_of(records) if at_us is not None]
        self.undated += taken.records - len(times_us)
        if times_us:
            first, last = min(times_us), max(times_us)
            self.first_us = first if self.first_us is None else min(self.first_us, first)
            self.last_us = last if self.last_us is None else max(self.last_us, last)

    @property
    def folding(self) -> float:
        """How many records an episode holds."""
        return self.records / self.episodes if self.episodes else float("inf")

    def parts(self, tz: tzinfo) -> list[str]:
        """Return what a closing line says of it."""
        said = [
            f"{counted(self.lines, 'line')} -> {counted(self.records, 'record')}",
            counted(self.contents, "new content"),
            counted(self.episodes, "new episode"),
        ]
        if self.episodes:
            said.append(f"folded {self.folding:.1f}x")
        if self.first_us is not None and self.last_us is not None:
            said.append(f"{local(self.first_us, tz)} - {local(self.last_us, tz)}")
        return said


def _times_of(records: Sequence[Record]) -> list[int | None]:
    return records.times_us if isinstance(records, Columns) else [each.timestamp_us for each in records]


def ingest_all(store: LogStore, known: LogStore | None, paths: Sequence[str], how: How) -> bool:
    """Ingest inputs one after the other; what cannot be read is said, and the others go on.

    `known` knows how far files were read: the store itself, or for a rehearsal the one that it is
    done for. Returns whether all of them could be read.
    """
    complete = True
    with rare_collections():
        for path in paths:
            try:
                _ingest_one(store, known, path, how)
            except InputUnreadable as error:
                note(f"logstore: {error}")
                complete = False
    return complete


def _ingest_one(store: LogStore, known: LogStore | None, path: str, how: How) -> None:
    tally = Tally()
    if path == "-" and sys.stdin.isatty():
        note("reading log lines from this terminal; end with Ctrl-D")
    with open_input(path, sys.stdin.buffer, note=note) as source:
        stored, after = find_place(known, source) if known else (None, None)
        reading = Reading(
            source,
            tz=how.tz,
            now_us=time.time_ns() // 1000,
            this_host=socket.gethostname(),
            host=how.host,
            format=how.format_name,
            stored=stored,
            formats=how.formats,
        )
        batches = batches_of(reading)
        try:
            goes_on = stored if reading.resumed else None
            reading.masks = how.masks_for(store, reading.parser.format, goes_on)
            masks = reading.masks
            _store_all(store, path, batches, tally, how, masks=masks, after=after if known is store else None)
        finally:
            batches.close()
    outcome = batches.outcome
    print(escaped(_closing_line(path, tally, reading, outcome.assumed, how)), flush=True)
    if how.host is None and outcome.assumed.host == path:
        note(f"{path}: no line names a host, so the path stands for it; --host NAME sets one")
    if tally.records and not outcome.headed:
        note(
            f"{path}: no line is of format {reading.parser.format}, so each is a record with its raw text; "
            "correct --format or --pattern, or leave them out and the format is looked for"
        )
    if tally.records >= _MANY_RECORDS and tally.folding < _LITTLE:
        note(f"{path}: little was folded; `logstore masks {path}` shows what identity rules would gain")


def _store_all(
    store: LogStore,
    path: str,
    batches: Iterable[Batch],
    tally: Tally,
    how: How,
    *,
    masks: str,
    after: Checkpoint | None,
) -> None:
    with Progress(path) as progress:
        for batch in batches:
            records = how.processed(batch.records)
            taken, after = store_batch(store, batch, records, after, masks, how.redact)
            tally.add(batch.lines, records, taken)
            progress.show(batch.bytes_read, batch.bytes_total)


def store_batch(
    store: LogStore,
    batch: Batch,
    records: Sequence[Record],
    after: Checkpoint | None,
    masks: str,
    redact: str | None,
) -> tuple[Taken, Checkpoint | None]:
    """Store a batch with its checkpoint, if it has one; return that, too."""
    if batch.checkpoint is None:
        return store.take(records, masks=masks, redact=redact), None
    return store.log_input(records, batch.checkpoint, after=after, redact=redact), batch.checkpoint


def _closing_line(path: str, tally: Tally, reading: Reading, assumed: Assumed, how: How) -> str:
    name = "stdin" if path == "-" else path
    if not tally.lines and not tally.records:
        return f"{name}: nothing new"
    about = [f"format {reading.parser.format}"]
    if reading.masks != "none":
        about.append(f"masks {reading.masks}")
    about += _assumed(assumed, tally.undated)
    if how.processor:
        about += said_of(how.processor)
    return f"{name}: {', '.join(tally.parts(how.tz))} ({'; '.join(about)})"


def said_of(processor: Processor) -> list[str]:
    """Return what is to be said of a function: nothing is hidden that it dropped or failed on."""
    counts = (("dropped", processor.dropped), ("split", processor.split), ("failed on", processor.failed))
    said = [f"{word} {counted(count, 'record')}" for word, count in counts if count]
    if processor.failed:
        said.append(f"last {processor.last_error}; those are stored as they were")
    return [f"the function {', '.join(said)}"] if said else []


def _assumed(assumed: Assumed, undated: int) -> list[str]:
    said = []
    if undated:
        said.append(f"time of receipt for {counted(undated, 'record')}")
    if assumed.years:
        said.append(f"year {', '.join(map(str, assumed.years))}")
    if assumed.zone:
        said.append(f"zone {assumed.zone}")
    if assumed.host:
        said.append(f"host {assumed.host}")
    return [f"assumed: {', '.join(said)}"] if said else []


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for cyclic garbage seldom: a batch makes tens of thousands of objects and no cycles."""
    before = gc.get_threshold()
    gc.set_threshold(_GC_THRESHOLD, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
