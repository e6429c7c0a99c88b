"""The work of `logstore ingest` on sources that keep going: followed files, a journal, syslog messages."""

import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from logstore.cli.ingest import How, Tally, rare_collections, said_of
from logstore.cli.text import escaped, note
from logstore.sources.follow import Following
from logstore.sources.journal import JournalReading, cursor_name
from logstore.sources.listen import SyslogListener
from logstore.sources.tail import Manner
from logstore.store import LogStore


def follow(store: LogStore, patterns: Sequence[str], how: How) -> None:
    """Follow files until the program is told to stop; what was read by then is stored."""
    tally = Tally()
    manner = Manner(
        tz=how.tz,
        now_us=_now_us,
        host=how.host,
        format=how.format_name,
        formats=how.formats,
        masks=lambda format_, stored: how.masks_for(store, format_, stored),
    )
    with _stopping() as stop, rare_collections():
        steps = Following(
            patterns, store, manner, note=note, stop=stop.is_set, wait=lambda pause_s: _pause(stop, pause_s)
        )
        for batch, after, _ in steps:
            if batch.checkpoint is not None:
                records = how.processed(batch.records)
                taken = store.log_input(records, batch.checkpoint, after=after, redact=how.redact)
                tally.add(batch.lines, records, taken)
    _close("followed", tally, how)


def read_journal(store: LogStore, arguments: Sequence[str], how: How, *, going: bool) -> None:
    """Read the journal from where the last run ended, and with `going` on as it grows."""
    tally = Tally()
    masks = how.masks_for(store, "journald")
    cursor = store.cursor(cursor_name(arguments))
    with (
        _stopping() as stop,
        rare_collections(),
        JournalReading(
            cursor, follow=going, arguments=arguments, this_host=socket.gethostname(), note=note
        ) as reading,
    ):
        for batch in reading.batches(stop.is_set):
            records = how.processed(batch.records)
            taken = store.log_stream(records, batch.cursor, after=batch.after, masks=masks, redact=how.redact)
            tally.add(len(batch.records), records, taken)
    _close("journal", tally, how)


def listen(store: LogStore, addresses: Sequence[str], how: How) -> None:
    """Store the syslog messages that arrive until the program is told to stop."""
    tally = Tally()
    masks = how.masks_for(store, "syslog3164")
    with (
        _stopping() as stop,
        SyslogListener(addresses, tz=how.tz, clock_us=_now_us, this_host=socket.gethostname()) as listener,
    ):
        note(f"listening on {', '.join(listener.addresses)}")
        for batch in listener.batches(stop.is_set):
            records = how.processed(batch)
            tally.add(len(batch), records, store.take(records, masks=masks, redact=how.redact))
        received = listener.received
    _close("syslog", tally, how)
    trouble = {name: getattr(received, name) for name in ("refused", "closed", "truncated", "lost")}
    if any(trouble.values()):
        note(f"syslog: {', '.join(f'{count:,} {name}' for name, count in trouble.items() if count)}")


def _close(name: str, tally: Tally, how: How) -> None:
    about = said_of(how.processor) if how.processor else []
    said = f"{name}: {', '.join(tally.parts(how.tz))}" if tally.records else f"{name}: nothing new"
    print(escaped(f"{said} ({'; '.join(about)})" if about else said), flush=True)


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Give an event that is set when the program is told to stop."""
    stop = threading.Event()

    def told(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _pause(stop: threading.Event, pause_s: float) -> None:
    stop.wait(pause_s)


def _now_us() -> int:
    return time.time_ns() // 1000
