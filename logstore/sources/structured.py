"""The body of an RFC 5424 line: `HOST APP PROCID MSGID [STRUCTURED DATA] MESSAGE`."""

import re
from typing import Any, Final

from logstore.sources.body import Body

_HEADER: Final = re.compile(r"(\S+) (\S+) (\S+) (\S+) ")
_NAME: Final = r'[^\s="\]]+'
_VALUE: Final = r'"((?:[^"\\]|\\.)*)"'
_PARAMETER: Final = re.compile(rf" +({_NAME})={_VALUE}", re.DOTALL)
_ELEMENT: Final = re.compile(rf'\[({_NAME})((?: +{_NAME}="(?:[^"\\]|\\.)*")*) *\]', re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\\]])')
_NIL: Final = "-"
_BOM: Final = "\ufeff"


def read_structured(rest: str) -> Body | None:
    """Read what follows the stamp of an RFC 5424 line; None if it has not that shape.

    The process id, the message id and the structured data (`{ID: {NAME: VALUE}}`, a list of
    values where a name repeats) become attributes.
    """
    match = _HEADER.match(rest)
    if match is None:
        return None
    data, end = _structured_data(rest, match.end())
    if end < 0 or rest[end : end + 1] not in ("", " "):
        return None
    host, program, pid, message_id = (None if text == _NIL else text for text in match.groups())
    attributes: dict[str, Any] = {}
    if pid is not None:
        attributes["pid"] = int(pid) if re.fullmatch(r"[0-9]{1,18}", pid) else pid
    if message_id is not None:
        attributes["msgid"] = message_id
    if data:
        attributes["structured_data"] = data
    return Body(rest[end + 1 :].removeprefix(_BOM), None, host, program, attributes or None)


def _structured_data(rest: str, start: int) -> tuple[dict[str, Any], int]:
    """Return the structured data that begins at `start` and where it ends; -1 if there is none."""
    if rest.startswith(_NIL, start):
        return {}, start + 1
    data: dict[str, Any] = {}
    end = start
    while element := _ELEMENT.match(rest, end):
        _add(data.setdefault(element[1], {}), element[2])
        end = element.end()
    return data, end if end > start else -1


def _add(values: dict[str, Any], parameters: str) -> None:
    for name, escaped in _PARAMETER.findall(parameters):
        value = _ESCAPED.sub(r"\1", escaped)
        if name not in values:
            values[name] = value
        elif isinstance(values[name], list):
            values[name].append(value)
        else:
            values[name] = [values[name], value]
