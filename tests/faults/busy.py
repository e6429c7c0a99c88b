"""Somebody else holds the write lock: a call says so, stored nothing, and goes through when it is free."""

import random
from pathlib import Path
from typing import Final

import apsw
from campaign import Tell
from cuts import NAME, at, folder
from history import Broken, History, open_store, random_calls
from model import NOW_US, Clock

from logstore import LogStore
from logstore.errors import StoreBusy

CALLS: Final = 30


def locked_out(rounds: int, seed: int, tell: Tell) -> int:
    """Hold the write lock while some of the calls come."""
    done = 0
    with folder() as place:
        while done < rounds:
            name = f"{seed}/{done}"
            for path in place.iterdir():
                path.unlink()
            with at(f"run {name}"):
                done += _live(name, rounds - done, place / NAME)
            tell(done)
    return done


def _live(name: str, rounds: int, path: Path) -> int:
    chance = random.Random(name)
    history = History(random_calls(chance, min(rounds, CALLS)))
    clock = Clock(NOW_US)
    with open_store(path, clock, busy_timeout=0) as store:
        other = apsw.Connection(str(path))
        try:
            for number in range(len(history.calls)):
                if chance.random() < 0.5:
                    _refused(history, number, store, clock, other)
                history.calls[number].send(store, clock)
                history.check(store, number + 1, number + 1)
        finally:
            other.close()
    return len(history.calls)


def _refused(history: History, number: int, store: LogStore, clock: Clock, other: apsw.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")
    try:
        history.calls[number].send(store, clock)
    except StoreBusy:
        pass
    else:
        raise Broken(f"call {number} went through a lock that somebody else holds")
    finally:
        other.execute("ROLLBACK")
    history.check(store, number, number)
