"""What people and other programs do to the files of a store that is open.

The law: what is acknowledged after such a thing is there for everyone who opens the path then; otherwise the
call ends in one of our errors. Each is done in a child of its own: most break the locks of a process.
"""

import contextlib
import shutil
import sqlite3
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from history import batch_of
from malformed import check_words
from model import NOW_US, Clock
from processes import Child, folder, in_child, shared, wait_until

from logstore import LogStore, LogStoreError, Record

HELD: Final = 200
BEFORE: Final = 5
AFTER: Final = 5
OVER: Final = 1 << 20

Deed = Callable[[Path], object]


class Seen(NamedTuple):
    """What a store said before and after a deed, and what a fresh process finds then."""

    said: list[str]
    stored: int | str
    acked: int

    @property
    def is_kept(self) -> bool:
        """Whether all that was acknowledged, before or after the deed, is there."""
        return self.stored == self.acked


def beside(path: Path, end: str) -> Path:
    """Return one of the files beside a store."""
    return path.with_name(f"{path.name}-{end}")


def do(deed: Deed, *, undo: Deed | None = None, in_transaction: bool = False) -> Seen:
    """Write, do the deed, write on, undo it, write on again. Returns what came of it."""
    with folder() as outer:
        path = _begun(outer)
        said = in_child(partial(_work, path, deed, undo, in_transaction=in_transaction))
        acked = [number for number, each in enumerate(said, 1) if each == "acked"]
        return Seen(said, in_child(partial(_stored, path, acked)), len(acked))


def _begun(outer: Path) -> Path:
    """Return the path of a store that holds a little already, all of it in the file."""
    (outer / "folder").mkdir()
    path = outer / "folder" / "log.db"
    with LogStore(path, clock_us=Clock(NOW_US)) as store:
        store.log_many(Record(f"m{number}", source="begun") for number in range(HELD))
    return path


def _work(path: Path, deed: Deed, undo: Deed | None, *, in_transaction: bool) -> list[str]:
    warnings.simplefilter("ignore")
    clock = _Clock()
    said = []
    with contextlib.suppress(LogStoreError), LogStore(path, clock_us=clock) as store:
        said = [_send(store, number) for number in range(1, BEFORE + 1)]
        if in_transaction:
            clock.then = partial(deed, path)
        else:
            deed(path)
        said += [_send(store, number) for number in range(BEFORE + 1, BEFORE + AFTER + 1)]
        if undo is not None:
            undo(path)
        said += [_send(store, number) for number in range(BEFORE + AFTER + 1, BEFORE + 2 * AFTER + 1)]
    return said


class _Clock(Clock):
    """A clock that does something once, when it is next looked at: inside a transaction."""

    def __init__(self) -> None:
        super().__init__(NOW_US)
        self.then: Callable[[], object] | None = None

    def __call__(self) -> int:
        then, self.then = self.then, None
        if then is not None:
            then()
        return super().__call__()


def _send(store: LogStore, number: int) -> str:
    try:
        store.log_many(batch_of("w", number)[:1], token=(f"w{number}", 1))
    except LogStoreError as error:
        check_words(error, store.path)
        return type(error).__name__
    return "acked"


def _stored(path: Path, acked: list[int]) -> int | str:
    """How many of the acknowledged batches a fresh process finds, by the ledger and the counts."""
    warnings.simplefilter("ignore")
    try:
        with LogStore(path, clock_us=Clock(NOW_US)) as store:
            found = [number for number in acked if store.last_sequence(f"w{number}") == 1]
            held = [each.source for each in store.episodes() for _ in range(each.count)]
            if held.count("begun") != HELD or held.count("w") < len(found):
                return f"{held.count('begun')} of {HELD}, {held.count('w')} of {len(found)}"
            return len(found)
    except LogStoreError as error:
        check_words(error, path)
        return type(error).__name__


# -- the deeds -----------------------------------------------------------------------------------------


def rename(path: Path) -> None:
    """As a careless `mv` does."""
    path.rename(path.with_name("elsewhere"))


def rename_back(path: Path) -> None:
    """Put the file back."""
    path.with_name("elsewhere").rename(path)


def rename_all(path: Path) -> None:
    """As log rotation does that takes it for a log file."""
    for end in ("", "-wal", "-shm"):
        path.with_name(f"{path.name}{end}").rename(path.with_name(f"elsewhere{end}"))


