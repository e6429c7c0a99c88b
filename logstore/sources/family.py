"""One followed log and its older generations, through every kind of rotation."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Final

from logstore.checkpoint import Checkpoint
from logstore.errors import InputUnreadable
from logstore.sources.contents import contents
from logstore.sources.copies import Orphans, farewell, parting
from logstore.sources.inputs import Input, open_file
from logstore.sources.look import Changes, Found, Look
from logstore.sources.rotation import (
    Key,
    Known,
    Place,
    before,
    beginning_as,
    begins_as,
    matched,
    path_of_older,
    resumes,
)
from logstore.sources.tail import Manner, Sign, Step, Tail

Owners = dict[Key, "Family"]
_NO_COPY: Final = ((-1, -1), (-1, -1))


class Family:
    """A log at one path, with the siblings that rotation made of it.

    The rules. A file is known by device and inode, as long as it has the bytes that were read of it.
    A checkpoint whose file is gone, or was cut, is homeless: the sibling that has the same first
    bytes and the same before the checkpoint is its copy, and takes the place over. A sibling that is
    nobody's copy is a generation that was never seen, unless it was last written before the one that
    was read last: then it is history, if no glob of the user's asks for it. The first file at the
    path gets a checkpoint at sight: what becomes of it from then on is no history. Older generations come
    first: each has a checkpoint of its own before the file at the path is read.
    """

    def __init__(
        self,
        path: str,
        name: str,
        known: Known,
        manner: Manner,
        *,
        note: Callable[[str, str], None],
        owners: Owners,
    ) -> None:
        """Follow the real `path`; `name` is what it is called in sources and notes.

        `note` takes the path of a file and what is wrong with it, nothing if all is well again.
        `owners` says which family reads a file that several names lead to.
        """
        self.path = path
        self._name = name
        self._known = known
        self._manner = manner
        self._note = note
        self._owners = owners
        self._tails: dict[Key, Tail] = {}
        self._read: dict[Key, Sign] = {}  # files of which nothing is left to read, and history
        self._copies: dict[Key, tuple[Sign, Key]] = {}  # of a file that is still there
        self._changes = Changes()
        self._unreadable: set[Key] = set()
        self._history_ns: int | None = None
        self._names: list[tuple[str, Key]] | None = None
        self._cut_s: float | None = None
        self._is_new = not known.checkpoints(path)
        self._orphans = Orphans(known, path)
        self._before = before(known, path)
        self._first_s = 0.0

    def turn(self, seen: Look) -> Step | None:
        """Return the next batch to store, None if there is none now."""
        if seen.names != self._names:  # a rotation may be amid its renames: what counts is seen twice
            self._names = seen.names
            return None
        try:
            if self._history_ns is None:
                self._history_ns = self._history(seen)
                self._first_s = seen.now_s
            self._keep_up(seen)
            return next((step for step in self._steps(seen) if step), None)
        except _MovedError:
            return None

    def close(self) -> None:
        """Close all files."""
        for key in list(self._tails):
            self._close(key)

    def _steps(self, seen: Look) -> Iterator[Step | None]:
        """Yield what each file has to give, oldest first; end at one that others have to wait for."""
        if seen.base and self._is_new:
            self._is_new = False
            yield self._mark(seen.base)
        base = seen.base.key if seen.base else None
        for key in [key for key in self._tails if not seen.at(key)]:
            yield self._last_of(key, seen)
        for found in seen.older:
            if found.key == base:
                continue  # a hard link
            if found.key not in self._tails and not self._settled(found, seen):
                yield self._judged(found, seen)
            if found.key in self._tails:
                yield self._last_of(found.key, seen)
            elif found.key not in self._unreadable and not self._settled(found, seen):
                return
        yield self._part(seen)
        if seen.base and all(tail.begun or key == base for key, tail in self._tails.items()):
            yield self._live(seen.base, seen)

    def _mark(self, base: Found) -> Step | None:
        """Have it in the store that the file at the path is followed, before anything is read."""
        if base.key in self._tails or self._known.checkpoint(*base.key):
            return None
        tail = self._live_tail(base)
        try:
            return tail.mark() if tail else None
        except InputUnreadable as error:
            self._note(base.path, str(error))
            return None

    # -- older generations ---------------------------------------------------------------------------

    def _last_of(self, key: Key, seen: Look) -> Step | None:
        """Read on in a file that nobody is expected to write to any more."""
        tail = self._tails[key]
        step = self._step(tail, seen, last=True)
        stored = tail.place.stored
        if tail.finished and stored and stored.path == self.path:
            return tail.hand_over(path_of_older(self.path, self.path))
        if tail.finished:
            self._read[key] = tail.finished
            self._close(key)
        return step

    def _settled(self, found: Found, seen: Look) -> bool:
        """Whether a file needs no look: it was read, is history, or a copy of what is still there."""
        if self._read.get(found.key) == found.sign or self._owners.get(found.key, self) is not self:
            return True
        copied = self._copies.get(found.key)
        if copied is None or copied[0] != found.sign or not self._alive(copied[1], seen):
            return False
        return not self._is_unread(copied[1]) or self._still_begins(copied[1], found, seen)

    def _is_unread(self, key: Key) -> bool:
        """Whether nothing was read of a file: no checkpoint tells if it is still the same."""
        stored = self._known.checkpoint(*key)
        return stored is None or not stored.offset

    def _still_begins(self, key: Key, copy: Found, seen: Look) -> bool:
        try:
            with self._open(copy) as source:
                return self._begins(key, source, seen)
        except _MovedError:
            raise
        except InputUnreadable:
            return False

    def _judged(self, found: Found, seen: Look) -> Step | None:
        """Find out what a sibling is, and take it up if something of it is to be read."""
        try:
            source = self._open(found)
        except InputUnreadable as error:
            if not isinstance(error, _MovedError):
                self._note(found.path, str(error))
                self._unreadable.add(found.key)
            return None
        self._unreadable.discard(found.key)
        place = None
        try:
            place, copied = self._placed(found, source, seen)
        except _MovedError:
            return None
        except InputUnreadable as error:
            self._note(found.path, str(error))
            self._read[found.key] = found.sign
        finally:
            if place is None:
                source.stream.close()
        if place is None:
            return None
        tail = self._take_up(found.key, source, place)
        return tail.adopt(copied) if copied else None

    def _placed(self, found: Found, source: Input, seen: Look) -> tuple[Place | None, Checkpoint | None]:
        """Return where to go on in a sibling, None if not or not yet; and whose copy it is."""
        own = self._known.checkpoint(*found.key)
        if own and resumes(source, own):
            return Place(own, own), None
        if original := self._living_original(source, seen):
            self._copies[found.key] = found.sign, original
            return None, None
        recent = found.asked or found.sign[1] >= (self._history_ns or 0)
        if recent and self._changes.quiet_s(found.key, seen.now_s) < self._manner.settle_s:
            return None, None  # it may be a copy that is still being made
        alike = matched(source, self._known.checkpoints(self.path))
        if alike.found:
            return Place(None, own), alike.found[-1]
        known, original = self._copies.get(found.key, _NO_COPY)
        outrun = bool(alike.longer) or (known == found.sign and not self._is_unread(original))
        if recent and not outrun:
            return Place(None, own), None
        self._read[found.key] = found.sign
        if outrun:
            self._note(found.path, f"{found.path}: an older copy of a log that was read further; left out")
        return None, None

    def _living_original(self, source: Input, seen: Look) -> Key | None:
        """Return the file that this one is a copy of, if that still has what was read of it."""
        with closing(contents(source)) as log:
            alike = beginning_as(log, self._known.checkpoints(self.path))
        keys = [(stored.device, stored.inode) for stored in alike]
        keys += [seen.base.key] if seen.base else []  # its first bytes may be more than all of a short copy
        return next((key for key in keys if self._alive(key, seen) and self._begins(key, source, seen)), None)

    def _begins(self, key: Key, copy: Input, seen: Look) -> bool:
        """Whether a file that is alive begins with all bytes of a copy."""
        original = seen.at(key)
        if original is None:
            return True  # it was removed, and is read to its end now
        try:
            log = self._open(original)
        except _MovedError:
            raise
        except InputUnreadable:
            return True
        with log:
            return begins_as(log, copy)

    def _alive(self, key: Key, seen: Look) -> bool:
        """Whether the file of a checkpoint is still there, with the bytes that were read of it."""
        if key in self._tails:
            return not self._tails[key].cut
        found = seen.at(key)
        own = self._known.checkpoint(*key)
        if found is None or own is None:
            return False
        return self._read.get(key) == found.sign or self._has(found, own)

    def _has(self, found: Found, stored: Checkpoint) -> bool:
        """Whether a file has the bytes that were read up to a checkpoint."""
        try:
            with self._open(found) as source:
                return resumes(source, stored)
        except _MovedError:
            raise  # it is somewhere else, and may well have them
        except InputUnreadable:
            return False

    def _part(self, seen: Look) -> Step | None:
        """Part with the files that were at the path and are gone; say what may be lost with them."""
        if seen.now_s - self._first_s < self._manner.settle_s:  # a rotation may be amid its renames
            return None
        for stored in self._orphans.take(lambda key: key in self._owners or seen.at(key) is not None):
            if not any(self._has(found, stored) for found in seen.files):
                self._note(f"{self.path} {stored[:2]}", farewell(self._name, stored))
            return parting(stored, self.path)
        return None

    # -- the file at the path ------------------------------------------------------------------------

    def _live(self, base: Found, seen: Look) -> Step | None:
        tail = self._tails.get(base.key) or self._live_tail(base)
        if tail is None:
            return None
        place, unread = tail.place, self._is_unread(base.key)
        step = self._step(tail, seen, last=False)
        if step and unread and self._outran_copies(base, seen):
            tail.go_back(place)
            return None
        self._before = tail.place.stored or self._before
        return step

    def _outran_copies(self, base: Found, seen: Look) -> bool:
        """Whether a file may have been cut since it was copied: what was read is not its copy's, then."""
        copies = [found for found in seen.older if self._copies.get(found.key, _NO_COPY)[1] == base.key]
        try:
            outrun = [found for found in copies if not self._still_begins(base.key, found, seen)]
        except _MovedError:
            return True
        for found in outrun:
            del self._copies[found.key]
        return bool(outrun)

    def _live_tail(self, base: Found) -> Tail | None:
        """Take up the file at the path; None if another family has it, or it cannot be read."""
        if self._owners.get(base.key, self) is not self:
            return None
        try:
            source = self._open(base)
        except InputUnreadable as error:
            if not isinstance(error, _MovedError):
                self._note(base.path, str(error))
            return None
        own = self._known.checkpoint(*base.key)
        return self._take_up(base.key, source, Place(own, own))

    def _step(self, tail: Tail, seen: Look, *, last: bool) -> Step | None:
        if tail.cut and self._resolved(tail.place, seen):
            tail.restart()
        path = tail.source.path
        try:
            step = tail.step(seen.now_s, last=last)
        except InputUnreadable as error:
            self._note(path, str(error))
            return None
        if step:
            self._note(path, "")
        return step

    def _resolved(self, place: Place, seen: Look) -> bool:
        """Whether a cut file may be read from its start: what was in it before is taken care of."""
        stored = place.stored
        copies = [found for found in seen.older if stored and self._has(found, stored)]
        if stored is None or not stored.offset or copies:
            self._cut_s = None
            return all(found.key in self._tails or self._settled(found, seen) for found in copies)
        if self._cut_s is None:
            self._cut_s = seen.now_s
        if seen.now_s - self._cut_s < self._manner.settle_s:  # a rotation may be amid its renames
            return False
        self._cut_s = None
        if stored.path == self.path:
            self._note(
                self.path,
                f"{self._name}: was cut or replaced, and no copy of it is there: what was written to it "
                f"after byte {stored.offset:,} is lost; it is read from its start",
            )
        return True

    # -- what both need ------------------------------------------------------------------------------

    def _open(self, found: Found) -> Input:
        source = replace(open_file(found.path), known_as=self._name)
        if (source.device, source.inode) == found.key:
            return source
        source.stream.close()
        raise _MovedError

    def _take_up(self, key: Key, source: Input, place: Place) -> Tail:
        self._owners[key] = self
        self._read.pop(key, None)
        path = None if source.path == self.path else path_of_older(source.path, self.path)
        self._tails[key] = Tail(source, place, self._manner, before=self._before, path=path)
        return self._tails[key]

    def _close(self, key: Key) -> None:
        self._tails.pop(key).close()
        self._owners.pop(key, None)

    def _keep_up(self, seen: Look) -> None:
        """See what was written; forget what is known of files that are gone, whose inodes return."""
        here = {found.key for found in seen.older}
        self._changes.see(seen)
        self._unreadable &= here
        self._read = {key: known for key, known in self._read.items() if key in here}
        self._copies = {key: known for key, known in self._copies.items() if key in here}

    def _history(self, seen: Look) -> int:
        """Return when the generation that was read last was written last, in nanoseconds.

        What is older was there before anything was followed, as is all if nothing was read yet.
        """
        if self._known.checkpoints(self.path):
            return max((found.sign[1] for found in seen.files if self._was_read(found)), default=0)
        return max((found.sign[1] + 1 for found in seen.older), default=0)

    def _was_read(self, found: Found) -> bool:
        own = self._known.checkpoint(*found.key)
        try:
            with self._open(found) as source:
                was_read = own and resumes(source, own)
                return bool(was_read or matched(source, self._known.checkpoints(self.path)).found)
        except _MovedError:
            raise
        except InputUnreadable:
            return False


class _MovedError(InputUnreadable):
    """Another file has this name by now: the next look will see it."""
