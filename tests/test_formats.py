"""What the lines of each format say, and how a parser joins, cuts and resumes them."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstore.errors import InputUnreadable
from logstore.record import Record
from logstore.sources.formats import FORMATS, detect
from logstore.sources.parser import LineParser
from logstore.sources.stamps import StampReader
from logstore.sources.state import State


def us(*parts: int, tz: tzinfo = UTC) -> int:
    """Return a time as microseconds since the epoch."""
    return (datetime(*parts, tzinfo=tz) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(  # type: ignore[arg-type,misc]
        microseconds=1
    )


NEWEST = us(2026, 11, 22, 12)
PACEMAKER = [
    "Nov 22 00:19:50.309 n1 pacemakerd          [34] (main) \tnotice: Starting  Pacemaker ",
    "Nov 22 00:22:20  IPaddr2(p_vip)[123]:    INFO: Adding inet address",
    "Nov 22 00:22:21.001 n1 pacemaker-schedulerd[39] (log_list_item) \tcrit: a: b",
]
COROSYNC = ["Nov 22 00:19:47 [24] n1 corosync warning [MAIN  ] Cluster Engine: up"]
SYSLOG = [
    "<11>Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass; user unknown ",
    "Jun  4 15:16:02 combo last message repeated 3 times",
    "2026-06-14T17:16:03.5+02:00 combo kernel: eth0 down",
]
STRUCTURED = [
    '<165>1 2026-10-11T22:14:15.003Z n1 app 77 ID47 [a@1 k="v\\"\\]" k="w"][b] \ufeffhello [x]',
    "<14>1 - - - - - - ",
]
JSON = [
    '{"ts": 1700000000.25, "levelname": "WARN", "msg": "up", "hostname": "n1", "app": "a", "n": 1}',
    '{"@timestamp": "2026-01-02T03:04:05Z", "message": "x", "level": 50, "host": {"name": "n2"}}',
]
TEXT = [
    "2026-05-15 18:19:32,250 ERROR text: here",
    "[2026-05-15T18:19:33+0200] warning  : 'vm' is slow",
    "2026-05-15 18:19:34 just text",
]
SAMPLES = {
    "pacemaker": PACEMAKER,
    "corosync": COROSYNC,
    "syslog3164": SYSLOG,
    "syslog5424": STRUCTURED,
    "jsonl": JSON,
    "timestamped": TEXT,
    "plain": ["hello", " world", ""],
}


def parser(lines: list[str], **settings: object) -> LineParser:
    """Return a parser that has seen a sample."""
    known = {"tz": UTC, "newest_us": NEWEST, "fallback_host": "path", "sample": lines} | settings
    return LineParser(**known)  # type: ignore[arg-type]


def parse(lines: list[str], **settings: object) -> list[Record]:
    """Return the records of all lines."""
    made = parser(lines, **settings)
    return made.feed(lines) + made.finish()


@pytest.mark.parametrize("name", SAMPLES)
def test_each_format_is_detected(name: str) -> None:
    """A sample of a format is detected as that format, blank and strange lines aside."""
    assert detect(SAMPLES[name]) == name
    assert detect([*SAMPLES[name] * 4, "", "strange"]) == name


def test_a_log_full_of_traces_is_detected() -> None:
    """A few headers are enough if the first line has one; one dated line makes no log."""
    trace = [TEXT[0], *["#0 stack"] * 20]
    assert detect(trace * 2) == "timestamped"
    assert detect(trace) == "plain"
    assert detect([]) == "plain"


def test_pacemaker_fields() -> None:
    """Daemons and agents give source, level, text, pid and function; agents get the file's host."""
    assert parse(PACEMAKER) == [
        Record(
            "Starting  Pacemaker ",
            "notice",
            "n1/pacemakerd",
            us(2026, 11, 22, 0, 19, 50, 309_000),
            {"pid": 34, "function": "main"},
        ),
        Record(
            "Adding inet address",
            "info",
            "n1/IPaddr2(p_vip)",
            us(2026, 11, 22, 0, 22, 20),
            {"pid": 123},
        ),
        Record(
            "a: b",
            "critical",
            "n1/pacemaker-schedulerd",
            us(2026, 11, 22, 0, 22, 21, 1000),
            {"pid": 39, "function": "log_list_item"},
        ),
    ]


