"""The door to SQLite: the only room that imports apsw."""

from logstore.database.connection import Connection, patience, tell
from logstore.database.explained import unlike_a_store
from logstore.database.files import is_there, make_durable
from logstore.database.opening import (
    VERSION,
    Durability,
    check_ours,
    check_version,
    configure_writer,
    file_version,
    open_file_version,
    open_reader,
    open_writer,
)
from logstore.database.reserve import LOW_BYTES, Reserve, free_bytes

__all__ = [
    "LOW_BYTES",
    "VERSION",
    "Connection",
    "Durability",
    "Reserve",
    "check_ours",
    "check_version",
    "configure_writer",
    "file_version",
    "free_bytes",
    "is_there",
    "make_durable",
    "open_file_version",
    "open_reader",
    "open_writer",
    "patience",
    "tell",
    "unlike_a_store",
]
