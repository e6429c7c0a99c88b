"""The work of `logstore query`: an answer, and the exit code that says what it is worth."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import tzinfo
from typing import Final

from logstore.cli.asked import Asked, chosen, limit, step_us, two_spans
from logstore.cli.rows import Style, check_fields, print_changes, print_rows
from logstore.cli.terminal import colour_allowed, terminal_width
from logstore.cli.text import counted, note
from logstore.cli.words import span
from logstore.database import Connection
from logstore.errors import InvalidQuery
from logstore.filters import Filter, Matcher, Order
from logstore.search.holding import reach
from logstore.search.question import Question, ask, printed
from logstore.search.rows import Row, parts_of
from logstore.search.times import local, offset, parse_duration, parse_time

_DONE = 0
_SQL_S: Final = 10.0
_ENDS: Final[tuple[Order, ...]] = ("first", "last")
_RADIUS: Final = "30s"


def answer(connections: Sequence[Connection], asked: Asked, matcher: Matcher | None, tz: tzinfo) -> int:
    """Print what was asked of one or more stores. Returns the exit code. Raises InvalidQuery."""
    asked = asked.checked()
    if asked.fts is not None:
        from logstore.search.fulltext import checked_words

        asked = replace(asked, fts=checked_words(connections[0], asked.fts))
    style = _style(connections, asked, tz)
    check_fields(style, changes=bool(asked.diff))
    if asked.diff:
        before, after = two_spans(asked.diff, style.now_us, tz)
        return _differ(
            connections, asked, chosen(asked, matcher, before), chosen(asked, matcher, after), style
        )
    within = span(asked.since, asked.until, style.now_us, tz)
    if asked.around is not None:
        return _around(connections, asked, matcher, style)
    wanted = chosen(asked, matcher, within)
    if asked.sliced:
        return _count_slices(connections, asked, wanted, style)
    return _list(connections, asked, Question(wanted, asked.by, asked.sort, limit(asked)), style)


def _style(connections: Sequence[Connection], asked: Asked, tz: tzinfo) -> Style:
    names = [connection.path.name for connection in connections]
    if len({*names}) < len(names):
        names = [str(connection.path) for connection in connections]
    return Style(
        output=asked.output,
        order=asked.sort,
        fields=asked.fields,
        stores=names,
        tz=tz,
        now_us=time.time_ns() // 1000,
        ago=asked.ago,
        ids=asked.ids,
        colours=colour_allowed(asked.color),
        width=None if asked.wide else terminal_width(),
    )


def be_patient() -> None:
    """Let a statement of the user's end, whatever it does. Call it before a store is opened."""
    from logstore.search.patience import patient_sql

    patient_sql(_SQL_S)


def run_sql(connections: Sequence[Connection], statement: str, output: str) -> None:
    """Print the rows of a statement that only reads, of one store. Raises InvalidQuery."""
    from logstore.cli.sql import print_sql
    from logstore.search.question import run_sql as run_statement

    if len(connections) > 1:
        raise InvalidQuery("--sql asks one store; give --db once")
    print_sql(*run_statement(connections[0], statement, seconds=_SQL_S), output)


def list_saved(output: str) -> None:
    """Print which saved questions there are."""
    from logstore.cli.sql import print_sql
    from logstore.search.saved import saved_questions

    print_sql(["name", "question"], ((each.name, each.title) for each in saved_questions()), output)


