"""Words that several commands take: a range of time, a level, a pattern."""

from datetime import tzinfo

from logstore.errors import InvalidQuery
from logstore.filters import Matcher, substring
from logstore.search.times import local, parse_time

Span = tuple[int | None, int | None]
"""A range of time in microseconds, half open; None: no bound."""


def span(since: str | None, until: str | None, now_us: int, tz: tzinfo) -> Span:
    """Return the range of `--since` and `--until`; a bare clock time ends it after its begin.

    Raises InvalidQuery.
    """
    since_us = None if since is None else parse_time(since, now_us=now_us, tz=tz)
    until_us = None if until is None else parse_time(until, now_us=now_us, tz=tz, after_us=since_us)
    if since_us is not None and until_us is not None and since_us >= until_us:
        raise InvalidQuery(
            f"--since {local(since_us, tz)} is not before --until {local(until_us, tz)}; turn them round"
        )
    return since_us, until_us


def level_of(word: str | None) -> str | int | None:
    """Return a level, by name or as the digit of its severity; what it means is not checked here."""
    return int(word) if word is not None and word.isdecimal() and len(word) == 1 else word


def matcher_of(pattern: str | None, *, regex: bool, invert: bool) -> Matcher | None:
    """Return what PATTERN, `-E` and `-v` ask for. Raises InvalidQuery."""
    if pattern is None:
        if regex or invert:
            raise InvalidQuery("-E and -v need a PATTERN")
        return None
    if not regex:
        return substring(pattern, invert=invert)
    from logstore.search.patience import patient_regex

    return patient_regex(pattern, invert=invert)
