"""The journal's export format (`journalctl -o export`) to lines of JSON (`journalctl -o json`)."""

import json
import re
from codecs import utf_8_decode
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from logstore.errors import InputUnreadable
from logstore.identity import MAX_MESSAGE_BYTES

_HEAD: Final = re.compile(rb"__(?:CURSOR|REALTIME_TIMESTAMP|MONOTONIC_TIMESTAMP|SEQNUM|SEQNUM_ID)=")
_NAME: Final = re.compile(rb"([A-Za-z0-9_]{1,256})[=\n]")
_NAME_CUT: Final = re.compile(rb"([A-Za-z0-9_]{1,256})")
_NAME_BYTES: Final = 257
_BLOCK_BYTES: Final = 65_536
_LENGTH_BYTES: Final = 8
_MESSAGE: Final = "MESSAGE"
_MESSAGE_HELD: Final = 32 * 1024 * 1024
_OTHERS_HELD: Final = 128 * 1024  # written out as JSON six times that at most: there is room for a message
_ESCAPED: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

Fields = dict[str, list[bytes | None]]
"""The values of an entry by name; None: one too large to be held."""

Value = str | list[int]


def looks_like_export(head: bytes) -> bool:
    """Return whether bytes are the beginning of a journal in the export format."""
    return _HEAD.match(head) is not None


def export_to_json_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield a line of JSON for each entry, as `journalctl -o json --all` does, in bounded memory.

    A line is at most MAX_MESSAGE_BYTES long: a longer message goes on in further lines, the same but
    for `MESSAGE` and a number `part`. Of a message over 32 MiB the rest is left out, `MESSAGE_LEFT_OUT`
    says how many bytes; of the other fields 128 KiB are kept, those beyond become null or go. An entry
    that is cut off is kept as it is. Raises InputUnreadable, after all that was read before, for what
    is no export.
    """
    source = _Source(stream)
    fault = None
    while not (fault or source.at_end()):
        fields: Fields = {}
        try:
            _read_entry(source, fields)
        except InputUnreadable as error:
            fault = error
        if fields:
            yield from _lines(fields)
    if fault:
        raise fault


class _Source:
    """Reads forward in blocks, and knows how far it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._data = bytearray()
        self.offset = 0

    def at_end(self) -> bool:
        return not self._data and not self._more()

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer at the end, without taking them."""
        while len(self._data) < size and self._more():
            pass
        return bytes(self._data[:size])

    def take(self, size: int) -> bytes:
        """Take at most `size` bytes, at least one before the end."""
        if self.at_end():
            return b""
        taken = bytes(self._data[:size])
        del self._data[:size]
        self.offset += len(taken)
        return taken

    def take_line(self) -> tuple[bytes, bool]:
        """Take a piece of the line, without its end; the second says whether the line is over."""
        if self.at_end():
            return b"", True
        end = self._data.find(b"\n")
        piece = self.take(len(self._data) if end < 0 else end)
        if end >= 0:
            self.take(1)
        return piece, end >= 0

    def _more(self) -> bool:
        block = self._stream.read(_BLOCK_BYTES)
        self._data += block
        return bool(block)


class _Held:
    """The value of a field, as much of it as may be held; `left_out` counts the bytes of the rest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.data = bytearray()
        self.left_out = 0

    def add(self, piece: bytes) -> None:
        room = self._most - len(self.data)
        self.data += piece[:room]
        self.left_out += max(0, len(piece) - room)


def _read_entry(source: _Source, fields: Fields) -> None:
    """Read the fields of one entry up to the empty line behind it."""
    room = _OTHERS_HELD
    while not source.at_end():
        if source.peek(1) == b"\n":
            source.take(1)
            break
        name, binary = _field(source)
        message = name == _MESSAGE and name not in fields
        held = _Held(_MESSAGE_HELD if message else max(0, room))
        _value(source, held, binary=binary)
        if message:
            fields[name] = [bytes(held.data)]
            if held.left_out:
                fields["MESSAGE_LEFT_OUT"] = [b"%d" % held.left_out]
        elif room > 0:
            value = None if held.left_out else bytes(held.data)
            fields.setdefault(name, []).append(value)
            room -= len(name) + len(value or b"")


def _field(source: _Source) -> tuple[str, bool]:
    """Read a field's name, and whether its value is binary, that is, with its length in front."""
    head = source.peek(_NAME_BYTES)
    match = _NAME.match(head) or (len(head) < _NAME_BYTES and _NAME_CUT.fullmatch(head))
    if not match:
        raise InputUnreadable(
            f"byte {source.offset:,}: {head[:40]!r} is no field of a journal's export; "
            "make the file again with journalctl -o export"
        )
    source.take(match.end())
    return match[1].decode(), match[0].endswith(b"\n")


def _value(source: _Source, held: _Held, *, binary: bool) -> None:
    if not binary:
        over = False
        while not over:
            piece, over = source.take_line()
            held.add(piece)
        return
    left = int.from_bytes(source.peek(_LENGTH_BYTES), "little")
    source.take(_LENGTH_BYTES)
    while left and (piece := source.take(left)):
        held.add(piece)
        left -= len(piece)
    source.take(1)


def _lines(fields: Fields) -> Iterator[bytes]:
    """Write an entry as one line, or as several if its message does not fit into one."""
    header = {name: _several(values) for name, values in fields.items() if name != _MESSAGE}
    if _MESSAGE not in fields:
        yield _line(header)
        return
    message, *further = fields[_MESSAGE]
    if further:  # a second message is no part of the first: it stands beside it
        header["MESSAGES"] = _several(further)
    room = MAX_MESSAGE_BYTES - len(_line(header)) - len(',"MESSAGE":,"part":99999')
    for part, value in enumerate(_fitting(message or b"", room)):
        yield _line({**header, _MESSAGE: value} | ({"part": part} if part else {}))


def _fitting(data: bytes, room: int) -> Iterator[Value]:
    """Cut a value between characters, so that each piece takes no more than `room` bytes of JSON."""
    start, size = 0, room
    while start < len(data) or not start:
        end = min(start + size, len(data))
        if end < len(data):
            end -= _inside(data[max(start, end - 4) : end])
        value = _json(data[start:end])
        if len(_ESCAPED.encode(value).encode()) > room:
            size = (end - start) // 2
            continue
        yield value
        start, size = end, room
        if not data:
            return


def _inside(tail: bytes) -> int:
    """Return how many bytes at the end are the beginning of a character that goes on."""
    return len(tail) - utf_8_decode(tail, "backslashreplace", False)[1]  # noqa: FBT003


def _several(values: list[bytes | None]) -> Any:
    """Return the value of a field, a list if it was given more than once."""
    found = [None if value is None else _json(value) for value in values]
    return found[0] if len(found) == 1 else found


def _json(value: bytes) -> Value:
    """Return a value as text, or as a list of its bytes if it is none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return list(value)


def _line(fields: dict[str, Any]) -> bytes:
    return _ESCAPED.encode(fields).encode() + b"\n"
