"""Kill -9: any of four processes at any time, and each step of what writes a file, at each of its writes.

`any_of_four` kills by time: three writers with tokens and a sweeper share a file over many rounds, some of
them die, the others go on. `at_each_step` kills by place: a child dies before the n-th time that SQLite
touches the disk, for every n, while it creates, writes, sweeps, checkpoints, upgrades, closes or copies.
"""

import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw
from campaign import Campaign, Tell, silent
from history import Promise, batch_of, check_sound, check_writers, send_again
from model import NOW_US
from processes import Child, Numbers, expect, folder, shared, told, wait_until

from logstore import LogStore
from logstore.database import VERSION, open_writer
from logstore.filters import Filter
from logstore.keeping.snapshot import Wanted, manifest_of, take_snapshot

NAMES: Final = ("one", "two", "three")
SWEEPER: Final = len(NAMES)
STOP: Final = SWEEPER + 1
FOUR: Final = range(4)
ROUNDS_OF_A_FILE: Final = 15

OLD_SCHEMA: Final = Path(__file__).parent.parent / "data" / "upgrade" / "schema_1000.sql"


# -- any of four ---------------------------------------------------------------------------------------


def any_of_four(kills: int, seed: int, tell: Tell = silent) -> Counter[str]:
    """Kill so many processes, some of four in each round. Returns what was counted."""
    chance = random.Random(seed)
    figures: Counter[str] = Counter()
    while figures["kills"] < kills:
        with folder() as place, told(figures["rounds"]):
            _rounds(place / "log.db", chance, figures, kills)
        tell(figures["kills"])
    return figures


def _rounds(path: Path, chance: random.Random, figures: Counter[str], kills: int) -> None:
    """Carry one file through rounds of kills; the first ones hit its creation."""
    seen = shared(STOP + 1)
    for _ in range(ROUNDS_OF_A_FILE):
        if figures["kills"] >= kills:
            break
        seen[STOP] = 0
        _one_round(path, chance, figures, seen)
        _check_and_send_again(path, seen, figures)
        figures["rounds"] += 1
    figures["acknowledged batches"] += sum(seen[:SWEEPER])


def _one_round(path: Path, chance: random.Random, figures: Counter[str], seen: Numbers) -> None:
    works = [partial(_write, path, number, seen) for number in range(SWEEPER)]
    children = [Child(work) for work in (*works, partial(_sweep, path, seen))]
    victims = chance.sample(FOUR, chance.choice((1, 2, 3, 4, 4)))
    try:
        for victim in victims:
            time.sleep(chance.expovariate(1 / 0.006))
            children[victim].kill()
            figures["kills"] += 1
        _go_on({number: children[number] for number in FOUR if number not in victims}, seen)
        seen[STOP] = 1
        for child in children:
            child.end()
    finally:
        for child in children:
            child.__exit__()


def _go_on(survivors: dict[int, Child], seen: Numbers) -> None:
    """See that each survivor does something more: no lock of the dead is left behind."""
    before = list(seen)

    def is_over(number: int, child: Child) -> bool:
        return seen[number] > before[number] or not child.is_running

    for number, child in survivors.items():
        wait_until(partial(is_over, number, child), f"process {number} goes on")
        if not child.is_running:
            child.answer()


def _write(path: Path, number: int, seen: Numbers) -> None:
    name = NAMES[number]
    with _opened(path) as store:
        while not seen[STOP]:
            sequence = seen[number] + 1
            store.log_many(batch_of(name, sequence), token=(name, sequence))
            seen[number] = sequence


def _sweep(path: Path, seen: Numbers) -> None:
    with _opened(path) as store:
        while not seen[STOP]:
            store.sweep()
            seen[SWEEPER] += 1


def _opened(path: Path) -> LogStore:
    return LogStore(path, window=0.01, max_span=0.05, max_open=8, busy_timeout=30)


def _check_and_send_again(path: Path, seen: Numbers, figures: Counter[str]) -> None:
    """Of each writer all that was acknowledged is there, or one batch more; sent again, that counts once."""
    promises = [Promise(name, seen[number], seen[number] + 1) for number, name in enumerate(NAMES)]
    with _opened(path) as store:
        stored = check_writers(store, promises, thorough=True)
        send_again(store, promises)
    for number, promise in enumerate(promises):
        figures["stored but not acknowledged"] += stored[promise.writer] - promise.acked
        seen[number] = promise.begun


# -- at each step --------------------------------------------------------------------------------------


class _Countdown:
    """How often the disk may still be touched; then this process dies."""

    left = 0

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


class _DyingFile(apsw.VFSFile):
    """A file of the operating system; each change of it counts."""

    def __init__(self, name: Any, flags: list[int], touch: _Countdown) -> None:
        super().__init__("unix", name, flags)
        self._touch = touch

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  # apsw's name
        self._touch()
        if len(data) > 1 and self._touch.left % 3 == 0:  # a kill may also come inside a write
            half = len(data) // 2
            super().xWrite(data[:half], offset)
            self._touch()
            data, offset = data[half:], offset + half
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._touch()
        super().xSync(flags)

    def xLock(self, level: int) -> None:  # noqa: N802
        """SQLite closes a file that it may only read by trying to lock it, and takes any error for no."""
        try:
            super().xLock(level)
        except apsw.IOError as error:
            raise apsw.BusyError(str(error)) from None

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._touch()
        super().xTruncate(size)