def test_corosync_fields() -> None:
    """The subsystem is header and is kept in the attributes."""
    assert parse(COROSYNC) == [
        Record(
            "Cluster Engine: up",
            "warning",
            "n1/corosync",
            us(2026, 11, 22, 0, 19, 47),
            {"pid": 24, "subsystem": "MAIN"},
        )
    ]


def test_syslog_fields() -> None:
    """PRI gives the level, a line without a program is the host's, both stamps of rsyslog work."""
    assert parse(SYSLOG) == [
        Record(
            "check pass; user unknown ",
            "error",
            "combo/sshd(pam_unix)",
            us(2026, 6, 14, 15, 16, 1),
            {"pid": 19939},
        ),
        Record("last message repeated 3 times", "info", "combo", us(2026, 6, 4, 15, 16, 2)),
        Record("eth0 down", "info", "combo/kernel", us(2026, 6, 14, 15, 16, 3, 500_000)),
    ]


def test_structured_syslog_fields() -> None:
    """Structured data goes to attributes, unescaped, and `-` says nothing."""
    assert parse(STRUCTURED) == [
        Record(
            "hello [x]",
            "notice",
            "n1/app",
            us(2026, 10, 11, 22, 14, 15, 3000),
            {
                "pid": 77,
                "msgid": "ID47",
                "structured_data": {"a@1": {"k": ['v"]', "w"]}, "b": {}},
            },
        ),
        Record("", "info", "n1"),
    ]


def test_json_fields() -> None:
    """The usual keys are the fields, the others attributes; an object is its own message."""
    first, second = parse(JSON)
    assert first == Record("up", "warning", "n1/a", 1_700_000_000_250_000, {"n": 1})
    assert second == Record("x", "error", "n2", us(2026, 1, 2, 3, 4, 5))
    assert parse(['{"time": 5, "a": [1]}'])[0][:4] == ('{"a": [1]}', "info", "path", 5_000_000)


@pytest.mark.parametrize("power", [1, 10**3, 10**6, 10**9])
def test_epoch_numbers_have_their_unit_by_magnitude(power: int) -> None:
    """Seconds, ms, us and ns of this century are told apart, as numbers and as text."""
    reader = StampReader(UTC, NEWEST)
    assert reader.read(1_700_000_000 * power) == 1_700_000_000_000_000
    assert reader.read(str(1_700_000_000 * power)) == 1_700_000_000_000_000


def test_text_fields() -> None:
    """A level word after the stamp is header; what follows is exact."""
    assert [(r.message, r.level, r.timestamp_us) for r in parse(TEXT)] == [
        ("text: here", "error", us(2026, 5, 15, 18, 19, 32, 250_000)),
        ("'vm' is slow", "warning", us(2026, 5, 15, 16, 19, 33)),
        ("just text", "info", us(2026, 5, 15, 18, 19, 34)),
    ]


@pytest.mark.parametrize(
    ("text", "level", "message"),
    [
        ("- INFO  [main] - x", "info", "[main] - x"),
        ("[error] x", "error", "x"),
        ("local.ERROR: x", "error", "x"),
        ("- app.db - WARNING - x", "warning", "x"),
        ("25746 INFO nova: x", "info", "nova: x"),
        ("INFORMATION x", "info", "INFORMATION x"),
        ("error reading x", "error", "error reading x"),
        ("info: x", "info", "x"),
        ("", "info", ""),
    ],
)
def test_level_words(text: str, level: str, message: str) -> None:
    """The common places of a level are known, and a word of the text is never taken away."""
    found = parse([f"2026-05-15 18:19:32 {text}"], format="timestamped")[0]
    assert (found.level, found.message) == (level, message)


def test_the_host_of_a_line_without_one() -> None:
    """It is the one given, else the only one in the sample, else the fallback."""
    agent = [PACEMAKER[1]]
    other = PACEMAKER[0].replace("n1", "n2")
    for lines, settings, source in (
        (PACEMAKER[:2], {"host": "h"}, "h/IPaddr2(p_vip)"),
        (PACEMAKER[:2], {}, "n1/IPaddr2(p_vip)"),
        (agent, {}, "path/IPaddr2(p_vip)"),
        ([PACEMAKER[0], other, *agent], {}, "path/IPaddr2(p_vip)"),
    ):
        assert parse(lines, **settings)[-1].source == source


def test_what_was_assumed_is_told() -> None:
    """Year, zone and host are told if a line did without."""
    made = parser(PACEMAKER[:2])
    made.feed(PACEMAKER[:1])
    assert tuple(made.assumed) == ((2026,), "UTC", None)
    made.feed(PACEMAKER[1:2])
    assert tuple(made.assumed) == ((2026,), "UTC", "n1")
    full = parser(SYSLOG[2:])
    full.feed(SYSLOG[2:])
    assert full.assumed == ((), None, None)


