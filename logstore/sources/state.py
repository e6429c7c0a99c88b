"""What a parser knows at a place in its input, and what it had to assume on the way."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from logstore.sources.format import Format
from logstore.sources.formats import FORMATS


class Assumed(NamedTuple):
    """What the lines did not say and the parser put in.

    `years` were given to stamps without a year, `zone` to stamps without a zone, `host` to lines
    without a host; empty or None where nothing had to be assumed.
    """

    years: tuple[int, ...]
    zone: str | None
    host: str | None


@dataclass(frozen=True, slots=True)
class State:
    """What a parser must know to go on at a place in the input.

    `header` is the record before that place without its text, of which `parts` records were made;
    `midline`: the place is inside a line; `done`: so many records of the text that begins there
    were already handed over (a text over the limit is handed over in parts while it is read).
    `headed`: a line with a header stood somewhere before, so that `header` may be continued.
    `format` is what the input was found to be, `current` the format in force at that place, empty
    for the same one; `given`: the user said so, no other format is looked for. `fold` is that of
    StampReader.
    """

    format: str
    host: str
    header: list[Any] | None = None
    parts: int = 0
    midline: bool = False
    done: int = 0
    current: str = ""
    given: bool = False
    fold: list[Any] | None = None
    headed: bool = True

    def dump(self) -> str:
        """Return the state as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str, formats: Mapping[str, Format] = FORMATS) -> "State | None":
        """Return a state from its JSON text; None for what no parser has written with these formats."""
        try:
            state = cls(**json.loads(text))
        except (ValueError, TypeError):
            return None
        known = state.format in formats and (not state.current or state.current in formats)
        return state if known else None
