"""IP addresses in texts."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Place = tuple[int, int, Address]
"""Where an address stands in a text: its start, its end, and what it is."""

_QUAD: Final = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
# `1.2.3.4-5` and `1.2.3.4.5` may be versions, `1.2.3.4-1.2.3.9` is a range.
_V4: Final = rf"(?<![0-9A-Za-z.]){_QUAD}(?![0-9A-Za-z])(?P<more>(?=\.[0-9]|-(?!{_QUAD})[0-9]))?"
# Nine groups at most, so that the fingerprint of a key, of sixteen or more, is none.
_V6: Final = (
    rf"(?<![0-9A-Za-z])(?<![0-9A-Fa-f]:)(?:[0-9A-Fa-f]{{0,4}}:){{2,8}}(?:{_QUAD}|[0-9A-Fa-f]{{0,4}})"
    r"(?![0-9A-Za-z]|:[0-9A-Fa-f])"
)
_FEWEST_COLONS: Final = 6  # of an IPv6 address written out, with an IPv4 one at its end
_FOUR: Final = re.compile(_V4)
_ANY: Final = re.compile(f"(?P<six>{_V6})|{_V4}")


def addresses(text: str) -> Iterator[Place]:
    """Yield each IPv4 and IPv6 address of a text, from left to right.

    A time of day, a MAC address and a version are none; an address of a private network always is one.
    """
    if "." not in text and ":" not in text:
        return
    for match in _ANY.finditer(text):
        if match["six"] is None:
            found = _four(match)
        elif (found := _six(text, *match.span())) is None:  # a time of day, perhaps right before an IPv4
            yield from filter(None, map(_four, _FOUR.finditer(text, *match.span())))
        if found:
            yield found


def is_address(text: str) -> bool:
    """Return whether all of a text is one address."""
    return any((start, end) == (0, len(text)) for start, end, _ in addresses(text))


def _four(match: re.Match[str]) -> Place | None:
    try:
        address = ipaddress.IPv4Address(".".join(str(int(part)) for part in match[0].split(".")))
    except ValueError:
        return None
    return None if match["more"] is not None and not address.is_private else (*match.span(), address)


def _six(text: str, start: int, end: int) -> Place | None:
    """Return the address here, a colon behind it left out, a port or a word of hex digits taken with it."""
    if text.count(":", start, end) < _FEWEST_COLONS and "::" not in text[start:end]:
        return None
    if text[end - 1] == ":" and text[end - 2] != ":":
        end -= 1
    for first, last in (
        (start, end),
        (start, text.rindex(":", start, end)),
        (text.index(":", start) + 1, end),
    ):
        try:
            address = ipaddress.IPv6Address(text[first:last])
        except ValueError:
            continue
        return (start, end, address.ipv4_mapped or address) if int(address) else None
    return None
