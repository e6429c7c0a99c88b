"""What every command that reads shares: the stores it reads, and the zone of its times."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import tzinfo

from logstore.cli.places import to_read
from logstore.database import Connection, open_reader
from logstore.errors import InvalidQuery
from logstore.search.times import zone

BUSY_S = 30.0


@contextmanager
def readers(named: Sequence[str]) -> Iterator[list[Connection]]:
    """Give a connection to each store that was named, or to the one there is, each as it is now.

    Raises InvalidQuery for a store that was named twice: its records would count twice.
    """
    with ExitStack() as opened:
        found: list[Connection] = []
        for name in named or (None,):
            path = to_read(name)
            if twice := [each.path for each in found if each.path.samefile(path)]:
                raise InvalidQuery(f"{path}: the same store as --db {twice[0]}; give each one once")
            connection = opened.enter_context(open_reader(path, busy_timeout=BUSY_S))
            connection.hold_snapshot()
            found.append(connection)
        yield found


def zone_of(name: str | None, *, utc: bool) -> tzinfo:
    """Return the zone that times are given and printed in. Raises InvalidQuery."""
    if utc and name is not None:
        raise InvalidQuery("--utc and --tz name two zones; take one")
    return zone("UTC" if utc else name)
