"""How far long work has come: one line on a terminal, nothing elsewhere."""

import os
import sys
import time
from pathlib import Path
from typing import Final, Self

from logstore.cli.text import escaped

_EVERY_S: Final = 0.5


class Progress:
    """One line on a terminal that is rewritten now and then, and taken away at the end."""

    def __init__(self, path: str) -> None:
        self._shown = sys.stderr.isatty()
        self._name = escaped(Path(path).name)
        self._next = time.monotonic() + _EVERY_S

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def show(self, done: int, total: int | None) -> None:
        """Show how far an input has been read, in bytes."""
        if not self._shown or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY_S
        size = f"{done / 1e6:,.0f} MB" if not total else f"{done / total:4.0%} of {total / 1e6:,.0f} MB"
        line = f"{self._name}: {size}"
        sys.stderr.write(f"\r\x1b[K{line[: os.get_terminal_size(sys.stderr.fileno()).columns - 1]}")
        sys.stderr.flush()
