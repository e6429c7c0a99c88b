"""Records in columns: what a log says is mostly the same again, and then the same object says it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, overload

from logstore.record import Record

Said = tuple[str, str | int, str, Mapping[str, Any] | None]
"""What is said in a record besides its time: message, level, source and attributes."""

Orders = Sequence[tuple[Said, list[int]]]
"""What is said in some records, and in which of them, by their places."""

_MAKE: Final = tuple.__new__  # half the time of Record(...)


class Columns(Sequence[Record]):
    """Records that are made when they are asked for: `said` and `times_us` of each, side by side."""

    __slots__ = ("said", "times_us")

    def __init__(self) -> None:
        """Begin with no record; more come by `add` and `extend`, or at the end of both lists."""
        self.said: list[Said] = []
        self.times_us: list[int | None] = []

    def __len__(self) -> int:
        """Return how many records there are."""
        return len(self.said)

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> list[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | list[Record]:
        """Return a record, or a list of records."""
        if isinstance(place, slice):
            return list(map(record, self.said[place], self.times_us[place]))
        return record(self.said[place], self.times_us[place])

    def __iter__(self) -> Iterator[Record]:
        """Yield the records."""
        return map(record, self.said, self.times_us)

    def __reduce__(self) -> tuple[Callable[..., "Columns"], tuple[Orders, list[int | None]]]:
        """Pickle each object of `said` once."""
        return _Grouped, (self.orders(), self.times_us)

    def add(self, said: Said, time_us: int | None) -> None:
        """Add a record by its halves."""
        self.said.append(said)
        self.times_us.append(time_us)

    def extend(self, records: Iterable[Record]) -> None:
        """Add records."""
        for message, level, source, time_us, attributes in records:
            self.add((message, level, source, attributes), time_us)

    def pop(self) -> Record:
        """Take the last record away."""
        return record(self.said.pop(), self.times_us.pop())

    def repeat(self, share: float) -> bool:
        """Whether no more than this share of the records say something new."""
        return len(set(map(id, self.said))) <= share * len(self.said)

    def orders(self) -> Orders:
        """Return each object of `said` once, and where it stands; equal objects may be several."""
        places: defaultdict[int, list[int]] = defaultdict(list)
        for order, number in enumerate(map(id, self.said)):
            places[number].append(order)
        return [(self.said[found[0]], found) for found in places.values()]


class _Grouped(Columns):
    """Columns from another process, which has told their orders, too: to be read only."""

    __slots__ = ("_orders",)

    def __init__(self, orders: Orders, times_us: list[int | None]) -> None:
        super().__init__()
        self._orders = orders
        self.times_us = times_us
        self.said = [orders[0][0]] * len(times_us) if orders else []
        for said, places in orders:
            for place in places:
                self.said[place] = said

    def orders(self) -> Orders:
        return self._orders


def record(said: Said, time_us: int | None) -> Record:
    """Put the halves of a record together."""
    message, level, source, attributes = said
    return _MAKE(Record, (message, level, source, time_us, attributes))
