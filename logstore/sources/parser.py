"""Lines of one input to records, a batch at a time, with a state to go on from."""

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any, Final

from logstore.errors import InputUnreadable
from logstore.identity import MAX_MESSAGE_BYTES
from logstore.record import LEVELS, Record
from logstore.sources.formats import FORMATS, SAMPLE_LINES, Body, detect, hosts
from logstore.sources.growing import Growing
from logstore.sources.stamps import StampReader
from logstore.sources.state import Assumed, State

_STAMPS: Final = 4096
_BODIES: Final = 65_536
_BODY_CHARS: Final = 1024  # a longer body is not worth its memory
_PRI_END: Final = 192
_BLANKS: Final = ("", " ", "\t")
_NO_STAMP: Final = (None, "", "-")

_Stamp = tuple[int | None, str | None]
_Known = tuple[str, str, str, dict[str, Any] | None]


class LineParser:
    """Turns the lines of one input into records.

    The last record is held back until it is sure that no line continues it. The host of lines
    that name none is settled once, at the start.
    """

    def __init__(
        self,
        format: str | None = None,  # noqa: A002 - the word of the contract
        *,
        tz: tzinfo,
        newest_us: int,
        host: str | None = None,
        fallback_host: str = "",
        sample: Sequence[str] = (),
        state: State | None = None,
        limit: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Settle the format and the host.

        `format`: a name of FORMATS, None to take that of `state`, else to find it in `sample`, the
        first lines of the input. `host` is what the user said, `fallback_host` what is taken if
        the sample names no host. `tz` and `newest_us` as for StampReader; `limit` is the largest
        message in bytes. Raises InputUnreadable for a format that is not known.
        """
        if format is not None and format not in FORMATS:
            raise InputUnreadable(f"no such format: {format!r}; use one of {', '.join(FORMATS)}")
        if state is not None and format not in (None, state.format):
            state = None
        sample = sample[:SAMPLE_LINES]
        self.format = format or (state.format if state else detect(sample))
        self._format = FORMATS[self.format]
        self._host = host or (state.host if state else self._named(sample) or fallback_host)
        self._host_used = False
        self._reader = StampReader(tz, newest_us)
        self._zone = str(tz)
        self._limit = limit
        self._longest = min(_BODY_CHARS, limit // 4)
        self._stamps: dict[str, _Stamp] = {}
        self._bodies: dict[str, _Known] = {}
        self._width = 0
        self._open: Growing | None = None
        self._header = Record("", *state.header) if state and state.header else None
        self._parts = state.parts if state else 0
        self._midline = state.midline if state else False
        self._done = state.done if state else 0

    @property
    def held(self) -> int:
        """How many of the lines fed last belong to the record that is held back."""
        return self._open.lines if self._open else 0

    @property
    def assumed(self) -> Assumed:
        """What had to be assumed so far."""
        return Assumed(
            tuple(sorted(self._reader.years)),
            self._zone if self._reader.local else None,
            self._host if self._host_used else None,
        )

    def state(self) -> State:
        """Return what to go on from at the first line of the record held back (else at the end)."""
        grown = self._open
        header, midline = self._header, self._midline
        if grown and not grown.headless:
            header, midline = None, False
        return State(
            self.format,
            self._host,
            list(header[1:]) if header else None,
            self._parts if header else 0,
            midline,
            grown.emitted + self._done if grown else 0,
        )

    def feed(self, lines: Iterable[str]) -> list[Record]:
        """Take further lines, without their ends; return the records that are complete."""
        out: list[Record] = []
        # The trick: stamps and texts repeat. The text in front (as wide as the last stamp) and the
        # text behind it are looked up, and only what was never seen goes through the patterns.
        append, make = out.append, tuple.__new__
        stamp_of, body_of, width = self._stamps.get, self._bodies.get, self._width
        for line in lines:
            stamp = stamp_of(line[:width])
            if stamp is not None and (body := body_of(line[width:])) is not None:
                if self._open is not None:
                    self._close(out)
                time_us, pri = stamp
                message, level, source, attributes = body
                append(make(Record, (message, pri or level, source, time_us, attributes)))
            else:
                self._slow(line, out)
                width = self._width
        if self._open is None and out:
            self._open = Growing(out.pop(), self._limit)
        return out

    def more(self, text: str) -> list[Record]:
        """Take more text of the line fed last (before the checkpoint, if none was fed since)."""
        out: list[Record] = []
        if text or self._open:
            self._extend(text, out)
        else:
            self._midline = False
        return out

    def finish(self, *, midline: bool = False) -> list[Record]:
        """Return the record held back; `midline`: the input ended inside a line."""
        out: list[Record] = []
        if self._open is not None:
            self._close(out)
        self._midline = midline
        return out

    def _named(self, sample: Sequence[str]) -> str | None:
        # "Elsewhere in the file" is the sample: what a line is called may not depend on how much of
        # the file was read before it. A sample of several hosts says nothing about the other lines.
        named = set(hosts(self._format, sample))
        return named.pop() if len(named) == 1 else None

    def _slow(self, line: str, out: list[Record]) -> None:
        """Take a line that is new, long, or a continuation."""
        record = self._read(line)
        if record is None and (self._open or out or self._header):
            if self._open is None and out:
                self._open = Growing(out.pop(), self._limit)
            following = self._open is not None
            self._extend("\n" + line if following else line, out)
            if following and self._open:
                self._open.lines += 1
            return
        if self._open is not None:
            self._close(out)
        record = record or self._raw(line)
        if len(line) > self._limit // 4:  # four bytes are the longest character
            self._open = Growing(record, self._limit)
            self._emit(self._open.overflow(), out)
        else:
            out.append(record)

    def _extend(self, text: str, out: list[Record]) -> None:
        if self._open is not None:
            self._open.extend(text)
        else:
            header = (self._header or self._raw(""))._replace(message=text)
            self._open = Growing(header, self._limit, self._parts, headless=True)
        self._emit(self._open.overflow(), out)

    def _close(self, out: list[Record]) -> None:
        grown = self._open
        if grown is not None:
            self._emit(grown.close(), out)
            self._header, self._parts = grown.header, grown.after + grown.emitted
            self._open = None
            self._midline, self._done = False, 0

    def _emit(self, records: list[Record], out: list[Record]) -> None:
        """Hand records over, but those that were handed over before the state was stored."""
        known = min(self._done, len(records))
        self._done -= known
        out.extend(records[known:])

    def _read(self, line: str) -> Record | None:
        """Read a line that has a header, and remember what it says; None for other lines."""
        known = self._format
        if known.stamp is None:
            body = known.body(line)
            return None if body is None else self._record(self._known(body), body.stamp, None)
        match = known.stamp.match(line)
        if match is None:
            return None
        key = match[0]
        rest = line[len(key) :]
        said = self._bodies.get(rest) or self._body(rest)
        pri = match["pri"]
        if said is None or (pri and int(pri) >= _PRI_END):
            return None
        level = LEVELS[int(pri) & 7] if pri else None
        record = self._record(said, match["stamp"], level)
        # A stamp without a blank at its end may be the beginning of a longer one.
        if key[-1:] in _BLANKS and (record.timestamp_us is not None or not key):
            if len(self._stamps) >= _STAMPS:
                self._stamps.clear()
            self._stamps[key], self._width = (record.timestamp_us, level), len(key)
        return record

    def _body(self, rest: str) -> _Known | None:
        """Read what follows a stamp, and remember it."""
        body = self._format.body(rest)
        if body is None:
            return None
        said = self._known(body)
        if len(rest) <= self._longest:
            if len(self._bodies) >= _BODIES:
                self._bodies.clear()
            self._bodies[rest] = said
        return said

    def _known(self, body: Body) -> _Known:
        host = body.host
        if not host:
            host, self._host_used = self._host, True
        source = f"{host}/{body.program}" if body.program else host
        return body.message, body.level or "info", source, body.attributes

    def _record(self, said: _Known, stamp: object, pri: str | None) -> Record:
        message, level, source, attributes = said
        time_us = self._reader.read(stamp) if stamp not in _NO_STAMP else None
        if time_us is None and stamp not in _NO_STAMP:
            attributes = {**(attributes or {}), "stamp": stamp}
        return Record(message, pri or level, source, time_us, attributes)

    def _raw(self, line: str) -> Record:
        self._host_used = True
        return Record(line, "info", self._host)
