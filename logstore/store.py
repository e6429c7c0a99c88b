"""`LogStore`: a deep module with a small face. Each method runs a few statements of sql/."""

import json
import os
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from logstore import statements
from logstore.batch import Batch, Identities, RulesChanged, gather, gather_one, is_time
from logstore.checkpoint import Checkpoint, Cursor
from logstore.columns import Columns
from logstore.database import (
    Connection,
    Durability,
    unlike_a_store,
)
from logstore.episodes import read_episodes
from logstore.errors import (
    InputUnreadable,
    InvalidRecord,
    InvalidSetting,
    LogStoreError,
    OutcomeUnknown,
    ReadOnly,
    StoreClosed,
    StoreFull,
)
from logstore.filters import Filter, Order, StateFilter, substring
from logstore.home import Home, rule_settings
from logstore.identity import escape
from logstore.intake import Intake, Taken
from logstore.masks import RuleSet, check_set
from logstore.masks.rules import Kind as RuleKind
from logstore.record import Episode, Record
from logstore.rulebook import Rulebook, RuleNames, find_set, read_settings, save_set
from logstore.settings import NO_RULES, Settings
from logstore.sweep import BREATH_S, FULL_ROWS, STEP_ROWS, SweepPass
from logstore.writer import BackgroundWriter


