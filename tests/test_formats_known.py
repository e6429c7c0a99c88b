"""One line of each kind of log that is known: what is header, and what the header says."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstore.record import Record
from logstore.sources.formats import FORMATS, detect, uncoloured
from logstore.sources.parser import LineParser, describe

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(*parts: int) -> int:
    return (datetime(*parts, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)  # type: ignore[arg-type,misc]


NEWEST = us(2026, 12, 1)
SECOND = us(2026, 11, 22, 0, 25, 43)
MILLI = SECOND + 539_000


def said(line: str) -> tuple[str, Record]:
    return describe(line, tz=UTC, newest_us=NEWEST, host="h")


def case(line: str, name: str, *record: Any) -> Any:
    return pytest.param(line, name, Record(*record), id=line[:50])


CLUSTER = [
    case(
        "Nov 22 00:25:43 [123] n1       crmd:     info: timer_popped:\tRecheck Timer: x",
        "pacemaker",
        *("Recheck Timer: x", "info", "n1/crmd", SECOND, {"pid": 123, "function": "timer_popped"}),
    ),
    case(
        "Nov 22 00:25:43 n1 pacemaker-controld[77]:  notice: State transition",
        "pacemaker",
        *("State transition", "notice", "n1/pacemaker-controld", SECOND, {"pid": 77}),
    ),
    case(
        "Nov 22 00:25:43 corosync [TOTEM ] A processor failed",
        "corosync",
        *("A processor failed", "info", "h/corosync", SECOND, {"subsystem": "TOTEM"}),
    ),
    case(
        "Nov 22 00:25:43 [24] corosync warning [MAIN  ] x",
        "corosync",
        *("x", "warning", "h/corosync", SECOND, {"pid": 24, "subsystem": "MAIN"}),
    ),
    case(
        "Sun Nov 22 00:25:43 2026: (VI_1) Entering MASTER STATE",
        "keepalived",
        *("(VI_1) Entering MASTER STATE", "info", "h/keepalived", SECOND),
    ),
    case(
        "Sun Nov 22 00:25:43 2026: Keepalived_vrrp[7]: (VI_1) x",
        "keepalived",
        *("(VI_1) x", "info", "h/Keepalived_vrrp", SECOND, {"pid": 7}),
    ),
    case(
        "Nov 22 00:25:43 lb1 Keepalived_vrrp[7]: (VI_1) x",
        "keepalived",
        *("(VI_1) x", "info", "lb1/Keepalived_vrrp", SECOND, {"pid": 7}),
    ),
    case(
        "[2026-11-22T00:25:43+0000] error    : 'redis' process is not running",
        "monit",
        *("'redis' process is not running", "error", "h/monit", SECOND),
    ),
    case("[UTC Nov 22 00:25:43] info     :  New id", "monit", " New id", "info", "h/monit", SECOND),
    case(
        "11:M 22 Nov 2026 00:25:43.539 # Server: x",
        "redis",
        *("Server: x", "warning", "h/redis", MILLI, {"pid": 11, "role": "M"}),
    ),
    case("[123] 22 Nov 00:25:43.539 * x", "redis", "x", "notice", "h/redis", MILLI, {"pid": 123}),
    case(
        "92:signal-handler (1795307143) Received SIGTERM",
        "redis",
        *("Received SIGTERM", "info", "h/redis", SECOND, {"pid": 92}),
    ),
    case(
        "Nov 22 00:25:43 n1 sshd[9]: error: PAM: x",
        "syslog3164",
        *("error: PAM: x", "error", "n1/sshd", SECOND, {"pid": 9}),
    ),
    case("Nov 22 2026 00:25:43 n1 app: x", "syslog3164", "x", "info", "n1/app", SECOND),
]
TEXT = [
    case("2026-11-22 00:25:43,539 - app.db - WARNING - x", "timestamped", "x", "warning", "h/app.db", MILLI),
    case("WARNING:root:no time", "timestamped", "no time", "warning", "h/root"),
    case("2026-11-22 00:25:43,539 INFO:root:x", "timestamped", "x", "info", "h/root", MILLI),
    case(
        "2026-11-22 00:25:43.539 [main] WARN  c.Bar - x",
        "timestamped",
        *("c.Bar - x", "warning", "h", MILLI, {"thread": "main"}),
    ),
    case(
        "2026-11-22T00:25:43.539Z  INFO 12 --- [main] c.Bar : x",
        "timestamped",
        *("[main] c.Bar : x", "info", "h", MILLI, {"pid": 12}),
    ),
    case(
        "22-Nov-2026 00:25:43.539 SEVERE [main] c.Bar x", "timestamped", "[main] c.Bar x", "error", "h", MILLI
    ),
    case(
        "261122 002543 148 INFO dfs.Node: x", "timestamped", "dfs.Node: x", "info", "h", SECOND, {"pid": 148}
    ),
    case("[Sun Nov 22 00:25:43 2026] [notice] x", "timestamped", "x", "notice", "h", SECOND),
    case(
        "[Sun Nov 22 00:25:43.539 2026] [core:error] [pid 1:tid 2] [client 10.0.0.1:5] x",
        "timestamped",
        *("[client 10.0.0.1:5] x", "error", "h", MILLI, {"pid": 1, "module": "core", "tid": "2"}),
    ),
    case(
        "2026/11/22 00:25:43 [error] 1#2: *5 x",
        "timestamped",
        *("*5 x", "error", "h", SECOND, {"pid": 1, "tid": "2"}),
    ),
    case("2026/11/22 00:25:43 listening on :80", "timestamped", "listening on :80", "info", "h", SECOND),
    case(
        "2026-11-22 00:25:43.539 UTC [123] u@db FATAL:  x",
        "timestamped",
        *("x", "critical", "h", MILLI, {"pid": 123, "user": "u@db"}),
    ),
    case("2026-11-22 00:25:43 UTC [1] LOG:  x", "timestamped", "x", "info", "h", SECOND, {"pid": 1}),
    case("2026-11-22  0:25:43 140 [Note] x", "timestamped", "x", "notice", "h", SECOND, {"pid": 140}),
    case(
        "2026-11-22T00:25:43.539+0000 W NETWORK  [conn1] x",
        "timestamped",
        *("[conn1] x", "warning", "h", MILLI, {"subsystem": "NETWORK"}),
    ),
    case(
        "[2026-11-22T00:25:43,539][WARN ][o.e.Node] x", "timestamped", "[o.e.Node] x", "warning", "h", MILLI
    ),
    case("1795307143.539    345 10.0.0.1 x", "timestamped", "   345 10.0.0.1 x", "info", "h", MILLI),
    case(
        "E1122 00:25:43.539000       1 file.go:12] x",
        "prefixed",
        *("x", "error", "h", MILLI, {"pid": 1, "caller": "file.go:12"}),
    ),
    case(
        "nova-api.log.1 2026-11-22 00:25:43.539 257 INFO nova.x [req-1 -] x",
        "prefixed",
        *("nova.x [req-1 -] x", "info", "h", MILLI, {"pid": 257, "file": "nova-api.log.1"}),
    ),
    case(
        "WARN  [main] 2026-11-22 00:25:43,539 F.java:1 - x",
        "prefixed",
        *("F.java:1 - x", "warning", "h", MILLI, {"thread": "main"}),
    ),
    case(
        "type=SYSCALL msg=audit(1795307143.539:24287): arch=c000003e",
        "prefixed",
        *("type=SYSCALL arch=c000003e", "info", "h", MILLI, {"serial": "24287"}),
    ),
    case(
        '10.0.0.1 - bob [22/Nov/2026:01:25:43 +0100] "GET /\\"x HTTP/1.1" 503 612',
        "access",
        *('10.0.0.1 - bob "GET /\\"x HTTP/1.1" 503 612', "error", "h", SECOND),
    ),
    case(
        'www:80 10.0.0.1 - - [22/Nov/2026:00:25:43 +0000] "-" 404 0 "-" "c"',
        "access",
        *('www:80 10.0.0.1 - - "-" 404 0 "-" "c"', "warning", "h", SECOND),
    ),
]
DATA = [
    case(
        'time=2026-11-22T00:25:43Z level=warning msg="disk \\"x\\" full" unit=a n=1 e=',
        "logfmt",
        *('disk "x" full', "warning", "h/a", SECOND, {"n": "1", "e": ""}),
    ),
    case("level=error n=1 n=2 msg=x", "logfmt", "x", "error", "h", None, {"n": ["1", "2"]}),
    case(
        '{"t":{"$date":"2026-11-22T00:25:43.539Z"},"s":"W","c":"NETWORK","msg":"x"}',
        "jsonl",
        *("x", "warning", "h", MILLI, {"c": "NETWORK"}),
    ),
    case(
        '{"@timestamp":"2026-11-22T00:25:43Z","log":{"level":"warn"},"host":{"name":"n","os":1},"message":"m"}',
        "jsonl",
        *("m", "warning", "n", SECOND, {"host": {"os": 1}}),
    ),
    case(
        '{"log":"x\\n","stream":"stderr","time":"2026-11-22T00:25:43Z"}',
        "jsonl",
        *("x", "info", "h", SECOND, {"stream": "stderr"}),
    ),
    case(
        '{"Timestamp":"1795307143539000000","SeverityText":"WARN","Body":"x",'
        '"Resource":{"service.name":"shop","host.name":"n","os":"l"},"Attributes":{"a":1}}',
        "jsonl",
        *("x", "warning", "n/shop", MILLI, {"a": 1, "resource": {"os": "l"}}),
    ),
]


@pytest.mark.parametrize(("line", "name", "record"), CLUSTER + TEXT + DATA)
def test_a_line_says_what_it_says(line: str, name: str, record: Record) -> None:
    assert said(line) == (name, record)


@pytest.mark.parametrize("line", [case.values[0] for case in CLUSTER + TEXT + DATA])
def test_the_format_is_found_again_in_many_lines(line: str) -> None:
    assert detect([line] * 9 + ["", "strange"]) == said(line)[0]


@pytest.mark.parametrize("line", [case.values[0] for case in CLUSTER + TEXT + DATA])
def test_reading_a_line_again_changes_nothing(line: str) -> None:
    parser = LineParser(tz=UTC, newest_us=NEWEST, fallback_host="h", sample=[line])
    records = parser.feed([line] * 3) + parser.finish()
    assert records == [said(line)[1]] * 3


@pytest.mark.parametrize("line", [case.values[0] for case in CLUSTER + TEXT])
def test_the_message_of_a_text_is_its_end(line: str) -> None:
    assert line.endswith(said(line)[1].message.split(" ", 4)[-1])


@pytest.mark.parametrize(
    ("text", "message", "level", "source"),
    [
        ("<12>Nov 22 00:25:43 root: x", "x", "warning", "h/root"),
        ("<12>Nov 22 00:25:43 error: x", "error: x", "warning", "h"),
        ("Nov 22 00:25:43 app: error: x", "error: x", "error", "h/app"),
        ("Nov 22 00:25:43 n1 some words", "some words", "info", "n1"),
        ("Nov 22 00:25:43 word", "word", "info", "h"),
    ],
)
def test_loose_lines_of_syslog(text: str, message: str, level: str, source: str) -> None:
    found = describe(text, tz=UTC, newest_us=NEWEST, host="h", format="syslog3164")[1]
    assert found == Record(message, level, source, SECOND)


def telemetry(number: int, **fields: Any) -> str:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    record = {"timeUnixNano": str(MILLI * 1000), "severityNumber": number, "body": {"stringValue": "x"}}
    return json.dumps({"resource": resource} | record | fields)


@pytest.mark.parametrize(
    ("number", "level"),
    [(1, "debug"), (9, "info"), (13, "warning"), (17, "error"), (24, "critical"), (25, "info")],
)
def test_the_severity_numbers_of_opentelemetry(number: int, level: str) -> None:
    assert said(telemetry(number))[1] == Record("x", level, "h/shop", MILLI)


def test_the_values_of_opentelemetry_are_unpacked() -> None:
    attributes = [
        {"key": "n", "value": {"intValue": "5"}},
        {"key": "l", "value": {"arrayValue": {"values": [{"stringValue": "a"}]}}},
        {"key": "m", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}}},
    ]
    record = said(telemetry(9, attributes=attributes, traceId="ab", severityText="ERROR"))[1]
    assert record.attributes == {"n": "5", "l": ["a"], "m": {"k": True}, "traceId": "ab"}
    assert record.level == "error"
    assert (
        said(telemetry(9, timeUnixNano="0", observedTimeUnixNano=str(SECOND * 1000)))[1].timestamp_us
        == SECOND
    )
    assert (
        said(telemetry(9, body={"kvlistValue": {"values": [{"key": "k", "value": {"intValue": "1"}}]}}))[
            1
        ].message
        == '{"k": "1"}'
    )


def test_an_envelope_of_one_record_is_opened_and_one_of_several_is_kept() -> None:
    record = json.loads(telemetry(17))
    resource = record.pop("resource")

    def envelope(*records: Any) -> str:
        return json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]})

    assert said(envelope(record))[1] == Record("x", "error", "h/shop", MILLI)
    both = envelope(record, record)
    assert describe(both, tz=UTC, newest_us=NEWEST, format="jsonl")[1].message == both


def entry(**fields: Any) -> str:
    known = {"__REALTIME_TIMESTAMP": str(SECOND), "__CURSOR": "s=1", "_HOSTNAME": "n1", "PRIORITY": "4"}
    return json.dumps(
        known | {"SYSLOG_IDENTIFIER": "app", "_PID": "12", "_BOOT_ID": "b", "MESSAGE": "x"} | fields
    )


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({}, {}),
        ({"_SOURCE_REALTIME_TIMESTAMP": str(MILLI)}, {"timestamp_us": MILLI}),
        ({"__REALTIME_TIMESTAMP": "5000001"}, {"timestamp_us": 5_000_001}),
        ({"PRIORITY": "9"}, {"level": "info"}),
        ({"MESSAGE": [104, 105, 255, 10]}, {"message": "hi\\xff\n"}),
        ({"MESSAGE": []}, {"message": ""}),
        ({"MESSAGE": ["a", [98]]}, {"message": "a\nb"}),
        ({"MESSAGE": None}, {"message": "", "attributes": {"MESSAGE": None, "pid": 12}}),
        ({"MESSAGE": [300]}, {"message": "", "attributes": {"MESSAGE": [300], "pid": 12}}),
        ({"SYSLOG_IDENTIFIER": None, "_COMM": "c"}, {"source": "n1/c"}),
        (
            {"_SYSTEMD_UNIT": "a.service", "CODE_LINE": "3"},
            {"attributes": {"pid": 12, "unit": "a.service", "CODE_LINE": "3"}},
        ),
    ],
)
def test_a_journal_entry(fields: dict[str, Any], changed: dict[str, Any]) -> None:
    expected = Record("x", "warning", "n1/app", SECOND, {"pid": 12})._replace(**changed)
    assert said(entry(**fields)) == ("journald", expected)


@settings(max_examples=30)
@given(
    st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
)
def test_no_json_raises(fields: dict[str, Any]) -> None:
    for line in (
        json.dumps(fields),
        json.dumps(fields | {"__REALTIME_TIMESTAMP": "x"}),
        telemetry(9, **fields),
    ):
        assert describe(line, tz=UTC, newest_us=NEWEST)[1].level


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from(["timeUnixNano", "body", "attributes", "resource", "severityNumber"])), st.data()
)
def test_no_telemetry_raises(keys: list[str], data: st.DataObject) -> None:
    value = st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
    line = telemetry(9, **{key: data.draw(value) for key in keys})
    assert describe(line, tz=UTC, newest_us=NEWEST)[1].level


@given(st.dictionaries(st.from_regex("[a-z]{1,8}", fullmatch=True), st.text(), min_size=1))
def test_logfmt_reads_back_what_was_quoted(fields: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

    fields = {f"x{key}": value for key, value in fields.items()}
    line = "msg=m level=info " + " ".join(f"{key}={quoted(value)}" for key, value in fields.items())
    assert said(line) == ("logfmt", Record("m", "info", "h", None, fields))


def test_the_second_line_of_java_util_logging_gives_the_level() -> None:
    lines = ["Nov 22, 2026 12:25:43 AM org.Service start", "SEVERE: no port", "\tat x"]
    parser = LineParser(tz=UTC, newest_us=NEWEST, fallback_host="h", sample=lines * 2)
    assert parser.feed(lines) + parser.finish() == [
        Record("org.Service start\nSEVERE: no port\n\tat x", "error", "h", SECOND)
    ]


def test_text_that_only_looks_like_pairs_is_no_log() -> None:
    for line in ("a=1 b=2", "a=1 level", "see level=info of x", 'msg="open', "=x", "msg=a b"):
        assert said(line)[0] == "plain"


HOSTILE = (
    ".log",
    "@",
    " ",
    "[",
    "(",
    "a:",
    '"',
    "\\",
    "=",
    "a=",
    "[ ",
    "a ",
    "1",
    "{",
    "\x1b[",
    ": ",
    "[1] @",
    "- ",
)


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize(
    "start", ["", "Nov 22 00:25:43 ", "2026-11-22 00:25:43 ", "Nov 22 00:25:43 corosync [", "a=1 "]
)
def test_no_long_line_takes_longer_than_its_length(start: str, piece: str) -> None:
    line = start + piece * (300_000 // len(piece))  # read in a moment, or not before the end of this day
    for known in FORMATS.values():
        known.read(uncoloured(line))


@pytest.mark.parametrize("name", ["pcmk-alfa2.pacemaker.log", "pcmk-alfa2.corosync.log"])
def test_every_line_of_a_real_file_is_a_record_with_its_time(name: str) -> None:
    lines = (Path(__file__).parent / "data" / name).read_text().splitlines()
    parser = LineParser(tz=UTC, newest_us=NEWEST, sample=lines)
    records = parser.feed(lines) + parser.finish()
    assert parser.format in name
    assert len(records) == len(lines)
    for line, record in zip(lines, records, strict=True):
        assert line.endswith(record.message)
        assert record.source.startswith("alfa2/")
        assert record.timestamp_us is not None
        shown = (EPOCH + timedelta(microseconds=record.timestamp_us)).strftime("%Y %b %d %H:%M:%S.%f")
        assert shown.startswith(f"2026 {line[:19] if line[15] == '.' else line[:15]}")
