"""A followed log and its older generations, as they lie in their folder at one moment."""

import stat
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from logstore.sources.rotation import Key
from logstore.sources.tail import Sign, sign


class Found(NamedTuple):
    """A file as a look at its folder saw it."""

    path: str
    key: Key
    sign: Sign
    asked: bool
    """Whether a glob of the user's matches it."""


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


def look(path: str, siblings: Iterable[str], asked: Collection[str], now_s: float) -> Look:
    """Look at a log and at the paths of its siblings; what is not there is left out.

    `asked` are those that a glob of the user's matches, `siblings` what else the folder has.
    """
    older = [found for sibling in {*siblings, *asked} if (found := _found(sibling, asked=sibling in asked))]
    older.sort(key=lambda found: (found.sign[1], found.path))
    return Look(older, _found(path, asked=True), now_s)


def _found(path: str, *, asked: bool) -> Found | None:
    try:
        seen = Path(path).stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(seen.st_mode):
        return None
    return Found(path, (seen.st_dev, seen.st_ino), sign(seen), asked)
