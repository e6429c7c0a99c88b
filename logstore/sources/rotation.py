"""Which files are older generations of a log, and which of them goes on where another was read."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from logstore.checkpoint import Checkpoint
from logstore.errors import InputUnreadable
from logstore.sources.contents import Contents, contents, digest, fits, tail_at
from logstore.sources.inputs import Input

_PACKED: Final = r"\.(?:gz|xz|bz2|zst)"
_SUFFIX: Final = re.compile(rf"[.-](?:\d[\dTZ:_.+-]*|old)(?:{_PACKED})?|{_PACKED}")

Key = tuple[int, int]
"""Device and inode."""


class Known(Protocol):
    """What a store knows of files read before; a LogStore is one."""

    def checkpoint(self, device: int, inode: int) -> Checkpoint | None:
        """Return how far a file was read, None if it never was."""

    def checkpoints(self, path: str) -> list[Checkpoint]:
        """Return how far the files were read that had this name, or it and a suffix of rotation."""


class Place(NamedTuple):
    """Where to go on in a file: after `stored`, None: at its start.

    `after` is the checkpoint that the store has for this device and inode, whatever file it was.
    """

    stored: Checkpoint | None
    after: Checkpoint | None


class Match(NamedTuple):
    """What a log has in common with others that were read: the checkpoints whose bytes it has.

    `found` rises by offset. `longer` have its first bytes, and more than it has.
    """

    found: list[Checkpoint]
    longer: list[Checkpoint]


def bases(name: str) -> Iterator[str]:
    """Yield the names that a file may have had before a rotation gave it this one.

    `x.log.1.gz` and `x.log-20261122` were `x.log`.
    """
    for place in re.finditer(r"(?<=.)[.-]", name):
        if _SUFFIX.fullmatch(name, place.start()):
            yield name[: place.start()]


def match(log: Contents, candidates: Iterable[Checkpoint]) -> Match:
    """Compare a log that stands at its start with files that were read up to a checkpoint.

    It is read up to the farthest of those that begin as it does. Raises InputUnreadable.
    """
    found: list[Checkpoint] = []
    longer: list[Checkpoint] = []
    alike = [stored for stored in candidates if stored.head_bytes and fits(log, stored)]
    for stored in sorted(alike, key=lambda stored: stored.offset):
        tail = None if longer else log.go_to(stored.offset)
        if tail is None:
            longer.append(stored)
        elif digest(tail) == stored.tail_hash:
            found.append(stored)
    return Match(found, longer)


def find_place(known: Known, source: Input) -> Place:
    """Return where to go on in a file that is read once.

    That is its own checkpoint; a packed file also goes on where the log was read that it is the
    packed copy of, by name and bytes. Raises InputUnreadable.
    """
    if source.device is None or source.inode is None:
        return Place(None, None)
    own = known.checkpoint(source.device, source.inode)
    log = contents(source)
    try:
        path = Path(source.path).resolve()
        if not log.packed and own:
            return Place(own, own)
        if not log.packed:
            # What was unpacked since is the log that was read; any other copy is a file of its own.
            packed = {f"{path}{suffix}" for suffix in (".gz", ".xz", ".bz2", ".zst")}
            candidates = [each for each in known.checkpoints(str(path)) if each.path in packed]
            found = match(log, candidates).found if candidates else []
            return Place(found[-1] if found else None, None)
        candidates = [own] if own else []
        for base in bases(path.name):
            candidates += known.checkpoints(str(path.with_name(base)))
        found = match(log, candidates).found
    finally:
        log.close()
    return Place(found[-1] if found else None, own)


def resumes(source: Input, stored: Checkpoint) -> bool:
    """Whether a file still has the bytes that were read of it up to a checkpoint."""
    try:
        log = contents(source)
    except InputUnreadable:
        return False
    try:
        return tail_at(log, stored) is not None
    except InputUnreadable:
        return False
    finally:
        log.close()
