"""JSON lines: one object a line, of any program, of OpenTelemetry, or of the systemd journal."""

import json
import math
import re
from typing import Any, Final

from logstore.record import LEVELS, SECOND_US
from logstore.sources.body import Body
from logstore.sources.fields import read_fields
from logstore.sources.telemetry import is_telemetry, usual_fields

_JOURNAL_TIMES: Final = ("_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP")
_JOURNAL_PROGRAMS: Final = ("SYSLOG_IDENTIFIER", "_COMM")
_JOURNAL_ALIASES: Final = {"_PID": "pid", "_UID": "uid", "_SYSTEMD_UNIT": "unit"}
_JOURNAL_USED: Final = frozenset(
    {"MESSAGE", "PRIORITY", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "SYSLOG_TIMESTAMP", "SYSLOG_RAW"}
)
_BYTE: Final = range(256)


def _number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


_decode: Final = json.JSONDecoder(parse_constant=str, parse_float=_number).decode  # NaN, 1e999: kept as text


def read_json(line: str) -> Body | None:
    """Read a line that is a JSON object; None for any other line. The names are those of read_fields."""
    fields = _object(line)
    if fields is None:
        return None
    if is_telemetry(fields):
        fields = usual_fields(fields)
    elif isinstance(fields.get("t"), dict) and "$date" in fields["t"]:  # MongoDB
        fields |= {"time": fields.pop("t")["$date"], "level": fields.pop("s", None)}
    return read_fields(fields)


def read_journal(line: str) -> Body | None:
    """Read an entry as `journalctl -o json` writes it; None for any other line.

    The time is when the entry was sent, else when it was received. Attributes are `pid`, `uid` and
    `unit`, and every field that the sender chose (no underscore in front). Left out are the
    journal's own addresses (`__CURSOR`, ...) and what it knows of the sender besides. A message
    that is no UTF-8 comes as a list of bytes; one that was left out for its size is null: it is
    empty, and `MESSAGE` in the attributes says so.
    """
    fields = _object(line)
    if fields is None or "__REALTIME_TIMESTAMP" not in fields:
        return None
    message = _message(fields.get("MESSAGE"))
    attributes: dict[str, Any] = {}
    if message is None:
        message, attributes["MESSAGE"] = "", fields.get("MESSAGE")
    for key, value in fields.items():
        if name := _JOURNAL_ALIASES.get(key):
            number = _number_in(value)
            attributes[name] = value if number is None else number
        elif not key.startswith("_") and key not in _JOURNAL_USED:
            attributes[key] = value
    priority = _number_in(fields.get("PRIORITY"))
    return Body(
        message,
        LEVELS[priority] if priority is not None and priority < len(LEVELS) else None,
        _first(fields, ("_HOSTNAME",)),
        _first(fields, _JOURNAL_PROGRAMS),
        attributes or None,
        _seconds(_first(fields, _JOURNAL_TIMES)),
    )


def _object(line: str) -> dict[str, Any] | None:
    if not line.lstrip().startswith("{"):
        return None
    try:
        fields = _decode(line)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _message(value: object) -> str | None:
    """Return the text of a field: a text, a list of bytes, or a list of such for one given twice."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return None
    if all(type(byte) is int and byte in _BYTE for byte in value):
        return bytes(value).decode(errors="backslashreplace")
    texts = [_message(one) for one in value]
    return None if None in texts else "\n".join(text for text in texts if text is not None)


def _first(fields: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((text for key in keys if (text := _message(fields.get(key)))), None)


def _number_in(value: object) -> int | None:
    """Return the whole number that a text says, if it is one that SQLite can hold."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,18}", value):
        return None
    return int(value)


def _seconds(microseconds: str | None) -> str | None:
    """Return the journal's microseconds as seconds: early ones would not be known for what they are."""
    number = _number_in(microseconds)
    if number is None:
        return microseconds
    return f"{number // SECOND_US}.{number % SECOND_US:06}"
