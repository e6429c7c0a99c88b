"""The work of `logstore show` and `logstore stats`."""

import json
import re
import time
from pathlib import Path
from typing import Final

from logstore.cli.text import counted, escaped, note, write_json, write_table
from logstore.database import Connection
from logstore.errors import InvalidQuery
from logstore.masks.masker import NUMBER
from logstore.search.question import (
    Figures,
    Part,
    describe,
    find_run,
    joined,
    numbers_behind,
    parts_of,
    runs_of,
    stats,
)
from logstore.search.times import SystemZone, ago, local, offset, seconds

_AROUND: Final = 24  # characters on each side that tell which number it is
_NUMBER: Final = re.compile(r"([ce]?)([1-9][0-9]{0,17})")


def show(connection: Connection, number: str, limit: int) -> None:
    """Print the life of a content (`c57`, `57`) or one run of episodes (`e812`). Raises InvalidQuery."""
    match = _NUMBER.fullmatch(number)
    if not match:
        raise InvalidQuery(
            f"{number!r} is no id; use c57 for a content or e812 for an episode, as `query --ids` prints them"
        )
    if match[1] == "e":
        _show_episode(connection, int(match[2]))
    else:
        _show_content(connection, int(match[2]), limit)


def show_stats(connection: Connection, output: str) -> None:
    """Print what a store holds, and how large its files are."""
    found = stats(connection)
    sizes = {
        name: _size(f"{connection.path}{suffix}") for name, suffix in (("bytes", ""), ("wal_bytes", "-wal"))
    }
    if output == "json":
        write_json([{"path": str(connection.path), **found._asdict(), **sizes}])
        return
    tz, now_us = SystemZone(), time.time_ns() // 1000
    folding = found.records / max(found.open_episodes + found.archived_episodes, 1)
    lines = [
        ("store", f"{escaped(connection.path)} ({found.store_id})"),
        ("created", f"{local(found.created_us, tz)} on {escaped(found.host)}"),
        ("records", f"{found.records:,} in {found.contents:,} contents"),
        (
            "episodes",
            f"{found.open_episodes:,} open, {found.archived_episodes:,} archived; folded {folding:.1f}x",
        ),
        ("first seen", "-" if found.first_us is None else local(found.first_us, tz)),
        ("last seen", "-" if found.last_us is None else local(found.last_us, tz)),
        ("last sweep", f"{ago(found.swept_us, now_us)} ago"),
        ("window", seconds(found.window_ms)),
        ("max span", seconds(found.max_span_ms) if found.max_span_ms else "off"),
        ("max open", f"{found.max_open:,}"),
        ("size", f"{sizes['bytes']:,} bytes and {sizes['wal_bytes']:,} in the write-ahead log"),
    ]
    write_table(("WHAT", f"VALUE (times in {tz} {offset(now_us, tz)})"), lines)


def _show_content(connection: Connection, content_id: int, limit: int) -> None:
    found = describe(connection, content_id)
    if found is None:
        raise InvalidQuery(
            f"{connection.path}: there is no content {content_id}; `logstore query --ids` prints them"
        )
    newest = runs_of(connection, content_id, limit + 1)
    found_runs = newest[-limit:]
    tz = SystemZone()
    print(f"c{content_id}  {found.level.upper()}  {escaped(found.source)}")
    print(escaped(found.message))
    print(f"sha256 {found.content_hash}")
    print()
    print(
        f"seen {counted(found.count, 'time')} in {counted(found.episodes, 'episode')}, "
        f"{'open' if found.is_open else 'closed'} now"
    )
    print(f"{local(found.first_us, tz)} - {local(found.last_us, tz)} ({tz} {offset(found.last_us, tz)})")
    print(f"gaps {_gaps(found.gap_min_ms, found.gap_max_ms)}")
    print()
    _print_runs(found_runs)
    _print_texts(found_runs[0], found_runs[-1])
    _print_numbers(found.message, numbers_behind(connection, content_id))
    if len(newest) > limit:
        note(f"the newest {limit} episodes; -n for more")


def _show_episode(connection: Connection, episode_id: int) -> None:
    found = find_run(connection, episode_id)
    if found is None:
        raise InvalidQuery(
            f"{connection.path}: there is no episode {episode_id}; `query --episodes --ids` prints them"
        )
    run = parts_of(connection, *found)
    row = joined(run)
    print(f"e{row.id} of c{row.content_id}  {row.level.upper()}  {escaped(row.source)}")
    print(escaped(row.message))
    print()
    _print_runs([run])
    _print_texts(run, run)
    _print_numbers(row.message, numbers_behind(connection, *found))


def _print_runs(found: list[list[Part]]) -> None:
    tz = SystemZone()
    rows = [joined(parts) for parts in found]
    lines = [
        (
            f"e{row.id}",
            local(row.first_us, tz),
            local(row.last_us, tz),
            f"x{row.count}",
            _gaps(row.gap_min_ms, row.gap_max_ms),
            row.state if row.reason is None else f"{row.state} ({row.reason})",
        )
        for row in rows
    ]
    write_table(
        ("ID", f"FIRST SEEN ({tz} {offset(rows[-1].last_us, tz)})", "LAST SEEN", "COUNT", "GAPS", "STATE"),
        lines,
    )


def _print_texts(first: list[Part], last: list[Part]) -> None:
    begin = min(first, key=lambda part: part.first_us)
    end = max(last, key=lambda part: part.last_us)
    print()
    for name, text, attributes in (
        ("first", begin.first_text, begin.first_attributes),
        ("last", end.last_text, end.last_attributes),
    ):
        print(f"{name} text: {escaped(text)}")
        if attributes is not None:
            print(f"{name} attributes: {escaped(json.dumps(json.loads(attributes), ensure_ascii=False))}")


def _print_numbers(message: str, found: list[Figures]) -> None:
    if not found:
        return
    print()
    lines = [
        (
            escaped(_place(message, each.place)),
            *(
                f"{number:g}"
                for number in (each.smallest, each.largest, each.total / each.numbers, each.last)
            ),
            f"x{each.numbers}",
            escaped(each.largest_text),
        )
        for each in found
    ]
    write_table(("MASKED", "SMALLEST", "LARGEST", "MEAN", "LAST", "COUNT", "RAW TEXT OF THE LARGEST"), lines)


def _place(message: str, place: int) -> str:
    """Return a masked number with a few words around it."""
    parts = message.split(NUMBER)
    if place + 1 >= len(parts):  # a raw text that has a placeholder of its own
        return NUMBER
    before, after = parts[place][-_AROUND:], parts[place + 1][:_AROUND]
    return f"{before.split(' ', 1)[-1] if len(before) == _AROUND else before}{NUMBER}{after.split(' ', 1)[0]}"


def _gaps(gap_min_ms: int | None, gap_max_ms: int | None) -> str:
    if gap_min_ms is None or gap_max_ms is None:
        return "-"
    return f"{seconds(gap_min_ms)} .. {seconds(gap_max_ms)}"


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
