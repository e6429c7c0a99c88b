"""Why `query` found nothing, and how far the answer can be trusted."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import Final

from logstore.cli.asked import Asked
from logstore.database import Connection
from logstore.filters import Filter
from logstore.search.holding import masks_hide, reach, sources
from logstore.search.question import Question, ask
from logstore.search.times import local, offset

NOTHING, OUT_OF_REACH = 1, 3
_NEAR: Final = 3


def why_nothing(
    connections: Sequence[Connection], asked: Asked, wanted: Filter, tz: tzinfo
) -> tuple[int, str]:
    """Return the exit code for an empty answer, and what to say of it."""
    newest, _ = ask(connections, Question(Filter(), limit=1))
    empty = [] if newest else ["the store is empty: `logstore ingest FILE` fills it"]
    if short := list(too_short(connections, wanted.since_us, tz)):
        return OUT_OF_REACH, "; ".join(("nothing found", *empty, short[0]))
    if not newest:
        return NOTHING, "; ".join(("nothing found", *empty))
    last_us = newest[0][1].last_us
    if wanted.since_us > last_us:
        since = _zoned(wanted.since_us, tz)
        late = f"nothing found since {since}; the newest record is of {_zoned(last_us, tz)}"
        return NOTHING, "; ".join((late, *_behind_masks(connections, asked)))
    return NOTHING, "; ".join(("nothing found", *_other_reasons(connections, asked, wanted)))


def too_short(connections: Sequence[Connection], since_us: int, tz: tzinfo) -> Iterator[str]:
    """Say of each store that does not reach back to a time how far it does."""
    for connection in connections:
        known = reach(connection)
        if since_us < known.from_us and (since_us > 0 or known.pruned):
            which = f"{connection.path}" if len(connections) > 1 else "the store"
            yield f"{which} reaches back to {_zoned(known.from_us, tz)}"


def _other_reasons(connections: Sequence[Connection], asked: Asked, wanted: Filter) -> Iterator[str]:
    if asked.source is not None and not _count(connections, Filter(source_glob=wanted.source_glob)):
        near = [source for each in connections for source in sources(each) if _alike(asked.source, source)]
        yield f"no source is {asked.source}" + (f", but {', '.join(near[:_NEAR])}" if near else "")
    elif wanted.unseen_since_us is not None and (
        known := _count(connections, wanted._replace(unseen_since_us=None))
    ):
        yield f"nothing new: without --new it is {known:,}"
    else:
        yield from _behind_masks(connections, asked)


def _behind_masks(connections: Sequence[Connection], asked: Asked) -> Iterator[str]:
    if asked.pattern is not None and not asked.raw and any(map(masks_hide, connections)):
        yield "masks hide parts of messages: --raw searches the raw texts, too"


def _count(connections: Sequence[Connection], wanted: Filter) -> int:
    return ask(connections, Question(wanted, limit=1))[1] or 0


def _alike(word: str, source: str) -> bool:
    return max(word.lower().replace("*", "/").split("/"), key=len) in source.lower()


def _zoned(at_us: int, tz: tzinfo) -> str:
    return f"{local(at_us, tz)}{offset(at_us, tz)}"
