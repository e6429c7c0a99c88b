"""The settings that live in the file, because they change what is stored."""

import math
from typing import Final, NamedTuple, Self

from logstore.errors import InvalidSetting

DEFAULT_WINDOW: Final = 150.0
"""Seconds: a check every 60 s with one missed beat still folds."""

DEFAULT_MAX_SPAN: Final = 600.0
"""Seconds: a log that never stops still reaches the archive."""

DEFAULT_MAX_OPEN: Final = 100_000

_LONGEST_MS: Final = 1 << 53


NO_RULES: Final = "none"
"""Stands for no set of rules: exact content, nothing scrubbed."""


class Settings(NamedTuple):
    """T and S in milliseconds (S = 0: no limit), how many episodes the queue may hold, names of rule sets."""

    window_ms: int
    max_span_ms: int
    max_open: int
    masks: str = NO_RULES
    redact: str = NO_RULES

    @classmethod
    def chosen(
        cls,
        window: float | None,
        max_span: float | None,
        max_open: int | None,
        masks: str | None = None,
        redact: str | None = None,
    ) -> Self:
        """Return the settings of a new store; seconds in, None for a default. Raises InvalidSetting."""
        window = DEFAULT_WINDOW if window is None else window
        window_ms = milliseconds("window", window)
        max_span = max(DEFAULT_MAX_SPAN, window) if max_span is None else max_span
        return cls(
            window_ms,
            milliseconds("max_span", max_span),
            DEFAULT_MAX_OPEN if max_open is None else max_open,
            NO_RULES if masks is None else masks,
            NO_RULES if redact is None else redact,
        ).checked()

    def checked(self) -> Self:
        """Return these settings, or raise InvalidSetting if they make no sense together."""
        for name, value in (("window", self.window_ms), ("max_span", self.max_span_ms)):
            if type(value) is not int or not 0 <= value <= _LONGEST_MS:
                raise InvalidSetting(f"{name} is whole milliseconds, 0 or more, not {value!r}")
        if 0 < self.max_span_ms < self.window_ms:
            raise InvalidSetting(
                f"max_span {self.max_span_ms / 1000:g} s is shorter than window {self.window_ms / 1000:g} s; "
                "make max_span at least as long, or 0 for no limit"
            )
        if not isinstance(self.max_open, int) or isinstance(self.max_open, bool) or self.max_open < 1:
            raise InvalidSetting(f"max_open is a whole number from 1, not {self.max_open!r}")
        return self


def milliseconds(name: str, seconds: float) -> int:
    """Return seconds as whole milliseconds. Raises InvalidSetting for what is no length of time."""
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not math.isfinite(seconds)
        or seconds < 0
    ):
        raise InvalidSetting(f"{name} is a number of seconds, 0 or more, not {seconds!r}")
    rounded = round(seconds * 1000)
    if rounded > _LONGEST_MS:
        raise InvalidSetting(f"{name} of {seconds:g} s is longer than any log; use a shorter one")
    return rounded
