"""A batch on its way to the store: records grouped by content, before any lock is taken."""

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Any, Final, NamedTuple

from logstore.columns import Columns
from logstore.errors import InvalidRecord
from logstore.fold import STORED, Span
from logstore.identity import Content, check_size, escape, identify
from logstore.masks import Masker
from logstore.masks.redaction import Redactor
from logstore.numbers import Numbers, merged, only
from logstore.record import TIME_END_US, Record

_Key = tuple[str, str | int, str]  # source, level, message

_KEY: Final = itemgetter(2, 1, 0)
_LEVEL: Final = itemgetter(1)
_TIME: Final = itemgetter(3)
_ATTRIBUTES: Final = itemgetter(4)
_READABLE: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ASCII: Final = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))
_WRONG_TIME: Final = "timestamp_us is whole microseconds from 1970 to 9999, not {!r}"


NO_ATTRIBUTES: Final = "null"
"""Stands where the last record of an episode has no attributes and the first one has some."""


class Kept(NamedTuple):
    """What an episode keeps of its records besides times and counts.

    Its first and last raw text (None: the message, and the same as the first), the attributes of both
    as JSON (None: none, and the same as the first), and the numbers behind the masks as JSON.
    """

    first_text: str | None = None
    last_text: str | None = None
    first_attributes: str | None = None
    last_attributes: str | None = None
    numbers: str | None = None

    @property
    def attributes_at_last(self) -> str | None:
        """The attributes of the last record, None if it has none."""
        last = self.last_attributes or self.first_attributes
        return None if last == NO_ATTRIBUTES else last


NOTHING_KEPT: Final = Kept()

_NO_ATTRIBUTES: Final[dict[int, str | None]] = {id(None): None}


class RulesChanged(Exception):
    """A batch was identified by rules that are no longer the store's: identify it again."""


@dataclass(slots=True, eq=False)
class Group:
    """The records of one content in one batch, by their places in it, and what the queue holds of it.

    `raw` says that some of them have a text other than the message of the content.
    """

    content: Content
    orders: list[int]
    content_id: int | None = None
    current: Span | None = None
    stored: Kept = NOTHING_KEPT
    numbers: dict[int, Numbers] | None = None
    raw: bool = False

    def after(self, taken: int) -> "Group":
        """Return the group without those of its records that are among the first `taken`."""
        return self._with(self.orders[bisect_left(self.orders, taken) :])

    def only(self, order: int) -> "Group":
        """Return the group of one of its records."""
        return self._with([order])

    def _with(self, orders: list[int]) -> "Group":
        return Group(self.content, orders, numbers=self.numbers, raw=self.raw)

    def orders_of(self, span: Span) -> list[int]:
        """Return the places of those records that one episode has taken of this batch."""
        begin = 0 if span.opened_order == STORED else bisect_left(self.orders, span.opened_order)
        end = None if span.closed_order == STORED else bisect_left(self.orders, span.closed_order)
        return self.orders[begin:end]

    @property
    def folded(self) -> Span:
        """The episode that is open now, after folding."""
        if self.current is None:
            raise ValueError("not folded yet")
        return self.current

    @property
    def run_count(self) -> int:
        """Records in the run that is open now, 0 before it is stored."""
        return 0 if self.current is None else self.current.run_count


@dataclass(slots=True, eq=False)
class Batch:
    """Records in their order, their times, their places by content hash, and the JSON of their attributes.

    `json` is by identity: records of one text often share one attributes object. `generation` is that
    of the rules by which the records were identified.
    """

    records: Sequence[Record]
    times_us: list[Any]
    groups: dict[bytes, Group]
    json: dict[int, str | None]
    generation: int

    def date(self, received_us: int) -> None:
        """Give the records without a timestamp the time of receipt."""
        if None in self.times_us:
            self.times_us = [received_us if at_us is None else at_us for at_us in self.times_us]

    def kept(self, span: Span, group: Group) -> Kept:
        """Return what an episode keeps in full: of this batch's records, or what was stored before."""
        stored, first, last = group.stored, span.first_order, span.last_order
        if stored is NOTHING_KEPT and not group.raw and self.json is _NO_ATTRIBUTES:
            return NOTHING_KEPT
        first_text = stored.first_text if first < 0 else self._raw(first, group)
        last_text = self._last_text(last, group, first_text)
        first_attributes = stored.first_attributes if first < 0 else self._attributes(first)
        last_attributes = stored.attributes_at_last if last < 0 else self._attributes(last)
        kept = Kept(
            first_text,
            last_text,
            first_attributes,
            None if last_attributes == first_attributes else last_attributes or NO_ATTRIBUTES,
            self._numbers(span, group),
        )
        return NOTHING_KEPT if kept == NOTHING_KEPT else kept

    def _attributes(self, order: int) -> str | None:
        return self.json[id(self.records[order].attributes)]

    def _last_text(self, last: int, group: Group, first_text: str | None) -> str | None:
        """Return the last raw text as it is stored: None where it is that of the first record."""
        stored = group.stored
        if last >= 0:
            text = self._raw(last, group) or group.content.message
        else:
            text = stored.last_text or stored.first_text or group.content.message
        return None if text == (first_text or group.content.message) else text

    def _raw(self, order: int, group: Group) -> str | None:
        """Return the raw text of a record, None where it is the message of its content."""
        text = self.records[order].message
        if text == group.content.message:
            return None
        text = escape(text)
        return None if text == group.content.message else text

    def _numbers(self, span: Span, group: Group) -> str | None:
        stored = group.stored if span.opened_order == STORED else NOTHING_KEPT
        hidden = group.numbers or {}
        seen = [
            (hidden[order], escape(self.records[order].message))
            for order in (group.orders_of(span) if hidden else ())
            if order in hidden
        ]
        if not seen:
            return stored.numbers
        if span.count == 1:
            return only(seen[0][0])
        return merged(stored.numbers, stored.first_text or group.content.message, seen)


