"""What a store holds, and how far back it knows."""

from typing import NamedTuple

from logstore import statements
from logstore.database import Connection


class Reach(NamedTuple):
    """How far back a store knows; `pruned` if retention has deleted what was before."""

    from_us: int
    pruned: bool


class Stats(NamedTuple):
    """What a store holds; times are microseconds, None where there are no records."""

    store_id: str
    host: str
    created_us: int
    swept_us: int
    horizon_us: int
    window_ms: int
    max_span_ms: int
    max_open: int
    contents: int
    open_episodes: int
    archived_episodes: int
    records: int
    first_us: int | None
    last_us: int | None


def masks_hide(connection: Connection) -> bool:
    """Return whether messages of this store may be masked."""
    return bool(connection.one(statements.HAS_MASKS)[0])


def reach(connection: Connection) -> Reach:
    """Return how far back a store knows: its creation or its oldest record, or the prune horizon if later."""
    created_us, oldest_us, horizon_us = connection.one(statements.REACH)
    from_us = created_us if oldest_us is None else min(created_us, oldest_us)
    return Reach(max(from_us, horizon_us), horizon_us > 0)


def stats(connection: Connection) -> Stats:
    """Return what a store holds."""
    return Stats(*connection.one(statements.STATS))


def sources(connection: Connection) -> list[str]:
    """Return every source, in the order in which they came."""
    return [source for (source,) in connection.rows(statements.SOURCES)]
