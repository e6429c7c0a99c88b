"""A batch on its way to the store: records grouped by content, before any lock is taken."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from logstore.errors import InvalidRecord
from logstore.fold import Attributes, Json, Occurrence, Span
from logstore.identity import Content, identify
from logstore.record import TIME_END_US, Record


@dataclass(slots=True, eq=False)
class Group:
    """The records of one content in one batch, in their order, and what the queue holds of it."""

    content: Content
    occurrences: list[Occurrence]
    content_id: int | None = None
    current: Span | None = None


@dataclass(slots=True, eq=False)
class Batch:
    """Records by content hash; `undated` if one of them takes the time of receipt."""

    groups: dict[bytes, Group]
    size: int
    undated: bool

    def date(self, received_us: int) -> None:
        """Give the records without a timestamp the time of receipt."""
        if self.undated:
            for group in self.groups.values():
                group.occurrences = [
                    (received_us, order, text, attributes) if at_us is None else (at_us, order, text, attributes)
                    for at_us, order, text, attributes in group.occurrences
                ]
            self.undated = False


def gather(records: Iterable[Record], identities: "IdentityCache") -> Batch:
    """Check records and group them by content.

    Raises InvalidRecord, naming the record by its position, for one that cannot be kept.
    """
    by_key: dict[tuple[str, str | int, str], list[Any]] = {}
    undated = False
    order = -1
    try:
        for order, (message, level, source, at_us, attributes) in enumerate(records):
            if at_us is None:
                undated = True
            elif type(at_us) is not int or not 0 <= at_us < TIME_END_US:
                raise InvalidRecord(f"timestamp_us is whole microseconds from 1970 to 9999, not {at_us!r}")
            occurrence = (at_us, order, None, attributes)
            try:
                by_key[source, level, message].append(occurrence)
            except KeyError:
                by_key[source, level, message] = [occurrence]
        groups: dict[bytes, Group] = {}
        for key, occurrences in by_key.items():
            order = occurrences[0][1]
            content = identities.of(*key)
            group = groups.get(content.hash)
            if group is None:
                groups[content.hash] = Group(content, occurrences)
            else:  # the same level under two names
                group.occurrences = sorted(group.occurrences + occurrences, key=_order)
    except (InvalidRecord, TypeError, ValueError) as error:
        raise InvalidRecord(f"record {order + 1} of the batch: {error}; nothing of the batch was stored") from error
    return Batch(groups, order + 1 if not by_key else sum(map(len, by_key.values())), undated)


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
                    self._known.clear()
                self._known[key] = content
        return content


def as_json(attributes: Attributes) -> str | None:
    """Return attributes as JSON text. Raises InvalidRecord for what is no JSON object."""
    if attributes is None or isinstance(attributes, Json):
        return attributes
    if not isinstance(attributes, Mapping):
        raise InvalidRecord(f"attributes are a JSON object, not {type(attributes).__name__}")
    try:
        text = json.dumps(dict(attributes), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except UnicodeEncodeError:  # lone surrogates: JSON can carry them as \\udcff
        return json.dumps(dict(attributes), allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRecord(f"attributes are a JSON object: {error}") from error
    return text


def _order(occurrence: Occurrence) -> int:
    return occurrence[1]
