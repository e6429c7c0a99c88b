"""The rules of the contract (SPEC, section 2) in plain Python, as simply as they can be said.

Written from the contract and not from logstore/fold.py, so that a fault in one shows beside the other.
One list of open episodes, one list of closed ones, each record looked at on its own, nothing cached.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from logstore import Episode, Record

NOW_US = 1_765_065_600_000_000
"""2025-12-07 00:00:00 UTC: when the tests begin."""

LEVELS = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")

Key = tuple[str, str | int, str]
Mask = Callable[[str], tuple[str, int | None]]
Fields = tuple[Any, ...]


class Clock:
    """Gives microseconds to a store, and moves only when told."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us

    def forward(self, *, s: int = 0, ms: int = 0, us: int = 0) -> None:
        self.now_us += s * 1_000_000 + ms * 1_000 + us


def ms(time_us: int) -> int:
    return time_us // 1000


@dataclass(eq=False)
class Part:
    """An episode: a whole run, or the part of one between two spans."""

    id: int
    key: Key
    first_us: int
    last_us: int
    first_attributes: Any
    last_attributes: Any
    first_text: str = ""
    last_text: str = ""
    numbers: list[tuple[int, str]] = field(
        default_factory=list
    )  # in order of arrival, each with its raw text
    count: int = 1
    run_count: int = 1
    gaps_ms: list[int] = field(default_factory=list)
    reason: str | None = None
    continues: int | None = None
    received_us: int = 0
    receipt: int = 0

    def distance_ms(self, at_us: int) -> int | None:
        """How far a time lies from the nearer end; None between first and last."""
        if at_us >= self.last_us:
            return ms(at_us) - ms(self.last_us)
        if at_us <= self.first_us:
            return ms(self.first_us) - ms(at_us)
        return None

    def width_ms(self, at_us: int) -> int:
        """How much time the episode would cover with one more record."""
        return ms(max(self.last_us, at_us)) - ms(min(self.first_us, at_us))


def unmasked(text: str) -> tuple[str, int | None]:
    return text, None


