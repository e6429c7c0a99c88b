"""The work of `logstore ingest`: inputs one after the other, progress, and a closing line for each."""

import gc
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from logstore.cli.text import counted, escaped, note
from logstore.errors import InputUnreadable, InvalidQuery
from logstore.search.times import SystemZone, local
from logstore.sources.files import Reading
from logstore.sources.inputs import Input, open_input
from logstore.sources.state import Assumed
from logstore.store import LogStore

_GC_THRESHOLD: Final = 50_000
_PROGRESS_S: Final = 0.5


class Tally:
    """What one input gave."""

    def __init__(self) -> None:
        self.lines = self.records = self.contents = self.episodes = self.undated = 0
        self.first_us: int | None = None
        self.last_us: int | None = None

    def times(self, times_us: Sequence[int]) -> None:
        """Widen the range of time by those of a batch."""
        if times_us:
            first, last = min(times_us), max(times_us)
            self.first_us = first if self.first_us is None else min(self.first_us, first)
            self.last_us = last if self.last_us is None else max(self.last_us, last)


def ingest_all(
    store: LogStore, paths: Sequence[str], *, format_: str, host: str | None, zone: str | None
) -> bool:
    """Ingest inputs one after the other; what cannot be read is said, and the others go on.

    Returns whether all of them could be read.
    """
    tz = _zone(zone)
    complete = True
    with _rare_collections():
        for path in paths:
            try:
                _ingest_one(store, path, tz=tz, format_=None if format_ == "auto" else format_, host=host)
            except InputUnreadable as error:
                note(f"logstore: {error}")
                complete = False
    return complete


def _ingest_one(store: LogStore, path: str, *, tz: tzinfo, format_: str | None, host: str | None) -> None:
    tally = Tally()
    if path == "-" and sys.stdin.isatty():
        note("reading log lines from this terminal; end with Ctrl-D")
    with open_input(path, sys.stdin.buffer) as source:
        reading = _reading(store, source, tz=tz, format_=format_, host=host)
        after = _stored(store, source)
        progress = _Progress(path)
        try:
            for batch in reading:
                if batch.checkpoint is None:
                    taken = store.take(batch.records)
                else:
                    taken = store.log_input(batch.records, batch.checkpoint, after=after)
                    after = batch.checkpoint
                tally.lines += batch.lines
                tally.records += taken.records
                tally.contents += taken.contents
                tally.episodes += taken.episodes
                times_us = [at_us for record in batch.records if (at_us := record.timestamp_us) is not None]
                tally.undated += taken.records - len(times_us)
                tally.times(times_us)
                progress.show(batch.bytes_read, batch.bytes_total)
        finally:
            progress.clear()
    print(escaped(_closing_line(path, tally, reading, tz)), flush=True)
    if host is None and reading.parser.assumed.host == path:
        note(f"{path}: no line names a host, so the path stands for it; --host NAME sets one")


def _reading(store: LogStore, source: Input, *, tz: tzinfo, format_: str | None, host: str | None) -> Reading:
    return Reading(
        source,
        tz=tz,
        now_us=time.time_ns() // 1000,
        this_host=socket.gethostname(),
        host=host,
        format=format_,
        stored=_stored(store, source),
    )


def _stored(store: LogStore, source: Input) -> Any:
    if source.device is None or source.inode is None:
        return None
    return store.checkpoint(source.device, source.inode)


def _closing_line(path: str, tally: Tally, reading: Reading, tz: tzinfo) -> str:
    name = "stdin" if path == "-" else path
    if not tally.lines and not tally.records:
        return f"{name}: nothing new"
    parts = [
        f"{name}: {counted(tally.lines, 'line')} -> {counted(tally.records, 'record')}",
        counted(tally.contents, "new content"),
        counted(tally.episodes, "new episode"),
    ]
    if tally.episodes:
        parts.append(f"folded {tally.records / tally.episodes:.1f}x")
    if tally.first_us is not None and tally.last_us is not None:
        parts.append(f"{local(tally.first_us, tz)} - {local(tally.last_us, tz)}")
    assumed = _assumed(reading.parser.assumed, tally.undated)
    return f"{', '.join(parts)} (format {reading.parser.format}{assumed})"


def _assumed(assumed: Assumed, undated: int) -> str:
    said = []
    if undated:
        said.append(f"time of receipt for {counted(undated, 'record')}")
    if assumed.years:
        said.append(f"year {', '.join(map(str, assumed.years))}")
    if assumed.zone:
        said.append(f"zone {assumed.zone}")
    if assumed.host:
        said.append(f"host {assumed.host}")
    return f"; assumed: {', '.join(said)}" if said else ""


def _zone(name: str | None) -> tzinfo:
    if name is None:
        return SystemZone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidQuery(
            f"no time zone is named {name!r}; use a name such as Europe/Berlin or UTC"
        ) from error


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for cyclic garbage seldom: a batch makes tens of thousands of objects and no cycles."""
    before = gc.get_threshold()
    gc.set_threshold(_GC_THRESHOLD, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


class _Progress:
    """One line on a terminal that is rewritten now and then; silent elsewhere."""

    def __init__(self, path: str) -> None:
        self._shown = sys.stderr.isatty()
        self._name = escaped(Path(path).name)
        self._next = time.monotonic() + _PROGRESS_S

    def show(self, done: int, total: int | None) -> None:
        """Show how far an input has been read, in bytes."""
        if not self._shown or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _PROGRESS_S
        size = f"{done / 1e6:,.0f} MB" if not total else f"{done / total:4.0%} of {total / 1e6:,.0f} MB"
        line = f"{self._name}: {size}"
        sys.stderr.write(f"\r\x1b[K{line[: os.get_terminal_size(sys.stderr.fileno()).columns - 1]}")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
