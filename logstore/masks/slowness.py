"""Finds patterns that are slow on their examples grown long. Imports nothing of ours: it runs alone.

`re` cannot be interrupted, so the search runs in a child process that has a timer of the kernel. Time is
the child's own time on the processor: a busy machine makes no pattern slow.
"""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

GROWN_CHARS: Final = 16_384
"""An example is grown to this length: as much of a message as is masked."""

LIMIT_SECONDS: Final = 0.1
"""A pattern that takes longer for GROWN_CHARS is slow; an innocent one takes a few milliseconds."""

_KILLED_SECONDS: Final = 1.0  # of processor time, for one text
_WAITED_SECONDS: Final = 120.0  # by the clock on the wall, for all: only a stopped machine takes so long
_PROBED_CHARS: Final = 1_024
_SUSPECT_SECONDS: Final = 0.0003
_TRIES: Final = 3
_UNIT_CHARS: Final = (1, 2, 3)


class Case(NamedTuple):
    """A pattern with texts to grow. `at_start`: it is matched at the start of a text, not searched in it."""

    pattern: str
    texts: Sequence[str]
    at_start: bool = False


class Slow(NamedTuple):
    """What was found: the place of the case, how its text was grown, and how long that took.

    `seconds` is None if the search was stopped before its end.
    """

    case: int
    growth: str
    seconds: float | None


def find_slow(cases: Sequence[Case]) -> Slow | None:
    """Return the first of the cases that is slow, None if none is.

    Raises OSError if no child process can be run, and TimeoutError if it does not end.
    """
    try:
        child = subprocess.run(  # noqa: S603 - this interpreter, this file
            [sys.executable or "python3", "-I", "-S", __file__],
            input=json.dumps(cases),
            capture_output=True,
            encoding="ascii",
            timeout=_WAITED_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"the check did not end within {_WAITED_SECONDS:g} s") from error
    *_, last = child.stdout.splitlines() or ["null"]
    if child.returncode not in (0, -signal.SIGPROF):
        raise OSError(f"the check ended with {child.returncode}: {child.stderr.strip()[-200:]}")
    found = json.loads(last)
    return Slow(*found) if found else None


def grown(text: str, chars: int) -> Iterator[tuple[str, str]]:
    """Return ways to make a text long: its whole repeated, each short piece of it repeated in place."""
    yield "repeated as a whole", (text * (chars // len(text) + 1))[:chars]
    for width in _UNIT_CHARS:
        for place in range(len(text) - width + 1):
            unit = text[place : place + width]
            if place and text[place - 1 : place - 1 + width] == unit:
                continue
            head, tail = text[:place], text[place + width :]
            run = unit * max(1, (chars - len(head)) // width)
            yield f"with {unit!r} repeated at character {place + 1}, the rest left out", head + run
            yield f"with {unit!r} repeated at character {place + 1}", head + run[: -len(tail) or None] + tail


def _measure(case: int, run: Callable[[str], Any], text: str) -> None:
    """Time a pattern on one text grown in every way; say what is under way, and end at what is slow."""
    ways = zip(grown(text, _PROBED_CHARS), grown(text, GROWN_CHARS), strict=True)
    for (growth, short), (_, long) in ways:
        _say(Slow(case, growth, None))
        if _seconds(run, short) > _SUSPECT_SECONDS:
            seconds = _fastest(run, long)
            if seconds > LIMIT_SECONDS:
                _say(Slow(case, growth, seconds))
                sys.exit()


def _fastest(run: Callable[[str], Any], text: str) -> float:
    """Return the time of the best try; the first that is good enough is the last."""
    seconds = _seconds(run, text)
    for _ in range(_TRIES - 1):
        if seconds > LIMIT_SECONDS:
            seconds = min(seconds, _seconds(run, text))
    return seconds


def _seconds(run: Callable[[str], Any], text: str) -> float:
    # The default action of SIGPROF ends the process, in the middle of a search too.
    signal.setitimer(signal.ITIMER_PROF, _KILLED_SECONDS)
    started = time.process_time()
    run(text)
    return time.process_time() - started


def _say(found: Slow | None) -> None:
    # At once: who is killed in the search must have said where it was.
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def _main() -> None:
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for place, case in enumerate(json.load(sys.stdin)):
        source, texts, at_start = case
        pattern = re.compile(source)
        for text in filter(None, texts):
            _measure(place, pattern.match if at_start else pattern.findall, text)
    _say(None)


if __name__ == "__main__":
    _main()
