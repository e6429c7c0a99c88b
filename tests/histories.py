"""Episodes put into a store as they are, drawn at random: what every question is asked of."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import apsw
from hypothesis import strategies as st

from logstore.database import Connection, open_reader
from logstore.record import TIME_END_US

YEAR = 31_536_000_000_000


@dataclass(frozen=True)
class Part:
    """An episode as it is put into a store."""

    content: int
    first_us: int
    last_us: int
    count: int
    is_open: bool = False
    id: int = 0
    run: int = 0

    def touches(self, since_us: int, until_us: int) -> bool:
        return self.last_us >= since_us and self.first_us < until_us

    def whole(self, since_us: int, until_us: int) -> bool:
        return self.first_us >= since_us and self.last_us < until_us

    def inside(self, since_us: int, until_us: int) -> int:
        """SPEC 6: 1 + round((count-1) * overlap/span), halves up."""
        if self.whole(since_us, until_us):
            return self.count
        overlap = min(self.last_us, until_us) - max(self.first_us, since_us)
        return 1 + floor(Fraction((self.count - 1) * overlap, self.last_us - self.first_us) + Fraction(1, 2))


@st.composite
def histories(draw: st.DrawFn) -> list[Part]:
    """Up to three contents, each with runs of one to four parts in order of time; the last may be open."""
    unit = draw(st.sampled_from([1, 1000, YEAR // 7]))
    parts: list[Part] = []
    for content in range(1, draw(st.integers(1, 3)) + 1):
        at = draw(st.integers(0, 10))
        for _ in range(draw(st.integers(1, 3))):
            run = len(parts) + 1
            for _ in range(draw(st.integers(1, 4))):
                first = at
                at += draw(st.integers(0, 6))
                count = 1 if first == at else draw(st.sampled_from([2, 3, 4, 7, 10**9]))
                number = len(parts) + 1
                parts.append(Part(content, first * unit, at * unit, count, False, number, run))
                at += draw(st.integers(1, 3))
        if draw(st.booleans()):
            parts[-1] = replace(parts[-1], is_open=True)
    return parts


@st.composite
def ranges(draw: st.DrawFn, parts: list[Part]) -> tuple[int, int]:
    """A range whose borders like to lie on, just before and just after those of an episode."""
    borders = [edge + shift for p in parts for edge in (p.first_us, p.last_us) for shift in (-1, 0, 1)]
    times = st.sampled_from([0, TIME_END_US, *borders]) | st.integers(0, max(borders) + 1)
    since_us, until_us = sorted(max(draw(times), 0) for _ in range(2))
    return since_us, max(until_us, since_us + 1)


@contextmanager
def holding(blank: Path, parts: list[Part], texts: dict[int, tuple[str, int, str]]) -> Iterator[Connection]:
    """A reader of a store that holds these episodes of these contents (source, level, message)."""
    path = blank.with_name("filled.db")
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        name.unlink(missing_ok=True)
    shutil.copy(blank, path)
    raw = apsw.Connection(str(path))
    raw.execute("PRAGMA synchronous = OFF; BEGIN")
    for number, (source, level, message) in texts.items():
        key = hashlib.sha256(str(number).encode()).digest()
        raw.execute(
            "INSERT INTO content (id, hash, source, level, message) VALUES (?, ?, ?, ?, ?)",
            (number, key, source, level, message),
        )
    before: dict[int, int] = {}
    for part in parts:
        values: dict[str, Any] = {
            "id": part.id, "content_id": part.content, "run_id": part.run, "continues": before.get(part.run),
            "first_us": part.first_us, "last_us": part.last_us, "count": part.count,
        }  # fmt: skip
        before[part.run] = part.id
        is_last = part.id == max(other.id for other in parts if other.run == part.run)
        prior = sum(other.count for other in parts if other.run == part.run and other.id < part.id)
        if part.is_open:
            key = hashlib.sha256(str(part.content).encode()).digest()
            values |= {"content_hash": key, "prior_count": prior, "received_us": 0, "receipt": 0}
        else:
            values |= {"reason": "gap" if is_last else "span"}
        names, table = ", ".join(values), "queue" if part.is_open else "archive"
        places = ", ".join("?" * len(values))
        raw.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(values.values()))
    longest_us = max((part.last_us - part.first_us for part in parts), default=0)
    raw.execute("UPDATE store SET longest_us = ?, next_id = ?", (longest_us, len(parts) + 1))
    raw.execute("COMMIT")
    raw.close()
    with open_reader(path, busy_timeout=5) as reader:
        yield reader


def plain(parts: list[Part]) -> dict[int, tuple[str, int, str]]:
    return {part.content: ("h/p", 6, f"m{part.content}") for part in parts}
