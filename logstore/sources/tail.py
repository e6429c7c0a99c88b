"""One open file that is read again whenever it has changed."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final, NamedTuple

from logstore.checkpoint import Checkpoint
from logstore.errors import InputUnreadable
from logstore.sources.files import BATCH_LINES, Batch, Ending, Reading
from logstore.sources.format import Format
from logstore.sources.formats import FORMATS
from logstore.sources.inputs import Input, measured_again
from logstore.sources.rotation import Key, Place

Sign = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds: equal as long as nothing is written."""

NO_SIGN: Final = (-1, -1)
_LONG_S: Final = 60.0


class Step(NamedTuple):
    """What to store in one transaction: `store.log_input(batch.records, batch.checkpoint, after=after)`.

    `format` is the name of the format of its lines.
    """

    batch: Batch
    after: Checkpoint | None
    format: str


@dataclass(frozen=True, slots=True)
class Manner:
    """How followed files are read: `tz`, `host`, `format` and `formats` as for Reading.

    `masks` gives the name to be put into a file's checkpoints, by its format and the checkpoint it
    goes on from. `settle_s`: a file that was not written for so many seconds is quiet.
    """

    tz: tzinfo
    now_us: Callable[[], int]
    host: str | None = None
    format: str | None = None
    masks: Callable[[str, Checkpoint | None], str] = lambda _format, _stored: "none"
    settle_s: float = 1.0
    batch_lines: int = BATCH_LINES
    formats: Mapping[str, Format] = field(default_factory=lambda: FORMATS)


def sign(found: os.stat_result) -> Sign:
    """Return the sign of a file."""
    return found.st_size, found.st_mtime_ns


def age_s(found: os.stat_result, now_us: int) -> float:
    """Return how long ago a file was changed, renamed too, if that is long; else 0.

    What was changed just now may be amid a rotation: then only what is seen to be quiet is.
    """
    aged_s = now_us / 1e6 - max(found.st_mtime_ns, found.st_ctime_ns) / 1e9
    return aged_s if aged_s >= _LONG_S else 0.0


class Tail:
    """A file held open, so that it can be read to its end whatever becomes of its name.

    `place` is where to go on. `cut`: the file has not the bytes any more that were read up to there.
    `finished`: it was read to its last byte as a file that nobody writes to any more.
    """

    def __init__(
        self,
        source: Input,
        place: Place,
        manner: Manner,
        *,
        before: Checkpoint | None,
        path: str | None = None,
    ) -> None:
        """Take over the open `source`; `before` as for Reading.

        `path` is put into its checkpoints in place of its own: the log that it is a generation of, if
        its name does not say so.
        """
        self.source = source
        self._path = path
        self.place = place
        self.cut = False
        self.packed = False
        self._manner = manner
        self._before = before
        self._batches: Iterator[Batch] | None = None
        self._format = ""
        self._sign = NO_SIGN
        self._since = 0.0
        self._asked: tuple[Sign, Ending] | None = None
        self._done: tuple[Sign, Ending] | None = None

    @property
    def key(self) -> Key:
        """Device and inode."""
        found = os.fstat(self.source.stream.fileno())
        return found.st_dev, found.st_ino

    @property
    def begun(self) -> bool:
        """Whether the store has a checkpoint of this very file."""
        return self.place.stored is not None

    @property
    def finished(self) -> Sign | None:
        """The sign of the file when it was read to its last byte for good; None before."""
        done = self._done
        return done[0] if done and done[1] is Ending.ALL and not self._batches else None

    def step(self, now_s: float, *, last: bool) -> Step | None:
        """Return the next batch to store, None if there is none now.

        `last`: nobody is expected to write to it any more. Raises InputUnreadable; the next call
        tries again.
        """
        if self._batches is None and not self._begin(now_s, last=last):
            return None
        batch = self._next()
        return self._reached(batch) if batch else None

    def mark(self) -> Step | None:
        """Return the step that says that the file was seen, before anything of it is read.

        Raises InputUnreadable.
        """
        reading = self._reading(Ending.RECORDS)
        try:
            return self._reached(reading.mark())
        finally:
            reading.close()

    def adopt(self, original: Checkpoint) -> Step:
        """Return the step that makes the place reached in another file this one's own."""
        device, inode = self.key
        path = self._path or os.path.realpath(self.source.path)
        own = original._replace(device=device, inode=inode, path=path)
        after, self.place = self.place.after, Place(own, own)
        return Step(Batch([], 0, own, own.offset, None), after, "")

    def hand_over(self, path: str) -> Step | None:
        """Return the step that keeps another path of the file; None if it has that already."""
        own = self.place.stored
        if own is None or own.path == path:
            return None
        self._path = path
        return self._reached(Batch([], 0, own, own.offset, None))

    def go_back(self, place: Place) -> None:
        """Forget the last batch, which was not stored, and read again from where it began."""
        self._stop()
        self.place, self._done = place, None

    def restart(self) -> None:
        """Go on at the start of a file that was cut."""
        self._before = self.place.stored or self._before
        self.place = Place(None, self.place.after)
        self.cut = False
        self._done = None

    def close(self) -> None:
        """Close the file."""
        self._stop()
        self.source.stream.close()

    def _reached(self, batch: Batch) -> Step | None:
        own = batch.checkpoint
        if own is None:
            return None
        if self._path:
            own = own._replace(path=self._path)
        after, self.place = self.place.after, Place(own, own)
        return Step(batch._replace(checkpoint=own), after, self._format)

    def _begin(self, now_s: float, *, last: bool) -> bool:
        """Start reading if there may be something new."""
        found = os.fstat(self.source.stream.fileno())
        seen = sign(found)
        if seen != self._sign:
            # A process that is killed often would else wait for ever for the same file to be quiet.
            aged_s = age_s(found, self._manner.now_us()) if self._sign == NO_SIGN else 0
            self._sign, self._since = seen, now_s - aged_s
        quiet = now_s - self._since >= self._manner.settle_s
        ending = (Ending.ALL if last else Ending.LINES) if quiet else Ending.RECORDS
        asked = (seen, ending)
        if self.cut or asked == self._done:
            return False
        reading = self._reading(ending)
        self._asked = asked
        self.cut = self.place.stored is not None and not reading.resumed
        if self.cut:
            reading.close()
            return False
        self.packed = reading.packed
        self._batches = self._marked(reading)
        return True

    def _reading(self, ending: Ending) -> Reading:
        manner, stored = self._manner, self.place.stored
        reading = Reading(
            measured_again(self.source),
            tz=manner.tz,
            now_us=manner.now_us(),
            host=manner.host,
            format=manner.format,
            stored=stored,
            before=self._before,
            ending=ending,
            batch_lines=manner.batch_lines,
            formats=manner.formats,
        )
        self._format = reading.parser.format
        # Of what nothing was read of yet the format may show only now, and with it which masks it gets.
        reading.masks = manner.masks(self._format, stored if stored and stored.offset else None)
        return reading

    def _marked(self, reading: Reading) -> Iterator[Batch]:
        """Yield the batches; of a file of which nothing can be stored yet a batch without records.

        Its checkpoint tells a later run that the file was there.
        """
        yield from reading
        if not self.begun:
            yield reading.mark()

    def _next(self) -> Batch | None:
        assert self._batches is not None  # noqa: S101 - `step` has begun
        try:
            batch = next(self._batches, None)
        except InputUnreadable:
            self._stop()
            self._done = self._asked if self.packed else None  # a damaged archive stays so till it changes
            raise
        if batch is None:
            self._stop()
            self._done = self._asked
        return batch

    def _stop(self) -> None:
        self._batches = None
