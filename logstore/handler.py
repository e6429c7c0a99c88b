"""A `logging.Handler` over a store: the program that logs never waits and never fails."""

import logging
import os
from typing import Any, Final

from logstore.errors import LogStoreError
from logstore.store import LogStore
from logstore.writer import say_lost

_PATIENCE_S: Final = 5.0
_SEVERITIES: Final = (
    (logging.CRITICAL, "critical"),
    (logging.ERROR, "error"),
    (logging.WARNING, "warning"),
    (logging.INFO, "info"),
)


class LogStoreHandler(logging.Handler):
    """Stores what a program logs, in the background.

    `store_or_path` is a LogStore, or the path of one that this handler opens and closes. A record's
    source is the logger's name, after the prefix `source/` if one is given. The options are those of
    `LogStore.background()`. What could not be taken is counted in `dropped`, and the store is told.
    """

    def __init__(
        self,
        store_or_path: LogStore | str | os.PathLike[str],
        *,
        source: str | None = None,
        level: int = logging.NOTSET,
        **options: Any,
    ) -> None:
        super().__init__(level)
        self._own: LogStore | None = None
        if isinstance(store_or_path, LogStore):
            store = store_or_path
        else:
            store = self._own = LogStore(store_or_path)
        self._prefix = f"{source}/" if source else ""
        self._writer = store.background(**options)

    @property
    def dropped(self) -> int:
        """How many records could not be taken."""
        return self._writer.dropped

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record; an error goes to `logging`'s own `handleError`, never to the program."""
        try:
            self._writer.log(
                self.format(record),
                level=_level_name(record.levelno),
                source=f"{self._prefix}{record.name}",
                timestamp_us=int(record.created * 1_000_000),
                attributes={"pid": record.process},
            )
        except Exception:  # noqa: BLE001  # whatever it is, logging must not stop the program
            self._writer.count_dropped()
            self.handleError(record)

    def flush(self) -> None:
        """Wait, for a few seconds at most, until what was logged so far is durable."""
        try:
            self._writer.flush(timeout=_PATIENCE_S)
        except LogStoreError:
            return  # counted and retried by the writer; a handler has nobody to tell

    def close(self) -> None:
        """Store what is waiting, and close the store if this handler opened it."""
        try:
            self._writer.close(timeout=_PATIENCE_S)
            if self._own is not None:
                self._own.close()
        except LogStoreError as error:  # the store may still be busy: do not wait for it a second time
            say_lost(error)
        finally:
            super().close()


def _level_name(levelno: int) -> str:
    return next((name for number, name in _SEVERITIES if levelno >= number), "debug")
