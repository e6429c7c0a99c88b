"""Power cuts: a store lives on a noting disk, once; then the power fails at many places of that life."""

import os
import random
import tempfile
import uuid
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Final, NamedTuple
from unittest import mock

from campaign import Tell
from disk import Disk, Image, Op, Platter, put
from history import (
    Broken,
    History,
    open_store,
    random_calls,
)
from model import NOW_US, Clock

from logstore import LogStore, LogStoreError
from logstore.database import Connection

NAME: Final = "log.db"
CALLS: Final = 60
CUTS: Final = 250
"""So many calls are a life, and so often its power is cut."""

THOROUGH: Final = 20
"""Every so many cuts the pages are checked to the last, and the client goes on for longer."""


class Mark(NamedTuple):
    """From a place of the notes on: how many calls were acknowledged and begun, and if a store is there."""

    at: int
    acked: int
    begun: int
    exists: bool = True


@dataclass
class Life:
    """What was done to the disk between two power cuts."""

    history: History
    image: Image
    ops: list[Op] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


class Cut(NamedTuple):
    """A power cut: where it was, what it left, and what was promised by then."""

    mark: Mark
    at: int
    image: Image

    def __str__(self) -> str:
        sizes = {name: len(data) for name, data in self.image.items()}
        return f"cut at operation {self.at} ({self.mark}), left {sizes}"


@contextmanager
def noting(disk: Disk, seed: str) -> Iterator[None]:
    """Let a disk note all that stores do; what else is random in a new one is of the seed, too."""
    store_id = uuid.UUID(int=random.Random(seed).getrandbits(128))
    with ExitStack() as stack:
        stack.callback(disk.unregister)
        stack.enter_context(mock.patch.object(os, "fsync", disk.sync))
        stack.enter_context(mock.patch.object(uuid, "uuid4", return_value=store_id))
        yield


@contextmanager
def folder() -> Iterator[Path]:
    """A folder in memory."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="faults-", dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def live(history: History, place: Path, seed: str, *, calls: int = CALLS, after: Cut | None = None) -> Life:
    """Let a store live for so many calls, from its creation or from what a power cut left."""
    chance = random.Random(seed)
    acked, begun, exists = after.mark[1:] if after else (0, 0, False)
    life = Life(history, after.image if after else {})
    put(life.image, place, chance)
    clock = Clock(NOW_US)
    disk = Disk(seed, life.image)
    life.ops = disk.ops
    with noting(disk, seed):
        life.marks.append(Mark(0, acked, begun, exists))
        store = open_store(place / NAME, clock)
        life.marks.append(Mark(len(disk.ops), acked, begun))
        state = history.check(store, acked, begun)
        _use(store, life, _unknown(history, state, begun, calls), clock, chance)
    return life


def _unknown(history: History, state: int, begun: int, calls: int) -> range:
    """Which calls to make: first the one in flight, unless it is stored and could not be recognised."""
    first = begun
    if begun and history.calls[begun - 1].repeatable | (state < history.ends[begun]):
        first = begun - 1
    return range(first, min(begun + calls, len(history.calls)))


def _use(store: LogStore, life: Life, numbers: Sequence[int], clock: Clock, chance: random.Random) -> None:
    """Make calls by one or two objects, with checkpoints, readers that stay and new starts in between."""
    pages = chance.choice((4, 30, 1000))
    stores = [store]
    if chance.random() < 0.5:
        stores.append(open_store(store.path, clock))
    readers: list[Connection] = []
    for number in numbers:
        place = chance.randrange(len(stores))
        fate = chance.randrange(20)
        if fate == 0 and not readers:
            _checkpoint(stores[place], chance)
        elif fate in (1, 2) and not readers:
            stores[place].close()
            stores[place] = open_store(store.path, clock)
        elif fate in (3, 4):
            _exchange(readers, stores[place])
        stores[place]._writing().rows(f"PRAGMA wal_autocheckpoint = {pages}")
        life.marks.append(Mark(len(life.ops), number, number + 1))
        life.history.calls[number].send(stores[place], clock)
        life.marks.append(Mark(len(life.ops), number + 1, number + 1))
    for reader in readers:
        reader.close()
    for each in stores:
        each.close()


def _checkpoint(store: LogStore, chance: random.Random) -> None:
    store._writing().rows(f"PRAGMA wal_checkpoint({chance.choice(('PASSIVE', 'FULL', 'TRUNCATE'))})")


def _exchange(readers: list[Connection], store: LogStore) -> None:
    """Begin a long read, or end it."""
    if readers:
        readers.pop().close()
    else:
        readers.append(store.reader())
        readers[-1].hold_snapshot()


# -- the cuts ------------------------------------------------------------------------------------------


def cuts(life: Life, count: int, seed: str, *, blast: bool = False) -> Iterator[Cut]:
    """Cut the power of a life, so often."""
    chance = random.Random(seed)
    platter = Platter(life.image)
    places = [mark.at for mark in life.marks]
    for at in sorted(chance.randint(0, len(life.ops)) for _ in range(count)):
        platter.advance(life.ops, at)
        yield Cut(life.marks[bisect_right(places, at) - 1], at, platter.image(chance, blast=blast))


def survive(history: History, cut: Cut, place: Path, chance: random.Random, *, thorough: bool) -> None:
    """Open what a power cut left on an ordinary disk, check it, and let the client go on. Raises Broken."""
    put(cut.image, place, chance)
    if cut.mark.exists and NAME not in cut.image:
        raise Broken(f"{cut}: the whole store is gone")
    clock = Clock(NOW_US)
    try:
        with open_store(place / NAME, clock) as store:
            state = history.check(store, cut.mark.acked, cut.mark.begun, thorough=thorough)
            history.go_on(store, clock, state, cut.mark.begun, more=4 if thorough else 0)
    except Exception as error:
        raise Broken(f"{cut}: {type(error).__name__}: {error}") from error


def power_cuts(rounds: int, seed: int, tell: Tell, *, blast: bool = False) -> int:
    """Cut the power of one life after the other, CUTS times each; a life is work for one process."""
    done = 0
    with folder() as place, workers() as pool:
        lives = [
            (place / str(first), f"{seed}/{first}", min(CUTS, rounds - first), blast)
            for first in range(0, rounds, CUTS)
        ]
        for count in pool.imap(_life_and_cuts, lives):
            done += count
            tell(done)
    return done


@contextmanager
def workers() -> Iterator[Pool]:
    """A process for each processor, begun as this one is now."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads; there are none here
        pool = get_context("fork").Pool(os.cpu_count())
    with pool:
        yield pool


