"""Following files that keep going: by name or by glob, through rotation, restarts and kills."""

import glob
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from logstore.errors import InputUnreadable
from logstore.sources.copies import Copies
from logstore.sources.family import Family, Owners
from logstore.sources.inputs import refuse_stream, unreadable
from logstore.sources.look import look
from logstore.sources.rotation import Known, bases, inner_bases, stems
from logstore.sources.tail import Manner, Step

POLL_S: Final = 0.25
_Names = dict[str, list[str]]


class Following:
    """Follows files: iterate over it to get what to store, and store each step before the next.

        for batch, after, _ in Following(["/var/log/*.log"], store, manner, note=print, stop=stop):
            store.log_input(batch.records, batch.checkpoint, after=after)

    Every `wait` it looks at names, sizes and times; nothing wakes it up before. One busy file does
    not keep others waiting: each gives one batch in turn. What a crash leaves is right, as a
    checkpoint is committed with its rows: a new Following goes on exactly there.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        known: Known,
        manner: Manner,
        *,
        note: Callable[[str], None],
        stop: Callable[[], bool],
        wait: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        poll_s: float = POLL_S,
    ) -> None:
        """Follow paths and globs; a path that is no file yet is waited for.

        `known` is the store. `note` takes a sentence for the user: each fault is said once, and again
        after it was gone. `stop` is asked before each wait and each step. `clock` gives seconds that
        never step back.
        """
        self._patterns = patterns
        self._known = known
        self._manner = manner
        self._tell = note
        self._stop = stop
        self._wait = wait
        self._clock = clock
        self._poll_s = poll_s
        self._families: dict[str, Family] = {}
        self._owners: Owners = {}
        self._faults: dict[str, str] = {}
        self._missing: dict[str, float] = {}
        self._copies = Copies(known, settle_s=manner.settle_s, clock=clock, now_us=manner.now_us)
        self._generations: dict[str, list[str]] = {}  # that globs found, by the log they are of

    def __iter__(self) -> Iterator[Step]:
        """Yield steps until `stop` says so; a step counts as stored when the next is asked for.

        Raises InputUnreadable if there is nothing but what can never be followed, as folders.
        """
        refused = [_refusal(pattern) for pattern in self._patterns]
        if refused and all(refused):
            raise InputUnreadable("\n".join(refused))
        try:
            while not self._stop():
                busy = False
                for step in self._round():
                    yield step
                    busy = True
                    if self._stop():
                        return
                if not busy:
                    self._wait(self._poll_s)
        finally:
            for family in self._families.values():
                family.close()

    def _round(self) -> Iterator[Step]:
        """Yield at most one step of each family."""
        for path, name in self._heads().items():
            if path not in self._families:
                self._families[path] = self._family(path, name)
        siblings = _Siblings()
        for family in list(self._families.values()):
            asked = self._generations.get(family.path, [])
            loose = [name for name in siblings.loose(family.path) if name not in self._families]
            older = siblings.of(family.path) + self._copies.of_one_rotation(loose, family.path)
            seen = look(family.path, older, asked, self._clock(), self._manner.now_us())
            step = family.turn(seen)
            if step:
                yield step

    def _family(self, path: str, name: str) -> Family:
        return Family(path, name, self._known, self._manner, note=self._note, owners=self._owners)

    def _heads(self) -> dict[str, str]:
        """Return the real paths to follow, each with the name it was found by."""
        self._generations = defaultdict(list)
        named = [name for name in self._patterns if "\0" not in name and _is_plain(name)]
        for name in named:
            self._check(name)
        heads = {name: os.path.realpath(name) for name in named}
        found = self._globbed()
        for name in sorted(found, key=lambda name: (len(Path(name).name), name)):
            if name not in heads and Path(name).is_file() and self._is_head(name, found[name], heads):
                heads[name] = os.path.realpath(name)
        names: dict[str, str] = {}
        for name, real in heads.items():
            names.setdefault(real, name)
        return names

    def _globbed(self) -> dict[str, str]:
        """Return the names that globs find, each with its glob."""
        found: dict[str, str] = {}
        for pattern in self._patterns:
            if "\0" not in pattern and not _is_plain(pattern):
                for name in glob.glob(pattern):  # noqa: PTH207 - Path.glob takes no absolute pattern
                    found.setdefault(name, pattern)
        return found

    def _is_head(self, name: str, pattern: str, heads: Mapping[str, str]) -> bool:
        """Whether a file that a glob found is a log of its own, no older generation of another.

        `heads` are the logs among the shorter names, so among those that it may have had.
        """
        folder, last = os.path.split(name)
        for base in bases(last):
            if log := self._followed(str(Path(folder, base)), name, pattern, heads):
                self._generations[log].append(_in_real_folder(name))
                return False
        if os.path.realpath(name) in self._families:
            return True
        logs = [
            self._followed(str(Path(folder, stem)), name, pattern, heads)
            for stem in (*inner_bases(last), *stems(last))
        ]
        for log in filter(None, (*logs, *_elsewhere(name, heads))):
            copied = self._copies.is_copy(name, log)
            if copied:
                self._generations[log].append(_in_real_folder(name))
            if copied is not False:
                return False
        return True

    def _followed(self, log: str, name: str, pattern: str, heads: Mapping[str, str]) -> str:
        """Return the real path of a log that a glob finds, or found when it was there; else nothing."""
        real, own = os.path.realpath(log), os.path.realpath(name)
        if real == own:
            return ""
        if log in heads:
            return real
        if not fnmatchcase(log, pattern):
            return ""
        known = real in self._families or any(each.path != own for each in self._known.checkpoints(real))
        return real if known else ""

    def _check(self, name: str) -> None:
        """Say why a file that was named cannot be followed now."""
        fault = ""
        try:
            refuse_stream(name, Path(name).stat().st_mode)
        except InputUnreadable as error:
            fault = str(error)
        except FileNotFoundError:
            since_s = self._missing.setdefault(name, self._clock())
            if self._clock() - since_s < self._manner.settle_s:
                return  # between the two steps of a rotation it is not there for a moment
            fault = f"{name}: is not there; waiting for it"
        except (OSError, ValueError) as error:
            fault = str(unreadable(name, error))
        else:
            self._missing.pop(name, None)
        self._note(f"name {name}", fault)

    def _note(self, topic: str, text: str) -> None:
        """Tell what is new of a topic; an empty text ends it."""
        if self._faults.get(topic, "") != text:
            self._faults[topic] = text
            if text:
                self._tell(text)


class _Siblings:
    """The older generations of logs, by one look at each folder."""

    def __init__(self) -> None:
        self._folders: dict[str, tuple[_Names, _Names]] = {}

    def of(self, path: str) -> list[str]:
        """Return the paths of the older generations of a log."""
        return self._paths(path, 0)

    def loose(self, path: str) -> list[str]:
        """Return the paths of what may be older generations of a log, or logs of their own."""
        return self._paths(path, 1)

    def _paths(self, path: str, kind: int) -> list[str]:
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = _generations(folder)
        return [str(Path(folder, sibling)) for sibling in self._folders[folder][kind].get(name, ())]


def _elsewhere(name: str, heads: Mapping[str, str]) -> list[str]:
    """Return the real paths of logs in other folders that a file may have been moved away from."""
    folder, last = os.path.split(os.path.realpath(name))
    before = {*bases(last), *inner_bases(last)}
    split = [(real, *os.path.split(real)) for real in heads.values()] if before else []
    return [real for real, place, head in split if head in before and place != folder]


def _is_plain(pattern: str) -> bool:
    return not glob.has_magic(pattern) or os.path.lexists(pattern)


def _in_real_folder(name: str) -> str:
    folder, last = os.path.split(name)
    return str(Path(os.path.realpath(folder), last))


def _refusal(name: str) -> str:
    """Return why a name can never be followed as long as this is there; nothing if it can."""
    try:
        refuse_stream(name, Path(name).stat().st_mode)
    except InputUnreadable as error:
        return str(error)
    except (OSError, ValueError):
        return ""
    return ""


def _generations(folder: str) -> tuple[_Names, _Names]:
    """Return the names in a folder by the names they had, or may have had, before rotation."""
    found: _Names = defaultdict(list)
    loose: _Names = defaultdict(list)
    try:
        for name in os.listdir(folder):  # noqa: PTH208 - names are what is asked for
            for base in bases(name):
                found[base].append(name)
            for base in inner_bases(name):
                loose[base].append(name)
    except OSError:
        return {}, {}
    return found, loose
