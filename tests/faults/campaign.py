"""What a campaign is: something bad that is done to a store many times, each from a seed."""

import time
from collections.abc import Callable
from typing import NamedTuple

from history import Broken

from logstore import LogStoreError

Tell = Callable[[int], None]
"""Told now and then how many rounds are done."""


def silent(_done: int) -> None:
    """Tell nobody."""


class Campaign(NamedTuple):
    """One kind of fault. `run(rounds, seed, tell)` returns the rounds done, or raises Broken."""

    name: str
    what: str
    short: int
    long: int
    run: Callable[[int, int, Tell], int]


class Report(NamedTuple):
    """What came of a campaign."""

    name: str
    seed: int
    rounds: int
    failures: list[str]
    seconds: float


def conduct(campaign: Campaign, rounds: int, seed: int, tell: Tell = silent) -> Report:
    """Run so many rounds of a campaign, up to its first failure."""
    begin = time.monotonic()
    done = 0

    def told(number: int) -> None:
        nonlocal done
        done = number
        tell(number)

    failures = []
    try:
        done = campaign.run(rounds, seed, told)
    except (Broken, LogStoreError) as error:
        failures.append(f"{campaign.name} --seed {seed}: {type(error).__name__}: {error}")
    return Report(campaign.name, seed, done, failures, time.monotonic() - begin)
