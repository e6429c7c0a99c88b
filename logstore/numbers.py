"""The numbers behind masks: of each masked place of an episode the smallest, largest, mean and last.

Kept as JSON, one entry a place (null where no record had a number). Of a single record it is the number
itself, `[9021]`; of several an object, which also has the raw text of the largest:
`[{"min": 3, "max": 9021, "sum": 9081, "count": 4, "last": 12, "max_text": "took 9021 ms"}]`.
"""

import json
from collections.abc import Iterable
from typing import Any, Final

Numbers = tuple[float | int | None, ...]
"""What the masked places of one message hid, in order; None for what is no number."""

_TOO_LARGE: Final = 1e100  # no log measures so much, and sums of more would leave what JSON can say
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def only(numbers: Numbers) -> str | None:
    """Return what an episode of one record keeps."""
    places = [number if _is_kept(number) else None for number in numbers]
    while places and places[-1] is None:
        places.pop()
    return _JSON.encode(places) if places else None


def merged(stored: str | None, first_text: str, seen: Iterable[tuple[Numbers, str]]) -> str | None:
    """Add the numbers of further records, each with its raw text, to what an episode keeps.

    `first_text` is the raw text of what is stored, if that was one record.
    """
    places = [
        place if place is None or isinstance(place, dict) else _with(None, place, first_text)
        for place in (json.loads(stored) if stored else [])
    ]
    for numbers, text in seen:
        places += [None] * (len(numbers) - len(places))
        for number_of, number in enumerate(numbers):
            if number is not None and _is_kept(number):
                places[number_of] = _with(places[number_of], number, text)
    return _JSON.encode(places) if any(places) else None


def _is_kept(number: float | None) -> bool:
    return number is not None and abs(number) < _TOO_LARGE


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
