"""A batch on its way to the store: records grouped by content, before any lock is taken."""

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Any, Final

from logstore.errors import InvalidRecord
from logstore.fold import Span
from logstore.identity import Content, identify
from logstore.record import TIME_END_US, Record

_KEY: Final = itemgetter(2, 1, 0)  # source, level, message
_LEVEL: Final = itemgetter(1)
_TIME: Final = itemgetter(3)
_ATTRIBUTES: Final = itemgetter(4)
_READABLE: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ASCII: Final = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))
_WRONG_TIME: Final = "timestamp_us is whole microseconds from 1970 to 9999, not {!r}"


Texts = tuple[str | None, str | None, str | None, str | None]
"""First and last raw text (None: the message itself), first and last attributes as JSON."""

NO_TEXTS: Final[Texts] = (None, None, None, None)


@dataclass(slots=True, eq=False)
class Group:
    """The records of one content in one batch, by their places in it, and what the queue holds of it."""

    content: Content
    orders: list[int]
    content_id: int | None = None
    current: Span | None = None
    stored: Texts = NO_TEXTS

    def after(self, taken: int) -> "Group":
        """Return the group without those of its records that are among the first `taken`."""
        return Group(self.content, self.orders[bisect_left(self.orders, taken) :])

    @property
    def run_count(self) -> int:
        """Records in the run that is open now, 0 before it is stored."""
        return 0 if self.current is None else self.current.run_count


@dataclass(slots=True, eq=False)
class Batch:
    """Records in their order, their times, their places by content hash, and the JSON of their attributes.

    `json` is by identity: records of one text often share one attributes object.
    """

    records: Sequence[Record]
    times_us: list[Any]
    groups: dict[bytes, Group]
    json: dict[int, str | None]

    def date(self, received_us: int) -> None:
        """Give the records without a timestamp the time of receipt."""
        if None in self.times_us:
            self.times_us = [received_us if at_us is None else at_us for at_us in self.times_us]

    def texts(self, span: Span, stored: Texts) -> Texts:
        """Return what an episode keeps in full: of this batch's records, or what was stored before."""
        first, last = span.first_order, span.last_order
        first_attributes = stored[2] if first < 0 else self.json[id(self.records[first].attributes)]
        last_attributes = stored[3] if last < 0 else self.json[id(self.records[last].attributes)]
        if first_attributes is None and last_attributes is None:
            return NO_TEXTS
        return (None, None, first_attributes, last_attributes)


def gather_one(record: Record, identities: "IdentityCache") -> Batch:
    """Check a single record. Raises InvalidRecord."""
    message, level, source, at_us, attributes = record
    _check_level(type(level))
    if at_us is not None and not is_time(at_us):
        raise InvalidRecord(_WRONG_TIME.format(at_us))
    try:
        content = identities.of(source, level, message)
    except TypeError as error:
        raise InvalidRecord(f"{error}; nothing was stored") from error
    return Batch(
        (record,), [at_us], {content.hash: Group(content, [0])}, {id(attributes): as_json(attributes)}
    )


def gather(records: Iterable[Record], identities: "IdentityCache") -> Batch:
    """Check records and group them by content.

    Raises InvalidRecord, naming the record by its place, for one that cannot be kept.
    """
    kept = records if isinstance(records, list | tuple) else list(records)
    _check_types(kept)
    times_us = _checked_times(kept)
    attributes = list(map(_ATTRIBUTES, kept))
    json_of: dict[int, str | None] = {id(None): None}
    if attributes.count(None) != len(attributes):
        json_of |= {
            number: as_json(each)
            for number, each in dict(zip(map(id, attributes), attributes, strict=True)).items()
        }
    by_key: defaultdict[tuple[str, str | int, str], list[int]] = defaultdict(list)
    order = 0
    try:
        for order, key in enumerate(map(_KEY, kept)):
            by_key[key].append(order)
        if any(type(level) is not str for _, level, _ in by_key):
            _check_levels(kept)
        groups: dict[bytes, Group] = {}
        for key, orders in by_key.items():
            order = orders[0]
            content = identities.of(*key)
            group = groups.setdefault(content.hash, Group(content, orders))
            if group.orders is not orders:  # one level under two names
                group.orders = sorted(group.orders + orders)
    except (InvalidRecord, TypeError) as error:
        raise _invalid(order, error) from error
    return Batch(kept, times_us, groups, json_of)


def _check_types(records: Sequence[Record]) -> None:
    if set(map(type, records)) - {Record}:
        for order, record in enumerate(records):
            if not isinstance(record, Record):
                raise _invalid(order, TypeError(f"a Record is needed, not {type(record).__name__}"))


def _check_levels(records: Sequence[Record]) -> None:
    for kind in set(map(type, map(_LEVEL, records))):
        _check_level(kind)


def _check_level(kind: type) -> None:
    """Refuse what equals a level but is none: True == 1.0 == 1 would find its place in a dictionary."""
    if kind is bool or not issubclass(kind, str | int):
        raise InvalidRecord(f"a level is a name or a number 0 to 7, not {kind.__name__}; nothing was stored")


def _checked_times(records: Sequence[Record]) -> list[int | None]:
    times_us = list(map(_TIME, records))
    given = times_us if None not in times_us else [at_us for at_us in times_us if at_us is not None]
    whole = not set(map(type, given)) - {int}
    if given and not (whole and min(given) >= 0 and max(given) < TIME_END_US):
        for order, at_us in enumerate(times_us):
            if at_us is not None and not is_time(at_us):
                raise _invalid(order, ValueError(_WRONG_TIME.format(at_us)))
    return times_us


def is_time(at_us: object) -> bool:
    """Return whether this is a time in whole microseconds from 1970 to 9999."""
    return type(at_us) is int and 0 <= at_us < TIME_END_US


def _invalid(order: int, error: Exception) -> InvalidRecord:
    return InvalidRecord(f"record {order + 1}: {error}; nothing was stored")


class IdentityCache:
    """Remembers the content of texts seen lately: hashing is most of what a repeat would cost."""

    def __init__(self, entries: int = 16_384, longest: int = 1_024) -> None:
        self._entries = entries
        self._longest = longest
        self._known: dict[tuple[str, str | int, str], Content] = {}

    def of(self, source: str, level: str | int, message: str) -> Content:
        """Return the content of a record. Raises InvalidRecord."""
        key = (source, level, message)
        content = self._known.get(key)
        if content is None:
            content = identify(source, level, message)
            if len(message) <= self._longest:
                if len(self._known) >= self._entries:
                    forget_older_half(self._known)
                self._known[key] = content
        return content


def forget_older_half(known: dict[Any, Any]) -> None:
    """Remove the half of a cache that was put in first: a full clearing would forget what repeats now."""
    for key in list(islice(known, (len(known) + 1) // 2)):
        del known[key]


def as_json(attributes: object) -> str | None:
    """Return attributes as JSON text. Raises InvalidRecord for what is no JSON object."""
    if attributes is None:
        return None
    if not isinstance(attributes, Mapping):
        raise InvalidRecord(
            f"attributes are a JSON object, not {type(attributes).__name__}; nothing was stored"
        )
    try:
        text = _READABLE.encode(dict(attributes))
        text.encode()
    except UnicodeEncodeError:  # lone surrogates, which JSON can write out
        return _ASCII.encode(dict(attributes))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRecord(f"attributes are a JSON object: {error}; nothing was stored") from error
    return text
