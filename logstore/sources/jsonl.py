"""JSON lines: one object a line, whose usual keys are the fields of a record."""

import json
import math
from collections.abc import Callable
from typing import Any, Final, TypeVar

from logstore.errors import InvalidRecord
from logstore.record import LEVELS, severity

_TIMES: Final = ("time", "ts", "timestamp", "@timestamp", "datetime", "@t")
_LEVELS: Final = (
    "level",
    "severity",
    "levelname",
    "priority",
    "log.level",
    "loglevel",
    "severity_text",
    "lvl",
    "@l",
)
_MESSAGES: Final = ("message", "msg", "body", "short_message", "event", "text", "log", "@m")
_HOSTS: Final = ("host", "hostname", "host.name", "node")
_PROGRAMS: Final = (
    "program",
    "logger",
    "app",
    "unit",
    "source",
    "service",
    "service.name",
    "name",
    "logger_name",
    "component",
    "tag",
)
_BY_TEN: Final = ("debug", "debug", "info", "warning", "error", "critical")

_T = TypeVar("_T")
Fields = tuple[str, str | None, str | None, str | None, dict[str, Any] | None, object]
"""Message, level, host, program, attributes and the time as it stands."""


def _number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


_decode: Final = json.JSONDecoder(parse_constant=str, parse_float=_number).decode  # NaN, 1e999: kept as text


def read_json(line: str) -> Fields | None:
    """Read a line that is a JSON object; None for any other line.

    Keys that say nothing of a record's own fields are its attributes. An object without a message
    is its own message, without the time.
    """
    if not line.lstrip().startswith("{"):
        return None
    try:
        fields = _decode(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    stamp = _take(fields, _TIMES, _time)
    level = _take(fields, _LEVELS, _level)
    host = _take(fields, _HOSTS, _name)
    message = _take(fields, _MESSAGES, _text)
    program = _take(fields, _PROGRAMS, _name)
    if message is None:
        return json.dumps(fields, ensure_ascii=False), level, host, program, None, stamp
    return message, level, host, program, fields or None, stamp


def _take(fields: dict[str, Any], keys: tuple[str, ...], read: Callable[[Any], _T | None]) -> _T | None:
    """Remove the first of the keys whose value makes sense, and return what it says."""
    for key in keys:
        if key in fields and (value := read(fields[key])) is not None:
            del fields[key]
            return value
    return None


def _time(value: object) -> object | None:
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _level(value: object) -> str | None:
    """Return the level a value names: a word, a severity 0..7, or 10..60 as bunyan and pino do."""
    if isinstance(value, str) and not value.isdecimal():
        try:
            return LEVELS[severity(value)]
        except InvalidRecord:
            return None
    if not isinstance(value, str | int) or isinstance(value, bool) or len(str(value)) > 2:  # noqa: PLR2004
        return None
    number = int(value)
    if 0 <= number < len(LEVELS):
        return LEVELS[number]
    tens, ones = divmod(number, 10)
    return _BY_TEN[tens - 1] if not ones and 1 <= tens <= len(_BY_TEN) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _name(value: object) -> str | None:
    """Return a name; Elastic nests it as `{"name": …}`."""
    if isinstance(value, dict) and len(value) == 1:
        value = value.get("name")
    return value if isinstance(value, str) and value else None
