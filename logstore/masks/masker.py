"""The engine: one walk over a text that puts placeholders where masks match."""

import re
from collections.abc import Callable
from typing import Final

from logstore.masks.rules import RuleSet

MASKED_CHARS: Final = 16_384
"""As much of a message is masked; the rest stays as it is. Redaction goes on, with that much in view."""

NUMBER: Final = "<num>"
"""The placeholder of a quantity: what it hides is kept as a number."""

_REAL: Final = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d{1,3})?", re.ASCII)
_WHOLE: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)

Number = float | int | None

_Search = Callable[..., re.Match[str] | None]
_Mask = tuple[int, _Search, int, str]  # its place in the order, the group to hide, the placeholder
_Match = tuple[int, int, re.Match[str], _Mask]  # where it starts, then the place in the order: so they sort


class Masker:
    """Applies a set of rules to texts.

    The text is walked once from left to right: at each place the first mask of the set's order that
    matches wins, and what it took is not looked at again. Its whole match is replaced by the
    placeholder, or only the group named `hide`, if the pattern has one: the rest of the match stays.

    Of a longer text a set of masks sees the first MASKED_CHARS characters. A set that redacts sees all
    of it, through a window of that size that moves by halves: a secret of half a window is always found.
    """

    def __init__(self, rules: RuleSet) -> None:
        """Compile a set that `check_set` has passed."""
        by_literal: dict[str, list[_Mask]] = {}
        for order, rule in enumerate(rules.rules):
            pattern = re.compile(rule.pattern)
            mask = order, pattern.search, pattern.groupindex.get("hide", 0), rule.placeholder
            by_literal.setdefault(rule.contains, []).append(mask)
        self._masks = list(by_literal.items())
        self._redacts = rules.kind == "redact"

    def mask(self, text: str) -> tuple[str, tuple[Number, ...]]:
        """Return the masked text, and the number that each `<num>` put in hides, in order of place.

        A number is an int, or a float if it has a point or an exponent; None stands for what is no
        number, or is too large to be kept as one. A `<num>` that was in the text before has none.
        """
        if len(text) > MASKED_CHARS:
            return self._mask_long(text)
        ahead = self._first_matches(text)
        return _walk(text, ahead, len(text))[:2] if ahead else (text, ())

    def _mask_long(self, text: str) -> tuple[str, tuple[Number, ...]]:
        if not self._redacts:
            masked, numbers = self.mask(text[:MASKED_CHARS])
            return masked + text[MASKED_CHARS:], numbers
        pieces: list[str] = []
        found: tuple[Number, ...] = ()
        place = 0
        while place < len(text):
            window = text[place : place + MASKED_CHARS]
            rest = len(text) - place
            stop = rest if rest <= MASKED_CHARS else MASKED_CHARS // 2
            piece, numbers, reached = _walk(window, self._first_matches(window), stop)
            pieces.append(piece)
            found += numbers
            place += reached
        return "".join(pieces), found

    def _first_matches(self, text: str) -> list[_Match]:
        possible = [masks for literal, masks in self._masks if literal in text]
        return [
            (match.start(), mask[0], match, mask)
            for masks in possible
            for mask in masks
            if (match := mask[1](text))
        ]


def _walk(text: str, ahead: list[_Match], stop: int) -> tuple[str, tuple[Number, ...], int]:
    """Put placeholders for matches that start before `stop`; return what was walked, and how far that is.

    `ahead` has the next match of each mask: the least of them is what a walk meets next.
    """
    pieces: list[str] = []
    numbers: list[Number] = []
    place = copied = 0
    while ahead:
        start, _, match, (_, _, group, placeholder) = min(ahead)
        if start >= stop:
            break
        hidden, end = match.span(group)
        if hidden < end:
            pieces += (text[copied:hidden], placeholder)
            copied = end
            if placeholder == NUMBER:
                numbers.append(_number(text[hidden:end]))
        place = match.end()
        ahead = _after(place if place > start else place + 1, ahead, text)
    reached = max(stop, place)
    pieces.append(text[copied:reached])
    return "".join(pieces), tuple(numbers), reached


def _after(place: int, ahead: list[_Match], text: str) -> list[_Match]:
    """Return the next matches from a place on. Those that start there or later are still good."""
    found = []
    for item in ahead:
        if item[0] >= place:
            found.append(item)
        elif match := item[3][1](text, place):
            found.append((match.start(), item[1], match, item[3]))
    return found


def _number(text: str) -> Number:
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _REAL.fullmatch(text) else None
