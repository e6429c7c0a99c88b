"""Lines on a terminal that are renewed where they stand, while they are among the newest that fit."""

import os
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final, TextIO

from logstore.cli.terminal import painted
from logstore.cli.text import cut, escaped, shown_width
from logstore.search.rows import Row
from logstore.search.times import ago, local

_WIDE_ENOUGH: Final = 60
"""On fewer columns than this the clock time and the source make room for the message."""
_SOURCE_CELLS: Final = 30  # a longer source does not push all messages to the right

Size = tuple[int, int]
"""Columns and rows of a terminal."""


@dataclass(slots=True)
class _Line:
    """A run, or, without one, a remark; `store` says which of the followed stores it is of."""

    row: Row | None
    store: int
    text: str = ""


class Screen:
    """The newest lines of a terminal, one a run, kept up to date; what scrolls off stays as it was.

    `renewed` gives rows of the store that is followed now as they are at this moment.
    """

    def __init__(
        self,
        out: TextIO,
        *,
        tz: tzinfo,
        clock_us: Callable[[], int],
        size: Callable[[], Size],
        colour: bool,
        renewed: Callable[[Sequence[Row]], list[Row]],
    ) -> None:
        self._out, self._tz, self._clock_us = out, tz, clock_us
        self._terminal_size, self._colour, self._renewed = size, colour, renewed
        self._size = size()
        self._lines: list[_Line] = []
        self._drawn: list[str] = []
        self._widths: dict[int, int] = {}

    def add(self, rows: Sequence[Row], store: int) -> None:
        """Show runs below those that are there."""
        self._lines += [_Line(row, store) for row in rows]

    def note(self, text: str) -> None:
        """Show a remark below what is there."""
        self._lines.append(_Line(None, 0, escaped(text)))
        self._draw()

    def refresh(self, store: int) -> None:
        """Bring the runs of a store up to date, and draw what has changed."""
        room = max(self._terminal_size()[1] - 1, 1)
        current = [line for line in self._lines[-room:] if line.store == store and line.row]
        rows = self._renewed([line.row for line in current if line.row])
        for line, row in zip(current, rows, strict=True):
            line.row = row
        self._draw()

    def forget(self) -> None:
        """Draw everything anew next time: somebody else wrote to the terminal."""
        self._size = (0, 0)

    def _draw(self) -> None:
        """Write one frame at once: changed lines where they stand, new ones below, the cursor after them."""
        columns, rows = size = self._terminal_size()
        room = max(rows - 1, 1)
        frame = []
        if size != self._size:  # where lines are now, only the terminal knows
            frame.append("\x1b[H\x1b[2J")
            self._size, self._drawn, self._lines = size, [], self._lines[-room:]
        texts = self._texts(columns - 1)  # a full line would leave the cursor in between two lines
        if self._drawn and texts[: len(self._drawn)] != self._drawn:
            frame.append(f"\x1b[{len(self._drawn)}A")
            for old, new in zip(self._drawn, texts, strict=False):
                frame.append("\n" if new == old else f"\r\x1b[2K{new}\n")
        frame += [f"{text}\n" for text in texts[len(self._drawn) :]]
        self._lines, self._drawn = self._lines[-room:], texts[-room:]
        if frame:
            self._out.write(f"\x1b[?25l{''.join(frame)}\x1b[?25h")
            self._out.flush()

    def _texts(self, width: int) -> list[str]:
        now_us = self._clock_us()
        cells = [None if line.row is None else self._cells(line.row, now_us) for line in self._lines]
        for row in filter(None, cells):
            for place, cell in enumerate(row[:-1]):
                limit = _SOURCE_CELLS if place == len(row) - 2 else width
                self._widths[place] = min(max(self._widths.get(place, 0), shown_width(cell)), limit)
        return [
            self._joined(row, width) if row else cut(line.text, width)
            for line, row in zip(self._lines, cells, strict=True)
        ]

    def _cells(self, row: Row, now_us: int) -> tuple[str, ...]:
        """Return when, how often and what, as `kubectl` says it: `27s (x3 over 17m)`."""
        seen = ago(row.last_us, now_us)
        if row.count > 1:
            seen += f" (x{row.count} over {ago(row.first_us, row.last_us)})"
        message = escaped(row.first_text if row.count == 1 else row.message)
        time = local(row.first_us, self._tz)[11:19]
        return time, seen, row.level.upper(), escaped(row.source), message

    def _joined(self, cells: tuple[str, ...], width: int) -> str:
        *padded, message = (
            cell + " " * (self._widths[place] - shown_width(cell)) if place < len(cells) - 1 else cell
            for place, cell in enumerate(cells)
        )
        if width + 1 < _WIDE_ENOUGH:
            return self._coloured((cells[1], cells[2], message), 1, width)
        return self._coloured((*padded, message), 2, width)

    def _coloured(self, cells: Sequence[str], place: int, width: int) -> str:
        text = cut("  ".join(cells), width)
        level = cells[place].rstrip()
        begin = sum(len(cell) + 2 for cell in cells[:place])
        end = begin + len(level)
        if not self._colour or text[begin:end] != level:
            return text
        return f"{text[:begin]}{painted(level)}{text[end:]}"


def is_terminal(stream: TextIO) -> bool:
    """Whether lines can be renewed on a stream where they stand."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in {"", "dumb"}


def terminal_size() -> Size:
    """Return the columns and rows of the terminal that is standard output."""
    columns, rows = os.get_terminal_size(sys.stdout.fileno())
    return columns or 80, rows or 24


@contextmanager
def silent_keys() -> Iterator[Callable[[], None]]:
    """Keep what is typed from showing: it would move the lines. Gives a function to do so again.

    Ctrl-C and Ctrl-Z work as ever.
    """
    try:
        here = sys.stdin.fileno()
        before = termios.tcgetattr(here)
    except (termios.error, OSError, ValueError):
        yield lambda: None
        return

    def silence() -> None:
        if _is_in_front(here):
            silent = termios.tcgetattr(here)
            silent[3] &= ~termios.ECHO
            termios.tcsetattr(here, termios.TCSANOW, silent)

    silence()
    try:
        yield silence
    finally:
        if _is_in_front(here):
            termios.tcsetattr(here, termios.TCSANOW, before)


def _is_in_front(terminal: int) -> bool:
    """Whether this program may set up a terminal: one in the background would be stopped for trying."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
