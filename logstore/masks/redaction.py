"""Secrets out of records, before anything of them is stored."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from logstore.masks.masker import Masker
from logstore.masks.rules import RuleSet
from logstore.record import Record

REDACTED: Final = "<redacted>"
_ANY: Final = "Xy7" * 8  # stands for any text under a key
_INSIDE: Final = '": {"'  # between a key and one in the object under it
_WALKS: Final = 8  # so many at most: a rule may find something to hide in its own placeholder for ever
_SAID_CHARS: Final = 500  # of the arguments before one: a long list stays cheap
_HEADER: Final = re.compile(r"(?:proxy-)?authorization|(?:set-)?cookie|x-[a-z-]{1,60}", re.IGNORECASE)
_NAME: Final = ("name", "key")  # each beside a `value`, in any case
_VALUE: Final = ("value",)


class Redactor:
    """Scrubs texts, and every text inside attributes, by the rules of a set.

    A text under a key is looked at as it stands in JSON, too: the key of `{"password": "x y"}` tells
    that all of the text is secret. A text in a list is looked at as the argument of a command, too, and
    pairs as if written with a colon: `{"name": "password", "value": "x"}`, `["Authorization", "x"]`.
    """

    def __init__(self, rules: RuleSet) -> None:
        self._mask = Masker(rules).mask

    def text(self, text: str) -> str:
        """Return a text without its secrets.

        A rule that goes from the name of a program to its secret has passed over what lies between, so
        the text is walked until nothing more is found.
        """
        for _ in range(_WALKS):
            before, text = text, self._mask(text)[0]
            if text == before:
                break
        return text

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
                outer = key if self._tells(key) else None
                inside = key.rpartition(_INSIDE)[2] + _INSIDE if key else ""
                pair = _name_of_pair(value)
                named = pair if self._tells(pair) else None
                return {
                    self._key(name): self.value(
                        each, outer or (named if _is(name, _VALUE) else None) or f"{inside}{name}"
                    )
                    for name, each in value.items()
                }
            case [str() as header, str() as said] if _HEADER.fullmatch(header):
                return [self._under(key, header), self._under(key, self._under(header, self.text(said)))]
            case list() | tuple():
                return list(self._items(value, key))
            case _ if key and isinstance(value, int | float) and not isinstance(value, bool):
                text = str(value)
                scrubbed = self._under(key, text)
                return value if scrubbed == text else scrubbed
            case _:
                return value

    def _tells(self, key: str) -> bool:
        """Say whether all that is under a key is secret."""
        return self._under(key, _ANY) != _ANY

    def _key(self, name: Any) -> Any:
        return self.text(name) if isinstance(name, str) else name

    def _items(self, values: Sequence[Any], key: str) -> Iterator[Any]:
        """Return the items of a list. One text may tell that the next is secret: `["--password", "x y"]`."""
        said = ""
        for each in values:
            item = self.value(each, key)
            if isinstance(item, str) and item:
                word = shlex.quote(item)
                if said and not self.text(f"{said} {word}").endswith(word):
                    item = word = REDACTED
                said = f"{said} {word}"[-_SAID_CHARS:]
            yield item

    def _under(self, key: str, text: str) -> str:
        """Return a text, or nothing of it where its key, as JSON writes it, gives it away."""
        said = f'"{key}": {json.dumps(text, ensure_ascii=False)}'
        return text if not key or not text or self.text(said) == said else REDACTED


def _name_of_pair(pair: Mapping[Any, Any]) -> str:
    """Return the name in `{"name": "password", "value": "x y"}`, nothing if there is none."""
    names = (each for name, each in pair.items() if _is(name, _NAME) and isinstance(each, str))
    return next(names, "")


def _is(name: Any, names: Sequence[str]) -> bool:
    return isinstance(name, str) and name.lower() in names
