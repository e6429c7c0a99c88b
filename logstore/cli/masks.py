"""The work of `logstore masks`: what identity rules would gain on a log, and how one line is read."""

import socket
import sys
import time
from collections.abc import Mapping
from datetime import tzinfo
from typing import Final, NamedTuple

from logstore.cli.ingest import AUTO
from logstore.cli.inputs import formats_of
from logstore.cli.places import found_or_none
from logstore.cli.progress import Progress
from logstore.cli.text import counted, escaped, note, write_table
from logstore.identity import identify
from logstore.masks import PRESET_NAMES, Masker, RuleSet, dump_set, preset
from logstore.record import LEVELS, Record, severity
from logstore.rulebook import find_set
from logstore.search.times import local, rfc3339, zone
from logstore.settings import NO_RULES, Settings
from logstore.sources.defaults import MASKS_OF
from logstore.sources.files import Reading
from logstore.sources.format import Format
from logstore.sources.formats import FORMATS
from logstore.sources.gains import Merged, RuleGain, SetGain, merged, of_rules, of_set, proposed
from logstore.sources.inputs import open_input
from logstore.sources.parser import LineParser
from logstore.store import LogStore

_ROWS: Final = 10
_PROPOSED: Final = 5


class _Known(NamedTuple):
    """What the store knows, or without one what logstore does."""

    settings: Settings
    sets: Mapping[str, RuleSet]
    formats: Mapping[str, Format]


def weigh(path: str, db: str | None, *, name: str, format_: str, zone_: str | None, host: str | None) -> None:
    """Print what each set would gain on a file, what the rules of one do, and what stays noisy."""
    settings, sets, formats = _known(db)
    reading, records, lines = _read(path, zone(zone_), format_, host, formats)
    if name == AUTO:
        name = MASKS_OF.get(reading, settings.masks)
    chosen = None if name == NO_RULES else find_set(name, "masks", sets)
    masks = [each for each in sets.values() if each.kind == "masks"]
    gains = [of_set(records, rules, settings) for rules in (None, *masks)]
    print(
        escaped(f"{path}: {counted(lines, 'line')} -> {counted(len(records), 'record')} (format {reading})")
    )
    _print_sets(gains, sum(len(record.message.encode(errors="replace")) for record in records))
    if chosen is not None:
        _print_rules(chosen, of_rules(records, chosen))
        _print_merged(merged(records, chosen, _ROWS))
    rules = proposed(records, chosen, _PROPOSED)
    if rules:
        print()
        print("Still told apart by a number. Where that is no evidence, a set of your own (config add FILE):")
        print()
        print(escaped_lines(dump_set(RuleSet("mine", "masks", tuple(rule for rule, _ in rules)))), end="")
        note(f"they would merge {', '.join(str(count) for _, count in rules)} messages each")


def explain(
    line: str, db: str | None, *, name: str, format_: str, zone_: str | None, host: str | None
) -> None:
    """Print how one line is read: format, time, source, level, message, content and hash."""
    settings, sets, formats = _known(db)
    tz = zone(zone_)
    parser = LineParser(
        None if format_ == AUTO else format_,
        tz=tz,
        newest_us=time.time_ns() // 1000,
        host=host,
        fallback_host=socket.gethostname(),
        sample=[line],
        formats=formats,
    )
    records = parser.feed([line]) + parser.finish()
    if name == AUTO:
        name = MASKS_OF.get(parser.format, settings.masks)
    masker = None if name == NO_RULES else Masker(find_set(name, "masks", sets))
    for record in records:
        masked = masker.mask(record.message)[0] if masker else record.message
        content = identify(record.source, record.level, masked)
        rows = [
            ("format", parser.format),
            ("time", _time(record, tz)),
            ("source", record.source),
            ("level", LEVELS[severity(record.level)]),
            ("message", record.message),
            ("attributes", str(dict(record.attributes or {}))),
            ("masks", name),
            ("content", content.message),
            ("hash", content.hash.hex()),
        ]
        for what, value in rows:
            print(f"{what:<11} {escaped(value)}")


def escaped_lines(text: str) -> str:
    """Return text of several lines, each escaped."""
    return "".join(f"{escaped(line)}\n" for line in text.splitlines())


def _known(db: str | None) -> _Known:
    sets = {name: found for name in PRESET_NAMES if (found := preset(name))}
    path = found_or_none(db)
    if path is None:
        return _Known(Settings.chosen(None, None, None), sets, FORMATS)
    with LogStore(path, readonly=True) as store:
        return _Known(store.settings, {**sets, **store.rule_sets()}, formats_of(store))


def _read(
    path: str, tz: tzinfo, format_: str, host: str | None, formats: Mapping[str, Format]
) -> tuple[str, list[Record], int]:
    now_us = time.time_ns() // 1000
    records: list[Record] = []
    lines = 0
    with open_input(path, sys.stdin.buffer) as source, Progress(path) as progress:
        reading = Reading(
            source,
            tz=tz,
            now_us=now_us,
            this_host=socket.gethostname(),
            host=host,
            format=None if format_ == AUTO else format_,
            formats=formats,
        )
        for batch in reading:
            records += batch.records
            lines += batch.lines
            progress.show(batch.bytes_read, batch.bytes_total)
    return reading.parser.format, records, lines


def _time(record: Record, tz: tzinfo) -> str:
    if record.timestamp_us is None:
        return "none that can be read: the time of receipt"
    return f"{rfc3339(record.timestamp_us)} ({local(record.timestamp_us, tz)})"


def _print_sets(gains: list[SetGain], message_bytes: int) -> None:
    lines = [
        (
            escaped(gain.name),
            f"{gain.contents:,}",
            f"{gain.episodes:,}",
            f"{gain.records / gain.episodes:.1f}x" if gain.episodes else "-",
            f"{gain.file_bytes:,}",
        )
        for gain in gains
    ]
    heading = ("SET", "CONTENTS", "EPISODES", "FOLDED", f"STORE BYTES (MESSAGES: {message_bytes:,})")
    write_table(heading, lines, right=frozenset((1, 2, 3)))


def _print_rules(rules: RuleSet, gains: list[RuleGain]) -> None:
    print()
    lines = [
        (gain.name, f"{gain.lines:,}", f"{gain.saved:,}", gain.placeholder, escaped(", ".join(gain.hidden)))
        for gain in gains
    ]
    heading = (f"RULE OF {rules.name}", "LINES", "CONTENTS SAVED", "PUTS", "HIDES, FOR EXAMPLE")
    write_table(heading, [tuple(map(escaped, line)) for line in lines], right=frozenset((1, 2)))


def _print_merged(found: list[Merged]) -> None:
    if not found:
        return
    print()
    print("Merges most:")
    for each in found:
        print(f"  {each.texts:,} texts  {escaped(each.message)}")
        for sample in each.samples:
            print(f"      {escaped(sample)}")
