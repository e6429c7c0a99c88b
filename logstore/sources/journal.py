"""The systemd journal, read through `journalctl -o json`: batches with the cursor to go on from."""

import json
import os
import selectors
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from typing import IO, Final, NamedTuple, Self

from logstore.checkpoint import Cursor
from logstore.errors import InputUnreadable
from logstore.identity import MAX_MESSAGE_BYTES
from logstore.record import Record
from logstore.sources.parser import LineParser

BATCH_ENTRIES: Final = 10_000
BATCH_BYTES: Final = 16 * 1024 * 1024

_POLL_S: Final = 0.25
_GATHER_S: Final = 0.5
_READ_BYTES: Final = 65_536
_KEPT_STDERR: Final = 2_000
_PATIENCE_S: Final = 5.0
_OPTIONS: Final = ("--output=json", "--all", "--no-pager")

Stop = Callable[[], bool]
Note = Callable[[str], None]


class JournalBatch(NamedTuple):
    """Records to be stored in one transaction with the cursor of the last; they follow on `after`.

    `store.log_stream(batch.records, batch.cursor, after=batch.after)`
    """

    records: list[Record]
    cursor: Cursor
    after: Cursor | None


def cursor_name(arguments: Sequence[str] = ()) -> str:
    """Return the name of the cursor of the journal, of that part of it which the arguments choose."""
    return shlex.join(("journald", *arguments))


class JournalReading:
    """One run of `journalctl`, from behind the cursor `after` on, None: from the beginning.

    `arguments` choose what is read (`--unit=nginx`, `--file=PATH`), `first_arguments` where the very
    first run begins (`--since=today`). With `follow` it goes on as entries arrive. `this_host` is the
    host of an entry that names none. `note` is told what is no error. An entry is held in memory
    whole; its message is cut into records of `limit` bytes.

    Raises InputUnreadable if the program cannot be started.
    """

    def __init__(
        self,
        after: Cursor | None = None,
        *,
        follow: bool = False,
        arguments: Sequence[str] = (),
        first_arguments: Sequence[str] = (),
        program: str = "journalctl",
        this_host: str = "",
        batch_entries: int = BATCH_ENTRIES,
        limit: int = MAX_MESSAGE_BYTES,
        note: Note = lambda _text: None,
    ) -> None:
        self._after, self._sought = after, after.position if after else None
        self._name = cursor_name(arguments)
        self._program, self._batch, self._note = program, batch_entries, note
        self._parser = LineParser("journald", tz=UTC, newest_us=0, fallback_host=this_host, limit=limit)
        self._lines: list[bytes] = []
        self._begun: list[bytes] = []
        self._bytes = 0
        self._stderr = b""
        # Not --after-cursor: where that entry is gone, journalctl (252) passes over the one behind it, too.
        where = [f"--cursor={self._sought}"] if self._sought else list(first_arguments)
        onward = ["--follow", "--no-tail"] if follow else []
        self._child = self._started([program, *_OPTIONS, *onward, *where, *arguments])
        self._selector = selectors.DefaultSelector()
        self._watch(self._child.stdout, self._take_output)
        self._watch(self._child.stderr, self._take_stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child; closing twice is harmless."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        for stream in (self._child.stdout, self._child.stderr):
            if stream:
                stream.close()
        self._selector.close()

    def batches(self, stop: Stop = lambda: False) -> Iterator[JournalBatch]:
        """Yield batches until the journal ends, or `stop()`, which is asked four times a second.

        A batch ends when nothing more can be read at once, or when it is large or has gathered for
        half a second. Raises InputUnreadable if journalctl fails, after all that it wrote before.
        """
        while self._selector.get_map() and not stop():
            if self._receive(_POLL_S):
                self._gather()
            if batch := self._next_batch():
                yield batch
        if not stop():
            self._check_end()

    # -- the child -------------------------------------------------------------------------------

    def _started(self, command: list[str]) -> subprocess.Popen[bytes]:
        try:
            # A group of its own: Ctrl-C is for us, who first store what was read.
            return subprocess.Popen(  # noqa: S603  # the program is the caller's choice
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                process_group=0,
            )
        except FileNotFoundError as error:
            raise InputUnreadable(
                f"{self._program}: there is no such program, so the journal cannot be read; install systemd"
            ) from error
        except (OSError, ValueError) as error:
            raise InputUnreadable(
                f"{self._program}: cannot be started: {error}; check the program and its arguments"
            ) from error

    def _watch(self, stream: IO[bytes] | None, take: Callable[[bytes], None]) -> None:
        if stream:
            self._selector.register(stream, selectors.EVENT_READ, take)

    def _check_end(self) -> None:
        """Raise InputUnreadable unless the child ended well."""
        code = self._child.wait()
        said = self._stderr.decode(errors="backslashreplace").strip()
        if code == 0 and not self._begun:
            if said:
                self._note(f"{self._program}: {said}")
            return
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise InputUnreadable(
            f"{self._program} {how}: {said or 'it said nothing'}; "
            "what it had read is kept: try its arguments by hand, and run this again"
        )

    # -- its output ------------------------------------------------------------------------------

    def _gather(self) -> None:
        deadline = time.monotonic() + _GATHER_S
        while len(self._lines) < self._batch and self._bytes < BATCH_BYTES and time.monotonic() < deadline:
            if not self._receive(0):
                break

    def _receive(self, timeout_s: float) -> bool:
        """Wait until something can be read; False if there was nothing."""
        ready = self._selector.select(timeout_s) if self._selector.get_map() else []
        for key, _ in ready:
            data = os.read(key.fd, _READ_BYTES)
            if data:
                key.data(data)
            else:
                self._selector.unregister(key.fileobj)
        return bool(ready)

    def _take_stderr(self, data: bytes) -> None:
        self._stderr = (self._stderr + data)[-_KEPT_STDERR:]

    def _take_output(self, data: bytes) -> None:
        self._bytes += len(data)
        self._begun.append(data)
        if b"\n" in data:
            *lines, rest = b"".join(self._begun).split(b"\n")
            self._lines += lines
            self._begun = [rest] if rest else []

    def _next_batch(self) -> JournalBatch | None:
        lines, self._lines, self._bytes = self._lines, [], 0
        if lines and self._sought:
            lines = self._behind_sought(lines)
        if not lines:
            return None
        cursor, after = Cursor(self._name, self._cursor_of(lines[-1])), self._after
        records = self._parser.feed(line.decode(errors="backslashreplace") for line in lines)
        records += self._parser.finish()
        self._after = cursor
        return JournalBatch(records, cursor, after)

    def _behind_sought(self, lines: list[bytes]) -> list[bytes]:
        """Leave out the entry that was read last, with which the journal begins if it still has it."""
        sought, self._sought = self._sought, None
        if self._cursor_of(lines[0]) == sought:
            return lines[1:]
        self._note(
            f"{self._name}: the journal no longer holds the entry that was read last; "
            "what came after it and is still there is read"
        )
        return lines

    def _cursor_of(self, line: bytes) -> str:
        try:
            entry = json.loads(line)
            position: str = entry["__CURSOR"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InputUnreadable(
                f"{self._program}: {line[:80]!r} is no entry of a journal; check the program"
            ) from error
        return position
