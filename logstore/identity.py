"""What makes two records "the same": canonical bytes and their SHA-256. The only meaning of identity.

The bytes are the UTF-8 of `source U+001F level-name U+001F message`, so that `hashlib`, `sha256sum`
and Apache Flink's `SHA256` agree. What UTF-8 or a text column cannot carry is escaped first, never dropped.
"""

import hashlib
import re
from functools import lru_cache
from typing import Final, NamedTuple

from logstore.errors import InvalidRecord
from logstore.record import LEVELS, severity

MAX_MESSAGE_BYTES: Final = 2 * 1024 * 1024

_SEPARATOR: Final = "\x1f"
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_ESCAPED_BYTES: Final = range(0xDC80, 0xDD00)  # how Python's surrogateescape carries a byte that is not UTF-8


class Content(NamedTuple):
    """A distinct log in its canonical form; `hash` is the 32-byte content hash."""

    hash: bytes
    source: str
    level: int
    message: str


def identify(source: str, level: str | int, message: str) -> Content:
    """Return the content that a record belongs to.

    Raises InvalidRecord for a wrong type, an unknown level, or a message over MAX_MESSAGE_BYTES.
    """
    if not isinstance(message, str) or not isinstance(source, str):
        wrong = source if isinstance(message, str) else message
        raise InvalidRecord(f"source and message are text, not {type(wrong).__name__}; pass str(...)")
    if not isinstance(level, str | int):
        severity(level)  # says what it should be
    source, number, head = _head(source, level)
    message = escape(message)
    message_bytes = check_size(message)
    return Content(hashlib.sha256(head + message_bytes).digest(), source, number, message)


@lru_cache(maxsize=4_096, typed=True)
def _head(source: str, level: str | int) -> tuple[str, int, bytes]:
    """Return what the contents of one source and level have in common: both as stored, and their bytes."""
    number = severity(level)
    source = escape(source).replace(_SEPARATOR, "\\x1f")
    return source, number, f"{source}{_SEPARATOR}{LEVELS[number]}{_SEPARATOR}".encode()


def check_size(message: str) -> bytes:
    """Return the bytes of an escaped message. Raises InvalidRecord for more than MAX_MESSAGE_BYTES."""
    message_bytes = message.encode()
    if len(message_bytes) > MAX_MESSAGE_BYTES:
        raise InvalidRecord(
            f"a message of {len(message_bytes):,} bytes is over the limit of {MAX_MESSAGE_BYTES:,}; "
            "split it into several records"
        )
    return message_bytes


def escape(text: str) -> str:
    r"""Return the text with NUL, undecodable bytes and lone surrogates written out, such as `\xff`."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub(_written_out, text)


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code in _ESCAPED_BYTES:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code == 0 else f"\\u{code:04x}"
