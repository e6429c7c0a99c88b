"""One pass of a sweep, in steps that each fit a small transaction."""

from typing import Final

from logstore import statements
from logstore.database import Connection
from logstore.record import TIME_END_US

AUTO_ROWS: Final = 32
"""How many due rows a write moves along at most."""

STEP_ROWS: Final = 1_000
"""How many rows a scheduled sweep moves in one transaction: about 10 ms of write lock."""


FULL_ROWS: Final = 50
"""The same on a full disk, where what is left must do for the write-ahead log of a step."""

BREATH_S: Final = 0.004
"""How long a scheduled sweep lets others write between two steps: who waits looks every 1 to 5 ms."""


class SweepPass:
    """Walks the queue once by last-seen time: first the rows behind the clock, then those ahead of it.

    Every step reads its own clock, after the write lock is held, and goes on where the last one stopped.
    """

    def __init__(self, window_ms: int) -> None:
        self.done = False
        self.window_ms = window_ms
        self._from_us = 0
        self._ahead = False

    def step(self, connection: Connection, now_us: int, limit: int) -> int:
        """Move at most `limit` due rows into the archive. Returns how many moved."""
        quiet_us = quiet_before_us(now_us, self.window_ms)
        if self._ahead:
            from_us, until_us = max(self._from_us, now_us + 1), TIME_END_US
        else:
            from_us, until_us = self._from_us, quiet_us
        moved = connection.changed(statements.SWEEP, (from_us, until_us, quiet_us, limit))
        if moved == limit:
            self._from_us = connection.rows(statements.LAST_ARCHIVED)[0][0]
        elif self._ahead:
            connection.rows(statements.SAVE_SWEPT, (now_us,))
            self.done = True
        else:
            self._ahead, self._from_us = True, 0
        return moved


def sweep_rows(connection: Connection, now_us: int, window_ms: int, limit: int) -> int:
    """Move at most `limit` due rows, inside the transaction of a write. Returns how many moved."""
    moved, sweep = 0, SweepPass(window_ms)
    while moved < limit and not sweep.done:
        moved += sweep.step(connection, now_us, limit - moved)
    return moved


def quiet_before_us(now_us: int, window_ms: int) -> int:
    """Return the first microsecond that is within the window of now: in whole milliseconds, as in fold."""
    return (now_us // 1000 - window_ms) * 1000
