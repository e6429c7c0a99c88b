"""Measure logstore beside its peers: in turn, on the same input, several rounds; medians and spread."""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw  # noqa: TID251  its version is said
import bench_common
import bench_growth
import bench_parse
import bench_query
from bench_common import (
    FULL,
    LOGSTORE,
    QUICK,
    Line,
    Row,
    Sizes,
    figure_row,
    in_turn,
    progress,
    ratio_row,
    seconds_of,
)
from bench_growth import Grown
from bench_handler import handler_rows
from bench_ingest import ingest_rows
from bench_input import records
from bench_processes import processes_rows
from bench_size import size_rows
from bench_stores import archive
from bench_sweep import sweep_rows
from bench_write import log_rows

from logstore import LogStore


def parse_rows(_folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure parsing beside one regular expression a line, and masking beside parsing, by format."""
    for name, lines in bench_parse.samples(sizes.parsed).items():
        results = in_turn(rounds, bench_parse.runs(name, lines), f"parse {name},")
        yield ratio_row(f"parse {name}", "", results, "s")
        beside = [{"ours": result["masks"], "peer": result["ours"]} for result in results]
        yield ratio_row(f"mask {name}, to parsing", "<= 1", beside, "s")


def query_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Line]:
    """Measure each kind of query at two sizes of a store, after a first time that warms up."""
    paths = {str(size): archive(folder, size, sizes.contents) for size in (sizes.small, sizes.large)}
    with bench_query.written(list(paths.values())):
        for case in bench_query.cases():
            runs = {size: partial(bench_query.seconds_of, case.ask, path) for size, path in paths.items()}
            _, *results = in_turn(1 + rounds, runs, f"query, {case.name},")
            taken = [[1000 * result[name] for result in results] for name in runs]
            yield bench_query.Timed(case, *taken)


def top_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure the top 20 of a very large store, after a first time that warms up."""
    path = archive(folder, sizes.huge, sizes.contents)
    with bench_query.written([path]):
        top = partial(bench_query.seconds_of, bench_query.growing()["top"], path)
        _, *results = in_turn(1 + rounds, {"top 20 by count": top})
    figures = [1000 * result["top 20 by count"] for result in results]
    yield figure_row(f"query, top 20 by count of {sizes.huge:,}, in ms", "< 300", figures, "ms")


def start_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure how long the command takes that does next to nothing, beside a Python that does nothing."""
    path = folder / "start.db"
    with LogStore(path) as store:
        store.log_many(records(sizes.few, sizes.few))
    commands = {
        "peer": [LOGSTORE[0], "-c", "pass"],
        "--help": [*LOGSTORE, "--help"],
        "query -n 5": [*LOGSTORE, "--db", str(path), "query", "-n", "5"],
    }
    runs = {name: partial(seconds_of, command) for name, command in commands.items()}
    results = in_turn(4 * rounds, runs, "start,")
    for name in list(commands)[1:]:
        yield ratio_row(f"logstore {name}, to python -c pass", "<= 8", results, "s", ours=name)
    path.unlink()


# -- the command -----------------------------------------------------------------------------------


SECTIONS: Final[Mapping[str, Callable[[Path, int, Sizes], Iterator[Line]]]] = {
    "ingest": ingest_rows,  # first: see there
    "size": size_rows,
    "log": log_rows,
    "handler": handler_rows,
    "sweep": sweep_rows,
    "processes": processes_rows,
    "top": top_rows,
    "parse": parse_rows,
    "start": start_rows,
    "queries": query_rows,
    "growth": bench_growth.growth_rows,
}


def measure(folder: Path, rounds: int, sizes: Sizes, only: Sequence[str]) -> Iterator[Line]:
    """Yield each row as soon as it is measured."""
    for name, rows in SECTIONS.items():
        if name in (only or SECTIONS):
            for row in rows(folder, rounds, sizes):
                progress("")
                yield row


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    versions = {"python": platform.python_version(), "sqlite": apsw.sqlite_lib_version()}
    return {"cpus": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}", **versions}


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often each is measured (5)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs, not how fast")
    parser.add_argument(
        "--long", action="store_true", help="how costs grow up to 10^7 records and episodes, instead of 10^6"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument(
        "--only", choices=SECTIONS, action="append", default=[], help="measure this alone; may be repeated"
    )
    parser.add_argument(
        "--folder", default="/var/tmp", help="where to write, on the disk to measure; 4 GB (/var/tmp)"
    )
    parser.add_argument(
        "--capture", default="", metavar="FILE", help="a Pacemaker log, .gz or not, to measure the size of"
    )
    return parser.parse_args(arguments)


def main() -> None:
    """Measure everything and print it."""
    options = parsed()
    sizes = QUICK if options.quick else FULL
    sizes = sizes._replace(capture=options.capture)
    if options.long:
        sizes = sizes._replace(growth=(*sizes.growth, 10 * sizes.growth[-1]))
    with tempfile.TemporaryDirectory(prefix="logstore-bench-", dir=options.folder) as folder:
        rows = measure(Path(folder), options.rounds, sizes, options.only)
        if options.json:
            everything = {"machine": machine(), "rounds": options.rounds, **sizes._asdict()}
            print(json.dumps({**everything, "rows": [row.as_json() for row in rows]}, indent=2))
        else:
            about = {**machine(), "rounds": options.rounds}
            print(", ".join(f"{name} {value}" for name, value in about.items()))
            print_tables(rows, sizes)


def print_tables(rows: Iterator[Line], sizes: Sizes) -> None:
    """Print each row when it comes, a heading above each kind, and a picture of what grows."""
    kind: type | None = None
    grown: list[Grown] = []
    for row in rows:
        if type(row) is not kind:
            kind = type(row)
            print(heading(row, sizes))
        print(row.as_line(), flush=True)
        if isinstance(row, Grown):
            grown.append(row)
    if grown:
        print(bench_growth.picture(grown))


def heading(row: Line, sizes: Sizes) -> str:
    """Return what stands above a table that begins with this row."""
    match row:
        case Row():
            return bench_common.LINE.format("what", "median", "low..high", "goal", "logstore", "peer")
        case Grown():
            return bench_growth.heading(sizes.growth)
        case _:
            return bench_query.heading(sizes.small, sizes.large)


if __name__ == "__main__":
    main()
