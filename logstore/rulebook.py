"""The identity rules that a store holds, as they were at one generation, ready to be applied."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

from logstore import statements
from logstore.batch import Identities
from logstore.database import Connection, unlike_a_store
from logstore.errors import InvalidSetting
from logstore.masks import PRESET_NAMES, Masker, Rule, RuleSet, preset
from logstore.masks.redaction import Redactor
from logstore.masks.rules import Kind
from logstore.settings import NO_RULES, Settings


class RuleNames(NamedTuple):
    """Which sets records get; None stands for the store's own choice."""

    masks: str | None = None
    redact: str | None = None


class Rulebook:
    """The settings and the sets of rules of a store at one generation.

    `identities` gives what turns records into contents by the named sets; what it remembers of texts
    lives as long as the book.
    """

    def __init__(self, path: Path, generation: int, settings: Settings, sets: Mapping[str, RuleSet]) -> None:
        self._path = path
        self.generation = generation
        self.sets = sets
        self._settings = settings
        self._identities: dict[RuleNames, Identities] = {}

    @classmethod
    def read(cls, connection: Connection) -> Self:
        """Read the rules of a store. The generation comes first: what changes meanwhile is seen later."""
        (generation,) = connection.one(statements.READ_GENERATION)
        settings = read_settings(connection)
        rules: dict[tuple[str, Kind], list[Rule]] = {}
        for name, kind, *fields in connection.rows(statements.READ_RULES):
            found = rules.setdefault((name, kind), [])
            if fields[0] is not None:
                found.append(Rule(*fields))
        sets = {name: RuleSet(name, kind, tuple(found)) for (name, kind), found in rules.items()}
        return cls(connection.path, generation, settings, sets)

    def identities(self, names: RuleNames) -> Identities:
        """Return what identifies records by these sets. Raises InvalidSetting for an unknown one."""
        found = self._identities.get(names)
        if found is None:
            masks = self._named(names.masks or self._settings.masks, "masks")
            redact = self._named(names.redact or self._settings.redact, "redact")
            found = self._identities[names] = self._compiled(masks, redact)
        return found

    def _compiled(self, masks: RuleSet | None, redact: RuleSet | None) -> Identities:
        try:
            masker = Masker(masks) if masks else None
            redactor = Redactor(redact) if redact else None
        except (re.error, TypeError, ValueError) as error:  # a set is checked before it is stored
            raise unlike_a_store(error, self._path) from error
        return Identities(masker, redactor, self.generation)

    def _named(self, name: str, kind: str) -> RuleSet | None:
        if name == NO_RULES:
            return None
        found = self.sets.get(name)
        if found is None or found.kind != kind:
            raise no_such_set(name, kind, self.sets, self._path)
        return found


def read_settings(connection: Connection) -> Settings:
    """Return the settings of a store. Raises StoreDamaged for what no store has."""
    row = connection.one(statements.READ_SETTINGS)
    if tuple(map(type, row)) != (int, int, int, str, str):
        raise unlike_a_store(TypeError(f"settings {row!r:.99}"), connection.path)
    return Settings(*row)


def find_set(name: str, kind: str, sets: Mapping[str, RuleSet], path: Path | None = None) -> RuleSet:
    """Return a set of this name and kind, of a store's own or a shipped one. Raises InvalidSetting."""
    found = sets.get(name) or preset(name)
    if found is None or found.kind != kind:
        raise no_such_set(name, kind, sets, path)
    return found


def no_such_set(
    name: str, kind: str, sets: Mapping[str, RuleSet], path: Path | None = None
) -> InvalidSetting:
    """Return the error to raise for a name that no set of this kind has."""
    shipped = (found for each in PRESET_NAMES if (found := preset(each)))
    known = {each.name for each in (*sets.values(), *shipped) if each.kind == kind} | {NO_RULES}
    where = "" if path is None else f"{path}: "
    return InvalidSetting(
        f"{where}no {kind} set is named {name!r}; use one of {', '.join(sorted(known))}, "
        "or add your own: logstore config add FILE"
    )


def save_set(connection: Connection, rules: RuleSet) -> None:
    """Store a set of rules in place of the one of its name; the caller holds a write transaction."""
    connection.rows(statements.SAVE_RULE_SET, {"name": rules.name, "kind": rules.kind})
    for position, rule in enumerate(rules.rules):
        connection.rows(statements.ADD_RULE, (rules.name, position, *rule))
