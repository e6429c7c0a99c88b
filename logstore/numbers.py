"""The numbers behind masks: of each masked place of an episode the smallest, largest, mean and last.

Kept as JSON, one object a place (null where no record had a number):
`{"min": 3, "max": 9021, "sum": 9081, "count": 4, "last": 12, "max_text": "took 9021 ms"}`.
"""

import json
from collections.abc import Iterable
from typing import Any, Final

Numbers = tuple[float | int | None, ...]
"""What the masked places of one message hid, in order; None for what is no number."""

_TOO_LARGE: Final = 1e100  # no log measures so much, and sums of more would leave what JSON can say
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def merged(stored: str | None, seen: Iterable[tuple[Numbers, str]]) -> str | None:
    """Add the numbers of further records, each with its raw text, to what an episode keeps."""
    places: list[dict[str, Any] | None] = json.loads(stored) if stored else []
    for numbers, text in seen:
        places += [None] * (len(numbers) - len(places))
        for number_of, number in enumerate(numbers):
            if number is not None and abs(number) < _TOO_LARGE:
                places[number_of] = _with(places[number_of], number, text)
    return _JSON.encode(places) if any(places) else None


def _with(place: dict[str, Any] | None, number: float, text: str) -> dict[str, Any]:
    if place is None:
        return {"min": number, "max": number, "sum": number, "count": 1, "last": number, "max_text": text}
    place["min"] = min(place["min"], number)
    if number > place["max"]:
        place["max"], place["max_text"] = number, text
    place["sum"] += number
    place["count"] += 1
    place["last"] = number
    return place
