"""What a call of `logger.info` costs the program: LogStoreHandler beside logging.FileHandler."""

import gc
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean, median
from typing import Final, NamedTuple

from bench_common import Result, Row, Sizes, check, check_total, progress, ratio_row

from logstore.handler import LogStoreHandler

USUAL: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"
PLAIN: Final = "%(message)s"
RESOURCES: Final = 200

Make = Callable[[Path], logging.Handler]


class Taken(NamedTuple):
    """What a call took the caller, in microseconds."""

    p50: float
    mean: float
    storm: float


def handler_rows(folder: Path, rounds: int, sizes: Sizes) -> Iterator[Row]:
    """Measure both as a user would set them up, then both with the message alone."""
    cases: tuple[tuple[str, str, Make, Make], ...] = (
        ("defaults", "<= 0.6", LogStoreHandler, file_handler),
        (PLAIN, "", plain(LogStoreHandler), plain(file_handler)),
    )
    rate = f"at {sizes.steady_rate:,}/s"
    kinds = {"p50": f"{rate}, p50", "mean": f"{rate}, mean", "storm": "storm, mean"}
    for name, goal, ours, peer in cases:
        pairs: list[tuple[Taken, Taken]] = []
        for order in range(rounds):
            progress(f"logger.info, {name}, round {order + 1} of {rounds}")
            pairs.append((timed_calls(folder, ours, sizes), timed_calls(folder, peer, sizes)))
        for field, kind in kinds.items():
            results: list[Result] = [
                {"ours": getattr(mine, field), "peer": getattr(theirs, field)} for mine, theirs in pairs
            ]
            yield ratio_row(f"logger.info, {name}, {kind}", goal, results, "us")


def file_handler(path: Path) -> logging.Handler:
    """Return the peer with the usual format."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter(USUAL))
    return handler


def plain(make: Make) -> Make:
    """Return what makes the same handler with the message alone."""

    def made(path: Path) -> logging.Handler:
        handler = make(path)
        handler.setFormatter(logging.Formatter(PLAIN))
        return handler

    return made


def timed_calls(folder: Path, make: Make, sizes: Sizes) -> Taken:
    """Log at a steady rate, then as fast as it goes, and see that nothing was lost."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        path = Path(fresh) / "log"
        handler = make(path)
        logger = logging.getLogger("bench")
        logger.propagate = False
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        try:
            steady = steady_calls(logger, sizes.steady_calls, sizes.steady_rate)
            storm = storm_call(logger, sizes.storm_calls)
        finally:
            logger.removeHandler(handler)
            handler.close()
        check_all(path, handler, sizes.steady_calls + sizes.storm_calls)
    return Taken(median(steady), fmean(steady), storm)


def steady_calls(logger: logging.Logger, calls: int, rate: int) -> list[float]:
    """Return what each call took, in microseconds."""
    taken: list[float] = []
    gc.collect()
    begin = time.perf_counter()
    for order in range(calls):
        wait = begin + order / rate - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        start = time.perf_counter_ns()
        log(logger, order)
        taken.append((time.perf_counter_ns() - start) / 1000)
    return taken


def storm_call(logger: logging.Logger, calls: int) -> float:
    """Return what a call took on average, without a pause between them, in microseconds."""
    gc.collect()
    start = time.perf_counter()
    for order in range(calls):
        log(logger, order)
    return (time.perf_counter() - start) / calls * 1_000_000


def log(logger: logging.Logger, order: int) -> None:
    """Log as a cluster manager does: one of 400 texts."""
    name, node = f"p_web_{order * 7919 % RESOURCES:06}", "alfa1" if order % 3 else "alfa2"
    logger.info("Result of monitor operation for %s on %s: ok", name, node)


def check_all(path: Path, handler: logging.Handler, expected: int) -> None:
    """Stop if a record was dropped or is missing."""
    if not isinstance(handler, LogStoreHandler):
        with path.open() as file:
            check(path, sum(1 for _ in file), expected)
        return
    if handler.dropped:
        sys.exit(
            f"{handler.dropped:,} records were dropped in a storm of repeats: this would measure a defect"
        )
    check_total(path, expected)