class Identities:
    """Turns records into contents by the rules of one generation, and remembers texts seen lately.

    Hashing is most of what a repeat would cost. Texts of more than `longest` characters are not kept.
    """

    def __init__(
        self,
        masker: Masker | None = None,
        redactor: Redactor | None = None,
        generation: int = 0,
        *,
        entries: int = 16_384,
        longest: int = 1_024,
    ) -> None:
        self.redactor = redactor
        self.generation = generation
        self._masker = masker
        self._entries = entries
        self._longest = longest
        self._known: dict[_Key, tuple[Content, Numbers]] = {}
        self._contents: dict[_Key, Content] = {}

    @property
    def alters(self) -> bool:
        """Whether two texts may be one content."""
        return self._masker is not None or self.redactor is not None

    def of(self, source: str, level: str | int, message: str) -> tuple[Content, Numbers]:
        """Return the content of a record, and the numbers that its masks hid. Raises InvalidRecord."""
        key = (source, level, message)
        known = self._known.get(key)
        if known is None:
            known = self._new(source, level, message)
            self._remember(self._known, key, known)
        return known

    def _new(self, source: str, level: str | int, message: str) -> tuple[Content, Numbers]:
        if self._masker is None or not isinstance(message, str):
            return identify(source, level, message), ()
        raw = escape(message)
        check_size(raw)
        masked, numbers = self._masker.mask(raw)
        key = (source, level, masked)
        content = self._contents.get(key)
        if content is None:
            content = identify(source, level, masked)
            self._remember(self._contents, key, content)
        return content, numbers

    def _remember(self, known: dict[_Key, Any], key: _Key, value: object) -> None:
        if len(key[2]) <= self._longest:
            if len(known) >= self._entries:
                forget_older_half(known)
            known[key] = value


def forget_older_half(known: dict[Any, Any]) -> None:
    """Remove the half of a cache that was put in first: a full clearing would forget what repeats now."""
    for key in list(islice(known, (len(known) + 1) // 2)):
        del known[key]


def gather_one(record: Record, identities: Identities) -> Batch:
    """Check a single record. Raises InvalidRecord."""
    if identities.redactor:
        record = identities.redactor.record(record)
    message, level, source, at_us, attributes = record
    _check_level(type(level))
    if at_us is not None and not is_time(at_us):
        raise InvalidRecord(_WRONG_TIME.format(at_us))
    try:
        content, numbers = identities.of(source, level, message)
    except TypeError as error:
        raise InvalidRecord(f"{error}; nothing was stored") from error
    group = Group(content, [0], numbers={0: numbers} if numbers else None, raw=message != content.message)
    json_of = {id(attributes): as_json(attributes)} if attributes is not None else _NO_ATTRIBUTES
    return Batch((record,), [at_us], {content.hash: group}, json_of, identities.generation)


def gather(records: Iterable[Record], identities: Identities) -> Batch:
    """Check records and group them by content.

    Raises InvalidRecord, naming the record by its place, for one that cannot be kept.
    """
    if isinstance(records, Columns) and not identities.redactor:
        return _gather_columns(records, identities)
    kept = records if isinstance(records, list | tuple) else list(records)
    _check_types(kept)
    if identities.redactor:
        kept = list(map(identities.redactor.record, kept))
    times_us = _checked_times(list(map(_TIME, kept)))
    groups = _grouped(_orders(kept), identities)
    return Batch(kept, times_us, groups, _json_of(list(map(_ATTRIBUTES, kept))), identities.generation)


def _gather_columns(records: Columns, identities: Identities) -> Batch:
    """Group what says the same by the objects that say it, without making the records."""
    said = records.orders()
    orders = [((source, level, message), found) for (message, level, source, _), found in said]
    groups = _grouped(orders, identities)
    json_of = _json_of([attributes for (_, _, _, attributes), _ in said])
    return Batch(records, _checked_times(records.times_us), groups, json_of, identities.generation)


def _json_of(attributes: list[Mapping[str, Any] | None]) -> dict[int, str | None]:
    if attributes.count(None) == len(attributes):
        return _NO_ATTRIBUTES
    return {number: as_json(each) for number, each in {id(each): each for each in attributes}.items()}


def _orders(records: Sequence[Record]) -> list[tuple[_Key, list[int]]]:
    by_key: defaultdict[_Key, list[int]] = defaultdict(list)
    order = 0
    try:
        for order, key in enumerate(map(_KEY, records)):
            by_key[key].append(order)
        if any(type(level) is not str for _, level, _ in by_key):
            _check_levels(records)
    except (InvalidRecord, TypeError) as error:
        raise _invalid(order, error) from error
    return list(by_key.items())


def _grouped(places: Iterable[tuple[_Key, list[int]]], identities: Identities) -> dict[bytes, Group]:
    groups: dict[bytes, Group] = {}
    mixed: dict[bytes, Group] = {}
    order = 0
    try:
        for key, orders in places:
            order = orders[0]
            content, numbers = identities.of(*key)
            group = groups.setdefault(content.hash, Group(content, orders))
            if group.orders is not orders:  # another raw text, or one level under two names
                group.orders += orders
                mixed[content.hash] = group
            if key[2] != content.message:
                group.raw = True
            if numbers:
                group.numbers = group.numbers or {}
                group.numbers |= dict.fromkeys(orders, numbers)
    except (InvalidRecord, TypeError) as error:
        raise _invalid(order, error) from error
    for group in mixed.values():
        group.orders.sort()
    return groups


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


def _checked_times(times_us: list[Any]) -> list[Any]:
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
