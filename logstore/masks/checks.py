"""What a set of rules must hold before it may be used."""

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from logstore.errors import InvalidSetting
from logstore.masks.masker import Masker
from logstore.masks.rules import Rule, RuleSet
from logstore.masks.slowness import GROWN_CHARS, LIMIT_SECONDS, Case, find_slow, probes

_NAME: Final = re.compile(r"[a-z0-9_-]+")
_RESERVED: Final = ("none", "auto")
_FOREIGN: Final = "\x01"
_EXAMPLE_CHARS: Final = 1_000
_SHOWN_CHARS: Final = 60


def check_set(rules: RuleSet) -> None:
    """Raise InvalidSetting, naming the set, the rule and the fix, for a set that may not be used.

    Each pattern must compile, match no empty text, change its example, leave its counter-example, and
    be quick on both of them grown to GROWN_CHARS characters. That is tried in a child process.
    """
    where = f"set {rules.name!r}"
    _check_name(rules.name, where)
    if not rules.rules:
        raise InvalidSetting(f"{where} has no rule; add a [[rule]], or use the set none")
    twice = [name for name, count in Counter(rule.name for rule in rules.rules).items() if count > 1]
    if twice:
        raise InvalidSetting(f"{where} has two rules named {twice[0]!r}; rename one")
    for rule in rules.rules:
        _check_rule(rule, rules._replace(rules=(rule,)), f"{where}, rule {rule.name!r}")
    masker = Masker(rules)
    for rule in rules.rules:
        if masker.mask(rule.placeholder)[0] != rule.placeholder:
            raise InvalidSetting(
                f"{where}, rule {rule.name!r}: the placeholder {rule.placeholder!r} is masked by the set "
                "itself; use another, such as <id>"
            )
    # A near miss is what sends a pattern astray: `(a+)+$` is quick on all that it matches.
    cases = [
        Case(rule.pattern, (rule.example, rule.counter_example, f"{rule.example}{_FOREIGN}"))
        for rule in rules.rules
    ]
    _refuse_slow(cases, [f"{where}, rule {rule.name!r}" for rule in rules.rules])


def check_pattern(pattern: str, examples: Sequence[str], what: str) -> None:
    """Raise InvalidSetting for a pattern that does not compile, or is slow on a text grown long.

    Those are its examples, and texts that it asks for itself: no example may reach its slow part. It is
    matched at the start of a text, as a pattern for lines is. `what` names it in the error.
    """
    _compiled(pattern, what)
    texts = [*(text[:_EXAMPLE_CHARS] for text in examples), *probes(pattern)]
    _refuse_slow([Case(pattern, [*texts, *(text + _FOREIGN for text in texts)], at_start=True)], [what])


def _check_name(name: str, where: str) -> None:
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise InvalidSetting(f"{where}: a name is small letters, digits, - and _, and not none or auto")


def _check_rule(rule: Rule, alone: RuleSet, where: str) -> None:
    for fault in _faults(rule, alone, where):
        raise InvalidSetting(f"{where}: {fault}")


def _faults(rule: Rule, alone: RuleSet, where: str) -> Iterator[str]:
    """Say what is wrong with a rule. Each sentence holds if those before it were not said."""
    _check_name(rule.name, where)
    if not all(map(_is_text, rule)):
        yield "it holds a lone surrogate, which is no character; write it as UTF-8"
    if _compiled(rule.pattern, where).search(""):
        yield "the pattern matches the empty text; have it ask for a character, with + for *"
    if not rule.placeholder:
        yield "the placeholder is empty; write what the reader shall see, such as <id>"
    if max(len(rule.example), len(rule.counter_example)) > _EXAMPLE_CHARS:
        yield f"an example is longer than {_EXAMPLE_CHARS:,} characters; cut it short"
    if rule.contains not in rule.example:
        yield f"its example does not hold {rule.contains!r} (contains); use a part that every match has"
    mask = Masker(alone).mask
    if mask(rule.example)[0] == rule.example:
        yield f"it does not change its example {rule.example!r}; correct the pattern or the example"
    if mask(rule.counter_example)[0] != rule.counter_example:
        yield f"it changes its counter-example {rule.counter_example!r}; make the pattern narrower"


def _is_text(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _compiled(pattern: str, where: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings(action="error"):
            return re.compile(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise InvalidSetting(f"{where}: the pattern is no regular expression: {error}") from error


def _refuse_slow(cases: Sequence[Case], names: Sequence[str]) -> None:
    try:
        slow = find_slow(cases)
    except (OSError, TimeoutError) as error:
        raise InvalidSetting(
            f"{names[0]} could not be checked for slow patterns: {error}; try again on a quieter machine"
        ) from error
    if slow:
        took = "has no end" if slow.seconds is None else f"takes {slow.seconds:.1f} s"
        raise InvalidSetting(
            f"{names[slow.case]}: the pattern is slow: the text {slow.text[:_SHOWN_CHARS]!r} {slow.growth}, "
            f"{GROWN_CHARS:,} characters in all, {took} (at most {LIMIT_SECONDS:g} s). Begin it with plain "
            r"text, bound its repeats (\d{1,20} for \d+), or let them stop sooner ([^\]]* for .*)"
        )
