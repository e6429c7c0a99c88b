"""Records that wait for a store that takes none: counted, not piled up."""

from array import array
from collections.abc import Iterator
from itertools import chain
from operator import itemgetter
from typing import Any, Final, Self

from logstore.record import Record

_Text = tuple[str | int, str, str]  # level, source, message
_Run = tuple[int, int, int, Record]  # its place, time, how many records, and what they say

EXACT_US: Final = 1_000
"""A grain that changes no episode, in microseconds."""

_GRAINS_US: Final = (*[EXACT_US] * 5, *(EXACT_US * 10**power for power in range(1, 6)))
_PLACE: Final = itemgetter(0)
_MIN_WEIGHT: Final = 2_000_000  # runs of 24 bytes
_OWN_FIELDS: Final = 16  # a record with attributes of its own takes about as much room as so many others
_PLAIN: Final = frozenset({str, int, bool, type(None)})
_NO_RUN: Final = (0, 0, 0, None)


class Backlog:
    """Records that wait for a store that takes none, in little room, given back in their order.

    Of one text no more than three runs are kept for each millisecond: the first record, those at its
    very time, and the last with the count of those before it. Every episode is the same as with all of
    them: records in order within one millisecond have no gap between them and cannot be parted, so
    none but the first and the last can be seen. Only a queue that overflows just then may differ.

    `most` bounds the room, in runs. From half of it on the grain grows, from a millisecond to 100 s:
    then the count stays exact, and times are those of another record in the same grain.
    """

    @classmethod
    def of_texts(cls, texts: int) -> Self:
        """Return one with room for so many distinct texts, each with attributes of its own."""
        return cls(max(_MIN_WEIGHT, (_OWN_FIELDS + 4) * texts))

    def __init__(self, most: int = _MIN_WEIGHT) -> None:
        self.records = 0
        self.grain_us = EXACT_US
        self.full = False  # no room for a further run
        self._most = most
        self._weight = self._place = 0
        self._times_us = array("q")
        self._counts = array("q")
        self._said: list[Record] = []
        self._latest: dict[_Text, Record] = {}
        self._settled: dict[_Text, Record] = {}
        self._grain = self._latest_us = -1
        self._runs: dict[_Text, list[_Run]] = {}

    def add(self, record: Record) -> None:
        """Take a record, whose time is whole microseconds from 1970 to 9999."""
        message, level, source, at_us, _ = record
        text, at_us = (level, source, message), at_us or 0
        grain = at_us // self.grain_us
        if grain != self._grain or (at_us < self._latest_us and self.grain_us == EXACT_US):
            self._settle()
            self._grain = at_us // self.grain_us
        self._latest_us = at_us
        self._place += 1
        self.records += 1
        said = self._say(text, record)
        runs = self._runs.setdefault(text, [])
        _, last_us, count, _ = runs[-1] if len(runs) > 1 else _NO_RUN
        if count and (last_us == at_us or last_us != runs[0][1]):
            runs[-1] = (self._place, max(at_us, last_us), count + 1, said)
        else:
            runs.append((self._place, at_us, 1, said))

    def batches(self, size: int) -> Iterator[list[Record]]:
        """Give back all records in batches of `size`; the last may be smaller."""
        self._settle()
        batch: list[Record] = []
        for at_us, count, said in zip(self._times_us, self._counts, self._said, strict=True):
            record, left = said._replace(timestamp_us=at_us), count
            while left:
                fits = min(left, size - len(batch))
                batch += [record] * fits
                left -= fits
                if len(batch) == size:
                    yield batch
                    batch = []
        if batch:
            yield batch

    def _say(self, text: _Text, record: Record) -> Record:
        """Return what a record says besides its time, in one object for records that say the same."""
        known = self._latest.get(text)
        if known is None:
            known = record._replace(timestamp_us=None)
        elif _same(known.attributes, record.attributes):
            return known
        else:
            known = known._replace(attributes=record.attributes)  # so that the text is in memory once
        self._latest[text] = known
        return known

    def _settle(self) -> None:
        """End a grain: nothing of it changes from now on."""
        for text, runs in self._runs.items():
            for _, _, _, said in runs:
                self._weight += 1 if self._settled.get(text) is said else _OWN_FIELDS
                self._settled[text] = said
        for _, at_us, count, said in sorted(chain.from_iterable(self._runs.values()), key=_PLACE):
            self._times_us.append(at_us)
            self._counts.append(count)
            self._said.append(said)
        self._runs = {}
        self.full = self._weight >= self._most
        self.grain_us = _GRAINS_US[min(self._weight * len(_GRAINS_US) // self._most, len(_GRAINS_US) - 1)]


def _same(one: Any, other: Any) -> bool:
    """Whether attributes are the same as JSON, as far as is seen without calling code of the program."""
    if one is other:
        return True
    if type(one) is not dict or type(other) is not dict or len(one) != len(other):
        return False
    kinds = [*map(type, one), *map(type, one.values())]
    if not _PLAIN.issuperset(kinds) or kinds != [*map(type, other), *map(type, other.values())]:
        return False
    return list(one.items()) == list(other.items())
