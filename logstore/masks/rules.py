"""What a rule and a set of rules are, the sets that are shipped, and how sets are written as TOML."""

import functools
import json
import tomllib
from importlib.resources import files
from typing import Any, Final, Literal, NamedTuple, get_args

from logstore.errors import InvalidSetting

Kind = Literal["masks", "redact"]

PRESET_NAMES: Final = ("cluster", "network", "secrets")
"""The sets that are shipped. `secrets` is of the kind `redact`, the others are of the kind `masks`."""

_KINDS: Final = get_args(Kind)
_NEEDED: Final = ("name", "pattern", "placeholder", "example", "counter_example")
_KNOWN: Final = (*_NEEDED, "contains")


class Rule(NamedTuple):
    """One mask: a regular expression of Python's `re` and the placeholder for what it matches.

    If the pattern has a group named `hide`, only that group is replaced. `contains` is a literal
    without which the pattern cannot match: a text that does not hold it is not searched.
    `example` is changed by the rule, `counter_example` is not.
    """

    name: str
    pattern: str
    placeholder: str
    example: str
    counter_example: str
    contains: str = ""


class RuleSet(NamedTuple):
    """Ordered rules under a name. `masks` shape the identity; `redact` scrubs before anything is stored."""

    name: str
    kind: Kind
    rules: tuple[Rule, ...]


@functools.cache
def preset(name: str) -> RuleSet | None:
    """Return a shipped set, None for a name that is not in PRESET_NAMES."""
    if name not in PRESET_NAMES:
        return None
    text = files("logstore").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")
    (found,) = parse_sets(text, f"the shipped set {name}")
    return found


def parse_sets(text: str, where: str) -> list[RuleSet]:
    """Read the sets of a TOML file: one at the top, or several, each under `[[set]]`.

    `where` names the file in errors. The shape is checked here, the rules by `check_set`.
    Raises InvalidSetting.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSetting(f"{where} is no TOML: {error}; patterns go between single quotes") from None
    if "set" not in data:
        return [_rule_set(data, where)]
    _refuse_unknown(data, ("set",), where)
    return [_rule_set(table, where) for table in _tables(data, "set", where)]


def dump_set(rules: RuleSet) -> str:
    """Return TOML that `parse_sets` reads back to an equal set."""
    lines = [f"name = {_quoted(rules.name)}", f"kind = {_quoted(rules.kind)}"]
    for rule in rules.rules:
        lines += ["", "[[rule]]"]
        lines += [
            f"{key} = {_quoted(value)}" for key, value in rule._asdict().items() if value or key in _NEEDED
        ]
    return "\n".join(lines) + "\n"


def _rule_set(table: dict[str, Any], where: str) -> RuleSet:
    name = _text(table, "name", where)
    where = f"{where}, set {name!r}"
    _refuse_unknown(table, ("name", "kind", "rule"), where)
    kind = table.get("kind", "masks")
    if kind not in _KINDS:
        raise InvalidSetting(f"{where}: kind is {' or '.join(_KINDS)}, not {kind!r}")
    return RuleSet(name, kind, tuple(_rule(rule, where) for rule in _tables(table, "rule", where)))


def _rule(table: dict[str, Any], where: str) -> Rule:
    where = f"{where}, rule {table.get('name', '?')!r}"
    _refuse_unknown(table, _KNOWN, where)
    return Rule(**{key: _text({"contains": "", **table}, key, where) for key in _KNOWN})


def _tables(table: dict[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise InvalidSetting(f"{where}: {key} is not a list of tables; write [[{key}]] above each")
    return found


def _text(table: dict[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        fault = "is missing" if value is None else f"is no text: {value!r}"
        raise InvalidSetting(f"{where}: {key} {fault}; write {key} = '...'")
    return value


def _refuse_unknown(table: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    unknown = sorted(table.keys() - set(known))
    if unknown:
        raise InvalidSetting(f"{where}: no such key: {unknown[0]!r}; known are {', '.join(known)}")


def _quoted(text: str) -> str:
    """Return a TOML string: literal where that can be, for patterns are full of backslashes."""
    if text.isprintable() and "'" not in text:
        return f"'{text}'"
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
