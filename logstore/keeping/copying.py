"""Rows of a store into the file of a snapshot, a few at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from logstore import statements
from logstore.database import Connection
from logstore.filters import Filter
from logstore.identity import Content
from logstore.keeping.disguise import Disguise

_CLOSED: Final = (
    *("seq", "id", "content_id", "run_id", "continues", "first_us", "last_us", "count", "gap_min_ms"),
    *("gap_max_ms", "first_text", "last_text", "first_attributes", "last_attributes", "numbers", "reason"),
)
_OPEN: Final = (*_CLOSED[1:-1], "prior_count", "received_us", "receipt")


@dataclass(slots=True)
class Copied:
    """What was read so far."""

    episodes: int = 0
    records: int = 0


class Copying:
    """Copies what a filter chooses from a reader that holds a snapshot, in disguise or as it is."""

    def __init__(self, reader: Connection, chosen: Filter, disguise: Disguise | None) -> None:
        self._reader = reader
        self._chosen = chosen.bindings()
        self._disguise = disguise
        self._became: dict[int, int] = {}  # contents that redaction made the same as one before
        self._copied = Copied()

    def into(self, draft: Connection, progress: Callable[[], None]) -> Copied:
        """Copy everything in one transaction; `progress` is called after every row. Returns what was read."""
        with draft.transaction():
            for content in self._contents():
                self._add_content(draft, *content)
                progress()
            for episode in self._episodes(statements.SNAPSHOT_CLOSED, _CLOSED):
                draft.rows(statements.SNAPSHOT_ADD_CLOSED, episode)
                progress()
            for episode in self._episodes(statements.SNAPSHOT_OPEN, _OPEN):
                draft.rows(statements.SNAPSHOT_MAKE_ROOM, (episode["content_id"],))
                draft.rows(statements.SNAPSHOT_ADD_OPEN, episode)
                progress()
        return self._copied

    def _contents(self) -> Iterator[tuple[int, Content]]:
        for number, *fields in self._reader.stream(statements.SNAPSHOT_CONTENTS, self._chosen):
            content = Content(*fields)
            yield number, self._disguise.content(content) if self._disguise else content

    def _add_content(self, draft: Connection, number: int, content: Content) -> None:
        if not draft.changed(statements.SNAPSHOT_ADD_CONTENT, (number, *content)):
            (self._became[number],) = draft.one(statements.SNAPSHOT_SAME_CONTENT, (content.hash,))

    def _episodes(self, statement: str, names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        for row in self._reader.stream(statement, self._chosen):
            episode = dict(zip(names, row, strict=True))
            self._copied.episodes += 1
            self._copied.records += episode["count"]
            episode["content_id"] = self._became.get(episode["content_id"], episode["content_id"])
            yield self._disguised(episode)

    def _disguised(self, episode: dict[str, Any]) -> dict[str, Any]:
        if self._disguise is None:
            return episode
        return episode | {
            "first_text": self._disguise.optional(episode["first_text"]),
            "last_text": self._disguise.optional(episode["last_text"]),
            "first_attributes": self._disguise.attributes(episode["first_attributes"]),
            "last_attributes": self._disguise.attributes(episode["last_attributes"]),
            "numbers": self._disguise.numbers(episode["numbers"]),
        }