def run_saved(connections: Sequence[Connection], name: str, asked: Asked, tz: tzinfo) -> int:
    """Print one store's answer to a saved question. Returns the exit code. Raises InvalidQuery."""
    from logstore.cli.sql import print_sql
    from logstore.search.saved import find_saved
    from logstore.search.saved import run_saved as ask_saved

    if len(connections) > 1:
        raise InvalidQuery("--saved asks one store; give --db once")
    since_us, until_us = span(asked.since, asked.until, time.time_ns() // 1000, tz)
    wanted = chosen(asked, None, (since_us, until_us))
    most = limit(asked)
    given = {
        "since_us": since_us,
        "until_us": until_us,
        "severity": None if asked.level is None else wanted.severity,
        "source_glob": None if asked.source is None else wanted.source_glob,
        "pattern": asked.pattern,
        "limit": -1 if most is None else most,
    }
    names, rows = ask_saved(connections[0], find_saved(name), given, seconds=_SQL_S)
    found = len(list(rows)) if asked.quiet else print_sql(names, rows, asked.output)
    if not found:
        return _nothing(connections, replace(asked, pattern=None), wanted, tz)  # there --raw is none
    if found == most:
        _say(asked, f"{counted(found, 'row')}, as many as the limit; -n all for the rest, if any")
    return _DONE


def _list(
    connections: Sequence[Connection],
    asked: Asked,
    wanted: Question,
    style: Style,
    *,
    near_us: int | None = None,
) -> int:
    """Print rows. A limit keeps those that began or ended nearest to `near_us`, if that is given."""
    if (asked.count or asked.quiet) and wanted.by == "content":
        wanted = wanted._replace(limit=1)  # how many there are is known without looking at each
    if near_us is None:
        rows, found = ask(connections, wanted)
    else:
        rows, found = ask(connections, wanted._replace(limit=None))
        rows = _nearest(rows, near_us, wanted.limit)
    if not asked.quiet:
        if asked.count:
            print(found)
        else:
            print_rows(
                printed(rows, wanted.order, reverse=asked.reverse), style, episodes=asked.by != "content"
            )
    if not rows:
        return _nothing(connections, asked, wanted.chosen, style.tz)
    if not asked.count and found != len(rows):
        shown = f"{len(rows):,} of {found:,} rows" if found else f"the newest {counted(len(rows), 'row')}"
        _say(asked, f"{shown}; -n all for the rest")
    if wanted.chosen.unseen_since_us is not None:
        _doubt(connections, asked, wanted.chosen.unseen_since_us, style.tz)
    return _DONE


def _nearest(rows: list[tuple[int, Row]], at_us: int, most: int | None) -> list[tuple[int, Row]]:
    def distance(place: int) -> int:
        row = rows[place][1]
        return min(abs(row.first_us - at_us), abs(row.last_us - at_us))

    kept = sorted(sorted(range(len(rows)), key=distance)[:most])
    return [rows[place] for place in kept]


def _differ(
    connections: Sequence[Connection], asked: Asked, before: Filter, after: Filter, style: Style
) -> int:
    from logstore.search.difference import changes, place

    ranges = [_known(connections, each) for each in (before, after)]
    found = [(store, change) for store, each in enumerate(connections) for change in changes(each, *ranges)]
    found.sort(key=lambda numbered: place(numbered[1]), reverse=asked.reverse)
    most = limit(asked)
    if asked.count and not asked.quiet:
        print(len(found))
    elif not asked.quiet:
        print_changes(found[:most], style)
    if not found:
        return _nothing(connections, asked, min(before, after, key=lambda each: each.since_us), style.tz)
    if most is not None and len(found) > most:
        _say(asked, f"{most:,} of {len(found):,} rows; -n all for the rest")
    lengths = {each.until_us - each.since_us for each in ranges}
    if len(lengths) > 1:
        _say(asked, "the ranges differ in length: more and less compare how many in the same time")
    _doubt(connections, asked, before.since_us, style.tz)
    return _DONE


def _known(connections: Sequence[Connection], wanted: Filter) -> Filter:
    """Return a range without a begin from where the stores begin: what is frequent depends on its length."""
    from_us = min(reach(connection).from_us for connection in connections)
    return wanted._replace(since_us=from_us) if 0 == wanted.since_us < from_us < wanted.until_us else wanted


def _count_slices(connections: Sequence[Connection], asked: Asked, wanted: Filter, style: Style) -> int:
    from logstore.cli.bars import print_slices
    from logstore.search.histogram import edges, good_step_us, slices

    since_us, until_us = wanted.since_us, wanted.until_us
    if asked.since is None or asked.until is None:
        begin, end = (ask(connections, Question(wanted, order=order, limit=1))[0] for order in _ENDS)
        if not begin:
            return _no_slices(connections, asked, wanted, style)
        since_us = since_us if asked.since is not None else begin[0][1].first_us
        until_us = until_us if asked.until is not None else max(end[0][1].last_us, since_us) + 1
    step = step_us(asked) or good_step_us(until_us - since_us)
    wanted = wanted._replace(since_us=since_us, until_us=until_us)
    found = slices(connections, wanted, edges(since_us, until_us, step, style.tz), step)
    if not any(each.count for each in found):
        return _no_slices(connections, asked, wanted, style)
    if not asked.quiet:
        print_slices(found, style)
    return _DONE


def _no_slices(connections: Sequence[Connection], asked: Asked, wanted: Filter, style: Style) -> int:
    from logstore.cli.bars import print_slices

    if not asked.quiet:
        print_slices([], style)
    return _nothing(connections, asked, wanted, style.tz)


def _around(connections: Sequence[Connection], asked: Asked, matcher: Matcher | None, style: Style) -> int:
    """List what was near a moment; a limit keeps the nearest."""
    if len(connections) > 1:
        raise InvalidQuery("--around takes an id of one store; give --db once")
    at_us = _moment_us(connections[0], asked.around or "", style.tz)
    radius = asked.radius or _RADIUS
    radius_us = parse_duration(radius)
    moment = f"{local(at_us, style.tz)}{offset(at_us, style.tz)}"
    _say(asked, f"around {asked.around}, {moment}, {radius} before and after")
    wanted = chosen(asked, matcher, (max(at_us - radius_us, 0), at_us + radius_us + 1))
    question = Question(wanted, asked.by, asked.sort, limit(asked))
    return _list(connections, asked, question, style, near_us=at_us)


def _moment_us(connection: Connection, text: str, tz: tzinfo) -> int:
    """Return the time that `--around` names, or when the episode that it names began."""
    from logstore.cli.ids import parse_id
    from logstore.search.life import find_run, runs_of

    if not text[:1].isalpha() or not text[1:].isdecimal():
        with suppress(InvalidQuery):
            return parse_time(text, now_us=time.time_ns() // 1000, tz=tz)
    is_episode, number = parse_id(text)
    if is_episode:
        found = find_run(connection, number)
        runs = [parts_of(connection, *found)] if found else []
    else:
        runs = runs_of(connection, number, 1)
    if not runs:
        raise InvalidQuery(f"{connection.path}: there is no {text}; `logstore query --ids` prints ids")
    return runs[0][0].first_us


def _nothing(connections: Sequence[Connection], asked: Asked, wanted: Filter, tz: tzinfo) -> int:
    """Say why nothing was found. Returns the exit code."""
    from logstore.cli.nothing import why_nothing

    code, why = why_nothing(connections, asked, wanted, tz)
    _say(asked, why)
    return code


def _doubt(connections: Sequence[Connection], asked: Asked, since_us: int, tz: tzinfo) -> None:
    """Say where what is new may only look so."""
    from logstore.cli.nothing import too_short

    for short in too_short(connections, since_us, tz):
        _say(asked, f"{short}: what is new to it may be older")


def _say(asked: Asked, text: str) -> None:
    if not asked.quiet:
        note(text)
