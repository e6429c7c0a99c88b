"""The record at the end, which may still grow: continuation lines, and parts of a great text."""

from typing import Any

from logstore.identity import escape
from logstore.record import Record


class Growing:
    """A record that is held back because lines may follow that belong to it.

    `lines` counts the lines it has, `emitted` the records it has already become. `after` is how
    many records of the same header came before it; `headless`: its header is theirs.
    """

    __slots__ = ("_header", "_limit", "_size", "_texts", "after", "emitted", "headless", "lines")

    def __init__(self, header: Record, limit: int, after: int = 0, *, headless: bool = False) -> None:
        """Begin with the message of `header`; `limit` is the largest message in bytes."""
        self._header = header
        self._limit = limit
        text = escape(header.message)  # as it is stored: a NUL becomes four characters
        self._texts = [text]
        self._size = len(text.encode())
        self.after = after
        self.headless = headless
        self.lines = 1
        self.emitted = 0

    @property
    def header(self) -> Record:
        """The record without its text."""
        return self._header._replace(message="")

    def relevel(self, level: str) -> None:
        """Set the level of what was not yet returned."""
        self._header = self._header._replace(level=level)

    def extend(self, text: str) -> None:
        """Add text to the message."""
        text = escape(text)
        self._texts.append(text)
        self._size += len(text.encode())

    def overflow(self) -> list[Record]:
        """Return the records that are full; what is left stays, and may grow on."""
        if self._size <= self._limit:
            return []
        *full, rest = _cut("".join(self._texts), self._limit)
        self._texts, self._size = [rest], len(rest.encode())
        return [self._next(text) for text in full]

    def close(self) -> list[Record]:
        """Return all that was not yet returned."""
        return [*self.overflow(), self._next("".join(self._texts))]

    def _next(self, text: str) -> Record:
        header, part = self._header, self.after + self.emitted
        self.emitted += 1
        if not part:
            return header._replace(message=text)
        attributes: dict[str, Any] = {**(header.attributes or {}), "part": part}
        return header._replace(message=text, attributes=attributes)


def _cut(text: str, limit: int) -> list[str]:
    """Cut between characters into texts of at most `limit` bytes, each as long as can be."""
    data = text.encode()
    parts, start = [], 0
    while start < len(data):
        end = min(start + limit, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:  # noqa: PLR2004 - inside a character
            end -= 1
        parts.append(data[start:end].decode())
        start = end
    return parts
