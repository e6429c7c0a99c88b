"""Python programs that log into a store: a `logging.Handler`, and a processor for structlog.

Both are over `LogStore.background()`: the program that logs never waits and never fails.
"""

import json
import logging
import math
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Final, Self

from logstore.errors import InvalidRecord, LogStoreError
from logstore.identity import MAX_MESSAGE_BYTES, escape
from logstore.record import LEVELS, SECOND_US, severity
from logstore.store import LogStore
from logstore.writer import is_urgent, say_lost

_PATIENCE_S: Final = 5.0
_MAX_SOURCES: Final = 1_000
_MAX_TASKS: Final = 1_000
_BYTES_A_CHARACTER: Final = 6  # at most, a lone surrogate written out
_SURELY_SHORT: Final = MAX_MESSAGE_BYTES // _BYTES_A_CHARACTER
_REPR_CHARS: Final = 1_000
_SEVERITIES: Final = (
    (logging.CRITICAL, "critical"),
    (logging.ERROR, "error"),
    (logging.WARNING, "warning"),
    (logging.INFO, "info"),
)
_NAMES: Final = dict((*_SEVERITIES, (logging.DEBUG, "debug")))
_OF_LOGGING: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""The names that `logging` itself puts on a LogRecord, in any of its versions."""

*_, _LAST = _BARE = tuple(logging.LogRecord("", 0, "", 0, "", None, None).__dict__)
"""Those of this version, in their order: a record that was given others has them behind the last."""

_OF_STRUCTLOG: Final = frozenset({"event", "level", "logger", "exc_info", "_record", "_from_structlog"})


class LogStoreHandler(logging.Handler):
    """Stores what a program logs, in the background.

    `store_or_path` is a LogStore, or the path of one that this handler opens and closes. A record's
    source is the logger's name, after the prefix `source/` if one is given. The options are those of
    `LogStore.background()`. What could not be taken is counted in `dropped`, and the store is told.

    The message is what the formatter makes of the record, a traceback included; what is over 2 MiB of
    it follows in further records, which have a `part` in their attributes. Attributes are `pid`,
    the type of an `exception`, the asyncio `task`, and the fields given by `extra`, those that are no
    JSON as their `repr`.
    """

    def __init__(
        self,
        store_or_path: LogStore | str | os.PathLike[str],
        *,
        source: str | None = None,
        level: int | str = logging.NOTSET,
        **options: Any,
    ) -> None:
        super().__init__(level)
        self._outlet = _Outlet(store_or_path, source, options)

    @property
    def dropped(self) -> int:
        """How many records could not be taken."""
        return self._outlet.writer.dropped

    def handle(self, record: logging.LogRecord) -> Any:
        """Take a record that passes the filters; without the handler's lock, the writer has its own.

        So a record that the writer's own thread logs never waits for a thread that waits for the writer.
        """
        passed: Any = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return passed

    def format(self, record: logging.LogRecord) -> str:
        """Return what the formatter makes of a record; without one what it would be, in less time."""
        if self.formatter is None and not (record.exc_info or record.exc_text or record.stack_info):
            return record.getMessage()
        return super().format(record)

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record; an error goes to `logging`'s own `handleError`, never to the program."""
        try:
            self._outlet.log(
                self.format(record),
                _NAMES.get(record.levelno) or _level_name(record.levelno),
                record.name,
                int(record.created * SECOND_US),
                _attributes(record),
                urgent=record.levelno >= logging.ERROR,
            )
        except Exception:  # noqa: BLE001  # whatever it is, logging must not stop the program
            self._outlet.writer.count_dropped()
            self.handleError(record)

    def flush(self) -> None:
        """Wait, for a few seconds at most, until what was logged so far is durable."""
        self._outlet.flush()

    def close(self) -> None:
        """Store what is waiting, and close the store if this handler opened it."""
        try:
            self._outlet.close()
        finally:
            super().close()


class StructlogProcessor:
    """A processor for structlog that stores each event and passes it on unchanged.

    It may stand before a renderer, or be the last one with `structlog.ReturnLoggerFactory()`.
    The parameters are those of LogStoreHandler. The message is the event, and the traceback if there
    is one; the level is that of the method called, the source what `logger` names; the rest becomes
    attributes. Where something fails the event is dropped, counted in `dropped`, and told on stderr.
    """

    def __init__(
        self,
        store_or_path: LogStore | str | os.PathLike[str],
        *,
        source: str | None = None,
        **options: Any,
    ) -> None:
        self._outlet = _Outlet(store_or_path, source, options)

    def __call__(
        self,
        logger: Any,  # noqa: ARG002  # structlog's signature
        method_name: str,
        event_dict: MutableMapping[str, Any],
    ) -> MutableMapping[str, Any]:
        """Store an event, and return it."""
        try:
            self._log(method_name, event_dict)
        except Exception:  # noqa: BLE001  # whatever it is, logging must not stop the program
            self._outlet.writer.count_dropped()
            if logging.raiseExceptions and sys.stderr is not None:
                traceback.print_exc()
        return event_dict

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def dropped(self) -> int:
        """How many events could not be taken."""
        return self._outlet.writer.dropped

    def flush(self) -> None:
        """Wait, for a few seconds at most, until what was logged so far is durable."""
        self._outlet.flush()

    def close(self) -> None:
        """Store what is waiting, and close the store if this processor opened it."""
        self._outlet.close()

    def _log(self, method_name: str, event: Mapping[str, Any]) -> None:
        message = str(event.get("event", ""))
        level = _structlog_level(event.get("level"), method_name)
        attributes = {"pid": os.getpid()} | _plain_fields(
            (name, value) for name, value in event.items() if name not in _OF_STRUCTLOG
        )
        if isinstance(event.get("exception"), str):  # a processor before this one has formatted it
            message += f"\n{attributes.pop('exception')}"
        elif (raised := _raised(event.get("exc_info", method_name == "exception"))) is not None:
            attributes["exception"] = _type_name(type(raised))
            message += "\n" + "".join(traceback.format_exception(raised)).rstrip("\n")
        self._outlet.log(
            message,
            level,
            str(event.get("logger") or ""),
            self._outlet.writer.clock_us(),
            attributes,
            urgent=is_urgent(level),
        )


