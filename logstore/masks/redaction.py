"""Secrets out of records, before anything of them is stored."""

import json
from collections.abc import Mapping
from typing import Any, Final

from logstore.masks.masker import Masker
from logstore.masks.rules import RuleSet
from logstore.record import Record

REDACTED: Final = "<redacted>"
_ANY: Final = "Xy7" * 8  # stands for any text under a key


class Redactor:
    """Scrubs texts, and every text inside attributes, by the rules of a set.

    A text under a key is looked at as it stands in JSON, too: the key of `{"password": "x y"}` tells
    that all of the text is secret.
    """

    def __init__(self, rules: RuleSet) -> None:
        self._mask = Masker(rules).mask

    def text(self, text: str) -> str:
        """Return a text without its secrets."""
        return self._mask(text)[0]

    def record(self, record: Record) -> Record:
        """Return a record without its secrets; what is no text is left for the checks to come."""
        message, level, source, timestamp_us, attributes = record
        return Record(
            self.text(message) if isinstance(message, str) else message,
            level,
            self.text(source) if isinstance(source, str) else source,
            timestamp_us,
            self.value(attributes) if isinstance(attributes, Mapping) else attributes,
        )

    def value(self, value: Any, key: str = "") -> Any:
        """Return a JSON value without its secrets."""
        match value:
            case str():
                return self._under(key, self.text(value))
            case Mapping():
                # All that is inside an object under a telling key is as secret as the key says.
                outer = key if key and self._under(key, _ANY) != _ANY else None
                return {self._key(name): self.value(each, outer or str(name)) for name, each in value.items()}
            case list() | tuple():
                return [self.value(each, key) for each in value]
            case _ if key and isinstance(value, int | float) and not isinstance(value, bool):
                text = str(value)
                scrubbed = self._under(key, text)
                return value if scrubbed == text else scrubbed
            case _:
                return value

    def _key(self, name: Any) -> Any:
        return self.text(name) if isinstance(name, str) else name

    def _under(self, key: str, text: str) -> str:
        """Return a text, or nothing of it where its key, as JSON writes it, gives it away."""
        said = f'"{key}": {json.dumps(text, ensure_ascii=False)}'
        return text if not key or not text or self.text(said) == said else REDACTED
