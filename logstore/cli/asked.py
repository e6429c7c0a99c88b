"""The words of `query` turned into what is asked: a range, a filter, an order and a limit."""

import re
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from logstore.cli.terminal import ColorChoice, on_terminal
from logstore.cli.words import Span, level_of
from logstore.errors import InvalidQuery
from logstore.filters import Filter, Matcher, Order, StateFilter
from logstore.record import TIME_END_US
from logstore.search.question import By
from logstore.search.times import midnight, parse_duration, parse_time

TERMINAL_LIMIT: Final = 50
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")
_UNFIT: Final = {
    "--diff": ("episodes", "parts"),
    "--hist": ("episodes", "parts", "fields", "ids", "ago", "limit", "reverse", "count"),
}
"""Options that mean nothing beside another one."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of `query`, as they were given."""

    pattern: str | None
    since: str | None
    until: str | None
    level: str | None
    source: str | None
    regex: bool
    invert: bool
    raw: bool
    fts: str | None
    state: StateFilter
    new: bool
    new_within: str | None
    diff: tuple[str, str] | None
    hist: bool
    step: str | None
    around: str | None
    radius: str | None
    episodes: bool
    parts: bool
    sort: Order
    reverse: bool
    limit: str | None
    count: bool
    ago: bool
    ids: bool
    fields: str | None
    output: str
    quiet: bool
    color: ColorChoice
    pager: bool
    wide: bool

    @property
    def by(self) -> By:
        """What a row is."""
        return "part" if self.parts else "run" if self.episodes else "content"

    @property
    def sliced(self) -> bool:
        """Whether slices of time are counted, not rows listed."""
        return self.hist or self.step is not None

    def checked(self) -> "Asked":
        """Return the same. Raises InvalidQuery for options that contradict each other."""
        apart = {
            "--diff": self.diff,
            "--hist": self.sliced,
            "--around": self.around,
        }
        given = [name for name, value in apart.items() if value]
        if self.raw and self.pattern is None:
            raise InvalidQuery("--raw needs a PATTERN")
        if len(given) > 1:
            raise InvalidQuery(f"{' and '.join(given)} answer different questions; take one of them")
        if (self.diff or self.around) and (self.since or self.until):
            raise InvalidQuery(f"{given[0]} says which times; leave out --since and --until")
        if self.radius is not None and not self.around:
            raise InvalidQuery("--radius says how near --around looks: say -C ID, too")
        if self.new_within is not None and self.since is None and not self.around:
            raise InvalidQuery("--new-within looks at the time before --since: say -S TIME, too")
        if (self.diff or self.sliced) and (self.new or self.new_within is not None):
            raise InvalidQuery(f"{given[0]} takes no --new")
        for unfit in _UNFIT.get(given[0], ()) if given else ():
            if getattr(self, unfit):
                raise InvalidQuery(f"{given[0]} takes no --{unfit}; leave one of them out")
        return self


def two_spans(asked: tuple[str, str], now_us: int, tz: tzinfo) -> tuple[Span, Span]:
    """Return the ranges of `--diff`; a bare clock time in the second is of the first one's day.

    Raises InvalidQuery.
    """
    first = _from_until(asked[0], now_us, tz, None)
    first_us = first[0] or first[1]
    before_day_us = max(midnight(first_us, tz) - 1, 0)  # midnight itself is of the day
    return first, _from_until(asked[1], now_us, tz, before_day_us if ":" in asked[0] else None)


def _from_until(text: str, now_us: int, tz: tzinfo, after_us: int | None) -> tuple[int, int]:
    since, dots, until = text.partition("..")
    if not dots:
        raise InvalidQuery(f"--diff takes two ranges like 14:00..14:30, not {text!r}")
    since_us = parse_time(since, now_us=now_us, tz=tz, after_us=after_us) if since else 0
    until_us = parse_time(until, now_us=now_us, tz=tz, after_us=since_us or after_us) if until else now_us
    if since_us >= until_us:
        raise InvalidQuery(f"{text!r} ends before it begins; turn it round")
    return since_us, until_us


def chosen(asked: Asked, matcher: Matcher | None, within: Span) -> Filter:
    """Return the filter for a range. Raises InvalidQuery."""
    since_us, until_us = within
    return Filter.chosen(
        state=asked.state,
        since_us=since_us,
        until_us=until_us,
        level=level_of(asked.level),
        source=asked.source,
        matcher=matcher,
        raw=asked.raw,
        fts=asked.fts,
        unseen_since_us=_unseen_since_us(asked, since_us),
    )


def limit(asked: Asked) -> int | None:
    """Return how many rows to print at most: a pipe gets them all unless `-n` says otherwise."""
    if asked.count or asked.limit == "all":
        return None
    if asked.limit is None:
        return TERMINAL_LIMIT if on_terminal() else None
    if not _NUMBER.fullmatch(asked.limit):
        raise InvalidQuery(f"--limit is a number from 1, or all, not {asked.limit!r}")
    return int(asked.limit)


def step_us(asked: Asked) -> int | None:
    """Return `--step` in microseconds, None if it was not given. Raises InvalidQuery."""
    if asked.step is None:
        return None
    found = parse_duration(asked.step)
    if not 0 < found < TIME_END_US:
        raise InvalidQuery(f"--step {asked.step} is no length of time; use 1s, 1m, 1h")
    return found


def _unseen_since_us(asked: Asked, since_us: int | None) -> int | None:
    if asked.new_within is not None and since_us is not None:
        return max(since_us - parse_duration(asked.new_within), 0)
    return 0 if asked.new else None
