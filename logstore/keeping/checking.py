"""Is a store whole? What SQLite can tell of its pages, and what logstore can tell of its counts."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from logstore import statements
from logstore.database import Connection
from logstore.errors import LogStoreError, StoreDamaged
from logstore.identity import identify

_MOST: Final = 100  # faults that are told: a file that has more needs no longer list


def faults(connection: Connection, *, full: bool) -> list[str]:
    """Return what is wrong with a store, at most 100 lines; [] if nothing was found.

    Quick: each page can be read and the counters agree with the rows. Full: each index entry, reference and
    the hash of each content, too. A flipped bit in a count or a time that leaves its page well-formed is not
    found. Raises what reading raises, but for StoreDamaged, which is a fault.
    """
    try:
        return list(islice(_faults(connection, full=full), _MOST))
    except StoreDamaged as error:
        return [str(error)]


def _faults(connection: Connection, *, full: bool) -> Iterator[str]:
    check = "integrity_check" if full else "quick_check"
    yield from (text for (text,) in connection.rows(f"PRAGMA {check}({_MOST})") if text != "ok")
    yield from (text for (text,) in connection.rows(statements.CHECK_COUNTS))
    if full:
        yield from (text for (text,) in connection.stream(statements.CHECK_REFERENCES))
        yield from _wrong_hashes(connection)


def _wrong_hashes(connection: Connection) -> Iterator[str]:
    for content_id, content_hash, *content in connection.stream(statements.CHECK_CONTENTS):
        try:
            right = identify(content[0], content[1], content[2]).hash == content_hash
        except LogStoreError:
            right = False
        if not right:
            yield f"content {content_id} is not what its hash says: its text was changed"