def _life_and_cuts(work: tuple[Path, str, int, bool]) -> int:
    place, name, count, blast = work
    place.mkdir()
    history = History(random_calls(random.Random(name), CALLS))
    with at(f"life {name}"):
        life = live(history, place, name)
    chance = random.Random(f"{name}/after")
    for number, cut in enumerate(cuts(life, count, f"{name}/cuts", blast=blast)):
        with at(f"life {name}, cut {number}"):
            survive(history, cut, place, chance, thorough=number % THOROUGH == 0)
    for path in place.iterdir():
        path.unlink()
    return count


def blasts(rounds: int, seed: int, tell: Tell) -> int:
    """The same on a disk where a torn write takes 4 KiB along."""
    return power_cuts(rounds, seed, tell, blast=True)


def nested_cuts(rounds: int, seed: int, tell: Tell, *, depth: int = 3) -> int:
    """Cut the power again while the store recovers from a cut, and again."""
    with folder() as place:
        for done in range(rounds):
            name = f"{seed}/{done // 10}"  # ten cascades of one first life
            if done % 10 == 0:
                history = History(random_calls(random.Random(name), CALLS))
                first = live(history, place, name)
            name = f"{seed}/{done}"
            chance = random.Random(f"{name}/after")
            (cut,) = cuts(first, 1, f"{name}/1")
            with at(f"life {name}"):
                for level in range(2, chance.randint(2, depth) + 1):
                    again = live(history, place, f"{name}/{level}", calls=chance.choice((0, 0, 2)), after=cut)
                    (cut,) = cuts(again, 1, f"{name}/{level}")
                survive(history, cut, place, chance, thorough=done % THOROUGH == 0)
            tell(done + 1)
    return rounds


@contextmanager
def at(place: str) -> Iterator[None]:
    """Say where a failure was."""
    try:
        yield
    except Broken as broken:
        raise Broken(f"{place}: {broken}") from broken
    except LogStoreError as error:
        raise Broken(f"{place}: {type(error).__name__}: {error}") from error
