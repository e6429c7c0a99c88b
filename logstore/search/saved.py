"""Saved questions: the files of sql/queries/, for `logstore query --saved` and for the stock shell alike."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from logstore import statements
from logstore.database import Connection
from logstore.errors import InvalidQuery

_COMMENT: Final = re.compile("--.*")
_PARAMETER: Final = re.compile(r"(?<!\w):([a-z]\w*)")


class Saved(NamedTuple):
    """One question: its SQL, and the parameters it takes, each NULL where it is not asked for."""

    name: str
    title: str
    parameters: frozenset[str]
    sql: str


def saved_questions() -> list[Saved]:
    """Return all questions, by name."""
    return [_parsed(name, sql) for name, sql in sorted(statements.QUERIES.items())]


def find_saved(name: str) -> Saved:
    """Return one question. Raises InvalidQuery, with the names there are."""
    for question in saved_questions():
        if question.name == name:
            return question
    raise InvalidQuery(
        f"no saved question is named {name!r}; there are {', '.join(sorted(statements.QUERIES))}"
    )


def run_saved(
    connection: Connection, question: Saved, given: Mapping[str, Any], *, seconds: float = 10.0
) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """Ask a question. Returns its column names and its rows, one at a time.

    `given` are its parameters by name: `since_us` and `until_us` (microseconds), `severity` (0 to 7),
    `source_glob` (of '/' || source || '/'), `pattern` (part of a message), `limit` (rows, -1 for no limit);
    None, or none, is its default. The connection only reads from now on, for `seconds` at most.
    Raises InvalidQuery, also while the rows are read.
    """
    unknown = sorted(
        name for name, value in given.items() if value is not None and name not in question.parameters
    )
    if unknown:
        raise InvalidQuery(
            f"the question {question.name!r} does not take {', '.join(unknown)}; "
            f"it takes {', '.join(sorted(question.parameters))}"
        )
    connection.guard(seconds)
    bindings = {name: given.get(name) for name in question.parameters}
    return connection.columns(question.sql), connection.stream(question.sql, bindings)


def _parsed(name: str, sql: str) -> Saved:
    title = sql[: sql.index("\n")].removeprefix("-- ")
    return Saved(name, title, frozenset(_PARAMETER.findall(_COMMENT.sub("", sql))), sql)