class _Outlet:
    """A background writer, over a store that was given or is opened for it."""

    def __init__(
        self,
        store_or_path: LogStore | str | os.PathLike[str],
        source: str | None,
        options: Mapping[str, Any],
    ) -> None:
        self._source = source
        self._sources: dict[str, str] = {}
        self._own: LogStore | None = None
        if isinstance(store_or_path, LogStore):
            store = store_or_path
        else:
            store = self._own = LogStore(store_or_path)
        try:
            self.writer = store.background(**options)
            self._take = self.writer.take
        except BaseException:
            if self._own is not None:
                self._own.close()
            raise

    def log(
        self,
        message: str,
        level: str,
        name: str,
        timestamp_us: int,
        attributes: Mapping[str, Any],
        *,
        urgent: bool,
    ) -> None:
        """Take a record whose attributes nobody changes any more."""
        source = self._sources.get(name) or self._source_of(name)
        if type(message) is str and len(message) <= _SURELY_SHORT:
            self._take((message, level, source, timestamp_us, attributes), urgent=urgent)
            return
        for part, text in enumerate(_parts(message)):
            numbered = {**attributes, "part": part} if part else attributes
            self.writer.log(text, level=level, source=source, timestamp_us=timestamp_us, attributes=numbered)

    def _source_of(self, name: str) -> str:
        if len(self._sources) >= _MAX_SOURCES:
            self._sources.clear()
        source = self._sources[name] = "/".join(part for part in (self._source, name) if part)
        return source

    def flush(self) -> None:
        try:
            self.writer.flush(timeout=_PATIENCE_S)
        except LogStoreError:
            return  # counted and retried by the writer; a handler has nobody to tell

    def close(self) -> None:
        try:
            self.writer.close(timeout=_PATIENCE_S)
            if self._own is not None:
                self._own.close()
        except LogStoreError as error:  # the store may still be busy: do not wait for it a second time
            say_lost(error)


def _level_name(levelno: int) -> str:
    return next((name for number, name in _SEVERITIES if levelno >= number), "debug")


def _parts(message: str) -> Iterator[str]:
    """Cut a message between characters into parts that a record may have."""
    start, size = 0, MAX_MESSAGE_BYTES
    while start < len(message):
        part = message[start : start + size]
        if len(part) > _SURELY_SHORT and len(escape(part).encode()) > MAX_MESSAGE_BYTES:
            size //= 2
            continue
        yield part
        start += size


def _structlog_level(level: object, method_name: str) -> str:
    """Return the level an event names, else that of the method by which it was logged."""
    for name in (level, "error" if method_name == "exception" else method_name):
        if isinstance(name, str):
            try:
                return LEVELS[severity(name)]
            except InvalidRecord:
                continue
    return "info"


def _attributes(record: logging.LogRecord) -> Mapping[str, Any]:
    """Return what a LogRecord says besides its text; a field of the program's own goes before ours."""
    fields = record.__dict__
    place = _place(record.process, fields.get("taskName"))
    bare = (len(fields) == len(_BARE) and next(reversed(fields)) == _LAST) or _OF_LOGGING.issuperset(fields)
    if bare and record.exc_info is None:
        return place
    attributes = dict(place)
    kind = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
    if kind is not None:
        attributes["exception"] = _type_name(kind)
    if bare:
        return attributes
    extra = ((name, value) for name, value in fields.items() if name not in _OF_LOGGING)
    return attributes | _plain_fields(extra)


@lru_cache(maxsize=_MAX_TASKS)
def _place(process: int | None, task: str | None) -> Mapping[str, Any]:
    """Return where a record was made: one object for all of one place, that need be written as JSON once."""
    return {"pid": process, "task": task} if task else {"pid": process}


def _type_name(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _raised(exc_info: object) -> BaseException | None:
    """Return the exception that an `exc_info` means: itself, one in a tuple, or True for the present one."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return next((each for each in exc_info if isinstance(each, BaseException)), None)
    return sys.exception() if exc_info else None


def _plain_fields(fields: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    return {str(name): _plain(value) for name, value in fields}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, sharing nothing with the program; as its `repr` if there is no such."""
    if value is None or type(value) in (str, int, bool):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else repr(value)
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=_shown))
    except (TypeError, ValueError, RecursionError):
        return _shown(value)


def _shown(value: object) -> str:
    try:
        return escape(repr(value))[:_REPR_CHARS]
    except Exception:  # noqa: BLE001  # an object of the program's own may fail here, too
        return f"<{type(value).__name__} that cannot be shown>"
