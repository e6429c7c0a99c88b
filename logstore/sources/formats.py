"""The formats of log lines that are known, and how the format of a file is found."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from logstore.sources.body import Body
from logstore.sources.format import Format
from logstore.sources.jsonl import read_journal, read_json
from logstore.sources.logfmt import read_logfmt
from logstore.sources.pattern import PREFIXED, REDIS, inside, read_access
from logstore.sources.shapes import (
    COMPACT,
    CTIME,
    DATED,
    DAY_FIRST,
    EPOCH,
    NAMED_MONTH,
    YEARLESS,
    ZONE_FIRST,
    ZONED,
    anonymous,
)
from logstore.sources.structured import read_structured
from logstore.sources.textual import (
    CLUSTER_LOOSE,
    COROSYNC,
    KEEPALIVED,
    LEVELLED,
    MONIT,
    PACEMAKER,
    SYSLOG_LOOSE,
    reader,
)

SAMPLE_LINES: Final = 200
"""How many lines `detect` wants to see."""

PLAIN: Final = "plain"
"""The format of files that have none: a line is a record."""

_CLEAR_SHARE: Final = 0.5
_TRACES_SHARE: Final = 0.03
_COLOUR: Final = re.compile("\x1b\\[[0-9;:]*m")


def uncoloured(line: str) -> str:
    """Return a line without the escape sequences of colours (SGR): they are no evidence."""
    return _COLOUR.sub("", line) if "\x1b" in line else line


def _first(*shapes: str) -> re.Pattern[str]:
    """Make the stamp of lines that begin with one, or with the priority of syslog and one."""
    stamp = "|".join(anonymous(shape) for shape in shapes)
    return re.compile(rf"(?:<(?P<pri>\d{{1,3}})>)?(?P<stamp>{stamp})(?: |$)")


_RFC_5424: Final = re.compile(rf"<(?P<pri>\d{{1,3}})>\d{{1,2}} (?P<stamp>{anonymous(ZONED)}|-) ")
_MONIT: Final = re.compile(rf"(?P<pri>(?!))?\[(?P<stamp>{anonymous(DATED)}|{anonymous(ZONE_FIRST)})\] ")
_KEEPALIVED: Final = re.compile(
    rf"(?P<pri>(?!))?(?P<stamp>{anonymous(CTIME)}(?=: )|{anonymous(YEARLESS)}(?= \S))[: ]"
)
_TEXT: Final = re.compile(
    r"(?P<pri>(?!))?(?P<open>\[)?"
    rf"(?P<stamp>{'|'.join(map(anonymous, (DATED, DAY_FIRST, COMPACT, NAMED_MONTH, EPOCH)))}"
    rf"|{anonymous(CTIME)}(?!: )"  # that is keepalived
    # Python's own default writes no time: LEVEL:name:message
    r"|(?=(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):[\w.-]+:))"
    r"(?(open)\][ \t]?|(?:[ \t]|(?=[|:;,])|$|(?<!.)))"  # behind no stamp at all nothing ends it
)

FORMATS: Final[Mapping[str, Format]] = {
    known.name: known
    for known in (
        Format("pacemaker", _first(YEARLESS), reader((*PACEMAKER, *CLUSTER_LOOSE))),
        Format("corosync", _first(YEARLESS), reader((*COROSYNC, *CLUSTER_LOOSE))),
        Format("keepalived", _KEEPALIVED, reader(KEEPALIVED), program="keepalived"),
        Format("monit", _MONIT, reader(MONIT), program="monit"),
        Format("redis", None, inside(REDIS), program="redis"),
        Format("syslog5424", _RFC_5424, read_structured),
        Format("syslog3164", _first(YEARLESS, ZONED, NAMED_MONTH), reader(SYSLOG_LOOSE)),
        Format("access", None, read_access),
        Format("prefixed", None, inside(PREFIXED)),
        Format("journald", None, read_journal),
        Format("jsonl", None, read_json, data=True),
        Format("logfmt", None, read_logfmt, data=True),
        Format("timestamped", _TEXT, reader(LEVELLED), by_stamp=True),
        Format(PLAIN, re.compile("(?P<pri>(?!))?(?P<stamp>)"), Body, dated=False),
    )
}
"""Every format by name, the most particular first."""


def detect(lines: Sequence[str], formats: Mapping[str, Format] = FORMATS) -> str:
    """Return the name of the format that fits most lines of a sample, `plain` if it is no clear log.

    Most lines of a log have a header, of whatever format. Fewer are enough where the first line has
    one and several follow: such a log is full of stack traces.
    """
    sample = [uncoloured(line) for line in lines if line.strip()]
    logs = [known for known in formats.values() if known.dated]
    found = {known.name: [_fits(known, line) for line in sample] for known in logs}
    if not _is_clear([any(line) for line in zip(*found.values(), strict=True)]):
        return PLAIN
    return max(found, key=lambda name: sum(found[name]))


def hosts(known: Format, lines: Sequence[str]) -> Iterator[str]:
    """Yield the host of every line of a sample that names one."""
    for line in lines:
        body = known.read(uncoloured(line))
        if body and body.host:
            yield body.host


def _is_clear(found: Sequence[bool]) -> bool:
    headers = sum(found)
    if not headers:
        return False
    share = headers / len(found)
    return share >= _CLEAR_SHARE or (found[0] and headers > 1 and share >= _TRACES_SHARE)


def _fits(known: Format, line: str) -> bool:
    body = known.read(line)
    return body is not None and (body.typical or known.by_stamp)
