"""I/O errors: the nth write, sync, read ... of a run fails, once or for ever; then life goes on, or ends."""

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple

import apsw
from campaign import Tell
from cuts import NAME, Cut, Mark, at, cuts, folder, live, noting, survive
from disk import Disk, DiskFile, Image, Op, Platter, put
from history import Broken, Call, History, open_store, random_calls
from model import NOW_US, Clock

from logstore import LogStore, LogStoreError
from logstore.errors import OutcomeUnknown, StoreBusy

Kind = Literal["write", "sync", "read", "truncate", "delete", "open", "lock", "size"]
Ending = Literal["go on", "kill", "power cut", "kill, later power cut"]

ENDINGS: Final[tuple[Ending, ...]] = ("go on", "kill", "power cut", "kill, later power cut")
FAULTS: Final[tuple[tuple[Kind, int], ...]] = (
    ("write", apsw.SQLITE_FULL),
    ("write", apsw.SQLITE_IOERR_WRITE),
    ("sync", apsw.SQLITE_IOERR_FSYNC),
    ("read", apsw.SQLITE_IOERR_READ),
    ("truncate", apsw.SQLITE_IOERR_TRUNCATE),
    ("delete", apsw.SQLITE_IOERR_DELETE),
    ("open", apsw.SQLITE_CANTOPEN),
    ("lock", apsw.SQLITE_IOERR_LOCK),
    ("size", apsw.SQLITE_IOERR_FSTAT),
)
BEFORE: Final = 20
DURING: Final = 8
"""So many calls fill the store first, and so many are made while the disk fails."""

PATIENCE: Final = 3
"""So often a client tries again before the disk is mended."""


class Fault(NamedTuple):
    """What fails: the nth operation of a kind, counted from where the run begins."""

    kind: Kind
    code: int
    n: int
    forever: bool

    def __str__(self) -> str:
        name = apsw.mapping_extended_result_codes.get(self.code) or apsw.mapping_result_codes[self.code]
        return f"{name} at {self.kind} {self.n}, {'from then on' if self.forever else 'once'}"


class FailingDisk(Disk):
    """A disk that fails as a Fault says."""

    def __init__(self, seed: str, image: Image | None = None) -> None:
        super().__init__(seed, image)
        self.fault: Fault | None = None
        self.fired = 0
        self._seen = 0

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "FailingFile":  # noqa: N802
        self.may_fail("open")
        return FailingFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.may_fail("delete")
        super().xDelete(filename, syncdir)

    def may_fail(self, kind: Kind) -> None:
        """Raise what the fault says, if it is time to."""
        fault = self.fault
        if fault is None or kind != fault.kind:
            return
        self._seen += 1
        if self._seen == fault.n or (fault.forever and self._seen > fault.n):
            self.fired += 1
            raise apsw.exception_for(fault.code)