class Model:
    """What a store holds, by the rules. `mask` gives the message of a raw text, and the number it hides."""

    def __init__(
        self,
        *,
        window_ms: int,
        max_span_ms: int = 0,
        max_open: int = 100_000,
        now_us: int = NOW_US,
        mask: Mask = unmasked,
    ) -> None:
        self.mask = mask
        self.window_ms = window_ms
        self.max_span_ms = max_span_ms
        self.max_open = max_open
        self.swept_us = now_us
        self.accepted = 0
        self.tokens: dict[str, int] = {}
        self.open: dict[Key, Part] = {}
        self.archive: list[Part] = []
        self._ids = itertools.count(1)
        self._receipts = itertools.count(1)

    def log(self, record: Record, now_us: int, *, auto_sweep: bool = True) -> int:
        """Rules 1 to 4, 6, 7: returns the count of the record's run."""
        self._sweep_by_itself(now_us, auto_sweep)
        return self._receive(record, now_us)

    def log_many(
        self,
        records: Sequence[Record],
        now_us: int,
        *,
        token: tuple[str, int] | None = None,
        auto_sweep: bool = True,
    ) -> int:
        """Rules 8 and 12: a batch is its records, at one time of receipt; a token is taken once."""
        if token is not None:
            writer, sequence = token
            if sequence <= self.tokens.get(writer, 0):
                return 0
            self.tokens[writer] = sequence
        if not records:
            return 0
        self._sweep_by_itself(now_us, auto_sweep)
        for record in records:
            self._receive(record, now_us)
        return len(records)

    def sweep(self, now_us: int) -> int:
        """Rule 5: what is due moves, the oldest first; then what is ahead of the clock."""
        due = [part for part in self.open.values() if self._due(part, now_us)]
        for part in sorted(due, key=lambda part: (part.last_us > now_us, part.last_us)):
            self._close(part, "gap")
        self.swept_us = now_us
        return len(due)

    def episodes(self) -> dict[int, Fields]:
        """Every episode by its id."""
        return {part.id: _fields(part) for part in (*self.archive, *self.open.values())}

    def numbers(self) -> dict[int, list[Any]]:
        """What each episode keeps of the numbers behind its mask; the largest is the first of its size."""
        found: dict[int, list[Any]] = {}
        for part in (*self.archive, *self.open.values()):
            if part.numbers and part.count == 1:
                found[part.id] = [part.numbers[0][0]]
            elif part.numbers:
                values = [number for number, _ in part.numbers]
                found[part.id] = [
                    {
                        "min": min(values),
                        "max": max(values),
                        "sum": sum(values),
                        "count": len(values),
                        "last": values[-1],
                        "max_text": next(text for number, text in part.numbers if number == max(values)),
                    }
                ]
        return found

    def _receive(self, record: Record, now_us: int) -> int:
        at_us = now_us if record.timestamp_us is None else record.timestamp_us
        message, number = self.mask(record.message)
        key = (record.source, record.level, message)
        self.accepted += 1
        part = self.open.get(key)
        if part is None:
            self._make_room(now_us)
            part = self._open(key, at_us, record)
        else:
            distance_ms = part.distance_ms(at_us)
            if distance_ms is not None and distance_ms > self.window_ms:
                self._close(part, "gap")
                part = self._open(key, at_us, record)
            elif self.max_span_ms and part.width_ms(at_us) > self.max_span_ms:
                self._close(part, "span")
                before, part = part, self._open(key, at_us, record)
                part.continues, part.run_count = before.id, before.run_count + 1
            else:
                _merge(part, at_us, record, distance_ms)
        if number is not None:
            part.numbers.append((number, record.message))
        part.received_us, part.receipt = now_us, next(self._receipts)
        return part.run_count

    def _open(self, key: Key, at_us: int, record: Record) -> Part:
        text, attributes = record.message, record.attributes
        part = Part(next(self._ids), key, at_us, at_us, attributes, attributes, text, text)
        self.open[key] = part
        return part

    def _close(self, part: Part, reason: str) -> None:
        part.reason = reason
        del self.open[part.key]
        self.archive.append(part)

    def _due(self, part: Part, now_us: int) -> bool:
        unreceived = ms(now_us) - ms(part.received_us) > self.window_ms
        quiet = part.last_us > now_us or ms(now_us) - ms(part.last_us) > self.window_ms
        return unreceived and quiet

    def _sweep_by_itself(self, now_us: int, auto_sweep: bool) -> None:
        """Rule 6. A clock that was set back counts as one that moved: a last sweep in the future is none."""
        if auto_sweep and abs(now_us - self.swept_us) * 4 > self.window_ms * 1000:
            self.sweep(now_us)

    def _make_room(self, now_us: int) -> None:
        """Rule 7: before a first copy enters a full queue. It sweeps only where something may be due."""
        if len(self.open) < self.max_open:
            return
        if any(ms(now_us) - ms(part.received_us) > self.window_ms for part in self.open.values()):
            self.sweep(now_us)
        while len(self.open) >= self.max_open:
            self._close(min(self.open.values(), key=lambda part: (part.received_us, part.receipt)), "evicted")


def _merge(part: Part, at_us: int, record: Record, distance_ms: int | None) -> None:
    """Rules 2 and 10."""
    part.count += 1
    part.run_count += 1
    if distance_ms is None and at_us in (part.first_us, part.last_us):
        distance_ms = 0
    if distance_ms is not None:
        part.gaps_ms.append(distance_ms)
    if at_us >= part.last_us:
        part.last_us, part.last_text, part.last_attributes = at_us, record.message, record.attributes
    if at_us < part.first_us:
        part.first_us, part.first_text, part.first_attributes = at_us, record.message, record.attributes


def _fields(part: Part) -> Fields:
    source, level, message = part.key
    return (
        "open" if part.reason is None else "closed",
        source,
        LEVELS.index(str(level)),
        message,
        part.first_us,
        part.last_us,
        part.count,
        min(part.gaps_ms, default=None),
        max(part.gaps_ms, default=None),
        part.first_text,
        part.last_text,
        part.first_attributes,
        part.last_attributes,
        part.reason,
        part.continues,
    )


def fields(episode: Episode) -> Fields:
    """What the model says of an episode, of one that a store gave."""
    return (
        episode.state,
        episode.source,
        episode.level,
        episode.message,
        episode.first_us,
        episode.last_us,
        episode.count,
        episode.gap_min_ms,
        episode.gap_max_ms,
        episode.first_text,
        episode.last_text,
        episode.first_attributes,
        episode.last_attributes,
        episode.reason,
        episode.continues,
    )
