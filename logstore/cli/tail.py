"""The work of `logstore follow`: what comes, as lines of a pipe or on a terminal, until it is enough."""

import os
import select
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import tzinfo
from types import FrameType
from typing import Final, Protocol

from logstore.cli.places import places
from logstore.cli.screen import Screen, is_terminal, silent_keys, terminal_size
from logstore.cli.terminal import colour_allowed
from logstore.cli.text import escaped, note, timed, write_jsonl
from logstore.cli.words import level_of, matcher_of
from logstore.errors import InvalidQuery
from logstore.filters import Filter, Matcher
from logstore.search.following import Beginning, Following
from logstore.search.rows import Row
from logstore.search.times import local, parse_duration, parse_time

_PAUSE_S: Final = 0.25
_CONTEXT: Final = 10
_ENOUGH, _NOTHING, _INTERRUPTED = 0, 1, 130


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of `follow`, as they were given."""

    pattern: str | None
    since: str | None
    last: int | None
    level: str | None
    source: str | None
    regex: bool
    invert: bool
    raw: bool
    output: str
    tz: tzinfo
    until_match: int | None
    timeout: str | None


class Show(Protocol):
    """Where rows go. `store` says which of the followed stores they are of."""

    def add(self, rows: Sequence[Row], store: int) -> None:
        """Show first copies."""

    def refresh(self, store: int) -> None:
        """Bring what is shown up to date."""


class Lines:
    """Rows as lines of a pipe, as `query` prints them, or as JSON; each is complete when it is out."""

    def __init__(self, tz: tzinfo, output: str) -> None:
        self._tz, self._output = tz, output
        self._is_pipe = stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)

    def add(self, rows: Sequence[Row], _store: int) -> None:
        """Print a line a row."""
        if self._output == "jsonl":
            write_jsonl(timed(asdict(row)) for row in rows)
        else:
            for row in rows:
                print(self._line(row))
        sys.stdout.flush()

    def refresh(self, _store: int) -> None:
        """End as SIGPIPE would once nobody reads the pipe: where nothing comes, nothing is written."""
        if self._is_pipe:
            poll = select.poll()
            poll.register(sys.stdout.fileno(), 0)
            if any(event & select.POLLERR for _, event in poll.poll(0)):
                signal.raise_signal(signal.SIGPIPE)

    def _line(self, row: Row) -> str:
        text = row.first_text if row.count == 1 else row.message
        cells = (local(row.first_us, self._tz), f"x{row.count}", row.level.upper(), row.source, text)
        return "  ".join(map(escaped, cells))


class Stop:
    """What a signal told the program; it is looked at between two polls."""

    def __init__(self) -> None:
        self.signal = 0
        self._told = threading.Event()

    def tell(self, number: int, _frame: FrameType | None = None) -> None:
        """Remember a signal; a second one ends the program, should it hang on a pipe that is full."""
        self.signal = number
        signal.signal(number, signal.SIG_DFL)
        self._told.set()

    def wait(self, pause_s: float) -> bool:
        """Wait, or less if told to stop. Returns whether that is so."""
        return self._told.wait(pause_s)


@dataclass(slots=True)
class Limits:
    """When it is enough: after so many matches, or at a time of `clock_s`; None: never."""

    matches: int | None
    end_s: float | None
    clock_s: Callable[[], float] = time.monotonic

    @property
    def left_s(self) -> float:
        """How long until the end."""
        return float("inf") if self.end_s is None else self.end_s - self.clock_s()


def follow(asked: Asked, db: str | None) -> int:
    """Print first copies as they come. Returns the exit code."""
    beginning = _beginning(asked)
    chosen = _chosen(asked)
    timeout_us = None if asked.timeout is None else parse_duration(asked.timeout)
    limits = Limits(asked.until_match, None if timeout_us is None else time.monotonic() + timeout_us / 1e6)
    with ExitStack() as stack:
        stop = stack.enter_context(_stopping())
        following = Following(places(db), chosen, beginning, note=note, clock_us=_now_us)
        stack.callback(following.close)
        show = _screen(stack, asked, following) if _is_live(asked) else Lines(asked.tz, asked.output)
        found = run(following, show, limits, stop.wait)
    return _INTERRUPTED if stop.signal == signal.SIGINT else found


def run(following: Following, show: Show, limits: Limits, wait: Callable[[float], bool]) -> int:
    """Show what comes until it is enough, or `wait`, which is given seconds, says to stop.

    Returns the exit code: 0 if what was asked for came, or nothing was and somebody stopped it.
    """
    matched = 0
    while True:
        page = following.poll()
        rows = page.rows
        if not page.is_past:
            rows = rows if limits.matches is None else rows[: limits.matches - matched]
            matched += len(rows)
        show.add(rows, following.stores)
        show.refresh(following.stores)
        if limits.matches is not None and matched >= limits.matches:
            return _ENOUGH
        if limits.left_s <= 0:
            return _ENOUGH if matched and limits.matches is None else _NOTHING
        if wait(0 if page.more else min(_PAUSE_S, limits.left_s)):
            return _ENOUGH if limits.matches is None else _NOTHING


def _is_live(asked: Asked) -> bool:
    return asked.output == "table" and is_terminal(sys.stdout)


def _screen(stack: ExitStack, asked: Asked, following: Following) -> Screen:
    screen = Screen(
        sys.stdout,
        tz=asked.tz,
        clock_us=_now_us,
        size=terminal_size,
        colour=colour_allowed(),
        renewed=following.renewed,
    )
    if sys.stderr.isatty():
        following.note = screen.note
    silence = stack.enter_context(silent_keys())

    def resumed(_signal: int, _frame: FrameType | None) -> None:
        silence()
        screen.forget()

    before = signal.signal(signal.SIGCONT, resumed)
    stack.callback(signal.signal, signal.SIGCONT, before)
    return screen


def _beginning(asked: Asked) -> Beginning:
    if asked.since is not None:
        return Beginning(parse_time(asked.since, now_us=_now_us(), tz=asked.tz), asked.last)
    has_context = _is_live(asked) and asked.until_match is None
    return Beginning(None, asked.last if asked.last is not None else _CONTEXT if has_context else 0)


def _chosen(asked: Asked) -> Filter:
    matcher = _live(matcher_of(asked.pattern, regex=asked.regex, invert=asked.invert))
    return Filter.chosen(level=level_of(asked.level), source=asked.source, matcher=matcher, raw=asked.raw)


def _live(matcher: Matcher | None) -> Matcher | None:
    """Return a matcher that says which message took too long, and passes it over: a tail goes on."""
    if matcher is None:
        return None

    def matches(*texts: str) -> bool:
        try:
            return matcher(*texts)
        except InvalidQuery as error:
            note(str(error))
            return False

    return matches


@contextmanager
def _stopping() -> Iterator[Stop]:
    """Give what is told when a signal asks the program to end."""
    stop = Stop()
    before = {number: signal.signal(number, stop.tell) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _now_us() -> int:
    return time.time_ns() // 1000
