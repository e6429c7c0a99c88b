"""What logstore makes of log files: lines, records, stamps, contents and episodes, exact and masked."""

import sys
import time
from collections.abc import Sequence
from datetime import UTC
from typing import Final

from logstore.errors import LogStoreError
from logstore.masks import preset
from logstore.settings import Settings
from logstore.sources.files import Reading
from logstore.sources.gains import of_set
from logstore.sources.inputs import open_input

LINE: Final = "{:<40} {:>7} {:>7} {:>6} {:<12} {:>15} {:>15} {:>9} {:>9}"
HEADING: Final = (*("FILE", "LINES", "RECORDS", "DATED", "FORMAT", "EXACT", "CLUSTER", "TEXT", "STORE"),)


def survey(path: str) -> tuple[str, ...]:
    """Return the line of one file; contents and episodes stand as `2261/3644`, sizes in bytes."""
    with open_input(path, sys.stdin.buffer) as source:
        reading = Reading(source, tz=UTC, now_us=time.time_ns() // 1000)
        batches = list(reading)
    records = [record for batch in batches for record in batch.records]
    lines = sum(batch.lines for batch in batches)
    held = sum(1 + record.message.count("\n") for record in records)
    if held != lines:
        print(f"!!! {path}: {lines:,} lines, but {held:,} in its records", file=sys.stderr)
    dated = sum(record.timestamp_us is not None for record in records)
    settings = Settings.chosen(None, None, None)
    exact, masked = (of_set(records, rules, settings) for rules in (None, preset("cluster")))
    return (
        path.rpartition("/")[2],
        f"{lines:,}",
        f"{len(records):,}",
        f"{dated / max(len(records), 1):.0%}",
        reading.parser.format,
        f"{exact.contents:,}/{exact.episodes:,}",
        f"{masked.contents:,}/{masked.episodes:,}",
        f"{batches[-1].bytes_read if batches else 0:,}",
        f"{masked.file_bytes:,}",
    )


def main(paths: Sequence[str]) -> int:
    """Print the table; what cannot be read is said, and the others go on."""
    failed = False
    print(LINE.format(*HEADING))
    for path in paths:
        try:
            print(LINE.format(*survey(path)), flush=True)
        except LogStoreError as error:
            print(error, file=sys.stderr)
            failed = True
    return 2 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
