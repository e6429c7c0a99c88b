"""The engine of identity rules, the sets as TOML, and what is refused before it can do harm."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import InvalidSetting
from logstore.masks import Masker, Rule, RuleSet, check_pattern, check_set, dump_set, parse_sets
from logstore.masks import checks as checks_module
from logstore.masks.masker import MASKED_CHARS
from logstore.masks.slowness import GROWN_CHARS, grown, probes

POOL = (
    "a+",
    "ab",
    r"\bb",
    "(?P<hide>a)b",
    r"a(?P<hide>\d*)",
    r"\d+",
    "b(?=a)",
    "(?=b)",
    r"(?P<hide>x)?b1",
    " a?",
)


def rule(pattern: str, placeholder: str = "<id>", contains: str = "", name: str = "r") -> Rule:
    return Rule(name, pattern, placeholder, "example 12", "counter-example", contains)


def rules(*masks: Rule, kind: str = "masks") -> RuleSet:
    return RuleSet("mine", kind, masks)  # type: ignore[arg-type]


def by_hand(masks: RuleSet, text: str) -> str:
    """What the contract says, one character after the other."""
    place, out = 0, ""
    while place <= len(text):
        for mask in masks.rules:
            match = re.compile(mask.pattern).match(text, place) if mask.contains in text else None
            if match:
                break
        else:
            match = None
        if match and match.end() > place:
            start, end = match.span("hide" if "hide" in match.re.groupindex else 0)
            whole = match[0]
            if start < end:
                whole = whole[: start - place] + mask.placeholder + whole[end - place :]
            out += whole
            place = match.end()
        else:
            out += text[place : place + 1]
            place += 1
    return out


@given(
    st.lists(
        st.builds(
            rule, st.sampled_from(POOL), st.sampled_from(["<a>", "<num>"]), st.sampled_from(["", "b", "1"])
        ),
        max_size=4,
    ),
    st.text("ab1 x", max_size=24),
)
def test_at_each_place_the_first_mask_wins_and_what_it_took_is_not_looked_at_again(
    masks: list[Rule], text: str
) -> None:
    assert Masker(rules(*masks)).mask(text)[0] == by_hand(rules(*masks), text)


def test_the_order_decides_at_one_place_and_the_place_before_the_order() -> None:
    assert Masker(rules(rule("ab", "<1>"), rule("a", "<2>"))).mask("ab a")[0] == "<1> <2>"
    assert Masker(rules(rule("b", "<1>"), rule("ab", "<2>"))).mask("ab")[0] == "<2>"


def test_only_the_hidden_group_is_replaced_and_the_rest_of_the_match_stays() -> None:
    masker = Masker(rules(rule(r"pid (?P<hide>\d+) of \w+", "<pid>"), rule("of", "<1>")))
    assert masker.mask("pid 12 of redis, of course")[0] == "pid <pid> of redis, <1> course"


def test_a_mask_is_tried_only_where_its_literal_is() -> None:
    masker = Masker(rules(rule(r"\d+", contains="ms")))
    assert masker.mask("12 s")[0] == "12 s"
    assert masker.mask("12 ms")[0] == "<id> ms"


@pytest.mark.parametrize(
    ("hidden", "number"),
    [
        ("12", 12),
        ("-3", -3),
        ("0.25", 0.25),
        ("2.", 2.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.5E-3", 0.0015),
        ("999999999999999999", 10**18 - 1),
        ("9999999999999999999999", None),
        ("1e9999", None),
        ("1_000", None),
        ("0x1f", None),
        ("nan", None),
        ("\uff11\uff12", None),
    ],
)
def test_a_number_behind_a_placeholder_is_kept_or_is_none(hidden: str, number: float | None) -> None:
    masker = Masker(rules(rule(r"took (?P<hide>\S+)", "<num>")))
    masked, numbers = masker.mask(f"it took {hidden} ms")
    assert masked == "it took <num> ms"
    assert numbers == (number,)
    assert type(numbers[0]) is type(number)


def test_numbers_come_in_order_of_place_and_only_from_what_was_hidden_here() -> None:
    masker = Masker(rules(rule(r"b=(?P<hide>\d+)", "<num>"), rule(r"a=(?P<hide>\d+)", "<num>"), rule("c=1")))
    assert masker.mask("<num> a=1 c=1 b=2 a=3") == ("<num> a=<num> <id> b=<num> a=<num>", (1, 2, 3))


def test_a_text_without_a_match_is_the_same_text() -> None:
    text = "nothing here"
    assert Masker(rules(rule(r"\d"))).mask(text) == (text, ())


def test_a_set_without_rules_hides_nothing() -> None:
    assert Masker(rules()).mask("12") == ("12", ())


def test_only_the_first_characters_of_a_long_text_are_masked() -> None:
    masker = Masker(rules(rule("1", "<num>")))
    masked, numbers = masker.mask("." * (MASKED_CHARS - 1) + "11")
    assert masked == "." * (MASKED_CHARS - 1) + "<num>1"
    assert numbers == (1,)


@given(st.lists(st.integers(1, 9_000), min_size=1, max_size=8))
def test_a_set_that_redacts_sees_all_of_a_long_text(gaps: list[int]) -> None:
    masker = Masker(rules(rule("<[^<>]*>", "<x>"), kind="redact"))
    text = "".join("." * gap + "<" + "s" * (gap % 8_000) + ">" for gap in gaps)
    assert masker.mask(text)[0] == re.sub("<s*>", "<x>", text)


WORD = st.text(max_size=20)


@given(
    st.lists(st.builds(Rule, WORD, WORD, WORD, WORD, WORD, WORD), max_size=3),
    WORD,
    st.sampled_from(["masks", "redact"]),
)
def test_a_dumped_set_is_read_back_as_it_was(masks: list[Rule], name: str, kind: str) -> None:
    whole = RuleSet(name, kind, tuple(masks))  # type: ignore[arg-type]
    assert parse_sets(dump_set(whole), "dump") == [whole]


def test_a_file_may_hold_several_sets() -> None:
    text = (
        "[[set]]\nname = 'a'\n[[set.rule]]\nname='x'\npattern='\\d'\nplaceholder='<n>'\nexample='1'\n"
        "counter_example='b'\n[[set]]\nname = 'b'\nkind = 'redact'\n"
    )
    assert parse_sets(text, "two.toml") == [
        RuleSet("a", "masks", (Rule("x", r"\d", "<n>", "1", "b"),)),
        RuleSet("b", "redact", ()),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "is no TOML"),
        ("kind = 'masks'", "name is missing"),
        ("name = 3", "name is no text: 3"),
        ("name = 'a'\nkind = 'secret'", "kind is masks or redact, not 'secret'"),
        ("name = 'a'\n[[rules]]", "no such key: 'rules'; known are name, kind, rule"),
        ("name = 'a'\nrule = 'b'", r"write \[\[rule\]\]"),
        ("name = 'a'\n[[rule]]\nname = 'b'", "set 'a', rule 'b': pattern is missing"),
        ("name = 'a'\n[[rule]]\nnme = 'b'", "rule '?': no such key: 'nme'"),
        ("set = 1", r"write \[\[set\]\]"),
        ("name = 'a'\n[[set]]\nname = 'b'", "no such key: 'name'"),
    ],
)
def test_a_file_of_a_wrong_shape_is_refused_with_its_name_and_the_fix(text: str, said: str) -> None:
    with pytest.raises(InvalidSetting, match=rf"^my\.toml.*{said.replace('?', '[?]')}"):
        parse_sets(text, "my.toml")


GOOD = Rule("pid", r"pid (?P<hide>\d+)", "<pid>", "pid 12", "pid of redis", "pid ")


def test_a_sound_set_passes() -> None:
    check_set(rules(GOOD))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "Pid"}, "a name is small letters"),
        ({"name": "none"}, "a name is small letters"),
        ({"pattern": "pid ("}, "no regular expression: missing"),
        ({"pattern": "pid (?P<hide>1)(?P<hide>2)"}, "no regular expression: redefinition"),
        ({"pattern": "pid [[0-9]+"}, "no regular expression: Possible nested set"),
        ({"pattern": r"\d*"}, "matches the empty text"),
        ({"pattern": "(?=p)|pid"}, "does not change its example"),
        ({"pattern": "^"}, "matches the empty text"),
        ({"placeholder": ""}, "placeholder is empty"),
        ({"placeholder": "pid 1"}, "the placeholder 'pid 1' is masked by the set itself"),
        ({"example": "pid"}, "does not hold 'pid '"),
        ({"example": "pid x"}, "does not change its example 'pid x'"),
        ({"example": "pid 1" * 300}, "longer than 1,000 characters"),
        ({"counter_example": "pid 7"}, "changes its counter-example 'pid 7'"),
        ({"contains": "PID"}, "does not hold 'PID'"),
        ({"example": "pid 1\ud800"}, "lone surrogate"),
    ],
)
def test_a_rule_that_may_not_be_used_is_named_with_its_fault(change: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidSetting, match=rf"set 'mine', rule '.*'.*{re.escape(said)}"):
        check_set(rules(GOOD._replace(**change)))


@pytest.mark.parametrize("name", ["", "auto", "none", "My set", "a.b"])
def test_a_set_needs_a_name_of_its_own(name: str) -> None:
    with pytest.raises(InvalidSetting, match="a name is small letters, digits, - and _"):
        check_set(rules(GOOD)._replace(name=name))


def test_a_set_needs_rules_and_each_its_own_name() -> None:
    with pytest.raises(InvalidSetting, match="has no rule"):
        check_set(rules())
    with pytest.raises(InvalidSetting, match="two rules named 'pid'"):
        check_set(rules(GOOD, GOOD))


def test_a_placeholder_that_another_rule_masks_is_refused() -> None:
    other = Rule("tag", "<(?P<hide>[a-z]+)>", "tag", "<b>", "<1>")
    with pytest.raises(
        InvalidSetting, match="rule 'pid': the placeholder '<pid>' is masked by the set itself"
    ):
        check_set(rules(GOOD, other))


@pytest.mark.parametrize(
    ("pattern", "took"),
    [("(?:\\w+ ?)+;", "has no end"), (r"\d+ms", r"(takes \d+\.\d s|has no end)")],
    ids=["exponential", "quadratic"],
)
def test_a_slow_mask_is_refused_with_the_text_that_shows_it(pattern: str, took: str) -> None:
    slow = Rule("slow", pattern, "<x>", "took 12ms;", "took")
    with pytest.raises(InvalidSetting, match=rf"rule 'slow': the pattern is slow: .* repeated .*{took}"):
        check_set(rules(GOOD, slow))


def test_a_pattern_of_lines_is_measured_from_their_start() -> None:
    check_pattern(
        r"(?P<time>\S+ \S+) (?P<level>\w+) (?P<program>[\w.]+): ", ["a b info c: d"], "the pattern app"
    )
    with pytest.raises(InvalidSetting, match="the pattern app: the pattern is slow"):
        check_pattern(r"(?P<time>(?:\d+[-:]?)+) ", ["12-12:12 x"], "the pattern app")
    with pytest.raises(InvalidSetting, match="the pattern app: the pattern is no regular expression"):
        check_pattern("(", [], "the pattern app")


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<time>\S+ \S+) (?P<message>key=([^;]+;?)+END)",
        r"(?P<time>\d+) (?P<message>(foo|foobar|bar)+END)",
        r"(?P<time>\d+) (?P<message>([^;]+;?)+)$",
        r"(?P<time>\d+) (?=(x+)+y)(?P<message>x)",
        r"(?P<time>\d+) <<(?P<message>(\w+\s?)*)>>",
    ],
)
def test_a_slow_part_that_no_example_reaches_is_found(pattern: str) -> None:
    with pytest.raises(InvalidSetting, match="the pattern app: the pattern is slow: the text "):
        check_pattern(pattern, ["2026-11-22 10:00:00 x"], "the pattern app")


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<time>\d{4}-\d\d-\d\d [\d:]{8}(?:[.,]\d+)?) \[(?P<thread>[^\]]*)\] (?P<level>\w+) +[\w.]+ - ",
        r"(?P<time>\w{3} +\d+ [\d:]{8}) (?P<host>\S+) (?P<program>[^\s\[:]+)(?:\[(?P<pid>\d+)\])?: ",
        r"(?P<host>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] (?P<message>\"(?:[^\"\\]|\\.)*\" \d+ \S+)",
        r"(?i)(?P<time>\d+) (?P<level>warn(?:ing)?|err(?:or)?) (?P<k>(?:\w+=\w+ )*)",
        r"(?P<time>\d+) (?P<a>x)?(?(a)y|z)(?P=a)?(?>b+)c*+(?!d)(?<=c)",
    ],
)
def test_a_usual_pattern_is_not_slow(pattern: str) -> None:
    check_pattern(pattern, ["2026-11-22 10:00:00 x"], "the pattern app")


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(\d+)-[^a-z]{2}(?:x|yz)\1(?(1)=|!)", "1-11x1="),
        (r"(\w+ ?)+;", "a a a"),
        (r"(?=ab)c", "abc"),
        (r"k=[^;]+", "k=a;;"),
    ],
)
def test_a_probe_is_what_a_pattern_asks_for(pattern: str, text: str) -> None:
    assert any(probe.startswith(text) for probe in probes(pattern))
    assert len(probes(pattern)) <= 60
    assert max(map(len, probes("(?:(?:a{1000}){1000}){1000}" + pattern))) <= 302


@contextmanager
def busy_machine() -> Iterator[None]:
    burners = [subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"]) for _ in range(4)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def test_a_busy_machine_makes_no_pattern_slow() -> None:
    with busy_machine():
        check_set(rules(GOOD, Rule("word", r"(?<!\w)w\w*", "<1>", "a word", "a sword")))


def test_a_check_that_cannot_be_made_lets_nothing_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(_cases: object) -> None:
        raise TimeoutError("the check did not end within 120 s")

    monkeypatch.setattr(checks_module, "find_slow", stuck)
    with pytest.raises(InvalidSetting, match="could not be checked for slow patterns: the check did not end"):
        check_set(rules(GOOD))


@given(st.text("ab1 ", min_size=1, max_size=8))
def test_a_grown_text_is_long_and_keeps_what_is_around(text: str) -> None:
    for growth, long in grown(text, GROWN_CHARS):
        assert GROWN_CHARS - 3 <= len(long) <= GROWN_CHARS + len(text)
        if growth.endswith("the rest left out") or growth == "repeated as a whole":
            assert long[0] == text[0]
        else:
            assert (long[0], long[-1]) == (text[0], text[-1])
