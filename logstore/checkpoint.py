"""How far an input was read."""

from typing import Final, NamedTuple

TAIL_BYTES: Final = 1024
"""How many bytes before a checkpoint's offset its `tail_hash` covers, fewer near the beginning."""


class Checkpoint(NamedTuple):
    """An input file's identity, and how much of it is in the store.

    A file is known by device, inode and the SHA-256 of its first `head_bytes` bytes. `offset` is the
    byte after the last record that was stored; `context` is JSON: what a parser needs to go on.
    `tail_hash` is the SHA-256 of the TAIL_BYTES before `offset`: with the head it tells a copy, or a
    packed one, from another file. `masks` names the set of identity rules that its records get. Of a
    packed file all bytes are those of its unpacked text.
    """

    device: int
    inode: int
    head_bytes: int
    head_hash: bytes
    offset: int
    path: str
    context: str
    tail_hash: bytes = b""
    masks: str = "none"


class Cursor(NamedTuple):
    """How far a stream was read, in its own words; `name` says which stream."""

    name: str
    position: str
