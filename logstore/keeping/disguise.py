"""What of a store may not leave it: texts, attributes and numbers without it."""

import json
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from logstore import statements
from logstore.database import Connection
from logstore.errors import InvalidQuery
from logstore.identity import MAX_MESSAGE_BYTES, Content, identify
from logstore.keeping.pseudonyms import Addresses, Hosts, pseudonymous
from logstore.masks import preset
from logstore.masks.redaction import REDACTED, Redactor
from logstore.search.holding import sources

WORDS: Final = ("ips", "hosts", "secrets")
"""What can be redacted."""

_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_TOO_DEEP: Final = f'{{"{REDACTED}":"nested too deep to be looked through"}}'


class Disguise:
    """Takes secrets out of what leaves a store, and puts pseudonyms for its hosts and addresses.

    Hosts and addresses are numbered over all contents of the store, whatever of them is shown, so that
    every snapshot of one store names them alike; addresses that no content holds, as they are met.
    """

    def __init__(
        self,
        words: Collection[str],
        hosts: Iterable[str],
        reader: Connection,
        host: str,
        progress: Callable[[int], None],
    ) -> None:
        """Learn what the store knows. `progress` is told after every text that none has been written yet."""
        rules = preset("secrets") if "secrets" in words else None
        self._redactor = Redactor(rules) if rules else None
        self._hosts = Hosts(host) if "hosts" in words else None
        self._ips = Addresses() if "ips" in words else None
        if self._hosts:
            for name in (*sources(reader), *hosts):
                self._hosts.learn(name)
        if self._ips:
            for texts in reader.stream(statements.SNAPSHOT_TEXTS):
                self._ips.learn("\n".join(texts))
                progress(0)

    def text(self, text: str) -> str:
        """Return a text in disguise."""
        return self._named(self._redactor.text(text) if self._redactor else text)

    def optional(self, text: str | None) -> str | None:
        """Return a text in disguise, None for none."""
        return None if text is None else self.text(text)

    def content(self, content: Content) -> Content:
        """Return the content in disguise; what of it grew longer than a message may be is cut."""
        message = self.text(content.message).encode()[:MAX_MESSAGE_BYTES].decode(errors="ignore")
        return identify(self.text(content.source), content.level, message)

    def attributes(self, text: str | None) -> str | None:
        """Return attributes, JSON text, with keys and values in disguise."""
        if text is None:
            return None
        if self._redactor:
            try:
                value = json.loads(text)
                clean = self._redactor.value(value)
                text = text if clean == value else _json(clean)
            except RecursionError:
                return _TOO_DEEP
        return _STRING.sub(self._string, text)

    def numbers(self, text: str | None) -> str | None:
        """Return the numbers behind masks, JSON text, with the raw texts in disguise."""
        if text is None:
            return None
        places = json.loads(text)
        for place in places:
            if isinstance(place, dict):  # of several records
                place["max_text"] = self.text(place["max_text"])
        return _json(places)

    def pattern(self, glob: str | None) -> str | None:
        """Return a GLOB of sources in disguise; one with wildcards may show a part of a host's name."""
        if glob is None or (self._hosts is None and self._ips is None):
            return self.optional(glob)
        return REDACTED if set(glob) & set("*?[") else self.text(glob)

    def _named(self, text: str) -> str:
        return pseudonymous(text, self._hosts, self._ips)

    def _string(self, match: re.Match[str]) -> str:
        before = json.loads(match[0])
        after = self._named(before)
        return match[0] if after == before else _json(after)


def check_words(words: Collection[str], hosts: Collection[str]) -> None:
    """Raise InvalidQuery for a word that is not in WORDS, and for hosts that are not to be redacted."""
    if hosts and "hosts" not in words:
        raise InvalidQuery("--host names a host to leave out: say --redact hosts, too")
    for word in words:
        if word not in WORDS:
            raise InvalidQuery(f"--redact takes {', '.join(WORDS)}, one or more of them, not {word!r}")


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate, which a file cannot hold, JSON can write out.
    return text if text.isascii() or text.encode("utf-8", "ignore").decode() == text else json.dumps(value)
