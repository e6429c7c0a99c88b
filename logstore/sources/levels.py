"""The words and numbers that programs write for a level, as one of the eight names."""

from functools import lru_cache
from typing import Final

from logstore.errors import InvalidRecord
from logstore.record import LEVELS, severity

_WORDS: Final = {
    **dict.fromkeys(("severe", "e"), "error"),  # java.util.logging; klog, glog and MongoDB write a letter
    **dict.fromkeys(("f", "c"), "critical"),
    **dict.fromkeys(("w", "#"), "warning"),  # the marks are those of redis
    **dict.fromkeys(("note", "n", "*"), "notice"),
    **dict.fromkeys(("config", "log", "system", "detail", "hint", "context", "statement"), "info"),
    **dict.fromkeys(("i", "information", "-"), "info"),
    **dict.fromkeys(("fine", "finer", "finest", "verbose", "d", "t", "v", "."), "debug"),
}
_DIGITS: Final = "0123456789"
_BY_TEN: Final = ("debug", "debug", "info", "warning", "error", "critical")  # bunyan and pino: 10 to 60
_BY_FOUR: Final = ("debug", "debug", "info", "warning", "error", "critical")  # OpenTelemetry: 1 to 24
_SERVER_ERROR, _CLIENT_ERROR = "5", "4"


@lru_cache(maxsize=1024)
def level_named(word: str) -> str | None:
    """Return the level a word means, such as `WARN`, `Severe`, `I` or `DEBUG5`; None for no level."""
    small = word.strip().lower()
    for name in (small, small.rstrip(_DIGITS)):  # PostgreSQL counts its debug levels, Apache its traces
        if name in _WORDS:
            return _WORDS[name]
        try:
            return LEVELS[severity(name)]
        except InvalidRecord:
            continue
    return None


def level_of(value: object) -> str | None:
    """Return the level a value means: a word, a severity 0..7, or 10..60 as bunyan and pino write it."""
    if isinstance(value, str) and not value.isdecimal():
        return level_named(value)
    number = _small(value)
    if number is None:
        return None
    if number < len(LEVELS):
        return LEVELS[number]
    tens, ones = divmod(number, 10)
    return _BY_TEN[tens - 1] if not ones and 1 <= tens <= len(_BY_TEN) else None


def level_of_telemetry(value: object) -> str | None:
    """Return the level of a severity number of OpenTelemetry, 1 to 24."""
    number = _small(value)
    if not number or number > 4 * len(_BY_FOUR):
        return None
    return _BY_FOUR[(number - 1) // 4]


def level_of_status(status: str) -> str:
    """Return the level of an HTTP status: 5xx is an error, 4xx a warning."""
    return {_SERVER_ERROR: "error", _CLIENT_ERROR: "warning"}.get(status[:1], "info")


def _small(value: object) -> int | None:
    """Return a whole number of one or two digits, also one written as text."""
    if not isinstance(value, str | int) or isinstance(value, bool) or len(str(value)) > 2:  # noqa: PLR2004
        return None
    number = int(value) if str(value).isdecimal() else -1
    return number if number >= 0 else None
