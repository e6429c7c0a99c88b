"""What is logged: records, syslog lines, and a Pacemaker log of any length; the same each time."""

import os
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from logstore import Record

START_S: Final = 1_795_305_600  # 2026-11-22 00:00:00 UTC
LINES_A_SECOND: Final = 400
PACEMAKER: Final = Path(__file__).parent.parent / "tests" / "data" / "pcmk-alfa2.pacemaker.log"
CAPTURE_LASTS: Final = timedelta(seconds=488)

_STAMP: Final = re.compile(r"(\w{3} +\d+ \d\d:\d\d:\d\d)(.*)", re.DOTALL)
_COUNTER: Final = re.compile(
    r"(?:(?<=\[)\d{3,}(?=\])|(?:(?<=PID )|(?<=call[ =])|(?<=crmd/)|(?<=pe-input-)|(?<=[Tt]ransition )"
    r"|(?<=CIB update )|(?<=num_updates=)|(?<= 0\.6\.)|(?<==0\.6\.))\d+)"
)
"""What rises while a cluster runs: agents' process ids, calls, transitions, updates of the CIB."""


def text(number: int) -> str:
    """Return one of the distinct messages: about 110 bytes, as a cluster manager writes them."""
    return (
        f"Result of monitor operation for p_web_{number:06} on alfa2: ok "
        f"| graph action confirmed; call=34 rc=0 key=p_web_{number:06}"
    )


def numbers(count: int, distinct: int) -> Iterator[int]:
    """Yield which content comes when: each of them once, well mixed, then all over again."""
    return (order * 7919 % distinct for order in range(count))


def by_chance(count: int, distinct: int) -> Iterator[int]:
    """Yield which content comes when, in no order that repeats: no packer may guess the next line."""
    chance = random.Random(1)
    return (chance.randrange(distinct) for _ in range(count))


def record(order: int, number: int, start_s: int = START_S) -> Record:
    """Return the record that comes at this place, a millisecond after the one before."""
    return Record(text(number), "info", f"alfa2/pacemaker-{number % 8}", start_s * 1_000_000 + order * 1000)


def records(count: int, distinct: int, start_s: int = START_S) -> list[Record]:
    """Return records of eight sources, a millisecond apart."""
    return [record(order, number, start_s) for order, number in enumerate(numbers(count, distinct))]


def write_lines(path: Path, which: Iterable[int], rate: int = LINES_A_SECOND) -> None:
    """Write a syslog file (RFC 3164), `rate` lines a second.

    The file's time is a minute after its end: the year is taken from it.
    """
    second, stamp = -1, ""
    with path.open("w") as file:
        for order, number in enumerate(which):
            if order // rate != second:
                second = order // rate
                stamp = time.strftime("%b %d %H:%M:%S", time.gmtime(START_S + second))
            file.write(f"{stamp} alfa2 pacemaker-{number % 8}[{number % 8 + 30}]: {text(number)}\n")
    end_s = START_S + second + 60
    os.utime(path, (end_s, end_s))


def write_pacemaker(path: Path, count: int, *, rising: bool = True) -> None:
    """Write so many lines of a Pacemaker log: our capture of 488 seconds over and over, its times rising.

    With `rising`, its counters rise, too, by 1000 each time: see _COUNTER. Everything else is as captured.
    """
    captured = PACEMAKER.read_text(encoding="utf-8").splitlines(keepends=True)
    start = datetime.fromtimestamp(START_S, UTC)
    with path.open("w", encoding="utf-8") as file:
        for turn in range(-(-count // len(captured))):
            later = turn * CAPTURE_LASTS
            raised = partial(_raised, turn * 1000) if rising else str
            for line in captured[: count - turn * len(captured)]:
                file.write(_moved(line, later, start.year, raised))
    end_s = START_S + (turn + 2) * CAPTURE_LASTS.total_seconds() + 3600
    os.utime(path, (end_s, end_s))


def _moved(line: str, later: timedelta, year: int, raised: Callable[[str], str]) -> str:
    found = _STAMP.fullmatch(line)
    if not found:  # a further line of the record before
        return raised(line)
    at = datetime.strptime(f"{year} {found[1]}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC) + later
    return f"{at:%b %d %H:%M:%S}{raised(found[2])}"


def _raised(by: int, line: str) -> str:
    return _COUNTER.sub(lambda found: str(int(found[0]) + by), line)
