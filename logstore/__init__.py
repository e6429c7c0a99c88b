"""logstore: a SQLite-backed, de-duplicating log store for programs that say the same thing for ever."""

from logstore.errors import LogStoreError
from logstore.handler import LogStoreHandler
from logstore.record import Episode, Record
from logstore.store import LogStore

__all__ = ["Episode", "LogStore", "LogStoreError", "LogStoreHandler", "Record"]
