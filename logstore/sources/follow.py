"""Following files that keep going: by name or by glob, through rotation, restarts and kills."""

import glob
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from logstore.errors import InputUnreadable
from logstore.sources.family import Family, Owners, look
from logstore.sources.inputs import refuse_stream, unreadable
from logstore.sources.rotation import Known, bases
from logstore.sources.tail import Manner, Step

POLL_S: Final = 0.25


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

    def __iter__(self) -> Iterator[Step]:
        """Yield steps until `stop` says so; a step counts as stored when the next is asked for."""
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
            step = family.turn(look(family.path, siblings.of(family.path), self._clock()))
            if step:
                yield step

    def _family(self, path: str, name: str) -> Family:
        return Family(path, name, self._known, self._manner, note=self._note, owners=self._owners)

    def _heads(self) -> dict[str, str]:
        """Return the real paths to follow, each with the name it was found by."""
        heads: dict[str, str] = {}
        for pattern in self._patterns:
            for name in self._matches(pattern) if "\0" not in pattern else ():
                heads.setdefault(os.path.realpath(name), name)
        return heads

    def _matches(self, pattern: str) -> list[str]:
        if not glob.has_magic(pattern) or os.path.lexists(pattern):
            self._check(pattern)
            return [pattern]
        found = sorted(glob.glob(pattern))  # noqa: PTH207 - Path.glob takes no absolute pattern
        names = [name for name in found if Path(name).is_file()]
        return [name for name in names if not self._is_sibling(name, pattern, names)]

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

    def _is_sibling(self, name: str, pattern: str, names: Sequence[str]) -> bool:
        """Whether a file that a glob found is an older generation of another log that it finds."""
        path = Path(name)
        for base in bases(path.name):
            log = str(path.with_name(base))
            if log in names:
                return True
            real = os.path.realpath(log)
            if fnmatchcase(log, pattern) and (real in self._families or self._known.checkpoints(real)):
                return True
        return False

    def _note(self, topic: str, text: str) -> None:
        """Tell what is new of a topic; an empty text ends it."""
        if self._faults.get(topic, "") != text:
            self._faults[topic] = text
            if text:
                self._tell(text)


class _Siblings:
    """The older generations of logs, by one look at each folder."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, list[str]]] = {}

    def of(self, path: str) -> list[str]:
        """Return the paths of the older generations of a log."""
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = _generations(folder)
        return [str(Path(folder, sibling)) for sibling in self._folders[folder].get(name, ())]


def _generations(folder: str) -> dict[str, list[str]]:
    """Return the names in a folder by the names they may have had before rotation."""
    found = defaultdict(list)
    try:
        for name in os.listdir(folder):  # noqa: PTH208 - names are what is asked for
            for base in bases(name):
                found[base].append(name)
    except OSError:
        return {}
    return found