@given(st.integers(0, us(2100, 1, 1)), st.integers(0, 366 * 86400))
def test_a_stamp_without_a_year_is_the_latest_not_after_the_file(newest: int, ago: int) -> None:
    """Any time of the year before the file's time is found again, to the second."""
    time = newest // 1_000_000 - min(ago, 365 * 86400 - 1)
    text = datetime.fromtimestamp(time, UTC).strftime("%b %d %H:%M:%S")
    found = StampReader(UTC, newest).read(text)
    assert found == (time * 1_000_000 if time >= 0 else None)


def test_february_29_and_year_ends() -> None:
    """A leap day goes back to the last leap year; a stamp a second too late to the year before."""
    assert StampReader(UTC, us(2103, 1, 1)).read("Feb 29 00:00:00") == us(2096, 2, 29)
    assert StampReader(UTC, us(1909, 1, 1)).read("Feb 30 00:00:00") is None
    reader = StampReader(UTC, us(2026, 1, 1, 0, 0, 5))
    assert reader.read("Jan  1 00:00:05") == us(2026, 1, 1, 0, 0, 5)
    assert reader.read("Jan 01 00:00:06") == us(2025, 1, 1, 0, 0, 6)
    assert reader.read("Dec 31 23:59:59") == us(2025, 12, 31, 23, 59, 59)


def test_local_times() -> None:
    """A gap and a fold of summer time do not raise; a zone in the stamp wins over the local one."""
    reader = StampReader(ZoneInfo("Europe/Berlin"), NEWEST)
    assert reader.read("2026-03-29 02:30:00") == us(2026, 3, 29, 1, 30)
    assert reader.read("2026-10-25 02:30:00") == us(2026, 10, 25, 0, 30)
    assert reader.read("2026-10-25 02:30:00Z") == us(2026, 10, 25, 2, 30)
    assert reader.read("2026-10-25T02:30:00.123456789-01:30") == us(2026, 10, 25, 4, 0, 0, 123_456)
    assert reader.read("2016-12-31T23:59:60Z") == us(2017, 1, 1)
    assert StampReader(timezone(timedelta(hours=-8)), us(2026, 1, 1, 4)).read("Dec 31 19:00:00") == us(
        2026, 1, 1, 3
    )


@pytest.mark.parametrize("stamp", ["1969-12-31 23:59:59", "2026-02-30 00:00:00", "0000-01-01T00:00:00Z"])
def test_impossible_times_keep_their_stamp(stamp: str) -> None:
    """A record whose time cannot be is kept without one, its stamp in the attributes."""
    assert parse([f"{stamp} x"], format="timestamped") == [
        Record("x", "info", "path", None, {"stamp": stamp})
    ]


@given(st.text() | st.integers() | st.floats() | st.none())
def test_no_stamp_raises(stamp: object) -> None:
    """Whatever stands where a stamp should be gives a time in range, or none."""
    found = StampReader(ZoneInfo("America/New_York"), NEWEST).read(stamp)
    assert found is None or 0 <= found < us(9999, 12, 31, 23, 59, 59) + 1_000_000


def test_lines_without_a_header_continue_the_record_above() -> None:
    """Blank lines too; above the first header the text stands for itself."""
    lines = ["loose", "", PACEMAKER[0], "", " more", PACEMAKER[0], "\tend"]
    assert [r.message for r in parse(lines, format="pacemaker")] == [
        "loose",
        "",
        "Starting  Pacemaker \n\n more",
        "Starting  Pacemaker \n\tend",
    ]


FIRST = {name: lines[0] for name, lines in SAMPLES.items()} | {
    "logfmt": "time=2026-11-22T00:00:00Z level=info msg=x",
    "journald": '{"__REALTIME_TIMESTAMP": "1795305600000000", "MESSAGE": "x"}',
    "access": '::1 - - [22/Nov/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 5',
}


