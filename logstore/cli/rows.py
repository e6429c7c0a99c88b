"""Rows of an answer as a table, JSON or CSV."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from datetime import tzinfo
from typing import Any, Final, NamedTuple

from logstore.cli.terminal import painted
from logstore.cli.text import escaped, note, timed, write_csv, write_json, write_jsonl, write_table
from logstore.errors import InvalidQuery
from logstore.filters import Order
from logstore.search.difference import Changed
from logstore.search.rows import Row
from logstore.search.times import ago, local, offset

KEYS: Final = tuple(timed({field.name: 0 for field in fields(Row)}))
"""The keys of `-o jsonl`."""
_CHANGE_KEYS: Final = ("change", "count_before", "count_after")


class Style(NamedTuple):
    """How to print: `stores` are the names of the stores asked, `fields` a list of keys."""

    output: str
    order: Order
    fields: str | None
    stores: Sequence[str]
    tz: tzinfo
    now_us: int
    ago: bool
    ids: bool
    colours: bool
    width: int | None  # of the terminal, None where nothing is to be cut


def check_fields(style: Style, *, changes: bool) -> None:
    """Raise InvalidQuery for a field that rows, or changes, do not have."""
    _names(style, _CHANGE_KEYS if changes else ())


def print_rows(rows: Sequence[tuple[int, Row]], style: Style, *, episodes: bool) -> None:
    """Print rows, each with the number of its store."""
    if style.output == "table" and style.fields is None:
        if rows:
            _print_table(rows, style, "e" if episodes else "c", {})
        return
    _write(([_keyed(store, row, style) for store, row in rows]), style)


def print_changes(found: Sequence[tuple[int, Changed]], style: Style) -> None:
    """Print what changed between two ranges, each with the number of its store."""
    if style.output == "table" and style.fields is None:
        if found:
            columns: dict[str, list[str]] = {
                "CHANGE": [change.change for _, change in found],
                "BEFORE": [_estimate(change.before, exact=change.before_exact) for _, change in found],
                "AFTER": [_estimate(change.after, exact=change.after_exact) for _, change in found],
            }
            _print_table([(store, change.row) for store, change in found], style, "c", columns)
        return
    said = [
        {
            "change": change.change,
            "count_before": change.before,
            "count_after": change.after,
            **_keyed(store, change.row, style),
            "count_exact": change.before_exact and change.after_exact,
        }
        for store, change in found
    ]
    _write(said, style, _CHANGE_KEYS)


def _keyed(store: int, row: Row, style: Style) -> dict[str, Any]:
    named = {"db": style.stores[store]} if len(style.stores) > 1 else {}
    return timed(asdict(row)) | named


def _write(rows: list[dict[str, Any]], style: Style, more: Sequence[str] = ()) -> None:
    names = _names(style, more)
    if style.fields is not None:
        rows = [{name: row[name] for name in names} for row in rows]
    if style.output == "jsonl":
        write_jsonl(rows)
    elif style.output == "json":
        write_json(rows)
    elif style.output == "csv":
        write_csv(rows, names)
    elif rows:
        lines = [[_cell(row[name]) for name in names] for row in rows]
        write_table([name.upper() for name in names], lines)


def _names(style: Style, more: Sequence[str]) -> list[str]:
    """Return the keys to print. Raises InvalidQuery for one that is none."""
    known = [*more, *KEYS, *(["db"] if len(style.stores) > 1 else [])]
    if style.fields is None:
        return known
    names = [name.strip() for name in style.fields.split(",")]
    if unknown := [name for name in names if name not in known]:
        raise InvalidQuery(f"no field is named {unknown[0]!r}; there are {', '.join(known)}")
    return names


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None else escaped(value)


def _print_table(
    rows: Sequence[tuple[int, Row]], style: Style, letter: str, instead: dict[str, list[str]]
) -> None:
    """Print a line a row: the time it is sorted by, count inside the range (and ever), and what it is.

    `instead` are columns that stand in place of the count.
    """
    at_us: Callable[[Row], int] = _first_us if style.order == "first" else _last_us
    times_us = [at_us(row) for _, row in rows]
    zones = "/".join(sorted({offset(time_us, style.tz) for time_us in times_us}))
    seen = "FIRST SEEN" if style.order == "first" else "LAST SEEN"
    columns = {
        f"{seen} AGO" if style.ago else f"{seen} ({style.tz} {zones})": [
            ago(time_us, style.now_us) if style.ago else local(time_us, style.tz) for time_us in times_us
        ],
        **(instead or {"COUNT": [_count(row) for _, row in rows]}),
        "LEVEL": [row.level.upper() for _, row in rows],
        "SOURCE": [escaped(row.source) for _, row in rows],
    }
    if style.ids:
        columns["ID"] = [f"{letter}{row.id}" for _, row in rows]
    if len(style.stores) > 1:
        columns["STORE"] = [escaped(style.stores[store]) for store, _ in rows]
    columns["MESSAGE"] = [escaped(row.last_text if row.count_total == 1 else row.message) for _, row in rows]
    paint = {[*columns].index("LEVEL"): painted} if style.colours else {}
    was_cut = write_table([*columns], [*zip(*columns.values(), strict=True)], paint=paint, width=style.width)
    if was_cut:
        note(f"messages are cut at {style.width} columns; --wide, or a pipe, shows them whole")


def _first_us(row: Row) -> int:
    return row.first_us


def _last_us(row: Row) -> int:
    return row.last_us


def _count(row: Row) -> str:
    inside = _estimate(row.count, exact=row.count_exact)
    return inside if row.count_exact and row.count == row.count_total else f"{inside}/{row.count_total}"


def _estimate(count: int, *, exact: bool) -> str:
    return f"x{count}" if exact else f"~{count}"
