"""Which set of identity rules the lines of a format get, where the user does not say."""

from collections.abc import Mapping
from typing import Final

MASKS_OF: Final[Mapping[str, str]] = dict.fromkeys(
    ("pacemaker", "corosync", "monit", "keepalived", "redis"), "cluster"
)
"""Names of shipped sets by the name of the format; other formats get the store's own set."""
