"""Group commit in the background: `log()` returns at once, a thread stores what has gathered."""

import atexit
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any, Final, Literal, Self, TypeGuard, get_args

from logstore.backlog import EXACT_US, Backlog
from logstore.errors import InvalidRecord, InvalidSetting, LogStoreError, StoreClosed
from logstore.record import LEVELS, TIME_END_US, Record, severity

StoreBatch = Callable[[list[Record], tuple[str, int]], int]
"""Stores a batch under a token; a batch sent again under its token changes nothing."""

ContentOf = Callable[[Record], bytes | None]
"""Tells which records the store takes for the same, None for those of one text only. Raises InvalidRecord."""

WhenFull = Literal["drop", "block"]

_URGENT: Final = LEVELS.index("error")
_IS_URGENT: Final = {name: severity(name) <= _URGENT for name in LEVELS}
_MAX_BATCH: Final = 10_000
_MANY: Final = 5_000
_FOLD_AT: Final = 10_000  # so many the store takes while a storm goes on
_FOLD_ON_AT: Final = 1_000  # no caller works for long, once it is known that the store is stuck
_FOLD_EVERY: Final = 100  # a tenth of it, so that what is folded grows less than it shrinks
_REPEATS: Final = 2  # folding pays from so many records of each text on
_SEEN_ALIKE: Final = 100  # contents are known from this fraction of the bound on: it costs the caller time
_RECENT_US: Final = 10_000_000
_MAX_KNOWN: Final = 16_384
_RETRY_S: Final = (0.05, 1.0)
_EXIT_S: Final = 5.0


_PROCESS: Final = [os.getpid()]
"""The number of this process: to ask for it costs a call of the system, each time."""


def _forked() -> None:
    _PROCESS[0] = os.getpid()


os.register_at_fork(after_in_child=_forked)

Fields = tuple[str, str | int, str, int | None, Any]
"""Those of a Record, whose making can wait."""

_record: Final[Callable[[Fields], Record]] = partial(tuple.__new__, Record)
"""What Record() does, in half the time."""


