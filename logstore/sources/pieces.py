"""Blocks of bytes to pieces of text that end where lines end, in bounded memory."""

from codecs import utf_8_decode
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

_ESCAPE: Final = "backslashreplace"


class Piece(NamedTuple):
    """Some whole lines, or a part of one that is too long to be held.

    `begins`: it starts at the beginning of a line; `ends`: a line end is its last byte.
    """

    raw: bytes
    begins: bool
    ends: bool

    def lines(self) -> list[str]:
        r"""Return the text of the lines without their ends (`\n`, or `\r\n`).

        Bytes that are not UTF-8 become escapes like `\xff`.
        """
        try:
            text = self.raw.decode()
        except UnicodeDecodeError:
            text = self.raw.decode(errors=_ESCAPE)
        if "\0" in text:  # written out as the store does it, before its length is looked at
            text = text.replace("\0", "\\x00")
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        return (text[:-1] if self.ends else text).split("\n")

    def start_of_last(self, count: int) -> int:
        """Return where the last `count` lines begin, in bytes from the start of the piece."""
        start = len(self.raw)
        for _ in range(count):
            start = self.raw.rfind(b"\n", 0, max(0, start - 1)) + 1
        return start


def pieces(
    blocks: Iterable[bytes], limit: int, *, midline: bool = False, growing: bool = False
) -> Iterator[Piece]:
    """Cut blocks, each of at most `limit` bytes, into pieces.

    A line of more than `limit` bytes comes as its first `limit` bytes and further pieces, cut
    between characters. `midline`: the first block goes on inside a line. `growing`: what follows
    the last line end is not given, as more of it may come.
    """
    inside = midline
    rest = b""
    for block in blocks:
        data = rest + block
        if not inside and _length_of_first(data) > limit:
            begin = data[: _whole(data[:limit])]
            yield Piece(begin, begins=True, ends=False)
            data, inside = data[len(begin) :], True
        if inside:
            end = data.find(b"\n") + 1
            further = data[: end or _whole(data)]
            if further:
                yield Piece(further, begins=False, ends=bool(end))
            data, inside = data[len(further) :], not end
        if not inside and (end := data.rfind(b"\n") + 1):
            yield Piece(data[:end], begins=True, ends=True)
            data = data[end:]
        rest = data
    if rest and not growing:
        yield Piece(rest, begins=not inside, ends=False)


def split(piece: Piece, count: int) -> Iterator[Piece]:
    """Cut a piece into pieces of at most `count` lines."""
    rest = piece.raw
    while piece.ends and rest.count(b"\n") > count:
        tail = rest.split(b"\n", count)[-1]
        yield Piece(rest[: len(rest) - len(tail)], piece.begins, ends=True)
        rest = tail
    yield Piece(rest, piece.begins, piece.ends)


def _length_of_first(data: bytes) -> int:
    end = data.find(b"\n")
    return len(data) if end < 0 else end


def _whole(data: bytes) -> int:
    r"""Return how many bytes end neither inside a character nor between `\r` and `\n`."""
    if data.endswith(b"\r"):
        return len(data) - 1
    return utf_8_decode(data[-4:], _ESCAPE, False)[1] + max(0, len(data) - 4)  # noqa: FBT003
