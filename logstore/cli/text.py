"""From rows to a terminal, a pipe or a file. Log text is hostile: nothing of it reaches a terminal raw."""

import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

# C0 and C1 controls, DEL, line and paragraph separators, what turns the direction of text round, and what is
# not seen at all.
_HOSTILE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_WIDE: Final = 0x100
_BEYOND: Final = 0x10000
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_WIDEST_PADDED: Final = 200  # one huge cell must not make every row as wide
_GAP: Final = "  "
_NO_ROOM: Final = {"Mn", "Me", "Cf"}  # marks on the letter before, and what only joins letters
_WORTH_CUTTING: Final = 30  # with less room for the last column a terminal had better wrap its lines
_UNPAINTED: Final[Mapping[int, Callable[[str], str]]] = MappingProxyType({})


def escaped(text: object) -> str:
    r"""Return text on one line with its control characters written out, such as `\x1b` or `\u202e`."""
    return _HOSTILE.sub(_written_out, str(text))


def write_json(rows: Sequence[dict[str, Any]]) -> None:
    """Print one JSON array."""
    _print("[" + ",\n ".join(_json(row) for row in rows) + "]")


def write_jsonl(rows: Iterable[dict[str, Any]]) -> None:
    """Print one JSON object a line."""
    for row in rows:
        _print(_json(row))


def write_csv(rows: Iterable[dict[str, Any]], names: Sequence[str]) -> None:
    """Print rows as CSV with a heading."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(escaped, names))
    for row in rows:
        writer.writerow(_cell(row[name]) for name in names)


def write_table(
    heading: Sequence[str],
    lines: Sequence[Sequence[str]],
    *,
    right: frozenset[int] = frozenset(),
    paint: Mapping[int, Callable[[str], str]] = _UNPAINTED,
    width: int | None = None,
) -> bool:
    """Print columns that line up, two blanks apart; the last one is never padded.

    `paint` colours the cells of a column below its heading. `width` is that of the terminal: the last
    column is cut to it, if enough of it remains. Returns whether something was cut.
    """
    heading = [escaped(cell) for cell in heading]
    widths = [max(map(shown_width, column)) for column in zip(heading, *lines, strict=True)]
    widths[:-1] = [min(each, _WIDEST_PADDED) for each in widths[:-1]]
    room = None if width is None else width - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
    if room is None or not _WORTH_CUTTING <= room < widths[-1]:
        room = widths[-1]
    for number, line in enumerate((heading, *lines)):
        cells = [
            _padded(cell, widths[place], paint.get(place) if number else None, before=place in right)
            for place, cell in enumerate(line[:-1])
        ]
        last = cut(line[-1], room)
        painter = paint.get(len(cells)) if number else None
        _print(_GAP.join((*cells, painter(last) if painter else last)).rstrip())
    return room < widths[-1]


def shown_width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def cut(text: str, room: int) -> str:
    """Return as much of a text as fits into so many columns; an ellipsis stands for the rest."""
    if shown_width(text) <= room:
        return text
    end, room = 0, room - 1
    while (room := room - _width(text[end])) >= 0:
        end += 1
    return text[:end] + "…"


def note(message: str) -> None:
    """Print a remark where it does not disturb what is piped, after what was printed before."""
    sys.stdout.flush()
    print(escaped(message), file=sys.stderr)


def counted(number: int, word: str) -> str:
    """Return a number with its noun: `1 episode`, `2,000 episodes`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def jsonable(value: Any) -> Any:
    """Return a value of SQLite as JSON can carry it: a BLOB as hex, an infinity as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value.hex() if isinstance(value, bytes) else value


def timed(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with `first_us` and `last_us` given as `first_seen` and `last_seen`, RFC 3339 in UTC."""
    from logstore.search.times import rfc3339

    names = {"first_us": "first_seen", "last_us": "last_seen"}
    return {names.get(name, name): rfc3339(value) if name in names else value for name, value in row.items()}


def _padded(cell: str, width: int, paint: Callable[[str], str] | None, *, before: bool) -> str:
    blanks = " " * max(width - shown_width(cell), 0)
    painted = paint(cell) if paint else cell  # after it was measured: colours take no room
    return blanks + painted if before else painted + blanks


def _width(letter: str) -> int:
    from unicodedata import category, east_asian_width

    if category(letter) in _NO_ROOM:
        return 0
    return 2 if east_asian_width(letter) in "WF" else 1


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else escaped(value)


def _json(row: dict[str, Any]) -> str:
    import json

    return _HOSTILE.sub(lambda match: json.dumps(match[0])[1:-1], json.dumps(row, ensure_ascii=False))


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    short = f"\\x{code:02x}" if code < _WIDE else f"\\u{code:04x}"
    return _SHORT.get(match[0]) or (short if code < _BEYOND else f"\\U{code:08x}")


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
