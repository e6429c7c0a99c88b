"""Names that stand for hosts and addresses: in every snapshot of a store the same for the same."""

import re
from functools import cached_property
from typing import Final

from logstore.keeping.addresses import Address, addresses, is_address

_WORD: Final = re.compile(r"[^\W_]+")
# What makes `node1` the fully qualified `node1.example.com`, or `node1.local`; but not `node1.log`.
_DOMAIN: Final = (
    r"(?:(?:\.[a-z0-9-]{1,63}){1,8}\.[a-z]{2,24}"
    r"|\.(?:cluster|corp|home|internal|intranet|lan|local|localdomain|private|test))(?![^\W_])"
)


class Hosts:
    """Puts `host-1`, `host-2` .. for the hosts it knows, wherever one stands as a whole word, in any case.

    An underscore ends a word. A known host with a domain behind it is the same host; so is the short name
    of a host that is known with its domain, unless that is known by itself.
    """

    def __init__(self, own: str) -> None:
        """Begin with the host that the store was made on: `host-0`, unless a source names it."""
        self._numbers: dict[str, int] = {}
        self._names: dict[str, None] = {}
        self._own = own

    def learn(self, source: str) -> None:
        """Number the host of a source, the part before its first slash."""
        name = source.partition("/")[0]
        if name:
            self._numbers.setdefault(name.casefold(), len(self._numbers) + 1)
            self._names[name] = None

    def text(self, text: str) -> str:
        """Return a text with its hosts replaced."""
        # Far quicker than the pattern, and few messages name a host.
        if self._first_words.isdisjoint(("", *_WORD.findall(text.casefold()))):
            return text
        return self._pattern.sub(self._pseudonym, text)

    def _pseudonym(self, match: re.Match[str]) -> str:
        return f"host-{self._known[match['name'].casefold()]}"

    @cached_property
    def _known(self) -> dict[str, int]:
        """Every name of every host, complete at the first text."""
        names = [self._own, *self._names]
        known = {self._own.casefold(): 0} | self._numbers
        for name in names:
            known.setdefault(_short(name.casefold()), known[name.casefold()])
        return {name: number for name, number in known.items() if name}

    @cached_property
    def _first_words(self) -> set[str]:
        """The word that each name begins with, the empty one for a name without words."""
        return {word[0] if (word := _WORD.findall(name)) else "" for name in self._known}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        names = {*self._known, *self._names, self._own, *map(_short, self._names), _short(self._own)} - {""}
        longest_first = "|".join(map(_any_case, sorted(names, key=len, reverse=True)))
        # `i` for ASCII alone: among all letters it would match one that no name has in lower case.
        return re.compile(rf"(?<![^\W_])(?ai:(?P<name>{longest_first}))(?![^\W_])(?ai:{_DOMAIN})?")


class Addresses:
    """Numbers addresses as they are met: `ip-1`, `ip-2` .."""

    def __init__(self) -> None:
        self._numbers: dict[Address, int] = {}

    def pseudonym(self, address: Address) -> str:
        """Return the name of an address."""
        return f"ip-{self._numbers.setdefault(address, len(self._numbers) + 1)}"

    def learn(self, text: str) -> None:
        """Number the addresses of a text."""
        for _, _, address in addresses(text):
            self.pseudonym(address)


def pseudonymous(text: str, hosts: Hosts | None, ips: Addresses | None) -> str:
    """Return a text with hosts and addresses replaced, those of them that are asked for."""
    if ips is None:
        return hosts.text(text) if hosts else text
    pieces, done = [], 0
    for start, end, address in addresses(text):
        pieces += [pseudonymous(text[done:start], hosts, None), ips.pseudonym(address)]
        done = end
    return "".join((*pieces, pseudonymous(text[done:], hosts, None)))


def _any_case(name: str) -> str:
    """Return the pattern of a name, for a place where ASCII letters match in any case anyway."""
    return "".join(_cases(letter) for letter in name)


def _cases(letter: str) -> str:
    alike = {
        case for case in (letter, letter.lower(), letter.upper()) if case.casefold() == letter.casefold()
    }
    if letter.isascii() or any(len(case) > 1 for case in alike):
        return re.escape(letter)
    return f"[{re.escape(''.join(sorted(alike)))}]"


def _short(name: str) -> str:
    return name if is_address(name) else name.partition(".")[0]