class FailingFile(DiskFile):
    """A file of a FailingDisk."""

    def __init__(self, disk: FailingDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__(disk, name, flags)
        self._failing = disk

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        try:
            self._failing.may_fail("write")
        except apsw.Error:
            super().xWrite(data[: len(data) // 2], offset)  # some of it went through
            raise
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        try:
            self._failing.may_fail("sync")
        except apsw.Error:
            self._failing.note(Op("sync-failed", self._inode))
            raise
        super().xSync(flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._failing.may_fail("read")
        return super().xRead(amount, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self._failing.may_fail("truncate")
        super().xTruncate(size)

    def xLock(self, level: int) -> None:  # noqa: N802
        self._failing.may_fail("lock")
        super().xLock(level)

    def xFileSize(self) -> int:  # noqa: N802
        self._failing.may_fail("size")
        return super().xFileSize()


class Ended(Exception):
    """The process, or the power, is gone."""


class Run:
    """One client, one store and a disk that fails: what was acknowledged, what may have been stored."""

    def __init__(self, history: History, place: Path, disk: FailingDisk, ending: Ending) -> None:
        self.acked = self.begun = 0
        self._history = history
        self._path = place / NAME
        self._disk = disk
        self._ending = ending
        self._clock = Clock(NOW_US)
        self._store: LogStore | None = None
        self._failed = 0
        self._exists = False

    def live(self, mark: Mark) -> None:
        """Make all calls from a mark on, each until it is acknowledged. Raises Ended or Broken."""
        self.acked, self.begun, self._exists = mark.acked, mark.begun, mark.exists
        while self._store is None:
            with self._enduring():
                self._store = open_store(self._path, self._clock)
        self._exists = True
        for number in range(mark.acked, len(self._history.calls)):
            while self.acked <= number:
                self._send(self._store, number)

    def close(self) -> None:
        """Close the store, if need be with one more try. Raises Broken."""
        while self._store is not None:
            with self._enduring():
                self._store.close()
                self._store = None

    def of_another_process(self) -> "Run":
        """Take the place of a process that was killed, on the same disk."""
        if self._store is not None:
            raw = self._store._open()._raw
            raw.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            raw.close()
        run = Run(self._history, self._path.parent, self._disk, "go on")
        run.acked, run.begun, run._exists = self.acked, self.begun, self._exists
        return run

    def mark(self) -> Mark:
        """What was promised by now."""
        return Mark(0, self.acked, self.begun, self._exists)

    def _send(self, store: LogStore, number: int) -> None:
        call = self._history.calls[number]
        unknown, self.begun = self.begun > number, number + 1
        if unknown and call.kind == "log":
            self._look(store, number)
            return
        with self._enduring():
            try:
                _leave_checkpoints_to_sweeps(store)
                taken = call.send(store, self._clock)
            except LogStoreError as error:
                if not unknown and _stored_nothing(call, error):
                    self.begun = number
                raise
            self.acked = number + 1
            if call.kind == "batch" and taken != len(call.records) and not (unknown and taken == 0):
                raise Broken(f"{call.token}: {taken} of {len(call.records)} records taken")

    def _look(self, store: LogStore, number: int) -> None:
        """See whether a call was stored that cannot be sent again."""
        self._disk.fault = None
        state = self._history.check(store, number, number + 1)
        self.begun = self.acked = number + (state == self._history.ends[number + 1])

    @contextmanager
    def _enduring(self) -> Iterator[None]:
        """Take an error of the disk as a client does: try again, a few times; then the disk is mended."""
        try:
            yield
        except LogStoreError as error:
            fault = self._disk.fault
            if fault is None or isinstance(error, StoreBusy) or (self._failed and not fault.forever):
                raise Broken(f"the disk is well, yet: {type(error).__name__}: {error}") from error
            self._failed += 1
            if self._failed == PATIENCE or not fault.forever:
                if self._ending != "go on":
                    raise Ended from error
                self._disk.fault = None


def _leave_checkpoints_to_sweeps(store: LogStore) -> None:
    """An error in an automatic checkpoint, which SQLite swallows, would come out of the commit before it."""
    store._writing().rows("PRAGMA wal_autocheckpoint = 0")


def _stored_nothing(call: Call, error: LogStoreError) -> bool:
    """Whether the contract says so: a sweep works in several transactions."""
    return call.kind in ("log", "batch") and not isinstance(error, OutcomeUnknown)


class Stage(NamedTuple):
    """A store before its disk fails: its history, what of it is on the disk, and what was promised."""

    name: str
    history: History
    image: Image
    mark: Mark


class Case(NamedTuple):
    """What is done to a store."""

    stage: Stage
    fault: Fault
    ending: Ending

    def __str__(self) -> str:
        return f"{self.stage.name}: {self.fault}, then {self.ending}"


def endure(case: Case, place: Path, seed: str) -> bool:
    """Make calls while the disk fails, and check what is left. Returns whether it did fail. Raises Broken."""
    chance = random.Random(seed)
    stage = case.stage
    put(stage.image, place)
    disk = FailingDisk(seed, stage.image)
    with noting(disk, seed):
        run = Run(stage.history, place, disk, case.ending)
        disk.fault = case.fault
        try:
            run.live(stage.mark)
        except Ended:
            if case.ending == "kill, later power cut":
                disk.fault = None
                run = run.of_another_process()
                run.live(run.mark())
        left = [(run.mark(), _killed(place) if case.ending == "kill" else _cut(stage, disk, chance))]
        disk.fault = None
        run.close()
        if run.mark().acked == len(stage.history.calls):
            left.append((run.mark(), _killed(place)))
    for mark, image in left:
        survive(stage.history, Cut(mark, len(disk.ops), image), place, chance, thorough=False)
    return disk.fired > 0


def _killed(place: Path) -> Image:
    """What a process that was killed leaves."""
    return {
        path.name: path.read_bytes()
        for path in place.iterdir()
        if not path.name.endswith(("-shm", "-reserve"))
    }


def _cut(stage: Stage, disk: FailingDisk, chance: random.Random) -> Image:
    """What a power cut leaves."""
    platter = Platter(stage.image)
    platter.advance(disk.ops, len(disk.ops))
    return platter.image(chance)


def io_errors(rounds: int, seed: int, tell: Tell, *, first: int = 1) -> int:
    """Let the nth operation of each kind fail, n = 1 .. until all runs complete; then of others."""
    done = 0
    with folder() as place:
        for number in itertools.count():
            stages = _stages(f"{seed}/{number}", place)
            left = list(itertools.product(stages, FAULTS, (False, True)))
            for n in itertools.count(first):
                fired: list[tuple[Stage, tuple[Kind, int], bool]] = []
                for stage, (kind, code), forever in left:
                    if done == rounds:
                        return done
                    ending = ENDINGS[(n + number + len(fired)) % len(ENDINGS)]
                    case = Case(stage, Fault(kind, code, n, forever), ending)
                    with at(f"pass {number}, {case}"):
                        if endure(case, place, f"{seed}/{case}"):
                            fired.append((stage, (kind, code), forever))
                    done += 1
                    tell(done)
                left = fired
                if not left:
                    break
    raise AssertionError  # count() has no end


def _stages(name: str, place: Path) -> list[Stage]:
    """A store that was closed, one that is to be created, and one that lost its power."""
    history = History(random_calls(random.Random(name), BEFORE + DURING))
    life = live(history, place, name, calls=BEFORE)
    platter = Platter()
    platter.advance(life.ops, len(life.ops))
    closed = Stage("closed", history, platter.image(random.Random(name)), Mark(0, BEFORE, BEFORE))
    new = Stage("new", History(history.calls[:DURING]), {}, Mark(0, 0, 0, exists=False))
    cut = next(
        cut
        for cut in cuts(life, 100, name)
        if cut.mark.acked > BEFORE // 2 and history.calls[cut.mark.begun - 1].repeatable
    )
    return [closed, new, Stage("cut", history, cut.image, cut.mark)]
