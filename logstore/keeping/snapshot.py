"""A part of a store in a file of its own that can be given away: whole episodes, nothing else."""

import json
from collections.abc import Callable
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from logstore import statements
from logstore.database import VERSION, Connection, open_reader, open_writer
from logstore.errors import StoreDamaged
from logstore.filters import Filter
from logstore.keeping.copying import Copied, Copying
from logstore.keeping.disguise import Disguise, check_words
from logstore.keeping.placing import check_free, put_in_place, seal, workshop
from logstore.search.holding import Stats, reach, stats
from logstore.search.times import rfc3339
from logstore.store import LogStore

_STORE: Final = (
    *("store_id", "host", "created_us", "next_id", "longest_us", "swept_us", "horizon_us", "pruned"),
    *("window_ms", "max_span_ms", "max_open", "masks", "redact"),
)
_BUSY_TIMEOUT_S: Final = 30.0
_ALWAYS: Final = Filter()


class Wanted(NamedTuple):
    """What a snapshot is made of: a filter, its source as it was asked for, what is redacted (of WORDS).

    `hosts` are names that stand in messages, and that no source of the store begins with.
    """

    chosen: Filter
    source: str | None
    redact: tuple[str, ...]
    hosts: tuple[str, ...] = ()


class Manifest(NamedTuple):
    """What is written beside a snapshot, as JSON; times are RFC 3339 in UTC, null for no limit."""

    file: str
    sha256: str
    bytes: int
    logstore: str
    format: int
    store_id: str
    made_at: str
    since: str | None
    until: str | None
    source: str | None
    redacted: list[str]
    contents: int
    open_episodes: int
    closed_episodes: int
    records: int
    first_seen: str
    last_seen: str


def manifest_of(target: Path) -> Path:
    """Return where the manifest of a snapshot lies: `FILE.json`."""
    return target.with_name(f"{target.name}.json")


def take_snapshot(
    source: Path, target: Path, wanted: Wanted, *, now_us: int, progress: Callable[[int], None]
) -> Manifest | None:
    """Write a part of a store, as it is at one moment, into a new file, and a manifest beside it.

    The store may be written to meanwhile. `progress` is told now and then how many bytes have been
    written. Returns the manifest; None, and nothing is written, if nothing matches. Raises StoreMissing
    and its like for the store, StoreUnavailable or StoreFull for the target, StoreDamaged for a snapshot
    that is not what was read, InvalidQuery for a word of `redact` that is none.
    """
    check_words(wanted.redact, wanted.hosts)
    check_free(target, manifest_of(target))
    with open_reader(source, busy_timeout=_BUSY_TIMEOUT_S) as reader, workshop(target) as folder:
        reader.hold_snapshot()
        store = _store_of(reader, wanted.chosen)
        disguise = None
        if wanted.redact:
            disguise = Disguise(wanted.redact, wanted.hosts, reader, store["host"], progress)
            store["host"] = disguise.text(store["host"])
        file = folder / "snapshot.db"
        copied = _fill(file, Copying(reader, wanted.chosen, disguise), store, progress)
        if not copied.episodes:
            return None
        shown = disguise.pattern(wanted.source) if disguise else wanted.source
        held = _checked(file, copied)
        manifest = _manifest(target.name, wanted._replace(source=shown), held, seal(file), rfc3339(now_us))
        put_in_place([(_written(folder, manifest), manifest_of(target)), (file, target)])
    return manifest


def _store_of(reader: Connection, chosen: Filter) -> dict[str, Any]:
    """Return what the snapshot says of itself: it knows as far back as the store, or its own range, does."""
    store = dict(zip(_STORE, reader.one(statements.SNAPSHOT_READ_STORE), strict=True))
    known_us = reach(reader).from_us
    store["created_us"] = min(store["created_us"], known_us)  # the record that told so may be left out
    if chosen.since_us > known_us:
        store["horizon_us"] = max(store["horizon_us"], chosen.since_us)
    return store


def _fill(file: Path, copying: Copying, store: dict[str, Any], progress: Callable[[int], None]) -> Copied:
    """Write the rows into a draft, and that without its free pages into the file."""
    path = file.with_name("draft.db")
    LogStore(path, auto_sweep=False).close()
    with open_writer(path, busy_timeout=_BUSY_TIMEOUT_S, vfs=None, group=None) as draft:
        draft.rows("PRAGMA journal_mode = MEMORY")  # a draft that is cut short is thrown away
        draft.rows("PRAGMA synchronous = OFF")
        draft.rows("PRAGMA cache_size = -64000")  # KiB: hashes come in no order
        copied = copying.into(draft, _now_and_then(lambda: progress(_size(draft))))
        with draft.transaction():
            draft.rows(statements.SNAPSHOT_SAVE_STORE, store)
        draft.rows(statements.SNAPSHOT_INTO, (f"file:{quote(bytes(file))}",))
    return copied


def _size(draft: Connection) -> int:
    """Return the bytes of a file with what is not written yet."""
    pages, page_size = (draft.one(f"PRAGMA {name}")[0] for name in ("page_count", "page_size"))
    return int(pages * page_size)


def _now_and_then(work: Callable[[], None]) -> Callable[[], None]:
    rows = count(1)

    def row() -> None:
        if next(rows) % 1_000 == 0:
            work()

    return row


def _checked(file: Path, copied: Copied) -> Stats:
    """Return what a snapshot holds. Raises StoreDamaged unless that is what was read."""
    with open_reader(file, busy_timeout=_BUSY_TIMEOUT_S) as snapshot:
        sound = snapshot.rows("PRAGMA quick_check") == [("ok",)]
        opened, closed, records = snapshot.one(statements.SNAPSHOT_COUNT)
        held = stats(snapshot)
    counted = (opened, closed, records)
    if (
        not sound
        or (opened + closed, records) != (copied.episodes, copied.records)
        or (held.open_episodes, held.archived_episodes, held.records) != counted
    ):
        raise StoreDamaged(
            f"{file}: the snapshot is not what was read ({counted} for {copied}), so it was thrown away; "
            "check the disk, and the store with `sqlite3 FILE 'PRAGMA integrity_check'`"
        )
    return held


def _manifest(name: str, wanted: Wanted, held: Stats, sealed: tuple[str, int], made_at: str) -> Manifest:
    sha256, size = sealed
    return Manifest(
        file=name,
        sha256=sha256,
        bytes=size,
        logstore=version("logstore"),
        format=VERSION,
        store_id=held.store_id,
        made_at=made_at,
        since=_time(wanted.chosen.since_us, _ALWAYS.since_us),
        until=_time(wanted.chosen.until_us, _ALWAYS.until_us),
        source=wanted.source,
        redacted=list(wanted.redact),
        contents=held.contents,
        open_episodes=held.open_episodes,
        closed_episodes=held.archived_episodes,
        records=held.records,
        first_seen=rfc3339(held.first_us or 0),
        last_seen=rfc3339(held.last_us or 0),
    )


def _time(at_us: int, none_us: int) -> str | None:
    return None if at_us == none_us else rfc3339(at_us)


def _written(folder: Path, manifest: Manifest) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest._asdict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    seal(path)
    return path
