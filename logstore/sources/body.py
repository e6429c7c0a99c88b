"""What one line says besides the place of its stamp."""

from typing import Any, NamedTuple


class Body(NamedTuple):
    """What a line says; None where it says nothing of the kind.

    `level` is one of the eight names. `stamp` is a time that stands inside the body, as in JSON.
    `typical`: no other kind of text looks like this; False for a header that was guessed.
    """

    message: str
    level: str | None = None
    host: str | None = None
    program: str | None = None
    attributes: dict[str, Any] | None = None
    stamp: object = None
    typical: bool = True
