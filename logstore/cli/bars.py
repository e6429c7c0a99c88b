"""A histogram as bars of letters, one for each level: it reads without colours, and in a mail."""

from collections.abc import Sequence
from typing import Any, Final

from logstore.cli.rows import Style
from logstore.cli.text import note, write_csv, write_json, write_jsonl, write_table
from logstore.record import LEVELS
from logstore.search.histogram import Slice
from logstore.search.times import local, offset, rfc3339

_LETTERS: Final = "EEEEWNID"
_KEYS: Final = ("since", "until", "count", "count_exact", *LEVELS)
_WIDEST: Final = 60
_NARROWEST: Final = 10


def print_slices(found: Sequence[Slice], style: Style) -> None:
    """Print a line for each slice, with a bar whose letters are its levels, the worst first."""
    if style.output == "table":
        if found:
            _print_bars(found, style)
        return
    rows = [_row(each) for each in found]
    if style.output == "jsonl":
        write_jsonl(rows)
    elif style.output == "json":
        write_json(rows)
    else:
        write_csv(rows, _KEYS)


def _row(each: Slice) -> dict[str, Any]:
    counts = dict(zip(LEVELS, each.counts, strict=True))
    ends = {"since": rfc3339(each.since_us), "until": rfc3339(each.until_us)}
    return {**ends, "count": each.count, "count_exact": each.exact, **counts}


def _print_bars(found: Sequence[Slice], style: Style) -> None:
    largest = max(each.count for each in found)
    times = [local(each.since_us, style.tz) for each in found]
    zones = "/".join(sorted({offset(each.since_us, style.tz) for each in found}))
    heading = f"FROM ({style.tz} {zones})"
    counts = [f"{'' if each.exact else '~'}{each.count}" for each in found]
    room = (style.width or 80) - max(map(len, [*times, heading])) - max(map(len, counts)) - 6
    width = min(max(room, _NARROWEST), _WIDEST)
    lines = [
        (at, count, bar(each.counts, largest, width))
        for at, count, each in zip(times, counts, found, strict=True)
    ]
    write_table((heading, "COUNT", "LEVELS"), lines, right=frozenset({1}))
    note("E error and worse, W warning, N notice, I info, D debug; ~ some of it is estimated")


def bar(counts: Sequence[int], largest: int, width: int) -> str:
    """Return a bar for counts by severity, of which `largest` would be `width` letters long.

    Whatever was seen has a letter: one error among a thousand lines of info is in sight.
    """
    by_letter: dict[str, int] = {}
    for letter, count in zip(_LETTERS, counts, strict=True):
        by_letter[letter] = by_letter.get(letter, 0) + count
    return "".join(
        letter * max(round(count * width / largest), 1) for letter, count in by_letter.items() if count
    )
