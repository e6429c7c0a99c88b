"""Identity rules: ordered masks that hide what is volatile in a message, kept as named sets of data."""

from logstore.masks.checks import check_pattern, check_set
from logstore.masks.masker import Masker
from logstore.masks.rules import PRESET_NAMES, Rule, RuleSet, dump_set, parse_sets, preset

__all__ = [
    "PRESET_NAMES",
    "Masker",
    "Rule",
    "RuleSet",
    "check_pattern",
    "check_set",
    "dump_set",
    "parse_sets",
    "preset",
]
