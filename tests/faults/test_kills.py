"""Kill -9, the short forms; `scripts/faults` runs the long ones."""

import pytest
from kills import STEPS, any_of_four, at_each_step

SEED = 1


def test_any_of_four_processes_may_be_killed_at_any_time() -> None:
    """What was acknowledged is there, one batch more at most; sent again it counts once; the rest go on."""
    figures = any_of_four(300, SEED)

    assert figures["acknowledged batches"] > figures["rounds"]


@pytest.mark.parametrize("name", STEPS)
def test_each_step_may_be_killed_at_each_write(name: str) -> None:
    """What was there before is there after, the step is done or not done, and can be done again."""
    assert at_each_step(40, SEED, names=(name,))[name] == 40