def rename_all_back(path: Path) -> None:
    """Put all back."""
    for end in ("", "-wal", "-shm"):
        path.with_name(f"elsewhere{end}").rename(path.with_name(f"{path.name}{end}"))


def rename_folder(path: Path) -> None:
    """As who tidies up one level higher does."""
    path.parent.rename(path.parent.with_name(f"{path.parent.name}-moved"))


def rename_folder_back(path: Path) -> None:
    """Put the folder back."""
    path.parent.with_name(f"{path.parent.name}-moved").rename(path.parent)


def remove(path: Path) -> None:
    """As `rm` does."""
    path.unlink()


def remove_all(path: Path) -> None:
    """As `rm log.db*` does."""
    for each in path.parent.glob("log.db*"):
        each.unlink()


def remove_wal(path: Path) -> None:
    """As who thinks it a left-over does."""
    beside(path, "wal").unlink()


def remove_shm(path: Path) -> None:
    """The same, of the other one."""
    beside(path, "shm").unlink()


def replace_by_copy(path: Path) -> None:
    """As an editor, rsync, or a restore does: the same content in a new file."""
    copy = path.with_name("copy")
    shutil.copy(path, copy)
    copy.replace(path)


def replace_wal_by_copy(path: Path) -> None:
    """As a copy of the whole folder over it does."""
    copy = path.with_name("copy")
    shutil.copy(beside(path, "wal"), copy)
    copy.replace(beside(path, "wal"))


def empty_wal(path: Path) -> None:
    """As `: > log.db-wal` does; the file is the same one."""
    with beside(path, "wal").open("r+b") as wal:
        wal.truncate(0)


def empty(path: Path) -> None:
    """As `: > log.db` does."""
    with path.open("r+b") as file:
        file.truncate(0)


def overwrite(path: Path) -> None:
    """As `cp other log.db` does: other content in the same file."""
    with path.open("r+b") as file:
        file.write(b"x" * 20_000)


def read_by_hand(path: Path) -> None:
    """As tar or a hash of the folder in the same process does: closing drops all locks of the process."""
    for each in sorted(path.parent.glob("log.db*")):
        each.read_bytes()


def use_stdlib(path: Path) -> None:
    """As a program with Python's own sqlite3 does, in the same process."""
    read_by_hand(path)
    other = sqlite3.connect(path)
    other.execute("SELECT count(*) FROM episode").fetchall()
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    other.close()


# -- two processes -------------------------------------------------------------------------------------


def with_another(deed: Deed) -> Seen:
    """Do the deed under a store, then let another process open it, and let both write in turn."""
    with folder() as outer:
        path = _begun(outer)
        turn = shared(1)
        with Child(partial(_other, path, turn)) as other:
            said = in_child(partial(_first, path, deed, turn))
            said += other.answer()
        acked = [number for number, each in said if each == "acked"]
        return Seen([each for _, each in said], in_child(partial(_stored, path, acked)), len(acked))


def _first(path: Path, deed: Deed, turn: memoryview) -> list[tuple[int, str]]:
    warnings.simplefilter("ignore")
    said = []
    with contextlib.suppress(LogStoreError), LogStore(path, clock_us=Clock(NOW_US), busy_timeout=5) as store:
        said = [(number, _send(store, number)) for number in range(1, BEFORE + 1)]
        deed(path)
        for number in range(100, 110):
            turn[0] += 1
            wait_until(lambda: turn[0] % 2 == 0 or turn[0] >= OVER, "the other's turn is over", 20)
            said.append((number, _send(store, number)))
    turn[0] = OVER
    return said


def _other(path: Path, turn: memoryview) -> list[tuple[int, str]]:
    warnings.simplefilter("ignore")
    wait_until(lambda: turn[0] > 0, "its turn", 20)
    said = []
    with contextlib.suppress(LogStoreError), LogStore(path, clock_us=Clock(NOW_US), busy_timeout=5) as store:
        for number in range(200, 210):
            wait_until(lambda: turn[0] % 2 == 1 or turn[0] >= OVER, "its turn", 20)
            said.append((number, _send(store, number)))
            turn[0] += 1
    turn[0] = OVER
    return said
