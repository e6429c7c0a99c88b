"""Follow a store by its name: first copies as they come, while the file may come, go and be replaced."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from logstore.database import is_there, open_reader
from logstore.errors import LogStoreError, StoreBusy, StoreMissing, StoreUnavailable
from logstore.filters import Filter
from logstore.record import SECOND_US
from logstore.search.feed import Feed, Position
from logstore.search.rows import Row

_PAGE: Final = 2_000
_BUSY_TIMEOUT_S: Final = 1.0
_SAY_HELD_AFTER_US: Final = 5 * SECOND_US
_MAKING_US: Final = 10 * SECOND_US
"""A store says when it was made, and that is before others can see it: they are given this much longer."""


class Beginning(NamedTuple):
    """Where to begin: with what was first seen since a time, and of that with the last few; None: all."""

    since_us: int | None = None
    last: int | None = 0


class Page(NamedTuple):
    """First copies in the order of opening; `is_past`: only context, from before; `more` wait already."""

    rows: list[Row]
    is_past: bool = False
    more: bool = False


_NOTHING: Final = Page([])


class _Files(NamedTuple):
    """What tells a file from another one of its name, and from itself once a writer has woken it up.

    Where nobody writes, a reader without rights reads without locks, and would never see a change.
    """

    device: int
    inode: int
    at_rest_since_ns: int | None


class Following:
    """First copies of the store at the first of some places, each one once, in order.

    `note` is told what happens to the file; `clock_us` gives microseconds since the epoch. Between two
    polls nothing is held but the connection. `stores` counts the stores that were followed.
    """

    def __init__(
        self,
        places: Sequence[Path],
        chosen: Filter,
        beginning: Beginning,
        *,
        note: Callable[[str], None],
        clock_us: Callable[[], int],
    ) -> None:
        self.stores = 0
        self._places, self._chosen, self._beginning = places, chosen, beginning
        self.note, self._clock_us = note, clock_us
        self._made_after_us = clock_us() - _MAKING_US
        self._feed: Feed | None = None
        self._path: Path | None = None
        self._files: _Files | None = None
        self._store_id: str | None = None
        self._after_id = 0
        self._past_end = 0  # what has an id below was there when the following began
        self._left_at: dict[str, int] = {}  # where each store was left that may come back
        self._waits = False
        self._held_since_us: int | None = None
        self._said_held = False

    def close(self) -> None:
        """Let go of the store; closing twice is harmless."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.close()

    def poll(self) -> Page:
        """Return what is new, a page at most. Raises what `open_reader` raises for what is no store."""
        try:
            feed = self._feed or self._attach()
            page = _NOTHING if feed is None else self._next_page(feed)
        except StoreBusy:
            self._hold_on("busy: another process has locked it; waiting")
            return _NOTHING
        except LogStoreError as error:
            if self._has_moved():
                self._let_go()
            elif self._feed is None and self._store_id is not None and isinstance(error, StoreUnavailable):
                self._hold_on("cannot be opened again; waiting")  # a writer that starts makes its files
            else:
                raise
            return _NOTHING
        if self._said_held:
            self.note(f"{self._path}: going on")
        self._held_since_us, self._said_held = None, False
        return page

    def renewed(self, rows: Sequence[Row]) -> list[Row]:
        """Return rows that polls gave, all of the store followed now, as they are at this moment."""
        try:
            return list(rows) if self._feed is None else self._feed.renewed(rows)
        except StoreBusy:
            return list(rows)
        except LogStoreError:
            if not self._has_moved():
                raise
            return list(rows)

    def _next_page(self, feed: Feed) -> Page:
        has_moved = self._has_moved()  # looked at first: what was written before is read now
        position = feed.position()
        if position.store_id != self._store_id or position.next_id <= self._after_id:
            self._begin(feed, position)
        first_id = self._after_id + 1
        if first_id >= position.next_id:
            if has_moved:
                self._let_go()
            return _NOTHING
        is_past = first_id < self._past_end
        before_id = min(first_id + _PAGE, self._past_end if is_past else position.next_id)
        since_us = (self._beginning.since_us or 0) if is_past else 0
        rows = feed.opened(self._after_id, before_id, since_us)
        self._after_id = before_id - 1
        return Page(rows, is_past and self._beginning.since_us is None, before_id < position.next_id)

    def _attach(self) -> Feed | None:
        """Open the store that is there, or say once that there is none."""
        path = next((place for place in self._places if is_there(place)), None)
        files = None if path is None else _files(path)
        if path is None or files is None:
            self._wait()
            return None
        try:
            feed = Feed(open_reader(path, busy_timeout=_BUSY_TIMEOUT_S), self._chosen)
        except (LogStoreError, FileNotFoundError) as error:
            if not isinstance(error, StoreMissing) and _files(path) is not None:
                raise
            self._wait()
            return None
        try:
            self._begin(feed, feed.position(), is_same_file=files[:2] == (self._files or ())[:2])
        except BaseException:
            feed.close()
            raise
        self._feed, self._path, self._files, self._waits = feed, path, files, False
        return feed

    def _begin(self, feed: Feed, position: Position, *, is_same_file: bool = False) -> None:
        """Find the id to go on after, and say what has changed."""
        store_id, created_us, next_id = position
        if self._store_id is not None:
            self._left_at[self._store_id] = self._after_id
        is_new = created_us >= self._made_after_us and (self._waits or self._store_id is not None)
        past_end = self._past_end if store_id == self._store_id else 0
        if store_id in self._left_at:
            after_id, where = min(self._left_at[store_id], next_id - 1), "going on where it was left"
        elif is_new:
            past_end, after_id, where = 0, 0, "following it from its beginning"
        elif self._store_id is None:
            past_end, after_id = next_id, self._first_id(feed, next_id) - 1
            where = "following it from now on"
        else:
            after_id, where = next_id - 1, "following it from now on"
        if self._store_id is not None and store_id != self._store_id:
            self.note(f"{feed.path}: another store is there now; {where}")
        elif self._waits or (self._store_id is not None and not is_same_file):
            self.note(f"{feed.path}: the store is there; {where}")
        self.stores += store_id != self._store_id
        self._store_id, self._after_id, self._past_end = store_id, after_id, past_end

    def _first_id(self, feed: Feed, next_id: int) -> int:
        since_us, last = self._beginning
        since_id = 1 if since_us is None else feed.begin_since(since_us)
        if since_id is None or last == 0:
            return next_id
        if last is None:
            return since_id
        found = feed.begin_last(last, next_id=next_id, since_us=since_us, since_id=since_id)
        return next_id if found is None else found

    def _has_moved(self) -> bool:
        """Whether another file, or none, has the name now, or a writer has woken this one up."""
        return self._path is not None and self._feed is not None and _files(self._path) != self._files

    def _let_go(self) -> None:
        with contextlib.suppress(LogStoreError):  # nothing was written: nothing can be lost
            self.close()

    def _wait(self) -> None:
        if not self._waits:
            gone = "no store yet" if self._store_id is None else "the store is gone"
            self.note(f"{gone}; waiting for one at {' or '.join(map(str, self._places))}")
        self._waits = True

    def _hold_on(self, why: str) -> None:
        """Say what holds it up once that has lasted for a while."""
        now_us = self._clock_us()
        if self._held_since_us is None:
            self._held_since_us = now_us
        if not self._said_held and now_us - self._held_since_us >= _SAY_HELD_AFTER_US:
            self.note(f"{self._path or self._places[0]}: {why}")
            self._said_held = True


def _files(path: Path) -> _Files | None:
    """Return what tells a file from another one; None if there is none."""
    try:
        real = path.resolve()
        found = real.stat()
    except (OSError, RuntimeError):  # a loop of links
        return None
    try:
        is_written = real.with_name(f"{real.name}-wal").stat().st_size > 0
    except OSError:
        is_written = False
    return _Files(found.st_dev, found.st_ino, None if is_written else found.st_mtime_ns)
