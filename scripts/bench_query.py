"""What asking costs: each kind of query, as the command does it but for its start, at two store sizes."""

import gc
import io
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC
from functools import partial
from inspect import signature
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import apsw  # noqa: TID251  rows are made in bulk, as no writer can

from logstore import statements
from logstore.cli import query, show
from logstore.cli.asked import Asked
from logstore.cli.search import query as options
from logstore.database import open_reader
from logstore.filters import Filter, Matcher, substring
from logstore.search.feed import Feed
from logstore.search.patience import patient_regex

MONITORS: Final = 200  # contents 1 to 200 never stop: a part every 600 s, 200 parts a run
FRESH: Final = 200  # the newest contents come in the last day only
OPEN: Final = 600  # open episodes beside those of the monitors
END_US: Final = 1_795_305_600_000_000  # 2026-11-22 00:00:00 UTC
PART_US: Final = 600_000_000
PARTS: Final = 200
OPEN_PARTS: Final = 134  # parts so far of the runs that are open at the end
MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
UNTIL_US: Final = END_US - 2 * HOUR_US  # where the ranges end that are asked for
RANGES_US: Final = {"10 min": 10 * MINUTE_US, "1 h": HOUR_US, "1 day": DAY_US}

EASY_MS: Final = 100
HARD_MS: Final = 300
GROWTH: Final = 3

LINE: Final = "{:<44} {:>9} {:>9} {:>15} {:>7}  {:<14} {}"

FILL: Final = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000;
"""
ROW_TRIGGERS: Final = """
SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND name <> 'content_added_to_text'
"""
BEGIN_STORE: Final = """
INSERT INTO store (one, store_id, host, created_us, next_id, open_count, longest_us)
VALUES (1, 'bench', 'here', :since_us, 1, 0, 600000000);
INSERT INTO settings (one, window_ms, max_span_ms, max_open) VALUES (1, 150000, 600000, 100000);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :contents)
INSERT INTO content (hash, source, level, message)
SELECT
    randomblob(32), 'node' || (i % 40) || '/program' || (i / 40 % 13), iif(i <= :monitors, 6, i / 3 % 8),
    'resource p_' || (i % 977) || ' monitor returned ' || (i % 31) || ' on host node' || (i % 17)
        || ' after operation number ' || i
FROM n;
"""
ADD_EPISODE: Final = """
INSERT INTO archive (
    id, content_id, run_id, continues, first_us, last_us, count, gap_min_ms, gap_max_ms, reason, numbers)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
ADD_OPEN: Final = """
INSERT INTO queue (
    content_id, content_hash, id, run_id, continues, prior_count, first_us, last_us, count,
    gap_min_ms, gap_max_ms, received_us, receipt)
SELECT id, hash, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 2900, 3100, ?7, ?2 FROM content WHERE id = ?1
"""
END_STORE: Final = """
INSERT INTO total (content_id, count, episodes, first_us, last_us, gap_min_ms, gap_max_ms)
SELECT content_id, sum(count), count(*), min(first_us), max(last_us), min(gap_min_ms), max(gap_max_ms)
FROM archive GROUP BY content_id;
UPDATE store SET
    next_id = (SELECT max(id) + 1 FROM queue), open_count = (SELECT count(*) FROM queue), swept_us = :end_us;
"""
NUMBERS: Final = '[{"min":3,"max":9021,"sum":9081,"count":4,"last":12,"max_text":"took 9021 ms"}]'

Ask = Callable[[Path], object]


class Case(NamedTuple):
    """One kind of query, the milliseconds it may take, and whether it has a range of time."""

    name: str
    ask: Ask
    goal_ms: int = EASY_MS
    ranged: bool = False


