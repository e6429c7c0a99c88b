"""A log that is written, rotated and followed: the writer, the rotator, and the follower's process."""

import bz2
import gzip
import lzma
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import apsw

ROOT: Final = Path(__file__).parent.parent
KEPT: Final = 200  # generations: one that is deleted before it is read is the rotator's loss
TOKEN: Final = re.compile(r"<(\d+)>")

FOLLOW: Final = """
import sys, time
from datetime import UTC
from logstore import LogStore
from logstore.sources.follow import Following
from logstore.sources.tail import Manner

database, *patterns = sys.argv[1:]
store = LogStore(database, durability="normal")
manner = Manner(UTC, lambda: time.time_ns() // 1000, settle_s=0.1, batch_lines=50)
note = lambda text: print("note:", text, flush=True)
print("ready", flush=True)
for batch, after, _ in Following(patterns, store, manner, note=note, stop=lambda: False, poll_s=0.01):
    store.log_input(batch.records, batch.checkpoint, after=after)
"""

PACKERS: Final[tuple[tuple[str, Callable[[bytes], bytes]], ...]] = (
    (".gz", gzip.compress),
    (".xz", lzma.compress),
    (".bz2", bz2.compress),
)


def follower(database: Path, *patterns: str) -> subprocess.Popen[str]:
    """Start a process that follows into a store, and wait until it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", FOLLOW, str(database), *patterns],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def tokens(database: Path) -> Counter[int]:
    """Return how often each line's number was stored."""
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    found: Counter[int] = Counter()
    try:
        for message, count in connection.execute("SELECT message, count FROM log"):
            for number in TOKEN.findall(message):
                found[int(number)] += count
    finally:
        connection.close()
    return found


class RotatingLog:
    """Numbered lines written by a thread, rotated by another, in all ways in turn.

    A line is written in two halves. The rotator holds the writer off while it copies and truncates,
    or packs: a real one cannot, and loses the lines that are written in between, to every reader.
    """

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.written = 1  # the log begins with line 0
        self.rotations = 0
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._file = path.open("ab", buffering=0)
        self._threads = [threading.Thread(target=self._write), threading.Thread(target=self._rotate)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._file.close()

    def _write(self) -> None:
        pick = random.Random(self.written)
        while not self._stop.wait(pick.choice([0, 0, 0.001, 0.01])):
            with self._lock:
                line = self._line(pick)
                cut = pick.randrange(len(line))
                self._file.write(line[:cut])
                if not pick.randrange(10):
                    time.sleep(0.002)
                self._file.write(line[cut:])
                self.written += 1

    def _line(self, pick: random.Random) -> bytes:
        if not pick.randrange(8):
            return f"    at trace <{self.written}>\n".encode()
        return f"2026-11-22 00:00:00 INFO line <{self.written}> {'x' * pick.randrange(200)}\n".encode()

    def _rotate(self) -> None:
        kinds = (self._rename, self._copy_truncate, self._pack_renamed, self._pack_copy, self._rename_late)
        while not self._stop.wait(self._random.uniform(0.05, 0.5)):
            with self._lock:
                self._pack_older()
                self._shift()
            kinds[self.rotations % len(kinds)]()
            self.rotations += 1

    def _sibling(self, number: int) -> Path | None:
        found = list(self.path.parent.glob(f"{self.path.name}.{number}*"))
        suffix = re.compile(rf"{re.escape(self.path.name)}\.{number}(\.\w+)?")
        return next((path for path in found if suffix.fullmatch(path.name)), None)

    def _shift(self) -> None:
        for number in range(KEPT, 0, -1):
            if old := self._sibling(number):
                rest = old.name[len(f"{self.path.name}.{number}") :]
                old.rename(self.path.with_name(f"{self.path.name}.{number + 1}{rest}"))

    def _pack_older(self) -> None:
        """Pack the generation before the last, now and then, as `delaycompress` does."""
        old = self._sibling(1)
        if old and old.name.endswith(".1") and self._random.randrange(2):
            self._pack(old, old.stat().st_mtime_ns)
            old.unlink()

    def _pack(self, path: Path, time_ns: int | None = None) -> None:
        """Pack a file in two halves, as a packer does that takes its time."""
        suffix, pack = self._random.choice(PACKERS)
        data = pack(path.read_bytes())
        name = path.name if path != self.path else f"{path.name}.1"
        packed = path.with_name(name + suffix)
        with packed.open("wb", buffering=0) as file:
            file.write(data[: len(data) // 2])
            time.sleep(0.01)
            file.write(data[len(data) // 2 :])
        if time_ns is not None:
            os.utime(packed, ns=(time_ns, time_ns))

    @property
    def _first(self) -> Path:
        return self.path.with_name(f"{self.path.name}.1")

    def _reopen(self) -> None:
        self._file.close()
        self._file = self.path.open("ab", buffering=0)

    def _rename(self) -> None:
        with self._lock:
            self.path.rename(self._first)
            self._reopen()

    def _rename_late(self) -> None:
        """The writer goes on in the renamed file for a while."""
        with self._lock:
            self.path.rename(self._first)
        time.sleep(self._random.uniform(0, 0.1))
        with self._lock:
            self._reopen()

    def _copy_truncate(self) -> None:
        with self._lock:
            shutil.copy(self.path, self._first)
            os.truncate(self.path, 0)

    def _pack_copy(self) -> None:
        with self._lock:
            self._pack(self.path)
            os.truncate(self.path, 0)

    def _pack_renamed(self) -> None:
        with self._lock:
            self.path.rename(self._first)
            self._reopen()
            self._pack(self._first, self._first.stat().st_mtime_ns)
            self._first.unlink()
