"""Syslog messages, as they come over a socket, to records: RFC 5424, RFC 3164, and what is neither."""

import re
from codecs import getincrementaldecoder
from datetime import tzinfo
from typing import Any, Final

from logstore.record import LEVELS, SECOND_US, Record
from logstore.sources.body import Body
from logstore.sources.formats import FORMATS
from logstore.sources.framing import Frame
from logstore.sources.growing import Growing
from logstore.sources.shapes import NAMED_MONTH, YEARLESS, ZONED, anonymous
from logstore.sources.stamps import StampReader

_PRI: Final = re.compile(r"<(\d{1,3})>")
_PRI_END: Final = 192
_VERSIONED: Final = re.compile(rf"1 ({anonymous(ZONED)}|-) ")
_STAMP: Final = re.compile(rf"({'|'.join(map(anonymous, (YEARLESS, ZONED, NAMED_MONTH)))})(?: |$)")
_TAG: Final = re.compile(r"(?P<program>[^\s\[\]:<>]+)(?:\[(?P<pid>[^\s\[\]]*)\])?:(?: |$)")
_PID_DIGITS: Final = 18
_HOUR_US: Final = 3600 * SECOND_US
_AHEAD_US: Final = 24 * _HOUR_US  # so far may a sender's clock, or its zone, be ahead of ours


class MessageReader:
    """Reads messages, with or without `<PRI>`; what is no header stays in the message.

    `tz` is the zone of stamps that name none; their year is that of the time of receipt.
    """

    def __init__(self, tz: tzinfo) -> None:
        self._tz = tz
        self._stamps = StampReader(tz, _AHEAD_US)
        self._renew_us = 0

    def read(self, text: str, peer: str, received_us: int, *, local: bool = False) -> Record:
        """Return the record of a message; it is of the time of receipt if no stamp can be read.

        `peer` is the host of a message that names none. `local`: it came by a unix socket, where a
        message of RFC 3164 names no host but, at most, this one. The facility becomes an attribute,
        and so does the peer of a message that names another host.
        """
        pri, rest = _priority(text)
        stamp, body = _read(rest, tagged=pri is not None, host=peer if local else None)
        attributes: dict[str, Any] = dict(body.attributes or {})
        if pri is not None:
            attributes["facility"] = pri >> 3
        if body.host and body.host != peer:
            attributes["peer"] = peer
        time_us = self._time(stamp, received_us)
        if time_us is None and stamp:
            attributes["stamp"] = stamp
        level = (body.level or "info") if pri is None else LEVELS[pri & 7]
        host = body.host or peer
        return Record(
            body.message,
            level,
            f"{host}/{body.program}" if body.program else host,
            received_us if time_us is None else time_us,
            attributes or None,
        )

    def _time(self, stamp: str | None, received_us: int) -> int | None:
        if not 0 <= received_us - self._renew_us < _HOUR_US:
            self._stamps, self._renew_us = StampReader(self._tz, received_us + _AHEAD_US), received_us
        return self._stamps.read(stamp)


class Messages:
    """Puts the messages of one peer together from their frames; one over `limit` bytes becomes parts."""

    def __init__(self, reader: MessageReader, peer: str, limit: int, *, local: bool = False) -> None:
        self._reader, self._peer, self._limit, self._local = reader, peer, limit, local
        self._decoder = getincrementaldecoder("utf-8")("backslashreplace")
        self._growing: Growing | None = None

    def take(self, frame: Frame, received_us: int) -> list[Record]:
        """Return the records that are complete; none for a message without a byte."""
        text = self._decoder.decode(frame.data, frame.ends)
        if self._growing is None:
            if not text and frame.ends:
                return []
            record = self._reader.read(text, self._peer, received_us, local=self._local)
            if frame.ends and len(text) <= self._limit // 4:  # four bytes are the longest character
                return [record]
            self._growing = Growing(record, self._limit)
        else:
            self._growing.extend(text)
        if not frame.ends:
            return self._growing.overflow()
        records, self._growing = self._growing.close(), None
        return records


def _priority(text: str) -> tuple[int | None, str]:
    match = _PRI.match(text)
    if match is None or int(match[1]) >= _PRI_END:
        return None, text
    return int(match[1]), text[match.end() :]


def _read(rest: str, *, tagged: bool, host: str | None) -> tuple[str | None, Body]:
    """Return the stamp and what follows it; with `host` no other one is read after an old stamp."""
    if (match := _VERSIONED.match(rest)) and (body := FORMATS["syslog5424"].body(rest[match.end() :])):
        return None if match[1] == "-" else match[1], body
    match = _STAMP.match(rest)
    if match is None:
        return None, _tagged(rest) if tagged else Body(rest)
    rest = rest[match.end() :]
    if not _TAG.match(rest):
        body = FORMATS["syslog3164"].body(rest)
        if body is not None and host in (None, body.host):
            return match[1], body
    return match[1], _tagged(rest)


def _tagged(rest: str) -> Body:
    """Read `program[pid]: message`, which names no host: what ends with a colon is a tag."""
    match = _TAG.match(rest)
    if match is None:
        return Body(rest)
    pid = match["pid"]
    number = int(pid) if pid and pid.isdecimal() and len(pid) <= _PID_DIGITS else pid
    return Body(rest[match.end() :], None, None, match["program"], {"pid": number} if pid else None)
