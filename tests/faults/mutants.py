"""Bugs put in on purpose: a harness that does not find them proves nothing about a store without them."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, Final, NamedTuple
from unittest import mock

import apsw
from campaign import Report, Tell, conduct
from campaigns import CAMPAIGNS
from failing import io_errors
from history import Call

from logstore import LogStore, Record, statements
from logstore.database import Connection, connection, opening
from logstore.errors import LogStoreError, StoreBusy, StoreUnavailable
from logstore.intake import Intake
from logstore.sweep import SweepPass

Patch = AbstractContextManager[Any]


class Mutant(NamedTuple):
    """A bug: what it is, how it is put in, and which campaign finds it within so many rounds."""

    name: str
    put_in: Callable[[], Patch]
    campaign: str
    rounds: int
    run: Callable[[int, int, Tell], int] | None = None

    def hunt(self, seed: int) -> Report:
        """Look for the bug."""
        campaign = CAMPAIGNS[self.campaign]
        with self.put_in():
            return conduct(campaign._replace(run=self.run or campaign.run), self.rounds, seed)


def _sql(name: str, old: str, new: str) -> Patch:
    """Change the text of a statement."""
    text = getattr(statements, name)
    assert old in text
    return mock.patch.object(statements, name, text.replace(old, new))


@contextmanager
def _pragmas(*pragmas: str) -> Iterator[None]:
    """Set up a writing connection differently."""

    whole = opening.configure_writer

    def configure(connection: Connection, durability: opening.Durability) -> None:
        whole(connection, durability)
        for pragma in pragmas:
            connection.rows(f"PRAGMA {pragma}")

    with ExitStack() as stack:
        for name, module in sys.modules.items():  # wherever it is called from
            if name.startswith("logstore") and hasattr(module, "configure_writer"):
                stack.enter_context(mock.patch.object(module, "configure_writer", configure))
        yield


def _powersafe() -> Patch:
    """Trust the disk to overwrite safely, as SQLite does unasked."""

    def connect(uri: str, **options: Any) -> apsw.Connection:
        return Raw(uri.replace("&psow=0", ""), **options)

    Raw = apsw.Connection  # noqa: N806
    return mock.patch.object(apsw, "Connection", connect)


def _acknowledged_early() -> Patch:
    """Commit what was acknowledged only when something else is asked of the store."""
    begin, rows, close = connection.Transaction.__enter__, Connection.rows, Connection.close
    owed: set[apsw.Connection] = set()

    def commit() -> None:
        while owed:
            owed.pop().execute("COMMIT")

    def enter(self: connection.Transaction) -> connection.Transaction:
        commit()
        return begin(self)

    def leave(self: connection.Transaction, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        if error is None:
            owed.add(self._raw)
        else:
            self._roll_back()

    def asked(self: Connection, statement: str, bindings: Any = ()) -> list[tuple[Any, ...]]:
        commit()
        return rows(self, statement, bindings)

    def closed(self: Connection) -> None:
        commit()
        close(self)

    stack = ExitStack()
    stack.enter_context(mock.patch.object(connection.Transaction, "__enter__", enter))
    stack.enter_context(mock.patch.object(connection.Transaction, "__exit__", leave))
    stack.enter_context(mock.patch.object(Connection, "rows", asked))
    stack.enter_context(mock.patch.object(Connection, "close", closed))
    return stack


def _trigger_without(sql: str, line: str) -> tuple[str, str]:
    """The DDL of a trigger, and of the same without a line."""
    begin = statements.SCHEMA.index(f"CREATE TRIGGER {sql}")
    end = statements.SCHEMA.index("END;", begin) + 4
    trigger = statements.SCHEMA[begin:end]
    assert line in trigger
    return trigger, trigger.replace(line, "")


def _sweep_in_two() -> Patch:
    """Append to the archive in one transaction, and take from the queue in the next."""
    step = SweepPass.step
    line = "DELETE FROM queue WHERE content_id = NEW.content_id AND id = NEW.id;"
    whole, half = _trigger_without("archive_takes_from_queue", line)
    drop = "DROP TRIGGER archive_takes_from_queue;"

    def in_two(self: SweepPass, connection: Connection, now_us: int, limit: int) -> int:
        connection.rows(drop + half)
        moved = step(self, connection, now_us, limit)
        connection.rows(drop + whole)
        connection.rows("COMMIT")
        connection.rows("BEGIN IMMEDIATE")
        connection.rows("DELETE FROM queue WHERE id IN (SELECT id FROM archive)")
        return moved

    return mock.patch.object(SweepPass, "step", in_two)


def _sweep_away() -> Patch:
    """Sweep the oldest due episode away, and archive the rest."""
    step = SweepPass.step
    whole, _ = _trigger_without("queue_leaves_into_archive", "")

    def away(self: SweepPass, connection: Connection, now_us: int, limit: int) -> int:
        connection.rows("DROP TRIGGER queue_leaves_into_archive")
        quiet_us = (now_us // 1000 - self.window_ms) * 1000
        connection.rows(
            "DELETE FROM queue WHERE id = ("
            "SELECT id FROM queue WHERE last_us < ?1 AND received_us < ?1 ORDER BY last_us LIMIT 1)",
            (quiet_us,),
        )
        connection.rows(whole)
        return step(self, connection, now_us, limit)

    return mock.patch.object(SweepPass, "step", away)


def _unguarded() -> Patch:
    """Leave the triggers out that keep the archive append-only."""
    text = statements.SCHEMA
    for name in ("archive_refuses_update", "archive_refuses_delete", "archive_is_pruned"):
        text = text.replace(_trigger_without(name, "")[0], "")
    return mock.patch.object(statements, "SCHEMA", text)


def _halves() -> Patch:
    """Store a batch in two transactions."""
    log_many = LogStore.log_many

    def in_two(self: LogStore, records: Sequence[Record], *, token: tuple[str, int] | None = None) -> int:
        middle = len(records) // 2
        first = 0
        if token is None or token[1] > (self.last_sequence(token[0]) or 0):
            first = log_many(self, records[:middle])
        return first + log_many(self, records[middle:], token=token)

    return mock.patch.object(LogStore, "log_many", in_two)


def _swallowed(kind: type[LogStoreError]) -> Patch:
    """Drop a batch in silence when an error comes."""
    log_many = LogStore.log_many

    def silent(self: LogStore, records: Sequence[Record], *, token: tuple[str, int] | None = None) -> int:
        try:
            return log_many(self, records, token=token)
        except kind:
            return len(records)

    return mock.patch.object(LogStore, "log_many", silent)


def _without_token() -> Patch:
    """A client that sends again without the token."""
    send = Call.send
    sent = set()

    def forgetful(self: Call, store: LogStore, clock: Any) -> int:
        call = self._replace(token=None) if self.token in sent else self
        sent.add(self.token)
        return send(call, store, clock)

    return mock.patch.object(Call, "send", forgetful)


def _shorter_window() -> Patch:
    """Merge what came within less than the window, and not what came at its very end."""
    from logstore.fold import fold

    def shorter(current: Any, orders: Any, times_us: Any, window_ms: int, max_span_ms: int) -> Any:
        return fold(current, orders, times_us, window_ms - 1, max_span_ms)

    return mock.patch("logstore.intake.fold", shorter)


def _certain() -> Patch:
    """Say of a failed commit that nothing was stored."""
    return mock.patch.object(connection, "OutcomeUnknown", StoreUnavailable)


def _nothing(target: Any, name: str, answer: Any = None) -> Patch:
    return mock.patch.object(target, name, return_value=answer)


def _with_journal() -> Patch:
    """A rollback journal, whose end is not synced; nobody reads meanwhile, and nobody misses the log."""
    stack = ExitStack()
    stack.enter_context(_pragmas("journal_mode = DELETE", "synchronous = FULL"))
    stack.enter_context(mock.patch("cuts._exchange"))
    stack.enter_context(_nothing(Connection, "owns_its_files", answer=True))
    return stack


MUTANTS: Final = (
    Mutant("synchronous = NORMAL", partial(_pragmas, "synchronous = NORMAL"), "power-cuts", 500),
    Mutant("synchronous = OFF", partial(_pragmas, "synchronous = OFF"), "power-cuts", 500),
    Mutant("a rollback journal, synchronous = FULL", _with_journal, "power-cuts", 500),
    Mutant("powersafe overwrite taken for granted", _powersafe, "blasts", 500),
    Mutant("acknowledged before the commit", _acknowledged_early, "power-cuts", 500),
    Mutant("a batch in two transactions", _halves, "power-cuts", 500),
    Mutant("a sweep in two transactions", _sweep_in_two, "power-cuts", 1_000),
    Mutant("a sweep that deletes", _sweep_away, "power-cuts", 500),
    Mutant(
        "no look at the ledger",
        partial(_sql, "ACCEPT_TOKEN", "WHERE excluded.sequence > sequence", ""),
        "power-cuts",
        500,
    ),
    Mutant("sent again without its token", _without_token, "power-cuts", 500),
    Mutant("an archive that can be rewritten", _unguarded, "power-cuts", 500),
    Mutant("a gap of exactly the window parts", _shorter_window, "power-cuts", 500),
    Mutant(
        "a repeat counted twice",
        partial(_sql, "RENEW_OPEN", "excluded.count,", "excluded.count + 1,"),
        "power-cuts",
        500,
    ),
    Mutant(
        "no rollback after an error",
        partial(_nothing, connection.Transaction, "_roll_back"),
        "io-errors",
        200,
    ),
    Mutant("what was rolled back stays cached", partial(_nothing, Intake, "forget"), "no-memory", 300),
    Mutant("a failed commit called not stored", _certain, "io-errors", 500),
    Mutant(
        "a commit without room left as it is",
        partial(_nothing, connection.Transaction, "_overwrite", True),
        "io-errors",
        300,
        partial(io_errors, first=28),
    ),
    Mutant("an error of the disk swallowed", partial(_swallowed, LogStoreError), "io-errors", 200),
    Mutant("a busy store swallowed", partial(_swallowed, StoreBusy), "locked-out", 300),
    Mutant(
        "no rollback when memory is short",
        partial(_nothing, connection.Transaction, "_roll_back"),
        "no-memory",
        300,
    ),
    Mutant(
        "others' commits not noticed", partial(_nothing, Connection, "data_version", 1), "power-cuts", 500
    ),
)
