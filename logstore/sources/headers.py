"""One line that has a header to a record; what lines have in common is read once."""

from typing import Any, Final

from logstore.record import LEVELS, Record
from logstore.sources.body import Body
from logstore.sources.format import Format
from logstore.sources.shapes import GOES_ON
from logstore.sources.stamps import StampReader

_STAMPS: Final = 4096
_BODIES: Final = 65_536
_PRI_END: Final = 192
_BLANKS: Final = (" ", "\t")
_NO_STAMP: Final = (None, "", "-")

Known = tuple[str, str, str, dict[str, Any] | None]
"""Message, level, source and attributes of a body."""


class HeaderReader:
    """Reads the lines of one format.

    `stamps` are times and priorities by the text in front of a line, `bodies` what was said by the
    text behind it, `width` the length of the stamp read last: who finds both halves of a line need
    not read it. Only what means the same in every place is remembered.
    """

    __slots__ = ("_clock", "_host", "_longest", "bodies", "format", "host_used", "stamps", "width")

    def __init__(self, known: Format, clock: StampReader, host: str, longest: int) -> None:
        """Take the host of lines that name none; bodies up to `longest` characters are remembered."""
        self.format = known
        self._clock = clock
        self._host = host
        self._longest = longest
        self.host_used = False
        self.stamps: dict[str, tuple[int | None, str | None]] = {}
        self.bodies: dict[str, Known] = {}
        self.width = 0

    def read(self, line: str, *, loose: bool = False, amid: bool = False) -> Record | None:
        """Return the record that begins with this line; None if it has no header of this format.

        `loose`: a header is enough that the lines of other formats seem to have, too. `amid`: the
        line stands in a file of another format, so that only a stamp that is a time makes a header.
        """
        loose = loose or (amid and self.format.by_stamp)
        if self.format.stamp is None:
            return self._inside(line, loose=loose, amid=amid)
        if (stamp := self.stamps.get(line[: self.width])) and not GOES_ON.match(line, self.width):
            said = self._said(line[self.width :], loose=loose)
            return said and Record(said[0], stamp[1] or said[1], said[2], stamp[0], said[3])
        match = self.format.stamp.match(line)
        if match is None:
            return None
        key, pri = match[0], match["pri"]
        said = self._said(line[len(key) :], loose=loose)
        if said is None or (pri and int(pri) >= _PRI_END):
            return None
        level = LEVELS[int(pri) & 7] if pri else None
        record = self._record(said, match["stamp"], level)
        if amid and record.timestamp_us is None:
            return None
        self._remember(key, record.timestamp_us, level)
        return record

    def _inside(self, line: str, *, loose: bool, amid: bool) -> Record | None:
        """Read a line whose stamp is in its body."""
        body = self.format.body(line)
        if body is None or not (loose or body.typical):
            return None
        record = self._record(self._known(body), body.stamp, None)
        if amid and (record.timestamp_us is None or (self.format.data and body.level is None)):
            return None
        return record

    def _said(self, rest: str, *, loose: bool) -> Known | None:
        """Read what follows a stamp, and remember it if no other format could say otherwise."""
        if known := self.bodies.get(rest):
            return known
        body = self.format.body(rest)
        if body is None or not (loose or body.typical):
            return None
        known = self._known(body)
        if body.typical and len(rest) <= self._longest and not GOES_ON.match(rest):
            if len(self.bodies) >= _BODIES:
                self.bodies.clear()
            self.bodies[rest] = known
        return known

    def _known(self, body: Body) -> Known:
        host, program = body.host, body.program or self.format.program
        if not host:
            host, self.host_used = self._host, True
        source = f"{host}/{program}" if program else host
        return body.message, body.level or "info", source, body.attributes

    def _record(self, said: Known, stamp: object, by_priority: str | None) -> Record:
        message, level, source, attributes = said
        time_us = None
        self._clock.twice = False
        if stamp not in _NO_STAMP:
            time_us = self._clock.read(stamp)
            if time_us is None:
                attributes = {**(attributes or {}), "stamp": stamp}
        return Record(message, by_priority or level, source, time_us, attributes)

    def _remember(self, key: str, time_us: int | None, level: str | None) -> None:
        """Remember a stamp; one without a blank at its end may be the beginning of a longer one."""
        whole = key.endswith(_BLANKS) and time_us is not None and not self._clock.twice
        if whole or not self.format.dated:
            if len(self.stamps) >= _STAMPS:
                self.stamps.clear()
            self.stamps[key], self.width = (time_us, level), len(key)