class Timed(NamedTuple):
    """One line of the table: milliseconds of each round at the small and at the large store."""

    case: Case
    small: Sequence[float]
    large: Sequence[float]

    @property
    def growth(self) -> float:
        """How many times as long it takes at the large store."""
        return median(self.large) / median(self.small)

    @property
    def is_met(self) -> bool:
        """Whether the goals are met."""
        return median(self.large) <= self.case.goal_ms and (not self.case.ranged or self.growth <= GROWTH)

    @property
    def goal(self) -> str:
        """The goals, in words."""
        return f"<= {self.case.goal_ms} ms" + (f", {GROWTH}x" if self.case.ranged else "")

    def as_json(self) -> dict[str, Any]:
        """Return the line with the medians and the spread at the large store."""
        return {
            "name": self.case.name,
            "small_ms": median(self.small),
            "large_ms": median(self.large),
            "low_ms": min(self.large),
            "high_ms": max(self.large),
            "growth": self.growth,
            "goal": self.goal,
            "met": self.is_met,
        }

    def as_line(self) -> str:
        """Return the line as text."""
        return LINE.format(
            self.case.name,
            f"{median(self.small):.1f}",
            f"{median(self.large):.1f}",
            f"{min(self.large):.1f}..{max(self.large):.1f}",
            f"{self.growth:.2f}x",
            self.goal,
            "met" if self.is_met else "MISSED",
        )


def heading(small: int, large: int) -> str:
    """Return the line above the table."""
    return LINE.format(
        "query, ms", f"{small / 1e6:g}M", f"{large / 1e6:g}M", "low..high", "growth", "goal", ""
    ).rstrip()


# -- the stores ------------------------------------------------------------------------------------


