"""How far an input file was read."""

from typing import NamedTuple


class Checkpoint(NamedTuple):
    """An input file's identity, and how much of it is in the store.

    A file is known by device, inode and the SHA-256 of its first `head_bytes` bytes. `offset` is the
    byte after the last record that was stored; `context` is JSON: what a parser needs to go on.
    """

    device: int
    inode: int
    head_bytes: int
    head_hash: bytes
    offset: int
    path: str
    context: str
