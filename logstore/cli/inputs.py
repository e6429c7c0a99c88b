"""Which inputs `logstore ingest` was given, and how they are to be read."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from logstore.cli.ingest import AUTO, How, ingest_all
from logstore.cli.places import found_or_none
from logstore.cli.text import note
from logstore.errors import InvalidQuery, InvalidSetting
from logstore.masks import check_pattern
from logstore.rulebook import find_set
from logstore.search.patience import within
from logstore.search.times import zone
from logstore.settings import NO_RULES
from logstore.sources.body import Body
from logstore.sources.format import Format
from logstore.sources.formats import FORMATS
from logstore.sources.pattern import pattern_format
from logstore.sources.processing import Processor, load
from logstore.store import LogStore

_OWN: Final = "custom"
_EXAMPLES: Final = 5
_TRYING: Final = ("a" * 40 + "!", "1" * 40 + "!", " " * 40 + "!", "a b c 1 2 3 " * 4 + "!", "a.b:c-d_e/f=g,")
"""Texts on which patterns go astray, whatever the file begins with."""
_LINE_SECONDS: Final = 5.0  # of processor time; an innocent pattern takes some milliseconds for the longest
_SHOWN_CHARS: Final = 60


@dataclass(frozen=True, slots=True)
class Chosen:
    """The options of `ingest`, as they were given."""

    files: list[str]
    format: str
    pattern: str | None
    host: str | None
    zone: str | None
    masks: str
    redact: str | None
    process: str | None
    dry_run: bool
    follow: bool
    journal: bool
    listen: list[str]


def ingest_chosen(chosen: Chosen, db: str | None, open_store: Callable[[], LogStore]) -> bool:
    """Ingest what was asked for. Returns whether all inputs could be read."""
    _check(chosen)
    how = _how(chosen)
    if found_or_none(db) is None:
        _check_names(chosen, how)
    with ExitStack() as stack:
        if chosen.dry_run:
            store, known = _rehearsal(stack, db)
        else:
            store = known = stack.enter_context(open_store())
        how = _with_formats(how, chosen, store)
        if chosen.redact is not None:
            store.use_rules(chosen.redact, "redact")
        return _ingest(store, known, chosen, how)


def _ingest(store: LogStore, known: LogStore | None, chosen: Chosen, how: How) -> bool:
    if chosen.dry_run or not (chosen.follow or chosen.journal or chosen.listen):
        complete = ingest_all(store, known, chosen.files or ["-"], how)
        if chosen.dry_run:
            note("nothing was written: this was a dry run")
        return complete
    from logstore.cli.going import follow, listen, read_journal

    if chosen.listen:
        listen(store, chosen.listen, how)
    elif chosen.journal:
        read_journal(store, chosen.files, how, going=chosen.follow)
    else:
        follow(store, chosen.files, how)
    return True


def _check(chosen: Chosen) -> None:
    if chosen.listen and (chosen.files or chosen.journal or chosen.follow):
        raise InvalidQuery("--listen stands alone: give files, --journal and --follow to another ingest")
    if chosen.dry_run and (chosen.listen or chosen.journal or chosen.follow):
        raise InvalidQuery("--dry-run reads files and stdin; leave --follow, --journal and --listen out")
    if chosen.follow and not chosen.journal and (not chosen.files or "-" in chosen.files):
        raise InvalidQuery("--follow needs files or globs; standard input is followed without it")
    if chosen.follow and not chosen.journal and "" in chosen.files:
        raise InvalidQuery("a file name is empty: ''; --follow needs files or globs")


def _check_names(chosen: Chosen, how: How) -> None:
    """Refuse what no new store would know, before one is made."""
    for name, kind in ((chosen.masks, "masks"), (chosen.redact, "redact")):
        if name not in (None, AUTO, NO_RULES):
            find_set(name, kind, {})
    if chosen.pattern is not None:
        pattern_format(how.format, chosen.pattern)
    elif how.format_name is not None and how.format_name not in FORMATS:
        raise InvalidQuery(f"no such format: {how.format!r}; use one of {', '.join(FORMATS)}, or --pattern")


def _how(chosen: Chosen) -> How:
    return How(
        tz=zone(chosen.zone),
        format=(chosen.format if chosen.format != AUTO else _OWN) if chosen.pattern else chosen.format,
        host=chosen.host,
        masks=chosen.masks,
        redact=chosen.redact,
        processor=None if chosen.process is None else Processor(load(chosen.process)),
    )


def _with_formats(how: How, chosen: Chosen, store: LogStore) -> How:
    """Add the user's own formats, the one given now among them, which is then saved."""
    if chosen.pattern is not None:
        if how.format in FORMATS:
            raise InvalidQuery(f"{how.format} is a known format; give the pattern another name with --format")
        pattern_format(how.format, chosen.pattern)
        check_pattern(chosen.pattern, [*_examples(chosen.files), *_TRYING], f"the pattern {how.format}")
        store.save_line_format(how.format, chosen.pattern)
    return replace(how, formats=formats_of(store))


def formats_of(store: LogStore) -> Mapping[str, Format]:
    """Return every format by name, the user's own first, which a store holds."""
    own = {name: _patient(pattern_format(name, regex)) for name, regex in store.line_formats().items()}
    return {**own, **FORMATS}


def _patient(own: Format) -> Format:
    """Return a user's format that ends the ingest at a line on which its pattern does not end."""

    def read(line: str) -> Body | None:
        return within(_LINE_SECONDS, lambda: own.body(line), lambda: _endless(own.name, line))

    return replace(own, body=read)


def _endless(name: str, line: str) -> InvalidSetting:
    return InvalidSetting(
        f"the pattern {name} was stopped after {_LINE_SECONDS:g} s on the line {line[:_SHOWN_CHARS]!r}; what "
        "was stored before is kept: correct the pattern, e.g. leave out the repeat inside a repeat, (a+)+, "
        "save it again, and run ingest again"
    )


def _examples(files: Sequence[str]) -> list[str]:
    """Return the first lines of the first file that has some, to try a pattern on."""
    for name in files:
        if Path(name).is_file():
            with Path(name).open(encoding="utf-8", errors="replace") as file:
                return [line.rstrip("\n") for _, line in zip(range(_EXAMPLES), file, strict=False)]
    return ["2026-11-22 00:25:43.539 node1 app[123]: INFO a line of a log"]


def _rehearsal(stack: ExitStack, db: str | None) -> tuple[LogStore, LogStore | None]:
    """Return a store that is thrown away, with the settings and rules of the real one, and that one."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="logstore-"))
    store = stack.enter_context(LogStore(Path(folder) / "dry.db", durability="normal"))
    path = found_or_none(db)
    if path is None:
        return store, None
    known = stack.enter_context(LogStore(path, readonly=True))
    for rules in known.rule_sets().values():
        store.save_rules(rules, trusted=True)
    for name, regex in known.line_formats().items():
        store.save_line_format(name, regex)
    store.configure(known.settings)
    return store, known
