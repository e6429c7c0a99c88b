"""What a format of lines is."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from logstore.sources.body import Body


@dataclass(frozen=True, slots=True)
class Format:
    """One format of lines.

    `stamp` matches the stamp at the start of a line with the one blank after it, and names the
    groups `stamp` and `pri`; None: the stamp is in the body. `body` reads the rest, None where it
    has no header. `program` is that of lines that name none. `data`: other things than logs are
    written like this, too, so that amid another format only a line with a level is a header.
    `by_stamp`: a line with such a stamp is of this format whatever follows, if of no other.
    `dated`: its lines have stamps; only those of no format at all have none.
    """

    name: str
    stamp: re.Pattern[str] | None
    body: Callable[[str], Body | None]
    program: str = ""
    data: bool = False
    by_stamp: bool = False
    dated: bool = True

    def read(self, line: str) -> Body | None:
        """Return what a line says besides its stamp; None without a header."""
        if self.stamp is None:
            return self.body(line)
        match = self.stamp.match(line)
        return None if match is None else self.body(line[match.end() :])
