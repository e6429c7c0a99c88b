"""Group commit in the background: `log()` returns at once, a thread stores what has gathered."""

import atexit
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Self, get_args

from logstore.errors import InvalidRecord, InvalidSetting, LogStoreError, StoreClosed
from logstore.record import LEVELS, Record, severity

StoreBatch = Callable[[list[Record], tuple[str, int]], int]
"""Stores a batch under a token; a batch sent again under its token changes nothing."""

WhenFull = Literal["drop", "block"]

_URGENT: Final = LEVELS.index("error")
_MAX_BATCH: Final = 10_000
_RETRY_S: Final = (0.05, 1.0)
_EXIT_S: Final = 5.0


class BackgroundWriter:
    """Takes records without waiting and stores them in batches, each exactly once.

    At most `max_pending` records wait; when they do, a further one is dropped and counted
    (`when_full="drop"`) or waits for room (`"block"`). Records gather for `linger` seconds before
    they are stored; a record of error and worse is stored at once. Dropped records are reported in
    the store by a record of their own. A crash costs what was not yet flushed.
    """

    def __init__(
        self,
        store_batch: StoreBatch,
        *,
        clock_us: Callable[[], int],
        max_pending: int = 100_000,
        when_full: WhenFull = "drop",
        linger: float = 0.2,
    ) -> None:
        _check_options(max_pending, when_full, linger)
        self._store_batch = store_batch
        self._clock_us = clock_us
        self._max_pending = max_pending
        self._when_full = when_full
        self._linger = linger
        self._writer = str(uuid.uuid4())
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._pending: list[Record] = []
        self._in_flight = 0
        self._urgent = self._closed = self._gave_up = False
        self._dropped = self._reported = 0
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="logstore-writer", daemon=True)
        self._thread.start()
        atexit.register(self._close_at_exit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""
        return self._closed

    @property
    def dropped(self) -> int:
        """How many records were not stored: no room, invalid, or no store to the end."""
        self._check_process()
        with self._changed:
            return self._dropped

    def log(
        self,
        message: str,
        *,
        level: str | int = "info",
        source: str = "",
        timestamp_us: int | None = None,
        attributes: Any = None,
    ) -> bool:
        """Take one record, dated now if it has no timestamp. Returns False if it was dropped.

        Raises InvalidRecord for an unknown level, StoreClosed after `close()` or in a forked child.
        """
        self._check_process()
        urgent = severity(level) <= _URGENT
        if timestamp_us is None:
            timestamp_us = self._clock_us()
        if isinstance(attributes, Mapping):
            attributes = dict(attributes)  # the caller may use its own again
        with self._changed:
            self._check_open()
            if len(self._pending) + self._in_flight >= self._max_pending and not self._wait_for_room():
                self._dropped += 1
                return False
            self._pending.append(Record(message, level, source, timestamp_us, attributes))
            if urgent or len(self._pending) == 1:
                self._urgent = self._urgent or urgent
                self._changed.notify_all()
        return True

    def flush(self, timeout: float | None = None) -> None:
        """Wait until everything taken so far is durable.

        Raises the store's error if that fails within `timeout` seconds (None: wait for the store).
        """
        self._check_process()
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while self._pending or self._in_flight:
                self._urgent = True
                self._changed.notify_all()
                left = None if deadline is None else deadline - time.monotonic()
                if not self._thread.is_alive() or (left is not None and left <= 0):
                    raise self._waiting()
                self._changed.wait(0.5 if left is None else min(left, 0.5))

    def close(self, timeout: float = 30.0) -> None:
        """Store what is waiting and stop; closing twice is harmless. Raises as `flush` does."""
        if os.getpid() != self._pid:
            return  # a forked child has no thread to stop
        try:
            if not self._closed:
                self.flush(timeout)
        finally:
            atexit.unregister(self._close_at_exit)
            if not self._closed:
                with self._changed:
                    self._closed = True
                    self._changed.notify_all()
                self._thread.join(timeout)

    def count_dropped(self) -> None:
        """Count a record that its caller could not even hand over; the store is told of it, too."""
        if os.getpid() == self._pid:
            with self._changed:
                self._dropped += 1

    def _close_at_exit(self) -> None:
        """Store what waits when the program ends without closing; say so if that fails."""
        try:
            self.close(timeout=_EXIT_S)
        except LogStoreError as error:
            say_lost(error)

    def _check_process(self) -> None:
        """Refuse a forked child, before it waits for a lock that a thread of its parent held."""
        if os.getpid() != self._pid:
            raise StoreClosed("this background writer belongs to the parent of a fork; make one in the child")

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("this background writer was closed; make another one")

    def _waiting(self) -> LogStoreError:
        if isinstance(self._error, LogStoreError):
            return self._error
        why = "" if self._error is None else f" ({self._error!r})"
        return LogStoreError(f"records are still waiting to be stored{why}; flush again")

    def _wait_for_room(self) -> bool:
        if self._when_full == "drop" or threading.current_thread() is self._thread:
            return False  # what this thread itself logs, in the store, must not wait for this thread
        while len(self._pending) + self._in_flight >= self._max_pending:
            self._urgent = True
            self._changed.notify_all()
            self._changed.wait()
            self._check_open()
        return True

    def _run(self) -> None:
        sequence = 0
        while batch := self._next_batch():
            sequence = self._store(batch, sequence)
            with self._changed:
                self._in_flight = 0
                self._changed.notify_all()

    def _next_batch(self) -> list[Record]:
        """Wait for records, let some gather, and take them; an empty batch means the end."""
        with self._changed:
            if self._gave_up:
                return []
            while not self._pending and not self._closed:
                self._changed.wait()
            deadline = time.monotonic() + self._linger
            while not (self._urgent or self._closed or len(self._pending) >= _MAX_BATCH):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            batch, self._pending = self._pending[:_MAX_BATCH], self._pending[_MAX_BATCH:]
            self._in_flight = len(batch)
            self._urgent = bool(self._pending) and self._urgent
            lost = self._dropped - self._reported
            self._reported = self._dropped
        if lost:
            text = f"{lost} records were dropped: invalid, or more than {self._max_pending} were waiting"
            batch.append(Record(text, "warning", "logstore", self._clock_us()))
        return batch

    def _store(self, batch: list[Record], sequence: int) -> int:
        """Store a batch, again and again until the store takes it. Returns the last sequence used."""
        pause = _RETRY_S[0]
        while True:
            try:
                self._store_batch(batch, (self._writer, sequence + 1))
            except InvalidRecord:
                return self._store_valid(batch, sequence)
            except Exception as error:  # noqa: BLE001  # this thread must not die while records wait
                with self._changed:
                    self._error = error
                    if self._closed:
                        self._dropped += len(batch) + len(self._pending)
                        self._pending, self._gave_up = [], True
                        return sequence
                    self._changed.wait(pause)
                pause = min(pause * 2, _RETRY_S[1])
            else:
                self._error = None
                return sequence + 1

    def _store_valid(self, batch: list[Record], sequence: int) -> int:
        """Store the records of a batch one by one, leaving out those that cannot be kept."""
        if len(batch) == 1:
            with self._changed:
                self._dropped += 1
            return sequence
        for record in batch:
            sequence = self._store([record], sequence)
        return sequence


def say_lost(error: LogStoreError) -> None:
    """Say on stderr, the last place there is, that a program ended before its records were stored."""
    if sys.stderr is not None:
        print(f"logstore: records were lost at the end of the program: {error}", file=sys.stderr)  # noqa: T201


def _check_options(max_pending: int, when_full: str, linger: float) -> None:
    if type(max_pending) is not int or max_pending < 1:
        raise InvalidSetting(f"max_pending is a number of records from 1, not {max_pending!r}")
    if when_full not in get_args(WhenFull):
        raise InvalidSetting(f"when_full is one of {', '.join(get_args(WhenFull))}, not {when_full!r}")
    if not linger >= 0:
        raise InvalidSetting(f"linger is a number of seconds, 0 or more, not {linger!r}")
