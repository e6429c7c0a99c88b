"""The usual names of a record's fields in structured lines, JSON or logfmt."""

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from logstore.sources.body import Body
from logstore.sources.levels import level_of

_TIMES: Final = (
    *("time", "ts", "timestamp", "@timestamp", "datetime", "@t", "date", "asctime"),
    *("Timestamp", "eventTime"),
)
_LEVELS: Final = (
    *("level", "severity", "levelname", "priority", "log.level", "loglevel", "severity_text", "lvl", "@l"),
    *("Level", "level_name", "log_level"),
)
_MESSAGES: Final = (
    *("message", "msg", "body", "short_message", "event", "text", "log", "@m"),
    *("Message", "RenderedMessage", "textPayload", "@mt"),
)
_HOSTS: Final = ("host", "hostname", "host.name", "node", "HOSTNAME")
_PROGRAMS: Final = (
    *("program", "logger", "app", "unit", "source", "service", "service.name", "name"),
    *("logger_name", "component", "tag", "log.logger"),
)

_T = TypeVar("_T")


def read_fields(fields: dict[str, Any]) -> Body:
    """Return what an object says. Keys that say nothing of a record's own fields are its attributes.

    An object without a message is its own message, without the time. It is typical if it has at
    least one field of a record. `fields` is used up.
    """
    stamp = _take(fields, _TIMES, _time)
    level = _take(fields, _LEVELS, level_of)
    host = _take(fields, _HOSTS, _name)
    message = _take(fields, _MESSAGES, _text)
    program = _take(fields, _PROGRAMS, _name)
    typical = (stamp, level, message) != (None, None, None)
    if message is None:
        text = json.dumps(fields, ensure_ascii=False)
        return Body(text, level, host, program, None, stamp, typical)
    return Body(message, level, host, program, fields or None, stamp, typical)


def _take(fields: dict[str, Any], keys: tuple[str, ...], read: Callable[[Any], _T | None]) -> _T | None:
    """Remove the first of the keys whose value makes sense, and return what it says.

    A key with a dot also names a key of an inner object, as Elastic nests them.
    """
    for key in keys:
        if key in fields:
            inner, name = fields, key
        elif "." in key and isinstance(fields.get(key.partition(".")[0]), dict):
            outer, _, name = key.partition(".")
            inner = fields[outer]
        else:
            continue
        value = read(inner[name]) if name in inner else None
        if value is not None:
            del inner[name]
            if not inner and inner is not fields:
                del fields[outer]
            return value
    return None


def _time(value: object) -> object | None:
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value.removesuffix("\n") if isinstance(value, str) else None  # Docker keeps the end of the line


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
