"""From rows to a terminal, a pipe or a file. Log text is hostile: nothing of it reaches a terminal raw."""

import csv
import json
import math
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from logstore.search.times import rfc3339

# C0 and C1 controls, DEL, line and paragraph separators, and what turns the direction of text round.
_HOSTILE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_WIDE: Final = 0x100
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


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
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(map(escaped, names))
    for row in rows:
        writer.writerow(_cell(row[name]) for name in names)


def write_table(
    heading: Sequence[str], lines: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()
) -> None:
    """Print columns that line up, two blanks apart; the last one is never padded or cut."""
    heading = [escaped(cell) for cell in heading]
    widths = [max(map(len, column)) for column in zip(heading, *lines, strict=True)]
    for line in (heading, *lines):
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        _print("  ".join((*cells[:-1], line[-1])).rstrip())


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
    names = {"first_us": "first_seen", "last_us": "last_seen"}
    return {names.get(name, name): rfc3339(value) if name in names else value for name, value in row.items()}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else escaped(value)


def _json(row: dict[str, Any]) -> str:
    return _HOSTILE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(row, ensure_ascii=False))


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    return _SHORT.get(match[0]) or (f"\\x{code:02x}" if code < _WIDE else f"\\u{code:04x}")


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
