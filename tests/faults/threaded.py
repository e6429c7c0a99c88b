"""Power cuts of a life with several threads: writers, each with its own batches, and one that sweeps.

How the threads take turns is not in the seed: the same seed draws the same cuts, from another life.
"""

import random
import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from campaign import Tell
from cuts import NAME, at, folder, noting
from disk import Disk, Image, Op, Platter, put
from history import Broken, Promise, batch_of, check_writers, open_store, send_again
from model import NOW_US, Clock

from logstore import LogStore

WRITERS: Final = ("one", "two", "three", "four")
BATCHES: Final = 40
CUTS: Final = 100


@dataclass
class Lives:
    """What several threads did to a disk, and at which place of the notes each batch began and came back."""

    ops: list[Op]
    created: int = 0
    begun: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    acked: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    errors: list[Exception] = field(default_factory=list)

    def promises(self, place: int) -> list[Promise]:
        """What was promised by a place of the notes."""
        return [
            Promise(writer, bisect_right(self.acked[writer], place), bisect_right(self.begun[writer], place))
            for writer in WRITERS
        ]


def _live(place: Path, seed: str, *, together: bool) -> Lives:
    """Let four threads write, on one store or on one each, while another one sweeps."""
    for path in place.iterdir():
        path.unlink()
    clock = Clock(NOW_US)
    disk = Disk(seed)
    lives = Lives(disk.ops)
    with noting(disk, seed), ExitStack() as stack:
        stores = [stack.enter_context(open_store(place / NAME, clock))]
        lives.created = len(disk.ops)
        for _ in WRITERS[1:]:
            stores.append(stores[0] if together else stack.enter_context(open_store(place / NAME, clock)))
        for store in stores:
            store._writing().rows("PRAGMA wal_autocheckpoint = 20")
        done = threading.Event()
        threads = [
            threading.Thread(target=_guarded, args=(lives, _write, lives, store, writer, clock))
            for store, writer in zip(stores, WRITERS, strict=True)
        ]
        sweeper = threading.Thread(target=_guarded, args=(lives, _sweep, stores[0], clock, done))
        for thread in (*threads, sweeper):
            thread.start()
        for thread in threads:
            thread.join()
        done.set()
        sweeper.join()
    if lives.errors:
        raise Broken(f"a thread was told: {lives.errors[0]}") from lives.errors[0]
    return lives


def _guarded(lives: Lives, work: Callable[..., None], *arguments: object) -> None:
    try:
        work(*arguments)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is said
        lives.errors.append(error)


def _write(lives: Lives, store: LogStore, writer: str, clock: Clock) -> None:
    for sequence in range(1, BATCHES + 1):
        lives.begun[writer].append(len(lives.ops))
        store.log_many(batch_of(writer, sequence), token=(writer, sequence))
        lives.acked[writer].append(len(lives.ops))
        clock.forward(ms=100)


def _sweep(store: LogStore, clock: Clock, done: threading.Event) -> None:
    while not done.wait(0.002):
        store.sweep(now_us=clock() + 3_000_000)  # all that is open


def threaded_cuts(rounds: int, seed: int, tell: Tell) -> int:
    """Cut the power of lives of several threads, CUTS times each."""
    done = 0
    with folder() as place:
        while done < rounds:
            name = f"{seed}/{done}"
            lives = _live(place, name, together=done // CUTS % 2 == 0)
            for number, (cut, image) in enumerate(_cuts(lives, min(CUTS, rounds - done), name)):
                with at(f"life {name}, cut {number} at operation {cut}"):
                    _survive(lives, cut, image, place, thorough=number % 20 == 0)
                done += 1
            tell(done)
    return done


def _cuts(lives: Lives, count: int, seed: str) -> Iterator[tuple[int, Image]]:
    chance = random.Random(seed)
    platter = Platter()
    for cut in sorted(chance.randint(0, len(lives.ops)) for _ in range(count)):
        platter.advance(lives.ops, cut)
        yield cut, platter.image(chance)


def _survive(lives: Lives, cut: int, image: Image, place: Path, *, thorough: bool) -> None:
    put(image, place)
    if cut >= lives.created and NAME not in image:
        raise Broken("the whole store is gone")
    with open_store(place / NAME, Clock(NOW_US)) as store:
        promises = lives.promises(cut)
        check_writers(store, promises, thorough=thorough)
        send_again(store, promises)
