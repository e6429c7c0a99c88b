"""I/O errors and locks, the short forms; `scripts/faults` runs the long ones."""

import pytest
from campaign import silent
from campaigns import CAMPAIGNS

SEED = 1


@pytest.mark.parametrize("name", ["io-errors", "no-memory", "locked-out"])
def test_a_call_that_failed_is_stored_whole_or_not_at_all(name: str) -> None:
    """It raises a LogStoreError, is not stored unless it says so, and goes through afterwards."""
    campaign = CAMPAIGNS[name]

    assert campaign.run(campaign.short, SEED, silent) == campaign.short
