"""logfmt: `time=2026-11-22T00:25:43Z level=info msg="all is well" n=1`."""

import re
from typing import Any, Final

from logstore.sources.body import Body
from logstore.sources.fields import read_fields

_KEY: Final = r'[^\s="\'{}\[\]()<>]+'
_PAIR: Final = re.compile(rf'({_KEY})=(?:"((?:[^"\\]|\\.)*+)"|([^\s"]*))(?:[ \t]+|$)', re.DOTALL)
_START: Final = re.compile(rf'{_KEY}=["\S]')
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_WRITTEN: Final = {"n": "\n", "t": "\t", "r": "\r"}


def read_logfmt(line: str) -> Body | None:
    """Read a line that is pairs from its first sign to its last; None for any other line.

    The values of a key that comes again are a list. The names are those of read_fields; a line that
    has none of a record's fields is no log.
    """
    if not _START.match(line):
        return None
    fields: dict[str, Any] = {}
    place = 0
    while place < len(line):
        match = _PAIR.match(line, place)
        if match is None:
            return None
        key, quoted, bare = match.groups()
        value = bare if quoted is None else _unquoted(quoted)
        fields[key] = [*_listed(fields[key]), value] if key in fields else value
        place = match.end()
    body = read_fields(fields)
    return body if body.typical else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(lambda match: _WRITTEN.get(match[1], match[1]), text)
