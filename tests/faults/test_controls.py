"""Each bug that is put in on purpose is found by the campaign that is there for it."""

import pytest
from campaigns import CAMPAIGNS
from mutants import MUTANTS, Mutant

SEED = 1


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_is_found(mutant: Mutant) -> None:
    """The store without it passes the same rounds from the same seed: the short form of the campaign."""
    assert mutant.rounds <= CAMPAIGNS[mutant.campaign].short
    assert mutant.hunt(SEED).failures
