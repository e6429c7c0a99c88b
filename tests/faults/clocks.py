"""Clocks that step, stand still, go back, or disagree: a store beside the model of tests/model.py.

Whatever each look at a clock says, the store holds what the rules give for those times of receipt: nothing
is lost or doubled, an episode ends where its records say, a wrong clock moves no more than the rules allow.
"""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from campaign import Campaign, Tell, silent
from history import check_sound
from model import NOW_US, Clock, Model, fields
from processes import expect, folder, told

from logstore import LogStore, Record

T_MS: Final = 2_000
SPAN_MS: Final = 6_000
S_US: Final = 1_000_000
HOUR_US: Final = 3_600 * S_US
YEAR_US: Final = 365 * 24 * HOUR_US

Step = Callable[[random.Random], int]

STEPS: Final[dict[str, Step]] = {
    "frozen": lambda chance: 0,
    "a moment": lambda chance: chance.randrange(900_000),
    "about T": lambda chance: 1000 * chance.choice((T_MS - 1, T_MS, T_MS + 1)) + chance.choice((-1, 0, 1)),
    "a second back": lambda chance: -S_US,
    "an hour back": lambda chance: -HOUR_US,
    "an hour on": lambda chance: HOUR_US,
    "a year on": lambda chance: YEAR_US,
    "a year back": lambda chance: -YEAR_US,
}
WEIGHTS: Final = (10, 40, 10, 4, 2, 2, 1, 1)


def clocks_that_step(rounds: int, seed: int, tell: Tell = silent) -> Counter[str]:
    """Run so many histories of two writers whose clocks step on their own. Returns what was counted."""
    figures: Counter[str] = Counter()
    with folder() as place:
        for number in range(rounds):
            with told(f"history {number}"):
                path = place / f"{number}.db"
                _one_history(path, random.Random(f"{seed}/{number}"), figures)
                for file in place.iterdir():
                    file.unlink()
            figures["histories"] += 1
            tell(number + 1)
    return figures


def _one_history(path: Path, chance: random.Random, figures: Counter[str]) -> None:
    """One store, two objects of it with a clock each, one model that is told what they saw."""
    clocks = [Clock(NOW_US), Clock(NOW_US + chance.choice((0, 0, 1, -HOUR_US, HOUR_US, YEAR_US)))]
    auto_sweep = chance.random() < 0.7
    queue = chance.choice((4, 1000))
    model = Model(window_ms=T_MS, max_span_ms=SPAN_MS, max_open=queue, now_us=0)
    stores = [
        LogStore(
            path, window=T_MS / 1000, max_span=SPAN_MS / 1000, max_open=queue, clock_us=clock,
            auto_sweep=auto_sweep, durability="normal",
        )
        for clock in clocks
    ]  # fmt: skip
    try:
        for _ in range(chance.randrange(20, 60)):
            which = chance.randrange(2)
            step = chance.choices(tuple(STEPS), WEIGHTS)[0]
            moved_us = STEPS[step](chance)
            clocks[which].now_us = max(clocks[which].now_us + moved_us, 0)
            figures[step] += 1
            _one_call(stores[which], clocks[which], model, chance, auto_sweep=auto_sweep)
        _compare(stores[0], model)
    finally:
        for store in stores:
            store.close()
    figures["records"] += model.accepted


def _one_call(
    store: LogStore, clock: Clock, model: Model, chance: random.Random, *, auto_sweep: bool
) -> None:
    kind = chance.choices(("log", "batch", "sweep"), (5, 4, 2))[0]
    if kind == "sweep":
        expect(store.sweep() == model.sweep(clock.now_us), "as many moved as are due")
        return
    records = [_record(chance, clock.now_us) for _ in range(1 if kind == "log" else chance.randrange(1, 6))]
    if kind == "log":
        expected = model.log(records[0], clock.now_us, auto_sweep=auto_sweep)
        expect(store.log(**records[0]._asdict()) == expected, f"a run of {expected}")
    else:
        model.log_many(records, clock.now_us, auto_sweep=auto_sweep)
        store.log_many(records)


def _record(chance: random.Random, now_us: int) -> Record:
    """A record of now; some bring a time of their own, as those of another node do."""
    stamp = chance.choice((None, None, None, now_us, max(now_us - 1000 * chance.randrange(2 * T_MS), 0)))
    return Record(f"m{chance.randrange(4)}", "info", "node1/vip", stamp)


def _compare(store: LogStore, model: Model) -> None:
    held = {each.id: fields(each) for each in store.episodes()}
    expected = model.episodes()
    expect(sum(each[6] for each in held.values()) == model.accepted, f"{model.accepted} records")
    odd = {key: (held.get(key), expected.get(key)) for key in held.keys() | expected.keys()}
    odd = {key: pair for key, pair in odd.items() if pair[0] != pair[1]}
    expect(not odd, f"the episodes of the model: {{id: (stored, expected)}} {dict(list(odd.items())[:2])}")
    with store.reader() as reader:
        check_sound(reader)


CAMPAIGNS: Final = (
    Campaign(
        "clocks",
        "two writers whose clocks step, stand and disagree, beside the model; a round is a history",
        200,
        20_000,
        lambda rounds, seed, tell: clocks_that_step(rounds, seed, tell)["histories"],
    ),
)
