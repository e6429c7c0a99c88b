"""What every section of the bench uses: sizes, rows, how it is measured in turn, that nothing is lost."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple, Protocol

import apsw  # noqa: TID251  the peers are plain SQLite

from logstore import LogStore
from logstore.database import open_reader

LOGSTORE: Final = (sys.executable, "-m", "logstore")
LINE: Final = "{:<60} {:>7} {:>15}  {:<7} {:>20} {:>20}"
SYSTEM_TOOLS: Final = "/usr/local/sbin:/usr/sbin:/sbin"


class Sizes(NamedTuple):
    """How much of everything is measured."""

    records: int
    batch: int
    few: int  # distinct contents
    many: int
    calls: int
    lines: int
    long_lines: int
    parsed: int
    contents: int
    small: int  # archived episodes
    large: int
    huge: int
    steady_calls: int  # of a handler
    steady_rate: int  # a second
    storm_calls: int
    cluster_lines: int
    due: int  # episodes to sweep
    shared: int  # records that several processes write in batches
    shared_calls: int  # the same, one call a record
    seconds: float  # for which several processes write
    growth: tuple[int, ...]  # records, or archived episodes
    capture: str = ""  # a Pacemaker log to measure the size of; "": the one of the tests


FULL: Final = Sizes(
    records=500_000,
    batch=10_000,
    few=2_000,
    many=100_000,
    calls=5_000,
    lines=1_000_000,
    long_lines=10_000_000,
    parsed=50_000,
    contents=20_000,
    small=100_000,
    large=3_000_000,
    huge=10_000_000,
    steady_calls=50_000,
    steady_rate=10_000,
    storm_calls=200_000,
    cluster_lines=200_000,
    due=200_000,
    shared=160_000,
    shared_calls=8_000,
    seconds=5,
    growth=(10_000, 100_000, 1_000_000),
)
QUICK: Final = Sizes(
    records=2_000,
    batch=500,
    few=100,
    many=1_000,
    calls=50,
    lines=2_000,
    long_lines=4_000,
    parsed=500,
    contents=1_000,
    small=2_000,
    large=6_000,
    huge=6_000,
    steady_calls=200,
    steady_rate=10_000,
    storm_calls=1_000,
    cluster_lines=3_000,
    due=2_000,
    shared=1_600,
    shared_calls=80,
    seconds=0.2,
    growth=(1_000, 2_000),
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


def ratio_row(
    name: str, goal: str, results: Sequence[Result], unit: str, *, ours: str = "ours", peer: str = "peer"
) -> Row:
    """Compare what two names of the same rounds measured."""
    return Row(
        name,
        goal,
        [result[ours] / result[peer] for result in results],
        f"{median(result[ours] for result in results):,.4g} {unit}",
        f"{median(result[peer] for result in results):,.4g} {unit}",
    )


def figure_row(name: str, goal: str, figures: Sequence[float], unit: str) -> Row:
    """Return a row of a figure that has no peer."""
    return Row(name, goal, figures, f"{median(figures):,.4g} {unit}", "-")


# -- how it is measured ----------------------------------------------------------------------------


def in_turn(rounds: int, runs: Mapping[str, Callable[[], float]], of: str = "") -> list[Result]:
    """Run A B C, A B C, ..., so that they share the machine's mood, and return what each round measured."""
    results: list[Result] = []
    for order in range(rounds):
        result: dict[str, float] = {}
        for name, run in runs.items():
            progress(f"{of} round {order + 1} of {rounds}: {name}")
            result[name] = run()
        results.append(result)
    return results


def progress(text: str) -> None:
    """Say on a terminal what is under way; the next text, or a row, takes its place."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text.strip()[:100]}", end="", file=sys.stderr, flush=True)


def has(tools: Sequence[str], without: str) -> bool:
    """Tell whether all tools are here; say what is done without them if not."""
    missing = [tool for tool in tools if not found(tool)]
    if missing:
        print(f"!!! No {', '.join(missing)} here: {without}.", file=sys.stderr)
    return not missing


def found(tool: str) -> str | None:
    """Return where a tool is, also one of the system."""
    return shutil.which(tool) or shutil.which(tool, path=SYSTEM_TOOLS)


def timed_process(command: Sequence[str]) -> tuple[float, float]:
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


def seconds_of(command: Sequence[str]) -> float:
    """Run a command. Returns its seconds."""
    return timed_process(command)[0]


def plain_sqlite(path: Path) -> apsw.Connection:
    """Open a database with the durability and the memory of a store, and nothing else of it."""
    flags = apsw.SQLITE_OPEN_URI | apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(f"file:{path}?psow=0", flags=flags)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -32000"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


# -- that nothing is lost --------------------------------------------------------------------------


def check_total(path: Path, expected: int) -> None:
    """Stop if what was measured is not what was asked for."""
    with LogStore(path, readonly=True) as store:
        check(path, sum(episode.count for episode in store.episodes()), expected)


def check(where: object, stored: int, expected: int) -> None:
    """Stop if a store, or a peer, does not hold what it was given."""
    if stored != expected:
        sys.exit(f"{where} holds {stored:,} records instead of {expected:,}: this would measure a defect")


def rows_in(connection: apsw.Connection, table: str) -> int:
    """Return how many rows a table of a peer has."""
    rows: Any = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(rows[0][0])


def total_of(path: Path) -> int:
    """Return how many records a store holds by its own totals: quick, however many episodes there are."""
    with open_reader(path, busy_timeout=5) as reader:
        (row,) = reader.rows("SELECT sum(count) FROM log")
    return int(row[0])
