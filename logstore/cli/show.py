"""The work of `logstore show` and `logstore stats`."""

import time
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import Final, NamedTuple

from logstore.cli.ids import parse_id
from logstore.cli.life import Life, keyed, print_life, print_near
from logstore.cli.text import counted, escaped, note, write_json, write_jsonl, write_table
from logstore.database import LOW_BYTES, Connection, Reserve, free_bytes
from logstore.errors import InvalidQuery
from logstore.keeping.checking import faults
from logstore.search.holding import stats
from logstore.search.life import (
    Content,
    Near,
    describe,
    find_run,
    lived,
    mean_gap_ms,
    near,
    numbers_behind,
    numbers_of_run,
    run_before,
    runs_of,
)
from logstore.search.rows import Part, Row, joined, parts_of
from logstore.search.times import SystemZone, ago, local, offset, parse_duration, seconds

_NEAR_RADIUS: Final = "30s"
_NEAR_ROWS: Final = 50
_MEASURED: Final = 1_000  # newest episodes that mean and numbers are of: 100,000 would take a second


class How(NamedTuple):
    """The options of `show`, as they were given; a `radius` alone asks for what is near, too."""

    limit: int
    near: bool
    radius: str | None
    output: str
    tz: tzinfo


def show(connection: Connection, number: str, how: How) -> None:
    """Print the life of a content (`c57`, `57`) or one run of episodes (`e812`). Raises InvalidQuery."""
    is_episode, wanted = parse_id(number)
    radius_us = _radius_us(how)
    life = _life_of_run(connection, wanted) if is_episode else _life_of_content(connection, wanted, how.limit)
    at_us = life.newest.first_us
    found = None
    if radius_us is not None:
        found = near(connection, life.row.content_id, at_us, radius_us, _NEAR_ROWS)
    if how.output == "json":
        write_jsonl([keyed(life, found, at_us)])
    else:
        print_life(life, how.tz)
        if found is not None:
            print_near(found, at_us, how.tz)
    _note_cuts(life, found, how)


def is_whole(connection: Connection, *, full: bool) -> bool:
    """Check a store, say on stderr what was found, and return whether it is whole."""
    begun = time.monotonic()
    found = faults(connection, full=full)
    for fault in found:
        note(f"logstore: {fault}")
    if found:
        note(
            f"logstore: {connection.path}: damaged; keep a copy of it and its -wal, then restore a backup, "
            f"or save what can be read: logstore --db {connection.path} snapshot COPY"
        )
        return False
    extent = "every page, index, reference and hash" if full else "every page and the counts"
    note(f"{connection.path}: whole; {extent} checked in {time.monotonic() - begun:.1f} s")
    return True


def show_stats(connection: Connection, output: str) -> None:
    """Print what a store holds, and how large its files are."""
    found = stats(connection)
    sizes = {
        name: _size(f"{connection.path}{suffix}") for name, suffix in (("bytes", ""), ("wal_bytes", "-wal"))
    }
    sizes |= {"free_bytes": free_bytes(connection.path), "reserve_bytes": Reserve(connection.path).bytes}
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
        ("disk", f"{sizes['free_bytes']:,} bytes free, and {sizes['reserve_bytes']:,} in reserve"),
    ]
    if sizes["free_bytes"] < LOW_BYTES:
        note(f"logstore: {connection.path}: its disk is nearly full; free some space")
    write_table(("WHAT", f"VALUE (times in {tz} {offset(now_us, tz)})"), lines)


def _radius_us(how: How) -> int | None:
    return parse_duration(how.radius or _NEAR_RADIUS) if how.near or how.radius is not None else None


def _life_of_content(connection: Connection, content_id: int, limit: int) -> Life:
    content = describe(connection, content_id)
    if content is None:
        raise InvalidQuery(
            f"{connection.path}: there is no content {content_id}; `logstore query --ids` prints them"
        )
    newest = runs_of(connection, content_id, limit + 1)
    shown = newest[-limit:]
    begin, end = _ends([part for run in shown for part in run])
    measured = min(max(_MEASURED, limit), content.episodes)
    return Life(
        name=f"c{content_id}",
        row=_row(content, content_id, begin, end),
        content_hash=content.content_hash,
        episodes=content.episodes,
        measured=measured,
        gap_mean_ms=mean_gap_ms(connection, content_id, measured),
        runs=lived(shown, run_before(connection, content_id, begin.first_us)),
        cut=len(newest) > limit,
        begin=begin,
        end=end,
        numbers=numbers_behind(connection, content_id, measured),
    )


def _life_of_run(connection: Connection, episode_id: int) -> Life:
    found = find_run(connection, episode_id)
    content = None if found is None else describe(connection, found[0])
    if found is None or content is None:
        raise InvalidQuery(
            f"{connection.path}: there is no episode {episode_id}; `query --episodes --ids` prints them"
        )
    content_id, run_id = found
    parts = parts_of(connection, content_id, run_id)
    begin, end = _ends(parts)
    (run,) = lived([parts], run_before(connection, content_id, begin.first_us))
    return Life(
        name=f"e{run.row.id} of c{content_id}",
        row=run.row,
        content_hash=content.content_hash,
        episodes=len(parts),
        measured=len(parts),
        gap_mean_ms=run.gap_mean_ms,
        runs=[run],
        cut=False,
        begin=begin,
        end=end,
        numbers=numbers_of_run(connection, run_id, parts),
    )


def _ends(parts: list[Part]) -> tuple[Part, Part]:
    """Return the part that was first seen first, and the one that was last seen last."""
    return min(parts, key=lambda part: part.first_us), max(parts, key=lambda part: part.last_us)


def _row(content: Content, content_id: int, begin: Part, end: Part) -> Row:
    return replace(
        joined([begin]),
        id=content_id,
        state="open" if content.is_open else "closed",
        first_us=content.first_us,
        last_us=content.last_us,
        count=content.count,
        count_total=content.count,
        gap_min_ms=content.gap_min_ms,
        gap_max_ms=content.gap_max_ms,
        last_text=end.last_text,
        reason=end.reason,
    )


def _note_cuts(life: Life, found: Near | None, how: How) -> None:
    if life.cut:
        note(f"the newest {counted(how.limit, 'episode')}, first text and silence among them; -n for more")
    if life.measured < life.episodes:
        note(
            f"mean and numbers: of the newest {life.measured:,} of {life.episodes:,} episodes; "
            f"-n {life.episodes} for all"
        )
    if found is not None and len(found.rows) < found.found:
        note(
            f"near: the nearest {len(found.rows)} of {found.found:,}; all that was seen then: "
            f"`query --episodes --around e{life.newest.id} --radius {how.radius or _NEAR_RADIUS}`"
        )


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
