"""The formats of log lines: what is header, and what the header says."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from logstore.record import LEVELS, severity
from logstore.sources.jsonl import read_json
from logstore.sources.stamps import DATED, YEARLESS, ZONED
from logstore.sources.structured import read_structured

SAMPLE_LINES: Final = 200
"""How many lines `detect` wants to see."""

_CLEAR_SHARE: Final = 0.5
_TRACES_SHARE: Final = 0.03
_PID_DIGITS: Final = 19  # so many may not fit an integer of SQLite
_EXTRAS: Final = ("function", "subsystem")


class Body(NamedTuple):
    """What a line says besides its stamp; None where it says nothing of the kind.

    `stamp` is a time that stands inside the body, as in JSON.
    """

    message: str
    level: str | None = None
    host: str | None = None
    program: str | None = None
    attributes: dict[str, Any] | None = None
    stamp: object = None


@dataclass(frozen=True, slots=True)
class Format:
    """One format of lines.

    `stamp` matches the stamp at the start of a line with the one blank after it, and names the
    groups `stamp` and `pri`; None: the stamp is in the body. `body`
    reads the rest, None where it has no header. `typical` says so only of a rest that no other
    format has; detection counts those.
    """

    name: str
    stamp: re.Pattern[str] | None
    body: Callable[[str], Body | None]
    typical: Callable[[str], Body | None]


_ANY: Final = (
    "emergency|emerg|panic|alert|critical|crit|fatal|error|err|warning|warn|notice"
    "|informational|info|debug|trace"
)
_LEVEL: Final = rf"(?P<level>(?i:{_ANY}))"
_CAPITALS: Final = rf"(?P<level>{_ANY.upper()})"
_HOST: Final = r"(?P<host>[^\s\[\]()]*[^\s\[\]():])"
_PROGRAM: Final = r"(?P<program>[^\s\[\]:]+)"

_PACEMAKER: Final = (
    re.compile(
        r"(?P<host>\S+) (?P<program>\S+?) *\[(?P<pid>\d+)\] (?:\((?P<function>[^)]*)\))?"
        rf"[ \t]+{_LEVEL}: ?"
    ),
    re.compile(rf" ?(?P<program>[^\s\[\]]+)\[(?P<pid>\d+)\]:[ \t]+{_LEVEL}: ?"),
)
_COROSYNC: Final = (
    re.compile(
        r"\[(?P<pid>\d+)\] (?P<host>\S+) (?P<program>corosync\S*) +"
        rf"{_LEVEL} +\[(?P<subsystem>[^\]]*?) *\] ?"
    ),
)
_SYSLOG: Final = (
    re.compile(rf"{_HOST} {_PROGRAM}(?:\[(?P<pid>[^\s\[\]]+)\])?:(?: |$)"),
    re.compile(rf"{_PROGRAM}\[(?P<pid>[^\s\[\]]+)\]:(?: |$)"),
)
_BARE: Final = re.compile("")
_SYSLOG_LOOSE: Final = (*_SYSLOG, re.compile(rf"{_HOST} "), _BARE)
_LEVELLED: Final = (
    re.compile(rf"(?:[|:;,] ?|- )?(?:(?P<pid>\d+) )?\[{_LEVEL} *\][ \t]*(?:[:-](?:[ \t]|$))?"),
    re.compile(rf"(?:[|:;,] ?|- )?(?:(?P<pid>\d+) )?{_CAPITALS}(?![\w.-])[ \t]*(?:[:|-](?:[ \t]|$))?"),
    re.compile(rf"(?:- )?{_LEVEL}[ \t]*:(?:[ \t]|$)"),
    re.compile(rf"(?P<program>[\w-]+)\.{_CAPITALS}:(?: |$)"),
    re.compile(rf"- (?P<program>[\w.]+) - {_CAPITALS} - "),
    # A bare small word may be a level or the first word of a text: it counts, and it stays.
    re.compile(rf"(?=(?P<level>{_ANY})[ \t])"),
    _BARE,
)


def _body(patterns: Sequence[re.Pattern[str]]) -> Callable[[str], Body | None]:
    """Make a reader of bodies: the first pattern that matches is the header, the rest the text."""

    def read(rest: str) -> Body | None:
        for pattern in patterns:
            if match := pattern.match(rest):
                return _said(match.groupdict(), rest[match.end() :])
        return None

    return read


def _said(groups: Mapping[str, str | None], message: str) -> Body:
    level, pid = groups.get("level"), groups.get("pid")
    attributes: dict[str, Any] = {}
    if pid:
        attributes["pid"] = int(pid) if pid.isdecimal() and len(pid) < _PID_DIGITS else pid
    for name in _EXTRAS:
        if value := groups.get(name):
            attributes[name] = value
    return Body(
        message,
        LEVELS[severity(level)] if level else None,
        groups.get("host"),
        groups.get("program"),
        attributes or None,
    )


def _json_body(line: str) -> Body | None:
    found = read_json(line)
    return None if found is None else Body(*found)


def _structured_body(rest: str) -> Body | None:
    found = read_structured(rest)
    return None if found is None else Body(*found)


def _beginning(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:<(?P<pri>\d{{1,3}})>)?(?P<stamp>{pattern})(?: |$)")


_CLUSTER_STAMP: Final = _beginning(YEARLESS)
_TEXT_STAMP: Final = re.compile(
    rf"(?P<pri>(?!))?(?P<open>\[)?(?P<stamp>{DATED})(?(open)\][ \t]?|(?:[ \t]|(?=[|:;,])|$))"
)
_5424_STAMP: Final = re.compile(rf"<(?P<pri>\d{{1,3}})>\d{{1,2}} (?P<stamp>{ZONED}|-) ")

FORMATS: Final[Mapping[str, Format]] = {
    known.name: known
    for known in (
        Format("pacemaker", _CLUSTER_STAMP, _body((*_PACEMAKER, *_SYSLOG, _BARE)), _body(_PACEMAKER)),
        Format("corosync", _CLUSTER_STAMP, _body((*_COROSYNC, *_SYSLOG, _BARE)), _body(_COROSYNC)),
        Format("syslog5424", _5424_STAMP, _structured_body, _structured_body),
        Format("syslog3164", _beginning(f"{YEARLESS}|{ZONED}"), _body(_SYSLOG_LOOSE), _body(_SYSLOG)),
        Format("jsonl", None, _json_body, _json_body),
        Format("timestamped", _TEXT_STAMP, _body(_LEVELLED), _body(_LEVELLED)),
        Format("plain", re.compile("(?P<pri>(?!))?(?P<stamp>)"), Body, lambda _rest: None),
    )
}
"""Every format by name, the most particular first."""


def detect(lines: Sequence[str]) -> str:
    """Return the name of the format that fits a sample best, `plain` if none clearly does.

    Most lines of a log have a header. Fewer are enough where the first line has one and several
    follow: such a log is full of stack traces.
    """
    sample = [line for line in lines if line.strip()]
    best, share = "plain", 0.0
    for known in FORMATS.values():
        found = [_fits(known, line) for line in sample]
        if found and sum(found) / len(sample) > share and _is_clear(found):
            best, share = known.name, sum(found) / len(sample)
    return best


def hosts(known: Format, lines: Sequence[str]) -> Iterator[str]:
    """Yield the host of every line of a sample that names one."""
    for line in lines:
        rest = _after_stamp(known, line)
        body = None if rest is None else known.body(rest)
        if body is not None and body.host:
            yield body.host


def _is_clear(found: Sequence[bool]) -> bool:
    share = sum(found) / len(found)
    return share >= _CLEAR_SHARE or (found[0] and sum(found) > 1 and share >= _TRACES_SHARE)


def _fits(known: Format, line: str) -> bool:
    rest = _after_stamp(known, line)
    return rest is not None and known.typical(rest) is not None


def _after_stamp(known: Format, line: str) -> str | None:
    if known.stamp is None:
        return line
    match = known.stamp.match(line)
    return None if match is None else line[match.end() :]
