"""`query --sql` and `query --saved`: rows of a statement, whatever its columns are."""

from collections.abc import Iterator
from itertools import count, islice
from typing import Any, Final

from logstore.cli.text import escaped, jsonable, note, write_csv, write_json, write_jsonl, write_table

_MOST_ROWS: Final = 100_000


def print_sql(names: list[str], values: Iterator[tuple[Any, ...]], output: str) -> int:
    """Print rows, as they come where the output allows it. Returns how many there were."""
    names, number = _unlike(names), count()
    each = (dict(zip(names, map(jsonable, row), strict=True)) for row, _ in zip(values, number, strict=False))
    if output == "jsonl":
        write_jsonl(each)
    elif output == "csv":
        write_csv(each, names)
    else:  # all of them are needed before the first one can be printed
        rows = list(islice(each, _MOST_ROWS))
        if output == "json":
            write_json(rows)
        else:
            cells = [["" if cell is None else escaped(cell) for cell in row.values()] for row in rows]
            write_table(names, cells)
        if next(each, None) is not None:
            note(f"the first {_MOST_ROWS:,} rows; -o jsonl or -o csv for all of them")
    return next(number)


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
