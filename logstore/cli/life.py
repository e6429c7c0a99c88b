"""A life as lines, or as one object."""

import json
from dataclasses import asdict
from datetime import tzinfo
from typing import Any, Final, NamedTuple

from logstore.cli.text import counted, escaped, jsonable, timed, write_table
from logstore.masks.masker import NUMBER
from logstore.search.life import Figures, Near, Run, longest_silence
from logstore.search.rows import Part, Row
from logstore.search.times import local, offset, rfc3339, seconds

_AROUND: Final = 24  # characters on each side that tell which number it is


class Life(NamedTuple):
    """What `show` tells of a content (`c57`) or of one run (`e812`).

    Mean gap (milliseconds) and numbers are of the newest `measured` of all `episodes`. `runs` are the
    newest, oldest first; `cut` if there are more. `begin` and `end` have the first and the last text.
    """

    name: str
    row: Row
    content_hash: str
    episodes: int
    measured: int
    gap_mean_ms: int | None
    runs: list[Run]
    cut: bool
    begin: Part
    end: Part
    numbers: list[Figures]

    @property
    def newest(self) -> Row:
        """The run that was heard last."""
        return max((run.row for run in self.runs), key=lambda row: row.last_us)


# -- json --------------------------------------------------------------------------------------------


def keyed(life: Life, found: Near | None, at_us: int) -> dict[str, Any]:
    """Return a life, and what began near `at_us`, as one object: the keys of `query -o jsonl`, and more."""
    return timed(asdict(life.row)) | {
        "content_hash": life.content_hash,
        "episodes": life.episodes,
        "episodes_measured": life.measured,
        "gap_mean_ms": life.gap_mean_ms,
        "first_attributes": _object(life.begin.first_attributes),
        "last_attributes": _object(life.end.last_attributes),
        "longest_silence": _keyed_silence(life.runs),
        "runs": [_keyed_run(run) for run in life.runs],
        "numbers": [_keyed_numbers(each) for each in life.numbers],
        "near": None if found is None else [_keyed_near(row, at_us) for row in found.rows],
        "near_total": None if found is None else found.found,
    }


def _keyed_run(run: Run) -> dict[str, Any]:
    return timed(asdict(run.row)) | {
        "gap_mean_ms": run.gap_mean_ms,
        "beat_ms": run.beat_ms,
        "missed_inside": run.missed_inside,
        "missed_before": run.missed_before,
    }


def _keyed_silence(runs: list[Run]) -> dict[str, Any] | None:
    found = longest_silence(runs)
    if found is None:
        return None
    run, silence = found
    return {
        "id": run.row.id,
        "place": "before" if silence is run.before else "inside",
        "since": None if silence.since_us is None else rfc3339(silence.since_us),
        "until": None if silence.until_us is None else rfc3339(silence.until_us),
        "length_ms": silence.length_ms,
        "beat_ms": silence.beat_ms,
        "missed": silence.missed,
    }


def _keyed_numbers(each: Figures) -> dict[str, Any]:
    return {
        "place": each.place,
        "min": jsonable(each.smallest),
        "max": jsonable(each.largest),
        "mean": jsonable(each.total / each.numbers),
        "last": jsonable(each.last),
        "count": each.numbers,
        "max_text": each.largest_text,
    }


def _keyed_near(row: Row, at_us: int) -> dict[str, Any]:
    return {"offset_ms": _offset_ms(row, at_us)} | timed(asdict(row))


def _object(attributes: str | None) -> Any:
    return None if attributes is None else json.loads(attributes)


# -- lines -------------------------------------------------------------------------------------------


def print_life(life: Life, tz: tzinfo) -> None:
    """Print a life as lines: what it says, how often, its runs, its first and last text, its numbers."""
    row = life.row
    print(f"{life.name}  {row.level.upper()}  {escaped(row.source)}")
    print(escaped(row.message))
    print(f"sha256 {life.content_hash}")
    print()
    print(f"seen {counted(row.count, 'time')} in {counted(life.episodes, 'episode')}, {row.state} now")
    print(f"{_between(row.first_us, row.last_us, tz)} ({tz} {offset(row.last_us, tz)})")
    print(f"gaps {_gaps(row, life.gap_mean_ms)} (min / mean / max)")
    print()
    _print_runs(life.runs, tz)
    _print_texts(life)
    _print_numbers(row.message, life.numbers)


