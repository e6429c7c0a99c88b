"""How each cost grows with what is there: a table of the cost of one, and a picture of it."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import log10
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from bench_common import Sizes, check, check_total, in_turn, total_of
from bench_ingest import ingest
from bench_input import numbers, record, records, write_lines
from bench_query import Ask, growing, seconds_of, written
from bench_stores import archive
from bench_write import CALLED, call_by_call, logging

from logstore import LogStore

SWEPT: Final = 2_000
DAY_S: Final = 86_400
CELLS: Final = 60
BLOCKS: Final = " ▏▎▍▌▋▊▉█"
LINE: Final = "{:<34}"

Cost = Callable[[int], float]
"""Measures what one costs at a size, in microseconds."""


class Grown(NamedTuple):
    """One line of the table: what one costs at each size, in microseconds, the median of the rounds."""

    name: str
    sizes: Sequence[int]
    costs: Sequence[float]

    @property
    def relative(self) -> list[float]:
        """The costs to that at the smallest size."""
        return [cost / self.costs[0] for cost in self.costs]

    def as_json(self) -> dict[str, Any]:
        """Return the line with its costs."""
        return {
            "name": self.name,
            "sizes": list(self.sizes),
            "costs_us": list(self.costs),
            "relative": self.relative,
        }

    def as_line(self) -> str:
        """Return the line as text."""
        return LINE.format(self.name) + "".join(
            f"{cost:>12,.4g} {f'({share:.2f})':>8}"
            for cost, share in zip(self.costs, self.relative, strict=True)
        )


def heading(sizes: Sequence[int]) -> str:
    """Return the line above the table."""
    return LINE.format("growth: us each (to the smallest)") + "".join(f"{size:>21,}" for size in sizes)


def picture(lines: Sequence[Grown]) -> str:
    """Draw every cost as a bar on one log scale: bars of one length do not grow."""
    costs = [cost for line in lines for cost in line.costs]
    low, high = log10(min(costs)) - 0.5, log10(max(costs))
    drawn = [f"us each, log scale: {10**low:,.3g} .. {10**high:,.3g}"]
    for line in lines:
        for order, (size, cost) in enumerate(zip(line.sizes, line.costs, strict=True)):
            name = "" if order else line.name
            drawn.append(
                LINE.format(name) + f"{size:>12,} {bar((log10(cost) - low) / (high - low))} {cost:,.4g}"
            )
    return "\n".join(drawn)


def bar(share: float) -> str:
    """Draw a share of the whole width, to an eighth of a cell."""
    eighths = round(share * CELLS * 8)
    return BLOCKS[8] * (eighths // 8) + BLOCKS[eighths % 8].strip()


# -- what grows ------------------------------------------------------------------------------------


def growth_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Grown]:
    """Measure what one record, call, line, episode and question costs at each size."""
    costs: dict[str, Cost] = {
        "log_many, a record": partial(log_many_us, folder, sizes),
        "ingest, a line (without its start)": partial(ingest_us, folder, sizes),
        "query of an hour": partial(query_us, folder, sizes, growing()["hour"]),
        "query, top 20 by count": partial(query_us, folder, sizes, growing()["top"]),
        "log() on an archive, p50": partial(log_us, folder, sizes),  # from here on, stores get a few more
        "sweep on an archive, an episode": partial(sweep_us, folder, sizes),
    }
    for name, cost in costs.items():
        runs = {f"{size:,}": partial(cost, size) for size in sizes.growth}
        results = in_turn(rounds, runs, f"growth, {name},")
        medians = [median(result[run] for result in results) for run in runs]
        yield Grown(name, sizes.growth, medians)


def log_many_us(folder: Path, sizes: Sizes, count: int) -> float:
    """Store so many records in batches, made between them. Returns microseconds a record."""
    taken = 0.0
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        path, order = Path(fresh) / "log.db", numbers(count, sizes.few)
        with LogStore(path) as store:
            for begin in range(0, count, sizes.batch):
                places = range(begin, min(begin + sizes.batch, count))
                part = [record(place, next(order)) for place in places]
                start = time.perf_counter()
                store.log_many(part)
                taken += time.perf_counter() - start
        check_total(path, count)
    return taken / count * 1_000_000


def ingest_us(folder: Path, sizes: Sizes, count: int) -> float:
    """Ingest so many lines. Returns microseconds a line, without what one line alone takes."""
    lines = folder / "growing"
    write_lines(lines, numbers(1, 1))
    start_s = ingest(folder, lines, 1)
    write_lines(lines, numbers(count, sizes.few))
    seconds = ingest(folder, lines, count)
    lines.unlink()
    return max(seconds - start_s, 1e-6) / count * 1_000_000


def log_us(folder: Path, sizes: Sizes, episodes: int) -> float:
    """Call `log()` on a store of so many archived episodes. Returns the median, microseconds."""
    path = archive(folder, episodes, sizes.contents)
    before = total_of(path)
    with LogStore(path) as store:
        taken = call_by_call({"ours": lambda number, _: logging(store, number)}, sizes.calls)
    check(path, total_of(path), before + CALLED + sizes.calls)
    return taken["ours"]


def sweep_us(folder: Path, sizes: Sizes, episodes: int) -> float:
    """Sweep what was received yesterday into so many archived episodes. Returns microseconds an episode."""
    path = archive(folder, episodes, sizes.contents)
    start_s = int(time.time()) - DAY_S
    with LogStore(path) as store:
        store.sweep()  # what the store came with
    with LogStore(path, auto_sweep=False, clock_us=lambda: start_s * 1_000_000) as store:
        store.log_many(records(SWEPT, SWEPT, start_s - DAY_S))
    with LogStore(path) as store:
        start = time.perf_counter()
        moved = store.sweep()
        seconds = time.perf_counter() - start
    check("the sweep's own count", moved, SWEPT)
    return seconds / SWEPT * 1_000_000


def query_us(folder: Path, sizes: Sizes, ask: Ask, episodes: int) -> float:
    """Ask a store of so many archived episodes, the second time. Returns microseconds."""
    path = archive(folder, episodes, sizes.contents)
    with written([path]):
        seconds_of(ask, path)
        return seconds_of(ask, path) * 1_000_000
