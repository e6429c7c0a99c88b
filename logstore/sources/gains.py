"""What identity rules would gain on a log: contents, episodes, bytes, and what each rule does."""

import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from logstore.masks import Masker, Rule, RuleSet
from logstore.record import Record
from logstore.settings import NO_RULES, Settings
from logstore.store import LogStore

_SAMPLES: Final = 3
_NUMBER: Final = re.compile(r"(?<![\w.])\d+(?![\w.])|\b0x[0-9a-f]+\b")
_LEAD: Final = re.compile(r"\S*\s?\S*$")
_TAIL: Final = re.compile(r"[^\s<]*")
_EVIDENCE: Final = re.compile(
    r"(?i)(rc|ret|return\w*|status|exit\w*|code|err\w*|signal|fail\w*|count|state)\W*$"
)
_DIGITS: Final = r"\d+"
_SHOWN: Final = 24

Key = tuple[str, str | int, str]
"""Source, level and message."""


class SetGain(NamedTuple):
    """What a store would hold of the log under one set; `file_bytes` is the size of that store."""

    name: str
    records: int
    contents: int
    episodes: int
    file_bytes: int


class RuleGain(NamedTuple):
    """What one rule of a set does: lines it changes, contents it saves, some of what it hides."""

    name: str
    lines: int
    saved: int
    placeholder: str
    hidden: list[str]


class Merged(NamedTuple):
    """A message under masks, how many raw messages it stands for, and two of them."""

    message: str
    texts: int
    samples: list[str]


def of_set(records: Sequence[Record], rules: RuleSet | None, settings: Settings) -> SetGain:
    """Store records in a store that is thrown away, with these rules, and measure it."""
    with tempfile.TemporaryDirectory(prefix="logstore-") as folder:
        path = Path(folder) / "gain.db"
        with LogStore(path, durability="normal") as store:
            if rules is not None:
                store.save_rules(rules, trusted=True)
            name = NO_RULES if rules is None else rules.name
            store.configure(settings._replace(masks=name, redact=NO_RULES))
            taken = store.take(records)
        return SetGain(name, taken.records, taken.contents, taken.episodes, path.stat().st_size)


def of_rules(records: Iterable[Record], rules: RuleSet) -> list[RuleGain]:
    """Return what each rule with an effect does, the one that saves most first."""
    lines = Counter((record.source, record.level, record.message) for record in records)
    found = [_of_rule(lines, rules, rule) for rule in rules.rules]
    return sorted((gain for gain in found if gain.lines), key=lambda gain: (-gain.saved, -gain.lines))


def _of_rule(lines: Counter[Key], rules: RuleSet, rule: Rule) -> RuleGain:
    pattern = re.compile(rule.pattern)
    touched = [key for key in lines if rule.contains in key[2] and pattern.search(key[2])]
    without = Masker(rules._replace(rules=tuple(each for each in rules.rules if each is not rule))).mask
    with_it = Masker(rules).mask
    changed = [key for key in touched if without(key[2])[0] != with_it(key[2])[0]]
    contents = len({(*key[:2], with_it(key[2])[0]) for key in changed})
    apart = len({(*key[:2], without(key[2])[0]) for key in changed})
    hidden: dict[str, None] = {}
    for key in changed:
        if len(hidden) >= _SAMPLES:
            break
        match = pattern.search(key[2])
        if match is not None:
            hidden[match["hide" if "hide" in pattern.groupindex else 0][:_SHOWN]] = None
    return RuleGain(
        rule.name, sum(lines[key] for key in changed), apart - contents, rule.placeholder, list(hidden)
    )


def merged(records: Iterable[Record], rules: RuleSet, limit: int) -> list[Merged]:
    """Return the messages under masks that stand for most raw ones."""
    mask = Masker(rules).mask
    texts: defaultdict[Key, dict[str, None]] = defaultdict(dict)
    for source, level, message in {(each.source, each.level, each.message) for each in records}:
        texts[source, level, mask(message)[0]][message] = None
    most = sorted(texts.items(), key=lambda item: (-len(item[1]), item[0][2]))[:limit]
    return [Merged(key[2], len(raw), sorted(raw)[: _SAMPLES - 1]) for key, raw in most if len(raw) > 1]


def proposed(records: Iterable[Record], rules: RuleSet | None, limit: int) -> list[tuple[Rule, int]]:
    """Propose rules for what stays noisy: numbers that tell messages apart which are else the same.

    Each comes with how many contents it would merge. Whether such a number is evidence only a reader
    can tell.
    """
    mask = Masker(rules).mask if rules else None
    shapes: defaultdict[str, set[str]] = defaultdict(set)
    for message in {record.message for record in records}:
        masked = mask(message)[0] if mask else message
        if len(masked) <= 1000:  # noqa: PLR2004 - an example is no longer
            shapes[_NUMBER.sub("0", masked)].add(masked)
    noisy = sorted(shapes.values(), key=len, reverse=True)[: 4 * limit]
    found: dict[str, tuple[Rule, int]] = {}
    for messages in noisy:
        if len(messages) > _SAMPLES:
            rule = _rule_for(sorted(messages), len(found) + 1)
            if rule is not None:
                found.setdefault(rule.pattern, (rule, len(messages)))
    return list(found.values())[:limit]


def _rule_for(messages: Sequence[str], number: int) -> Rule | None:
    """Return a rule for the number that differs most among messages of one shape."""
    places = [list(_NUMBER.finditer(message)) for message in messages]
    differing = [len({match[0] for match in column}) for column in zip(*places, strict=False)]
    if not differing or max(differing) == 1:
        return None
    example, match = messages[0], places[0][differing.index(max(differing))]
    # What another rule put in is not in the raw text, so the words around the number end there.
    lead = _LEAD.search(example[: match.start()].rpartition(">")[2])
    tail = _TAIL.match(example[match.end() :])
    before, after = lead[0] if lead else "", tail[0] if tail else ""
    if not before.strip() or _EVIDENCE.search(before):
        return None
    hexadecimal = match[0].startswith("0x")
    return Rule(
        f"number-{number}",
        f"{re.escape(before)}(?P<hide>{'0x[0-9a-f]+' if hexadecimal else _DIGITS}){re.escape(after)}",
        "<id>" if hexadecimal else "<num>",
        example,
        f"{example[: match.start()]}unknown{example[match.end() :]}",
        before.strip(),
    )
