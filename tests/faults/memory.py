"""Out of memory: SQLite gets a little more than it has, so that an allocation amid a call fails."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw
from campaign import Tell
from cuts import NAME, at, folder
from history import Broken, History, open_store, random_calls
from model import NOW_US, Clock

from logstore import LogStore, LogStoreError
from logstore.errors import OutcomeUnknown

CALLS: Final = 50
LEAST: Final = 64
MOST: Final = 120_000
"""So many bytes more than it has SQLite may have."""


@contextmanager
def little_memory(more: int) -> Iterator[None]:
    """Let SQLite have so many bytes more than it has, and no more."""
    apsw.hard_heap_limit(apsw.memory_used() + more)
    try:
        yield
    finally:
        apsw.hard_heap_limit(0)
        apsw.soft_heap_limit(0)


def no_memory(rounds: int, seed: int, tell: Tell) -> int:
    """Make each call with little memory: it is stored whole or not at all, and then it goes through."""
    done = 0
    with folder() as place:
        while done < rounds:
            name = f"{seed}/{done}"
            history = History(random_calls(random.Random(name), CALLS))
            for path in place.iterdir():
                path.unlink()
            with at(f"run {name}"):
                done += _live(history, random.Random(name), rounds - done, place / NAME)
            tell(done)
    return done


def _live(history: History, chance: random.Random, rounds: int, path: Path) -> int:
    clock = Clock(NOW_US)
    store: LogStore | None = None
    try:
        for number in range(min(rounds, len(history.calls))):
            more = int(LEAST * (MOST / LEAST) ** chance.random())
            with at(f"call {number}, {more} bytes"):
                if chance.random() < 0.2 and store is not None:
                    store.close()
                    store = None
                store = store or _opened(path, clock, more)
                _call(history, store, clock, number, more)
    finally:
        if store is not None:
            store.close()
    return number + 1


def _opened(path: Path, clock: Clock, more: int) -> LogStore:
    """Open with little memory, then with enough. Raises Broken if an error is not ours, or stays."""
    try:
        with little_memory(more):
            return open_store(path, clock)
    except LogStoreError:
        return open_store(path, clock)


def _check_free(store: LogStore) -> None:
    """Raise Broken if the store still holds the write lock."""
    other = apsw.Connection(str(store.path))
    try:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    except apsw.BusyError as error:
        raise Broken("the call failed, yet the write lock is held") from error
    finally:
        other.close()


def _call(history: History, store: LogStore, clock: Clock, number: int, more: int) -> None:
    call = history.calls[number]
    begun = number + 1
    try:
        with little_memory(more):
            call.send(store, clock)
    except LogStoreError as error:
        if call.kind in ("log", "batch") and not isinstance(error, OutcomeUnknown):
            begun = number
        _check_free(store)
        state = history.check(store, number, begun)
        history.go_on(store, clock, state, number + 1, more=0)
    else:
        history.check(store, begun, begun)