class BackgroundWriter:
    """Takes records without waiting and stores them in batches, each exactly once.

    At most `max_pending` distinct texts wait, whatever their times and attributes and however often
    each is repeated; then one that the store would take for the same as another that waits is counted
    with that one's text, and a further content is dropped and counted (`when_full="drop"`) or waits for
    room (`"block"`). A record of error and worse, and one that was not heard of for some seconds, is stored
    at once, together with what waits; others gather for `linger` seconds. Dropped records are reported
    in the store by a record of their own. A crash costs what was not yet flushed.
    """

    def __init__(
        self,
        store_batch: StoreBatch,
        *,
        clock_us: Callable[[], int],
        content_of: ContentOf | None = None,
        max_pending: int = 100_000,
        when_full: WhenFull = "drop",
        linger: float = 0.2,
    ) -> None:
        _check_options(max_pending, when_full, linger)
        self._store_batch = store_batch
        self.clock_us = clock_us
        self._content_of = content_of
        self._max_pending = max_pending
        self._when_full = when_full
        self._linger = linger
        self._writer = str(uuid.uuid4())
        self._pid = os.getpid()
        self._lock = threading.RLock()  # a signal handler may log while its thread is in here
        self._changed = threading.Condition(self._lock)
        self._inbox: list[Fields] = []
        self._unheeded = _MANY - 1  # so many in the inbox call for nothing; 0 if each call must look
        self._backlog = self._new_backlog()  # what came before the inbox
        self._in_flight = self._settled = 0
        self._waiting: set[int] = set()  # distinct records, by the hashes of their texts
        self._flying: set[int] = set()
        self._distinct = 0  # of both
        self._alike: dict[bytes, Record] = {}  # one that waits of each content
        self._alike_flying: dict[bytes, Record] = {}
        self._fold_at = _FOLD_AT
        self._known: dict[int, int] = {}  # when each was last heard of, for as many as the bound says
        self._known_before: dict[int, int] = {}
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

        Raises InvalidRecord for an unknown level or what is no text, StoreClosed after `close()` or in a
        forked child.
        """
        urgent = is_urgent(level)
        if not (isinstance(message, str) and isinstance(source, str)):
            raise InvalidRecord(f"source and message are text, not {message!r:.99} and {source!r:.99}")
        if timestamp_us is None:
            timestamp_us = self.clock_us()
        if type(attributes) is dict or (attributes is not None and isinstance(attributes, Mapping)):
            attributes = dict(attributes)  # the caller may use its own again
        return self.take((message, level, source, timestamp_us, attributes), urgent=urgent)

    def take(self, fields: Fields, *, urgent: bool) -> bool:
        """Take the fields of a record that `log` would find nothing wrong with. They must not change."""
        if _PROCESS[0] != self._pid:
            self._check_process()
        text = hash(fields[:3])
        with self._lock:
            if urgent or text not in self._waiting or len(self._inbox) >= self._unheeded:
                return self._take_heeding(text, fields, urgent=urgent)
            self._inbox.append(fields)
            return True

    def flush(self, timeout: float | None = None) -> None:
        """Wait until everything taken so far is durable.

        Raises the store's error if that fails within `timeout` seconds (None: wait for the store).
        """
        self._check_process()
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            goal = self._settled + self._unsettled()
            while self._settled < goal:
                self._wake()
                left = None if deadline is None else deadline - time.monotonic()
                if not self._thread.is_alive() or (left is not None and left <= 0):
                    raise self._waiting_still()
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
                    self._unheeded = 0
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

    def _waiting_still(self) -> LogStoreError:
        if isinstance(self._error, LogStoreError):
            return self._error
        why = "" if self._error is None else f" ({self._error!r})"
        return LogStoreError(f"records are still waiting to be stored{why}; flush again")

    def _new_backlog(self) -> Backlog:
        return Backlog.of_texts(self._max_pending)

    def _take_heeding(self, text: int, fields: Fields, *, urgent: bool) -> bool:
        """Take a record that may be new, or the one too many."""
        self._check_open()
        if text not in self._waiting or self._backlog.full:
            entered, news = self._enter(text, fields)
            if entered is None:
                return False
            fields, urgent = entered, urgent or news
        self._inbox.append(fields)
        if urgent:
            self._wake()
        elif len(self._inbox) == 1:
            self._changed.notify_all()  # from now on it lingers
        if len(self._inbox) > self._unheeded:
            self._heed()
        return True

    def _heed(self) -> None:
        """Have what waits stored, and make it small if it is mostly repeats that the store keeps waiting."""
        self._wake()
        if len(self._inbox) >= self._worth_folding():
            self._fold_oldest()
        later = max(self._worth_folding(), len(self._inbox) + _FOLD_EVERY)
        self._unheeded = 0 if self._backlog.full else later - 1

    def _worth_folding(self) -> int:
        return max(self._fold_at, _REPEATS * len(self._waiting))

    def _wake(self) -> None:
        """Have all that waits stored now. Said once: two callers that wait would wake each other for ever."""
        if not self._urgent:
            self._urgent = True
            self._changed.notify_all()

    def _unsettled(self) -> int:
        return self._in_flight + self._backlog.records + len(self._inbox)

    def _has_room(self, text: int) -> bool:
        if self._backlog.full:
            return False
        return self._distinct < self._max_pending or text in self._waiting or text in self._flying

    def _wait_for_room(self, text: int) -> bool:
        if self._when_full == "drop" or threading.current_thread() is self._thread:
            return False  # what this thread itself logs, in the store, must not wait for this thread
        while not self._has_room(text):
            self._wake()
            self._changed.wait()
            self._check_open()
        return True

    def _enter(self, text: int, fields: Fields) -> tuple[Fields | None, bool]:
        """Let in a record whose text is not waiting. Returns None if it is dropped; whether it is news."""
        if not self._has_room(text):
            fields = self._as_one_waiting(_record(fields))
            text = hash(fields[:3])
            if not self._has_room(text) and not self._wait_for_room(text):
                self._dropped += 1
                return None, False
        return fields, self._admit(text, fields)

    def _as_one_waiting(self, record: Record) -> Record:
        """Return a record with the text of another of its content, if one waits: that needs no room."""
        content = self._content(record)
        if content is None:
            return record
        known = self._alike.get(content) or self._alike_flying.get(content) or record
        return known._replace(timestamp_us=record.timestamp_us, attributes=record.attributes)

    def _content(self, record: Record) -> bytes | None:
        try:
            return None if self._content_of is None else self._content_of(record)
        except Exception:  # noqa: BLE001  # what is wrong with it is found when it is stored
            return None

    def _admit(self, text: int, fields: Fields) -> bool:
        """Count a text that was not waiting. Returns whether it was not heard of for some time."""
        if text not in self._flying and text not in self._waiting:
            self._distinct += 1
            if self._content_of is not None and self._distinct * _SEEN_ALIKE >= self._max_pending:
                self._know_alike(_record(fields))
        self._waiting.add(text)
        at_us = fields[3]
        if not _is_time(at_us):
            return True
        known_us = self._known.get(text, self._known_before.get(text))
        if len(self._known) >= _MAX_KNOWN:
            self._known, self._known_before = {}, self._known
        self._known[text] = at_us
        return known_us is None or abs(at_us - known_us) >= _RECENT_US

    def _know_alike(self, record: Record) -> None:
        content = self._content(record)
        if content is not None:
            self._alike.setdefault(content, record)

    def _fold_oldest(self) -> None:
        """Make what waits smaller, a little at a time: it is one of many callers that does it."""
        self._fold_at = _FOLD_ON_AT
        oldest = self._inbox[:_FOLD_ON_AT]
        del self._inbox[:_FOLD_ON_AT]
        for record in map(_record, oldest):
            if _is_time(record.timestamp_us):
                self._backlog.add(record)
            else:
                self._dropped += 1
                self._settled += 1

    def _run(self) -> None:
        sequence = 0
        while batches := self._next_batches():
            for batch in batches:
                sequence = self._store(batch, sequence)
            with self._changed:
                self._in_flight = 0
                self._flying, self._alike_flying = set(), {}
                self._distinct = len(self._waiting)
                self._changed.notify_all()

    def _next_batches(self) -> Iterator[list[Record]] | None:
        """Wait for records, let some gather, and take all that wait; None means the end."""
        with self._changed:
            while not (self._unsettled() or self._closed):
                self._urgent = False  # said by a flush of what was under way: the next one must be heard
                self._changed.wait()
            deadline = time.monotonic() + self._linger
            while not (self._urgent or self._closed):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            return None if self._gave_up else self._take_all()

    def _take_all(self) -> Iterator[list[Record]] | None:
        backlog, self._backlog = self._backlog, self._new_backlog()
        inbox, self._inbox = self._inbox, []
        self._unheeded = 0 if self._closed else _MANY - 1
        self._flying, self._waiting = self._waiting, set()
        self._alike_flying, self._alike = self._alike, {}
        self._fold_at = _FOLD_AT
        self._urgent = False
        inbox += self._reports(backlog.grain_us)
        self._in_flight = backlog.records + len(inbox)
        if not self._in_flight:
            return None
        return chain(backlog.batches(_MAX_BATCH), _batches(inbox, _MAX_BATCH))

    def _reports(self, grain_us: int) -> Iterator[Record]:
        """Return what the store should know of what was not kept as it came."""
        lost, self._reported = self._dropped - self._reported, self._dropped
        texts = []
        if lost:
            texts.append(
                f"{lost} records were dropped: invalid, or over {self._max_pending} different ones waited"
            )
        if grain_us != EXACT_US:
            texts.append(
                "the store could not be written for so long that the times of some records are kept "
                f"to {grain_us / 1_000_000:g} s only; their number is exact"
            )
        for text in texts:
            yield Record(text, "warning", "logstore", self.clock_us())

    def _store(self, batch: list[Record], sequence: int) -> int:
        """Store a batch, again and again until the store takes it. Returns the last sequence used."""
        pause = _RETRY_S[0]
        while not self._gave_up:
            try:
                self._store_batch(batch, (self._writer, sequence + 1))
            except InvalidRecord:
                return self._store_valid(batch, sequence)
            except Exception as error:  # noqa: BLE001  # this thread must not die while records wait
                with self._changed:
                    self._error = error
                    if self._closed:
                        self._give_up()
                    else:
                        self._changed.wait(pause)
                pause = min(pause * 2, _RETRY_S[1])
            else:
                self._error = None
                self._count_settled(len(batch))
                return sequence + 1
        return sequence

    def _store_valid(self, batch: list[Record], sequence: int) -> int:
        """Store a batch without those of its records that cannot be kept, by halves."""
        if len(batch) == 1:
            with self._changed:
                self._dropped += 1
            self._count_settled(1)
            return sequence
        half = len(batch) // 2
        return self._store(batch[half:], self._store(batch[:half], sequence))

    def _count_settled(self, records: int) -> None:
        with self._changed:
            self._in_flight -= records
            self._settled += records
            self._changed.notify_all()

    def _give_up(self) -> None:
        self._dropped += self._unsettled()
        self._in_flight = 0
        self._backlog, self._inbox = self._new_backlog(), []
        self._gave_up = True


def is_urgent(level: str | int) -> bool:
    """Whether a record of this level is stored at once. Raises InvalidRecord for one that is none."""
    urgent = _IS_URGENT.get(level) if type(level) is str else None
    return severity(level) <= _URGENT if urgent is None else urgent


def _is_time(at_us: object) -> TypeGuard[int]:
    return type(at_us) is int and 0 <= at_us < TIME_END_US


def _batches(inbox: list[Fields], size: int) -> Iterator[list[Record]]:
    return ([*map(_record, inbox[start : start + size])] for start in range(0, len(inbox), size))


def say_lost(error: LogStoreError) -> None:
    """Say on stderr, the last place there is, that a program ended before its records were stored."""
    if sys.stderr is not None:
        print(f"logstore: records were lost at the end of the program: {error}", file=sys.stderr)  # noqa: T201


def _check_options(max_pending: int, when_full: str, linger: float) -> None:
    if type(max_pending) is not int or max_pending < 1:
        raise InvalidSetting(f"max_pending is a number of distinct records from 1, not {max_pending!r}")
    if when_full not in get_args(WhenFull):
        raise InvalidSetting(f"when_full is one of {', '.join(get_args(WhenFull))}, not {when_full!r}")
    if not linger >= 0:
        raise InvalidSetting(f"linger is a number of seconds, 0 or more, not {linger!r}")
