"""`logstore masks`: what rules would gain on a log and hide, how one line is read; nothing is stored."""

import re
from pathlib import Path

import pytest
from cli import Cli

from logstore.masks import Masker, RuleSet, check_set, parse_sets
from logstore.record import Record
from logstore.sources.gains import merged, of_rules, of_set, proposed

CAPTURE = Path(__file__).parent / "data" / "pcmk-alfa2.pacemaker.log"
RULES = parse_sets(
    """
name = 'took'
[[rule]]
name = 'took'
pattern = 'took (?P<hide>\\d+) ms'
placeholder = '<num>'
example = 'took 3 ms'
counter_example = 'took long'
contains = 'took '
[[rule]]
name = 'idle'
pattern = 'nothing (?P<hide>\\d+)'
placeholder = '<id>'
example = 'nothing 3'
counter_example = 'nothing'
""",
    "here",
)[0]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The program, in a folder of its own."""
    return Cli(tmp_path)


def records(*messages: str) -> list[Record]:
    return [
        Record(message, "info", "n1/app", 1_795_305_600_000_000 + n) for n, message in enumerate(messages)
    ]


def test_a_rule_saves_the_contents_it_merges() -> None:
    found = of_rules(records("a took 1 ms", "a took 2 ms", "a took 2 ms", "b took 1 ms", "rc=7"), RULES)
    assert [(gain.name, gain.lines, gain.saved) for gain in found] == [("took", 4, 1)]
    assert set(found[0].hidden) == {"1", "2"}


def test_what_merges_is_shown_with_its_raw_texts() -> None:
    (found,) = merged(records("a took 1 ms", "a took 2 ms", "b took 1 ms"), RULES, 10)
    assert found == ("a took <num> ms", 2, ["a took 1 ms", "a took 2 ms"])


def test_a_proposed_rule_is_one_that_can_be_added_and_merges_what_it_says() -> None:
    texts = [f"connection {n} of peer n2 closed" for n in range(20)]
    ((rule, texts_merged),) = proposed(records(*texts), None, 5)
    check_set(RuleSet("mine", "masks", (rule,)))
    mask = Masker(RuleSet("mine", "masks", (rule,))).mask
    assert texts_merged == 20
    assert len({mask(text)[0] for text in texts}) == 1


@pytest.mark.parametrize("word", ["rc=", "exited with status ", "signal ", "fail-count ", "error code "])
def test_evidence_is_never_proposed(word: str) -> None:
    assert not proposed(records(*(f"p_web: {word}{n}" for n in range(9))), None, 5)


def test_a_set_is_measured_by_a_store() -> None:
    from logstore.settings import Settings

    taken = records("a took 1 ms", "a took 2 ms", "b")
    settings = Settings.chosen(None, None, None)
    assert of_set(taken, None, settings)[:4] == ("none", 3, 3, 3)
    assert of_set(taken, RULES, settings)[:4] == ("took", 3, 2, 2)


def test_a_log_is_weighed_and_nothing_is_stored(cli: Cli) -> None:
    done = cli("masks", str(CAPTURE))
    assert done.code == 0
    assert not list(cli.folder.glob("*.db*"))
    folded = re.findall(r"^(none|cluster|network) +\S+ +\S+ +([\d.]+)x", done.out, re.MULTILINE)
    assert [name for name, _ in folded] == ["none", "cluster", "network"]
    assert float(folded[1][1]) > float(folded[0][1])
    assert "pid-of-operation" in done.out
    assert "Merges most:" in done.out


def test_one_line_is_explained(cli: Cli) -> None:
    line = (
        "Nov 22 00:25:37.093 alfa1 pacemaker-execd     [37] (log_finished) \tdebug: p_dummy1 monitor "
        "(call 24, PID 3314) exited with status 0 (execution time 5ms)"
    )
    done = cli("masks", "--explain", line, "--tz", "UTC")
    said = dict(row.split(None, 1) for row in done.out.splitlines())
    assert (said["format"], said["source"], said["level"]) == ("pacemaker", "alfa1/pacemaker-execd", "debug")
    assert said["content"].endswith("(call <call>, PID <pid>) exited with status 0 (execution time <num>ms)")
    assert re.fullmatch("[0-9a-f]{64}", said["hash"])


@pytest.mark.parametrize(
    "arguments", [(), (str(CAPTURE), "--explain", "x"), ("gone.log",), (str(CAPTURE), "--masks", "nix")]
)
def test_a_wrong_call_is_an_error_with_a_way_out(cli: Cli, arguments: tuple[str, ...]) -> None:
    done = cli("masks", *arguments)
    assert done.code == 2
    assert done.err
    assert "Traceback" not in done.err
