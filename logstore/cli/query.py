"""The work of `logstore query`: words to a filter, an answer to lines."""

import re
import sys
import time
from dataclasses import asdict, dataclass, fields
from datetime import tzinfo
from itertools import islice
from typing import Any, Final

from logstore.cli.text import escaped, jsonable, note, timed, write_csv, write_json, write_jsonl, write_table
from logstore.database import Connection
from logstore.errors import InvalidQuery
from logstore.filters import Filter, Matcher, Order, StateFilter, regex, substring
from logstore.search.question import Answer, Row, contents, masks_hide, reach, run_sql, runs
from logstore.search.times import SystemZone, ago, local, offset, parse_time

_TERMINAL_LIMIT: Final = 50
_SQL_SECONDS: Final = 10.0
_SQL_ROWS: Final = 100_000
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}")
_NOTHING, _OUT_OF_REACH = 1, 3


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
    state: StateFilter
    episodes: bool
    parts: bool
    sort: Order
    reverse: bool
    limit: str | None
    count: bool
    ago: bool
    ids: bool
    output: str


def answer(connection: Connection, asked: Asked) -> int:
    """Print what was asked for. Returns the exit code."""
    now_us = time.time_ns() // 1000
    tz = SystemZone()
    chosen = _filter(asked, now_us, tz)
    limit = _limit(asked)
    if asked.episodes:
        found = runs(
            connection, chosen, order=asked.sort, limit=limit, reverse=asked.reverse, parts=asked.parts
        )
    else:
        found = contents(connection, chosen, order=asked.sort, limit=limit, reverse=asked.reverse)
    if asked.count:
        print(found.found)
    else:
        _print(found, asked, now_us, tz)
    if not found.found:
        return _nothing(connection, asked, chosen, tz)
    if len(found.rows) < found.found and not asked.count:
        note(f"{len(found.rows):,} of {found.found:,} rows; -n all for the rest")
    return 0


def print_sql(connection: Connection, statement: str, output: str) -> None:
    """Print the rows of a statement that only reads."""
    names, values = run_sql(connection, statement, seconds=_SQL_SECONDS)
    names = _unlike(names)
    each = (dict(zip(names, map(jsonable, row), strict=True)) for row in values)
    if output == "jsonl":
        write_jsonl(each)
    elif output == "csv":
        write_csv(each, names)
    else:  # all of them are needed before the first one can be printed
        rows = list(islice(each, _SQL_ROWS))
        if output == "json":
            write_json(rows)
        else:
            write_table(
                names, [["" if cell is None else escaped(cell) for cell in row.values()] for row in rows]
            )
        if next(each, None) is not None:
            note(f"the first {_SQL_ROWS:,} rows; -o jsonl or -o csv for all of them")


def _unlike(names: list[str]) -> list[str]:
    """Return column names of which no two are alike: `n`, `n_2`."""
    unlike: list[str] = []
    for name in names:
        number, new = 1, name
        while new in unlike:
            number += 1
            new = f"{name}_{number}"
        unlike.append(new)
    return unlike


def _filter(asked: Asked, now_us: int, tz: tzinfo) -> Filter:
    since_us = None if asked.since is None else parse_time(asked.since, now_us=now_us, tz=tz)
    until_us = (
        None if asked.until is None else parse_time(asked.until, now_us=now_us, tz=tz, after_us=since_us)
    )
    if since_us is not None and until_us is not None and since_us >= until_us:
        raise InvalidQuery(
            f"--since {local(since_us, tz)} is not before --until {local(until_us, tz)}; turn them round"
        )
    level: str | int | None = asked.level
    if asked.level is not None and asked.level.isdecimal() and len(asked.level) == 1:
        level = int(asked.level)
    return Filter.chosen(
        state=asked.state,
        since_us=since_us,
        until_us=until_us,
        level=level,
        source=asked.source,
        matcher=_matcher(asked),
        raw=asked.raw,
    )


def _matcher(asked: Asked) -> Matcher | None:
    if asked.pattern is None:
        if asked.regex or asked.invert:
            raise InvalidQuery("-E and -v need a PATTERN")
        return None
    make = regex if asked.regex else substring
    return make(asked.pattern, invert=asked.invert)


def _limit(asked: Asked) -> int | None:
    """Return how many rows to print at most: a pipe gets them all unless `-n` says otherwise."""
    if asked.count or asked.limit == "all":
        return None
    if asked.limit is None:
        return _TERMINAL_LIMIT if sys.stdout.isatty() else None
    if not _NUMBER.fullmatch(asked.limit):
        raise InvalidQuery(f"--limit is a number from 1, or all, not {asked.limit!r}")
    return int(asked.limit)


def _print(found: Answer, asked: Asked, now_us: int, tz: tzinfo) -> None:
    if asked.output == "table":
        if found.rows:
            _print_table(found.rows, asked, now_us, tz)
        return
    rows = [timed(asdict(row)) for row in found.rows]
    _write_as(asked.output, rows, [*timed({field.name: 0 for field in fields(Row)})])


def _write_as(output: str, rows: list[dict[str, Any]], names: list[str]) -> None:
    if output == "jsonl":
        write_jsonl(rows)
    elif output == "json":
        write_json(rows)
    else:
        write_csv(rows, names)


def _print_table(rows: list[Row], asked: Asked, now_us: int, tz: tzinfo) -> None:
    """Print a line a row: the time it is sorted by, count inside the range (and ever), and what it is."""
    times_us = [row.first_us if asked.sort == "first" else row.last_us for row in rows]
    zones = "/".join(sorted({offset(at_us, tz) for at_us in times_us}))
    seen = "FIRST SEEN" if asked.sort == "first" else "LAST SEEN"
    columns = {
        f"{seen} AGO" if asked.ago else f"{seen} ({tz} {zones})": [
            ago(at_us, now_us) if asked.ago else local(at_us, tz) for at_us in times_us
        ],
        "COUNT": [_count(row) for row in rows],
        "LEVEL": [row.level.upper() for row in rows],
        "SOURCE": [escaped(row.source) for row in rows],
    }
    if asked.ids:
        columns["ID"] = [f"{'e' if asked.episodes else 'c'}{row.id}" for row in rows]
    columns["MESSAGE"] = [escaped(row.last_text if row.count_total == 1 else row.message) for row in rows]
    write_table([*columns], [*zip(*columns.values(), strict=True)])


def _count(row: Row) -> str:
    inside = f"x{row.count}" if row.count_exact else f"~{row.count}"
    return inside if row.count_exact and row.count == row.count_total else f"{inside}/{row.count_total}"


def _nothing(connection: Connection, asked: Asked, chosen: Filter, tz: tzinfo) -> int:
    """Say why nothing was found. Returns the exit code."""
    known = reach(connection)
    if (asked.since is not None and chosen.since_us < known.from_us) or (
        asked.since is None and known.pruned
    ):
        note(f"nothing found; the store reaches back to {_zoned(known.from_us, tz)}")
        return _OUT_OF_REACH
    hidden = asked.pattern is not None and not asked.raw and masks_hide(connection)
    note(
        "nothing found"
        + ("; masks hide parts of messages: --raw searches the raw texts, too" if hidden else "")
    )
    return _NOTHING


def _zoned(at_us: int, tz: tzinfo) -> str:
    return f"{local(at_us, tz)}{offset(at_us, tz)}"
