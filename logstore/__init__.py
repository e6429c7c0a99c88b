"""logstore: a SQLite-backed, de-duplicating log store for programs that say the same thing for ever."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logstore.errors import LogStoreError
    from logstore.handler import LogStoreHandler
    from logstore.record import Episode, Record
    from logstore.store import LogStore

__all__ = ["Episode", "LogStore", "LogStoreError", "LogStoreHandler", "Record"]

# Each name is fetched when it is first asked for: the command line seldom needs the store, and who only
# wants the store never needs `logging`. (A type checker must not see __getattr__: it lets every name pass.)
_HOMES = {
    "Episode": "logstore.record",
    "LogStore": "logstore.store",
    "LogStoreError": "logstore.errors",
    "LogStoreHandler": "logstore.handler",
    "Record": "logstore.record",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
