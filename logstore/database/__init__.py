"""The door to SQLite: the only room that imports apsw."""

from logstore.database.connection import Connection
from logstore.database.opening import (
    VERSION,
    Durability,
    check_ours,
    check_version,
    configure_writer,
    file_version,
    is_there,
    make_durable,
    open_file_version,
    open_reader,
    open_writer,
)

__all__ = [
    "VERSION",
    "Connection",
    "Durability",
    "check_ours",
    "check_version",
    "configure_writer",
    "file_version",
    "is_there",
    "make_durable",
    "open_file_version",
    "open_reader",
    "open_writer",
]
