"""Finds patterns that are slow on texts grown long. Imports nothing of ours: it runs alone.

`re` cannot be interrupted, so the search runs in a child process that has a timer of the kernel. Time is
the child's own time on the processor: a busy machine makes no pattern slow.
"""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, product
from re import _compiler, _parser  # type: ignore[attr-defined]
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

_PROBES: Final = 60
_PROBE_CHARS: Final = 300
_MANY: Final = 30  # doubles the work so often
_WANTED: Final = "a1 -"
_OPTIONS: Final = 4
_EXCLUDED: Final = 3
_REPEATS: Final = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


class Case(NamedTuple):
    """A pattern with texts to grow. `at_start`: it is matched at the start of a text, not searched in it."""

    pattern: str
    texts: Sequence[str]
    at_start: bool = False


class Slow(NamedTuple):
    """What was found: the place of the case, its text, how that was grown, and how long that took.

    `seconds` is None if the search was stopped before its end.
    """

    case: int
    text: str
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


def probes(pattern: str) -> list[str]:
    """Return texts that a pattern matches, to be grown: each reaches a part of it that others may not.

    Behind some stand two characters that the pattern excludes somewhere, where it may stop fitting.
    """
    tree = _parser.parse(pattern)
    ways = product((1, _MANY, 0), (False, True), range(_OPTIONS), _WANTED)
    texts = list(dict.fromkeys(_Speaker(*way).said(tree) for way in ways))
    stops = islice(dict.fromkeys(_excluded(tree)), _EXCLUDED)
    return list(
        islice(dict.fromkeys([*texts, *(text + stop * 2 for stop in stops for text in texts)]), _PROBES)
    )


class _Speaker:
    """Says a text that a parsed pattern matches.

    A repeat is said `times` times, many times only if what it repeats can itself be said in several ways;
    of alternatives the one at `option`, of a set the character `wanted` if it is in there. `ahead`: what a
    look-around asks for is said, too.
    """

    def __init__(self, times: int, ahead: bool, option: int, wanted: str) -> None:  # noqa: FBT001 - of a product
        self._times, self._ahead, self._option, self._wanted = times, ahead, option, wanted
        self._groups: dict[int | None, str] = {}

    def said(self, tree: Any) -> str:
        text = ""
        for node in tree:
            text = (text + self._node(tree, node))[:_PROBE_CHARS]
        return text

    def _node(self, tree: Any, node: Any) -> str:
        kind, value = str(node[0]), node[1]
        match kind:
            case "LITERAL":
                return chr(value)
            case "ANY" | "IN" | "NOT_LITERAL":
                return self._character(tree, node)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, body = value
                times = self._times if self._times < _MANY or _is_ambiguous(body) else 1
                count: int = min(most, max(least, times), _PROBE_CHARS)
                return self.said(body) * count
            case "SUBPATTERN":
                self._groups[value[0]] = text = self.said(value[-1])
                return text
            case "ATOMIC_GROUP":
                return self.said(value)
            case "BRANCH":
                return self.said(value[1][self._option % len(value[1])])
            case "GROUPREF":
                return self._groups.get(value, "")
            case "GROUPREF_EXISTS":
                return self.said(value[1] if value[0] in self._groups else value[2] or ())
            case "ASSERT" | "ASSERT_NOT":
                return self.said(value[1]) if self._ahead else ""
        return ""

    def _character(self, tree: Any, node: Any) -> str:
        fits = _compiler.compile(_parser.SubPattern(tree.state, [node])).match
        named = [_first_of(item) for item in node[1]] if str(node[0]) == "IN" else []
        return next(filter(fits, (self._wanted, *filter(None, named), *map(chr, range(32, 127)))), "")


def _first_of(item: Any) -> str:
    match str(item[0]):
        case "LITERAL":
            return chr(item[1])
        case "RANGE":
            return chr(item[1][0])
    return ""


def _is_ambiguous(tree: Any) -> bool:
    return any(str(kind) in (*_REPEATS, "BRANCH") for kind, _ in _nodes(tree))


def _excluded(tree: Any) -> Iterator[str]:
    """Yield the characters that a pattern names as not fitting."""
    for kind, value in _nodes(tree):
        if str(kind) == "NOT_LITERAL":
            yield chr(value)
        elif str(kind) == "IN" and str(value[0][0]) == "NEGATE":
            yield from filter(None, map(_first_of, value))


def _nodes(tree: Any) -> Iterator[Any]:
    """Yield every node of a parsed pattern."""
    for node in tree:
        yield node
        for part in _trees(node[1]):
            yield from _nodes(part)


def _trees(value: Any) -> Iterable[Any]:
    if isinstance(value, _parser.SubPattern):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _trees(part)


def _measure(case: int, run: Callable[[str], Any], text: str) -> None:
    """Time a pattern on one text grown in every way; say what is under way, and end at what is slow."""
    ways = zip(grown(text, _PROBED_CHARS), grown(text, GROWN_CHARS), strict=True)
    for (growth, short), (_, long) in ways:
        _say(Slow(case, text, growth, None))
        if _seconds(run, short) > _SUSPECT_SECONDS:
            seconds = _fastest(run, long)
            if seconds > LIMIT_SECONDS:
                _say(Slow(case, text, growth, seconds))
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
