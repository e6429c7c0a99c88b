"""What the shell offers after TAB. It only reads, and says nothing: where it fails it offers nothing.

Each function takes what the user has typed of the word; Typer gives it that.
"""

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from logstore.database import Connection

_BUSY_S: Final = 0.1
_PATIENCE_S: Final = 0.5
# What is offered lands on a command line, and zsh's script evaluates it: log text must not get to say more.
_HARMLESS: Final = re.compile(r"[\w@+:,./-]+")


def complete_levels(incomplete: str) -> list[str]:
    """Offer the levels, the worst first."""
    from logstore.record import LEVELS

    return [level for level in LEVELS if level.startswith(incomplete.lower())]


def complete_sources(context: typer.Context, incomplete: str) -> list[str]:
    """Offer sources of the store, as many as are found before it takes too long."""
    from logstore import statements

    found: list[str] = []
    with suppress(Exception), _reader(context) as reader:
        rows = reader.stream(statements.SOURCES_BEGINNING, {"beginning": incomplete})
        found.extend(source for (source,) in rows)
    return sorted(filter(_HARMLESS.fullmatch, found))


def complete_rule_sets(context: typer.Context, incomplete: str) -> list[str]:
    """Offer the sets of rules, those of the store and the shipped ones, and `none`."""
    from logstore.masks import PRESET_NAMES
    from logstore.rulebook import Rulebook
    from logstore.settings import NO_RULES

    found = {NO_RULES, *PRESET_NAMES}
    with suppress(Exception), _reader(context) as reader:
        found.update(filter(_HARMLESS.fullmatch, Rulebook.read(reader).sets))
    return sorted(name for name in found if name.startswith(incomplete))


def complete_saved(incomplete: str) -> list[tuple[str, str]]:
    """Offer the saved questions, each with what it asks."""
    from logstore.search.saved import saved_questions

    return [(each.name, each.title) for each in saved_questions() if each.name.startswith(incomplete)]


def _reader(context: typer.Context) -> "Connection":
    from logstore.cli.places import to_read
    from logstore.database import open_reader

    named: list[str] = context.find_root().params.get("db") or [""]
    reader = open_reader(to_read(named[-1]), busy_timeout=_BUSY_S)
    reader.guard(_PATIENCE_S)
    return reader
