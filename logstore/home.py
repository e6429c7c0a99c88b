"""Where a store lives: its file opened to write, made where there is none, and opened again after trouble."""

import contextlib
import socket
import uuid
from collections.abc import Callable
from itertools import count
from pathlib import Path

from logstore import statements
from logstore.database import (
    LOW_BYTES,
    VERSION,
    Connection,
    Durability,
    Reserve,
    check_version,
    configure_writer,
    file_version,
    free_bytes,
    is_there,
    make_durable,
    open_reader,
    open_writer,
    patience,
    tell,
)
from logstore.errors import InvalidSetting, StoreBusy, StoreFull, StoreMissing, StoreUnavailable
from logstore.masks import RuleSet
from logstore.masks.rules import Kind
from logstore.rulebook import find_set, save_set
from logstore.settings import NO_RULES, Settings
from logstore.upgrade import upgrade_file


class Home:
    """The file of a store, the way in which it is opened, and the reserve of space on its disk."""

    def __init__(
        self, path: Path, *, busy_timeout: float, vfs: str | None, durability: Durability = "full"
    ) -> None:
        """Raises InvalidSetting for an unknown durability."""
        if durability not in ("full", "normal"):
            raise InvalidSetting(f"durability is 'full' or 'normal', not {durability!r}")
        self.reserve = Reserve(path)
        self._path = path
        self._busy_timeout = busy_timeout
        self._vfs = vfs
        self._durability = durability
        self._was_full = False  # when it was opened last, and the reserve had to be given up for that

    def reader(self) -> Connection:
        """Open the file for reading only; the caller closes it."""
        return open_reader(self._path, busy_timeout=self._busy_timeout, vfs=self._vfs)

    def open(
        self, chosen: Settings, *, group: str | None, upgrade: bool, clock_us: Callable[[], int]
    ) -> Connection:
        """Open the file for writing; one that is not there is made, durably, with these settings."""
        if not is_there(self._path):
            shipped_sets(chosen)  # a wrong name is said before a file is made
        connection = self._writer(group)
        try:
            if file_version(connection) == 0:
                self._make(connection, chosen, clock_us)
            if upgrade and file_version(connection) < VERSION:
                upgrade_file(connection)
            self._set_up(connection)
            if connection.had_a_log:
                with contextlib.suppress(StoreBusy):  # who writes now has settled it
                    connection.settle()
        except BaseException:
            connection.close()
            raise
        self.reserve.fill(with_the_last=self._was_full)
        if (free := free_bytes(self._path)) < LOW_BYTES:
            tell(f"{self._path}: its disk is nearly full, {free // 1024:,} KiB are free; free some space")
        return connection

    def open_again(self, old: Connection) -> Connection:
        """Open the file again after a commit that only a new connection can sort out.

        The old one is closed first: in one process, connections to one file share locks and memory.
        """
        if not old.may_be_replaced():
            raise StoreUnavailable(
                f"{self._path}: its files were changed while it was open; close everything that this "
                "process has open of it, then it can be opened again"
            )
        old.close()
        if not is_there(self._path):  # it must not come into being a second time
            raise StoreMissing(f"{self._path}: the store was removed while it was open; put it back")
        fresh = self._writer(None)
        try:
            self._set_up(fresh)
            self._settle(fresh)
        except BaseException:
            fresh.close()
            raise
        self.reserve.fill(with_the_last=self._was_full)
        return fresh

    def _settle(self, connection: Connection) -> None:
        """Settle what the log holds, waiting for readers between the attempts, and keeping nobody waiting."""
        wait = patience(self._busy_timeout)
        for attempt in count():
            try:
                connection.settle()
            except StoreBusy as error:
                if not wait(attempt):
                    raise StoreBusy(
                        f"{self._path}: after a commit that failed, a reader, or an episodes() that "
                        f"was not read to its end, has kept the log for {self._busy_timeout:g} s; end that, "
                        "then write again"
                    ) from error
            else:
                return

    def _writer(self, group: str | None) -> Connection:
        self._was_full = False
        try:
            return open_writer(self._path, busy_timeout=self._busy_timeout, vfs=self._vfs, group=group)
        except StoreFull:  # SQLite needs some room to begin
            if not self.reserve.give_up():
                raise
            self._was_full = True
            return open_writer(self._path, busy_timeout=self._busy_timeout, vfs=self._vfs, group=group)

    def _set_up(self, connection: Connection) -> None:
        check_version(connection)
        configure_writer(connection, self._durability)

    def _make(self, connection: Connection, chosen: Settings, clock_us: Callable[[], int]) -> None:
        configure_writer(connection, self._durability)
        with connection.transaction():
            if file_version(connection) == 0:  # nobody else was quicker
                connection.rows(statements.SCHEMA)
                identity = (str(uuid.uuid4()), socket.gethostname(), clock_us())
                names = ("store_id", "host", "created_us", *chosen._fields)
                connection.rows(statements.BEGIN_STORE, dict(zip(names, (*identity, *chosen), strict=True)))
                for rules in shipped_sets(chosen):
                    save_set(connection, rules)
        connection.checkpoint()  # from now on the file is a store even without its -wal
        make_durable(self._path)


def rule_settings(settings: Settings) -> tuple[tuple[str, Kind], ...]:
    """Return the sets of rules that settings name, each with its kind."""
    return ((settings.masks, "masks"), (settings.redact, "redact"))


def shipped_sets(settings: Settings) -> list[RuleSet]:
    """Return the sets that a new store begins with. Raises InvalidSetting."""
    return [find_set(name, kind, {}) for name, kind in rule_settings(settings) if name != NO_RULES]