class _DyingDisk(apsw.VFS):
    """The operating system's files, for every connection that this process opens from now on."""

    def __init__(self, touch: _Countdown) -> None:
        self._touch = touch
        super().__init__("dying", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        self._touch()
        return _DyingFile(name, flags, self._touch)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self._touch()
        super().xDelete(filename, syncdir)


Step = Callable[[Path], object]
Check = Callable[[Path], object]


def at_each_step(kills: int, seed: int, tell: Tell = silent, *, names: Iterable[str] = ()) -> Counter[str]:
    """Kill each kind of step at its places in turn, round and round. Returns what was counted."""
    names = tuple(names) or tuple(STEPS)
    chance = random.Random(seed)
    figures: Counter[str] = Counter()
    with folder() as place:
        before = _before(place)
        places = {name: _places(name, chance, before, place) for name in names}
        for name in itertools.cycle(names):
            if figures["kills"] >= kills:
                break
            left = next(places[name])
            with told(f"{name}, killed before touch {left} of the disk"):
                _die_at(name, left, before, place, figures)
            tell(figures["kills"])
    return figures


def _places(name: str, chance: random.Random, before: dict[str, Path], place: Path) -> Iterator[int]:
    """Give each place of a step once before any comes again, in any order."""
    with Child(partial(dying, STEPS[name][0], _copied(name, before, place), 1 << 40)) as child:
        total = (1 << 40) - child.answer()
    while True:
        yield from chance.sample(range(total), total)


def _die_at(name: str, left: int, before: dict[str, Path], place: Path, figures: Counter[str]) -> None:
    path = _copied(name, before, place)
    step, check = STEPS[name]
    with Child(partial(dying, step, path, left)) as child:
        if not child.was_killed:
            child.answer()
            figures[f"{name}: ended first"] += 1
            return
    figures["kills"] += 1
    figures[name] += 1
    check(path)


def dying(step: Step, path: Path, left: int) -> int:
    """Do a step, and die after so many touches of the disk. Returns how many were left."""
    touch = _Countdown()
    touch.left = left
    disk = _DyingDisk(touch)
    step(path)
    disk.unregister()
    return touch.left


def _copied(name: str, before: dict[str, Path], place: Path) -> Path:
    """Return the path of a fresh file, as the step finds it."""
    work = place / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    for suffix in ("", "-wal"):
        source = Path(f"{before.get(name, place / 'none')}{suffix}")
        if source.exists():
            shutil.copy(source, work / f"log.db{suffix}")
    return work / "log.db"


def _before(place: Path) -> dict[str, Path]:
    """Make the files that the steps begin with; none for the first."""
    filled, left, old = place / "filled.db", place / "left.db", place / "old.db"
    with LogStore(filled, clock_us=_ticking(), auto_sweep=False) as store:
        _send(store, 1, BATCHES)
    shutil.copy(filled, left)
    with Child(partial(_leave_wal, left)) as child:
        expect(child.was_killed, "a WAL to checkpoint")
    raw = apsw.Connection(str(old))
    raw.execute("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL")
    raw.execute(OLD_SCHEMA.read_text(encoding="utf-8"))
    raw.execute(OLD_ROWS)
    raw.close()
    return {"upgrade": old, "checkpoint": left} | dict.fromkeys(
        ("write", "sweep", "close", "snapshot"), filled
    )


BATCHES: Final = 40
MORE: Final = BATCHES + 9
OLD_ROWS: Final = """
INSERT INTO settings (one, window_ms, max_span_ms, max_open) VALUES (1, 5000, 0, 70);
INSERT INTO store (one, store_id, host, created_us, next_id) VALUES (1, 'old', 'node1', 1, 3);
INSERT INTO content (hash, source, level, message) VALUES (zeroblob(32), '0', 6, 'is up');
INSERT INTO content (hash, source, level, message) VALUES (randomblob(32), '0', 6, 'is down');
INSERT INTO archive (id, content_id, run_id, first_us, last_us, count, reason)
VALUES (1, 1, 1, 1, 9, 4, 'gap'), (2, 2, 2, 2, 8, 3, 'gap');
"""
OLD_EPISODES: Final = [(1, "is up", 4, "gap"), (2, "is down", 3, "gap")]


def _ticking() -> Callable[[], int]:
    return itertools.count(NOW_US, 1000).__next__


def _send(store: LogStore, first: int, last: int) -> None:
    for sequence in range(first, last + 1):
        store.log_many(batch_of("one", sequence), token=("one", sequence))


def _leave_wal(path: Path) -> None:
    """Write, and die before the checkpoint that closing would make."""
    store = LogStore(path, clock_us=_ticking(), auto_sweep=False)
    _send(store, BATCHES + 1, MORE)
    os.kill(os.getpid(), signal.SIGKILL)


# -- the steps, each with what must hold after it was cut short ----------------------------------------


def create(path: Path) -> None:
    """Make a new store that holds a set of rules."""
    LogStore(path, masks="cluster").close()


def _check_created(path: Path) -> None:
    with LogStore(path, masks="cluster") as store:
        _check_pages(store)
        expect(store.settings.masks == "cluster", "the settings it was created with")
        expect(store.log("m") == 1, "a first copy")


def _write_more(path: Path) -> None:
    with LogStore(path, clock_us=_ticking()) as store:
        _send(store, BATCHES + 1, MORE)


def _check_written(path: Path) -> None:
    """Whole batches, none missing before the last; sent again, each counts once."""
    with LogStore(path, clock_us=_ticking()) as store:
        check_writers(store, [Promise("one", BATCHES, MORE)], thorough=True)
        _send(store, BATCHES + 1, MORE)
        check_writers(store, [Promise("one", MORE, MORE)])


def _sweep_all(path: Path) -> None:
    with LogStore(path) as store:
        store.sweep(now_us=NOW_US + 10**12)


def _checkpoint(path: Path) -> None:
    with open_writer(path, busy_timeout=5, vfs=None, group=None) as connection:
        for mode in ("PASSIVE", "FULL", "TRUNCATE"):
            connection.rows(f"PRAGMA wal_checkpoint({mode})")


def _check_whole(path: Path, batches: int) -> None:
    with LogStore(path) as store:
        check_writers(store, [Promise("one", batches, batches)], thorough=True)


def _upgrade(path: Path) -> None:
    LogStore(path, upgrade=True).close()


def _check_upgraded(path: Path) -> None:
    """Of the old format or of the new one, never between; the upgrade done again brings all of it."""
    raw = apsw.Connection(str(path))
    version = raw.pragma("user_version")
    raw.close()
    expect(version in {1000, VERSION}, f"format {version} after a killed upgrade")
    with LogStore(path, upgrade=True) as store:
        _check_pages(store)
        kept = sorted((each.id, each.message, each.count, each.reason) for each in store.episodes())
        expect(kept == OLD_EPISODES, f"all that was there, not {kept}")
        expect(store.log("is up", source="new") == 1, "a first copy")


def _close(path: Path) -> None:
    """Close a store whose background writer holds records."""
    store = LogStore(path, clock_us=_ticking())
    writer = store.background()
    for record in batch_of("two", 1):
        writer.log(record.message, source=record.source)
    store.close()


def _check_closed(path: Path) -> None:
    """What was stored before is there; what nobody was told of is there whole, or not at all."""
    with LogStore(path) as store:
        check_writers(store, [Promise("one", BATCHES, BATCHES)], thorough=True)
        held = sum(episode.count for episode in store.episodes(source="two"))
        expect(held in {0, len(batch_of("two", 1))}, f"{held} records of a writer that was not flushed")


def _snapshot(path: Path) -> None:
    wanted = Wanted(Filter(), None, ())
    take_snapshot(path, path.with_name("copy.db"), wanted, now_us=NOW_US, progress=lambda _: None)


def _check_copied(path: Path) -> None:
    """The store is as before; the copy has its name only if it is whole, and then with its manifest."""
    _check_whole(path, BATCHES)
    copy = path.with_name("copy.db")
    if copy.exists():
        manifest = json.loads(manifest_of(copy).read_text(encoding="utf-8"))
        digest = hashlib.sha256(copy.read_bytes()).hexdigest()
        expect(manifest["sha256"] == digest, "the manifest of the copy")
        with LogStore(copy, readonly=True) as store, LogStore(path, readonly=True) as source:
            expect(list(store.episodes()) == list(source.episodes()), "the same episodes in the copy")


def _check_pages(store: LogStore) -> None:
    with store.reader() as reader:
        check_sound(reader, thorough=True)


STEPS: Final[dict[str, tuple[Step, Check]]] = {
    "create": (create, _check_created),
    "write": (_write_more, _check_written),
    "sweep": (_sweep_all, partial(_check_whole, batches=BATCHES)),
    "checkpoint": (_checkpoint, partial(_check_whole, batches=MORE)),
    "upgrade": (_upgrade, _check_upgraded),
    "close": (_close, _check_closed),
    "snapshot": (_snapshot, _check_copied),
}

CAMPAIGNS: Final = (
    Campaign(
        "kills",
        "kill -9 of any of three writers and a sweeper, the file carried on; a round is a kill",
        300,
        20_000,
        lambda rounds, seed, tell: any_of_four(rounds, seed, tell)["kills"],
    ),
    Campaign(
        "kills-in-steps",
        "kill -9 at each write of creation, writing, sweep, checkpoint, upgrade, close and snapshot",
        300,
        20_000,
        lambda rounds, seed, tell: at_each_step(rounds, seed, tell)["kills"],
    ),
)
