"""Formats that are one regular expression for the whole header: a user's own, and some known ones."""

import re
from collections.abc import Callable, Iterable
from typing import Final

from logstore.errors import InvalidSetting
from logstore.sources.body import Body
from logstore.sources.format import Format
from logstore.sources.levels import level_of_status
from logstore.sources.shapes import DATED, DAY_FIRST, DAY_FIRST_YEARLESS, EPOCH, MONTH_DAY, anonymous
from logstore.sources.textual import sayer

_NAME: Final = re.compile(r"[a-z0-9_-]{1,64}")
_RESERVED: Final = ("auto", "none")
_WAY_OUT: Final = r"e.g. (?P<time>\S+ \S+) (?P<level>\w+) (?P<program>\w+): "

_DATED: Final = anonymous(DATED)
_REDIS_TIME: Final = f"{anonymous(DAY_FIRST)}|{anonymous(DAY_FIRST_YEARLESS)}"

REDIS: Final = (
    re.compile(rf"(?P<pid>\d+):(?P<role>[A-Z]) (?P<time>{_REDIS_TIME}) (?P<level>[.*#-])(?: |$)"),
    re.compile(r"(?P<pid>\d+):signal-handler \((?P<time>\d{1,12})\)(?: |$)"),
    re.compile(rf"\[(?P<pid>\d+)\] (?P<time>{_REDIS_TIME}) (?P<level>[.*#-])(?: |$)"),
)
PREFIXED: Final = (
    re.compile(
        rf"(?P<level>[IWEF])(?P<time>{anonymous(MONTH_DAY)}) +(?P<pid>\d+) (?P<caller>[^\s:\]]+:\d+)\](?: |$)"
    ),
    re.compile(
        rf"(?P<file>[^\s.]\S{{0,200}}?\.log\S{{0,100}}) (?P<time>{_DATED}) "
        r"(?:(?P<pid>\d+) )?(?P<level>[A-Z]+)[ \t]+"
    ),
    re.compile(
        r"\[?(?P<level>TRACE|DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)\]?:?[ \t]+"
        rf"(?:\[(?P<thread>[^\[\]]+)\] )?\[?(?P<time>{_DATED})\]?(?:[ \t]+|$)(?:- )?"
    ),
    re.compile(
        r"(?:node=(?P<host>\S+) )?(?P<message>type=\S+ )"
        rf"msg=audit\((?P<time>{EPOCH}):(?P<serial>\d+)\):(?: |$)"
    ),
)
"""Something stands before the stamp: klog and glog, OpenStack's collected logs, the level first, audit."""

_ACCESS: Final = re.compile(
    rf"((?:\S+ ){{3,5}})\[({anonymous(DAY_FIRST)})\] (\"(?:[^\"\\]|\\.)*+\" (\d{{3}})(?: .*)?)",
    re.DOTALL,
)


def pattern_format(name: str, regex: str) -> Format:
    r"""Return the format that a regular expression with named groups describes.

    It is matched at the start of a line. `time`, `level`, `host`, `program`, `pid` and `message` are
    the fields of the record, any further named group becomes an attribute. The message is the group
    of that name with what follows the match; without such a group, what follows the match.

    Raises InvalidSetting for an expression that cannot be a header, e.g. for one that matches nothing
    at all: `pattern_format("app", r"(?P<time>\S+ \S+) (?P<level>\w+) ")`.
    """
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise InvalidSetting(
            f"{name!r} names no format; use small letters, digits, - and _, not auto or none"
        )
    try:
        pattern = re.compile(regex)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidSetting(
            f"the pattern {name} is no regular expression: {error}; correct {regex!r}, {_WAY_OUT}"
        ) from error
    if not {"time", "message"} & set(pattern.groupindex):
        raise InvalidSetting(
            f"the pattern {name} names no group `time` or `message`; name what is what, {_WAY_OUT}"
        )
    if pattern.match(""):
        raise InvalidSetting(
            f"the pattern {name} matches an empty line, so any line would be a record; "
            f"have it ask for something, {_WAY_OUT}"
        )
    return Format(name, None, inside((pattern,)))


def inside(patterns: Iterable[re.Pattern[str]]) -> Callable[[str], Body | None]:
    """Make a reader of whole lines, in which the group `time` is the stamp."""
    known = [
        (one.match, sayer(one), one.groupindex.get("time", 0), one.groupindex.get("message", 0))
        for one in patterns
    ]

    def read(line: str) -> Body | None:
        for match_of, said, time_at, message_at in known:
            if match := match_of(line):
                message = line[match.end() :]
                if message_at:
                    message = (match[message_at] or "") + message
                return said(match, message, match[time_at] if time_at else None)
        return None

    return read


def read_access(line: str) -> Body | None:
    """Read a line of a web server's access log, common or combined; its message is all but the stamp."""
    match = _ACCESS.fullmatch(line)
    if match is None:
        return None
    before, stamp, after, status = match.groups()
    return Body(before + after, level_of_status(status), stamp=stamp)
