"""Which files that a glob finds are older generations of a followed log, though their names do not say so."""

import os
from collections.abc import Callable

from logstore.checkpoint import Checkpoint
from logstore.errors import InputUnreadable
from logstore.sources.contents import contents
from logstore.sources.inputs import Input, open_file
from logstore.sources.rotation import Key, Known, begins_as, match, resumes
from logstore.sources.tail import Sign, sign


class Copies:
    """Judges files by their bytes, and remembers what it found as long as they stay as they are."""

    def __init__(self, known: Known, *, settle_s: float, clock: Callable[[], float]) -> None:
        """`known` is the store; a file that was not written for `settle_s` is judged as it is."""
        self._known = known
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
        if verdict is None and found.st_size and self._is_quiet(name, key, now):
            verdict = False
        if verdict is not None:
            self._judged[name] = key, now, log, verdict
        return verdict

    def _is_quiet(self, name: str, key: Key, now: Sign) -> bool:
        since = self._changed.get(name)
        if since is None or since[:2] != (key, now):
            since = self._changed[name] = key, now, self._clock()
        return self._clock() - since[2] >= self._settle_s

    def _judge(self, source: Input, log: str) -> bool | None:
        own = self._own(source)
        if own and (own.head_bytes or own.path in (log, os.path.realpath(source.path))):
            return own.path == log
        if not source.size:
            return None
        candidates = [stored for stored in self._known.checkpoints(log) if stored.path == log]
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
