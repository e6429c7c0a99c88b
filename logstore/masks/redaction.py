"""Secrets out of records, before anything of them is stored."""

from collections.abc import Mapping
from typing import Any

from logstore.masks import Masker, RuleSet
from logstore.record import Record


class Redactor:
    """Scrubs texts, and every text inside attributes, by the rules of a set.

    A text under a key is looked at as `key=text`, too: `{"password": "x"}` is as telling as
    `password=x`.
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
                return {self._key(name): self.value(each, str(name)) for name, each in value.items()}
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
        said = f"{key}={text}"
        scrubbed = self.text(said) if key else said
        return text if scrubbed == said or not key else scrubbed.removeprefix(f"{key}=")
