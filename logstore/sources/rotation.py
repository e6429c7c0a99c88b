"""Which files are older generations of a log, and which of them goes on where another was read."""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from logstore.checkpoint import TAIL_BYTES, Checkpoint
from logstore.errors import InputUnreadable
from logstore.sources.contents import Contents, contents, digest, fits, tail_at
from logstore.sources.inputs import Input, open_file

_PACKED: Final = r"\.(?:gz|xz|bz2|zst)"
_ROTATED: Final = r"[.-](?:\d[\dTZ:_.+-]*|old)"
_SUFFIX: Final = re.compile(rf"{_ROTATED}(?:{_PACKED})?|{_PACKED}")
_INNER: Final = re.compile(rf"{_ROTATED}(?!{_PACKED}$)(\.[A-Za-z]\w*?)(?:{_PACKED})?")
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


def inner_bases(name: str) -> Iterator[str]:
    """Yield the names that a file may have had if the suffix of rotation stands before the extension.

    `x.1.log` and `x-20261122.log.gz` may have been `x.log`, or be logs of their own: their bytes tell.
    """
    for place in _JOINT.finditer(name):
        if found := _INNER.fullmatch(name, place.start()):
            yield name[: place.start()] + found[1]


def shape(name: str) -> str:
    """Return what the names have in common that one rotation gives: `x.9.log` for `x.12.log.gz`."""
    return re.sub(r"\d{1,3}", "9", re.sub(f"{_PACKED}$", "", name))


def stems(name: str) -> Iterator[str]:
    """Yield the names that this one extends, whatever by: `x.log` and `x` for `x.log.copy`."""
    for place in reversed(list(_JOINT.finditer(name))):
        yield name[: place.start()]


def is_generation(path: str, log: str) -> bool:
    """Whether a path says of itself that it is a log, or an older generation of it."""
    here, there = Path(path), Path(log)
    return path == log or (here.parent == there.parent and there.name in bases(here.name))


def path_of_older(path: str, log: str) -> str:
    """Return the path to keep of an older generation of a log: its own, if that says what it is."""
    return path if path != log and is_generation(path, log) else f"{log}.old"


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


def matched(source: Input, candidates: Iterable[Checkpoint]) -> Match:
    """Compare a file with those that were read up to a checkpoint. Raises InputUnreadable."""
    with closing(contents(source)) as log:
        return match(log, candidates)


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
    return Place(found[-1] if found else _read_further(source, candidates), own)


def _read_further(source: Input, candidates: Iterable[Checkpoint]) -> Checkpoint | None:
    """Return the end of a log as a checkpoint if all of it was read of a file that is still there."""
    for stored in candidates:
        try:
            with open_file(stored.path) as original:
                if (original.device, original.inode) == stored[:2] and resumes(original, stored):
                    end = _end_within(source, original, stored)
                    if end:
                        return end
        except InputUnreadable:
            pass  # what cannot be compared is a log of its own
    return None


def _end_within(source: Input, original: Input, stored: Checkpoint) -> Checkpoint | None:
    with closing(contents(source)) as part, closing(contents(original)) as whole:
        end, tail = _go_to_end(part, stored.offset)
        if not end or not whole.head.startswith(part.head) or whole.go_to(end) != tail:
            return None
        return stored._replace(
            head_bytes=len(part.head),
            head_hash=digest(part.head),
            offset=end,
            tail_hash=digest(tail),
            context="",
        )


def _go_to_end(log: Contents, limit: int) -> tuple[int, bytes]:
    """Return how many bytes a log has, and the last TAIL_BYTES of them; 0 if it has more than `limit`."""
    end, tail = 0, b""
    while end <= limit:
        data = log.read(TAIL_BYTES * TAIL_BYTES)
        if not data:
            return end, tail
        end += len(data)
        tail = (tail + data)[-TAIL_BYTES:]
    return 0, b""


def _repacked(known: Known, path: Path, *, packed: bool) -> list[Checkpoint]:
    """Return how far files were read that a file may be the packed, or the unpacked, copy of."""
    if packed:
        return [
            stored
            for base in (*bases(path.name), *inner_bases(path.name))
            for stored in known.checkpoints(str(path.parent / base))
        ]
    suffix = re.compile(re.escape(str(path)) + _PACKED)
    return [stored for stored in known.checkpoints(str(path)) if suffix.fullmatch(stored.path)]


def before(known: Known, log: str) -> Checkpoint | None:
    """Return how far the file was read that was a log before the next one, best the last."""
    found = [stored for stored in known.checkpoints(log) if is_generation(stored.path, log)]
    return min(found, key=lambda stored: stored.path != log, default=None)


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
