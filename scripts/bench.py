"""Measure logstore beside its peers: in turn, on the same input, several rounds; medians and spread."""

import argparse
import gc
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple, Protocol

import apsw  # noqa: TID251  the peers are plain SQLite
import bench_parse
import bench_query

from logstore import LogStore, Record, statements

START_S: Final = 1_795_305_600  # 2026-11-22 00:00:00 UTC
LOGSTORE: Final = (sys.executable, "-m", "logstore")
PEER_TOOLS: Final = ("cut", "sort", "uniq")
RAW_TABLE: Final = "CREATE TABLE raw (timestamp_us INTEGER, source TEXT, level TEXT, message TEXT)"
RAW_INSERT: Final = "INSERT INTO raw VALUES (?, ?, ?, ?)"
QUEUE_TABLE: Final = re.compile(r"CREATE TABLE queue .*?\) STRICT;|CREATE INDEX queue_.*?;", re.DOTALL)


LINE: Final = "{:<38} {:>7} {:>15}  {:<7} {:>20} {:>20}"


class Sizes(NamedTuple):
    """How much of everything is measured."""

    records: int
    batch: int
    few: int  # distinct contents
    many: int
    calls: int
    lines: int
    parsed: int
    contents: int
    small: int  # archived episodes
    large: int


FULL: Final = Sizes(
    records=500_000,
    batch=10_000,
    few=2_000,
    many=100_000,
    calls=5_000,
    lines=1_000_000,
    parsed=50_000,
    contents=20_000,
    small=100_000,
    large=3_000_000,
)
QUICK: Final = Sizes(
    records=2_000,
    batch=500,
    few=100,
    many=1_000,
    calls=50,
    lines=2_000,
    parsed=500,
    contents=1_000,
    small=2_000,
    large=6_000,
)

Result = Mapping[str, float]
"""What one round measured, by name."""


class Line(Protocol):
    """One line of a table, measured in several rounds."""

    def as_json(self) -> dict[str, Any]:
        """Return its figures by name."""
        ...

    def as_line(self) -> str:
        """Return it as text."""
        ...


class Row(NamedTuple):
    """One line of the table of ratios: a figure for each round, and the medians that stand behind it."""

    name: str
    goal: str
    figures: Sequence[float]
    ours: str
    peer: str

    def as_json(self) -> dict[str, Any]:
        """Return the row with the median and the spread of its figures."""
        figures = {"median": median(self.figures), "low": min(self.figures), "high": max(self.figures)}
        return {"name": self.name, **figures, "goal": self.goal, "ours": self.ours, "peer": self.peer}

    def as_line(self) -> str:
        """Return the row as a line of the table."""
        spread = f"{min(self.figures):.2f}..{max(self.figures):.2f}"
        return LINE.format(self.name, f"{median(self.figures):.2f}", spread, self.goal, self.ours, self.peer)


def ratio_row(name: str, goal: str, results: Sequence[Result], unit: str, ours: str = "ours") -> Row:
    """Compare what two names of the same rounds measured."""
    return Row(
        name,
        goal,
        [result[ours] / result["peer"] for result in results],
        f"{median(result[ours] for result in results):,.4g} {unit}",
        f"{median(result['peer'] for result in results):,.4g} {unit}",
    )


# -- what is logged --------------------------------------------------------------------------------


def text(number: int) -> str:
    """Return one of the distinct messages: about 110 bytes, as a cluster manager writes them."""
    return (
        f"Result of monitor operation for p_web_{number:06} on alfa2: ok "
        f"| graph action confirmed; call=34 rc=0 key=p_web_{number:06}"
    )


def numbers(count: int, distinct: int) -> Iterator[int]:
    """Yield which content comes when: each of them once, well mixed, then all over again."""
    return (order * 7919 % distinct for order in range(count))


