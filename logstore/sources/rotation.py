"""Which files are older generations of a log, and which of them goes on where another was read."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from logstore.checkpoint import TAIL_BYTES, Checkpoint
from logstore.errors import InputUnreadable
from logstore.sources.contents import Contents, contents, digest, fits, tail_at
from logstore.sources.inputs import Input

_PACKED: Final = r"\.(?:gz|xz|bz2|zst)"
_SUFFIX: Final = re.compile(rf"[.-](?:\d[\dTZ:_.+-]*|old)(?:{_PACKED})?|{_PACKED}")
_JOINT: Final = re.compile(r"(?<=.)[.-]")

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
    for place in _JOINT.finditer(name):
        if _SUFFIX.fullmatch(name, place.start()):
            yield name[: place.start()]


def stems(name: str) -> Iterator[str]:
    """Yield the names that this one extends, whatever by: `x.log` and `x` for `x.log.copy`."""
    for place in reversed(list(_JOINT.finditer(name))):
        yield name[: place.start()]


def is_generation(path: str, log: str) -> bool:
    """Whether a path says of itself that it is a log, or an older generation of it."""
    return path == log or Path(log).name in bases(Path(path).name)


def begins_as(log: Input, copy: Input) -> bool:
    """Whether all bytes of a copy, and some there are, begin a log.

    Of what is packed only the first are compared. Raises InputUnreadable.
    """
    whole, part = contents(log), contents(copy)
    try:
        if not part.head or not whole.head.startswith(part.head):
            return False
        if part.total is None or whole.total is None:
            return True
        tail = whole.go_to(part.total)
        return tail is not None and tail == part.go_to(part.total)
    finally:
        whole.close()
        part.close()


def beginning_as(log: Contents, candidates: Iterable[Checkpoint]) -> list[Checkpoint]:
    """Return the checkpoints of files that begin as a log, with no more of its beginning than it has.

    A file that was read near its beginning may have had a longer one by then than its copy: the
    bytes before the checkpoint are all that was read, and so a beginning, too.
    """
    return [fit for stored in candidates if (fit := _within(log, stored)).head_bytes and fits(log, fit)]


def _within(log: Contents, stored: Checkpoint) -> Checkpoint:
    if stored.head_bytes <= len(log.head) or not stored.offset or stored.offset > TAIL_BYTES:
        return stored
    return stored._replace(head_bytes=stored.offset, head_hash=stored.tail_hash)


def match(log: Contents, candidates: Iterable[Checkpoint]) -> Match:
    """Compare a log that stands at its start with files that were read up to a checkpoint.

    It is read up to the farthest of those that begin as it does. Raises InputUnreadable.
    """
    found: list[Checkpoint] = []
    longer: list[Checkpoint] = []
    alike = beginning_as(log, candidates)
    for stored in sorted(alike, key=lambda stored: stored.offset):
        tail = None if longer else log.go_to(stored.offset)
        if tail is None:
            longer.append(stored)
        elif digest(tail) == stored.tail_hash:
            found.append(stored)
    return Match(found, longer)


def find_place(known: Known, source: Input) -> Place:
    """Return where to go on in a file that is read once.

    That is its own checkpoint, or the one of a file that has the same log by name and bytes: packed
    if this one is not, and the other way round. Raises InputUnreadable.
    """
    if source.device is None or source.inode is None:
        return Place(None, None)
    own = known.checkpoint(source.device, source.inode)
    log = contents(source)
    try:
        if own and not log.packed:
            return Place(own, own)
        candidates = [own] if own else []
        candidates += _repacked(known, Path(source.path).resolve(), packed=log.packed)
        found = match(log, candidates).found
    finally:
        log.close()
    return Place(found[-1] if found else None, own)


def _repacked(known: Known, path: Path, *, packed: bool) -> list[Checkpoint]:
    """Return how far files were read that a file may be the packed, or the unpacked, copy of."""
    if packed:
        return [
            stored for base in bases(path.name) for stored in known.checkpoints(str(path.with_name(base)))
        ]
    suffix = re.compile(re.escape(str(path)) + _PACKED)
    return [stored for stored in known.checkpoints(str(path)) if suffix.fullmatch(stored.path)]


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
