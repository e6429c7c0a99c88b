"""Files that change their format in the middle, colours, and what must stay a continuation."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.record import Record
from logstore.sources.formats import FORMATS, detect
from logstore.sources.parser import LineParser
from logstore.sources.state import State

NEWEST = 1_795_400_000_000_000  # 2026-11-23
PACEMAKER = "Nov 22 00:19:50.309 n1 pacemakerd          [34] (main) \tnotice: Starting"
AGENT = "Nov 22 00:22:20  IPaddr2(p_vip)[123]:    INFO: Adding inet address"
COROSYNC = "Nov 22 00:19:47 [24] n1 corosync notice  [MAIN  ] up"
SYSLOG = "Nov 22 00:19:47 n1 sshd[9]: session opened"
LOOSE = "Nov 22 00:19:48 n1 last message repeated 3 times"
JSON = '{"time": "2026-11-22T00:00:00Z", "level": "warn", "msg": "j"}'
TEXT = "2026-11-22 00:00:01 ERROR text"
MONIT = "[2026-11-22T00:24:35+0000] error    : 'redis' process is not running"
REDIS = "11:M 22 Nov 2026 00:24:35.023 * ready"
ACCESS = '10.0.0.1 - - [22/Nov/2026:00:25:43 +0000] "GET / HTTP/1.1" 200 612'
LOGFMT = "time=2026-11-22T00:25:43Z level=info msg=up"
HEADERS = (PACEMAKER, AGENT, COROSYNC, SYSLOG, JSON, TEXT, MONIT, REDIS, ACCESS, LOGFMT)


def parser(lines: list[str], **settings: object) -> LineParser:
    known = {"tz": UTC, "newest_us": NEWEST, "fallback_host": "path", "sample": lines} | settings
    return LineParser(**known)  # type: ignore[arg-type]


def parse(lines: list[str], **settings: object) -> list[Record]:
    made = parser(lines, **settings)
    return made.feed(lines) + made.finish()


@given(st.permutations(HEADERS), st.lists(st.sampled_from(HEADERS)))
def test_in_a_mixed_file_each_header_is_read_as_in_a_file_of_its_own(
    headers: list[str], further: list[str]
) -> None:
    lines = [*headers, *further]
    alone = {line: parse([line], host="h") for line in HEADERS}
    assert parse(lines, host="h") == [record for line in lines for record in alone[line]]


def test_of_several_formats_the_most_frequent_is_taken_if_together_they_are_clear() -> None:
    mixed = [JSON] * 3 + [PACEMAKER] * 2 + [TEXT] * 2
    assert detect(mixed) == "jsonl"
    assert detect([*mixed, *["strange"] * 6]) == "jsonl"
    assert detect(["strange"] * 8 + mixed) == "plain"


def test_a_loose_format_leaves_the_lines_of_others_to_them() -> None:
    lines = [SYSLOG] * 5 + [LOOSE, PACEMAKER, COROSYNC, SYSLOG, TEXT]
    assert [(r.source, r.message) for r in parse(lines)[5:]] == [
        ("n1", "last message repeated 3 times"),
        ("n1/pacemakerd", "Starting"),
        ("n1/corosync", "up"),
        ("n1/sshd", "session opened"),
        ("n1", "text"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "  at Foo.bar(Foo.java:12)",
        "\t" + TEXT,
        " " + JSON,
        "{main}",
        "#0 /srv/app.php(17): run('2026-11-22 00:00:00')",
        "Caused by: Error at 2026-11-22 00:00:00",
        "2026-13-45 00:00:00 ERROR no such time",
        "Nov 31 00:00:00 n1 sshd[9]: no such day",
        "level=error msg=x",
        "time=later level=error msg=x",
        "ERROR:root:no time",
    ],
)
def test_what_has_no_clear_header_with_a_time_continues_the_record_above(line: str) -> None:
    for above in (MONIT, REDIS, ACCESS):
        (record,) = parse([above, line], sample=[above])
        assert record.message.endswith("\n" + line)


@pytest.mark.parametrize(
    "line",
    [
        '{"time": "2026-11-22T00:00:00Z", "user": 7}',
        '{"level": "error", "msg": "no time"}',
        '{"time": "soon", "level": "error", "msg": "no such time"}',
    ],
)
def test_data_in_a_text_is_no_record(line: str) -> None:
    for above in (PACEMAKER, MONIT, TEXT):
        (record,) = parse([above, line], sample=[above])
        assert record.message.endswith("\n" + line)


@pytest.mark.parametrize(
    ("line", "source"),
    [
        ("2026-11-22T00:25:43Z n1 app[1]: x", "n1/app"),
        (MONIT, "path/monit"),
        ("Sun Nov 22 00:25:43 2026: (VI_1) x", "path/keepalived"),
        ("2026-11-22 00:25:43 error in: x", "path"),
    ],
)
def test_dated_text_leaves_particular_lines_to_their_format(line: str, source: str) -> None:
    assert parse([TEXT, line, line], sample=[TEXT])[1:] == parse([line, line])
    assert parse([TEXT, line], sample=[TEXT])[1].source == source


def test_a_given_format_is_the_only_one() -> None:
    assert len(parse([PACEMAKER, JSON, TEXT], format="pacemaker")) == 1


def test_lines_of_no_known_format_stay_as_they_are() -> None:
    lines = ["some", "text", "\x1b[31mred\x1b[0m"]
    made = parser(lines)
    records = made.feed([*lines, TEXT]) + made.finish()
    assert [r.message for r in records] == [*lines, TEXT]
    assert (made.format, {r.timestamp_us for r in records}) == ("plain", {None})


def test_what_the_file_was_found_to_be_stays_its_format() -> None:
    made = parser([PACEMAKER])
    made.feed([PACEMAKER, JSON])
    state = made.state()
    assert (made.format, state.format, state.current) == ("pacemaker", "pacemaker", "jsonl")


ISO_SYSLOG = "2026-11-22T00:25:43Z n1 app[1]: x"
LIKE_SYSLOG = "2026-11-22 00:25:43 n1 app[1]: x"
LIKE_MONIT = "2026-11-22 00:24:35 error    : 'redis' process is not running"
PIECES = (
    *HEADERS,
    LOOSE,
    ISO_SYSLOG,
    LIKE_SYSLOG,
    LIKE_MONIT,
    "",
    " more",
    "2026-13-45 00:00:00 x",
    "\x1b[31m" + TEXT,
    '{"a": 1}',
    "ERROR:a:b",
)


@given(st.lists(st.sampled_from(PIECES)), st.lists(st.integers(0, 9)), st.sampled_from([60, 2**21]))
def test_cuts_and_restarts_make_no_difference(lines: list[str], cuts: list[int], limit: int) -> None:
    made = parser(lines, limit=limit)
    records: list[Record] = []
    left = lines
    for cut in cuts:
        records += made.feed(left[:cut])
        left = left[cut:]
        state, held = made.state(), made.held
        left = lines[len(lines) - len(left) - held :]
        made = parser([], state=State.load(state.dump()), limit=limit)
    records += made.feed(left) + made.finish()
    assert records == parse(lines, limit=limit)


@given(st.lists(st.sampled_from(PIECES)))
def test_line_by_line_is_the_same_as_all_at_once(lines: list[str]) -> None:
    made = parser(lines)
    assert [r for line in lines for r in made.feed([line])] + made.finish() == parse(lines)


@given(st.lists(st.sampled_from(PIECES), min_size=1))
def test_no_line_is_lost_or_doubled(lines: list[str]) -> None:
    records = parse(lines)
    plain = detect(lines) == "plain"
    assert len(records) + (0 if plain else sum(r.message.count("\n") for r in records)) == len(lines)


def test_the_hours_that_came_twice_are_told_apart_across_restarts() -> None:
    lines = [f"2026-10-25 02:{minute}:00 INFO x" for minute in ("10", "50", "05", "30")]
    zone = ZoneInfo("Europe/Berlin")
    expected = [1_792_887_000, 1_792_889_400, 1_792_890_300, 1_792_891_800]
    made = parser(lines, tz=zone)
    times = []
    for line in lines:
        times += made.feed([line]) + made.finish()
        made = parser([], tz=zone, state=State.load(made.state().dump()))
    assert [r.timestamp_us for r in times] == [second * 1_000_000 for second in expected]
    assert datetime.fromtimestamp(expected[0], zone).hour == 2


def test_colours_are_no_evidence() -> None:
    coloured = (
        "\x1b[32mNov 22 \x1b[1;33m00:19:47\x1b[0m n1 sshd\x1b[34m[9]\x1b[0m: session \x1b[41mopened\x1b[0m"
    )
    assert parse([coloured, " \x1b[1mmore"]) == parse([SYSLOG, " \x1b[1mmore"])
    assert parse([SYSLOG + "\x1b[2K\x07"])[0].message == "session opened\x1b[2K\x07"


def test_a_state_of_another_version_is_no_state_or_a_right_one() -> None:
    old = '{"format": "pacemaker", "host": "n1", "header": null, "parts": 0, "midline": false, "done": 0}'
    assert State.load(old) == State("pacemaker", "n1")
    assert State.load('{"format": "pacemaker", "host": "n1", "current": "nonsense"}') is None
    assert State.load("[]") is None


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "plain"])
def test_an_empty_line_is_no_header(name: str) -> None:
    assert FORMATS[name].read("") is None
