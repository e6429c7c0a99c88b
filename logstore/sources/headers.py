"""One line that has a header to a record; what lines have in common is read once."""

from collections import defaultdict
from collections.abc import Callable
from typing import Final, NamedTuple

from logstore.columns import Said
from logstore.record import LEVELS
from logstore.sources.body import Body
from logstore.sources.format import Format
from logstore.sources.shapes import GOES_ON
from logstore.sources.stamps import StampReader

_STAMPS: Final = 4096
_BODIES: Final = 65_536
_PRI_END: Final = 192
_BLANKS: Final = (" ", "\t")
_NO_STAMP: Final = (None, "", "-")

Halves = tuple[Said, int | None]
"""A record: what is said, and when, in microseconds since the epoch."""


class Stamp(NamedTuple):
    """What the text in front of a line means; `said_of` looks up the text behind it, for that level."""

    time_us: int | None
    said_of: Callable[[str], Said | None]
    level: str | None


class HeaderReader:
    """Reads the lines of one format.

    `stamps` tells by the text in front of a line, `width` characters as those of the stamp read last,
    its time and where to look up what was said by the text behind it: who finds both halves of a line
    need not read it. Only what means the same in every place is remembered.
    """

    __slots__ = ("_bodies", "_clock", "_host", "_longest", "format", "host_used", "stamps", "width")

    def __init__(self, known: Format, clock: StampReader, host: str, longest: int) -> None:
        """Take the host of lines that name none; bodies up to `longest` characters are remembered."""
        self.format = known
        self._clock = clock
        self._host = host
        self._longest = longest
        self.host_used = False
        self.stamps: dict[str, Stamp] = {}
        self._bodies: defaultdict[str | None, dict[str, Said]] = defaultdict(dict)  # by the stamp's level
        self.width = 0

    def read(self, line: str, *, loose: bool = False, amid: bool = False) -> Halves | None:
        """Return the record that begins with this line; None if it has no header of this format.

        `loose`: a header is enough that the lines of other formats seem to have, too. `amid`: the
        line stands in a file of another format, so that only a stamp that is a time makes a header.
        """
        loose = loose or (amid and self.format.by_stamp)
        if self.format.stamp is None:
            return self._inside(line, loose=loose, amid=amid)
        if (stamp := self.stamps.get(line[: self.width])) and not GOES_ON.match(line, self.width):
            said = self._said(line[self.width :], stamp.level, loose=loose)
            return said and (said, stamp.time_us)
        match = self.format.stamp.match(line)
        if match is None:
            return None
        key, pri = match[0], match["pri"]
        if pri and int(pri) >= _PRI_END:
            return None
        level = LEVELS[int(pri) & 7] if pri else None
        said = self._said(line[len(key) :], level, loose=loose)
        if said is None:
            return None
        halves = self._dated(said, match["stamp"])
        if amid and halves[1] is None:
            return None
        self._remember(key, halves[1], level)
        return halves

    def _inside(self, line: str, *, loose: bool, amid: bool) -> Halves | None:
        """Read a line whose stamp is in its body."""
        body = self.format.body(line)
        if body is None or not (loose or body.typical):
            return None
        halves = self._dated(self._known(body, None), body.stamp)
        if amid and (halves[1] is None or (self.format.data and body.level is None)):
            return None
        return halves

    def _said(self, rest: str, level: str | None, *, loose: bool) -> Said | None:
        """Read what follows a stamp of some level, and remember it if no other format could say otherwise."""
        bodies = self._bodies[level]
        if known := bodies.get(rest):
            return known
        body = self.format.body(rest)
        if body is None or not (loose or body.typical):
            return None
        known = self._known(body, level)
        if body.typical and len(rest) <= self._longest and not GOES_ON.match(rest):
            if sum(map(len, self._bodies.values())) >= _BODIES:
                for each in self._bodies.values():
                    each.clear()
            bodies[rest] = known
        return known

    def _known(self, body: Body, level: str | None) -> Said:
        host, program = body.host, body.program or self.format.program
        if not host:
            host, self.host_used = self._host, True
        source = f"{host}/{program}" if program else host
        return body.message, level or body.level or "info", source, body.attributes

    def _dated(self, said: Said, stamp: object) -> Halves:
        time_us = None
        self._clock.twice = False
        if stamp not in _NO_STAMP:
            time_us = self._clock.read(stamp)
            if time_us is None:
                said = (*said[:3], {**(said[3] or {}), "stamp": stamp})
        return said, time_us

    def _remember(self, key: str, time_us: int | None, level: str | None) -> None:
        """Remember a stamp; one without a blank at its end may be the beginning of a longer one."""
        whole = key.endswith(_BLANKS) and time_us is not None and not self._clock.twice
        if whole or not self.format.dated:
            if len(self.stamps) >= _STAMPS:
                self.stamps.clear()
            self.stamps[key], self.width = Stamp(time_us, self._bodies[level].get, level), len(key)
