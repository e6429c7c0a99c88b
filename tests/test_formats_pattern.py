"""A user's own regular expression as a format."""

from datetime import UTC

import pytest

from logstore.errors import InputUnreadable, InvalidSetting
from logstore.record import Record
from logstore.sources.formats import FORMATS, detect
from logstore.sources.parser import LineParser
from logstore.sources.pattern import pattern_format
from logstore.sources.state import State

NEWEST = 1_795_400_000_000_000
REGEX = r"<(?P<time>[^>]+)> (?P<level>\w+) (?P<host>\w+)/(?P<program>\w+)\((?P<pid>\d+)\) (?P<job>\w+)?: "
MINE = {"mine": pattern_format("mine", REGEX), **FORMATS}
LINE = "<2026-11-22 00:00:00,25> WARN n1/app(77) nightly: text"
MARK_US = 1_795_305_600_000_000


def parse(lines: list[str], **settings: object) -> list[Record]:
    known = {"tz": UTC, "newest_us": NEWEST, "fallback_host": "path", "sample": lines, "formats": MINE}
    made = LineParser(**(known | settings))  # type: ignore[arg-type]
    return made.feed(lines) + made.finish()


def test_the_groups_are_the_fields_and_the_others_attributes() -> None:
    expected = Record("text", "warning", "n1/app", MARK_US + 250_000, {"pid": 77, "job": "nightly"})
    assert parse([LINE]) == [expected]
    assert parse([LINE, " more"], format="mine") == [expected._replace(message="text\n more")]


def test_the_message_is_its_group_and_what_follows_the_match() -> None:
    formats = {"m": pattern_format("m", r"(?P<time>\S+ \S+) (?P<message>\w+)")}
    (record,) = parse(["2026-11-22 00:00:00 up and running"], formats=formats, format="m")
    assert record == Record("up and running", "info", "path", MARK_US)


def test_a_level_that_nobody_knows_is_kept() -> None:
    (record,) = parse([LINE.replace("WARN", "ODD")])
    assert (record.level, record.attributes) == ("info", {"pid": 77, "level": "ODD", "job": "nightly"})


def test_a_time_that_cannot_be_is_kept() -> None:
    (record,) = parse([LINE.replace("2026-11", "2026-13")], format="mine")
    assert record.timestamp_us is None
    assert (record.attributes or {})["stamp"] == "2026-13-22 00:00:00,25"


def test_own_patterns_join_in_where_formats_are_found_and_kept() -> None:
    assert detect([LINE, LINE, "x"], MINE) == "mine"
    text = "2026-11-22 00:00:01 ERROR text"
    assert [r.level for r in parse([text, text, LINE, " more", text])] == [
        "error",
        "error",
        "warning",
        "error",
    ]
    made = LineParser(tz=UTC, newest_us=NEWEST, sample=[LINE], formats=MINE)
    made.feed([LINE])
    assert State.load(made.state().dump(), MINE) == made.state()
    assert State.load(made.state().dump()) is None


@pytest.mark.parametrize(
    ("name", "regex", "why"),
    [
        ("x", "(?P<time>", "no regular expression"),
        ("x", "(?P<time>a)(?P<time>b)", "no regular expression"),
        ("x", r"(\S+) (\w+)", "`time` or `message`"),
        ("x", r"(?P<level>\w+)", "`time` or `message`"),
        ("x", r"(?P<time>\d*)", "empty line"),
        ("Mine!", r"(?P<time>\d+)", "names no format"),
        ("auto", r"(?P<time>\d+)", "names no format"),
        ("", r"(?P<time>\d+)", "names no format"),
    ],
)
def test_what_cannot_be_a_header_is_refused_with_the_way_out(name: str, regex: str, why: str) -> None:
    with pytest.raises(InvalidSetting, match=why):
        pattern_format(name, regex)


def test_an_unknown_format_names_the_own_ones_too() -> None:
    with pytest.raises(InputUnreadable, match="mine"):
        parse([], format="nonsense")
