"""A disk that is full: a small one of its own, a file that may not grow, a process that may write no more."""

import contextlib
import random
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from campaign import Campaign, Tell, silent
from history import Broken, Promise, batch_of, check_writers
from model import NOW_US, Clock
from processes import expect, folder, told

from logstore import LogStore, errors
from logstore.database import free_bytes

DISK_BYTES: Final = 2 * 1024 * 1024
NO_DISK: Final = "NO SMALL DISK CAN BE MOUNTED HERE, so nothing proves what a full one does: run as root"
T_US: Final = 150_000_000
ENOUGH_BYTES: Final = 300 * 1024


@contextlib.contextmanager
def small_disk(size: int = DISK_BYTES) -> Iterator[Path | None]:
    """A disk of a few MiB; None where this system mounts none for us."""
    with folder() as place:
        disk = place / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "logstore-faults", str(disk)]
        try:
            mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            mounted = False
        try:
            yield disk if mounted else None
        finally:
            if mounted:
                subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path, *, leave: int = 0) -> Path:
    """Take all the space that is there, less some pages."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        file.truncate(max(file.tell() - 4096 * leave, 0))
    return filler


class Client:
    """Sends batches with tokens, and knows what was taken."""

    def __init__(self, store: LogStore, name: str = "w") -> None:
        self.store = store
        self.name = name
        self.acked = store.last_sequence(name) or 0
        self.refused: Counter[str] = Counter()

    def send(self) -> bool:
        """Send the next batch. Returns whether it was taken; another error than those of space is raised."""
        with self.refusing():
            self.store.log_many(batch_of(self.name, self.acked + 1), token=(self.name, self.acked + 1))
            self.acked += 1
            return True
        return False

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Count what says that there is no space; any other error is raised."""
        try:
            yield
        except (errors.StoreFull, errors.OutcomeUnknown) as error:
            expect(str(self.store.path) in str(error), f"the file in {error}")
            self.refused[type(error).__name__] += 1

    def send_until_refused(self, most: int = 50_000) -> None:
        """Send batches, and large records that use up space, until one is refused."""
        before = self.refused.total()
        for number in range(most):
            if self.send():
                with self.refusing():
                    self.store.log(f"{number} " + "y" * 3000, source="filler")
            if self.refused.total() > before:
                return
        raise Broken(f"{most} batches on a full disk")

    def check(self) -> None:
        """See that all that was taken, and nothing else of this writer, can be read."""
        unknown = self.acked + bool(self.refused["OutcomeUnknown"])
        check_writers(self.store, [Promise(self.name, self.acked, unknown)], thorough=True)


# -- any sequence of full and not full -----------------------------------------------------------------


def full_disks(rounds: int, seed: int, tell: Tell = silent) -> Counter[str]:
    """Live through so many histories on small disks that fill up and empty. Returns what was counted."""
    figures: Counter[str] = Counter()
    for number in range(rounds):
        chance = random.Random(f"{seed}/{number}")
        with small_disk(1024 * chance.choice((1024, 2048, 4096, 8192))) as disk:
            if disk is None:
                print(NO_DISK, file=sys.stderr)
                return figures
            with told(f"history {number}"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _one_history(disk, chance, figures)
        figures["histories"] += 1
        tell(number + 1)
    return figures


def _one_history(disk: Path, chance: random.Random, figures: Counter[str]) -> None:
    clock = Clock(NOW_US)
    client = Client(LogStore(disk / "log.db", clock_us=clock, auto_sweep=chance.random() < 0.5))
    try:
        for _ in range(40):
            _one_event(disk, chance, client, clock)
        (disk / "filler").unlink(missing_ok=True)
        if free_bytes(disk / "log.db") >= ENOUGH_BYTES:  # the store itself may have filled it
            expect(client.send(), "a batch taken when there is space")
            figures["went on"] += 1
        client.check()
    finally:
        client.store.close()
    figures.update(client.refused)
    figures["batches"] += client.acked


def _one_event(disk: Path, chance: random.Random, client: Client, clock: Clock) -> None:
    clock.now_us += chance.choice((0, 1_000_000, T_US + 1_000_000))
    match chance.choices(("fill", "free", "send", "log", "sweep", "check"), (3, 2, 8, 6, 3, 2))[0]:
        case "fill":
            fill(disk, leave=chance.choice((0, 0, 1, 3, 9, 30)))
        case "free":
            (disk / "filler").unlink(missing_ok=True)
        case "send":
            client.send()
        case "check":
            client.check()
        case kind:
            before = client.refused.total()
            with client.refusing():
                if kind == "sweep":
                    client.store.sweep()
                else:
                    size = chance.choice((10, 3_000, 60_000))
                    client.store.log(f"{chance.random()} " + "y" * size, source="filler")
            if client.refused.total() > before:
                client.check()


CAMPAIGNS: Final = (
    Campaign(
        "full-disks",
        "histories on small disks that fill up and empty, of 40 events each; a round is a history",
        60,
        6_000,
        lambda rounds, seed, tell: full_disks(rounds, seed, tell)["histories"],
    ),
)