@pytest.mark.parametrize("name", ["pacemaker", "syslog3164", "jsonl", "logfmt", "journald", "access"])
def test_where_no_line_is_of_the_format_each_is_a_record(name: str) -> None:
    """After a restart, too; with the first header lines begin to continue."""
    lines = ["one", "", " two", "three"]
    assert [r.message for r in parse(lines, format=name)] == lines
    first = parser([], format=name)
    records = first.feed(lines[:2]) + first.finish()
    later = parser([], state=State.load(first.state().dump()))
    records += later.feed([*lines[2:], FIRST[name], "more"]) + later.finish()
    assert [r.message for r in records][:4] == lines
    assert len(records) == 5
    assert records[4].message.endswith("\nmore")
    assert (first.headed, later.headed) == (False, True)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_byte_order_mark_is_no_part_of_a_line(name: str) -> None:
    lines = SAMPLES[name]
    marked = parser(["\ufeff" + lines[0], *lines[1:]])
    records = marked.feed(["\ufeff" + lines[0], *lines[1:]]) + marked.finish()
    assert (marked.format, records) == (name, parse(lines))


def test_plain_lines_are_records() -> None:
    """In no known format every line, the blank ones too, is a record without a time."""
    assert parse(["a", "", " a"]) == [Record(text, "info", "path") for text in ("a", "", " a")]


def test_a_later_line_without_a_header_becomes_a_part() -> None:
    """After the end, and after a restart, such a line is a record of the last header."""
    first = parser(PACEMAKER)
    whole = first.feed([PACEMAKER[0], "one"]) + first.finish()
    state = State.load(first.state().dump())
    later = parser([], state=state)
    parts = later.feed(["two", "three", PACEMAKER[2]]) + later.finish()
    assert parts[0] == whole[0]._replace(
        message="two\nthree", attributes={"pid": 34, "function": "main", "part": 1}
    )
    assert parts[1].message == "a: b"


def test_great_messages_follow_in_parts() -> None:
    """A message over the limit goes on in parts, cut between characters, in every format."""
    text = "ä€😀" * 100
    for line, name in ((PACEMAKER[0] + text, "pacemaker"), (text, "plain")):
        records = parse([line], format=name, limit=64)
        assert "".join(r.message for r in records).endswith(text)
        assert all(64 - 4 < len(r.message.encode()) <= 64 for r in records[:-1])
        assert [(r.attributes or {}).get("part") for r in records] == [
            None,
            *range(1, len(records)),
        ]
    grown = parse([PACEMAKER[0], *["x" * 30] * 9], format="pacemaker", limit=64)
    assert len({r[1:4] for r in grown}) == 1
    assert "".join(r.message for r in grown) == "Starting  Pacemaker " + ("\n" + "x" * 30) * 9


ANY_LINE = st.sampled_from([line for lines in SAMPLES.values() for line in lines]) | st.text()


@given(st.sampled_from(sorted(FORMATS)), st.lists(ANY_LINE), st.lists(st.integers(0, 9)))
def test_batches_make_no_difference(name: str, lines: list[str], cuts: list[int]) -> None:
    """However the lines are fed, also with a restart between them, the records are the same."""
    lines = [line.replace("\n", " ") for line in lines]
    fed = parser(lines, format=name)
    records: list[Record] = []
    left = lines
    for cut in cuts:
        records += fed.feed(left[:cut])
        left = left[cut:]
        state, held = fed.state(), fed.held
        left = lines[len(lines) - len(left) - held :]
        fed = parser([], state=State.load(state.dump()))
    records += fed.feed(left) + fed.finish()
    assert records == parse(lines, format=name)


@given(st.sampled_from(sorted(FORMATS)), st.lists(ANY_LINE, min_size=1))
def test_no_line_is_lost(name: str, lines: list[str]) -> None:
    """Records and continuation lines together are the lines that were fed."""
    lines = [line.replace("\n", " ") for line in lines]
    records = parse(lines, format=name)
    continued = 0 if name == "plain" else sum(r.message.count("\n") for r in records)
    if name != "jsonl":
        assert len(records) + continued == len(lines)


def test_hostile_json_is_text() -> None:
    """What no JSON reader takes is kept as text; what is no JSON value is kept as text in it."""
    deep = '{"a":' + "[" * 100_000
    assert parse([deep], format="jsonl") == [Record(deep, "info", "path")]
    number = '{"msg": "x", "n": ' + "9" * 5000 + "}"
    assert parse([number], format="jsonl")[0].message == number
    assert parse(['{"msg": "x", "n": NaN}'])[0].attributes == {"n": "NaN"}


def test_an_unknown_format_is_refused() -> None:
    """The error names the formats there are."""
    with pytest.raises(InputUnreadable, match="pacemaker"):
        parser([], format="nonsense")
