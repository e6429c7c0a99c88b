"""The ids that `query --ids` prints: `c57` a content, `e812` an episode; a bare number is a content."""

import re
from typing import Final, NamedTuple

from logstore.errors import InvalidQuery

_ID: Final = re.compile(r"([ce]?)([1-9][0-9]{0,17})")


class Id(NamedTuple):
    """The number of a content, or of an episode."""

    is_episode: bool
    number: int


def parse_id(text: str) -> Id:
    """Return an id. Raises InvalidQuery."""
    match = _ID.fullmatch(text)
    if not match:
        raise InvalidQuery(
            f"{text!r} is no id; use c57 for a content or e812 for an episode, as `query --ids` prints them"
        )
    return Id(match[1] == "e", int(match[2]))