def build(path: Path, episodes: int, contents: int) -> None:
    """Make a store of so many archived episodes: as many in an hour, whatever its size."""
    connection = apsw.Connection(str(path))
    connection.execute(FILL).fetchall()
    connection.execute(statements.SCHEMA).fetchall()
    triggers: list[Any] = connection.execute(ROW_TRIGGERS).fetchall()  # totals are made at the end
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    steps = max(episodes * 2 // 3 // MONITORS, 1)
    since_us = END_US - (steps + 1) * PART_US
    given = {"since_us": since_us, "contents": contents, "monitors": MONITORS, "end_us": END_US}
    connection.execute("BEGIN")
    connection.execute(BEGIN_STORE, given).fetchall()
    made = _Made(episodes, contents, steps, since_us)
    connection.executemany(ADD_EPISODE, made.archived())
    connection.executemany(ADD_OPEN, made.opened())
    connection.execute(END_STORE, given).fetchall()
    for _, sql in triggers:
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.close()


class _Made:
    """Makes the rows: monitors all the time, and whatever else happens, in the order of beginning."""

    def __init__(self, episodes: int, contents: int, steps: int, since_us: int) -> None:
        self._contents, self._steps, self._since_us = contents, steps, since_us
        self._sporadic = episodes - steps * MONITORS
        self._chance = random.Random(1)  # the same rows each time
        self._id = 0
        self._runs: dict[int, tuple[int, int | None]] = {}

    def archived(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of the archive."""
        done = 0
        for step in range(self._steps):
            at_us = self._since_us + step * PART_US
            for content in range(1, MONITORS + 1):
                yield self._part(content, step, at_us + content * 1_000)
            until = self._sporadic * (step + 1) // self._steps
            for order in range(done, until):
                yield self._once(order, at_us, is_late=at_us >= END_US - DAY_US)
            done = until

    def opened(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of the queue: each monitor goes on, some of the rest is new or back."""
        at_us = END_US - PART_US
        for content, (run_id, last_id) in sorted(self._runs.items()):
            first_us = at_us + content * 1_000
            prior = 200 * min(OPEN_PARTS, self._steps)
            yield content, self._next_id(), run_id, last_id, prior, first_us, first_us + 590_000_000, 200
        for content in range(MONITORS + 1, min(MONITORS + OPEN, self._contents) + 1):
            next_id, first_us = self._next_id(), END_US - self._chance.randrange(1, 140_000_000)
            yield content, next_id, next_id, None, 0, first_us, first_us + content, 2

    def _part(self, content: int, step: int, first_us: int) -> tuple[Any, ...]:
        next_id = self._next_id()
        place = (step - self._steps + OPEN_PARTS) % PARTS  # so that a run is open at the end
        run_id, last_id = self._runs.get(content, (next_id, None)) if place else (next_id, None)
        self._runs[content] = run_id, next_id
        reason = "gap" if place == PARTS - 1 else "span"
        times_us = (first_us, first_us + 590_000_000)
        numbers = NUMBERS if content <= 20 else None  # noqa: PLR2004  some have masks
        return next_id, content, run_id, last_id, *times_us, 200, 2900, 3100, reason, numbers

    def _once(self, order: int, at_us: int, *, is_late: bool) -> tuple[Any, ...]:
        next_id, usual = self._next_id(), self._contents - MONITORS - FRESH
        content = MONITORS + 1 + order * 7919 % usual
        if is_late and order % 40 == 0:
            content = self._contents - order // 40 % FRESH
        count = (1, 1, 1, 2, 5)[order % 5]
        first_us = at_us + self._chance.randrange(500_000_000)
        last_us = first_us + (count - 1) * self._chance.randrange(1, 20_000_000)
        gaps = (None, None) if count == 1 else (100, 20_000)
        return next_id, content, next_id, None, first_us, last_us, count, *gaps, "gap", None

    def _next_id(self) -> int:
        self._id += 1
        return self._id


@contextmanager
def written(paths: Sequence[Path]) -> Iterator[None]:
    """Keep stores open in WAL mode, as a writer does: who reads then makes no files and takes none away."""
    writers = [apsw.Connection(str(path)) for path in paths]
    try:
        for writer in writers:
            writer.execute("PRAGMA journal_mode = WAL").fetchall()
            writer.execute("UPDATE store SET swept_us = swept_us + 1")
        yield
    finally:
        for writer in writers:
            writer.close()


# -- the kinds of query ----------------------------------------------------------------------------


def cases() -> list[Case]:
    """Return every kind of query that the command line knows."""
    return [*_of_everything(), *_of_ranges(), *_saved(), *_others()]


def growing() -> dict[str, Ask]:
    """Return the questions that are asked at many sizes."""
    return {
        "hour": _asks(since=_at(UNTIL_US - HOUR_US), until=_at(UNTIL_US)),
        "top": _asks(sort="count", limit="20"),
    }


def seconds_of(ask: Ask, path: Path) -> float:
    """Ask once: a connection of its own, and what is printed is thrown away."""
    gc.collect()
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        start = time.perf_counter()
        ask(path)
        return time.perf_counter() - start


def _of_everything() -> list[Case]:
    made = {
        "newest 50": _asks(),
        "level": _asks(level="warning"),
        "source": _asks(source="node7"),
        "substring": _asks("operation number 77"),
        "substring, -v": _asks("operation number 77", invert=True),
        "--sort first": _asks(sort="first"),
        "--new": _asks(new=True),
        "--count": _asks(count=True),
        "--fts": _asks(fts="node7 AND p_77"),
        "--state open": _asks(state="open"),
        "--state open --episodes": _asks(state="open", episodes=True),
        "--episodes": _asks(episodes=True),
        "--episodes, substring": _asks("number 7777", episodes=True),
        "--parts": _asks(parts=True),
        "two stores": _asks(times=2),
        "two stores, --episodes": _asks(times=2, episodes=True),
    }
    hard = {
        "regex over all": _asks("number .*77$", regex=True),
        "top 50 by count": _asks(sort="count"),
        "top 50 episodes by count": _asks(sort="count", episodes=True),
        "substring, --raw": _asks("operation number 77", raw=True),
        "--hist": _asks(hist=True),
    }
    return [
        *(Case(name, ask) for name, ask in made.items()),
        *(Case(name, ask, HARD_MS) for name, ask in hard.items()),
    ]


def _of_ranges() -> Iterator[Case]:
    for name, length_us in RANGES_US.items():
        within: dict[str, Any] = {"since": _at(UNTIL_US - length_us), "until": _at(UNTIL_US)}
        before = f"{_at(UNTIL_US - 2 * length_us)}..{within['since']}"
        made = {
            "everything": _asks(**within),
            "level": _asks(**within, level="warning"),
            "source": _asks(**within, source="node7"),
            "pattern": _asks("number 77", **within),
            "regex": _asks("number .*77$", regex=True, **within),
            "--fts": _asks(**within, fts="node7"),
            "--raw": _asks("number 77", raw=True, **within),
            "--new --sort first": _asks(**within, new=True, sort="first"),
            "--new-within 1d": _asks(**within, new_within="1d"),
            "top 50 by count": _asks(**within, sort="count"),
            "--episodes": _asks(**within, episodes=True),
            "--episodes, level": _asks(**within, episodes=True, level="warning"),
            "--parts": _asks(**within, parts=True),
            "--hist": _asks(**within, hist=True),
            "--hist, level": _asks(**within, hist=True, level="warning"),
            "--diff": _asks(diff=(before, f"{within['since']}..{within['until']}")),
            "two stores": _asks(**within, times=2),
        }
        yield from (Case(f"{name}: {kind}", ask, ranged=True) for kind, ask in made.items())
    yield Case(
        "1 h: -n all", _asks(since=_at(UNTIL_US - HOUR_US), until=_at(UNTIL_US), limit="all"), ranged=True
    )
    yield Case("--around c1", _asks(around="c1"), ranged=True)
    yield Case("--around c1 --episodes", _asks(around="c1", episodes=True), ranged=True)


def _saved() -> Iterator[Case]:
    for name in sorted(statements.QUERIES):
        asked = _asked(None, since=_at(UNTIL_US - HOUR_US), until=_at(UNTIL_US))
        yield Case(f"1 h: --saved {name}", partial(_ask_saved, name, asked), ranged=True)


def _others() -> list[Case]:
    sporadic = f"c{MONITORS + 5}"
    made: Mapping[str, Ask] = {
        "show, a content that never stops": partial(_show, "c1", near=False),
        "show, another": partial(_show, sporadic, near=False),
        "show --near": partial(_show, sporadic, near=True),
        "show, a run of 200 parts": partial(_show, "e1", near=True),
        "follow, its start": _follow_starts,
        "follow, a poll with 200 new": _follow_polls,
    }
    return [Case(name, ask) for name, ask in made.items()]


def _at(time_us: int) -> str:
    return f"@{time_us // 1_000_000}"


def _asked(pattern: str | None, **given: Any) -> Asked:
    """Return the options of `logstore query`, as on a terminal where they were not given."""
    usual = {name: signature(options).parameters[name].default for name in Asked.__slots__}
    limit = None if given.get("hist") else "50"
    return Asked(**{**usual, "limit": limit, "pattern": pattern, **given})


def _asks(pattern: str | None = None, *, times: int = 1, **given: Any) -> Ask:
    asked = _asked(pattern, **given)
    matcher: Matcher | None = None
    if pattern is not None and asked.regex:
        matcher = patient_regex(pattern)
    elif pattern is not None:
        matcher = substring(pattern, invert=asked.invert)
    return partial(_ask, asked, matcher, times)


def _ask(asked: Asked, matcher: Matcher | None, times: int, path: Path) -> None:
    readers = [open_reader(path, busy_timeout=5) for _ in range(times)]
    try:
        for reader in readers:
            reader.hold_snapshot()
        query.answer(readers, asked, matcher, UTC)
    finally:
        for reader in readers:
            reader.close()


def _ask_saved(name: str, asked: Asked, path: Path) -> None:
    with open_reader(path, busy_timeout=5) as reader:
        reader.hold_snapshot()
        query.run_saved([reader], name, asked, UTC)


def _show(number: str, path: Path, *, near: bool) -> None:
    with open_reader(path, busy_timeout=5) as reader:
        reader.hold_snapshot()
        show.show(reader, number, show.How(20, near, None, "table", UTC))


def _follow_starts(path: Path) -> None:
    with open_reader(path, busy_timeout=5) as reader:
        feed = Feed(reader, Filter.chosen(level="warning"))
        found = feed.begin_last(10, next_id=feed.position().next_id, since_us=None, since_id=1)
        feed.opened((found or 1) - 1, feed.position().next_id, 0)


def _follow_polls(path: Path) -> None:
    with open_reader(path, busy_timeout=5) as reader:
        feed = Feed(reader, Filter())
        next_id = feed.position().next_id
        feed.renewed(feed.opened(next_id - 201, next_id, 0))
