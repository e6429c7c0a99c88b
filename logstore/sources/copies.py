"""Which files that a glob finds are older generations of a followed log, though their names do not say so."""

import os
from collections.abc import Callable, Collection, Iterator

from logstore.checkpoint import Checkpoint
from logstore.errors import InputUnreadable
from logstore.sources.contents import contents
from logstore.sources.files import Batch
from logstore.sources.inputs import Input, open_file
from logstore.sources.rotation import (
    Key,
    Known,
    begins_as,
    is_generation,
    match,
    path_of_older,
    resumes,
    shape,
)
from logstore.sources.tail import Sign, Step, age_s, sign


class Copies:
    """Judges files by their bytes, and remembers what it found as long as they stay as they are."""

    def __init__(
        self, known: Known, *, settle_s: float, clock: Callable[[], float], now_us: Callable[[], int]
    ) -> None:
        """`known` is the store; a file that was not written for `settle_s` is judged as it is."""
        self._known = known
        self._now_us = now_us
        self._settle_s = settle_s
        self._clock = clock
        self._judged: dict[str, tuple[Key, Sign, str, bool]] = {}
        self._changed: dict[str, tuple[Key, Sign, float]] = {}

    def is_copy(self, name: str, log: str) -> bool | None:
        """Whether a file is a generation of the log at the real path `log`; None: too early to tell.

        It is if it was read under that name; or if it is no more than the log is now, as it was
        copied and the log not cut yet; or if it has what was read of a file that is not there now.
        """
        try:
            with open_file(name) as source:
                found = os.fstat(source.stream.fileno())
                key, now = (found.st_dev, found.st_ino), sign(found)
                before = self._judged.get(name)
                if before and before[:3] == (key, now, log):
                    return before[3]
                verdict = self._judge(source, log)
        except InputUnreadable:
            return False  # who follows it says why
        if verdict is None and found.st_size and self._is_quiet(name, key, found):
            verdict = False
        if verdict is not None:
            self._judged[name] = key, now, log, verdict
        return verdict

    def of_one_rotation(self, names: Collection[str], log: str) -> list[str]:
        """Return those of some files that are generations of a log though their names may mislead.

        One that is proves those whose names differ in numbers only: they need not have been seen.
        """
        proven = {shape(name) for name in names if self.is_copy(name, log)}
        return [name for name in names if shape(name) in proven]

    def _is_quiet(self, name: str, key: Key, found: os.stat_result) -> bool:
        since, now = self._changed.get(name), sign(found)
        if since is None or since[:2] != (key, now):
            aged_s = age_s(found, self._now_us()) if since is None else 0
            since = self._changed[name] = key, now, self._clock() - aged_s
        return self._clock() - since[2] >= self._settle_s

    def _judge(self, source: Input, log: str) -> bool | None:
        own = self._own(source)
        if own and (own.head_bytes or own.path in (log, os.path.realpath(source.path))):
            return is_generation(own.path, log)
        if not source.size:
            return None
        candidates = [stored for stored in self._known.checkpoints(log) if is_generation(stored.path, log)]
        try:
            with open_file(log) as base:
                living = self._own(base)
                if begins_as(base, source):
                    return True
                candidates = [stored for stored in candidates if stored != living]
        except InputUnreadable:
            pass
        return self._is_homeless(source, candidates)

    def _own(self, source: Input) -> Checkpoint | None:
        """Return how far this very file was read."""
        assert source.device is not None  # noqa: S101 - open_file opens regular files only
        assert source.inode is not None  # noqa: S101
        own = self._known.checkpoint(source.device, source.inode)
        return own if own and resumes(source, own) else None

    def _is_homeless(self, source: Input, candidates: list[Checkpoint]) -> bool | None:
        """Whether a file has the bytes of one that was read and is not there now."""
        copy = contents(source)
        try:
            alike = match(copy, candidates)
            if alike.found or alike.longer:
                return True
            return None if any(len(copy.head) < stored.head_bytes for stored in candidates) else False
        finally:
            copy.close()


class Orphans:
    """Checkpoints of files that were at the path of a log when it was followed last, and are gone."""

    def __init__(self, known: Known, path: str) -> None:
        self._known = known
        self._left = [stored for stored in known.checkpoints(path) if stored.path == path]

    def take(self, is_here: Callable[[Key], bool]) -> Iterator[Checkpoint]:
        """Yield each once, but those of files that are here, or went on since."""
        while self._left:
            stored = self._left.pop()
            key = stored.device, stored.inode
            if not is_here(key) and self._known.checkpoint(*key) == stored:
                yield stored


def farewell(name: str, stored: Checkpoint) -> str:
    """Return what to say of an orphan that left no copy; nothing if it was empty."""
    if not stored.head_bytes:
        return ""
    return (
        f"{name}: the file that was read here is gone, and no copy of it is there: "
        f"what was written to it after byte {stored.offset:,} may be lost"
    )


def parting(stored: Checkpoint, log: str) -> Step:
    """Return the step that makes an orphan an older generation, so that it is judged once only."""
    own = stored._replace(path=path_of_older(stored.path, log))
    return Step(Batch([], 0, own, own.offset, None), stored, "")
