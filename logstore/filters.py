"""What a reader asks for, turned into the parameters of the statements that read."""

import re
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, get_args

from logstore.database import Connection
from logstore.errors import InvalidQuery, InvalidRecord
from logstore.identity import escape
from logstore.record import LEVELS, TIME_END_US, severity

StateFilter = Literal["all", "open", "closed"]
Order = Literal["last", "first", "count"]
Matcher = Callable[..., bool]
"""Says of one or more texts whether one of them is what is looked for."""

_WILDCARDS: Final = frozenset("*?[")


class Filter(NamedTuple):
    """Which episodes: those that overlap [since_us, until_us) and whose content fits the rest."""

    state: StateFilter = "all"
    since_us: int = 0
    until_us: int = TIME_END_US
    severity: int = len(LEVELS) - 1
    source_glob: str = "*"
    matcher: Matcher | None = None
    raw: bool = False
    fts: str | None = None
    unseen_since_us: int | None = None  # only contents of which nothing is known from there to since_us

    @classmethod
    def chosen(
        cls,
        *,
        state: StateFilter = "all",
        since_us: int | None = None,
        until_us: int | None = None,
        level: str | int | None = None,
        source: str | None = None,
        matcher: Matcher | None = None,
        raw: bool = False,
        fts: str | None = None,
        unseen_since_us: int | None = None,
    ) -> "Filter":
        """Return a filter; None means no restriction. Raises InvalidQuery.

        `fts` is a query of SQLite's FTS5 that was checked.
        """
        if state not in get_args(StateFilter):
            raise InvalidQuery(f"state is one of {', '.join(get_args(StateFilter))}, not {state!r}")
        for name, time_us in (("since_us", since_us), ("until_us", until_us)):
            if time_us is not None and type(time_us) is not int:
                raise InvalidQuery(f"{name} is whole microseconds since the epoch, not {time_us!r}")
        if source is not None and not isinstance(source, str):
            raise InvalidQuery(f"source is text, not {type(source).__name__}")
        return cls(
            state,
            0 if since_us is None else min(max(since_us, 0), TIME_END_US),
            TIME_END_US if until_us is None else max(min(until_us, TIME_END_US), 0),
            len(LEVELS) - 1 if level is None else _severity(level),
            "*" if source is None else _source_glob(escape(source)),
            matcher,
            raw,
            fts,
            unseen_since_us,
        )

    @property
    def every_content(self) -> bool:
        """Whether no content is left out, so that none needs to be looked at."""
        everything = Filter()
        return (self.severity, self.source_glob, self.matcher, self.fts) == (
            everything.severity,
            everything.source_glob,
            None,
            None,
        )

    @property
    def ranged(self) -> bool:
        """Whether episodes have to be looked at; if not, what is kept of each content says it all."""
        return self.since_us > 0 or self.until_us < TIME_END_US or self.looks_at_texts

    @property
    def looks_at_texts(self) -> bool:
        """Whether the first and last raw text of each episode are matched, too."""
        return self.raw and self.matcher is not None

    def bindings(self) -> dict[str, Any]:
        """Return the named parameters that every statement with a filter takes."""
        return {
            "state": self.state,
            "since_us": self.since_us,
            "until_us": self.until_us,
            "every_content": self.every_content,
            "severity": self.severity,
            "source_glob": self.source_glob,
            "ranged": self.ranged,
            "raw": self.looks_at_texts,
            "fts": self.fts,
            "unseen_since_us": self.unseen_since_us,
        }

    def install(self, connection: Connection) -> None:
        """Give a connection the function `matches(text, ...)` that the statements call."""
        connection.define("matches", self.matcher or (lambda *_texts: True))


def substring(pattern: str, *, invert: bool = False) -> Matcher:
    """Return a matcher for a substring; a pattern all in lower case matches any case."""
    if not isinstance(pattern, str):
        raise InvalidQuery(f"a pattern is text, not {type(pattern).__name__}")
    pattern = escape(pattern)
    if pattern == pattern.lower():
        folded = pattern.casefold()
        return _any(lambda text: folded in text.casefold(), invert=invert)
    return _any(lambda text: pattern in text, invert=invert)


def regex(pattern: str, *, invert: bool = False) -> Matcher:
    """Return a matcher for a regular expression of Python's `re`. Raises InvalidQuery.

    A pattern without an upper-case letter matches any case.
    """
    try:
        search = re.compile(escape(pattern), 0 if _has_upper(pattern) else re.IGNORECASE).search
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidQuery(f"the regular expression {pattern!r} does not compile: {error}") from error
    return _any(lambda text: search(text) is not None, invert=invert)


def _any(found: Callable[[str], bool], *, invert: bool) -> Matcher:
    def matches(*texts: str) -> bool:
        return any(map(found, texts)) is not invert

    return matches


def _has_upper(pattern: str) -> bool:
    return any(letter.isupper() for letter in re.sub(r"\\.", "", pattern))  # \W and \S are no letters


def _severity(level: str | int) -> int:
    try:
        return severity(level)
    except InvalidRecord as error:
        raise InvalidQuery(str(error)) from error


def _source_glob(source: str) -> str:
    """Return a GLOB for '/' || source || '/': a plain word matches one of the parts between slashes."""
    if _WILDCARDS.isdisjoint(source) and "/" not in source:
        return f"*/{source}/*"
    return f"/{source}/"
