"""Do something bad to stores, often, and check what is left: by count, by the hour, or for a release."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from campaign import Campaign, Report, conduct
from campaigns import CAMPAIGNS

WIDTH: Final = max(map(len, CAMPAIGNS))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run campaigns and print a table. Returns 1 if a store did not keep a promise."""
    asked = _parser().parse_args(arguments)
    if asked.list:
        for campaign in CAMPAIGNS.values():
            print(f"{campaign.name:<{WIDTH}}  {campaign.short:>7,}  {campaign.long:>9,}  {campaign.what}")
        return 0
    reports: list[Report] = []
    try:
        for campaign, rounds, seed in _plan(asked):
            report = conduct(campaign, rounds, seed, partial(_progress, campaign, rounds, seed))
            reports.append(report)
            for failure in report.failures:
                print(f"\rFAILED  {failure}", flush=True)
    except KeyboardInterrupt:
        print("\rstopped")
    _table(reports)
    return int(any(report.failures for report in reports))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    parser.add_argument(
        "--list", action="store_true", help="name, rounds in the tests, rounds before a release"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=sorted(CAMPAIGNS), help="only these")
    parser.add_argument("--seed", type=int, default=1, help="where chance begins (default 1)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--count", type=int, metavar="N", help="so many rounds of each (default: as in the tests)"
    )
    size.add_argument("--long", action="store_true", help="as many as before a release")
    size.add_argument(
        "--hours", type=float, metavar="H", help="in turn, from one seed after the other, so long"
    )
    return parser


def _plan(asked: argparse.Namespace) -> Iterator[tuple[Campaign, int, int]]:
    """What to run, how often and from which seed."""
    chosen = [CAMPAIGNS[name] for name in asked.only or CAMPAIGNS]
    end = time.monotonic() + 3600 * (asked.hours or 0)
    seed: int = asked.seed
    while True:
        for campaign in chosen:
            yield campaign, asked.count or (campaign.long if asked.long else campaign.short), seed
            if asked.hours and time.monotonic() > end:
                return
        if not asked.hours:
            return
        seed += 1


def _progress(campaign: Campaign, rounds: int, seed: int, done: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{campaign.name:<{WIDTH}}  seed {seed}  {done:>9,} of {rounds:,}", end="", file=sys.stderr)


def _table(reports: Sequence[Report]) -> None:
    """Sum up by campaign; n rounds without a failure bound its rate by 3/n, with 95 % confidence."""
    print(f"\r{'campaign':<{WIDTH}}  {'rounds':>9}  {'a minute':>9}  {'failures':>8}  fewer than")
    for name in dict.fromkeys(report.name for report in reports):
        mine = [report for report in reports if report.name == name]
        rounds = sum(report.rounds for report in mine)
        failures = sum(len(report.failures) for report in mine)
        pace = 60 * rounds / max(sum(report.seconds for report in mine), 0.001)
        bound = f"1 in {max(rounds // 3, 1):,}" if not failures else ""
        print(f"{name:<{WIDTH}}  {rounds:>9,}  {pace:>9,.0f}  {failures:>8}  {bound}")


if __name__ == "__main__":
    sys.exit(main())
