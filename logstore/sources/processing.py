"""Functions between a source and the store: each takes a record and says what becomes of it."""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from logstore.batch import Identities, gather_one
from logstore.errors import InvalidSetting
from logstore.identity import escape
from logstore.record import Record

Function = Callable[[Record], Record | Iterable[Record] | None]
"""Returns what to store in a record's place: one record, several, or None to drop it."""

_MOST: Final = 10_000  # a generator that never ends must not take the memory
_ERROR_CHARS: Final = 300


class Processor:
    """Puts a function between a source and the store: `store.log_many(processor(records))`.

    The function gets each record with attributes of its own, which it may change, and returns a
    record (`record._replace(level="debug")`), several, or None to drop it. It loses none by accident:
    where it raises, or makes what the store would refuse, the record is stored as it came, with the
    error in the attribute `unprocessed`.

    `dropped`, `split` and `failed` count the records of which it made none, made several, and made
    nothing usable; `last_error` is what went wrong last, None if nothing did. It may quote the record:
    it is as secret as that was before it was scrubbed.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self._identities = Identities()
        self.dropped = self.split = self.failed = 0
        self.last_error: str | None = None

    def __call__(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield what the function makes of the records, one after the other as they are asked for."""
        for record in records:
            yield from self._process(record)

    def _process(self, record: Record) -> list[Record]:
        try:
            made = self._made(record)
        except KeyboardInterrupt:  # the user's, not the function's
            raise
        except BaseException as error:  # noqa: BLE001  # whatever it does, the record is kept
            return [self._unprocessed(record, error)]
        self.dropped += not made
        self.split += len(made) > 1
        return made

    def _made(self, record: Record) -> list[Record]:
        answer = self._function(record._replace(attributes=_copied(record.attributes)))
        if answer is None:
            return []
        made = [answer] if isinstance(answer, Record) else list(islice(answer, _MOST + 1))
        if len(made) > _MOST:
            raise OverflowError(f"more than {_MOST:,} records of one")
        for each in made:
            if not isinstance(each, Record):
                raise TypeError(f"a Record is needed, not {type(each).__name__}")
            gather_one(each, self._identities)
        return made

    def _unprocessed(self, record: Record, error: BaseException) -> Record:
        self.failed += 1
        self.last_error = _said(error)
        return record._replace(attributes={**(record.attributes or {}), "unprocessed": self.last_error})


def load(name: str) -> Function:
    """Return the function of a name like `package.module:function` or `package.module.function`.

    Modules of the current folder are found, too, after those that are installed. Raises
    InvalidSetting for what cannot be imported, is not there, or cannot be called.
    """
    module_name, _, path = name.partition(":") if ":" in name else name.rpartition(".")
    if not module_name or not path:
        raise InvalidSetting(f"{name!r} names no function; write package.module:function")
    found: Any = _import(name, module_name)
    for attribute in path.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError as error:
            raise InvalidSetting(f"{name!r}: {error}; check the name of the function") from error
    if not callable(found) or inspect.iscoroutinefunction(found):
        kind = "asynchronous" if callable(found) else f"of type {type(found).__name__}"
        raise InvalidSetting(f"{name!r} is {kind}; name a plain function that takes a Record")
    function: Function = found
    return function


def _import(name: str, module_name: str) -> object:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)  # at the end: a file here must not stand in for a module of Python
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise InvalidSetting(
                f"{name!r}: {error}; check the name, install it, or run in the folder where it lies"
            ) from error
        raise _broken(name, error) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _broken(name, error) from error


def _broken(name: str, error: BaseException) -> InvalidSetting:
    return InvalidSetting(f"{name!r}: its module fails when imported: {_said(error)}; repair the module")


def _said(error: BaseException) -> str:
    """Return the kind and the text of an error, in one line that can be stored."""
    try:
        text = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  # an error of a user's own may fail here, too
        text = "?"
    return escape(f"{type(error).__name__}: {text}")[:_ERROR_CHARS]


def _copied(value: Any) -> Any:
    """Return JSON-like data that shares nothing: a reader hands one object to many records."""
    if isinstance(value, Mapping):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_copied(each) for each in value]
    return value
