"""Lines of one input to records, a batch at a time, with a state to go on from."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Final

from logstore.columns import Columns, record
from logstore.errors import InputUnreadable
from logstore.identity import MAX_MESSAGE_BYTES
from logstore.record import Record
from logstore.sources.format import Format
from logstore.sources.formats import FORMATS, SAMPLE_LINES, detect, hosts, uncoloured
from logstore.sources.growing import Growing
from logstore.sources.headers import Halves, HeaderReader
from logstore.sources.levels import level_named
from logstore.sources.stamps import StampReader
from logstore.sources.state import Assumed, State

_BODY_CHARS: Final = 1024  # a longer body is not worth its memory
_BOM: Final = "\ufeff"  # editors and exports of Windows begin a file with it
_SECOND_LINE: Final = re.compile("(SEVERE|WARNING|FINE|FINER|FINEST): ")


class LineParser:
    """Turns the lines of one input into records.

    The last record is held back until it is sure that no line continues it. The host of lines
    that name none is settled once, at the start.

    A line without a header of the format in force, but with a clear one of another format, begins a
    record of that format, which is in force from there on. That is not done if the format was
    given, or if none was found: then `plain` has every line, as it is. Before the first header of all
    each line is a record. A header is read without its colours (escape sequences); those of a message
    stay. A byte order mark in front of a line is left out.
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
        formats: Mapping[str, Format] = FORMATS,
    ) -> None:
        """Settle the format and the host.

        `format`: a name of `formats`, None to take that of `state`, else to find it in `sample`, the
        first lines of the input. `host` is what the user said, `fallback_host` what is taken if
        the sample names no host. `tz` and `newest_us` as for StampReader; `limit` is the largest
        message in bytes. Raises InputUnreadable for a format that is not known.
        """
        if format is not None and format not in formats:
            raise InputUnreadable(f"no such format: {format!r}; use one of {', '.join(formats)}")
        if state is not None and format not in (None, state.format):
            state = None
        sample = [line.removeprefix(_BOM) for line in sample[:SAMPLE_LINES]]
        self.format = format or (state.format if state else detect(sample, formats))
        self._host = host or (state.host if state else self._named(sample, formats) or fallback_host)
        self._clock = StampReader(
            tz, newest_us, (state.fold[0], state.fold[1]) if state and state.fold else None
        )
        self._zone = str(tz)
        self._limit = limit
        self._formats = formats
        self._readers: dict[str, HeaderReader] = {}
        self._current = self._reader((state.current if state and not format else "") or self.format)
        self._given = format is not None or (state is not None and state.given)
        alone = self._given or not formats[self.format].dated
        self._others = tuple(
            self._reader(name) for name, known in formats.items() if known.dated and not alone
        )
        self._host_used = False
        self._open: Growing | None = None
        self._header = Record("", *state.header) if state and state.header else None
        self._headed = bool(state and state.header and state.headed)
        self._parts = state.parts if state else 0
        self._midline = state.midline if state else False
        self._done = state.done if state else 0

    @property
    def held(self) -> int:
        """How many of the lines fed last belong to the record that is held back."""
        return self._open.lines if self._open else 0

    @property
    def headed(self) -> bool:
        """Whether a line had a header so far."""
        return self._headed

    @property
    def assumed(self) -> Assumed:
        """What had to be assumed so far."""
        host_used = self._host_used or any(reader.host_used for reader in self._readers.values())
        return Assumed(
            tuple(sorted(self._clock.years)),
            self._zone if self._clock.local else None,
            self._host if host_used else None,
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
            self._done + (grown.emitted if grown else 0),
            self._current.format.name,
            self._given,
            list(self._clock.fold) if self._clock.fold else None,
            self._headed,
        )

    def feed(self, lines: Iterable[str]) -> list[Record]:
        """Take further lines, without their ends; return the records that are complete."""
        out = Columns()
        self.take(lines, out)
        return list(out)

    def take(self, lines: Iterable[str], out: Columns) -> None:
        """Take further lines, as `feed`; `out` is empty, or what was added to it by the calls before."""
        # The trick: stamps and texts repeat. The text in front (as wide as the last stamp) and the
        # text behind it are looked up, and only what was never seen goes through the patterns.
        known, width = self._current.stamps.get, self._current.width
        add_said, add_time = out.said.append, out.times_us.append
        for line in lines:
            stamp = known(line[:width])
            if stamp is not None and (said := stamp[1](line[width:])) is not None:
                if self._open is not None:
                    self._close(out)
                add_said(said)
                add_time(stamp[0])
            else:
                self._slow(line, out)
                known, width = self._current.stamps.get, self._current.width
        if self._open is None and out:
            self._open = Growing(out.pop(), self._limit)

    def more(self, text: str, out: Columns) -> None:
        """Take more text of the line fed last (before the checkpoint, if none was fed since)."""
        if text or self._open:
            self._extend(text, out)
        else:
            self._midline = False

    def finish(self, *, midline: bool = False) -> list[Record]:
        """Return the record held back; `midline`: the input ended inside a line."""
        out = Columns()
        if self._open is not None:
            self._close(out)
        self._midline = midline
        return list(out)

    def _named(self, sample: Sequence[str], formats: Mapping[str, Format]) -> str | None:
        # "Elsewhere in the file" is the sample: what a line is called may not depend on how much of
        # the file was read before it. A sample of several hosts says nothing about the other lines.
        named = set(hosts(formats[self.format], sample))
        return named.pop() if len(named) == 1 else None

    def _reader(self, name: str) -> HeaderReader:
        if name not in self._readers:
            longest = min(_BODY_CHARS, self._limit // 4)
            self._readers[name] = HeaderReader(self._formats[name], self._clock, self._host, longest)
        return self._readers[name]

    def _slow(self, line: str, out: Columns) -> None:
        """Take a line that is new, long, or a continuation."""
        line = line.removeprefix(_BOM)
        halves = self._coloured(line) if "\x1b" in line and self._current.format.dated else self._read(line)
        if halves is None and self._headed and (self._open or out or self._header):
            if self._open is None and out:
                self._open = Growing(out.pop(), self._limit)
            following = self._open is not None
            self._take_level(line)
            self._extend("\n" + line if following else line, out)
            if following and self._open:
                self._open.lines += 1
            return
        if self._open is not None:
            self._close(out)
        self._headed = self._headed or halves is not None
        out.add(*(halves or self._raw(line)))
        if len(line) > self._limit // 4:  # four bytes are the longest character
            self._open = Growing(out.pop(), self._limit)
            self._emit(self._open.overflow(), out)

    def _read(self, line: str) -> Halves | None:
        """Read a line that has a header: a typical one of this format, of another, or a loose one."""
        return self._current.read(line) or self._read_other(line) or self._current.read(line, loose=True)

    def _coloured(self, line: str) -> Halves | None:
        """Read a line with colours: its header without them, its message as it is.

        Where they stand in the header, too, no place is known at which the message begins: then it
        comes without colours.
        """
        text = uncoloured(line)
        halves = self._read(text)
        if halves is None:
            return None
        (message, level, source, attributes), time_us = halves
        end = len(text) - len(message)
        if line[:end] != text[:end] or not text.endswith(message):
            return halves
        return (line[end:], level, source, attributes), time_us

    def _read_other(self, line: str) -> Halves | None:
        """Read a line with the header of another format, which is then in force."""
        if not line or line[0].isspace():
            return None
        for reader in self._others:
            if reader is not self._current and (halves := reader.read(line, amid=True)):
                self._current = reader
                return halves
        return None

    def _take_level(self, line: str) -> None:
        """Take the level of a record from its second line, where java.util.logging writes it."""
        grown = self._open
        if (
            grown is None
            or grown.lines > 1
            or grown.headless
            or grown.emitted
            or grown.header.level != "info"
        ):
            return
        if match := _SECOND_LINE.match(line):
            grown.relevel(level_named(match[1]) or "info")

    def _extend(self, text: str, out: Columns) -> None:
        if self._open is not None:
            self._open.extend(text)
        else:
            header = (self._header or record(*self._raw("")))._replace(message=text)
            self._open = Growing(header, self._limit, self._parts, headless=True)
        self._emit(self._open.overflow(), out)

    def _close(self, out: Columns) -> None:
        grown = self._open
        if grown is not None:
            self._emit(grown.close(), out)
            self._header, self._parts = grown.header, grown.after + grown.emitted
            self._open = None
            self._midline, self._done = False, 0

    def _emit(self, records: list[Record], out: Columns) -> None:
        """Hand records over, but those that were handed over before the state was stored."""
        known = min(self._done, len(records))
        self._done -= known
        out.extend(records[known:])

    def _raw(self, line: str) -> Halves:
        self._host_used = True
        return (line, "info", self._host, None), None


def describe(
    line: str,
    *,
    tz: tzinfo,
    newest_us: int,
    format: str | None = None,  # noqa: A002 - the word of the contract
    host: str = "",
    formats: Mapping[str, Format] = FORMATS,
) -> tuple[str, Record]:
    """Return the format of a single line and how it is read, `host` if it names none.

    The other arguments are those of LineParser, and so is what is raised.
    """
    parser = LineParser(
        format, tz=tz, newest_us=newest_us, fallback_host=host, sample=[line], formats=formats
    )
    return parser.format, (parser.feed([line]) + parser.finish())[0]
