"""What follows the stamp of a line of text: the headers of each format, as regular expressions.

The names of the groups are those of a record (`level host program pid`); any other group becomes an
attribute. What no header takes is the message. A group `_loose` marks a header that lines of other
formats seem to have, too.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from logstore.sources.body import Body
from logstore.sources.levels import level_named
from logstore.sources.shapes import anonymous

_FIELDS: Final = frozenset({"level", "host", "program", "pid", "message", "time", "_loose"})
_PID_DIGITS: Final = 19  # so many may not fit an integer of SQLite

_ANY: Final = (
    "emergency|emerg|panic|alert|critical|crit|fatal|severe|error|err|warning|warn|notice|note"
    "|informational|info|debug|trace"
)
_LEVEL: Final = rf"(?P<level>(?i:{_ANY}))"
_CAPITALS: Final = rf"(?P<level>{_ANY.upper()}|FINE(?:R|ST)?|CONFIG|VERBOSE)"
_BRACKETED: Final = rf"(?P<level>(?i:{_ANY}|system)|trace[1-8])"  # MySQL's System, Apache's traces
_POSTGRES: Final = (
    r"(?P<level>DEBUG[1-5]|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|CONTEXT|STATEMENT|QUERY)"
)
_HOST: Final = r"(?P<host>[^\s\[\]()]*[^\s\[\]():])"
_PROGRAM: Final = r"(?P<program>[^\s\[\]:]+)"
_DAEMON: Final = (
    r"(?P<program>pacemaker[\w-]*|crmd|cib|stonith-ng|stonithd|attrd|lrmd|pengine|crm_\w+|cibadmin)"
)
_OPENING: Final = r"(?:[|:;,] ?|- )?(?:(?P<pid>\d+) )?"
_COUNTS_AND_STAYS: Final = rf"(?:(?=[ \t]*[A-Za-z]+: )(?=[ \t]*{_LEVEL}: ))?"  # it may be text as well

PACEMAKER: Final = (
    re.compile(
        r"(?P<host>\S+) (?P<program>\S+?) *\[(?P<pid>\d+)\] (?:\((?P<function>[^)]*)\))?"
        rf"[ \t]+{_LEVEL}: ?"
    ),
    re.compile(rf" ?(?P<program>[^\s\[\]]+)\[(?P<pid>\d+)\]:[ \t]+{_LEVEL}: ?"),
    re.compile(
        rf"\[(?P<pid>\d+)\] (?P<host>\S+) +(?P<program>[^\s\[\]:]+):[ \t]+{_LEVEL}:"
        r"[ \t]*(?:(?P<function>[A-Za-z_]\w*):(?:[ \t]|$))?[ \t]?"
    ),
    re.compile(rf"(?P<host>\S+) {_DAEMON}\[(?P<pid>\d+)\]:[ \t]+{_LEVEL}: ?"),
)
COROSYNC: Final = (
    re.compile(
        r"(?:\[(?P<pid>\d+)\] (?:(?P<host>\S+) )?)?(?P<program>corosync[^\s\[\]:]*) +"
        rf"(?:{_LEVEL} +)?\[(?P<subsystem>[^\]]{{0,60}}?) *\] ?"
    ),
)
SYSLOG: Final = (
    re.compile(rf"{_HOST} {_PROGRAM}(?:\[(?P<pid>[^\s\[\]]+)\])?:(?: |$){_COUNTS_AND_STAYS}"),
    re.compile(rf"{_PROGRAM}\[(?P<pid>[^\s\[\]]+)\]:(?: |$){_COUNTS_AND_STAYS}"),
)
_BARE: Final = re.compile("(?P<_loose>)")
SYSLOG_LOOSE: Final = (
    *SYSLOG,
    re.compile(
        rf"(?P<_loose>)(?!{anonymous(_LEVEL)}:)(?P<program>[^\s\[\]:]{{1,48}}):(?: |$){_COUNTS_AND_STAYS}"
    ),
    re.compile(rf"(?P<_loose>){_HOST} "),
    _BARE,
)
CLUSTER_LOOSE: Final = (*(re.compile(f"(?P<_loose>){header.pattern}") for header in SYSLOG), _BARE)
MONIT: Final = (re.compile(rf"(?=\S+ *: )(?=.{{9}}: ){_LEVEL} +: "),)
KEEPALIVED: Final = (
    re.compile(r"(?:(?P<host>\S+) )?(?P<program>Keepalived\w*)(?:\[(?P<pid>\d+)\])?: "),
    re.compile(r" (?:(?P<program>Keepalived\w*)(?:\[(?P<pid>\d+)\])?: )?"),  # its own file: "2026: text"
)
LEVELLED: Final = (
    re.compile(rf"(?P<_loose>){MONIT[0].pattern}"),
    re.compile(
        rf"\[(?:(?P<module>[\w.-]+):)?{_BRACKETED}\] \[pid (?P<pid>\d+)(?::tid (?P<tid>\d+))?\](?:[ \t]|$)"
    ),
    re.compile(rf"\[{_BRACKETED}\] (?P<pid>\d+)#(?P<tid>\d+):(?:[ \t]|$)"),
    re.compile(rf"{_OPENING}\[(?:(?P<module>[a-z]\w*):)?{_BRACKETED} *\][ \t]*(?:[:-](?:[ \t]|$))?"),
    re.compile(rf"\[(?P<pid>\d+)(?:-\d+)?\]:? (?:(?P<user>[^\s@]+@\S*) )?{_POSTGRES}:(?:[ \t]+|$)"),
    re.compile(rf"{_CAPITALS}:(?P<program>[\w.-]+):"),
    re.compile(rf" *{_CAPITALS} (?P<pid>\d+) --- "),
    re.compile(rf"{_OPENING}{_CAPITALS}(?![\w.-])[ \t]*(?:[:|-](?:[ \t]|$))?"),
    re.compile(rf"(?:- )?\[(?P<thread>[^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\] {_CAPITALS}(?![\w.-])[ \t]*"),
    re.compile(rf"(?=(?:- )?[A-Za-z]+[ \t]*:)(?:- )?{_LEVEL}[ \t]*:(?:[ \t]|$)"),
    re.compile(rf"(?P<program>[\w-]+)\.{_CAPITALS}:(?: |$)"),
    re.compile(rf"- (?P<program>[\w.-]+) - {_CAPITALS} - "),
    re.compile(r"(?P<level>[DIWEF]) (?P<subsystem>[A-Z]{2,}|-) +(?=\[)"),  # MongoDB before 4.4
    # A bare small word may be a level or the first word of a text: it counts, and it stays.
    re.compile(rf"(?=[a-z]+[ \t])(?=(?P<level>{_ANY})[ \t])"),
    re.compile(rf"(?P<_loose>)(?={anonymous(SYSLOG[0].pattern)})"),
    re.compile(""),
)


def reader(headers: Iterable[re.Pattern[str]]) -> Callable[[str], Body | None]:
    """Make a reader of bodies: the first pattern that matches is the header, the rest the message."""
    known = [(header.match, sayer(header)) for header in headers]

    def read(rest: str) -> Body | None:
        for match_of, said in known:
            if match := match_of(rest):
                return said(match, rest[match.end() :], None)
        return None

    return read


def sayer(header: re.Pattern[str]) -> Callable[[re.Match[str], str, str | None], Body]:
    """Make a function that turns what the groups of a match say, a message and a stamp into a body."""
    place = header.groupindex
    level_at, host_at = place.get("level", 0), place.get("host", 0)
    program_at, pid_at = place.get("program", 0), place.get("pid", 0)
    typical = "_loose" not in place
    further = [(name, at) for name, at in place.items() if name not in _FIELDS]

    def said(match: re.Match[str], message: str, stamp: str | None) -> Body:
        attributes: dict[str, Any] = {name: value for name, at in further if (value := match[at])}
        level = None
        if level_at and (word := match[level_at]):
            level = level_named(word)
            if level is None:
                attributes["level"] = word
        if pid_at and (pid := match[pid_at]):
            process = _process(pid) if len(pid) < _PID_DIGITS else {"pid": pid}
            attributes = {**process, **attributes} if attributes else process
        host = match[host_at] if host_at else None
        program = match[program_at] if program_at else None
        return Body(message, level, host, program, attributes or None, stamp, typical)

    return said


@lru_cache(maxsize=4096)
def _process(pid: str) -> dict[str, Any]:
    """Return the attributes of a process, the same object again: the store writes out each object once."""
    return {"pid": int(pid) if pid.isdecimal() else pid}