def records(count: int, distinct: int) -> list[Record]:
    """Return records of eight sources, a millisecond apart."""
    sources = [f"alfa2/pacemaker-{number}" for number in range(8)]
    start_us = START_S * 1_000_000
    return [
        Record(text(number), "info", sources[number % 8], start_us + order * 1000)
        for order, number in enumerate(numbers(count, distinct))
    ]


def write_lines(path: Path, count: int, distinct: int) -> None:
    """Write a syslog file (RFC 3164), 400 lines a second; the file's time is a minute after its end."""
    with path.open("w") as file:
        for order, number in enumerate(numbers(count, distinct)):
            stamp = time.strftime("%b %d %H:%M:%S", time.gmtime(START_S + order // 400))
            file.write(f"{stamp} alfa2 pacemaker-{number % 8}[{number % 8 + 30}]: {text(number)}\n")
    end_s = START_S + count // 400 + 60
    os.utime(path, (end_s, end_s))


# -- how it is measured ----------------------------------------------------------------------------


def in_turn(rounds: int, runs: Mapping[str, Callable[[], float]]) -> list[Result]:
    """Run A B C, A B C, ..., so that they share the machine's mood, and return what each round measured."""
    return [{name: run() for name, run in runs.items()} for _ in range(rounds)]


def per_second(parts: Sequence[list[Any]], store: Callable[[list[Any]], object]) -> float:
    """Return how many records a second are stored."""
    gc.collect()
    start = time.perf_counter()
    for part in parts:
        store(part)
    return sum(map(len, parts)) / (time.perf_counter() - start)


def batches(everything: list[Any], size: int) -> list[list[Any]]:
    """Cut a list into batches."""
    return [everything[start : start + size] for start in range(0, len(everything), size)]


def plain_sqlite(path: Path) -> apsw.Connection:
    """Open a database with the durability and the memory of a store, and nothing else of it."""
    flags = apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(f"file:{path}?psow=0", flags=flags)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -32000"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def check_total(path: Path, expected: int) -> None:
    """Stop if what was measured is not what was asked for."""
    with LogStore(path, readonly=True) as store:
        stored = sum(episode.count for episode in store.episodes())
    if stored != expected:
        sys.exit(f"{path} holds {stored:,} records instead of {expected:,}: this would measure a defect")


# -- log_many --------------------------------------------------------------------------------------


def append_raw(folder: Path, count: int, distinct: int, batch: int) -> float:
    """Append the same records to a plain table, without de-duplication. Returns records a second."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        connection = plain_sqlite(Path(fresh) / "raw.db")
        connection.execute(RAW_TABLE)

        def append(part: list[Record]) -> None:
            rows = [(at_us, source, level, message) for message, level, source, at_us, _ in part]
            with connection:
                connection.executemany(RAW_INSERT, rows)

        speed = per_second(batches(records(count, distinct), batch), append)
        connection.close()
    return speed


def log_many(folder: Path, count: int, distinct: int, batch: int) -> float:
    """Store the same with logstore. Returns records a second."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        path = Path(fresh) / "log.db"
        with LogStore(path) as store:  # new records: a text hashed once would be quicker the second time
            speed = per_second(batches(records(count, distinct), batch), store.log_many)
        check_total(path, count)
    return speed


def log_many_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure `log_many` beside a raw append, with few and with many distinct contents."""
    for distinct, goal in ((sizes.few, ">= 0.5"), (sizes.many, "")):
        runs = {
            "peer": partial(append_raw, folder, sizes.records, distinct, sizes.batch),
            "batches": partial(log_many, folder, sizes.records, distinct, sizes.batch),
            "one call": partial(log_many, folder, sizes.records, distinct, sizes.records),
        }
        results = in_turn(rounds, runs)
        for name in ("batches", "one call"):
            yield ratio_row(f"log_many, {distinct:,} distinct, {name}", goal, results, "records/s", ours=name)


# -- log -------------------------------------------------------------------------------------------


def log_calls(folder: Path, calls: int, distinct: int = 200) -> Result:
    """Call `log()` and a bare UPSERT in turn. Returns the median of both, in microseconds."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh, LogStore(Path(fresh) / "log.db") as store:
        peer = plain_sqlite(Path(fresh) / "peer.db")
        for statement in QUEUE_TABLE.findall(statements.SCHEMA):
            peer.execute(statement)
        taken: dict[str, list[int]] = {"ours": [], "peer": []}
        for order, number in enumerate(numbers(calls + distinct, distinct)):
            upsert = partial(peer.execute, statements.PUT_OPEN, queue_row(number, order))
            log = partial(store.log, text(number), source="alfa2/p_web")
            pair: list[tuple[str, Callable[[], object]]] = [("ours", log), ("peer", upsert)]
            for name, run in pair if order % 2 else reversed(pair):
                start = time.perf_counter_ns()
                run()
                taken[name].append(time.perf_counter_ns() - start)
        peer.close()
    return {name: median(each[distinct:]) / 1000 for name, each in taken.items()}  # first copies left out


def queue_row(number: int, order: int) -> tuple[Any, ...]:
    """Return a row for sql/put_open.sql, as it is for the record of this order."""
    now_us = time.time_ns() // 1000
    content_hash = hashlib.sha256(text(number).encode()).digest()
    times_and_count = (now_us - order, now_us, order + 1, 0, 1000)
    return (
        content_hash,
        number,
        *times_and_count,
        0,
        number,
        number,
        None,
        None,
        None,
        None,
        None,
        now_us,
        1,
        None,
    )


def log_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure a durable `log()` beside a bare UPSERT of the same shape, call by call; then `log_many`."""
    results = [log_calls(folder, sizes.calls) for _ in range(rounds)]
    yield ratio_row("log(), durable, p50", "<= 1.5", results, "us")
    yield from log_many_rows(folder, rounds, sizes)


# -- ingest ----------------------------------------------------------------------------------------


def ingest_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure `logstore ingest` beside cut, sort and uniq; both as processes, on the same file.

    The kernel counts the memory of the parent at the fork as the child's: measure this first, while small.
    """
    lines = folder / "syslog"
    write_lines(lines, sizes.lines, sizes.few)
    memory: list[float] = []
    runs = {"ours": partial(ingest, folder, lines, sizes.lines, memory)}
    missing = [tool for tool in PEER_TOOLS if not shutil.which(tool)]
    if missing:
        print(f"!!! No {', '.join(missing)} here: ingest is measured without its peer.", file=sys.stderr)
    else:
        runs["peer"] = partial(cut_sort_uniq, lines)
    results = in_turn(rounds, runs)
    if not missing:
        yield ratio_row(f"ingest, {sizes.lines:,} lines, wall", "<= 3", results, "s")
    yield Row("ingest, peak memory in MiB", "< 200", memory, f"{median(memory):.0f} MiB", "-")


def ingest(folder: Path, lines: Path, expected: int, memory: list[float]) -> float:
    """Run `logstore ingest` on a new store; note its peak memory in MiB. Returns seconds."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        path = Path(fresh) / "log.db"
        seconds, peak = timed_process([*LOGSTORE, "--db", str(path), "ingest", str(lines)])
        check_total(path, expected)
    memory.append(peak)
    return seconds


def cut_sort_uniq(lines: Path) -> float:
    """Count the distinct texts as one does without logstore. Returns seconds."""
    return timed_process(["sh", "-c", 'cut -c17- "$1" | LC_ALL=C sort | uniq -c', "sh", str(lines)])[0]


def timed_process(command: list[str]) -> tuple[float, float]:
    """Run a command, its output thrown away. Returns its seconds and its peak memory in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, "TZ": "UTC"}, text=True
    )
    assert process.stderr is not None
    with process.stderr:
        complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}: {complaint}")
    return seconds, usage.ru_maxrss / 1024


