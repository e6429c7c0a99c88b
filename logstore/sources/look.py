"""A followed log and its older generations, as they lie in their folder at one moment."""

import stat
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from logstore.sources.rotation import Key
from logstore.sources.tail import Sign, age_s, sign


class Found(NamedTuple):
    """A file as a look at its folder saw it."""

    path: str
    key: Key
    sign: Sign
    asked: bool
    """Whether a glob of the user's matches it."""
    age_s: float
    """How long ago it was changed, by its own time."""


class Look(NamedTuple):
    """A log and its siblings, oldest first, as they were at one moment."""

    older: list[Found]
    base: Found | None
    now_s: float

    @property
    def files(self) -> list[Found]:
        """All of them."""
        return [*self.older, self.base] if self.base else self.older

    @property
    def names(self) -> list[tuple[str, Key]]:
        """Which file has which name."""
        return sorted((found.path, found.key) for found in self.files)

    def at(self, key: Key) -> Found | None:
        """Return the file with this device and inode."""
        return next((found for found in self.files if found.key == key), None)


class Changes:
    """When files were changed last, by the clock of the looks."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[Sign, float]] = {}

    def see(self, seen: Look) -> None:
        """Compare files with what they were at the last look; those that are gone are forgotten."""
        before, self._known = self._known, {}
        for found in seen.files:
            known = before.get(found.key, (found.sign, seen.now_s - found.age_s))
            self._known[found.key] = known if known[0] == found.sign else (found.sign, seen.now_s)

    def quiet_s(self, key: Key, now_s: float) -> float:
        """Return how long a file has been as it is now; 0 if it was not there at the last look."""
        return now_s - self._known[key][1] if key in self._known else 0.0


def look(path: str, siblings: Iterable[str], asked: Collection[str], now_s: float, now_us: int) -> Look:
    """Look at a log and at the paths of its siblings; what is not there is left out.

    `asked` are those that a glob of the user's matches, `siblings` what else the folder has.
    """
    names = {*siblings, *asked}
    older = [found for name in names if (found := _found(name, now_us, asked=name in asked))]
    older.sort(key=lambda found: (found.sign[1], found.path))
    return Look(older, _found(path, now_us, asked=True), now_s)


def _found(path: str, now_us: int, *, asked: bool) -> Found | None:
    try:
        seen = Path(path).stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(seen.st_mode):
        return None
    return Found(path, (seen.st_dev, seen.st_ino), sign(seen), asked, age_s(seen, now_us))
