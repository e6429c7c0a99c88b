"""What reading a line costs: parsing beside one regular expression a line, masking beside parsing."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Final

from logstore.masks import Masker, preset
from logstore.sources.parser import LineParser

CAPTURES: Final = Path(__file__).parent.parent / "tests" / "data"
NEWEST_US: Final = 1_795_392_000_000_000  # 2026-11-23
START_S: Final = 1_795_305_600

_HEADER: Final = re.compile(r"(\S+ +\S+ \S+) (\S+) ([^\s\[:]+)[^:]*: ?(.*)")
"""The single regular expression: time, host, program and message of a syslog-like line."""

CAPTURED: Final[Mapping[str, str]] = {
    "pacemaker": "pcmk-alfa2.pacemaker.log",
    "corosync": "pcmk-alfa2.corosync.log",
    "monit": "monit-a.log",
}
MADE: Final[Mapping[str, str]] = {
    "syslog3164": "%b %d %H:%M:%S alfa2 sshd[{n}]: session {n} of user{m} opened",
    "jsonl": '{{"time": "%Y-%m-%dT%H:%M:%SZ", "host": "n1", "msg": "session {n} of user{m}"}}',
    "logfmt": 'time=%Y-%m-%dT%H:%M:%SZ level=info host=n1 msg="session {n} of user{m}"',
    "redis": "11:M %d %b %Y %H:%M:%S.000 * Accepted 127.0.0.1:{n}",
    "timestamped": "%Y-%m-%d %H:%M:%S,000 INFO [worker-{m}] org.example.Job: took {n} ms",
}


def samples(count: int) -> dict[str, list[str]]:
    """Return lines of each format: our own captures, and for the others lines of which each is new."""
    found = {
        name: (CAPTURES / file).read_text(encoding="utf-8").splitlines() for name, file in CAPTURED.items()
    }
    found = {name: (lines * (count // len(lines) + 1))[:count] for name, lines in found.items()}
    for name, shape in MADE.items():
        found[name] = [
            time.strftime(shape, time.gmtime(START_S + n // 10)).format(n=n, m=n % 40) for n in range(count)
        ]
    return found


def runs(name: str, lines: Sequence[str]) -> dict[str, Callable[[], float]]:
    """Return what is measured of one format; each gives seconds."""
    parser = LineParser(name, tz=UTC, newest_us=NEWEST_US, fallback_host="n1")
    messages = [record.message for record in parser.feed(lines) + parser.finish()]
    return {
        "peer": partial(_matched, lines),
        "ours": partial(_parsed, name, lines),
        "masks": partial(_masked, messages),
    }


def _matched(lines: Sequence[str]) -> float:
    start = time.perf_counter()
    for line in lines:
        found = _HEADER.match(line)
        if found:
            found.groups()
    return time.perf_counter() - start


def _parsed(name: str, lines: Sequence[str]) -> float:
    parser = LineParser(name, tz=UTC, newest_us=NEWEST_US, fallback_host="n1")
    start = time.perf_counter()
    parser.feed(lines)
    parser.finish()
    return time.perf_counter() - start


def _masked(messages: Sequence[str]) -> float:
    rules = preset("cluster")
    assert rules is not None
    mask = Masker(rules).mask
    start = time.perf_counter()
    known: dict[str, str] = {}  # a store remembers texts, too
    for message in messages:
        if message not in known:
            known[message] = mask(message)[0]
    return time.perf_counter() - start
