"""The engine: one walk over a text that puts placeholders where masks match."""

import re
from typing import Final

from logstore.masks.rules import RuleSet

MASKED_CHARS: Final = 16_384
"""Only this many characters of a message are masked; the rest stays as it is."""

NUMBER: Final = "<num>"
"""The placeholder of a quantity: what it hides is kept as a number."""

_REAL: Final = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)

Number = float | int | None


class Masker:
    """Applies a set of rules to texts.

    The text is walked once from left to right: at each place the first mask of the set's order that
    matches wins, and what it took is not looked at again. Its whole match is replaced by the
    placeholder, or only the group named `hide`, if the pattern has one: the rest of the match stays.
    Of a longer text only the first MASKED_CHARS characters are masked.
    """

    def __init__(self, rules: RuleSet) -> None:
        """Compile a set that `check_set` has passed."""
        self._masks = [
            (rule.contains, order, re.compile(rule.pattern), rule.placeholder)
            for order, rule in enumerate(rules.rules)
        ]

    def mask(self, text: str) -> tuple[str, tuple[Number, ...]]:
        """Return the masked text, and the number that each `<num>` put in hides, in order of place.

        A number is an int, or a float if it has a point or an exponent; None stands for what is no
        number, or is too large to be kept as one.
        """
        # The next match of each mask. Taken in order of place they are what one walk would find.
        ahead = []
        for contains, order, pattern, placeholder in self._masks:
            if contains in text:
                match = pattern.search(text, 0, MASKED_CHARS)
                if match:
                    ahead.append((match.start(), order, match, placeholder))
        if not ahead:
            return text, ()
        pieces: list[str] = []
        numbers: list[Number] = []
        copied = 0
        while ahead:
            _, _, match, placeholder = min(ahead)
            start, end = match.span("hide" if "hide" in match.re.groupindex else 0)
            if start < end:
                pieces += (text[copied:start], placeholder)
                copied = end
                if placeholder == NUMBER:
                    numbers.append(_number(text[start:end]))
            ahead = _after(match.end() if match.end() > match.start() else match.end() + 1, ahead, text)
        pieces.append(text[copied:])
        return "".join(pieces), tuple(numbers)


_Ahead = tuple[int, int, re.Match[str], str]


def _after(place: int, ahead: list[_Ahead], text: str) -> list[_Ahead]:
    """Return the next matches from a place on; those that start there or later are still good."""
    found = []
    for item in ahead:
        start, order, match, placeholder = item
        if start >= place:
            found.append(item)
        elif again := match.re.search(text, place, MASKED_CHARS):
            found.append((again.start(), order, again, placeholder))
    return found


def _number(text: str) -> Number:
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _REAL.fullmatch(text) else None
