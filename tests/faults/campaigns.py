"""Every campaign by name: scripts/faults runs them, the tests run their short forms."""

from importlib import import_module
from typing import Final

from busy import locked_out
from campaign import Campaign
from cuts import blasts, nested_cuts, power_cuts
from failing import io_errors
from memory import no_memory
from threaded import threaded_cuts

MODULES: Final = ("kills", "contention", "full_disk", "malformed", "clocks")
"""Modules with campaigns of their own, in a constant CAMPAIGNS."""

OWN: Final = (
    Campaign("power-cuts", "cut the power of a life of 60 calls, 250 times each", 5_000, 200_000, power_cuts),
    Campaign(
        "nested-cuts", "cut it again while the store recovers, up to three times", 500, 20_000, nested_cuts
    ),
    Campaign("threaded-cuts", "cut it while four threads write and one sweeps", 500, 20_000, threaded_cuts),
    Campaign("blasts", "cut it where a torn write takes 4 KiB along", 500, 20_000, blasts),
    Campaign(
        "io-errors", "let the nth write, sync, read ... fail, once or for ever", 1_400, 20_000, io_errors
    ),
    Campaign("no-memory", "make each call with a little memory only", 300, 20_000, no_memory),
    Campaign("locked-out", "hold the write lock when a call comes", 300, 20_000, locked_out),
)


def _all() -> dict[str, Campaign]:
    found = list(OWN)
    for name in MODULES:
        found += import_module(name).CAMPAIGNS
    return {campaign.name: campaign for campaign in found}


CAMPAIGNS: Final = _all()
