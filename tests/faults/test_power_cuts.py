"""Power cuts, the short forms; `scripts/faults` runs the long ones."""

import hashlib
from random import Random

import pytest
from campaign import silent
from campaigns import CAMPAIGNS
from cuts import cuts, folder, live
from history import History, random_calls

SEED = 1


@pytest.mark.parametrize("name", ["power-cuts", "nested-cuts", "threaded-cuts", "blasts"])
def test_what_was_acknowledged_survives_a_power_cut(name: str) -> None:
    """All of it is there, of the call in flight all or nothing, and sent again it counts once."""
    campaign = CAMPAIGNS[name]

    assert campaign.run(campaign.short, SEED, silent) == campaign.short


def images(seed: str) -> str:
    """A digest of all that some cuts of a life leave, byte for byte."""
    digest = hashlib.sha256()
    with folder() as place:
        life = live(History(random_calls(Random(seed), 30)), place, seed)
        for cut in cuts(life, 50, seed):
            digest.update(repr((cut.at, cut.mark, sorted(cut.image.items()))).encode())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_bytes() -> None:
    """A failure that names its seed can be seen again."""
    assert images("a") == images("a") != images("b")