# -- reading a line --------------------------------------------------------------------------------


def parse_rows(_folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure parsing beside one regular expression a line, and masking beside parsing, by format."""
    for name, lines in bench_parse.samples(sizes.parsed).items():
        results = in_turn(rounds, bench_parse.runs(name, lines))
        yield ratio_row(f"parse {name}", "", results, "s")
        beside = [{"ours": result["masks"], "peer": result["ours"]} for result in results]
        yield ratio_row(f"mask {name}, to parsing", "<= 1", beside, "s")


# -- asking ----------------------------------------------------------------------------------------


def query_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Line]:
    """Measure each kind of query at two sizes of a store, after a first time that warms up."""
    paths = {size: folder / f"{size}.db" for size in (sizes.small, sizes.large)}
    for size, path in paths.items():
        bench_query.build(path, size, sizes.contents)
    with bench_query.written(list(paths.values())):
        for case in bench_query.cases():
            runs = {str(size): partial(bench_query.seconds_of, case, path) for size, path in paths.items()}
            _, *results = in_turn(1 + rounds, runs)
            taken = [[1000 * result[name] for result in results] for name in runs]
            yield bench_query.Timed(case, *taken)
    for path in paths.values():
        path.unlink()


def start_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure how long the command takes that does next to nothing, beside a Python that does nothing."""
    path = folder / "start.db"
    with LogStore(path) as store:
        store.log_many(records(sizes.few, sizes.few))
    commands = {
        "peer": [sys.executable, "-c", "pass"],
        "--help": [*LOGSTORE, "--help"],
        "query -n 5": [*LOGSTORE, "--db", str(path), "query", "-n", "5"],
    }
    runs = {name: partial(seconds_of, command) for name, command in commands.items()}
    results = in_turn(4 * rounds, runs)
    for name in list(commands)[1:]:
        yield ratio_row(f"logstore {name}, to python -c pass", "<= 8", results, "s", ours=name)
    path.unlink()


def seconds_of(command: list[str]) -> float:
    """Run a command. Returns its seconds."""
    return timed_process(command)[0]


# -- the command -----------------------------------------------------------------------------------


SECTIONS: Final[Mapping[str, Callable[[Path, int, Sizes], Iterator[Line]]]] = {
    "ingest": ingest_rows,  # first: see there
    "log": log_rows,
    "parse": parse_rows,
    "start": start_rows,
    "queries": query_rows,
}


def measure(folder: Path, rounds: int, sizes: Sizes, only: str | None) -> Iterator[Line]:
    """Yield each row as soon as it is measured."""
    for name, rows in SECTIONS.items():
        if only in {None, name}:
            yield from rows(folder, rounds, sizes)


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    versions = {"python": platform.python_version(), "sqlite": apsw.sqlite_lib_version()}
    return {"cpus": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}", **versions}


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often each is measured (5)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs, not how fast")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--only", choices=SECTIONS, help="measure this alone")
    parser.add_argument(
        "--folder", default="/var/tmp", help="where to write, on the disk to measure (/var/tmp)"
    )
    return parser.parse_args(arguments)


def main() -> None:
    """Measure everything and print it."""
    options = parsed()
    sizes = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="logstore-bench-", dir=options.folder) as folder:
        rows = measure(Path(folder), options.rounds, sizes, options.only)
        if options.json:
            everything = {"machine": machine(), "rounds": options.rounds, **sizes._asdict()}
            print(json.dumps({**everything, "rows": [row.as_json() for row in rows]}, indent=2))
            return
        print(
            ", ".join(f"{name} {value}" for name, value in machine().items()),
            f", {options.rounds} rounds",
            sep="",
        )
        kind: type | None = None
        for row in rows:
            if type(row) is not kind:
                kind = type(row)
                print(heading(row, sizes))
            print(row.as_line(), flush=True)


def heading(row: Line, sizes: Sizes) -> str:
    """Return what stands above a table that begins with this row."""
    if isinstance(row, Row):
        return LINE.format("what", "median", "low..high", "goal", "logstore", "peer")
    return bench_query.heading(sizes.small, sizes.large)


if __name__ == "__main__":
    main()
