"""The work of `logstore snapshot`: words to a filter, a new file, and what is said of it."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from logstore.cli.progress import Progress
from logstore.cli.text import counted, escaped, note
from logstore.cli.words import span
from logstore.errors import InvalidQuery, StoreUnavailable
from logstore.filters import Filter
from logstore.keeping.snapshot import Wanted, manifest_of, take_snapshot
from logstore.search.times import SystemZone


def snapshot(
    store: Path,
    file: str,
    *,
    since: str | None,
    until: str | None,
    source: str | None,
    redact: str | None,
    hosts: Sequence[str],
) -> bool:
    """Write the snapshot and print the line that `sha256sum -c` takes. Returns whether anything matched."""
    if file == "-":
        raise InvalidQuery("a snapshot is a file, with another beside it: give a name, not -")
    now_us = time.time_ns() // 1000
    wanted = Wanted(_filter(since, until, source, now_us), source, _words(redact), tuple(hosts))
    target = Path(os.path.abspath(file))  # noqa: PTH100  # `..` stays in it with pathlib
    if target.exists() and target.samefile(store):
        raise StoreUnavailable(f"{file}: this is the store itself; give another name")
    with Progress(file) as progress:
        made = take_snapshot(
            store, target, wanted, now_us=now_us, progress=lambda done: progress.show(done, None)
        )
    if made is None:
        note("nothing matches; no snapshot was written")
        return False
    print(escaped(f"{made.sha256}  {file}"))
    note(
        f"{file}: {counted(made.records, 'record')} in {counted(made.contents, 'content')}, "
        f"{made.open_episodes:,} open and {made.closed_episodes:,} closed episodes, "
        f"{made.bytes / 1e6:,.1f} MB, SHA-256 {made.sha256}; described in {manifest_of(target).name}"
    )
    if "hosts" in wanted.redact:
        note("hosts of sources have other names now; one that only messages name stays: --host NAME hides it")
    return True


def _filter(since: str | None, until: str | None, source: str | None, now_us: int) -> Filter:
    since_us, until_us = span(since, until, now_us, SystemZone())
    return Filter.chosen(since_us=since_us, until_us=until_us, source=source)


def _words(redact: str | None) -> tuple[str, ...]:
    """Return the words of a list, each once, in the order they were given."""
    return () if redact is None else tuple(dict.fromkeys(word.strip() for word in redact.split(",")))