def _print_runs(runs: list[Run], tz: tzinfo) -> None:
    lines = [
        (
            f"e{run.row.id}",
            local(run.row.first_us, tz),
            local(run.row.last_us, tz),
            f"x{run.row.count}",
            _gaps(run.row, run.gap_mean_ms),
            _missed(run),
            run.row.state if run.row.reason is None else f"{run.row.state} ({run.row.reason})",
        )
        for run in runs
    ]
    zone = f"{tz} {offset(runs[-1].row.last_us, tz)}"
    write_table(
        ("ID", f"FIRST SEEN ({zone})", "LAST SEEN", "COUNT", "GAPS (MIN / MEAN / MAX)", "MISSED", "STATE"),
        lines,
    )
    said = _longest_silence(runs, tz)
    if said:
        print(f"\nlongest silence: {said}")


def _longest_silence(runs: list[Run], tz: tzinfo) -> str:
    found = longest_silence(runs)
    if found is None or found[1].length_ms == 0:
        return ""
    run, silence = found
    beats = ""
    if silence.beat_ms is not None and silence.missed:
        beats = f", about {counted(silence.missed, 'beat')} of {seconds(silence.beat_ms)}"
    if silence.since_us is None or silence.until_us is None:
        return f"{seconds(silence.length_ms)}{beats}, inside e{run.row.id}; when is not known"
    return f"{_between(silence.since_us, silence.until_us, tz)} ({seconds(silence.length_ms)}{beats})"


def _missed(run: Run) -> str:
    """Return how many beats it missed; `-` where nothing repeats regularly."""
    if run.beat_ms is None and (run.before is None or run.before.beat_ms is None):
        return "-"
    places = (("before", run.missed_before), ("inside", run.missed_inside))
    return ", ".join(f"{number:,} {place}" for place, number in places if number) or "none"


def _print_texts(life: Life) -> None:
    print()
    for name, text, attributes in (
        ("first", life.begin.first_text, life.begin.first_attributes),
        ("last", life.end.last_text, life.end.last_attributes),
    ):
        print(f"{name} text: {escaped(text)}")
        if attributes is not None:
            print(f"{name} attributes: {escaped(json.dumps(_object(attributes), ensure_ascii=False))}")


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


def print_near(found: Near, at_us: int, tz: tzinfo) -> None:
    """Print what began near a moment as it began: with its first raw text."""
    print(f"\nwhat else began near {local(at_us, tz)}:")
    lines = [
        (
            _signed(_offset_ms(row, at_us)),
            f"x{row.count}",
            row.level.upper(),
            escaped(row.source),
            f"e{row.id}",
            escaped(row.first_text),
        )
        for row in found.rows
    ]
    if lines:
        write_table(("BEGAN", "COUNT", "LEVEL", "SOURCE", "ID", "FIRST TEXT"), lines, right=frozenset({0}))
    else:
        print("nothing")


def _place(message: str, place: int) -> str:
    """Return a masked number with a few words around it."""
    parts = message.split(NUMBER)
    if place + 1 >= len(parts):  # a raw text that has a placeholder of its own
        return NUMBER
    before, after = parts[place][-_AROUND:], parts[place + 1][:_AROUND]
    return f"{before.split(' ', 1)[-1] if len(before) == _AROUND else before}{NUMBER}{after.split(' ', 1)[0]}"


def _gaps(row: Row, mean_ms: int | None) -> str:
    known = (row.gap_min_ms, mean_ms, row.gap_max_ms)
    return " / ".join("-" if gap_ms is None else seconds(gap_ms) for gap_ms in known)


def _between(since_us: int, until_us: int, tz: tzinfo) -> str:
    """Return two times; the second without its date if it is that of the first."""
    since, until = local(since_us, tz), local(until_us, tz)
    day = len("2026-11-22 ")
    return f"{since} - {until[day:] if until[:day] == since[:day] else until}"


def _offset_ms(row: Row, at_us: int) -> int:
    return row.first_us // 1000 - at_us // 1000


def _signed(ms: int) -> str:
    return f"{'-' if ms < 0 else '+'}{seconds(abs(ms))}"
