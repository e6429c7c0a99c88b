"""What a sweep costs beside a bare move between two plain tables, and how long it keeps a writer waiting."""

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench_common import (
    LOGSTORE,
    Row,
    Sizes,
    check,
    check_total,
    figure_row,
    in_turn,
    plain_sqlite,
    progress,
    ratio_row,
    rows_in,
)
from bench_input import records

from logstore import LogStore, statements
from logstore.sweep import STEP_ROWS

TABLES: Final = re.compile(
    r"CREATE TABLE (?:queue|archive) .*?\) STRICT;|CREATE INDEX (?:queue|archive)_.*?;", re.DOTALL
)
INSERT: Final = """
INSERT INTO archive ({columns}, reason) SELECT {columns}, 'gap' FROM queue ORDER BY last_us LIMIT ?
"""
DELETE: Final = (
    "DELETE FROM queue WHERE content_id IN (SELECT content_id FROM queue ORDER BY last_us LIMIT ?)"
)
COLUMNS: Final = """
SELECT group_concat(name) FROM pragma_table_info('queue')
WHERE name IN (SELECT name FROM pragma_table_info('archive'))
"""
DAY_S: Final = 86_400


def sweep_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure a sweep of a store where everything is due, then `log()` while another process sweeps."""
    due = folder / "due.db"
    make_due(due, sizes.due)
    runs = {"ours": partial(sweep, folder, due, sizes.due), "peer": partial(move, folder, due, sizes.due)}
    results = in_turn(rounds, runs, "sweep,")
    yield ratio_row(f"sweep of {sizes.due:,}, to a bare move", ">= 0.4", results, "episodes/s")
    waits = in_turn(rounds, {"ms": partial(longest_wait, folder, due, sizes.due)}, "log() beside a sweep,")
    longest = [result["ms"] for result in waits]
    yield figure_row("log() while another process sweeps, longest in ms", "< 100", longest, "ms")
    due.unlink()


def make_due(path: Path, episodes: int) -> None:
    """Make a store whose episodes, one a content, were all received yesterday."""
    progress(f"making a store with {episodes:,} due episodes")
    start_s = int(time.time()) - DAY_S
    with LogStore(
        path, max_open=2 * episodes, auto_sweep=False, clock_us=lambda: start_s * 1_000_000
    ) as store:
        store.log_many(records(episodes, episodes, start_s - DAY_S))


def sweep(folder: Path, due: Path, episodes: int) -> float:
    """Sweep a copy. Returns episodes a second."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        path = Path(shutil.copy(due, fresh))
        with LogStore(path) as store:
            start = time.perf_counter()
            moved = store.sweep()
            seconds = time.perf_counter() - start
            check("the sweep's own count", moved, episodes)
            check(path, sum(1 for _ in store.episodes(state="closed")), episodes)
        check_total(path, episodes)
    return episodes / seconds


def move(folder: Path, due: Path, episodes: int) -> float:
    """Move the same rows between tables of the same columns and indexes. Returns episodes a second."""
    with (
        tempfile.TemporaryDirectory(dir=folder) as fresh,
        closing(plain_sqlite(Path(fresh) / "plain.db")) as connection,
    ):
        for statement in TABLES.findall(statements.SCHEMA):
            connection.execute(statement)
        connection.execute("ATTACH ? AS due", (str(due),))
        connection.execute("INSERT INTO queue SELECT * FROM due.queue")
        connection.execute("DETACH due")
        found: Any = connection.execute(COLUMNS).fetchall()
        columns = found[0][0]
        insert = INSERT.format(columns=columns)
        start = time.perf_counter()
        for _ in range(-(-episodes // STEP_ROWS)):
            with connection:
                connection.execute(insert, (STEP_ROWS,))
                connection.execute(DELETE, (STEP_ROWS,))
        seconds = time.perf_counter() - start
        check("the plain archive", rows_in(connection, "archive"), episodes)
        check("the plain queue", rows_in(connection, "queue"), 0)
    return episodes / seconds


def longest_wait(folder: Path, due: Path, episodes: int) -> float:
    """Call `log()` all the time while `logstore sweep` runs in a process. Returns the longest, milliseconds.

    The calls sweep nothing themselves, so that the process has everything to move.
    """
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        path = Path(shutil.copy(due, fresh))
        taken: list[int] = []
        with LogStore(path, auto_sweep=False) as store:
            command = [*LOGSTORE, "--db", str(path), "sweep"]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as sweeping:
                while sweeping.poll() is None:
                    start = time.perf_counter_ns()
                    store.log(f"still here {len(taken) % 100}")
                    taken.append(time.perf_counter_ns() - start)
            check("logstore sweep's exit status", sweeping.returncode, 0)
            check(path, sum(1 for _ in store.episodes(state="closed")), episodes)
        check_total(path, episodes + len(taken))
    return max(taken) / 1_000_000
