"""Words that are looked for in the index of contents, `content_text`."""

import re
import shlex
from typing import Final

from logstore import statements
from logstore.database import Connection
from logstore.errors import InvalidQuery
from logstore.identity import escape

_PIECE: Final = re.compile(r'"(?:[^"]|"")*"\*?|[()]|[^\s()]+')
_PLAIN: Final = re.compile(r'[()]|"(?:[^"]|"")*"\*?|(?:(?:source|message):)?\w+\*?')


def checked_words(connection: Connection, words: str) -> str:
    """Return the words as the parameter of MATCH, tried on the store. Raises InvalidQuery, with a fix.

    Words are those of FTS5: `a b` (both), `a OR b`, `a NOT b`, `web*`, `"in this order"`, `source:alfa2`.
    """
    words = escape(words)
    if not any(map(str.isalnum, words)):
        raise InvalidQuery(f"there is no word to look for in {words!r}: give letters or digits")
    why = _complaint(connection, words)
    if why is None:
        return words
    fixed = quoted(words)
    if _complaint(connection, fixed) is not None:
        fixed = _in_quotes(words)
    raise InvalidQuery(
        f"{words!r} is no full-text query: {why}; what holds more than letters, digits and _ "
        f"stands in double quotes: {shlex.quote(fixed)}"
    )


def quoted(words: str) -> str:
    """Put each piece that is neither a word, quoted nor a parenthesis into double quotes."""
    return " ".join(
        piece if _PLAIN.fullmatch(piece) else _in_quotes(piece) for piece in _PIECE.findall(words)
    )


def _complaint(connection: Connection, words: str) -> str | None:
    if words.startswith("*"):  # FTS5 would take it for an order to itself
        return "no word begins with *"
    try:
        connection.asked(statements.CHECK_WORDS, (words,))
    except InvalidQuery as error:
        return str(error).removeprefix(f"{connection.path}: ").removeprefix("fts5: ")
    return None


def _in_quotes(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