class LogStore:
    """A persistent log store in one SQLite file: a repeat merges, a quiet log moves into the archive.

    `window`, `max_span` (seconds) and `max_open` are for creating; in an existing file the stored
    values win, with a warning. `durability="full"` syncs each commit, `"normal"` may lose the last
    commits in a power cut (never in a crash of the program). `clock_us` gives microseconds since the
    epoch. Threads may share an object, several objects and processes may share a file.

    Raises a LogStoreError that names the file and the way out.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        window: float | None = None,
        max_span: float | None = None,
        max_open: int | None = None,
        masks: str | None = None,
        redact: str | None = None,
        group: str | None = None,
        durability: Durability = "full",
        busy_timeout: float = 30.0,
        auto_sweep: bool = True,
        readonly: bool = False,
        upgrade: bool = False,
        clock_us: Callable[[], int] | None = None,
        vfs: str | None = None,
    ) -> None:
        self.path = Path(os.path.realpath(path))
        self._clock_us = clock_us or _wall_clock_us
        self._home = Home(self.path, busy_timeout=busy_timeout, vfs=vfs, durability=durability)
        self._readonly = readonly
        self._auto_sweep = auto_sweep
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._writers: list[BackgroundWriter] = []
        self._sender, self._sent = str(uuid.uuid4()), 0  # the tokens of `take`
        self._connection: Connection | None = None
        chosen = Settings.chosen(window, max_span, max_open, masks, redact)
        try:
            if readonly:
                self._connection = self._home.reader()
            else:
                self._begin(self._home.open(chosen, group=group, upgrade=upgrade, clock_us=self._clock_us))
            self._warn_of_ignored(
                chosen, window=window, max_span=max_span, max_open=max_open, masks=masks, redact=redact
            )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the store, after storing what its background writers hold; closing twice is harmless."""
        if os.getpid() != self._pid:
            return  # a forked child leaves its parent's file alone
        try:
            for writer in self._writers:
                writer.close()
        finally:
            with self._lock:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None

    def log(
        self,
        message: str,
        *,
        level: str | int = "info",
        source: str = "",
        timestamp_us: int | None = None,
        attributes: Any = None,
    ) -> int:
        """Store one record, durable on return. Returns its run's count so far: 1 = a first copy."""
        record = Record(message, level, source, timestamp_us, attributes)
        batch, _ = self._take(lambda identities: gather_one(record, identities))
        (group,) = batch.groups.values()
        return group.run_count

    def log_many(self, records: Iterable[Record], *, token: tuple[str, int] | None = None) -> int:
        """Store records in one transaction: all or nothing. Returns how many were taken.

        `token` is (writer, sequence), sequences rising from 1: a batch whose token, or a later one of
        its writer, was taken before changes nothing and returns 0, so it may be sent again safely.
        """
        records = _listed(records)
        if not records and token is None:
            return 0
        before = None if token is None else _token_check(token)
        return self._take(partial(gather, records), before=before)[1].records

    def log_input(
        self,
        records: Iterable[Record],
        checkpoint: Checkpoint,
        *,
        after: Checkpoint | None,
        redact: str | None = None,
    ) -> Taken:
        """Store records of an input file together with how far it was read.

        `after` is the checkpoint that these records follow on, None at the beginning. The records get
        the masks that `checkpoint` names; `redact` as for `take`. Raises InputUnreadable, and stores
        nothing, if the file was read further by someone else meanwhile.
        """
        rules = RuleNames(checkpoint.masks, redact)

        def advance(connection: Connection) -> bool:
            redactor = self._identities(rules).redactor
            context = checkpoint.context
            if redactor is not None and context:  # the header of the last record waits in it for more lines
                context = json.dumps(redactor.value(json.loads(context)))
            kept = checkpoint._replace(path=escape(checkpoint.path), context=context)
            expected = None if after is None else after.offset
            if connection.changed(statements.SAVE_CHECKPOINT, (*kept, expected)) == 1:
                return True
            raise InputUnreadable(
                f"{checkpoint.path}: another process is reading this file into {self.path}; let it finish"
            )

        def is_stored() -> bool:
            found = self.checkpoint(checkpoint.device, checkpoint.inode)
            return found is not None and (found.offset, found.tail_hash) == (
                checkpoint.offset,
                checkpoint.tail_hash,
            )

        return self._take_for_sure(_listed(records), rules, advance, is_stored)

    def log_stream(
        self,
        records: Iterable[Record],
        cursor: Cursor,
        *,
        after: Cursor | None,
        masks: str | None = None,
        redact: str | None = None,
    ) -> Taken:
        """Store records of a stream together with how far it was read.

        `after` is the cursor that these records follow on, None at the beginning; `masks` and `redact`
        as for `take`. Raises InputUnreadable, and stores nothing, if the stream was read further by
        someone else meanwhile.
        """

        def advance(connection: Connection) -> bool:
            expected = None if after is None else after.position
            if connection.changed(statements.SAVE_CURSOR, (*cursor, expected)) == 1:
                return True
            raise InputUnreadable(
                f"{cursor.name}: another process is reading this into {self.path}; let it finish"
            )

        return self._take_for_sure(
            _listed(records), RuleNames(masks, redact), advance, lambda: self.cursor(cursor.name) == cursor
        )

    def take(
        self, records: Iterable[Record], *, masks: str | None = None, redact: str | None = None
    ) -> Taken:
        """Store records in one transaction, as `log_many`, and tell what was new.

        `masks` and `redact` name sets of rules for these records; None: the store's own.
        """
        with self._lock:
            self._sent += 1
            token = (self._sender, self._sent)
        return self._take_for_sure(
            _listed(records),
            RuleNames(masks, redact),
            _token_check(token),
            lambda: self.last_sequence(self._sender) == token[1],
        )

    def sweep(self, *, now_us: int | None = None) -> int:
        """Move every episode that is due into the archive. Returns how many moved.

        Works in small transactions. `now_us` stands in for both the clock of receipt and of the sweep.
        """
        if now_us is not None and not is_time(now_us):
            raise InvalidRecord(f"now_us is whole microseconds from 1970 to 9999, not {now_us!r}")
        window_ms, most = self.settings.window_ms, STEP_ROWS
        moved, sweep = 0, SweepPass(window_ms)
        while not sweep.done:
            try:
                step = self._sweep_step(sweep, now_us, most)
            except StoreFull:
                if not self._home.reserve.give_up():
                    raise
                sweep, most = SweepPass(window_ms), FULL_ROWS
                self._checkpoint(truncate=True)
                continue
            moved += step
            if most == FULL_ROWS:
                self._checkpoint(truncate=True)  # the next step needs the room again
            elif step == most:
                time.sleep(BREATH_S)
        self._checkpoint(truncate=False)
        self._home.reserve.fill()
        return moved

    def _sweep_step(self, sweep: SweepPass, now_us: int | None, most: int) -> int:
        with self._lock, self._writing().transaction():
            self._intake.forget()
            at_us = self._now_us() if now_us is None else now_us
            return sweep.step(self._writing(), at_us, most)

    def _checkpoint(self, *, truncate: bool) -> None:
        with self._lock:
            self._writing().checkpoint(truncate=truncate)

    def episodes(
        self,
        *,
        state: StateFilter = "all",
        since_us: int | None = None,
        until_us: int | None = None,
        level: str | int | None = None,
        source: str | None = None,
        pattern: str | None = None,
        order: Order = "last",
        newest_first: bool | None = None,
        limit: int | None = None,
    ) -> Iterator[Episode]:
        """Return the episodes that overlap [since_us, until_us), as they are now.

        `level` means that severity and worse, `source` is a GLOB of the whole source (a plain word also
        matches one of its `/` parts), `pattern` a substring of the message (all lower case: in any case).
        `limit` keeps the first of the order. One snapshot on a connection of its own: it neither sees
        later writes nor blocks them.
        """
        chosen = Filter.chosen(
            state=state,
            since_us=since_us,
            until_us=until_us,
            level=level,
            source=source,
            matcher=None if pattern is None else substring(pattern),
        )
        newest = (state == "open" and order == "last") if newest_first is None else newest_first
        return read_episodes(self.reader, chosen, order, newest_first=newest, limit=limit)

    def background(self, **options: Any) -> BackgroundWriter:
        """Return a writer whose `log()` never blocks; see BackgroundWriter for its options."""
        self._writing()

        def store_batch(records: list[Record], token: tuple[str, int]) -> int:
            return self.log_many(records, token=token)

        def content_of(record: Record) -> bytes | None:
            identities = self._rules.identities(RuleNames())
            if not identities.alters:
                return None  # a text is its own content
            (content,) = gather_one(record, identities).groups
            return content

        options.setdefault("content_of", content_of)
        writer = BackgroundWriter(store_batch, clock_us=self._clock_us, **options)
        self._writers = [each for each in self._writers if not each.closed] + [writer]
        return writer

    def last_sequence(self, writer: str) -> int | None:
        """Return the highest sequence taken of a writer, None if it never sent a token."""
        self._check_process()
        with self._lock:
            row = self._open().row(statements.LAST_SEQUENCE, (writer,))
        return None if row is None else row[0]

    def checkpoint(self, device: int, inode: int) -> Checkpoint | None:
        """Return how far an input file was read, None if it never was."""
        self._check_process()
        with self._lock:
            row = self._open().row(statements.FIND_CHECKPOINT, (device, inode))
        return None if row is None else Checkpoint(*row)

    def checkpoints(self, path: str) -> list[Checkpoint]:
        """Return how far the files were read that had this name, or it and a suffix of rotation."""
        self._check_process()
        with self._lock:
            rows = self._open().rows(statements.FIND_CHECKPOINTS, (escape(path),))
        return [Checkpoint(*row) for row in rows]

    def cursor(self, name: str) -> Cursor | None:
        """Return how far a stream was read, None if it never was."""
        self._check_process()
        with self._lock:
            row = self._open().row(statements.FIND_CURSOR, (name,))
        return None if row is None else Cursor(*row)

    def rule_sets(self) -> dict[str, RuleSet]:
        """Return the sets of rules that the file holds, by name."""
        self._check_process()
        with self._lock:
            return dict(Rulebook.read(self._open()).sets)

    def save_rules(self, rules: RuleSet, *, trusted: bool = False) -> None:
        """Store a set of rules, in place of the one of its name; it holds for records to come.

        Raises InvalidSetting for a set that would not do what it says, or that would be slow;
        `trusted` leaves that check out, for a set that another store has.
        """
        if not trusted:
            check_set(rules)
        self._check_process()
        with self._lock, self._writing().transaction():
            known = self.rule_sets().get(rules.name)
            if known is not None and known.kind != rules.kind:
                raise InvalidSetting(f"{self.path}: {rules.name!r} is a {known.kind} set; use another name")
            save_set(self._writing(), rules)

    def use_rules(self, name: str, kind: RuleKind) -> bool:
        """See that the file holds a set; a shipped one is copied into it. Returns whether it was.

        Raises InvalidSetting for a name that neither the file nor logstore knows.
        """
        if name == NO_RULES:
            return False
        self._check_process()
        with self._lock, self._writing().transaction():
            sets = self.rule_sets()
            rules = find_set(name, kind, sets, self.path)
            if name not in sets:
                save_set(self._writing(), rules)
        return name not in sets

    def line_formats(self) -> dict[str, str]:
        """Return the user's own formats: regular expressions with named groups, by name."""
        self._check_process()
        with self._lock:
            return dict(self._open().rows(statements.READ_LINE_FORMATS))

    def save_line_format(self, name: str, pattern: str) -> None:
        """Keep a format of the user's own; the caller has checked it."""
        self._check_process()
        with self._lock, self._writing().transaction():
            self._writing().rows(statements.SAVE_LINE_FORMAT, (name, pattern))

    @property
    def settings(self) -> Settings:
        """The settings stored in the file."""
        self._check_process()
        with self._lock:
            return read_settings(self._open())

    def configure(self, settings: Settings) -> None:
        """Change the settings stored in the file. Raises InvalidSetting."""
        settings.checked()
        self._check_process()
        for name, kind in rule_settings(settings):
            self.use_rules(name, kind)
        with self._lock, self._writing().transaction():
            self._writing().rows(statements.SAVE_SETTINGS, settings)

    def reader(self) -> Connection:
        """Return a read-only connection of its own to the same file; the caller closes it."""
        self._open()
        return self._home.reader()

    # -- opening ---------------------------------------------------------------------------------

    def _begin(self, connection: Connection) -> None:
        """Begin to write by a connection that is set up."""
        try:
            intake, rules = Intake(connection, auto_sweep=self._auto_sweep), Rulebook.read(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._intake, self._rules = connection, intake, rules

    def _warn_of_ignored(self, chosen: Settings, **given: Any) -> None:
        stored = self.settings
        for name, value in given.items():
            field = f"{name}_ms" if name in ("window", "max_span") else name
            if value is not None and getattr(stored, field) != getattr(chosen, field):
                warnings.warn(
                    f"{self.path}: {name}={value} is ignored: the file keeps "
                    f"{field} = {getattr(stored, field)}; "
                    f"change it with `logstore config set {name}`",
                    stacklevel=3,
                )

    def _open(self) -> Connection:
        self._check_process()
        if self._connection is None:
            raise StoreClosed(f"{self.path}: this store was closed; open it again")
        if not self._connection.sound:
            with self._lock:
                if not self._connection.sound:  # no other thread was quicker
                    self._begin(self._home.open_again(self._connection))
        return self._connection

    def _now_us(self) -> int:
        now_us = self._clock_us()
        if not is_time(now_us):
            raise InvalidRecord(f"{self.path}: the clock is outside 1970 to 9999 ({now_us}); set it right")
        return now_us

    def _check_process(self) -> None:
        """Refuse a forked child, before it waits for a lock that a thread of its parent held."""
        if os.getpid() != self._pid:
            raise StoreClosed(
                f"{self.path}: this store was opened by the parent of a fork; open it again in the child"
            )

    def _writing(self) -> Connection:
        if self._readonly:
            raise ReadOnly(f"{self.path}: opened with readonly=True; open it without to write")
        return self._open()

    def _take(
        self,
        identify: Callable[[Identities], Batch],
        rules: RuleNames = RuleNames(),  # noqa: B008 - it cannot change
        *,
        before: Callable[[Connection], bool] | None = None,
    ) -> tuple[Batch, Taken]:
        """Store a batch in one transaction, unless `before` says in it that there is nothing to do.

        Identifying takes no lock, so it is done again if the rules were changed meanwhile.
        """
        self._writing()
        while True:
            batch = identify(self._identities(rules))
            try:
                return batch, self._store(batch, before)
            except RulesChanged:
                self._reread_rules()

    def _take_for_sure(
        self,
        records: Sequence[Record],
        rules: RuleNames,
        before: Callable[[Connection], bool],
        is_stored: Callable[[], bool],
    ) -> Taken:
        """Store a batch; where the disk failed in the commit, look whether it is stored, or send it again."""
        try:
            return self._take(partial(gather, records), rules, before=before)[1]
        except OutcomeUnknown:
            if is_stored():
                return Taken(len(records), 0, 0)
        return self._take(partial(gather, records), rules, before=before)[1]

    def _identities(self, rules: RuleNames) -> Identities:
        try:
            return self._rules.identities(rules)
        except InvalidSetting:  # it may have been added since
            self._reread_rules()
            return self._rules.identities(rules)

    def _reread_rules(self) -> None:
        with self._lock:
            self._rules = Rulebook.read(self._writing())

    def _store(self, batch: Batch, before: Callable[[Connection], bool] | None) -> Taken:
        with self._lock:
            connection = self._writing()
            try:
                with connection.transaction():
                    if before is not None and not before(connection):
                        return Taken(0, 0, 0)
                    taken = self._intake.take(batch, self._now_us())
                self._intake.committed()
            except (TypeError, ValueError, OverflowError) as error:
                self._intake.forget()
                if isinstance(error, LogStoreError):
                    raise
                raise unlike_a_store(error, self.path) from error  # the batch was checked before
            except BaseException:
                self._intake.forget()  # what it remembers of the queue was rolled back
                raise
        return taken


def _listed(records: Iterable[Record]) -> Sequence[Record]:
    return records if isinstance(records, list | tuple | Columns) else list(records)


def _token_check(token: tuple[str, int]) -> Callable[[Connection], bool]:
    match token:
        case (str(writer), int(sequence)) if (
            writer and escape(writer) == writer and sequence is not True and 0 < sequence < 1 << 63
        ):
            pass
        case _:
            raise InvalidRecord(f"a token is (writer, sequence) with sequences from 1, not {token!r}")
    return lambda connection: connection.changed(statements.ACCEPT_TOKEN, token) == 1


def _wall_clock_us() -> int:
    return time.time_ns() // 1000
