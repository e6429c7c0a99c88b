"""A peer's stream of bytes to messages: by lines or by octet counts, in bounded memory."""

import re
from typing import Final, NamedTuple

_COUNT: Final = re.compile(rb"([1-9][0-9]{0,7}) ")
_COUNT_BEGUN: Final = re.compile(rb"[1-9][0-9]{0,7}")
_AFTER_COUNTED: Final = b"123456789\n"  # the next count, or an end of line that was not counted
_UNPROVEN: Final = 65_536  # so many bytes are held back to see whether a number is a count
_TAIL: Final = 2
_ENDS: Final = b"\r\n\0"


class Frame(NamedTuple):
    """A message, or a piece of one that is too long to be held; `ends`: it ends with this piece."""

    data: bytes
    ends: bool


class Framer:
    """Cuts what a peer sends into messages, whatever the sizes in which it arrives.

    A message that begins with `LENGTH <` is counted (RFC 6587, octet counting); all others are lines.
    `LENGTH ` without `<` is a count if the peer has counted before, or if exactly there the next
    message begins: a log line may well begin with a number. A message of more than `limit` bytes
    comes in pieces. An end of line or NUL at the end of a message is none of it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self._left: int | None = None  # bytes to come of a counted message
        self._counts = self._inside = False
        self._searched = 0

    def feed(self, data: bytes) -> list[Frame]:
        """Take what arrived; return what is complete, or too long to wait for its end."""
        self._data += data
        return self._frames(final=False)

    def end(self) -> list[Frame]:
        """Return what was left when the peer closed: a message without its end is kept as it is."""
        return self._frames(final=True)

    def _frames(self, *, final: bool) -> list[Frame]:
        frames = []
        while frame := self._next(final=final):
            frames.append(frame)
        return frames

    def _next(self, *, final: bool) -> Frame | None:
        if not self._inside and not self._begin(final=final):
            return None
        frame = self._line(final=final) if self._left is None else self._counted(self._left, final=final)
        if frame and frame.ends:
            self._inside, self._left, self._searched = False, None, 0
        return frame

    def _begin(self, *, final: bool) -> bool:
        """Find out how the next message is framed; False if more bytes are needed for that."""
        data = self._data
        match = _COUNT.match(data)
        if match is None:
            begun = _COUNT_BEGUN.fullmatch(data) if data else True
            self._inside = bool(data) and (final or not begun)
            return self._inside
        counted = self._is_count(int(match[1]), match.end(), final=final)
        if counted:
            self._left, self._counts = int(match[1]), True
            del data[: match.end()]
        self._inside = counted is not None
        return self._inside

    def _is_count(self, count: int, start: int, *, final: bool) -> bool | None:
        """Return whether `count` bytes from `start` on are a message; None if it cannot be said yet."""
        data, end = self._data, start + count
        if self._counts or data[start : start + 1] == b"<":
            return True
        if len(data) == start and not final:
            return None
        if count > _UNPROVEN or data.find(b"\n", start, end) >= 0:
            return False
        if len(data) > end:
            return data[end] in _AFTER_COUNTED
        return len(data) == end if final else None

    def _counted(self, left: int, *, final: bool) -> Frame | None:
        have = min(left, len(self._data))
        if have == left:
            return self._whole(have, have)
        if final:
            return self._whole(have, have)
        self._left = left - self._piece_length(have)
        return self._piece(have)

    def _line(self, *, final: bool) -> Frame | None:
        end = self._data.find(b"\n", self._searched)
        if end >= 0:
            return self._whole(end, end + 1)
        have = self._searched = len(self._data)
        return self._whole(have, have) if final else self._piece(have)

    def _whole(self, length: int, used: int) -> Frame:
        """Return the end of a message, without what a sender puts behind its text."""
        data = bytes(self._data[:length])
        del self._data[:used]
        return Frame(trimmed(data), ends=True)

    def _piece(self, have: int) -> Frame | None:
        """Return a piece of a message too long to be held; its last bytes may be no text, and wait."""
        length = self._piece_length(have)
        if not length:
            return None
        data = bytes(self._data[:length])
        del self._data[:length]
        self._searched = 0
        return Frame(data, ends=False)

    def _piece_length(self, have: int) -> int:
        return have - _TAIL if have > self._limit + _TAIL else 0


def trimmed(message: bytes) -> bytes:
    """Return a message without what a sender puts behind its text: an end of line, a NUL."""
    return message[:-_TAIL] + message[-_TAIL:].rstrip(_ENDS)
